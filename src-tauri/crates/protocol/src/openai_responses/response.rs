//! The `response` object: the same in every event of a stream and in a whole reply.

use super::compact::COMPACTION;
use super::options::INCLUDE;
use super::response_id;
use crate::codec::Echo;
use crate::event::{StopReason, Usage};
use crate::failure::{Failure, FailureClass};
use crate::openai::failure::{code, message};
use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

/// How far an answer is.
#[derive(Debug, Clone, Copy)]
pub(super) enum State<'a> {
    InProgress,
    Ended { stop: &'a StopReason, usage: &'a Usage },
    Failed { failure: &'a Failure, usage: &'a Usage },
}

/// Why an answer that came to an end is not complete.
pub(super) fn incomplete(stop: &StopReason) -> Option<&'static str> {
    match stop {
        StopReason::EndTurn | StopReason::ToolUse | StopReason::StopSequence(_) => None,
        StopReason::MaxTokens | StopReason::ContextWindow => Some("max_output_tokens"),
        StopReason::Refusal => Some("content_filter"),
    }
}

/// The object itself.
pub(super) struct Response<'a> {
    pub(super) echo: &'a Echo,
    pub(super) state: State<'a>,
    pub(super) output: &'a [Value],
}

impl Serialize for Response<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (status, error, reason, usage) = match self.state {
            State::InProgress => ("in_progress", None, None, None),
            State::Ended { stop, usage } => match incomplete(stop) {
                None => ("completed", None, None, Some(usage)),
                Some(reason) => ("incomplete", None, Some(reason), Some(usage)),
            },
            State::Failed { failure, usage } => ("failed", Some(error(failure)), None, Some(usage)),
        };
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &response_id(self.echo))?;
        map.serialize_entry("object", "response")?;
        map.serialize_entry("created_at", &self.echo.created)?;
        map.serialize_entry("status", status)?;
        map.serialize_entry("background", &false)?;
        map.serialize_entry("error", &error)?;
        map.serialize_entry("incomplete_details", &reason.map(|reason| json!({ "reason": reason })))?;
        map.serialize_entry("model", &self.echo.model)?;
        map.serialize_entry("output", self.output)?;
        for (key, value) in self.echo.repeat.iter() {
            if key != INCLUDE && key != COMPACTION {
                map.serialize_entry(key, value)?;
            }
        }
        map.serialize_entry("usage", &usage.map(|usage| WireUsage::new(usage, self.echo)))?;
        map.end()
    }
}

/// `error` of a failed answer. Codex gives up on what it knows to be final and repeats the rest.
fn error(failure: &Failure) -> Value {
    let code = match failure.class {
        FailureClass::ContextWindow | FailureClass::RateLimit | FailureClass::Quota | FailureClass::Overloaded => {
            code(failure)
        }
        FailureClass::InvalidRequest
        | FailureClass::Authentication
        | FailureClass::Permission
        | FailureClass::NotFound
        | FailureClass::TooLarge => "invalid_prompt",
        FailureClass::Timeout | FailureClass::Upstream | FailureClass::Internal => "server_error",
    };
    json!({ "code": code, "message": message(failure) })
}

/// `usage`. Input counts what was read from and written to a cache, too; clients insist on every figure, so what is not
/// known is 0.
#[derive(Debug, Serialize)]
pub(super) struct WireUsage {
    input_tokens: u64,
    input_tokens_details: InputDetails,
    output_tokens: u64,
    output_tokens_details: OutputDetails,
    total_tokens: u64,
}

#[derive(Debug, Serialize)]
struct InputDetails {
    cached_tokens: u64,
}

#[derive(Debug, Serialize)]
struct OutputDetails {
    reasoning_tokens: u64,
}

impl WireUsage {
    pub(super) fn new(usage: &Usage, echo: &Echo) -> Self {
        let cached_tokens = usage.cache_read_tokens.unwrap_or(0);
        let input_tokens = match usage.input_tokens {
            Some(fresh) => fresh.saturating_add(cached_tokens).saturating_add(usage.cache_write_tokens.unwrap_or(0)),
            None => echo.input_tokens.unwrap_or(0).max(cached_tokens),
        };
        let output_tokens = usage.output_tokens.unwrap_or(0);
        Self {
            input_tokens,
            input_tokens_details: InputDetails { cached_tokens },
            output_tokens,
            // The upstream does not tell how many of them were reasoning.
            output_tokens_details: OutputDetails { reasoning_tokens: 0 },
            total_tokens: input_tokens.saturating_add(output_tokens),
        }
    }
}
