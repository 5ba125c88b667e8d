//! A complete answer as one JSON body, and the pieces that the stream shares with it.

use super::{found, message_id};
use crate::codec::Echo;
use crate::event::{Reply, ReplyBlock, SearchHit, StopReason, Usage};
use serde::Serialize;
use serde_json::{Value, json};

/// The name of a stop reason and the stop sequence, when one was found.
pub(super) fn stop_reason(stop: &StopReason) -> (&'static str, Option<&str>) {
    match stop {
        StopReason::EndTurn => ("end_turn", None),
        StopReason::ToolUse => ("tool_use", None),
        StopReason::MaxTokens => ("max_tokens", None),
        StopReason::StopSequence(sequence) => ("stop_sequence", Some(sequence)),
        StopReason::ContextWindow => ("model_context_window_exceeded", None),
        StopReason::Refusal => ("refusal", None),
    }
}

/// `usage`: the input figure falls back to the estimate; cache figures only when the upstream gave them.
#[derive(Debug, Serialize)]
pub(super) struct WireUsage {
    input_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_creation_input_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_read_input_tokens: Option<u64>,
    output_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    server_tool_use: Option<ServerToolUse>,
}

#[derive(Debug, Serialize)]
struct ServerToolUse {
    web_search_requests: u32,
}

impl WireUsage {
    pub(super) fn new(usage: &Usage, echo: &Echo) -> Self {
        Self {
            input_tokens: usage.input_tokens.or(echo.input_tokens).unwrap_or(0),
            cache_creation_input_tokens: usage.cache_write_tokens,
            cache_read_input_tokens: usage.cache_read_tokens,
            output_tokens: usage.output_tokens.unwrap_or(0),
            server_tool_use: usage.web_searches.map(|web_search_requests| ServerToolUse { web_search_requests }),
        }
    }
}

/// The whole message.
pub(super) fn message(reply: &Reply, echo: &Echo) -> Value {
    let (stop_reason, stop_sequence) = stop_reason(&reply.stop);
    let mut message = json!({
        "id": message_id(echo),
        "type": "message",
        "role": "assistant",
        "model": echo.model,
        "content": content(&reply.blocks, echo.show_thinking),
        "stop_reason": stop_reason,
        "stop_sequence": stop_sequence,
        "usage": WireUsage::new(&reply.usage, echo),
    });
    if let Some(edits) = context_management(echo) {
        message["context_management"] = edits.clone();
    }
    message
}

/// What was edited in the history, when the client asked for edits.
pub(super) fn context_management(echo: &Echo) -> Option<&Value> {
    echo.repeat.get("context_management")
}

/// Texts that only hidden thinking parted become one block, as they do in a stream.
fn content(blocks: &[ReplyBlock], show_thinking: bool) -> Vec<Value> {
    let mut content = Vec::with_capacity(blocks.len());
    let mut text = String::new();
    for block in blocks {
        let value = match block {
            ReplyBlock::Text(piece) => {
                text.push_str(piece);
                continue;
            }
            ReplyBlock::Thinking { .. } | ReplyBlock::RedactedThinking(_) if !show_thinking => continue,
            ReplyBlock::Thinking { text, signature } => {
                json!({ "type": "thinking", "thinking": text, "signature": signature.as_deref().unwrap_or("") })
            }
            ReplyBlock::RedactedThinking(data) => json!({ "type": "redacted_thinking", "data": data }),
            ReplyBlock::ToolUse { id, name, input } => {
                json!({ "type": "tool_use", "id": id, "name": name, "input": input })
            }
            ReplyBlock::Search { id, query, outcome } => {
                flush(&mut text, &mut content);
                content.push(
                    json!({ "type": "server_tool_use", "id": id, "name": "web_search", "input": { "query": query } }),
                );
                json!({ "type": "web_search_tool_result", "tool_use_id": id, "content": search_content(outcome) })
            }
        };
        flush(&mut text, &mut content);
        content.push(value);
    }
    flush(&mut text, &mut content);
    content
}

/// What a search found.
pub(super) fn search_content(outcome: &Result<Vec<SearchHit>, &'static str>) -> Value {
    match outcome {
        Ok(hits) => hits
            .iter()
            .map(|hit| {
                json!({
                    "type": "web_search_result",
                    "title": hit.title,
                    "url": hit.url,
                    "encrypted_content": found::seal(&hit.snippet),
                    "page_age": hit.published,
                })
            })
            .collect(),
        Err(code) => json!({ "type": "web_search_tool_result_error", "error_code": code }),
    }
}

fn flush(text: &mut String, content: &mut Vec<Value>) {
    if !text.is_empty() {
        content.push(json!({ "type": "text", "text": std::mem::take(text) }));
    }
}
