//! Failures in Google's words: `google.rpc.Status` with its details.

use crate::failure::{Failure, FailureClass};
use serde_json::{Value, json};

/// Longest wait that is named when the upstream is busy: clients take more for a reason to give up.
const LONGEST_WAIT: u128 = 60;

fn name(class: FailureClass) -> &'static str {
    match class {
        FailureClass::InvalidRequest | FailureClass::ContextWindow | FailureClass::TooLarge => "INVALID_ARGUMENT",
        FailureClass::Authentication => "UNAUTHENTICATED",
        FailureClass::Permission => "PERMISSION_DENIED",
        FailureClass::NotFound => "NOT_FOUND",
        FailureClass::RateLimit | FailureClass::Quota => "RESOURCE_EXHAUSTED",
        FailureClass::Overloaded | FailureClass::Upstream => "UNAVAILABLE",
        FailureClass::Timeout => "DEADLINE_EXCEEDED",
        FailureClass::Internal => "INTERNAL",
    }
}

/// The body of a failed request; the same object stands in place of a chunk in a stream.
pub(super) fn body(failure: &Failure, request_id: &str) -> Value {
    let mut details = vec![
        json!({
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": failure.code.to_ascii_uppercase(),
            "domain": "kiro-proxy",
        }),
        json!({ "@type": "type.googleapis.com/google.rpc.RequestInfo", "requestId": request_id }),
    ];
    if let Some(seconds) = retry_seconds(failure) {
        details.push(json!({
            "@type": "type.googleapis.com/google.rpc.RetryInfo",
            "retryDelay": format!("{seconds}s"),
        }));
    }
    if failure.class == FailureClass::Quota {
        // Gemini CLI asks ten times over minutes unless the quota's name tells of a day: waiting does not help here.
        details.push(json!({
            "@type": "type.googleapis.com/google.rpc.QuotaFailure",
            "violations": [{ "quotaId": "CreditsPerDayOrLonger", "description": failure.message }],
        }));
    }
    json!({
        "error": {
            "code": failure.class.status().as_u16(),
            "message": message(failure),
            "status": name(failure.class),
            "details": details,
        },
    })
}

/// Gemini CLI reads the wait here and not in the header.
fn retry_seconds(failure: &Failure) -> Option<u128> {
    let seconds = failure.retry_after?.as_millis().div_ceil(1000).max(1);
    Some(if failure.class.passes_soon() { seconds.min(LONGEST_WAIT) } else { seconds })
}

/// Google's own words for a conversation that is too long.
fn message(failure: &Failure) -> String {
    if failure.class != FailureClass::ContextWindow {
        return failure.message.clone();
    }
    match failure.context {
        Some(context) => format!(
            "The input token count ({}) exceeds the maximum number of tokens allowed ({}).",
            context.tokens, context.limit
        ),
        None => {
            format!("The input token count exceeds the maximum number of tokens allowed. {}", failure.message)
        }
    }
}
