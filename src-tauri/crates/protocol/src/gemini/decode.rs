//! The whole request into a [`Conversation`].

use super::config;
use super::contents::{Turns, read};
use super::parts::Piece;
use super::path::{Call, Method};
use super::tools;
use super::values::{Content, Present};
use super::wire::Request;
use crate::codec::{DecodeError, Delivery, Echo, Inbound, RequestHead};
use crate::conversation::{Block, Conversation};
use crate::reading;
use crate::reading::notes::{Fault, Notes};

/// What the decoded request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Answer,
    Count,
}

/// Decodes a body. Error paths are written the way this API writes them: `contents[0].parts[1]`.
pub(super) fn decode(head: &RequestHead, body: &[u8], purpose: Purpose) -> Result<Inbound, DecodeError> {
    let (request, repaired) =
        reading::parse::<Request>(body).map_err(|error| DecodeError { path: bracketed(&error.path), ..error })?;
    let mut notes = Notes::default();
    if repaired {
        notes.add("lone_surrogate_replaced", "", "half a character (a lone surrogate) was replaced by U+FFFD");
    }
    build(head, request, purpose, notes).map_err(|Fault { code, path, message }| DecodeError { code, path, message })
}

/// `contents.0.parts` → `contents[0].parts`.
fn bracketed(path: &str) -> String {
    let mut out = String::with_capacity(path.len() + 8);
    for (index, step) in path.split('.').enumerate() {
        if !step.is_empty() && step.bytes().all(|byte| byte.is_ascii_digit()) {
            out.push_str(&format!("[{step}]"));
        } else {
            if index > 0 {
                out.push('.');
            }
            out.push_str(step);
        }
    }
    out
}

fn build(head: &RequestHead, request: Request, purpose: Purpose, mut notes: Notes) -> Result<Inbound, Fault> {
    let (request, at) = match request.generate {
        Some(inner) if purpose == Purpose::Count => {
            notes.unknown("", &request.unknown);
            (*inner, "generateContentRequest.")
        }
        Some(_) => {
            return Err(Fault::invalid("generateContentRequest", "This field is for countTokens only"));
        }
        None => (request, ""),
    };
    let call = Call::parse(&head.path);
    let model = call.as_ref().map(|call| call.model.clone()).ok_or_else(|| Fault::missing("model"))?;
    let mut conversation = Conversation { model, ..Conversation::default() };
    let show_thinking = fill(request, &mut conversation, &mut notes).map_err(|fault| fault.under(at))?;
    conversation.session = session(head);

    let delivery = match call.map(|call| call.method) {
        Some(Method::StreamGenerate) if asks_for_sse(&head.query) => Delivery::Stream,
        Some(Method::StreamGenerate) => Delivery::JsonArray,
        Some(Method::Generate | Method::CountTokens) | None => Delivery::Whole,
    };
    let echo = Echo { show_thinking, ..Echo::new(head, &conversation, delivery) };
    Ok(Inbound { conversation, delivery, echo, notices: notes.finish(), keep: None, forgets_signatures: false })
}

/// Everything but the head. True when thoughts are to be shown.
fn fill(request: Request, into: &mut Conversation, notes: &mut Notes) -> Result<bool, Fault> {
    notes.unknown("", &request.unknown);
    if request.cached_content.is_some_and(|name| !name.is_empty()) {
        let words = "Cached contents are not available here; send the whole contents";
        return Err(Fault::unsupported("cachedContent", words));
    }
    let there = |field: Option<Present>| field.is_some_and(|present| present.0);
    for (present, key, detail) in [
        (there(request.safety_settings), "safetySettings", "the upstream has no such setting"),
        (there(request.labels), "labels", "requests are not labelled here"),
        (there(request.service_tier), "serviceTier", "there are no service tiers here"),
        (there(request.store), "store", "nothing is stored here"),
    ] {
        if present {
            notes.add("field_ignored", key, detail);
        }
    }
    if let Some(system) = request.system {
        into.system = system_blocks(system, notes)?;
    }
    let mut turns = Turns::default();
    let contents = request.contents.ok_or_else(no_contents)?.0.within("contents")?;
    for (index, content) in contents.into_iter().enumerate() {
        turns.add(content, &format!("contents[{index}]"), notes)?;
    }
    into.messages = turns.finish();
    if into.messages.is_empty() {
        return Err(no_contents());
    }
    if let Some(declared) = request.tools {
        tools::declare(declared.within("tools")?, into, notes)?;
    }
    if let Some(config) = request.tool_config {
        tools::configure(config, into, notes)?;
    }
    match request.config {
        Some(config) => config::apply(*config, into, notes),
        None => Ok(false),
    }
}

fn no_contents() -> Fault {
    Fault::new("missing_field", "contents", "contents is not specified")
}

/// System text: text only.
fn system_blocks(content: Content, notes: &mut Notes) -> Result<Vec<Block>, Fault> {
    let (_, pieces) = read(content, "systemInstruction", notes)?;
    let mut blocks = Vec::with_capacity(pieces.len());
    for piece in pieces {
        match piece {
            Piece::Block(block @ Block::Text { .. }) => blocks.push(block),
            Piece::Block(_) | Piece::Thought(_) | Piece::Sealed(..) | Piece::Call { .. } | Piece::Response { .. } => {
                notes.add("system_block_dropped", "systemInstruction", "only text can be part of the system text");
            }
        }
    }
    Ok(blocks)
}

/// `alt=sse`; the name may also be written with a dollar sign.
fn asks_for_sse(query: &str) -> bool {
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .any(|(name, value)| matches!(name, "alt" | "$alt" | "%24alt") && value.eq_ignore_ascii_case("sse"))
}

/// Gemini CLI names no session; other programs that speak this API do.
fn session(head: &RequestHead) -> Option<String> {
    ["x-session-id", "x-session-affinity"].into_iter().find_map(|name| {
        head.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .filter(|value| !value.is_empty())
            .map(str::to_owned)
    })
}
