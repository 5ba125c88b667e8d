//! Access tokens: in memory only, bought once for everybody who waits, and never handed out before the refresh token that
//! came with them is safe (`docs/reliability.md` has the whole protocol).
//!
//! The purchase runs as its own task: a client that leaves does not take a rotated refresh token with it. Leaves out: the
//! HTTP call (`upstream/identity`).

mod cell;
mod commit;
mod install;
mod lock;
mod purchase;
mod rescue;
mod schedule;
mod shared;
mod watch;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{Notify, broadcast};
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

use super::intent::{CutShort, Intents};
use super::{Account, AccountId, AuthMethod, Leases, Roster, RosterError};
use crate::clock::{Clock, Timestamp};
use crate::credential::{Credentials, StoreError, StoreState};
use crate::data_dir::DataDir;
use crate::disk::off_thread;
use crate::upstream::identity::Identity;
use cell::{Cell, Look, Pace};

/// A bearer for the upstream. Cheap to clone; `Debug` hides the text.
#[derive(Debug, Clone)]
pub struct AccessToken {
    secret: Arc<SecretString>,
    expires_at: Option<Timestamp>,
    generation: u64,
}

impl AccessToken {
    /// An API key, which is its own token and never expires.
    pub(crate) fn of_key(key: SecretString) -> Self {
        Self { secret: Arc::new(key), expires_at: None, generation: 0 }
    }

    /// The text for the `Authorization` header.
    pub fn expose(&self) -> &str {
        self.secret.expose_secret()
    }

    /// Whether it is the same one, not only of the same text: generations begin anew with every sign-in.
    fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.secret, &other.secret)
    }

    /// When the upstream stops accepting it; `None` for an API key.
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.expires_at
    }
}

/// Why there is no token.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TokenError {
    /// Only a new sign-in helps.
    #[error("the account needs a new sign-in: {0}")]
    NeedsLogin(String),
    /// Worth trying again later.
    #[error("no new token now: {message}")]
    Transient {
        /// What happened.
        message: String,
        /// When it is worth trying again.
        retry_after: Option<Duration>,
    },
    /// The secrets cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl TokenError {
    fn transient(message: impl Into<String>) -> Self {
        Self::Transient { message: message.into(), retry_after: None }
    }

    /// Stable code for the flow record.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NeedsLogin(_) => "account_needs_login",
            Self::Transient { .. } => "token_refresh_failed",
            Self::Store(error) => error.code(),
        }
    }
}

/// What happened to a login that people or other parts want to know at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenNews {
    /// Its newest refresh token is in memory only: a crash now would cost the login.
    Unsaved(AccountId),
    /// That is over.
    Saved(AccountId),
    /// The program that shares it brought newer tokens, and they are used.
    Adopted(AccountId),
    /// The program that shares it signed in as somebody else; the account is stopped.
    OwnerSwitched(AccountId),
}

/// News that a slow listener may miss, the oldest first.
const NEWS: usize = 256;

/// The tokens of all accounts.
pub struct Tokens {
    parts: Arc<Parts>,
    cells: Mutex<HashMap<AccountId, Arc<Cell>>>,
}

/// What the tokens of accounts are made from.
pub struct TokenParts {
    /// Where refresh tokens are.
    pub credentials: Credentials,
    /// The token endpoints.
    pub identity: Arc<dyn Identity>,
    /// The accounts.
    pub roster: Arc<Roster>,
    /// Their conditions.
    pub leases: Arc<Leases>,
    /// Wall time.
    pub clock: Arc<dyn Clock>,
    /// Purchases run on it, so that a stop waits for one that is under way.
    pub tracker: TaskTracker,
    /// Where intents are kept.
    pub dir: Arc<DataDir>,
}

/// What a purchase needs.
struct Parts {
    credentials: Credentials,
    identity: Arc<dyn Identity>,
    roster: Arc<Roster>,
    leases: Arc<Leases>,
    clock: Arc<dyn Clock>,
    tracker: TaskTracker,
    intents: Arc<Intents>,
    /// A purchase ended or a token came in: the schedule looks again.
    changed: Notify,
    news: broadcast::Sender<TokenNews>,
}

