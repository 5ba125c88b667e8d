//! A login before it is kept: shown to the service once, by the cheapest call that proves it. Whoever adds a login that a person
//! typed asks here first.
//!
//! Promises: a login that the service refuses is told apart from a service that could not be asked; nothing is saved here; a key
//! without a region is asked about in both regions of the data plane before it counts as refused.

use std::sync::Arc;
use std::time::Duration;

use kiro_protocol::failure::FailureClass;
use secrecy::SecretString;

use crate::account::{AccessToken, Account, AccountWarning, AuthMethod, NewAccount};
use crate::clock::Clock;
use crate::error::{Problem, ProblemCode};
use crate::upstream::classify::{Kind, UpstreamError};
use crate::upstream::identity::{Identity, IdentityError};
use crate::upstream::usage::UsageAnswer;
use crate::upstream::{API_REGIONS, Upstream};

/// An access token without a word about its end lives this long.
const USUAL_LIFE: Duration = Duration::from_secs(3600);

/// Asks. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Trial {
    identity: Arc<dyn Identity>,
    upstream: Arc<dyn Upstream>,
    clock: Arc<dyn Clock>,
}

/// Why a login is not known to be good. The words hold no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// The service does not accept the key.
    KeyRefused(String),
    /// The service does not accept the tokens.
    TokensRefused(String),
    /// The service could not be asked; nothing was used up.
    Unasked(String),
    /// The token was sent and no whole answer came: it may be used up now.
    Unanswered(String),
}

impl Doubt {
    /// True when nobody said no: the person may keep the login all the same.
    pub(crate) fn is_open(&self) -> bool {
        match self {
            Self::Unasked(_) | Self::Unanswered(_) => true,
            Self::KeyRefused(_) | Self::TokensRefused(_) => false,
        }
    }

    /// What faces show.
    pub(crate) fn problem(self) -> Problem {
        let (code, words, reason, action) = match self {
            Self::KeyRefused(reason) => (
                ProblemCode::ApiKeyRefused,
                "the service does not accept this key",
                reason,
                "Check that the key was copied whole, that it belongs to this region, and that it was not taken back.",
            ),
            Self::TokensRefused(reason) => (
                ProblemCode::LoginRefused,
                "the service does not accept this login",
                reason,
                "Copy the tokens again from the program they come from, whole, and check method and region.",
            ),
            Self::Unasked(reason) => (
                ProblemCode::LoginUnchecked,
                "the service could not be asked about this login, so it was not saved",
                reason,
                "Check the connection and try again, or save it unchecked (`--unchecked`).",
            ),
            Self::Unanswered(reason) => (
                ProblemCode::LoginUnchecked,
                "the service did not finish its answer about this login, so it was not saved",
                reason,
                "Try again, or save it unchecked (`--unchecked`). If it is refused then, this attempt used the token up: \
                 sign in again.",
            ),
        };
        Problem::new(code, format!("{words}: {reason}")).action(action).param("reason", reason)
    }
}

impl Trial {
    pub(crate) fn new(identity: Arc<dyn Identity>, upstream: Arc<dyn Upstream>, clock: Arc<dyn Clock>) -> Self {
        Self { identity, upstream, clock }
    }

    /// Asks what a key may use. The region that accepts a key without one becomes its region.
    pub(crate) async fn key(&self, account: &mut Account, key: &SecretString) -> Result<UsageAnswer, Doubt> {
        let token = AccessToken::of_key(key.clone());
        if account.api_region.is_some() {
            return self.upstream.usage(account, &token).await.map_err(|error| doubt(&error));
        }
        let mut refusal = None;
        for region in API_REGIONS {
            let there = Account { api_region: Some((*region).to_owned()), ..account.clone() };
            match self.upstream.usage(&there, &token).await.map_err(|error| doubt(&error)) {
                Ok(answer) => {
                    account.api_region = there.api_region;
                    return Ok(answer);
                }
                // The other region may still know it, and then this refusal means nothing.
                Err(doubt @ (Doubt::KeyRefused(_) | Doubt::TokensRefused(_))) => refusal = refusal.or(Some(doubt)),
                Err(doubt @ (Doubt::Unasked(_) | Doubt::Unanswered(_))) => return Err(doubt),
            }
        }
        Err(refusal.unwrap_or_else(|| Doubt::Unasked("there is no region to ask in".to_owned())))
    }

    /// Proves a login of any kind: a key is asked about, a refresh token is exchanged once and what came back is kept.
    pub(crate) async fn login(&self, new: &mut NewAccount) -> Result<(), Doubt> {
        let (settled, guess) = match (new.account.method, new.secrets.api_key.clone()) {
            (AuthMethod::ApiKey, Some(key)) => {
                (self.key(&mut new.account, &key).await.map(drop), AccountWarning::RegionGuessed)
            }
            (AuthMethod::ApiKey | AuthMethod::Social | AuthMethod::Idc | AuthMethod::ExternalIdp, _) => {
                (self.exchange(new).await, AccountWarning::KindGuessed)
            }
        };
        settled?;
        // Tried is better than guessed.
        new.warnings.retain(|warning| *warning != guess);
        Ok(())
    }

    async fn exchange(&self, new: &mut NewAccount) -> Result<(), Doubt> {
        let refreshed = self.identity.refresh(&new.account, &new.secrets).await.map_err(|error| match error {
            IdentityError::Dead(reason) | IdentityError::Rejected(reason) => Doubt::TokensRefused(reason),
            IdentityError::Unanswered(message) => Doubt::Unanswered(message),
            IdentityError::Transient { message, .. } => Doubt::Unasked(message),
        })?;
        if refreshed.refresh_token.is_some() {
            new.secrets.refresh_token = refreshed.refresh_token;
        }
        if new.account.method == AuthMethod::Social {
            new.account.profile_arn = new.account.profile_arn.take().or(refreshed.profile_arn);
        }
        let end = self.clock.now().plus(refreshed.expires_in.unwrap_or(USUAL_LIFE));
        new.access = Some((refreshed.access_token, end));
        Ok(())
    }
}

/// What the person can do differs: something is wrong with the key, or with the way to the service.
fn doubt(error: &UpstreamError) -> Doubt {
    let failure = error.failure();
    let about_the_key = match failure.class {
        FailureClass::Authentication | FailureClass::Permission => true,
        // A key with a foreign region meets this on every host.
        FailureClass::Upstream => error.kind == Kind::WrongRung,
        FailureClass::InvalidRequest
        | FailureClass::NotFound
        | FailureClass::TooLarge
        | FailureClass::ContextWindow
        | FailureClass::RateLimit
        | FailureClass::Quota
        | FailureClass::Overloaded
        | FailureClass::Timeout
        | FailureClass::Internal => false,
    };
    if about_the_key { Doubt::KeyRefused(failure.message) } else { Doubt::Unasked(failure.message) }
}
