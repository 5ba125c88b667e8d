//! How large a request is, in tokens. A rough guess, for protocols that must name a figure and for fitting.

use crate::conversation::JsonObject;
use crate::kiro::wire::{GenerateRequest, Message, ReasoningContent, Tool, ToolResultContent};
use serde_json::Value;

/// Tokens of an image at the size clients usually send.
const IMAGE: u64 = 1_500;
/// Base64 characters of a document per token; most of such a file is not text.
const DOCUMENT_CHARS: u64 = 12;
/// Tokens that every turn, call, result and tool costs besides its text.
const FRAME: u64 = 4;

/// Four ASCII characters are a token, other characters are one each: close for English, code and Chinese.
fn text(text: &str) -> u64 {
    let ascii = text.bytes().filter(u8::is_ascii).count() as u64;
    let other = (text.chars().count() as u64).saturating_sub(ascii);
    ascii.div_ceil(4) + other
}

fn value(value: &impl serde::Serialize) -> u64 {
    serde_json::to_string(value).map_or(0, |json| text(&json))
}

/// About the bytes of an object as JSON, without writing it.
pub(super) fn object_bytes(object: &JsonObject) -> usize {
    2 + object.iter().map(|(key, value)| key.len() + 4 + value_bytes(value)).sum::<usize>()
}

fn value_bytes(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 4,
        Value::String(text) => text.len() + 2,
        Value::Array(items) => 2 + items.iter().map(|item| value_bytes(item) + 1).sum::<usize>(),
        Value::Object(object) => object_bytes(object),
    }
}

/// Estimates the input tokens of a request.
pub(super) fn estimate(request: &GenerateRequest) -> u64 {
    let state = &request.conversation_state;
    state.history.iter().chain([&state.current_message]).map(message).sum()
}

fn message(message: &Message) -> u64 {
    match message {
        Message::UserInputMessage(user) => {
            let images = user.images.len() as u64 * IMAGE;
            let documents: u64 =
                user.documents.iter().map(|document| document.source.bytes.len() as u64 / DOCUMENT_CHARS).sum();
            let context = user.user_input_message_context.as_ref();
            let tools: u64 = context.map_or(0, |context| context.tools.iter().map(tool).sum());
            let results = context.map_or(0, |context| {
                let piece = |piece: &ToolResultContent| match piece {
                    ToolResultContent::Text(content) => text(content),
                };
                context.tool_results.iter().map(|result| FRAME + result.content.iter().map(piece).sum::<u64>()).sum()
            });
            FRAME + text(&user.content) + images + documents + tools + results
        }
        Message::AssistantResponseMessage(assistant) => {
            let calls: u64 = assistant.tool_uses.iter().map(|call| FRAME + text(&call.name) + value(&call.input)).sum();
            let reasoning = match &assistant.reasoning_content {
                Some(ReasoningContent::ReasoningText(reasoning)) => text(&reasoning.text),
                Some(ReasoningContent::RedactedContent(data)) => text(data),
                None => 0,
            };
            FRAME + text(&assistant.content) + calls + reasoning
        }
    }
}

fn tool(tool: &Tool) -> u64 {
    match tool {
        Tool::ToolSpecification(spec) => {
            let schema = Value::Object(spec.input_schema.json.clone());
            FRAME + text(&spec.name) + text(&spec.description) + value(&schema)
        }
        Tool::CachePoint(_) => 0,
    }
}
