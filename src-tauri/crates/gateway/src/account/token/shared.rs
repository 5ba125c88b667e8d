//! A login that another program owns: look into its file before buying anything, take what is newer, and hand back what was
//! rotated here when the person wants that.
//!
//! The owner does not know our lock. What is possible without its help: adopt first, and after a refusal wait a little for
//! the owner to write down what it got.

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;

use super::cell::{Cell, Look, Pace};
use super::commit::save;
use super::{AccessToken, Parts, TokenError, TokenNews};
use crate::account::intent::TokenMark;
use crate::account::link::{Seen, diverged, switched};
use crate::account::{Account, AccountId, Link, Signal, StoppedKind};
use crate::clock::Timestamp;
use crate::credential::Secrets;
use crate::owner::{self, OwnerError, OwnerLogin};

/// An owner's access token that ends sooner is not worth adopting.
const WORTH_ADOPTING: Duration = Duration::from_secs(60);
/// How often and how far apart an owner's file is looked at after a refusal: it may be about to write.
const LOOKS_AFTER_REFUSAL: u32 = 12;
const BETWEEN_LOOKS: Duration = Duration::from_millis(250);

/// What the owner's file meant.
pub(super) enum Shared {
    /// Its access token is good: nothing needs to be bought.
    Adopted(AccessToken),
    /// Go on with these secrets. The owner's login as it was read is kept for writing back.
    Own(Secrets, Option<Box<OwnerLogin>>),
}

/// Looks into the owner's file. To be called with the login's lock held.
pub(super) async fn look(
    parts: &Arc<Parts>,
    cell: &Arc<Cell>,
    account: &Account,
    link: &Link,
    secrets: Secrets,
) -> Result<Shared, TokenError> {
    let login = match read(link).await {
        Ok(Some(login)) => login,
        // Signed out, or the file is gone: what we have may still work, and nobody is harmed by trying.
        Ok(None) => return Ok(Shared::Own(secrets, None)),
        // Rotating without having seen the owner's file could log the owner out.
        Err(error) if error.is_transient() => return Err(TokenError::transient(error.to_string())),
        Err(error) => {
            tracing::warn!(account = %account.id, %error, "the owner's file cannot be used; going on with our own copy");
            return Ok(Shared::Own(secrets, None));
        }
    };
    if let Some(reason) = switched(account, &login) {
        return Err(stop(parts, cell, account, reason).await);
    }
    let Some(token) = login.refresh_token.clone() else { return Ok(Shared::Own(secrets, Some(Box::new(login)))) };
    let theirs = TokenMark::of(&token);
    let ours = secrets.refresh_token.as_ref().map(TokenMark::of);
    let same = ours.as_ref() == Some(&theirs);
    if !same && link.seen.as_ref().is_some_and(|seen| seen.has(&theirs)) {
        // The owner still has what we traded: ours is newer.
        return Ok(Shared::Own(secrets, Some(Box::new(login))));
    }
    let secrets = if same { secrets } else { adopt(parts, cell, account, &login, secrets, token).await };
    remember(parts, account, &login).await;
    if !same && parts.leases.stopped(&account.id) == Some(StoppedKind::NeedsLogin) {
        tracing::info!(account = %account.id, "the other program signed in again");
        parts.leases.signal_soon(&account.id, Signal::LoggedIn);
    }
    let shared = if let Look::Fresh(token) = cell.look(parts.clock.now())
        && !cell.is_forced()
        && login.access_token.as_ref().is_some_and(|known| cell.holds(known))
    {
        // Somebody was quicker while this one waited for the lock: nothing needs to be traded.
        Shared::Adopted(token)
    } else if let Some((token, life)) = usable(parts, cell, &login) {
        let token = cell.put(token, Some(life), Pace::Late, parts.clock.now());
        parts.changed.notify_waiters();
        Shared::Adopted(token)
    } else {
        Shared::Own(secrets, Some(Box::new(login)))
    };
    if !same {
        // Not before its access token is in use: whoever is told asks the service whose it is.
        parts.tell(TokenNews::Adopted(account.id.clone()));
    }
    Ok(shared)
}

