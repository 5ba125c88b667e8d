//! Buying an access token: one at a time per account, on its own task, under the lock that other processes know too.
//!
//! The order that makes a kill harmless: intent on disk, token sent, answer saved and synced, token published, waiters woken,
//! intent closed. What is left open by a kill is looked at by the next purchase.

use std::path::Path;
use std::sync::Arc;

use secrecy::SecretString;
use tokio::sync::watch;

use super::cell::{Answer, Cell, Gate, Look, Waiting};
use super::commit::{Base, commit};
use super::shared::{self, Shared};
use super::{Parts, TokenError, lock, rescue};
use crate::account::intent::{Intent, TokenMark};
use crate::account::{Account, AccountId, Signal};
use crate::credential::Secrets;
use crate::upstream::identity::IdentityError;

/// Joins or starts a purchase. Synchronous on purpose: once this returns, the purchase no longer depends on the caller.
pub(super) fn start(parts: &Arc<Parts>, cell: &Arc<Cell>, id: &AccountId) -> Result<Waiting, TokenError> {
    match cell.gate() {
        Gate::Wait(waiting) => Ok(waiting),
        Gate::Failed(error) => Err(error),
        Gate::Buy(sender, waiting) => {
            let (parts, cell, id) = (Arc::clone(parts), Arc::clone(cell), id.clone());
            let tracker = parts.tracker.clone();
            tracker.spawn(async move {
                let bought = buy(&parts, &cell, &id).await;
                cell.finish(&bought.answer);
                sender.send_replace(Some(bought.answer));
                parts.changed.notify_waiters();
                if bought.settled {
                    parts.intents.close(&id).await;
                }
                drop(bought.lock);
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

/// How a purchase ended, and what is still held.
struct Bought {
    answer: Answer,
    /// Nothing that was sent is in the air any more.
    settled: bool,
    lock: Option<lock::Held>,
}

async fn buy(parts: &Arc<Parts>, cell: &Arc<Cell>, id: &AccountId) -> Bought {
    let lock = match hold(parts, id).await {
        Ok(lock) => lock,
        Err(error) => return Bought { answer: Err(error), settled: false, lock: None },
    };
    let (answer, settled) = trade(parts, cell, id).await;
    Bought { answer, settled, lock }
}

/// The login's lock: beside the owner's file for a shared one, in the data directory otherwise and where the owner's folder
/// takes no file. A place that cannot hold a lock costs the protection against another process, not the account.
pub(super) async fn hold(parts: &Parts, id: &AccountId) -> Result<Option<lock::Held>, TokenError> {
    let link = parts.roster.get(id).and_then(|account| account.link.clone());
    let shared = link.map(|link| lock::beside(Path::new(&link.path)));
    let own = parts.intents.lock_file(id).inspect_err(|error| {
        tracing::warn!(account = %id, %error, "the lock of this account cannot be used");
    });
    for path in shared.into_iter().chain(own) {
        match lock::take(path).await {
            Ok(lock) => return Ok(Some(lock)),
            Err(error) if error.kind() == std::io::ErrorKind::TimedOut => {
                return Err(TokenError::transient(error.to_string()));
            }
            Err(error) => tracing::warn!(account = %id, %error, "this lock of the account cannot be used"),
        }
    }
    Ok(None)
}

/// Trades the refresh token, and says whether nothing is in the air afterwards.
async fn trade(parts: &Arc<Parts>, cell: &Arc<Cell>, id: &AccountId) -> (Answer, bool) {
    let Some(account) = parts.roster.get(id) else {
        return (Err(TokenError::NeedsLogin("the account was removed".into())), true);
    };
    let secrets = {
        // Never the token of a sign-in that came meanwhile: what is bought with it would be saved nowhere.
        let _saving = cell.saving.lock().await;
        if cell.is_retired() {
            return (Err(TokenError::transient("the account was signed in anew meanwhile")), false);
        }
        match current(parts, cell, id).await {
            Ok(secrets) => secrets,
            Err(error) => return (Err(error), false),
        }
    };
    let (secrets, owner) = match &account.link {
        None => (secrets, None),
        Some(link) => match shared::look(parts, cell, &account, link, secrets).await {
            Ok(Shared::Adopted(token)) => return (Ok(token), true),
            Ok(Shared::Own(secrets, owner)) => (secrets, owner),
            Err(error) => return (Err(error), true),
        },
    };
    let Some(token) = secrets.refresh_token.clone() else {
        return (refuse(parts, cell, id, "the account has no refresh token".into()), true);
    };
    let cut_short = parts.intents.pending(id).filter(|open| open.token == TokenMark::of(&token));
    if let Err(error) = begin(parts, cell, id, &token).await {
        return (Err(error), false);
    }
    let reason = match parts.identity.refresh(&account, &secrets).await {
        Ok(refreshed) => return commit(parts, cell, Base { account, secrets, owner }, refreshed).await,
        Err(IdentityError::Rejected(reason)) => reason,
        Err(error) => return after(error, parts, cell, id),
    };
    if let Some(link) = &account.link
        && let Some(found) = shared::after_refusal(parts, cell, &account, link, &secrets).await
    {
        return match found {
            Ok(Shared::Adopted(token)) => (Ok(token), true),
            Ok(Shared::Own(secrets, owner)) => once_more(parts, cell, Base { account, secrets, owner }).await,
            Err(error) => (Err(error), true),
        };
    }
    match rescue::other_ways(parts, cell, &account, &secrets).await {
        Some(Ok((base, refreshed))) => commit(parts, cell, base, refreshed).await,
        Some(Err(error)) => after(error, parts, cell, id),
        None => (give_up(parts, cell, id, reason, cut_short).await, true),
    }
}

/// The owner wrote down another token after ours was refused: that one is tried, and its refusal is final.
async fn once_more(parts: &Arc<Parts>, cell: &Arc<Cell>, base: Base) -> (Answer, bool) {
    let id = base.account.id.clone();
    if let Some(token) = &base.secrets.refresh_token
        && let Err(error) = begin(parts, cell, &id, token).await
    {
        return (Err(error), false);
    }
    match parts.identity.refresh(&base.account, &base.secrets).await {
        Ok(refreshed) => commit(parts, cell, base, refreshed).await,
        Err(error) => after(error, parts, cell, &id),
    }
}

/// What an error of the token endpoint means once nothing else is left to try.
fn after(error: IdentityError, parts: &Parts, cell: &Cell, id: &AccountId) -> (Answer, bool) {
    match error {
        IdentityError::Dead(reason) | IdentityError::Rejected(reason) => (refuse(parts, cell, id, reason), true),
        IdentityError::Unanswered(message) => {
            tracing::warn!(account = %id, reason = message, "a refresh got no whole answer");
            // The token may be used up: the intent stays open, so that a refusal of the next try is explained.
            (Err(TokenError::transient(message)), false)
        }
        IdentityError::Transient { message, retry_after } => {
            tracing::warn!(account = %id, reason = message, "no new token now");
            (Err(TokenError::Transient { message, retry_after }), true)
        }
    }
}

/// The secrets as they are now: in memory when the store has not taken them yet.
pub(super) async fn current(parts: &Parts, cell: &Cell, id: &AccountId) -> Result<Secrets, TokenError> {
    if let Some(secrets) = cell.unsaved() {
        return Ok(secrets);
    }
    let record = parts.roster.secret_id(id);
    if let Ok(Some(secrets)) = parts.credentials.load_aside(&record).await {
        // The last run could not save them where they belong.
        cell.set_aside(true);
        return Ok(secrets);
    }
    let found = parts.credentials.load(&record).await?;
    found.ok_or_else(|| TokenError::NeedsLogin("the account's secrets are not in the store".into()))
}

/// Puts the intent on disk. A disk that takes no intent will take no token either: as long as the present access token is
/// good, nothing is traded.
pub(super) async fn begin(parts: &Parts, cell: &Cell, id: &AccountId, token: &SecretString) -> Result<(), TokenError> {
    let now = parts.clock.now();
    let Err(error) = parts.intents.begin(id, token, now).await else { return Ok(()) };
    match cell.look(now) {
        Look::Fresh(_) | Look::Due(_) => {
            Err(TokenError::transient(format!("nothing can be written ({error}), so the refresh waits")))
        }
        Look::Expired => {
            tracing::error!(account = %id, %error, "refreshing although nothing can be written: the login is at risk until the disk works again");
            Ok(())
        }
    }
}

/// The grant is gone. A refresh that was cut short before is the likely reason and is named.
async fn give_up(parts: &Parts, cell: &Cell, id: &AccountId, reason: String, cut_short: Option<Intent>) -> Answer {
    let reason = match cut_short {
        None => reason,
        Some(open) => {
            parts.intents.lost(id).await;
            format!(
                "{reason}. A refresh begun at {} ended before its answer was safe; the sign-in service takes neither the \
                 token from before it nor an older one",
                open.at.to_rfc3339()
            )
        }
    };
    refuse(parts, cell, id, reason)
}

fn refuse(parts: &Parts, cell: &Cell, id: &AccountId, reason: String) -> Answer {
    // A sign-in that came meanwhile has its own grant: the end of the old one says nothing about it.
    if !cell.is_retired() {
        tracing::warn!(account = %id, reason, "the refresh grant was rejected");
        parts.leases.signal_soon(id, Signal::GrantRejected { reason: reason.clone() });
    }
    Err(TokenError::NeedsLogin(reason))
}

/// The account and the secrets that a refresh is made with.
pub(super) async fn refresh_with(
    parts: &Parts,
    account: Arc<Account>,
    secrets: Secrets,
) -> Result<(Base, crate::upstream::identity::Refreshed), IdentityError> {
    let refreshed = parts.identity.refresh(&account, &secrets).await?;
    Ok((Base { account, secrets, owner: None }, refreshed))
}
