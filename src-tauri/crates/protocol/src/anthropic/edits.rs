//! `context_management`: edits of the history that the client asks for, applied before anything is sent.
//!
//! The client keeps its whole history and sends it again, so every request is edited anew. Figures of tokens are estimates
//! (a quarter of the bytes): they decide when an edit begins and are reported, nothing else.

use super::wire::{Amount, ContextManagement, Edit};
use crate::conversation::{Block, Conversation, JsonObject, Message, Role, ToolSpec};
use crate::reading::notes::{Fault, Notes};
use serde_json::{Value, json};
use std::collections::HashSet;

/// What stands in place of a result that was cleared.
const CLEARED: &str = "[The result of this tool call was cleared to save space.]";
/// Defaults of the API.
const TRIGGER_TOKENS: u64 = 100_000;
const KEPT_TOOL_USES: u64 = 3;
const KEPT_THINKING_TURNS: u64 = 1;
/// What a picture or document counts.
const MEDIA_TOKENS: u64 = 1_600;

/// Applies the edits in their order; what the answer says about them, when there were any.
pub(super) fn apply(
    wish: ContextManagement,
    into: &mut Conversation,
    notes: &mut Notes,
) -> Result<Option<Value>, Fault> {
    notes.unknown("context_management", &wish.unknown);
    let edits = wish.edits.unwrap_or_default();
    if edits.is_empty() {
        return Ok(None);
    }
    let mut applied: Vec<Value> = Vec::new();
    for (index, edit) in edits.into_iter().enumerate() {
        let at = format!("context_management.edits[{index}]");
        notes.unknown(&at, &edit.unknown);
        match edit.kind.as_deref() {
            Some("clear_thinking_20251015") => applied.extend(clear_thinking(&edit, &at, into)?),
            Some("clear_tool_uses_20250919") => applied.extend(clear_tool_uses(&edit, &at, into)?),
            Some(_) => notes.add("field_ignored", at, "this edit is not known here; the history is passed on as it is"),
            None => return Err(Fault::missing(format!("{at}.type"))),
        }
    }
    Ok(Some(json!({ "applied_edits": applied })))
}

/// Leaves thinking only in the last turns that have some.
fn clear_thinking(edit: &Edit, at: &str, into: &mut Conversation) -> Result<Option<Value>, Fault> {
    let keep = match &edit.keep {
        Some(Value::String(all)) if all == "all" => return Ok(None),
        keep => kept(keep.as_ref(), "thinking_turns", KEPT_THINKING_TURNS, at)?,
    };
    if keep == 0 {
        return Err(Fault::invalid(format!("{at}.keep.value"), "Input should be greater than 0"));
    }
    let is_thinking = |block: &Block| matches!(block, Block::Thinking { .. } | Block::RedactedThinking { .. });
    let thinks = |message: &&mut Message| message.role == Role::Assistant && message.content.iter().any(is_thinking);
    let (mut turns, mut tokens) = (0_u64, 0);
    for message in into.messages.iter_mut().rev().filter(thinks).skip(usize::try_from(keep).unwrap_or(usize::MAX)) {
        turns += 1;
        tokens += message.content.iter().filter(|block| is_thinking(block)).map(weight).sum::<u64>();
        message.content.retain(|block| !is_thinking(block));
    }
    Ok((turns > 0).then(|| {
        json!({ "type": "clear_thinking_20251015", "cleared_thinking_turns": turns, "cleared_input_tokens": tokens })
    }))
}

