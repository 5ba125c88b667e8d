//! Failures in this API's words. The table is that of the house (architecture, section 7); fixtures hold it.

use crate::failure::{Failure, FailureClass};
use http::StatusCode;
use serde_json::{Value, json};

/// The status of each class. 529 is this API's own status for lack of capacity.
pub(super) fn status(class: FailureClass) -> StatusCode {
    match class {
        FailureClass::Overloaded => StatusCode::from_u16(529).expect("529 is a valid status"),
        FailureClass::InvalidRequest
        | FailureClass::Authentication
        | FailureClass::Permission
        | FailureClass::NotFound
        | FailureClass::TooLarge
        | FailureClass::ContextWindow
        | FailureClass::RateLimit
        | FailureClass::Quota
        | FailureClass::Timeout
        | FailureClass::Upstream
        | FailureClass::Internal => class.status(),
    }
}

fn kind(class: FailureClass) -> &'static str {
    match class {
        FailureClass::InvalidRequest | FailureClass::ContextWindow => "invalid_request_error",
        FailureClass::Authentication => "authentication_error",
        FailureClass::Permission => "permission_error",
        FailureClass::NotFound => "not_found_error",
        FailureClass::TooLarge => "request_too_large",
        FailureClass::RateLimit | FailureClass::Quota => "rate_limit_error",
        FailureClass::Overloaded => "overloaded_error",
        FailureClass::Timeout => "timeout_error",
        FailureClass::Upstream | FailureClass::Internal => "api_error",
    }
}

/// The body of a failed request; the same object is the data of the `error` event.
pub(super) fn body(failure: &Failure, request_id: &str) -> Value {
    json!({
        "type": "error",
        "error": { "type": kind(failure.class), "message": message(failure) },
        "request_id": request_id,
    })
}

/// Clients compact the conversation when they read `prompt is too long: N tokens > M maximum`.
fn message(failure: &Failure) -> String {
    if failure.class != FailureClass::ContextWindow {
        return failure.message.clone();
    }
    match failure.context {
        Some(context) => format!("prompt is too long: {} tokens > {} maximum", context.tokens, context.limit),
        None => format!("prompt is too long: {}", failure.message),
    }
}
