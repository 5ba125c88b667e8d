//! Making what a refresh brought safe: saved and synced first, published after. A store that refuses never costs the token:
//! it is used from memory, offered again and again, and said to be at risk.

use std::sync::Arc;
use std::time::Duration;

use super::cell::{Answer, Cell, Pace};
use super::{Parts, TokenNews, shared};
use crate::account::{Account, AccountId};
use crate::credential::Secrets;
use crate::owner::OwnerLogin;
use crate::upstream::identity::Refreshed;

/// Life of a token whose endpoint does not tell: the shortest that any of them gives.
const UNTOLD_LIFE: Duration = Duration::from_secs(60 * 60);
/// First pause before the store is asked again to take a rotated token; doubles up to a minute.
const SAVE_AGAIN: Duration = Duration::from_secs(1);

/// What was sent, and for whom.
pub(super) struct Base {
    pub(super) account: Arc<Account>,
    pub(super) secrets: Secrets,
    /// What the owner of a shared login had before.
    pub(super) owner: Option<Box<OwnerLogin>>,
}

/// Saves what was rotated, then publishes the access token. Also says whether everything is safe.
pub(super) async fn commit(parts: &Arc<Parts>, cell: &Arc<Cell>, base: Base, refreshed: Refreshed) -> (Answer, bool) {
    let Base { account, mut secrets, owner } = base;
    let now = parts.clock.now();
    let life = refreshed.expires_in.unwrap_or(UNTOLD_LIFE);
    let mut safe = true;
    parts.intents.worked(&account.id);
    if let Some(new) = refreshed.refresh_token {
        secrets.refresh_token = Some(new.clone());
        safe = save(parts, cell, &account.id, secrets).await;
        if account.link.is_some() {
            shared::hand_back(parts, cell, &account, owner.as_deref(), &new, &refreshed.access_token, now.plus(life))
                .await;
        }
    }
    if !cell.is_retired() {
        learn(parts, &account, refreshed.profile_arn).await;
    }
    // The owner of a shared login goes first when it runs.
    let pace = if account.link.is_some() { Pace::Late } else { Pace::Ahead };
    tracing::info!(account = %account.id, life_seconds = life.as_secs(), "access token refreshed");
    (Ok(cell.put(refreshed.access_token, Some(life), pace, now)), safe)
}

/// Brings rotated secrets into the store. Whether they are there afterwards.
pub(super) async fn save(parts: &Arc<Parts>, cell: &Arc<Cell>, id: &AccountId, secrets: Secrets) -> bool {
    let _saving = cell.saving.lock().await;
    // Removed, or signed in anew while this refresh was under way: the chain of tokens it belongs to has ended.
    if cell.is_retired() || !parts.roster.keeps(id) {
        return true;
    }
    // The old token is dead from here on: what is in memory is the truth until the store has it.
    cell.set_unsaved(Some(secrets.clone()));
    match parts.credentials.save(&parts.roster.secret_id(id), &secrets).await {
        Ok(()) => {
            saved(parts, cell, id).await;
            true
        }
        Err(error) => {
            tracing::error!(account = %id, %error, "a rotated refresh token could not be saved; it is kept in memory and saving is tried again");
            match parts.credentials.save_aside(&parts.roster.secret_id(id), &secrets).await {
                Ok(()) => cell.set_aside(true),
                Err(error) => tracing::error!(account = %id, %error, "and not in a second place either"),
            }
            parts.tell(TokenNews::Unsaved(id.clone()));
            save_again(parts, cell, id);
            false
        }
    }
}

