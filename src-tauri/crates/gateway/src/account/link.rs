//! Logins shared with another program: whether its file still holds the same login, and what a person decides when not.
//!
//! Leaves out: reading and writing the owner's formats (`owner`), and adopting newer tokens (`token/shared`).

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::intent::TokenMark;
use super::{Account, AccountId, AccountOrigin, AuthMethod, Book, BookError, Link, Provider, RosterError, Signal};
use crate::clock::{Clock, Timestamp};
use crate::credential::Secrets;
use crate::disk::off_thread;
use crate::owner::{self, OwnerError, OwnerLogin};

/// What the owner's file said: which refresh token, and whose login. No secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Seen {
    #[schema(value_type = Option<String>)]
    token: Option<TokenMark>,
    method: AuthMethod,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    provider: Option<Provider>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    start_url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    region: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    profile_arn: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user_id: Option<String>,
}

impl Seen {
    /// What a login shows of itself.
    pub(crate) fn of(login: &OwnerLogin) -> Self {
        Self {
            token: login.refresh_token.as_ref().map(TokenMark::of),
            method: login.method,
            provider: login.provider,
            start_url: login.start_url.clone(),
            region: login.region.clone(),
            profile_arn: login.profile_arn.clone(),
            email: login.email.clone(),
            user_id: login.user_id.clone(),
        }
    }

    /// Whether the owner had this refresh token then.
    pub(crate) fn has(&self, token: &TokenMark) -> bool {
        self.token.as_ref() == Some(token)
    }

    /// The same login with another refresh token.
    pub(crate) fn with(self, token: TokenMark) -> Self {
        Self { token: Some(token), ..self }
    }

    /// What is known of an account whose file was not looked at yet. Region and profile may have been found out here, and
    /// say nothing about what the owner has.
    fn expected(account: &Account) -> Self {
        Self {
            token: None,
            method: account.method,
            provider: account.provider,
            start_url: account.start_url.clone(),
            region: None,
            profile_arn: None,
            email: account.email.clone(),
            user_id: account.user_id.clone(),
        }
    }
}

/// Why the owner's login is another one than the account's; `None` when it may be the same. What one side does not tell
/// counts as the same.
pub(crate) fn switched(account: &Account, now: &OwnerLogin) -> Option<&'static str> {
    let known = account.link.as_ref().and_then(|link| link.seen.clone());
    let (known, now) = (known.unwrap_or_else(|| Seen::expected(account)), Seen::of(now));
    fn differs<T: PartialEq>(a: &Option<T>, b: &Option<T>) -> bool {
        matches!((a, b), (Some(a), Some(b)) if a != b)
    }
    if known.method != now.method {
        Some("the other program uses another kind of sign-in now")
    } else if differs(&known.user_id, &now.user_id) || differs(&known.email, &now.email) {
        Some("the other program is signed in as another person now")
    } else if differs(&known.provider, &now.provider) {
        Some("the other program is signed in with another provider now")
    } else if differs(&known.start_url, &now.start_url) {
        Some("the other program is signed in at another start page now")
    } else if differs(&known.region, &now.region) {
        Some("the other program is signed in in another region now")
    } else if differs(&known.profile_arn, &now.profile_arn) {
        Some("the other program uses another profile now")
    } else {
        None
    }
}

