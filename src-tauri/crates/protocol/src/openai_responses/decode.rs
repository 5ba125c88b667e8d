//! The whole request into a [`Conversation`].
//!
//! Tools come first, because calls of earlier turns are written with the names that the model knows: those of `tools`, then
//! those that items carry (`additional_tools`, results of tool searches). Then the items are told in order: those of the
//! answer that is continued, then those of this request.

use super::content::plain;
use super::items::{self, Story, kind};
use super::options;
use super::tools::Toolbox;
use super::wire::{Input, Request, WireItem};
use super::{MAX_ITEMS, choice, compact, kept};
use crate::codec::{DecodeError, Delivery, Echo, Inbound, RequestHead};
use crate::conversation::{Block, Conversation, Message, Role};
use crate::openai::arguments;
use crate::reading;
use crate::reading::content::{Content, shown};
use crate::reading::loose::Capped;
use crate::reading::notes::{Fault, Notes};
use serde_json::Value;
use std::sync::Arc;

/// What the decoded request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Answer,
    Count,
    Compact,
}

/// Decodes a body.
pub(super) fn decode(head: &RequestHead, body: &[u8], purpose: Purpose) -> Result<Inbound, DecodeError> {
    let (request, repaired) = reading::parse::<Request>(body)?;
    let mut notes = Notes::default();
    if repaired {
        notes.add("lone_surrogate_replaced", "", "half a character (a lone surrogate) was replaced by U+FFFD");
    }
    Ok(build(head, body, request, purpose, notes)?)
}

fn build(
    head: &RequestHead,
    body: &[u8],
    mut request: Request,
    purpose: Purpose,
    mut notes: Notes,
) -> Result<Inbound, Fault> {
    notes.unknown("", &std::mem::take(&mut request.unknown));
    options::refused(&request)?;
    options::ignored(&request, &mut notes);
    let kept = head.kept.as_deref();
    if let (Some(id), None) = (&request.previous_response_id, kept) {
        let message = format!("Previous response with id '{}' not found.", shown(id));
        return Err(Fault::invalid("previous_response_id", message));
    }
    let model = request.model.clone().ok_or_else(|| Fault::missing("model"))?;
    if model.trim().is_empty() {
        return Err(Fault::invalid("model", "Expected a model name"));
    }
    let keeps = purpose == Purpose::Answer && request.store != Some(false);
    let keep = keeps.then(|| kept::keep(body, kept, &request, &head.request_id)).flatten();
    if keeps && keep.is_none() {
        notes.add("answer_not_kept", "", "the body is broken where it does not matter; the answer cannot be continued");
        request.store = Some(false);
    }
    let told_by_user = match purpose {
        Purpose::Compact => kept::keep(body, kept, &request, &head.request_id).unwrap_or_default(),
        Purpose::Answer | Purpose::Count => Vec::new(),
    };
    let mut conversation = Conversation { model, ..Conversation::default() };
    let view = options::apply(&request, head, &mut conversation, &mut notes)?;
    let mut told = None;
    if let Some(instructions) = request.instructions.take() {
        if let Content::Text(text) = &instructions.content {
            told = Some(text.clone());
        }
        let blocks = instructions.into_blocks("instructions", &mut notes)?;
        conversation.system.extend(blocks.into_iter().filter(|block| matches!(block, Block::Text { .. })));
    }

    let earlier = match (&request.previous_response_id, kept) {
        (Some(_), Some(kept)) => kept::items(kept).map(kept::read).collect::<Result<Vec<_>, _>>()?,
        (Some(_) | None, _) => Vec::new(),
    };
    let (text, items) = match request.input.take() {
        Some(Input::Text(text)) => (Some(text), None),
        Some(Input::Items(items)) => (None, Some(items)),
        None => (None, None),
    };
    let items = resolved(items, kept, !earlier.is_empty(), &mut notes)?;
    let mut tools = Toolbox::new(request.max_tool_calls);
    let declared = request.tools.take().map(|tools| tools.within("tools")).transpose()?.unwrap_or_default();
    tools.declare(&declared, "tools", &mut notes)?;
    for (item, at) in &items {
        carried(item, at, &mut tools, &mut notes)?;
    }
    for item in &earlier {
        carried(item, "previous_response_id", &mut tools, &mut Notes::default())?;
    }
    tools.check()?;
    let choice = request.tool_choice.take().unwrap_or_default();
    conversation.tool_choice = choice::choose(&choice, &mut tools, &mut notes)?;

    let instructions = conversation.system.len();
    let mut story = Story {
        conversation: &mut conversation,
        tools: &tools,
        notes: &mut notes,
        budget: &mut arguments::Budget::default(),
        compaction: false,
    };
    // A compaction stands for what came before it, and the wish for one was granted by the answer that is continued.
    let compacted = earlier.iter().rposition(items::is_own_compaction).unwrap_or(0);
    for item in earlier.into_iter().skip(compacted) {
        story.item(item, "previous_response_id")?;
    }
    story.compaction = purpose == Purpose::Compact;
    for (item, at) in items {
        story.item(*item, &at)?;
    }
    if let Some(text) = text.filter(|text| !text.is_empty()) {
        story.turn(Role::User, vec![plain(text)]);
    }
    let compaction = story.compaction;
    if conversation.messages.is_empty() && conversation.system.len() > instructions {
        // Nothing but instructions: then they are what there is to answer.
        let content = conversation.system.split_off(instructions);
        conversation.messages.push(Message { role: Role::User, content });
    }
    if conversation.messages.is_empty() {
        return Err(Fault::invalid("input", "One of 'input' or 'previous_response_id' with content is required"));
    }
    conversation.tools = tools.specs;
    conversation.server_tools = tools.server;

    let delivery = if request.stream == Some(true) { Delivery::Stream } else { Delivery::Whole };
    let mut repeat = options::repeated(&mut request, told, declared, choice);
    if compaction {
        compact::ask(&mut conversation, &mut repeat, told_by_user);
    }
    let echo = Echo {
        show_thinking: view,
        tools: Arc::new(tools.forms),
        repeat: Arc::new(repeat),
        ..Echo::new(head, &conversation, delivery)
    };
    Ok(Inbound {
        conversation,
        delivery,
        echo,
        notices: notes.finish(),
        keep: keep.map(Value::Array),
        forgets_signatures: false,
    })
}

