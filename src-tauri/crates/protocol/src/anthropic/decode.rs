//! The whole request into a [`Conversation`].
//!
//! Messages of the role `system` (newer clients put them between the turns) stay where they are: at the head they join
//! the system text, later they become user text in `<system-reminder>` marks. That keeps their place in the story and
//! leaves the long common beginning of two requests equal, which is what upstream caching lives on.

use super::session::session;
use super::wire::{Request, WireBlock, WireMessage};
use super::wishes::{asks_for_live_input, output_config, output_format, thinking};
use super::{MAX_STOP_SEQUENCES, edits, tools};
use crate::codec::{DecodeError, Delivery, Echo, Inbound, RequestHead};
use crate::conversation::{Block, Conversation, JsonObject, Message, Role, Sampling};
use crate::reading;
use crate::reading::content::{ContentOf, reminder};
use crate::reading::notes::{Fault, Notes};
use crate::reading::number::within;
use std::sync::Arc;

/// What the decoded request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Answer,
    Count,
}

/// A line that some clients put in front of the system text; it changes with every session and means nothing here.
const BILLING_HEADER: &str = "x-anthropic-billing-header:";

/// Decodes a body.
pub(super) fn decode(head: &RequestHead, body: &[u8], purpose: Purpose) -> Result<Inbound, DecodeError> {
    let (request, repaired) = reading::parse::<Request>(body)?;
    let mut notes = Notes::default();
    if repaired {
        notes.add("lone_surrogate_replaced", "", "half a character (a lone surrogate) was replaced by U+FFFD");
    }
    Ok(build(head, request, purpose, notes)?)
}

fn build(head: &RequestHead, request: Request, purpose: Purpose, mut notes: Notes) -> Result<Inbound, Fault> {
    notes.unknown("", &request.unknown);
    ignored(&request, &mut notes);

    let model = request.model.ok_or_else(|| Fault::missing("model"))?;
    if model.trim().is_empty() {
        return Err(Fault::invalid("model", "String should have at least 1 character"));
    }
    let mut conversation = Conversation { model, ..Conversation::default() };
    conversation.sampling = Sampling {
        max_tokens: max_tokens(request.max_tokens, purpose)?,
        stop_sequences: stop_sequences(request.stop_sequences.unwrap_or_default())?,
        temperature: within(request.temperature, 2.0, "temperature", "Input should be")?,
        top_p: within(request.top_p, 1.0, "top_p", "Input should be")?,
        effort: None,
    };
    if let Some(system) = request.system {
        conversation.system = system_blocks(system, "system", &mut notes)?;
    }
    if let Some(config) = request.output_config {
        output_config(config, "output_config", &mut conversation, &mut notes);
    }
    if let Some(format) = request.output_format {
        output_format(format, "output_format", &mut conversation, &mut notes);
    }
    let messages = request.messages.ok_or_else(|| Fault::missing("messages"))?.within("messages")?;
    for (index, item) in messages.into_iter().enumerate() {
        message(item, &format!("messages[{index}]"), &mut conversation, &mut notes)?;
    }
    if conversation.messages.is_empty() {
        return Err(Fault::invalid("messages", "at least one message with content is required"));
    }
    if let Some(declared) = request.tools {
        tools::declare(declared.within("tools")?, &mut conversation, &mut notes)?;
    }
    if let Some(choice) = request.tool_choice {
        tools::choose(choice, &mut conversation, &mut notes)?;
    }
    conversation.live_tool_input |= asks_for_live_input(head, request.betas.as_deref().unwrap_or_default());
    if request.cache_control.is_some() {
        cache_all(&mut conversation);
    }
    let mut repeat = JsonObject::new();
    if let Some(wish) = request.context_management
        && let Some(applied) = edits::apply(wish, &mut conversation, &mut notes)?
    {
        repeat.insert("context_management".to_owned(), applied);
    }
    let mut show_thinking = false;
    if let Some(wish) = request.thinking {
        (conversation.thinking, show_thinking) = thinking(wish, &mut notes)?;
    }
    conversation.session = session(&head.headers, request.metadata, &mut notes);

    let delivery = if request.stream == Some(true) { Delivery::Stream } else { Delivery::Whole };
    let echo = Echo { show_thinking, repeat: Arc::new(repeat), ..Echo::new(head, &conversation, delivery) };
    Ok(Inbound { conversation, delivery, echo, notices: notes.finish(), keep: None, forgets_signatures: false })
}

/// Fields that are known and have no counterpart upstream.
fn ignored(request: &Request, notes: &mut Notes) {
    for (present, key, detail) in [
        (request.top_k.is_some(), "top_k", "the upstream has no such setting"),
        (request.safeguards.is_some(), "safeguards", "tool calls are not judged here; the client's own check applies"),
        (request.mcp_servers.is_some(), "mcp_servers", "MCP servers are not called from here"),
        (request.container.is_some(), "container", "there are no containers here"),
        (request.service_tier.is_some(), "service_tier", "there are no service tiers here"),
        (request.inference_geo.is_some(), "inference_geo", "the region is that of the account"),
        (request.speed.is_some(), "speed", "the upstream has no such setting"),
    ] {
        if present {
            notes.add("field_ignored", key, detail);
        }
    }
}

