//! What an upstream refusal means. Structured fields decide first (`reason`, then the error type), then known pieces of the
//! message, then the status; the whole body is never kept or logged.

mod reading;

use kiro_protocol::failure::{Failure, FailureClass};
pub(crate) use reading::refusal;
use std::time::Duration;

/// The largest error body that is looked at.
pub(crate) const MAX_ERROR_BODY: usize = 64 * 1024;

/// What went wrong, as far as the next step depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// The request breaks a rule of the upstream, which does not say which.
    Malformed,
    /// The request breaks a rule that the upstream names.
    Invalid,
    /// The conversation does not fit the model's window.
    ContextTooLong,
    /// No such model for this account.
    UnknownModel,
    /// The conversation id is used up or foreign.
    ConversationId,
    /// The reasoning of an earlier turn is not accepted.
    ReasoningSignature,
    /// The model takes no additional fields.
    FieldsUnsupported,
    /// The profile or host does not fit the credential.
    WrongRung,
    /// The access token is not accepted.
    TokenRejected,
    /// The account may not do this, or host and profile do not fit it.
    Forbidden,
    /// The account is suspended or locked.
    Suspended,
    /// A gate of the service: plan or client version.
    Gate,
    /// The organisation's settings forbid it.
    Organisation,
    /// The month's credits are used up.
    MonthlyQuota,
    /// The day's requests are used up.
    DailyQuota,
    /// Too many requests on this account and host.
    Throttled,
    /// The upstream slows this account down on suspicion.
    RiskControl,
    /// The model has no capacity; another account does not help.
    ModelBusy,
    /// The upstream has trouble.
    Unavailable,
    /// The upstream failed in an unknown way.
    ServerError,
    /// A gateway in front of the upstream gave up waiting; asking again multiplies the waiting.
    GaveUp,
    /// The network's address is blocked before the service.
    Blocked,
    /// No such path on this host.
    NoSuchPath,
    /// No connection, or it broke before an answer.
    Transport,
    /// No answer in time.
    TimedOut,
    /// The answer broke off.
    Truncated,
    /// The answer's bytes are damaged.
    Corrupt,
    /// The answer ended inside a tool call, or with a call that cannot be read.
    BrokenToolCall,
    /// The answer was complete and empty.
    Empty,
    /// The account's own proxy does not answer or refuses.
    ProxyDown,
    /// A request that must not be sent, such as to an unknown host.
    NotSent,
}

/// The next step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Disposition {
    /// Same account, after a pause; another host first where there is one.
    RetrySame,
    /// Same account, next host of the ladder.
    NextRung,
    /// Refresh the token once, then the same again; then another account.
    RefreshThenRetry,
    /// Another account.
    RetryOther,
    /// Change the request and send it again, once.
    Repair(Repair),
    /// Tell the client.
    GiveUp,
}

/// What to change in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repair {
    /// Send no reasoning of earlier turns.
    StripReasoning,
    /// Send no additional model fields.
    DropFields,
    /// Send a new conversation id.
    NewConversation,
}

/// An upstream refusal or a failed connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct UpstreamError {
    /// What it means.
    pub(crate) kind: Kind,
    /// The HTTP status, when there was one.
    pub(crate) status: Option<u16>,
    /// The upstream's own code: `reason`, else the error type.
    pub(crate) code: Option<String>,
    /// One line for people. Never a whole body.
    pub(crate) message: String,
    /// How long the upstream asks us to wait.
    pub(crate) retry_after: Option<Duration>,
    /// The upstream's request id, for its support.
    pub(crate) request_id: Option<String>,
}