/// Clears the results of the oldest tool calls, and their inputs when asked to.
fn clear_tool_uses(edit: &Edit, at: &str, into: &mut Conversation) -> Result<Option<Value>, Fault> {
    let keep = kept(edit.keep.as_ref(), "tool_uses", KEPT_TOOL_USES, at)?;
    let calls = into.messages.iter().flat_map(|message| &message.content).filter_map(Block::call);
    let calls: Vec<(String, String)> = calls.map(|(id, name)| (id.to_owned(), name.to_owned())).collect();
    if !begins(edit.trigger.as_ref(), calls.len() as u64, into, at)? {
        return Ok(None);
    }
    let excluded = edit.exclude_tools.as_deref().unwrap_or_default();
    let old = calls.len().saturating_sub(usize::try_from(keep).unwrap_or(usize::MAX));
    let old: HashSet<&str> =
        calls[..old].iter().filter(|(_, name)| !excluded.contains(name)).map(|(id, _)| id.as_str()).collect();
    let clears_input = |name: &str| match &edit.clear_tool_inputs {
        Some(Value::Bool(all)) => *all,
        Some(Value::Array(names)) => names.iter().any(|listed| listed.as_str() == Some(name)),
        Some(Value::Null | Value::Number(_) | Value::String(_) | Value::Object(_)) | None => false,
    };
    let mut found: Vec<&mut Block> = Vec::new();
    for block in into.messages.iter_mut().flat_map(|message| &mut message.content) {
        let cleared = match &*block {
            Block::ToolResult { tool_use_id, .. } => old.contains(tool_use_id.as_str()),
            Block::ToolUse { id, name, .. } => old.contains(id.as_str()) && clears_input(name),
            Block::Text { .. }
            | Block::Thinking { .. }
            | Block::RedactedThinking { .. }
            | Block::Image(_)
            | Block::RemoteImage { .. }
            | Block::Document(_) => false,
        };
        if cleared {
            found.push(block);
        }
    }
    let tokens: u64 = found.iter().map(|block| weight(block)).sum();
    let least = amount(edit.clear_at_least.as_ref(), "input_tokens", &format!("{at}.clear_at_least"))?;
    let results = found.iter().filter(|block| matches!(block, Block::ToolResult { .. })).count();
    if results == 0 || least.is_some_and(|least| tokens < least) {
        return Ok(None);
    }
    for block in found {
        match block {
            Block::ToolResult { content, .. } => {
                *content = vec![Block::Text { text: CLEARED.to_owned(), cache: false }]
            }
            Block::ToolUse { input, .. } => *input = JsonObject::new(),
            Block::Text { .. }
            | Block::Thinking { .. }
            | Block::RedactedThinking { .. }
            | Block::Image(_)
            | Block::RemoteImage { .. }
            | Block::Document(_) => {}
        }
    }
    Ok(Some(
        json!({ "type": "clear_tool_uses_20250919", "cleared_tool_uses": results, "cleared_input_tokens": tokens }),
    ))
}

/// True when the conversation is over the threshold.
fn begins(trigger: Option<&Amount>, calls: u64, conversation: &Conversation, at: &str) -> Result<bool, Fault> {
    let threshold = trigger.and_then(|trigger| trigger.value);
    match trigger.and_then(|trigger| trigger.kind.as_deref()) {
        None | Some("input_tokens") => Ok(size(conversation) > threshold.unwrap_or(TRIGGER_TOKENS)),
        Some("tool_uses") => Ok(calls > threshold.ok_or_else(|| Fault::missing(format!("{at}.trigger.value")))?),
        Some(_) => {
            let words = "Input tag does not match any of the expected tags: 'input_tokens', 'tool_uses'";
            Err(Fault::invalid(format!("{at}.trigger.type"), words))
        }
    }
}

fn amount(amount: Option<&Amount>, kind: &str, at: &str) -> Result<Option<u64>, Fault> {
    match amount {
        None => Ok(None),
        Some(amount) if amount.kind.as_deref() == Some(kind) => {
            amount.value.map(Some).ok_or_else(|| Fault::missing(format!("{at}.value")))
        }
        Some(_) => Err(Fault::invalid(format!("{at}.type"), format!("Input should be '{kind}'"))),
    }
}

/// `keep: {"type": …, "value": N}`.
fn kept(keep: Option<&Value>, kind: &str, default: u64, at: &str) -> Result<u64, Fault> {
    let Some(keep) = keep else { return Ok(default) };
    if keep.get("type").and_then(Value::as_str) != Some(kind) {
        return Err(Fault::invalid(format!("{at}.keep.type"), format!("Input should be '{kind}'")));
    }
    let wrong =
        || Fault::new("wrong_type", format!("{at}.keep.value"), "Input should be a whole number that is not negative");
    keep.get("value").and_then(Value::as_u64).ok_or_else(wrong)
}

/// Estimated tokens of the whole request.
fn size(conversation: &Conversation) -> u64 {
    let blocks = conversation.messages.iter().flat_map(|message| &message.content).chain(&conversation.system);
    let tool = |tool: &ToolSpec| tokens(tool.name.len() + tool.description.len() + json_len(&tool.schema));
    blocks.map(weight).sum::<u64>() + conversation.tools.iter().map(tool).sum::<u64>()
}

fn weight(block: &Block) -> u64 {
    match block {
        Block::Text { text, .. } => tokens(text.len()),
        Block::Thinking { text, signature } => tokens(text.len() + signature.as_ref().map_or(0, String::len)),
        Block::RedactedThinking { data } => tokens(data.len()),
        Block::Image(_) | Block::RemoteImage { .. } | Block::Document(_) => MEDIA_TOKENS,
        Block::ToolUse { name, input, .. } => tokens(name.len() + json_len(input)),
        Block::ToolResult { content, .. } => content.iter().map(weight).sum(),
    }
}

fn tokens(bytes: usize) -> u64 {
    bytes.div_ceil(4) as u64
}

/// Length of the JSON text of an object.
fn json_len(object: &JsonObject) -> usize {
    serde_json::to_string(object).map_or(0, |text| text.len())
}
