//! Bodies and heads of answers that are not conversations, first of all failures: the protocol's words, and the headers by
//! which clients decide whether to ask again.

use super::dialect::Words;
use axum::body::Body;
use http::header::{CONNECTION, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use kiro_protocol::failure::{Failure, FailureClass};
use std::time::Duration;

/// Tells that an answer was made up on this machine.
pub(crate) const SIMULATED: HeaderName = HeaderName::from_static("x-kiro-proxy-simulated");
/// The id under which a request is found in flows and logs; Anthropic's clients show it.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");
/// The same for OpenAI's clients.
pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The stable code of a refusal; the body has the protocol's own shape, which knows only a few types.
const CODE: HeaderName = HeaderName::from_static("x-kiro-proxy-code");
/// SDKs of Anthropic and OpenAI obey it before any rule of their own.
const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");

/// Clients give up at once when they are to wait longer than this.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// Codex takes a limit without a time for a final one.
const USUAL_WAIT: Duration = Duration::from_secs(5);

/// The failure as clients should read it: a limit that passes has a time to wait, between 1 and 60 s.
pub(crate) fn paced(failure: &Failure) -> Failure {
    let mut paced = failure.clone();
    match failure.class {
        FailureClass::RateLimit => {
            let wait = failure.retry_after.unwrap_or(USUAL_WAIT);
            paced.retry_after = Some(wait.clamp(Duration::from_secs(1), LONGEST_WAIT));
        }
        FailureClass::Overloaded => {
            paced.retry_after = failure.retry_after.map(|wait| wait.clamp(Duration::from_secs(1), LONGEST_WAIT));
        }
        // For a used-up quota the true time is right, and so is that clients give up on it.
        FailureClass::InvalidRequest
        | FailureClass::Authentication
        | FailureClass::Permission
        | FailureClass::NotFound
        | FailureClass::TooLarge
        | FailureClass::ContextWindow
        | FailureClass::Quota
        | FailureClass::Timeout
        | FailureClass::Upstream
        | FailureClass::Internal => {}
    }
    paced
}

/// True when asking again cannot help. A 400 is left to the client: none repeats it as it is, and Claude Code has a way of
/// repeating it with less.
fn is_final(failure: &Failure) -> bool {
    match failure.class {
        FailureClass::Authentication
        | FailureClass::Permission
        | FailureClass::NotFound
        | FailureClass::TooLarge
        | FailureClass::Quota => true,
        // Nobody is signed in: a person must do something first.
        FailureClass::Overloaded => failure.code == "no_account",
        FailureClass::InvalidRequest
        | FailureClass::ContextWindow
        | FailureClass::RateLimit
        | FailureClass::Timeout
        | FailureClass::Upstream
        | FailureClass::Internal => false,
    }
}

/// A failure in the protocol's own shape.
pub(crate) fn failed(words: Words, failure: &Failure, id: &str) -> Response<Body> {
    let failure = paced(failure);
    let (status, body) = words(&failure, id);
    let mut response = json(status, &body);
    let headers = response.headers_mut();
    headers.insert(CODE, HeaderValue::from_static(failure.code));
    if is_final(&failure) {
        headers.insert(SHOULD_RETRY, HeaderValue::from_static("false"));
    }
    if let Some(wait) = failure.retry_after {
        let seconds = wait.as_millis().div_ceil(1000).max(1);
        if let Ok(value) = HeaderValue::from_str(&seconds.to_string()) {
            headers.insert(RETRY_AFTER, value);
        }
    }
    response
}

/// The same with a status that the class alone does not give.
pub(crate) fn failed_as(words: Words, status: StatusCode, failure: &Failure, id: &str) -> Response<Body> {
    let mut response = failed(words, failure, id);
    *response.status_mut() = status;
    response
}

/// The connection is not used again: a body may be on its way that nobody will read.
pub(crate) fn last_words(mut response: Response<Body>) -> Response<Body> {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// Marks what was made up on this machine.
pub(crate) fn label(headers: &mut HeaderMap, simulated: bool) {
    if simulated {
        headers.insert(SIMULATED, HeaderValue::from_static("true"));
    }
}

/// A JSON body.
pub(crate) fn json(status: StatusCode, body: &serde_json::Value) -> Response<Body> {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use kiro_protocol::anthropic::AnthropicMessages;
    use kiro_protocol::codec::Protocol as _;

    fn headers(failure: &Failure) -> (Option<String>, bool) {
        let response = failed(AnthropicMessages::encode_failure, failure, "id");
        let text = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        (text("retry-after"), text("x-should-retry").as_deref() == Some("false"))
    }

    #[test]
    fn waits_are_such_that_clients_keep_them() {
        let cases = [
            (FailureClass::RateLimit, None, Some("5")),
            (FailureClass::RateLimit, Some(Duration::from_millis(1)), Some("1")),
            (FailureClass::RateLimit, Some(Duration::from_millis(2_500)), Some("3")),
            (FailureClass::RateLimit, Some(Duration::from_secs(600)), Some("60")),
            (FailureClass::Overloaded, None, None),
            (FailureClass::Overloaded, Some(Duration::from_secs(90)), Some("60")),
            (FailureClass::Quota, Some(Duration::from_secs(86_400)), Some("86400")),
            (FailureClass::Upstream, None, None),
        ];
        for (class, wait, header) in cases {
            let mut failure = Failure::new(class, "some_code", "words");
            failure.retry_after = wait;
            assert_eq!(headers(&failure).0.as_deref(), header, "{class:?} {wait:?}");
        }
    }

    #[test]
    fn what_cannot_get_better_by_itself_is_not_to_be_repeated() {
        for class in FailureClass::ALL {
            let is_final = matches!(
                class,
                FailureClass::Authentication
                    | FailureClass::Permission
                    | FailureClass::NotFound
                    | FailureClass::TooLarge
                    | FailureClass::Quota
            );
            assert_eq!(headers(&Failure::new(class, "some_code", "")).1, is_final, "{class:?}");
        }
        assert!(headers(&Failure::new(FailureClass::Overloaded, "no_account", "")).1);
    }
}
