//! The request as it is written, read in one pass.
//!
//! Items and parts are the unions of all kinds, so that `type` may stand anywhere in them (or nowhere: clients leave it
//! out of messages). Kinds that nothing here knows may use the same keys for other things, so types are checked only when
//! the kind is known.

use super::content::{Content, Output};
use super::{MAX_ITEMS, MAX_TOOLS};
use crate::reading::loose::{Capped, Loose};
use crate::reading::object;
use serde::de::{Deserialize, Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::Value;
use std::fmt;

object! {
    /// The body of `/v1/responses`, `/v1/responses/input_tokens` and `/v1/responses/compact`.
    Request {
        "model" => model: String,
        "input" => input: Input,
        "instructions" => instructions: Content,
        "tools" => tools: Capped<Value, MAX_TOOLS>,
        "tool_choice" => tool_choice: Value,
        "parallel_tool_calls" => parallel_tool_calls: bool,
        "stream" => stream: bool,
        "store" => store: bool,
        "previous_response_id" => previous_response_id: String,
        "conversation" => conversation: IgnoredAny,
        "prompt" => prompt: IgnoredAny,
        "background" => background: bool,
        "reasoning" => reasoning: WireReasoning,
        "text" => text: WireText,
        "include" => include: Vec<String>,
        "truncation" => truncation: String,
        "max_output_tokens" => max_output_tokens: u64,
        "max_tool_calls" => max_tool_calls: u32,
        "temperature" => temperature: f64,
        "top_p" => top_p: f64,
        "metadata" => metadata: Value,
        "prompt_cache_key" => prompt_cache_key: String,
        "service_tier" => service_tier: String,
        "user" => user: String,
        "safety_identifier" => safety_identifier: String,
        "top_logprobs" => top_logprobs: IgnoredAny,
        "context_management" => context_management: IgnoredAny,
        "moderation" => moderation: IgnoredAny,
        "client_metadata" => client_metadata: IgnoredAny,
        "stream_options" => stream_options: IgnoredAny,
        "prompt_cache_retention" => prompt_cache_retention: IgnoredAny,
        "prompt_cache_options" => prompt_cache_options: IgnoredAny,
    }
}

object! {
    /// `reasoning`.
    WireReasoning {
        "effort" => effort: String,
        "summary" => summary: String,
        "generate_summary" => generate_summary: String,
        "context" => context: IgnoredAny,
    }
}

object! {
    /// `text`.
    WireText {
        "format" => format: WireFormat,
        "verbosity" => verbosity: String,
    }
}

object! {
    /// `text.format`.
    WireFormat {
        "type" => kind: String,
        "name" => name: String,
        "description" => description: IgnoredAny,
        "schema" => schema: Value,
        "strict" => strict: bool,
    }
}

object! {
    /// One item of `input`.
    WireItem {
        "type" => kind: Loose<String>,
        "id" => id: Loose<String>,
        "role" => role: Loose<String>,
        "content" => content: Content,
        "status" => status: Loose<String>,
        "phase" => phase: IgnoredAny,
        "call_id" => call_id: Loose<String>,
        "name" => name: Loose<String>,
        "namespace" => namespace: Loose<String>,
        "arguments" => arguments: Value,
        "input" => input: Value,
        "output" => output: Output,
        "action" => action: Value,
        "operation" => operation: Value,
        "summary" => summary: Content,
        "encrypted_content" => encrypted_content: Loose<String>,
        "tools" => tools: Value,
        "execution" => execution: Loose<String>,
        "environment" => environment: IgnoredAny,
        "max_output_length" => max_output_length: IgnoredAny,
        "created_by" => created_by: IgnoredAny,
        "metadata" => metadata: IgnoredAny,
        "end_turn" => end_turn: IgnoredAny,
        "author" => author: IgnoredAny,
        "recipient" => recipient: IgnoredAny,
    }
}

object! {
    /// One part of a message, of the output of a tool, of a summary.
    WirePart {
        "type" => kind: Loose<String>,
        "text" => text: Loose<String>,
        "refusal" => refusal: Loose<String>,
        "image_url" => image_url: Value,
        "detail" => detail: IgnoredAny,
        "file_id" => file_id: IgnoredAny,
        "file_data" => file_data: Loose<String>,
        "filename" => filename: Loose<String>,
        "file_url" => file_url: IgnoredAny,
        "annotations" => annotations: IgnoredAny,
        "logprobs" => logprobs: IgnoredAny,
        "parsed" => parsed: IgnoredAny,
        "stdout" => stdout: Loose<String>,
        "stderr" => stderr: Loose<String>,
        "outcome" => outcome: Value,
        "prompt_cache_breakpoint" => cache: IgnoredAny,
        "cache_control" => cache_control: IgnoredAny,
    }
}

object! {
    /// One tool, of any kind.
    WireTool {
        "type" => kind: String,
        "name" => name: String,
        "description" => description: String,
        "parameters" => parameters: Value,
        "function" => function: Value,
        "strict" => strict: IgnoredAny,
        "defer_loading" => defer_loading: IgnoredAny,
        "output_schema" => output_schema: IgnoredAny,
        "allowed_callers" => allowed_callers: IgnoredAny,
        "format" => format: Value,
        "tools" => tools: Vec<Value>,
        "filters" => filters: Value,
        "external_web_access" => external_web_access: bool,
        "search_context_size" => search_context_size: IgnoredAny,
        "search_content_types" => search_content_types: IgnoredAny,
        "user_location" => user_location: IgnoredAny,
        "execution" => execution: String,
        "environment" => environment: Value,
        "cache_control" => cache_control: IgnoredAny,
    }
}

/// `input`.
#[derive(Debug)]
pub(super) enum Input {
    Text(String),
    Items(Capped<Box<WireItem>, MAX_ITEMS>),
}

impl<'de> Deserialize<'de> for Input {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Input;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a list of items")
            }
            fn visit_str<E>(self, text: &str) -> Result<Input, E> {
                Ok(Input::Text(text.to_owned()))
            }
            fn visit_string<E>(self, text: String) -> Result<Input, E> {
                Ok(Input::Text(text))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Input, A::Error> {
                Capped::deserialize(serde::de::value::SeqAccessDeserializer::new(seq)).map(Input::Items)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// A text, when it is one and not empty.
pub(super) fn text(value: Option<Loose<String>>) -> Option<String> {
    match value {
        Some(Loose::Is(text)) => Some(text).filter(|text| !text.is_empty()),
        Some(Loose::Other) | None => None,
    }
}
