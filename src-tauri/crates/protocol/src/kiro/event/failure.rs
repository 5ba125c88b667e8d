//! Why an answer is not complete.

use crate::kiro::frame::FrameError;

/// An answer that must not be reported as complete.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct StreamFailure {
    /// What happened.
    pub kind: StreamFailureKind,
    /// Plain words; for exceptions the service's own.
    pub message: String,
}

/// What happened to an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StreamFailureKind {
    /// The answer was cut: inside a frame, or the transport failed before the end.
    Truncated,
    /// The bytes or an event's payload are corrupt.
    Corrupt,
    /// The service reported an error inside the stream.
    Exception {
        /// Its name, e.g. `ThrottlingException`, without namespace.
        name: String,
        /// Its reason, when given.
        reason: Option<String>,
        /// Its own words.
        message: String,
    },
    /// The answer ended inside a tool call: the output limit was reached in mid-call.
    OpenToolCall {
        /// Call id.
        id: String,
        /// Tool name as the client declared it.
        name: String,
    },
    /// A call's input is not a JSON object.
    InvalidToolInput {
        /// Call id.
        id: String,
        /// Tool name as the client declared it.
        name: String,
    },
}

impl StreamFailure {
    pub(crate) fn truncated(message: &str) -> Self {
        Self { kind: StreamFailureKind::Truncated, message: message.to_owned() }
    }

    pub(crate) fn corrupt(message: impl Into<String>) -> Self {
        Self { kind: StreamFailureKind::Corrupt, message: message.into() }
    }

    pub(crate) fn exception(name: &str, reason: Option<String>, message: Option<String>) -> Self {
        let name = name.rsplit('#').next().unwrap_or(name).to_owned();
        let message = message.unwrap_or_else(|| format!("the service reported {name}"));
        Self { kind: StreamFailureKind::Exception { name, reason, message: message.clone() }, message }
    }

    pub(crate) fn is_output_limit(&self) -> bool {
        match &self.kind {
            StreamFailureKind::Exception { name, .. } => name.eq_ignore_ascii_case("ContentLengthExceededException"),
            StreamFailureKind::Truncated
            | StreamFailureKind::Corrupt
            | StreamFailureKind::OpenToolCall { .. }
            | StreamFailureKind::InvalidToolInput { .. } => false,
        }
    }
}

impl From<FrameError> for StreamFailure {
    fn from(error: FrameError) -> Self {
        let kind = match error {
            FrameError::Truncated(_) => StreamFailureKind::Truncated,
            FrameError::PreludeChecksum
            | FrameError::FrameChecksum
            | FrameError::Length(_)
            | FrameError::HeadersLength(_)
            | FrameError::HeaderType(_)
            | FrameError::HeaderName
            | FrameError::HeaderBounds
            | FrameError::HeaderText => StreamFailureKind::Corrupt,
        };
        Self { kind, message: error.to_string() }
    }
}