impl UpstreamError {
    /// An error without an HTTP answer.
    pub(crate) fn local(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, status: None, code: None, message: message.into(), retry_after: None, request_id: None }
    }

    /// The next step, while nothing has been delivered.
    pub(crate) fn disposition(&self) -> Disposition {
        match self.kind {
            Kind::ConversationId => Disposition::Repair(Repair::NewConversation),
            Kind::ReasoningSignature => Disposition::Repair(Repair::StripReasoning),
            Kind::FieldsUnsupported => Disposition::Repair(Repair::DropFields),
            Kind::WrongRung | Kind::Forbidden | Kind::NoSuchPath => Disposition::NextRung,
            Kind::TokenRejected => Disposition::RefreshThenRetry,
            Kind::Throttled
            | Kind::ModelBusy
            | Kind::Unavailable
            | Kind::ServerError
            | Kind::Transport
            | Kind::Truncated
            | Kind::Corrupt
            | Kind::BrokenToolCall
            | Kind::Empty => Disposition::RetrySame,
            Kind::UnknownModel
            | Kind::Suspended
            | Kind::MonthlyQuota
            | Kind::DailyQuota
            | Kind::RiskControl
            | Kind::ProxyDown => Disposition::RetryOther,
            Kind::Malformed
            | Kind::Invalid
            | Kind::ContextTooLong
            | Kind::Gate
            | Kind::Organisation
            | Kind::GaveUp
            | Kind::Blocked
            | Kind::TimedOut
            | Kind::NotSent => Disposition::GiveUp,
        }
    }

    /// The upstream's own code, else ours.
    pub(crate) fn told_code(&self) -> String {
        self.code.clone().unwrap_or_else(|| self.failure().code.to_owned())
    }

    /// False when only the request is at fault, or the place it was sent to: that is nothing to show beside an account.
    pub(crate) fn is_about_the_account(&self) -> bool {
        match self.kind {
            Kind::Malformed
            | Kind::Invalid
            | Kind::ContextTooLong
            | Kind::UnknownModel
            | Kind::ConversationId
            | Kind::ReasoningSignature
            | Kind::FieldsUnsupported
            | Kind::WrongRung
            | Kind::NoSuchPath => false,
            Kind::TokenRejected
            | Kind::Forbidden
            | Kind::Suspended
            | Kind::Gate
            | Kind::Organisation
            | Kind::MonthlyQuota
            | Kind::DailyQuota
            | Kind::Throttled
            | Kind::RiskControl
            | Kind::ModelBusy
            | Kind::Unavailable
            | Kind::ServerError
            | Kind::GaveUp
            | Kind::Blocked
            | Kind::Transport
            | Kind::TimedOut
            | Kind::Truncated
            | Kind::Corrupt
            | Kind::BrokenToolCall
            | Kind::Empty
            | Kind::ProxyDown
            | Kind::NotSent => true,
        }
    }

    /// What the client is told.
    pub(crate) fn failure(&self) -> Failure {
        let (class, code) = match self.kind {
            Kind::Malformed => (FailureClass::InvalidRequest, "upstream_refused_request"),
            Kind::Invalid => (FailureClass::InvalidRequest, "upstream_rule"),
            Kind::ConversationId => (FailureClass::InvalidRequest, "conversation_refused"),
            Kind::ReasoningSignature => (FailureClass::InvalidRequest, "reasoning_refused"),
            Kind::FieldsUnsupported => (FailureClass::InvalidRequest, "fields_refused"),
            Kind::ContextTooLong => (FailureClass::ContextWindow, "context_too_long"),
            Kind::UnknownModel => (FailureClass::NotFound, "unknown_model"),
            Kind::WrongRung => (FailureClass::Upstream, "profile_refused"),
            Kind::NoSuchPath => (FailureClass::Upstream, "upstream_path"),
            Kind::TokenRejected => (FailureClass::Authentication, "account_token_rejected"),
            Kind::Forbidden => (FailureClass::Permission, "account_forbidden"),
            Kind::Suspended => (FailureClass::Permission, "account_suspended"),
            Kind::Gate => (FailureClass::Permission, "feature_not_supported"),
            Kind::Organisation => (FailureClass::Permission, "organisation_settings"),
            Kind::MonthlyQuota => (FailureClass::Quota, "monthly_quota"),
            Kind::DailyQuota => (FailureClass::Quota, "daily_quota"),
            Kind::Throttled => (FailureClass::RateLimit, "throttled"),
            Kind::RiskControl => (FailureClass::RateLimit, "account_slowed_down"),
            Kind::ModelBusy => (FailureClass::Overloaded, "model_busy"),
            Kind::Unavailable => (FailureClass::Overloaded, "upstream_unavailable"),
            Kind::ServerError => (FailureClass::Upstream, "upstream_error"),
            Kind::GaveUp => (FailureClass::Upstream, "upstream_gave_up"),
            Kind::Blocked => (FailureClass::Upstream, "network_blocked"),
            Kind::Transport => (FailureClass::Upstream, "upstream_unreachable"),
            Kind::TimedOut => (FailureClass::Timeout, "upstream_timeout"),
            Kind::Truncated => (FailureClass::Upstream, "upstream_truncated"),
            Kind::Corrupt => (FailureClass::Upstream, "upstream_corrupt"),
            Kind::BrokenToolCall => (FailureClass::Upstream, "upstream_broken_tool_call"),
            Kind::Empty => (FailureClass::Upstream, "upstream_empty"),
            Kind::ProxyDown => (FailureClass::Upstream, "proxy_unreachable"),
            Kind::NotSent => (FailureClass::Internal, "not_sent"),
        };
        let mut failure = Failure::new(class, code, self.words());
        failure.retry_after = self.retry_after;
        if class.passes_soon() {
            // Clients retry on these for minutes; a short, honest wait keeps them from hammering.
            failure.retry_after = Some(self.retry_after.unwrap_or(Duration::from_secs(5)));
        }
        failure
    }

    fn words(&self) -> String {
        let what = match self.kind {
            Kind::Malformed => "Kiro refused the request as malformed and did not say why",
            Kind::Invalid | Kind::ConversationId | Kind::ReasoningSignature | Kind::FieldsUnsupported => {
                "Kiro refused the request"
            }
            Kind::ContextTooLong => "prompt is too long for the model",
            Kind::UnknownModel => "Kiro does not offer this model to this account",
            Kind::WrongRung => "Kiro refused the account's profile on every host that was tried",
            Kind::NoSuchPath => "Kiro does not know this call on any host that was tried",
            Kind::TokenRejected => "Kiro rejects this account's sign-in, also after a refresh; sign in again",
            Kind::Forbidden => "Kiro does not allow this account to make the call",
            Kind::Suspended => {
                "Kiro suspended this account; its support can help: https://app.kiro.dev/settings/account#support"
            }
            Kind::Gate => "Kiro does not offer this feature to the account's plan or this client version",
            Kind::Organisation => "the account's organisation forbids it",
            Kind::MonthlyQuota => "the account's credits for this month are used up",
            Kind::DailyQuota => "the account's requests for today are used up",
            Kind::Throttled => "Kiro asks to slow down",
            Kind::RiskControl => "Kiro limits this account because of unusual activity; wait some minutes",
            Kind::ModelBusy => "the model has no free capacity now; try again shortly or use another model",
            Kind::Unavailable => "Kiro is overloaded or unavailable now",
            Kind::ServerError => "Kiro failed to answer",
            Kind::GaveUp => "Kiro gave up waiting for its own answer",
            Kind::Blocked => "the network is blocked before it reaches Kiro; check VPN or proxy",
            Kind::Transport => "Kiro cannot be reached",
            Kind::TimedOut => "Kiro did not answer in time",
            Kind::Truncated => "Kiro's answer broke off before its end",
            Kind::Corrupt => "Kiro's answer arrived damaged",
            Kind::BrokenToolCall => "Kiro's answer ended inside a tool call",
            Kind::Empty => "Kiro's answer was empty",
            Kind::ProxyDown => "the proxy of this account cannot be used; nothing was sent past it",
            Kind::NotSent => "the request was not sent",
        };
        let mut words = what.to_owned();
        if !self.message.is_empty() {
            words.push_str(": ");
            words.push_str(&self.message);
        }
        if let Some(id) = &self.request_id {
            words.push_str(" (request ");
            words.push_str(id);
            words.push(')');
        }
        words
    }
}

#[cfg(test)]
mod tests;
