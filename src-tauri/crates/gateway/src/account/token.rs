//! Access tokens: in memory only, bought once for everybody who waits, and never handed out before the refresh token that
//! came with them is safe.
//!
//! The purchase runs as its own task: a client that leaves does not take a rotated refresh token with it. Leaves out: the
//! HTTP call (`upstream/identity`) and the timer that asks ahead of expiry (`background`), which simply calls `access`.

mod cell;
mod purchase;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use tokio_util::task::TaskTracker;

use super::{Account, AccountId, AuthMethod, Leases, Roster};
use crate::clock::{Clock, Timestamp};
use crate::credential::{Credentials, SecretId, StoreError, StoreState};
use crate::upstream::identity::Identity;
use cell::{Cell, Look};

/// A bearer for the upstream. Cheap to clone; `Debug` hides the text.
#[derive(Debug, Clone)]
pub struct AccessToken {
    secret: Arc<SecretString>,
    expires_at: Option<Timestamp>,
    generation: u64,
}

impl AccessToken {
    /// The text for the `Authorization` header.
    pub fn expose(&self) -> &str {
        self.secret.expose_secret()
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

/// The tokens of all accounts.
pub struct Tokens {
    parts: Arc<Parts>,
    cells: Mutex<HashMap<AccountId, Arc<Cell>>>,
}

/// What a purchase needs.
struct Parts {
    credentials: Credentials,
    identity: Arc<dyn Identity>,
    roster: Arc<Roster>,
    leases: Arc<Leases>,
    clock: Arc<dyn Clock>,
    tracker: TaskTracker,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens").finish_non_exhaustive()
    }
}

impl Tokens {
    /// Purchases run on `tracker`, so that a stop waits for one that is under way.
    pub fn new(
        credentials: Credentials,
        identity: Arc<dyn Identity>,
        roster: Arc<Roster>,
        leases: Arc<Leases>,
        clock: Arc<dyn Clock>,
        tracker: TaskTracker,
    ) -> Self {
        let parts = Parts { credentials, identity, roster, leases, clock, tracker };
        Self { parts: Arc::new(parts), cells: Mutex::new(HashMap::new()) }
    }

    /// Whether the store of secrets can be used, as seen by its last call.
    pub fn store_state(&self) -> StoreState {
        self.parts.credentials.state()
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
                let _ = purchase::start(&self.parts, &cell, account);
                Ok(token)
            }
            Look::Expired => purchase::wait(purchase::start(&self.parts, &cell, account)).await,
        }
    }

    /// After the upstream called `rejected` invalid although it had not expired: a token of a later generation, bought once
    /// however many requests were refused together.
    pub async fn refresh_rejected(&self, account: &Account, rejected: &AccessToken) -> Result<AccessToken, TokenError> {
        if account.method == AuthMethod::ApiKey {
            return Err(TokenError::NeedsLogin("the upstream does not accept the API key".into()));
        }
        let cell = self.cell(&account.id);
        cell.reject(rejected.generation);
        self.access(account).await
    }

    /// Puts in a token that came with an import, so that the first request needs no purchase.
    pub fn seed(&self, id: &AccountId, token: SecretString, expires_at: Timestamp) {
        let now = self.parts.clock.now();
        self.cell(id).put(token, Some(expires_at), now);
    }

    /// When the token in memory expires, if there is one.
    pub fn expires_at(&self, id: &AccountId) -> Option<Timestamp> {
        self.cell(id).expires_at()
    }

    /// Drops what is known about an account that was removed or signed in anew.
    pub fn forget(&self, id: &AccountId) {
        self.cells.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
    }

    /// Accounts whose rotated refresh token is in memory only, because the store would not take it. Anything but zero is a
    /// reason for alarm: a crash now would cost the login.
    pub fn unsaved(&self) -> Vec<AccountId> {
        let cells = self.cells.lock().unwrap_or_else(PoisonError::into_inner);
        cells.iter().filter(|(_, cell)| cell.is_unsaved()).map(|(id, _)| id.clone()).collect()
    }

    async fn api_key(&self, account: &Account) -> Result<AccessToken, TokenError> {
        let cell = self.cell(&account.id);
        if let Look::Fresh(token) | Look::Due(token) = cell.look(self.parts.clock.now()) {
            return Ok(token);
        }
        let secrets = self.parts.credentials.load(&SecretId::account(&account.id)).await?;
        let key = secrets
            .and_then(|secrets| secrets.api_key)
            .ok_or_else(|| TokenError::NeedsLogin("the account's API key is not in the store".into()))?;
        Ok(cell.put(key, None, self.parts.clock.now()))
    }

    fn cell(&self, id: &AccountId) -> Arc<Cell> {
        let mut cells = self.cells.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(cells.entry(id.clone()).or_default())
    }
}

#[cfg(test)]
mod tests;