/// After a refusal: what the owner writes down in the next moments, when it is a token that was not tried.
pub(super) async fn after_refusal(
    parts: &Arc<Parts>,
    cell: &Arc<Cell>,
    account: &Account,
    link: &Link,
    refused: &Secrets,
) -> Option<Result<Shared, TokenError>> {
    let tried = refused.refresh_token.as_ref().map(TokenMark::of);
    for _ in 0..LOOKS_AFTER_REFUSAL {
        match look(parts, cell, account, link, refused.clone()).await {
            Ok(Shared::Own(secrets, owner)) => {
                if secrets.refresh_token.as_ref().map(TokenMark::of) != tried {
                    return Some(Ok(Shared::Own(secrets, owner)));
                }
            }
            decided => return Some(decided),
        }
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
    None
}

/// Writes what was rotated into the owner's file when the person wants that, else notes that the owner's copy is used up.
pub(super) async fn hand_back(
    parts: &Parts,
    cell: &Cell,
    account: &Account,
    owner: Option<&OwnerLogin>,
    new: &SecretString,
    access: &SecretString,
    expires_at: Timestamp,
) {
    let id = &account.id;
    // Removed or signed in anew meanwhile: the owner still has what was used up, and is not to be signed out by that.
    let listed = parts.roster.get(id).and_then(|listed| listed.link.clone());
    let Some(link) = listed.or_else(|| account.link.clone()) else { return };
    let now = parts.clock.now();
    let written = match owner.and_then(|owner| Some((owner, owner.refresh_token.clone()?))) {
        Some((owner, used)) if link.write_back => {
            let login = OwnerLogin {
                refresh_token: Some(new.clone()),
                access_token: Some(access.clone()),
                expires_at: Some(expires_at),
                ..owner.clone()
            };
            let link = link.clone();
            let write = tokio::task::spawn_blocking(move || owner::write_back(&link, &used, &login));
            match write.await {
                Ok(Ok(())) => true,
                Ok(Err(error)) => {
                    tracing::warn!(account = %id, %error, "the rotated token could not be handed to the other program");
                    false
                }
                Err(error) => {
                    tracing::error!(account = %id, %error, "handing the rotated token to the other program met a fault");
                    false
                }
            }
        }
        Some(_) | None => false,
    };
    if cell.is_retired() {
        // What is known of the owner now belongs to another login.
        return;
    }
    let mark = TokenMark::of(new);
    let changed = change(parts, id, move |link| {
        if written {
            link.diverged_at = None;
            link.seen = link.seen.take().map(|seen| seen.with(mark));
        } else {
            diverged(link, now);
        }
    });
    changed.await;
}

async fn read(link: &Link) -> Result<Option<OwnerLogin>, OwnerError> {
    let link = link.clone();
    let path = std::path::PathBuf::from(&link.path);
    let read = tokio::task::spawn_blocking(move || owner::read(&link));
    read.await.unwrap_or_else(|error| Err(OwnerError::Unreadable { path, reason: error.to_string() }))
}

/// The owner's tokens become ours.
async fn adopt(
    parts: &Arc<Parts>,
    cell: &Arc<Cell>,
    account: &Account,
    login: &OwnerLogin,
    mut secrets: Secrets,
    token: SecretString,
) -> Secrets {
    tracing::info!(account = %account.id, "the other program has newer tokens; they are used from now on");
    secrets.refresh_token = Some(token);
    if login.client_secret.is_some() {
        secrets.client_secret = login.client_secret.clone();
    }
    save(parts, cell, &account.id, secrets.clone()).await;
    secrets
}

/// Writes down what the owner has now, when that is news.
async fn remember(parts: &Parts, account: &Account, login: &OwnerLogin) {
    let seen = Seen::of(login);
    let link = account.link.as_ref();
    let client = login.client_id.is_some() && account.client_id != login.client_id;
    let news = link.is_some_and(|link| link.seen.as_ref() != Some(&seen) || link.diverged_at.is_some());
    if !client && !news {
        return;
    }
    let (client_id, client_expires_at) = (login.client_id.clone(), login.client_expires_at);
    let changed = parts.update(&account.id, move |account| {
        if client {
            account.client_id = client_id;
            account.client_expires_at = client_expires_at;
        }
        if let Some(link) = &mut account.link {
            link.seen = Some(seen);
            link.diverged_at = None;
        }
    });
    if let Err(error) = changed.await {
        tracing::warn!(account = %account.id, %error, "what the other program has could not be written down");
    }
}

/// The owner's access token, when it is good for a while and is not one that we have or that was refused.
fn usable(parts: &Parts, cell: &Cell, login: &OwnerLogin) -> Option<(SecretString, Duration)> {
    let token = login.access_token.clone()?;
    let life = login.expires_at?.since(parts.clock.now());
    (life > WORTH_ADOPTING && !cell.was_rejected(&token) && !cell.holds(&token)).then_some((token, life))
}

/// Another login is in the owner's file: nothing is sent for this account until a person decides.
pub(super) async fn stop(parts: &Parts, cell: &Cell, account: &Account, reason: &str) -> TokenError {
    let now = parts.clock.now();
    cell.drop_token();
    let switched = change(parts, &account.id, move |link| {
        link.switched_at.get_or_insert(now);
    });
    switched.await;
    parts.leases.signal_soon(&account.id, Signal::OwnerSwitched { reason: reason.to_owned() });
    parts.tell(TokenNews::OwnerSwitched(account.id.clone()));
    TokenError::NeedsLogin(reason.to_owned())
}

async fn change(parts: &Parts, id: &AccountId, change: impl FnOnce(&mut Link) + Send + 'static) {
    let changed = parts.update(id, move |account| {
        if let Some(link) = &mut account.link {
            change(link);
        }
    });
    if let Err(error) = changed.await {
        tracing::warn!(account = %id, %error, "the state of the shared login could not be saved");
    }
}
