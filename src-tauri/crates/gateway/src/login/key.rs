//! An API key: nothing to exchange, so the service is asked whether it takes the key before the key is kept.

use std::sync::Arc;

use secrecy::SecretString;

use super::ended::Ended;
use super::finish::Granted;
use super::{Login, Parts};
use crate::account::AccessToken;
use crate::error::{Problem, ProblemCode};
use crate::upstream::classify::{Kind, UpstreamError};

pub(super) async fn key(
    parts: &Arc<Parts>,
    login: &Login,
    key: SecretString,
    region: String,
) -> Result<Granted, Ended> {
    login.exchanging();
    let granted = Granted::key(key.clone(), region);
    let account = granted.described(None, &parts.machine_id, parts.clock.now());
    match parts.upstream.usage(&account, &AccessToken::of_key(key)).await {
        Ok(answer) => Ok(granted.of(answer.email)),
        Err(error) => Err(Ended::failed(problem(&error))),
    }
}

/// What the person can do differs: the key itself, or the way to the service.
fn problem(error: &UpstreamError) -> Problem {
    let words = error.failure().message;
    let refused = match error.kind {
        Kind::TokenRejected | Kind::Forbidden | Kind::WrongRung | Kind::Suspended | Kind::Gate | Kind::Organisation => {
            true
        }
        Kind::Malformed
        | Kind::Invalid
        | Kind::ContextTooLong
        | Kind::UnknownModel
        | Kind::ConversationId
        | Kind::ReasoningSignature
        | Kind::FieldsUnsupported
        | Kind::MonthlyQuota
        | Kind::DailyQuota
        | Kind::Throttled
        | Kind::RiskControl
        | Kind::ModelBusy
        | Kind::Unavailable
        | Kind::ServerError
        | Kind::GaveUp
        | Kind::Blocked
        | Kind::NoSuchPath
        | Kind::Transport
        | Kind::TimedOut
        | Kind::Truncated
        | Kind::Corrupt
        | Kind::BrokenToolCall
        | Kind::Empty
        | Kind::ProxyDown
        | Kind::NotSent => false,
    };
    if refused {
        Problem::new(ProblemCode::ApiKeyRefused, format!("the service does not accept this key: {words}"))
            .action(
                "Check that the key was copied whole, that it belongs to this region, and that it was not taken back.",
            )
            .param("reason", words)
    } else {
        Problem::new(ProblemCode::SignInUnreachable, words.clone())
            .action("Check the connection and the proxy settings, then start again.")
            .param("reason", words)
    }
}