impl Parts {
    /// Nobody listening is fine.
    fn tell(&self, news: TokenNews) {
        let _ = self.news.send(news);
    }

    /// Saves a change of an account away from the async threads; see [`Roster::update`].
    async fn update(
        &self,
        id: &AccountId,
        change: impl FnOnce(&mut Account) + Send + 'static,
    ) -> Result<(), RosterError> {
        let (roster, id) = (Arc::clone(&self.roster), id.clone());
        off_thread(move || roster.update(&id, change)).await?.map(|_| ())
    }
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens").finish_non_exhaustive()
    }
}

impl Tokens {
    /// Reads what the last run left open.
    pub fn new(parts: TokenParts) -> Self {
        let TokenParts { credentials, identity, roster, leases, clock, tracker, dir } = parts;
        let intents = Arc::new(Intents::open(&dir));
        for id in intents.all_pending() {
            tracing::warn!(account = %id, "the last refresh of this account was cut short; its token is tried once more");
        }
        let changed = Notify::new();
        let news = broadcast::Sender::new(NEWS);
        let parts = Parts { credentials, identity, roster, leases, clock, tracker, intents, changed, news };
        Self { parts: Arc::new(parts), cells: Mutex::new(HashMap::new()) }
    }

    /// Whether the store of secrets can be used, as seen by its last call.
    pub fn store_state(&self) -> StoreState {
        self.parts.credentials.state()
    }

    /// What happens to logins, from now on.
    pub fn news(&self) -> broadcast::Receiver<TokenNews> {
        self.parts.news.subscribe()
    }

    /// A token that the upstream should accept now. Buys one when there is none or it has expired; when it is merely due,
    /// the purchase goes on in the background and the old token is handed out.
    pub async fn access(&self, account: &Account) -> Result<AccessToken, TokenError> {
        if account.method == AuthMethod::ApiKey {
            return self.api_key(account).await;
        }
        let cell = self.cell(&account.id);
        match cell.look(self.parts.clock.now()) {
            Look::Fresh(token) => Ok(token),
            Look::Due(token) => {
                // A failure matters once the old token has expired; until then it is in the log.
                let _ = purchase::start(&self.parts, &cell, &account.id);
                Ok(token)
            }
            Look::Expired => match purchase::wait(purchase::start(&self.parts, &cell, &account.id)).await {
                // A new sign-in came meanwhile: its login is the one that was asked for.
                Err(_) if cell.is_retired() && self.parts.roster.get(&account.id).is_some() => {
                    let cell = self.cell(&account.id);
                    match cell.look(self.parts.clock.now()) {
                        Look::Fresh(token) | Look::Due(token) => Ok(token),
                        Look::Expired => purchase::wait(purchase::start(&self.parts, &cell, &account.id)).await,
                    }
                }
                answer => answer,
            },
        }
    }

    /// After the upstream called `rejected` invalid although it had not expired: a token of a later generation, bought once
    /// however many requests were refused together.
    pub async fn refresh_rejected(&self, account: &Account, rejected: &AccessToken) -> Result<AccessToken, TokenError> {
        if account.method == AuthMethod::ApiKey {
            let key = self.api_key(account).await?;
            if key.expose() != rejected.expose() {
                // Another key came while the request was under way.
                return Ok(key);
            }
            return Err(TokenError::NeedsLogin("the upstream does not accept the API key".into()));
        }
        let cell = self.cell(&account.id);
        cell.reject(rejected);
        self.access(account).await
    }

    /// A new token although the present one may be good, because a person asks. A purchase that is under way is shared, and
    /// an earlier failure does not hold it back.
    pub async fn force(&self, account: &Account) -> Result<AccessToken, TokenError> {
        if account.method == AuthMethod::ApiKey {
            return Err(TokenError::NeedsLogin("an API key cannot be refreshed".into()));
        }
        let cell = self.cell(&account.id);
        if account.link.as_ref().is_some_and(|link| !link.write_back) {
            // A trade would log the owner out, so nothing is traded while there is a good token.
            if let Some(adopted) = self.look_at_owner(account).await? {
                return Ok(adopted);
            }
            if let Look::Fresh(token) | Look::Due(token) = cell.look(self.parts.clock.now()) {
                return Ok(token);
            }
        }
        cell.end_pause();
        cell.set_forced();
        purchase::wait(purchase::start(&self.parts, &cell, &account.id)).await
    }

