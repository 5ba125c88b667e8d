//! Which kind of refusal an answer of the service is, from its status, its headers and its body.

use super::{Kind, UpstreamError};
use http::{HeaderMap, StatusCode};
use kiro_protocol::kiro::event::{StreamFailure, StreamFailureKind};
use serde_json::Value;

/// Reads a refusal.
pub(crate) fn refusal(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> UpstreamError {
    let json: Option<Value> = serde_json::from_slice(body).ok();
    let object = json.as_ref().map(|json| json.get("error").filter(|inner| inner.is_object()).unwrap_or(json));
    let text = |name: &str| object.and_then(|object| object.get(name)).and_then(Value::as_str);
    let reason = text("reason").map(str::to_owned);
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let error_type = header("x-amzn-errortype").or_else(|| text("__type")).map(|raw| bare_type(raw).to_owned());
    let message = text("message").or_else(|| text("Message")).unwrap_or_default();
    let kind = classify(status.as_u16(), reason.as_deref(), error_type.as_deref(), message, header("server"), body);
    UpstreamError {
        kind,
        status: Some(status.as_u16()),
        code: reason.or(error_type),
        message: one_line(message),
        retry_after: crate::upstream::retry_after::read(headers),
        request_id: header("x-amzn-requestid").map(one_line),
    }
}

impl From<StreamFailure> for UpstreamError {
    fn from(failure: StreamFailure) -> Self {
        match failure.kind {
            StreamFailureKind::Truncated => Self::local(Kind::Truncated, failure.message),
            StreamFailureKind::Corrupt => Self::local(Kind::Corrupt, failure.message),
            StreamFailureKind::Exception { name, reason, message } => exception(&name, reason.as_deref(), &message),
            StreamFailureKind::OpenToolCall { name, .. } | StreamFailureKind::InvalidToolInput { name, .. } => {
                Self::local(Kind::BrokenToolCall, format!("the input of {} is not complete", one_line(&name)))
            }
        }
    }
}

/// Reads an exception that came inside a stream: it means what its HTTP twin means.
pub(super) fn exception(name: &str, reason: Option<&str>, message: &str) -> UpstreamError {
    let name = bare_type(name);
    let status = match name {
        "ThrottlingException" => 429,
        "ServiceQuotaExceededException" => 402,
        "AccessDeniedException" => 403,
        "ValidationException" => 400,
        "ServiceUnavailableException" => 503,
        _ => 500,
    };
    UpstreamError {
        kind: classify(status, reason, Some(name), message, None, b"{}"),
        status: None,
        code: Some(reason.unwrap_or(name).to_owned()),
        message: one_line(message),
        retry_after: None,
        request_id: None,
    }
}

fn bare_type(raw: &str) -> &str {
    let raw = raw.rsplit_once('#').map_or(raw, |(_, name)| name);
    raw.split_once(':').map_or(raw, |(name, _)| name)
}

/// Bounded, without control characters and without the user ids that some messages carry.
fn one_line(text: &str) -> String {
    let mut line = String::new();
    let mut inside = false;
    for c in text.chars().take(400) {
        match c {
            '(' => inside = true,
            ')' if inside => inside = false,
            _ if inside => {}
            c if c.is_control() => line.push(' '),
            c => line.push(c),
        }
    }
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn classify(
    status: u16,
    reason: Option<&str>,
    error_type: Option<&str>,
    message: &str,
    server: Option<&str>,
    body: &[u8],
) -> Kind {
    let message = message.to_ascii_lowercase();
    if let Some(kind) = reason.and_then(|reason| by_reason(reason, &message)) {
        return kind;
    }
    if let Some(kind) = by_message(&message) {
        return kind;
    }
    if let Some(kind) = error_type.and_then(|name| by_type(name, status)) {
        return kind;
    }
    by_status(status, server, body)
}

fn by_reason(reason: &str, message: &str) -> Option<Kind> {
    Some(match reason {
        "CONTENT_LENGTH_EXCEEDS_THRESHOLD" | "PROMPT_TOO_LONG" => Kind::ContextTooLong,
        "INVALID_MODEL_ID" => Kind::UnknownModel,
        "INVALID_CONVERSATION_ID" | "CONVERSATION_LIMIT_EXCEEDED" => Kind::ConversationId,
        "THINKING_SIGNATURE_INVALID" => Kind::ReasoningSignature,
        "REQUEST_BODY_INVALID" if message.contains("additionalmodelrequestfields") => Kind::FieldsUnsupported,
        "REQUEST_BODY_INVALID" | "REQUEST_BODY_INVALID_JSON" => Kind::Invalid,
        "TEMPORARILY_SUSPENDED" => Kind::Suspended,
        "FEATURE_NOT_SUPPORTED" => Kind::Gate,
        "UNAUTHORIZED_CUSTOMIZATION_RESOURCE_ACCESS" | "UNAUTHORIZED_WORKSPACE_CONTEXT_FEATURE_ACCESS" => Kind::Gate,
        "MONTHLY_REQUEST_COUNT" | "OVERAGE_REQUEST_LIMIT_EXCEEDED" => Kind::MonthlyQuota,
        "DAILY_REQUEST_COUNT" => Kind::DailyQuota,
        "INSUFFICIENT_MODEL_CAPACITY" | "MODEL_TEMPORARILY_UNAVAILABLE" => Kind::ModelBusy,
        "CUSTOMER_KMS_KEY_DISABLED"
        | "CUSTOMER_KMS_KEY_INVALID_KEY_POLICY"
        | "MISMATCHED_KMS_KEY"
        | "INVALID_KMS_GRANT" => Kind::Organisation,
        _ if reason.starts_with("TOOL_") || reason.starts_with("IMAGE_") || reason.starts_with("DOCUMENT_") => {
            Kind::Invalid
        }
        _ => return None,
    })
}

fn by_message(message: &str) -> Option<Kind> {
    let has = |piece: &str| message.contains(piece);
    if has("bearer token included in the request is invalid")
        || has("security token included in the request is expired")
    {
        return Some(Kind::TokenRejected);
    }
    if has("input is too long") || has("prompt is too long") {
        return Some(Kind::ContextTooLong);
    }
    if has("profilearn is required") || has("invalid profilearn") {
        return Some(Kind::WrongRung);
    }
    if has("temporarily is suspended") || has("temporarily suspended") {
        return Some(Kind::Suspended);
    }
    if has("due to suspicious activity") {
        return Some(Kind::RiskControl);
    }
    if has("unexpectedly high load") {
        return Some(Kind::Unavailable);
    }
    None
}

fn by_type(name: &str, status: u16) -> Option<Kind> {
    Some(match name {
        "ExpiredTokenException" | "UnrecognizedClientException" | "UnauthorizedException" => Kind::TokenRejected,
        "AccountSuspendedException" => Kind::Suspended,
        "ThrottlingException" => Kind::Throttled,
        "ServiceQuotaExceededException" => Kind::MonthlyQuota,
        "ConflictException" => Kind::Organisation,
        "ResourceNotFoundException" => Kind::NoSuchPath,
        "ServiceUnavailableException" => Kind::Unavailable,
        "InternalServerException" => Kind::ServerError,
        "ValidationException" if status == 400 => Kind::Malformed,
        "AccessDeniedException" if status != 401 => Kind::Forbidden,
        _ => return None,
    })
}

fn by_status(status: u16, server: Option<&str>, body: &[u8]) -> Kind {
    match status {
        400 => Kind::Malformed,
        401 => Kind::TokenRejected,
        402 => Kind::MonthlyQuota,
        403 if server.is_some_and(|name| name.eq_ignore_ascii_case("cloudfront")) => Kind::Blocked,
        // Without a word of explanation, a stale token is the likeliest cause.
        403 if body.is_empty() => Kind::TokenRejected,
        403 => Kind::Forbidden,
        404 => Kind::NoSuchPath,
        // Never the service's own word.
        407 => Kind::ProxyDown,
        408 => Kind::ServerError,
        413 => Kind::ContextTooLong,
        423 => Kind::Suspended,
        429 => Kind::Throttled,
        503 | 529 => Kind::Unavailable,
        524 => Kind::GaveUp,
        500..=599 => Kind::ServerError,
        _ if (400..500).contains(&status) => Kind::Invalid,
        _ => Kind::ServerError,
    }
}
