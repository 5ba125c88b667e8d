//! Contents into turns.
//!
//! Pieces of the model's text that stand next to each other are one text: some clients keep every chunk of a stream as a
//! content of its own. Calls and responses are matched by id, else by name and order, as this API allows; what has no id
//! gets one that depends only on what came before, so that the beginning of two requests stays equal.

use super::parts::Piece;
use super::signature::Thought;
use super::values::Content;
use crate::conversation::{Block, Message, Role};
use crate::reading::notes::{Fault, Notes};

/// A call of the latest model turn that has no response yet.
struct OpenCall {
    id: String,
    name: String,
    /// False when the id was made here.
    given: bool,
}

/// Reads contents one after the other.
#[derive(Default)]
pub(super) struct Turns {
    messages: Vec<Message>,
    open: Vec<OpenCall>,
    made: usize,
}

impl Turns {
    pub(super) fn add(&mut self, content: Content, at: &str, notes: &mut Notes) -> Result<(), Fault> {
        let (role, pieces) = read(content, at, notes)?;
        let is_model = match role.as_deref() {
            Some("model" | "assistant") => true,
            Some("user" | "function" | "tool") => false,
            None | Some("") => pieces.iter().any(|piece| matches!(piece, Piece::Call { .. })),
            Some(_) => {
                return Err(Fault::invalid(format!("{at}.role"), "Please use a valid role: user, model."));
            }
        };
        if is_model { self.model(pieces, at, notes) } else { self.user(pieces, at, notes) }
    }

    pub(super) fn finish(self) -> Vec<Message> {
        self.messages
    }

    fn model(&mut self, pieces: Vec<Piece>, at: &str, notes: &mut Notes) -> Result<(), Fault> {
        let continued = self.messages.last().is_some_and(|last| last.role == Role::Assistant);
        let mut blocks = match self.messages.pop() {
            Some(last) if continued => last.content,
            other => {
                self.messages.extend(other);
                self.open.clear();
                Vec::new()
            }
        };
        let mut latest = None;
        for piece in pieces {
            match piece {
                Piece::Block(Block::Text { text, cache }) => match blocks.last_mut() {
                    Some(Block::Text { text: before, .. }) => before.push_str(&text),
                    Some(_) | None => blocks.push(Block::Text { text, cache }),
                },
                Piece::Block(block) => blocks.push(block),
                Piece::Thought(text) => blocks.push(Block::Thinking { text, signature: None }),
                // Some clients copy one signature to several parts.
                Piece::Sealed(signature, _) if latest.as_ref() == Some(&signature) => {}
                Piece::Sealed(signature, thoughts) => {
                    replace_shown(&mut blocks, thoughts);
                    latest = Some(signature);
                }
                Piece::Call { id, name, input } => {
                    let given = id.is_some();
                    let id = id.unwrap_or_else(|| self.make_id());
                    self.open.push(OpenCall { id: id.clone(), name: name.clone(), given });
                    blocks.push(Block::ToolUse { id, name, input, cache: false });
                }
                Piece::Response { .. } => {
                    return Err(Fault::invalid(
                        format!("{at}.parts"),
                        "functionResponse is not allowed in a model turn.",
                    ));
                }
            }
        }
        self.push(Role::Assistant, blocks, at, notes);
        Ok(())
    }

    fn user(&mut self, pieces: Vec<Piece>, at: &str, notes: &mut Notes) -> Result<(), Fault> {
        let mut blocks = Vec::with_capacity(pieces.len());
        for piece in pieces {
            match piece {
                // A picture right behind a response is what the tool has read (Gemini CLI).
                Piece::Block(block @ (Block::Image(_) | Block::RemoteImage { .. } | Block::Document(_))) => {
                    match blocks.last_mut() {
                        Some(Block::ToolResult { content, .. }) => content.push(block),
                        Some(_) | None => blocks.push(block),
                    }
                }
                Piece::Block(block) => blocks.push(block),
                Piece::Thought(_) | Piece::Sealed(..) => {
                    notes.add("thinking_dropped", at, "a thought in a user turn was left out");
                }
                Piece::Call { .. } => {
                    return Err(Fault::invalid(format!("{at}.parts"), "functionCall is not allowed in a user turn."));
                }
                Piece::Response { id, name, content, is_error } => {
                    let tool_use_id = self.answer(id, name.as_deref(), at, notes);
                    blocks.push(Block::ToolResult { tool_use_id, content, is_error, cache: false });
                }
            }
        }
        self.push(Role::User, blocks, at, notes);
        Ok(())
    }

    fn push(&mut self, role: Role, content: Vec<Block>, at: &str, notes: &mut Notes) {
        if content.is_empty() {
            notes.add("empty_message", at, "a content without parts was left out");
        } else {
            self.messages.push(Message { role, content });
        }
    }

    fn make_id(&mut self) -> String {
        self.made += 1;
        format!("call_by_order_{}", self.made)
    }

    /// The id of the call that a response answers: by its id; else by name, the earliest first; else by order alone.
    fn answer(&mut self, id: Option<String>, name: Option<&str>, at: &str, notes: &mut Notes) -> String {
        let same_name = |call: &OpenCall| name.is_none_or(|name| call.name == name);
        let found = match &id {
            Some(id) => self
                .open
                .iter()
                .position(|call| call.id == *id)
                .or_else(|| self.open.iter().position(|call| !call.given && same_name(call))),
            None => self.open.iter().position(same_name).or_else(|| (!self.open.is_empty()).then_some(0)),
        };
        match (found, id) {
            (Some(index), _) => self.open.remove(index).id,
            (None, Some(id)) => id,
            (None, None) => {
                notes.add("response_without_call", at, "a functionResponse answers no functionCall before it");
                self.make_id()
            }
        }
    }
}

/// Sealed thoughts hold the shown ones, which stand right before them when the client kept both.
fn replace_shown(blocks: &mut Vec<Block>, thoughts: Vec<Thought>) {
    while let Some(Block::Thinking { signature: None, .. }) = blocks.last() {
        blocks.pop();
    }
    blocks.extend(thoughts.into_iter().map(|thought| match thought {
        Thought::Text(text, signature) => Block::Thinking { text, signature },
        Thought::Redacted(data) => Block::RedactedThinking { data },
    }));
}

/// Role and pieces of a content.
pub(super) fn read(content: Content, at: &str, notes: &mut Notes) -> Result<(Option<String>, Vec<Piece>), Fault> {
    let content = content.0;
    notes.unknown(at, &content.unknown);
    let mut pieces = Vec::new();
    if let Some(list) = content.parts {
        let path = format!("{at}.parts");
        notes.absorb(&path, list.notes);
        if let Some(fault) = list.fault {
            return Err(fault.under(&path));
        }
        pieces = list.pieces;
    }
    if let Some(text) = content.text.filter(|text| !text.is_empty()) {
        notes.add("text_beside_parts", at, "`text` of a content was read as a part");
        pieces.push(Piece::Block(Block::Text { text, cache: false }));
    }
    Ok((content.role, pieces))
}