    /// The upstream accepted this token: the generation of the login that it came with has worked, and the one before it is
    /// let go. Cheap when that is known already.
    pub fn accepted(&self, id: &AccountId, token: &AccessToken) {
        let cell = self.cell(id);
        if token.expires_at.is_none() || !cell.uses(token) || !cell.would_prove(token.generation) {
            return;
        }
        let (parts, id, generation) = (Arc::clone(&self.parts), id.clone(), token.generation);
        self.parts.tracker.spawn(async move { commit::confirm(&parts, &cell, &id, generation).await });
    }

    /// Puts in a token that came with an import, so that the first request needs no purchase.
    pub fn seed(&self, id: &AccountId, token: SecretString, expires_at: Timestamp) {
        let now = self.parts.clock.now();
        if expires_at > now {
            self.cell(id).put(token, Some(expires_at.since(now)), Pace::Ahead, now);
            self.parts.changed.notify_waiters();
        }
    }

    /// When the token in memory expires, if there is one.
    pub fn expires_at(&self, id: &AccountId) -> Option<Timestamp> {
        self.cell(id).expires_at(self.parts.clock.now())
    }

    /// What refreshes that were cut short have cost on this machine.
    pub fn cut_short(&self) -> CutShort {
        self.parts.intents.cut_short()
    }

    /// Runs `work` to its end, whatever becomes of who waits for it; a stop waits for it, too.
    pub(crate) fn spawn<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
        self.parts.tracker.spawn(work)
    }

    /// Drops what is known about an account that was signed in anew elsewhere.
    pub fn forget(&self, id: &AccountId) {
        self.drop_cell(id);
        self.parts.changed.notify_waiters();
    }

    /// Drops everything about an account that was removed. A save that was under way has ended then, so that it cannot bring
    /// back what is deleted next.
    pub(crate) async fn remove(&self, id: &AccountId) {
        let cell = self.cell(id);
        self.drop_cell(id);
        drop(cell.saving.lock().await);
        if let Err(error) = self.parts.intents.forget(id).await {
            tracing::debug!(account = %id, %error, "the record of the account's refreshes could not be removed");
        }
    }

    fn drop_cell(&self, id: &AccountId) {
        let cell = self.cells.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
        if let Some(cell) = cell {
            cell.retire();
        }
    }

    /// The store was unlocked: who was refused because of it may try again at once.
    pub fn store_unlocked(&self) {
        let cells = self.cells.lock().unwrap_or_else(PoisonError::into_inner);
        cells.values().for_each(|cell| cell.forgive_store());
    }

    /// Whether the account's newest refresh token is in memory only, because the store would not take it: a crash now would
    /// cost the login.
    pub fn is_unsaved(&self, id: &AccountId) -> bool {
        self.cells.lock().unwrap_or_else(PoisonError::into_inner).get(id).is_some_and(|cell| cell.is_unsaved())
    }

    /// All accounts of which [`Self::is_unsaved`] is true.
    pub fn unsaved(&self) -> Vec<AccountId> {
        let cells = self.cells.lock().unwrap_or_else(PoisonError::into_inner);
        cells.iter().filter(|(_, cell)| cell.is_unsaved()).map(|(id, _)| id.clone()).collect()
    }

    async fn api_key(&self, account: &Account) -> Result<AccessToken, TokenError> {
        let cell = self.cell(&account.id);
        if let Look::Fresh(token) | Look::Due(token) = cell.look(self.parts.clock.now()) {
            return Ok(token);
        }
        let secrets = self.parts.credentials.load(&self.parts.roster.secret_id(&account.id)).await?;
        let key = secrets
            .and_then(|secrets| secrets.api_key)
            .ok_or_else(|| TokenError::NeedsLogin("the account's API key is not in the store".into()))?;
        Ok(cell.put(key, None, Pace::Ahead, self.parts.clock.now()))
    }

    fn cell(&self, id: &AccountId) -> Arc<Cell> {
        let mut cells = self.cells.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(cells.entry(id.clone()).or_default())
    }
}

#[cfg(test)]
mod tests;
