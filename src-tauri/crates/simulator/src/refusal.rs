//! How the service says no: status, error type, message and reason, in both wire flavours (kiro-upstream §4.1).

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use serde_json::{Value, json};

use crate::http_server::{ResponseBody, full};

/// The two ways an operation travels (kiro-upstream §1.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flavour {
    /// Path per operation, error type in a header.
    Rest,
    /// Root path with `X-Amz-Target`, error type in the body.
    AwsJson,
}

/// An answer that is not a success, with the rule that was broken when it is the caller's mistake.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) kind: &'static str,
    pub(crate) message: String,
    pub(crate) reason: Option<&'static str>,
    /// Rule id and what exactly was wrong; `None` when the caller could not have known.
    pub(crate) violation: Option<(&'static str, String)>,
}

impl Refusal {
    pub(crate) fn new(status: u16, kind: &'static str, message: impl Into<String>) -> Self {
        Self { status, kind, message: message.into(), reason: None, violation: None }
    }

    /// The service's answer to most rule violations.
    pub(crate) fn malformed(rule: &'static str, detail: impl Into<String>) -> Self {
        Self::new(400, "ValidationException", "Improperly formed request.").breaking(rule, detail)
    }

    pub(crate) fn denied(message: &str) -> Self {
        Self::new(403, "AccessDeniedException", message)
    }

    pub(crate) fn reason(mut self, reason: &'static str) -> Self {
        self.reason = Some(reason);
        self
    }

    pub(crate) fn message(mut self, message: impl Into<String>) -> Self {
        self.message = message.into();
        self
    }

    pub(crate) fn breaking(mut self, rule: &'static str, detail: impl Into<String>) -> Self {
        self.violation = Some((rule, detail.into()));
        self
    }

    pub(crate) fn response(&self, flavour: Flavour, request_id: &str) -> Response<ResponseBody> {
        let (body, content_type) = match flavour {
            Flavour::Rest => (json!({"message": self.message, "reason": self.reason}), "application/json"),
            Flavour::AwsJson => (
                json!({
                    "__type": format!("com.amazon.aws.codewhisperer#{}", self.kind),
                    "message": self.message,
                    "reason": self.reason,
                }),
                "application/x-amz-json-1.0",
            ),
        };
        let mut response = json_response(self.status, &body);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers.insert("x-amzn-errortype", HeaderValue::from_static(self.kind));
        if let Ok(id) = HeaderValue::from_str(request_id) {
            headers.insert("x-amzn-requestid", id);
        }
        response
    }
}

/// A JSON answer.
pub(crate) fn json_response(status: u16, body: &Value) -> Response<ResponseBody> {
    let mut response = Response::new(full(Bytes::from(body.to_string())));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
