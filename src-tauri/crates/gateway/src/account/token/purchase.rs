//! Buying an access token: load, ask, save what was rotated, publish. One at a time per account, on its own task.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::cell::{Answer, Cell, Gate, Waiting};
use super::{AccessToken, Parts, TokenError};
use crate::account::{Account, Signal};
use crate::credential::{SecretId, Secrets};
use crate::upstream::identity::{IdentityError, Refreshed};

/// Life of a token whose endpoint does not tell: the shortest that any of them gives.
const UNTOLD_LIFE: Duration = Duration::from_secs(60 * 60);
/// First pause before the store is asked again to take a rotated token; doubles up to a minute.
const SAVE_AGAIN: Duration = Duration::from_secs(1);

/// Joins or starts a purchase. Synchronous on purpose: once this returns, the purchase no longer depends on the caller.
pub(super) fn start(parts: &Arc<Parts>, cell: &Arc<Cell>, account: &Account) -> Result<Waiting, TokenError> {
    match cell.gate() {
        Gate::Wait(waiting) => Ok(waiting),
        Gate::Failed(error) => Err(error),
        Gate::Buy(sender, waiting) => {
            let (parts, cell, account) = (Arc::clone(parts), Arc::clone(cell), account.clone());
            let tracker = parts.tracker.clone();
            tracker.spawn(async move {
                let answer = buy(&parts, &cell, &account).await;
                cell.finish(&answer);
                sender.send_replace(Some(answer));
            });
            Ok(waiting)
        }
    }
}

/// Waits for the answer of a purchase.
pub(super) async fn wait(started: Result<watch::Receiver<Option<Answer>>, TokenError>) -> Answer {
    let mut waiting = started?;
    let answer = waiting.wait_for(Option::is_some).await;
    match answer.as_deref() {
        Ok(Some(answer)) => answer.clone(),
        Ok(None) | Err(_) => Err(TokenError::transient("the refresh was cut short")),
    }
}

async fn buy(parts: &Arc<Parts>, cell: &Arc<Cell>, account: &Account) -> Answer {
    let id = SecretId::account(&account.id);
    let secrets = match cell.unsaved() {
        Some(secrets) => secrets,
        None => parts
            .credentials
            .load(&id)
            .await?
            .ok_or_else(|| TokenError::NeedsLogin("the account's secrets are not in the store".into()))?,
    };
    match parts.identity.refresh(account, &secrets).await {
        Ok(refreshed) => Ok(keep(parts, cell, account, &id, secrets, refreshed).await),
        Err(IdentityError::Dead(reason)) => {
            tracing::warn!(account = %account.id, reason, "the refresh grant was rejected");
            if let Err(error) = parts.leases.signal(&account.id, Signal::GrantRejected { reason: reason.clone() }) {
                tracing::error!(account = %account.id, %error, "cannot save that the account needs a new sign-in");
            }
            Err(TokenError::NeedsLogin(reason))
        }
        Err(IdentityError::Transient { message, retry_after }) => {
            tracing::warn!(account = %account.id, reason = message, "no new token now");
            Err(TokenError::Transient { message, retry_after })
        }
    }
}

/// Saves what was rotated, then publishes the access token.
async fn keep(
    parts: &Arc<Parts>,
    cell: &Arc<Cell>,
    account: &Account,
    id: &SecretId,
    mut secrets: Secrets,
    refreshed: Refreshed,
) -> AccessToken {
    let now = parts.clock.now();
    let removed = parts.roster.get(&account.id).is_none();
    if let Some(refresh_token) = refreshed.refresh_token
        && !removed
    {
        secrets.refresh_token = Some(refresh_token);
        // The old token is dead from here on: what is in memory is the truth until the store has it.
        let _saving = cell.saving.lock().await;
        cell.set_unsaved(Some(secrets.clone()));
        match parts.credentials.save(id, &secrets).await {
            Ok(()) => cell.set_unsaved(None),
            Err(error) => {
                tracing::error!(account = %account.id, %error, "a rotated refresh token could not be saved; it is kept in memory and saving is tried again");
                save_again(parts, cell, account, id);
            }
        }
    }
    if let Some(arn) = refreshed.profile_arn
        && account.profile_arn.as_deref() != Some(arn.as_str())
        && let Err(error) = parts.roster.update(&account.id, |account| account.profile_arn = Some(arn))
    {
        tracing::warn!(account = %account.id, %error, "the profile of the account could not be saved");
    }
    let life = refreshed.expires_in.unwrap_or(UNTOLD_LIFE);
    tracing::info!(account = %account.id, life_seconds = life.as_secs(), "access token refreshed");
    cell.put(refreshed.access_token, Some(now.plus(life)), now)
}

/// Keeps offering the newest secrets to the store until it takes them or the account is gone.
fn save_again(parts: &Arc<Parts>, cell: &Arc<Cell>, account: &Account, id: &SecretId) {
    let tracker = parts.tracker.clone();
    let (parts, cell, account_id, id) = (Arc::clone(parts), Arc::clone(cell), account.id.clone(), id.clone());
    tracker.clone().spawn(async move {
        let mut pause = SAVE_AGAIN;
        loop {
            if !tracker.is_closed() {
                tokio::time::sleep(pause).await;
            }
            pause = (pause * 2).min(Duration::from_secs(60));
            let _saving = cell.saving.lock().await;
            let Some(secrets) = cell.unsaved() else { return };
            let gone = parts.roster.get(&account_id).is_none();
            if gone || parts.credentials.save(&id, &secrets).await.is_ok() {
                cell.set_unsaved(None);
                tracing::info!(account = %account_id, gone, "no unsaved refresh token any more");
            } else if tracker.is_closed() {
                tracing::error!(account = %account_id, "stopping with a refresh token that could not be saved: the account will need a new sign-in");
                return;
            }
        }
    });
}
