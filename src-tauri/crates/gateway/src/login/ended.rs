//! How a sign-in ends, and what people are told.

use super::shown::{Awaits, LoginState};
use super::{Login, OfferedProfile};
use crate::account::BookError;
use crate::clock::Timestamp;
use crate::error::{Problem, ProblemCode};
use crate::upstream::identity::sign_in::SignInError;

/// The end of a sign-in.
#[derive(Debug)]
pub(super) enum Ended {
    /// There is an account.
    Done,
    /// The person ended it, or the gateway stops.
    Cancelled,
    /// The person's time was over.
    Expired,
    /// There is no account.
    Failed(Box<Problem>),
}

impl Ended {
    pub(super) fn failed(problem: Problem) -> Self {
        Self::Failed(Box::new(problem))
    }

    /// Why there is no account, as far as there is a reason.
    pub(super) fn problem(self) -> Option<Problem> {
        match self {
            Self::Failed(problem) => Some(*problem),
            Self::Expired => Some(Problem::new(ProblemCode::SignInExpired, "nobody signed in in time")),
            Self::Done | Self::Cancelled => None,
        }
    }

    /// Shows the end. What was of use only while waiting goes away.
    pub(super) fn tell(self, login: &Login, now: Timestamp) {
        let (state, problem) = match self {
            Self::Done => (LoginState::Done, None),
            Self::Cancelled => (LoginState::Cancelled, None),
            Self::Expired => (LoginState::Expired, None),
            Self::Failed(problem) => (LoginState::Failed, Some(*problem)),
        };
        tracing::info!(
            login = login.id,
            ?state,
            problem = problem.as_ref().map(ToString::to_string),
            "a sign-in ended"
        );
        login.show(|shown| {
            shown.state = state;
            shown.awaits = Awaits::Nothing;
            shown.url = None;
            shown.user_code = None;
            shown.callback_port = None;
            shown.profiles = Vec::<OfferedProfile>::new();
            // What could not be found out about an account that is there stays to be seen.
            shown.problem = problem.or(shown.problem.take());
            shown.ended_at = Some(now);
        });
    }
}

impl From<SignInError> for Ended {
    fn from(error: SignInError) -> Self {
        let words = error.to_string();
        let problem = match error {
            // A code has a shorter life than a sign-in; for the person it is the same.
            SignInError::Expired => return Self::Expired,
            SignInError::Denied(reason) => Problem::new(ProblemCode::SignInDenied, words)
                .action("Start again and agree on the provider's page, or use another account.")
                .param("reason", reason),
            SignInError::ClientGone(_) | SignInError::Refused(_) | SignInError::RedirectUri(_) => {
                Problem::new(ProblemCode::SignInRefused, words.clone())
                    .action(
                        "Start again. If it stays, check the start URL and the region, or use another way to sign in.",
                    )
                    .param("reason", words)
            }
            SignInError::Unsafe(what) => Problem::new(ProblemCode::SignInUnsafe, words)
                .action("Do not sign in there. Check the start URL and the region.")
                .param("what", what),
            SignInError::ProxyDown => Problem::new(ProblemCode::ProxyDown, words)
                .action("Start the proxy, or correct its address or login at the account, then start again."),
            SignInError::AccountGone => {
                Problem::new(ProblemCode::NotFound, words).action("Start again without naming an account.")
            }
            SignInError::Transient { .. } => Problem::new(ProblemCode::SignInUnreachable, words.clone())
                .action("Check the connection and the proxy settings, then start again.")
                .param("reason", words),
        };
        Self::failed(problem)
    }
}

impl From<BookError> for Ended {
    fn from(error: BookError) -> Self {
        let code = match error {
            BookError::Store(_) => ProblemCode::StoreUnavailable,
            BookError::Roster(_) => ProblemCode::Storage,
        };
        Self::failed(Problem::new(code, error.to_string()).action(error.action()).param("reason", error.code()))
    }
}
