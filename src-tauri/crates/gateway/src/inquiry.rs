//! Questions about an account itself, asked with its token: quota, models, profiles. A token that is refused is bought anew
//! once, whoever asks; nothing here retries for any other reason, because nobody waits for these answers.

use crate::account::{AccessToken, Account, TokenError};
use crate::dispatch::Dispatcher;
use crate::error::{Problem, ProblemCode};
use crate::upstream::classify::{Kind, UpstreamError};
use crate::upstream::profiles::Profile;
use crate::upstream::usage::UsageAnswer;
use crate::upstream::{Upstream, UpstreamModel};
use futures_util::future::BoxFuture;
use std::sync::Arc;

/// Why a question was not answered.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum InquiryError {
    /// There is no token to ask with.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The upstream refused or could not be reached.
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
    /// The upstream refused a token that was bought a moment ago.
    #[error("the sign-in is refused, also with a fresh token: {0}")]
    Refused(UpstreamError),
}

impl InquiryError {
    /// What faces show.
    pub(crate) fn problem(&self) -> Problem {
        match self {
            Self::Token(TokenError::Store(error)) => {
                Problem::new(ProblemCode::StoreUnavailable, error.to_string()).action(error.action())
            }
            Self::Token(error) => Problem::new(ProblemCode::NoAccount, error.to_string()).param("reason", error.code()),
            Self::Upstream(error) | Self::Refused(error) => {
                let failure = error.failure();
                Problem::new(ProblemCode::UpstreamFailed, failure.message.clone()).param("reason", failure.code)
            }
        }
    }

    /// What the upstream said, when it said something.
    pub(crate) fn kind(&self) -> Option<Kind> {
        match self {
            Self::Token(_) => None,
            Self::Upstream(error) | Self::Refused(error) => Some(error.kind),
        }
    }
}

#[cfg(test)]
pub(crate) mod house;

/// Asks. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Inquiry {
    dispatcher: Arc<Dispatcher>,
}

impl Inquiry {
    pub(crate) fn new(dispatcher: Arc<Dispatcher>) -> Self {
        Self { dispatcher }
    }

    /// Buys a fresh token, whatever the old one is still good for.
    pub(crate) async fn renew(&self, account: &Account) -> Result<(), InquiryError> {
        if account.is_demo() {
            // Its stand-in must run first.
            self.dispatcher.token(account).await?;
        }
        self.dispatcher.tokens.force(account).await?;
        Ok(())
    }

    /// What the account may use and has used.
    pub(crate) async fn usage(&self, account: &Account) -> Result<UsageAnswer, InquiryError> {
        self.ask(account, |upstream, account, token| upstream.usage(account, token)).await
    }

    /// The models that the account may use.
    pub(crate) async fn models(&self, account: &Account) -> Result<Vec<UpstreamModel>, InquiryError> {
        self.ask(account, |upstream, account, token| upstream.models(account, token)).await
    }

    /// The profiles that the account may name in a region.
    pub(crate) async fn profiles(&self, account: &Account, region: &'static str) -> Result<Vec<Profile>, InquiryError> {
        self.ask(account, |upstream, account, token| upstream.profiles(account, token, region)).await
    }

    async fn ask<'a, T>(
        &'a self,
        account: &'a Account,
        question: impl for<'q> Fn(&'q dyn Upstream, &'q Account, &'q AccessToken) -> BoxFuture<'q, Result<T, UpstreamError>>,
    ) -> Result<T, InquiryError> {
        let upstream = self.dispatcher.upstream.as_ref();
        let token = self.dispatcher.token(account).await?;
        match question(upstream, account, &token).await {
            Err(refused) if refused.kind == Kind::TokenRejected => {
                let token = self.dispatcher.tokens.refresh_rejected(account, &token).await?;
                question(upstream, account, &token).await.map_err(|error| match error.kind {
                    Kind::TokenRejected => InquiryError::Refused(error),
                    _ => InquiryError::Upstream(error),
                })
            }
            answered => Ok(answered?),
        }
    }
}