/// A login that was to take the place of this one is not in the list: the secrets of before are the truth once more, and what a refresh
/// under way brings is saved again. To be called with the lock of saving held.
pub(super) async fn put_back(parts: &Arc<Parts>, cell: &Arc<Cell>, id: &AccountId, before: Option<Secrets>) {
    let record = parts.roster.secret_id(id);
    let back = match &before {
        Some(secrets) => parts.credentials.save(&record, secrets).await,
        None => parts.credentials.delete(&record).await,
    };
    cell.set_unsaved(None);
    if let Err(error) = back {
        tracing::error!(account = %id, %error, "the secrets of an account are newer than the list of accounts; saving those of before is tried again");
        if let Some(secrets) = before {
            cell.set_unsaved(Some(secrets));
            parts.tell(TokenNews::Unsaved(id.clone()));
            save_again(parts, cell, id);
        }
    }
    cell.set_retired(false);
}

/// The store has the newest secrets: what was kept beside it is not needed any more.
pub(super) async fn saved(parts: &Parts, cell: &Cell, id: &AccountId) {
    cell.set_unsaved(None);
    cell.want_proof();
    if cell.is_aside() {
        match parts.credentials.drop_aside(&parts.roster.secret_id(id)).await {
            Ok(()) => cell.set_aside(false),
            // Older than what the store has: it would be refused once, and the store's would be tried then.
            Err(error) => tracing::warn!(account = %id, %error, "what was kept in a second place could not be removed"),
        }
    }
}

/// A token of this generation was accepted. When it came with the newest secrets in the store, those before them are not needed
/// any more.
pub(super) async fn confirm(parts: &Parts, cell: &Cell, id: &AccountId, generation: u64) {
    // Under the lock of saving, so that no newer generation is confirmed by an older one's success.
    let _saving = cell.saving.lock().await;
    if cell.is_unsaved() || cell.is_retired() || !cell.take_proof(generation) {
        return;
    }
    if let Err(error) = parts.credentials.confirm(&parts.roster.secret_id(id)).await {
        tracing::debug!(account = %id, %error, "the previous generation of the login could not be removed");
        cell.return_proof(generation);
    }
}

/// What a refresh tells about the account beside the token.
async fn learn(parts: &Parts, account: &Account, profile_arn: Option<String>) {
    let Some(known) = parts.roster.get(&account.id) else { return };
    let arn = profile_arn.filter(|arn| known.profile_arn.as_ref() != Some(arn));
    let region = account.oidc_region.clone().filter(|region| known.oidc_region.as_ref() != Some(region));
    if arn.is_none() && region.is_none() {
        return;
    }
    let learned = parts.update(&account.id, move |account| {
        if arn.is_some() {
            account.profile_arn = arn;
        }
        if region.is_some() {
            account.oidc_region = region;
        }
    });
    let learned = learned.await;
    if let Err(error) = learned {
        tracing::warn!(account = %account.id, %error, "what was learned of the account could not be saved");
    }
}

/// Keeps offering the newest secrets to the store until it takes them or the account is gone.
fn save_again(parts: &Arc<Parts>, cell: &Arc<Cell>, id: &AccountId) {
    let tracker = parts.tracker.clone();
    let (parts, cell, id) = (Arc::clone(parts), Arc::clone(cell), id.clone());
    tracker.clone().spawn(async move {
        let mut pause = SAVE_AGAIN;
        loop {
            if !tracker.is_closed() {
                tokio::time::sleep(pause).await;
            }
            pause = (pause * 2).min(Duration::from_secs(60));
            let _saving = cell.saving.lock().await;
            let Some(secrets) = cell.unsaved() else { return };
            let gone = !parts.roster.keeps(&id);
            if gone || parts.credentials.save(&parts.roster.secret_id(&id), &secrets).await.is_ok() {
                saved(&parts, &cell, &id).await;
                parts.intents.close(&id).await;
                parts.tell(TokenNews::Saved(id.clone()));
                tracing::info!(account = %id, gone, "no unsaved refresh token any more");
                return;
            }
            if tracker.is_closed() {
                tracing::error!(account = %id, "stopping with a refresh token that could not be saved: the account will need a new sign-in");
                return;
            }
        }
    });
}
