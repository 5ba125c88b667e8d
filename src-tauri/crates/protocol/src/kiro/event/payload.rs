//! The payloads of the events that matter. Unknown members are ignored; wrong types are corruption.

use super::StreamFailure;
use crate::event::StopReason;
use crate::kiro::frame::Frame;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

#[derive(Debug, Deserialize)]
pub(super) struct Assistant {
    pub(super) content: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Reasoning {
    pub(super) text: Option<String>,
    pub(super) signature: Option<String>,
    pub(super) redacted_content: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ToolUse {
    pub(super) tool_use_id: String,
    pub(super) name: Option<String>,
    pub(super) input: Option<Value>,
    #[serde(default)]
    pub(super) stop: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ContextUsage {
    pub(super) context_usage_percentage: Option<f64>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Metering {
    pub(super) usage: Option<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Metadata {
    pub(super) token_usage: Option<TokenUsage>,
    stop_reason: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TokenUsage {
    pub(super) uncached_input_tokens: Option<u64>,
    pub(super) output_tokens: Option<u64>,
    pub(super) cache_read_input_tokens: Option<u64>,
    pub(super) cache_write_input_tokens: Option<u64>,
    pub(super) context_usage_percentage: Option<f64>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Broken {
    pub(super) reason: Option<String>,
    #[serde(alias = "Message")]
    pub(super) message: Option<String>,
    #[serde(rename = "__type")]
    kind: Option<String>,
}

impl TokenUsage {
    pub(super) fn input(&self) -> u64 {
        [self.uncached_input_tokens, self.cache_read_input_tokens, self.cache_write_input_tokens]
            .into_iter()
            .flatten()
            .fold(0, u64::saturating_add)
    }
}

impl Metadata {
    /// One source saw a stop reason here. Only what nothing else can tell is taken from it.
    pub(super) fn stop_hint(&self) -> Option<StopReason> {
        match self.stop_reason.as_ref()?.as_str()?.to_ascii_lowercase().as_str() {
            "max_tokens" => Some(StopReason::MaxTokens),
            "refusal" | "content_filtered" => Some(StopReason::Refusal),
            _ => None,
        }
    }
}

pub(super) fn parse<T: DeserializeOwned>(kind: &str, frame: &Frame) -> Result<T, StreamFailure> {
    serde_json::from_slice(&frame.payload)
        .map_err(|_| StreamFailure::corrupt(format!("the payload of a {kind} is not what it should be")))
}

pub(super) fn exception(frame: &Frame) -> StreamFailure {
    let broken: Broken = serde_json::from_slice(&frame.payload).unwrap_or_default();
    let name = frame.header(":exception-type").map(str::to_owned).or(broken.kind);
    StreamFailure::exception(name.as_deref().unwrap_or("UnknownException"), broken.reason, broken.message)
}

pub(super) fn error_message(frame: &Frame) -> StreamFailure {
    let broken: Broken = serde_json::from_slice(&frame.payload).unwrap_or_default();
    let message = frame.header(":error-message").map(str::to_owned).or(broken.message);
    StreamFailure::exception(frame.header(":error-code").unwrap_or("UnknownError"), broken.reason, message)
}
