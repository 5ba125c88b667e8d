//! How large a request is, in tokens: what is in it, piece by piece, under whatever counts the pieces of text.

use super::media;
use crate::conversation::JsonObject;
use crate::kiro::wire::{self, GenerateRequest, Message, ReasoningContent, Tool, ToolResultContent};
use serde_json::Value;

/// Tokens of an image whose size is not known, and about the most the providers make of one.
const IMAGE: u64 = 1_600;
/// Pixels of an image per token.
const PIXELS: u64 = 750;
/// Base64 characters of a document per token; most of such a file is not text.
const DOCUMENT_CHARS: u64 = 12;
/// Tokens that every turn, call, result and tool costs besides its text.
const FRAME: u64 = 4;

/// A rough count: four ASCII characters are a token, other characters are one each. Close for English, code and Chinese.
pub fn rough_tokens(text: &str) -> u64 {
    let ascii = text.bytes().filter(u8::is_ascii).count() as u64;
    let other = if ascii == text.len() as u64 { 0 } else { text.chars().count() as u64 - ascii };
    ascii.div_ceil(4) + other
}

/// Input tokens of a request. `text` counts the pieces of text; what is not text has fixed prices.
pub(super) fn measure(request: &GenerateRequest, text: &mut dyn FnMut(&str) -> u64) -> u64 {
    let state = &request.conversation_state;
    state.history.iter().chain([&state.current_message]).map(|turn| message(turn, text)).sum()
}

fn value(value: &impl serde::Serialize, text: &mut dyn FnMut(&str) -> u64) -> u64 {
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

fn message(message: &Message, text: &mut dyn FnMut(&str) -> u64) -> u64 {
    let mut sum = FRAME;
    match message {
        Message::UserInputMessage(user) => {
            sum += text(&user.content);
            sum += user.images.iter().map(image).sum::<u64>();
            sum += user.documents.iter().map(document).sum::<u64>();
            if let Some(context) = &user.user_input_message_context {
                sum += context.tools.iter().map(|entry| tool(entry, text)).sum::<u64>();
                for result in &context.tool_results {
                    sum += FRAME;
                    for piece in &result.content {
                        match piece {
                            ToolResultContent::Text(content) => sum += text(content),
                        }
                    }
                }
            }
        }
        Message::AssistantResponseMessage(assistant) => {
            sum += text(&assistant.content);
            for call in &assistant.tool_uses {
                sum += FRAME + text(&call.name) + value(&call.input, text);
            }
            match &assistant.reasoning_content {
                Some(ReasoningContent::ReasoningText(reasoning)) => sum += text(&reasoning.text),
                Some(ReasoningContent::RedactedContent(data)) => sum += rough_tokens(data),
                None => {}
            }
        }
    }
    sum
}

pub(super) fn tool(tool: &Tool, text: &mut dyn FnMut(&str) -> u64) -> u64 {
    match tool {
        Tool::ToolSpecification(spec) => {
            let schema = Value::Object(spec.input_schema.json.clone());
            FRAME + text(&spec.name) + text(&spec.description) + value(&schema, text)
        }
        Tool::CachePoint(_) => 0,
    }
}

/// By its pixels, as the providers count; larger pictures are made smaller by them.
pub(super) fn image(image: &wire::Image) -> u64 {
    media::pixels(image).map_or(IMAGE, |(width, height)| (width.saturating_mul(height) / PIXELS).clamp(1, IMAGE))
}

pub(super) fn document(document: &wire::Document) -> u64 {
    document.source.bytes.len() as u64 / DOCUMENT_CHARS
}