/// A cache mark on the request stands for one behind the last block that can carry it.
fn cache_all(conversation: &mut Conversation) {
    for block in conversation.messages.iter_mut().rev().flat_map(|message| message.content.iter_mut().rev()) {
        match block {
            Block::Text { cache, .. } | Block::ToolUse { cache, .. } | Block::ToolResult { cache, .. } => {
                *cache = true;
                return;
            }
            Block::Thinking { .. }
            | Block::RedactedThinking { .. }
            | Block::Image(_)
            | Block::RemoteImage { .. }
            | Block::Document(_) => {}
        }
    }
}

fn max_tokens(value: Option<u64>, purpose: Purpose) -> Result<Option<u32>, Fault> {
    match (value, purpose) {
        (Some(0), Purpose::Answer) => Err(Fault::invalid("max_tokens", "Input should be greater than or equal to 1")),
        (Some(value), _) => Ok(Some(u32::try_from(value).unwrap_or(u32::MAX))),
        (None, Purpose::Answer) => Err(Fault::missing("max_tokens")),
        (None, Purpose::Count) => Ok(None),
    }
}

fn stop_sequences(list: Vec<String>) -> Result<Vec<String>, Fault> {
    if list.len() > MAX_STOP_SEQUENCES {
        let message = format!("List should have at most {MAX_STOP_SEQUENCES} items, not {}", list.len());
        return Err(Fault::new("too_many", "stop_sequences", message));
    }
    match list.iter().position(|sequence| sequence.trim().is_empty()) {
        Some(index) => {
            Err(Fault::invalid(format!("stop_sequences[{index}]"), "each stop sequence must contain non-whitespace"))
        }
        None => Ok(list),
    }
}

/// System text: text blocks only, without the billing line.
fn system_blocks(content: ContentOf<WireBlock>, path: &str, notes: &mut Notes) -> Result<Vec<Block>, Fault> {
    let mut blocks = content.into_blocks(path, notes)?;
    blocks.retain(|block| match block {
        Block::Text { text, .. } if text.trim_start().starts_with(BILLING_HEADER) => {
            notes.add("billing_header_dropped", path, "the client's billing line is not passed on");
            false
        }
        Block::Text { .. } => true,
        Block::Thinking { .. }
        | Block::RedactedThinking { .. }
        | Block::Image(_)
        | Block::RemoteImage { .. }
        | Block::Document(_)
        | Block::ToolUse { .. }
        | Block::ToolResult { .. } => {
            notes.add("system_block_dropped", path, "only text can be part of the system text");
            false
        }
    });
    Ok(blocks)
}

fn message(item: WireMessage, at: &str, into: &mut Conversation, notes: &mut Notes) -> Result<(), Fault> {
    notes.unknown(at, &item.unknown);
    let role = item.role.ok_or_else(|| Fault::missing(format!("{at}.role")))?;
    let path = format!("{at}.content");
    let content = item.content.ok_or_else(|| Fault::missing(path.clone()))?;
    if let Some(config) = item.output_config {
        output_config(config, &format!("{at}.output_config"), into, notes);
    }
    let (role, content) = match role.as_str() {
        "user" => (Role::User, user_blocks(content.into_blocks(&path, notes)?, &path, notes)?),
        "assistant" => (Role::Assistant, assistant_blocks(content.into_blocks(&path, notes)?, &path)?),
        "system" => {
            let blocks = system_blocks(content, &path, notes)?;
            if into.messages.is_empty() {
                notes.add("system_message_moved", at, "a leading system message joined the system text");
                into.system.extend(blocks);
                return Ok(());
            }
            notes.add("system_message_marked", at, "a later system message became marked user text in its place");
            (Role::User, blocks.into_iter().map(reminder).collect())
        }
        _ => {
            let message = "Unexpected role: only \"user\", \"assistant\" and \"system\" are allowed";
            return Err(Fault::invalid(format!("{at}.role"), message));
        }
    };
    if content.is_empty() {
        notes.add("empty_message", at, "a message without content was left out");
        return Ok(());
    }
    into.messages.push(Message { role, content });
    Ok(())
}

fn user_blocks(mut blocks: Vec<Block>, path: &str, notes: &mut Notes) -> Result<Vec<Block>, Fault> {
    if blocks.iter().any(|block| matches!(block, Block::ToolUse { .. })) {
        return Err(Fault::invalid(path, "`tool_use` blocks can only be in `assistant` messages"));
    }
    let before = blocks.len();
    blocks.retain(|block| !matches!(block, Block::Thinking { .. } | Block::RedactedThinking { .. }));
    if blocks.len() < before {
        notes.add("thinking_dropped", path, "thinking in a user message was left out");
    }
    Ok(blocks)
}

fn assistant_blocks(blocks: Vec<Block>, path: &str) -> Result<Vec<Block>, Fault> {
    if blocks.iter().any(|block| matches!(block, Block::ToolResult { .. })) {
        return Err(Fault::invalid(path, "`tool_result` blocks can only be in `user` messages"));
    }
    Ok(blocks)
}
