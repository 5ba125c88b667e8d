//! The calls of a sign-in, one file per family: AWS OIDC, Kiro's own service, company directories.
//!
//! Promises: codes, verifiers and secrets go only to hosts of the compiled table; a page that a person is sent to is on a known sign-in
//! host; errors never repeat a code or a token; a sign-in that renews an account takes that account's own way to the network, or none.
//! Leaves out: waiting for the person (`login`) and refreshing (`identity`).

mod directory;
mod oidc;
mod social;

use std::sync::Arc;
use std::time::Duration;

use http::header::ACCEPT;
use http::{Method, StatusCode};
use reqwest::RequestBuilder;
use secrecy::SecretString;
use serde::Deserialize;
use url::Url;

use super::refusal::Refusal;
use super::{AgentNames, DEADLINE, IdentityError, PROXY_DOWN, Refreshed, answer, hosts, plain, read_capped};
use crate::account::{Account, AccountId, Roster};
use crate::upstream::http::{Http, Refused, Route};

pub(crate) use directory::{Descriptor, Directory};
pub(crate) use oidc::{CodeExchange, OidcFlow, RegisteredClient};
pub(crate) use social::{SocialIdp, SocialRedirect};

/// Why a step of a sign-in did not work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SignInError {
    /// The person, or the provider on their behalf, said no.
    #[error("the sign-in was refused: {0}")]
    Denied(String),
    /// The code was not confirmed in time.
    #[error("the code was not confirmed in time")]
    Expired,
    /// Our client registration is not accepted (any more); a new one is needed.
    #[error("{0}")]
    ClientGone(String),
    /// The provider does not accept what was sent; the same again will not help.
    #[error("{0}")]
    Refused(String),
    /// The provider wants another form of the redirect address.
    #[error("{0}")]
    RedirectUri(String),
    /// The provider named a page or host that is not one of its own; nothing was sent there.
    #[error("the provider named {0}, which is not one of its sign-in pages; it was not opened")]
    Unsafe(String),
    /// The proxy of the account that signs in again cannot be used.
    #[error("{PROXY_DOWN}")]
    ProxyDown,
    /// The account that signs in again was removed meanwhile.
    #[error("the account that this sign-in is for was removed")]
    AccountGone,
    /// Worth trying again.
    #[error("{message}")]
    Transient {
        /// What happened.
        message: String,
        /// How long the provider asked to wait.
        retry_after: Option<Duration>,
    },
}

impl From<IdentityError> for SignInError {
    fn from(error: IdentityError) -> Self {
        match error {
            IdentityError::Dead(message) | IdentityError::Rejected(message) => Self::Refused(message),
            IdentityError::Unanswered(message) => Self::Transient { message, retry_after: None },
            IdentityError::Transient { message, retry_after } => Self::Transient { message, retry_after },
        }
    }
}

/// A device sign-in as the provider started it.
#[derive(Debug, Clone)]
pub(crate) struct DeviceStart {
    /// Names this sign-in towards the provider.
    pub(crate) device_code: SecretString,
    /// What the person compares or types.
    pub(crate) user_code: String,
    /// Where the person confirms; carries the code where the provider offers that.
    pub(crate) page: Url,
    /// How long the code lives.
    pub(crate) lives: Duration,
    /// How long to wait between two questions.
    pub(crate) interval: Duration,
}

/// What the provider says about a device sign-in.
#[derive(Debug, Clone)]
pub(crate) enum DevicePoll {
    /// The person has not decided.
    Pending,
    /// Not decided, and we ask too often.
    SlowDown,
    /// Agreed.
    Done(Box<Refreshed>),
}

/// The sign-in calls. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct SignIn {
    http: Arc<Http>,
    names: AgentNames,
    machine_id: Arc<str>,
    redirected: Option<Url>,
    whose: Whose,
}

/// Whose way to the network the calls take.
#[derive(Debug, Clone)]
enum Whose {
    /// Nobody is known yet: as everything goes.
    Nobodys,
    /// This account's, as a person set it at the moment of the call.
    Account { roster: Arc<Roster>, id: AccountId },
}

/// An answer, read whole.
struct Answer {
    status: StatusCode,
    retry_after: Option<Duration>,
    body: Vec<u8>,
}

impl SignIn {
    /// Over the gateway's own clients. `redirected` is the stand-in that all traffic goes to, if any.
    pub(crate) fn new(http: Arc<Http>, names: AgentNames, machine_id: &str, redirected: Option<Url>) -> Self {
        Self { http, names, machine_id: machine_id.into(), redirected, whose: Whose::Nobodys }
    }