/// Why a decision about a shared login could not be carried out. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// There is nothing to decide.
    #[error("the account shares its login with no other program")]
    NotLinked,
    /// The owner has no login.
    #[error("the other program is signed out")]
    SignedOut,
    /// Its file cannot be used.
    #[error(transparent)]
    Owner(#[from] OwnerError),
    /// The account cannot be saved.
    #[error(transparent)]
    Book(#[from] BookError),
    /// The list cannot be saved.
    #[error(transparent)]
    Roster(#[from] RosterError),
}

impl Book {
    /// Says whether rotated tokens are written into the owner's file. `None` when there is no such account.
    pub async fn set_write_back(&self, id: &AccountId, on: bool) -> Result<Option<Arc<Account>>, LinkError> {
        let Some(account) = self.roster.get(id) else { return Ok(None) };
        account.link.as_ref().ok_or(LinkError::NotLinked)?;
        let change = move |account: &mut Account| {
            if let Some(link) = &mut account.link {
                link.write_back = on;
            }
        };
        let (roster, id) = (Arc::clone(&self.roster), id.clone());
        Ok(off_thread(move || roster.update(&id, change)).await.map_err(RosterError::Io)??)
    }

    /// Takes the login that the owner has now, whoever it belongs to.
    pub async fn adopt_owner(&self, id: &AccountId, clock: &dyn Clock) -> Result<Option<Arc<Account>>, LinkError> {
        let Some(account) = self.roster.get(id) else { return Ok(None) };
        let link = account.link.clone().ok_or(LinkError::NotLinked)?;
        let read = tokio::task::spawn_blocking(move || owner::read(&link));
        let login = read.await.map_err(|_| LinkError::SignedOut)??.ok_or(LinkError::SignedOut)?;
        let known = self.credentials.load(&account.secret_id()).await.map_err(BookError::from)?;
        let secrets = Secrets {
            refresh_token: login.refresh_token.clone(),
            client_secret: login.client_secret.clone(),
            ..known.unwrap_or_default()
        };
        let access = login.access_token.clone().zip(login.expires_at);
        let (book, wanted) = (self.clone(), id.clone());
        let account = self.to_the_end(async move {
            let listed = book.changed(&wanted, move |account| take_over(account, &login));
            book.tokens.install(&wanted, &secrets, async { Ok(listed.await?) }).await
        });
        let account = account.await?;
        if let Some((token, end)) = access.filter(|(_, end)| *end > clock.now()) {
            self.tokens.seed(id, token, end);
        }
        tracing::info!(account = %id, "the login of the other program was taken over");
        Ok(account)
    }

    /// Ends the link: the account keeps its own tokens and is ours alone from now on.
    pub async fn keep_own(&self, id: &AccountId) -> Result<Option<Arc<Account>>, LinkError> {
        let Some(account) = self.roster.get(id) else { return Ok(None) };
        account.link.as_ref().ok_or(LinkError::NotLinked)?;
        let alone = |account: &mut Account| {
            account.link = None;
            account.origin = AccountOrigin::Imported;
        };
        let account = self.changed(id, alone).await?;
        tracing::info!(account = %id, "the account no longer follows the other program");
        Ok(account)
    }

    /// Saves what a person decided, and ends the stop.
    async fn changed(
        &self,
        id: &AccountId,
        change: impl FnOnce(&mut Account) + Send + 'static,
    ) -> Result<Option<Arc<Account>>, RosterError> {
        let (roster, leases, id) = (Arc::clone(&self.roster), Arc::clone(&self.leases), id.clone());
        off_thread(move || {
            let account = roster.update(&id, change)?;
            leases.signal(&id, Signal::LoggedIn)?;
            Ok(account)
        })
        .await?
    }
}

/// The account with the owner's login. Its name for us and what a person chose stay.
fn take_over(account: &mut Account, login: &OwnerLogin) {
    account.method = login.method;
    account.provider = login.provider;
    account.email = login.email.clone();
    account.user_id = login.user_id.clone();
    account.profile_arn = login.profile_arn.clone();
    account.oidc_region = login.region.clone();
    account.api_region = None;
    account.start_url = login.start_url.clone();
    account.client_id = login.client_id.clone();
    account.client_expires_at = login.client_expires_at;
    account.token_endpoint = login.token_endpoint.clone();
    account.issuer_url = login.issuer_url.clone();
    account.scopes = login.scopes.clone();
    account.fingerprint = None;
    account.learned_host = None;
    if let Some(link) = &mut account.link {
        link.seen = Some(Seen::of(login));
        link.switched_at = None;
        link.diverged_at = None;
    }
}

/// Notes that the owner's file has a token that was used up here, unless that is known.
pub(crate) fn diverged(link: &mut Link, now: Timestamp) {
    link.diverged_at.get_or_insert(now);
}
