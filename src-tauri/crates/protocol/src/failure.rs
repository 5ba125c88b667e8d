//! What can go wrong with a request, in the few classes that clients tell apart.

use http::StatusCode;
use std::time::Duration;

/// A failed request, before it is put into a protocol's own words.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// The class decides status and type.
    pub class: FailureClass,
    /// Stable code for documentation and the UI, e.g. `no_account`. Snake case.
    pub code: &'static str,
    /// Plain words: what happened, what was done, what to do. Never a secret, never a whole upstream body.
    pub message: String,
    /// The part of the request that is wrong, as a JSON path, for [`FailureClass::InvalidRequest`], when known.
    pub param: Option<String>,
    /// How long the client should wait, when known.
    pub retry_after: Option<Duration>,
    /// Input tokens and the limit, for [`FailureClass::ContextWindow`], when known.
    pub context: Option<ContextOverflow>,
}

/// By how much a conversation is too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContextOverflow {
    /// Tokens of the request (estimated).
    pub tokens: u64,
    /// The window.
    pub limit: u64,
}

/// The twelve classes. Each protocol maps each class to a status and a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureClass {
    /// The request is malformed or breaks a rule.
    InvalidRequest,
    /// The gateway key is missing or wrong.
    Authentication,
    /// The key or account may not do this.
    Permission,
    /// No such model or resource.
    NotFound,
    /// The body is too large.
    TooLarge,
    /// The conversation does not fit the model's window.
    ContextWindow,
    /// Too many requests, wait a little.
    RateLimit,
    /// The quota is used up.
    Quota,
    /// No capacity now.
    Overloaded,
    /// Something took too long.
    Timeout,
    /// The upstream failed or its answer was cut or corrupt.
    Upstream,
    /// A fault of ours.
    Internal,
}

impl FailureClass {
    /// All classes, for tables and tests.
    pub const ALL: [FailureClass; 12] = [
        FailureClass::InvalidRequest,
        FailureClass::Authentication,
        FailureClass::Permission,
        FailureClass::NotFound,
        FailureClass::TooLarge,
        FailureClass::ContextWindow,
        FailureClass::RateLimit,
        FailureClass::Quota,
        FailureClass::Overloaded,
        FailureClass::Timeout,
        FailureClass::Upstream,
        FailureClass::Internal,
    ];

    /// True when the same request may well be answered in a little while.
    pub fn passes_soon(self) -> bool {
        match self {
            Self::RateLimit | Self::Overloaded => true,
            Self::InvalidRequest
            | Self::Authentication
            | Self::Permission
            | Self::NotFound
            | Self::TooLarge
            | Self::ContextWindow
            | Self::Quota
            | Self::Timeout
            | Self::Upstream
            | Self::Internal => false,
        }
    }

    /// The HTTP status, where the protocol has none of its own for the class.
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::InvalidRequest | Self::ContextWindow => StatusCode::BAD_REQUEST,
            Self::Authentication => StatusCode::UNAUTHORIZED,
            Self::Permission => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::RateLimit | Self::Quota => StatusCode::TOO_MANY_REQUESTS,
            Self::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
            Self::Timeout => StatusCode::GATEWAY_TIMEOUT,
            Self::Upstream => StatusCode::BAD_GATEWAY,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl Failure {
    /// A failure without path, waiting time or context figures.
    pub fn new(class: FailureClass, code: &'static str, message: impl Into<String>) -> Self {
        Self { class, code, message: message.into(), param: None, retry_after: None, context: None }
    }

    /// What is said when an answer has no end.
    pub(crate) fn incomplete() -> Self {
        let message = "The answer ended without its end mark and is not complete.";
        Self::new(FailureClass::Upstream, "answer_incomplete", message)
    }
}