    /// The same calls for an account that signs in again: over its own way to the network and as its machine.
    pub(crate) fn of(&self, roster: &Arc<Roster>, account: &Account) -> Self {
        let whose = Whose::Account { roster: Arc::clone(roster), id: account.id.clone() };
        Self { machine_id: account.machine_id.as_str().into(), whose, ..self.clone() }
    }

    /// Lets go of what was built for an account that is gone.
    pub(crate) fn forget(&self, account: &AccountId) {
        self.http.forget(account);
    }

    fn route(&self) -> Result<Route, SignInError> {
        match &self.whose {
            Whose::Nobodys => Ok(Route::anonymous()),
            Whose::Account { roster, id } => match roster.get(id) {
                Some(account) => Ok(Route::of(&account)),
                None => Err(SignInError::AccountGone),
            },
        }
    }

    /// A page for a person's browser: checked against the sign-in hosts, and on the stand-in when traffic is redirected.
    pub(crate) fn page(&self, text: &str) -> Result<Url, SignInError> {
        let url = Url::parse(text).ok().filter(hosts::is_sign_in_page);
        let url = url.ok_or_else(|| SignInError::Unsafe(shown(text)))?;
        let Some(base) = &self.redirected else { return Ok(url) };
        let mut there = base.clone();
        there.set_path(url.path());
        there.set_query(url.query());
        there.set_fragment(url.fragment());
        Ok(there)
    }

    async fn request(&self, method: Method, host: &str, path: &str) -> Result<RequestBuilder, SignInError> {
        let request = self.http.request(&self.route()?, method, host, path).await.map_err(|refused| match refused {
            Refused::UnknownHost(host) => SignInError::Unsafe(shown(&host)),
            Refused::NoDemo | Refused::NoTls(_) | Refused::NoProxy(_) => {
                SignInError::Transient { message: refused.to_string(), retry_after: None }
            }
        })?;
        Ok(request.timeout(DEADLINE).header(ACCEPT, "application/json"))
    }

    async fn send(&self, request: RequestBuilder) -> Result<Answer, SignInError> {
        let own_proxy = self.route()?.has_own_proxy();
        let response = request.send().await.map_err(|error| match error.is_connect() && own_proxy {
            true => SignInError::ProxyDown,
            false => SignInError::Transient {
                message: format!("the sign-in service cannot be reached: {}", plain(&error)),
                retry_after: None,
            },
        })?;
        let status = response.status();
        if own_proxy && status == StatusCode::PROXY_AUTHENTICATION_REQUIRED {
            return Err(SignInError::ProxyDown);
        }
        let retry_after = crate::upstream::retry_after::read(response.headers());
        Ok(Answer { status, retry_after, body: read_capped(response).await? })
    }
}

impl Answer {
    /// The body of a good answer; the parser's own message could quote a secret, so it is not repeated.
    fn read<'a, T: Deserialize<'a>>(&'a self) -> Result<T, SignInError> {
        if !self.status.is_success() {
            return Err(self.refusal());
        }
        serde_json::from_slice(&self.body).map_err(|_| SignInError::Transient {
            message: "the sign-in service gave an answer that cannot be read".to_owned(),
            retry_after: None,
        })
    }

    /// The tokens of a good answer.
    fn tokens(&self) -> Result<Refreshed, SignInError> {
        if !self.status.is_success() {
            return Err(self.refusal());
        }
        Ok(answer::token(&self.body)?)
    }

    fn told(&self) -> Refusal {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// What an answer that is not good means.
    fn refusal(&self) -> SignInError {
        let told = self.told();
        let (name, words) = (told.name(), told.words());
        let message = answer::describe(self.status, name, words);
        if self.status.is_server_error() || self.status == StatusCode::TOO_MANY_REQUESTS {
            return SignInError::Transient { message, retry_after: self.retry_after };
        }
        match name.unwrap_or_default() {
            "access_denied" | "AccessDeniedException" => SignInError::Denied(answer::told_words(words)),
            "expired_token" | "ExpiredTokenException" => SignInError::Expired,
            "slow_down" | "SlowDownException" => {
                SignInError::Transient { message, retry_after: self.retry_after.or(Some(Duration::from_secs(5))) }
            }
            "invalid_client"
            | "unauthorized_client"
            | "InvalidClientException"
            | "UnauthorizedClientException"
            | "ExpiredClientException" => SignInError::ClientGone(message),
            // The service has no code of its own for this; its words name the parameter.
            "" if words.contains("redirect_uri") => SignInError::RedirectUri(message),
            _ => SignInError::Refused(message),
        }
    }
}

/// A foreign text in an error: short and without control characters.
fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(100).collect()
}

#[cfg(test)]
mod tests;