/// The items of this request with their paths. References become what they refer to; what an answer that is continued
/// holds anyway is not told twice.
fn resolved(
    input: Option<Capped<Box<WireItem>, MAX_ITEMS>>,
    kept: Option<&Value>,
    continued: bool,
    notes: &mut Notes,
) -> Result<Vec<(Box<WireItem>, String)>, Fault> {
    let list = input.map_or_else(|| Ok(Vec::new()), |list| list.within("input"))?;
    let known = kept::by_id(kept);
    let mut items = Vec::with_capacity(list.len());
    for (index, item) in list.into_iter().enumerate() {
        let at = format!("input[{index}]");
        if kind(&item).as_deref() != Some("item_reference") {
            items.push((item, at));
            continue;
        }
        let id = super::wire::text(item.id).ok_or_else(|| Fault::missing(format!("{at}.id")))?;
        match known.get(id.as_str()) {
            Some(_) if continued => notes.add("reference_known", at, "the continued answer holds this item already"),
            Some(found) => items.push((Box::new(kept::read(found)?), at)),
            None => {
                let message = format!("Item with id '{}' not found.", shown(&id));
                return Err(Fault::invalid(at, message));
            }
        }
    }
    Ok(items)
}

/// Declares the tools that an item carries.
fn carried(item: &WireItem, at: &str, tools: &mut Toolbox, notes: &mut Notes) -> Result<(), Fault> {
    match (kind(item).as_deref(), &item.tools) {
        (Some("additional_tools" | "tool_search_output"), Some(Value::Array(list))) => {
            tools.learn(list, &format!("{at}.tools"), notes)
        }
        _ => Ok(()),
    }
}
