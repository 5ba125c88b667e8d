//! Failures in the words of OpenAI's APIs. The table is that of the house; fixtures hold it.
//!
//! Codes are what clients act on: `context_length_exceeded` makes them compact, `insufficient_quota` and
//! `server_is_overloaded` make them give up, `rate_limit_exceeded` makes them wait. Where OpenAI has no code that clients
//! know, ours stands, so that people can look it up.

use crate::failure::{Failure, FailureClass};
use serde_json::{Value, json};
use std::borrow::Cow;

/// The `type` of each class.
pub(crate) fn kind(class: FailureClass) -> &'static str {
    match class {
        FailureClass::InvalidRequest
        | FailureClass::Authentication
        | FailureClass::NotFound
        | FailureClass::TooLarge
        | FailureClass::ContextWindow => "invalid_request_error",
        FailureClass::Permission => "permission_error",
        FailureClass::RateLimit => "rate_limit_error",
        FailureClass::Quota => "insufficient_quota",
        FailureClass::Overloaded | FailureClass::Timeout | FailureClass::Upstream | FailureClass::Internal => {
            "server_error"
        }
    }
}

/// The `code` of a failure.
pub(crate) fn code(failure: &Failure) -> &'static str {
    match failure.class {
        FailureClass::Authentication => "invalid_api_key",
        FailureClass::ContextWindow => "context_length_exceeded",
        FailureClass::RateLimit => "rate_limit_exceeded",
        FailureClass::Quota => "insufficient_quota",
        FailureClass::Overloaded => "server_is_overloaded",
        // The names OpenAI has for ours.
        FailureClass::NotFound if failure.code == "unknown_model" => "model_not_found",
        FailureClass::InvalidRequest
        | FailureClass::Permission
        | FailureClass::NotFound
        | FailureClass::TooLarge
        | FailureClass::Timeout
        | FailureClass::Upstream
        | FailureClass::Internal => failure.code,
    }
}

/// The `message`. Clients look for "maximum context length" and, when told to wait, for "try again in N s": Codex reads
/// the time from the words of a failed stream, which has no headers.
pub(crate) fn message(failure: &Failure) -> Cow<'_, str> {
    match (failure.class, failure.context, failure.retry_after) {
        (FailureClass::ContextWindow, Some(context), _) => Cow::Owned(format!(
            "This model's maximum context length is {} tokens. However, your input resulted in {} tokens. Please reduce the length of the input.",
            context.limit, context.tokens
        )),
        (FailureClass::ContextWindow, None, _) => {
            Cow::Owned(format!("Your input exceeds this model's maximum context length. {}", failure.message))
        }
        (FailureClass::RateLimit, _, Some(wait)) => {
            // Never less than asked for, and never 0, which would be no wait at all.
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            Cow::Owned(format!("{} Please try again in {}s.", failure.message, seconds.max(1)))
        }
        (
            FailureClass::InvalidRequest
            | FailureClass::Authentication
            | FailureClass::Permission
            | FailureClass::NotFound
            | FailureClass::TooLarge
            | FailureClass::RateLimit
            | FailureClass::Quota
            | FailureClass::Overloaded
            | FailureClass::Timeout
            | FailureClass::Upstream
            | FailureClass::Internal,
            _,
            _,
        ) => Cow::Borrowed(&failure.message),
    }
}

/// The body of a failed request; Chat Completions sends the same object inside a stream.
pub(crate) fn body(failure: &Failure) -> Value {
    json!({
        "error": {
            "message": message(failure),
            "type": kind(failure.class),
            "param": failure.param,
            "code": code(failure),
        },
    })
}
