//! Messages into turns.
//!
//! System and developer messages at the head become the system text; later ones become marked user text in their place.
//! Results of tools are paired with their calls by id, or by order where a client has no ids.

use super::wire::{WireCall, WireMessage, WirePart};
use crate::conversation::{Block, Conversation, JsonObject, Message, Role};
use crate::openai::arguments::{self, Budget};
use crate::openai::freeform;
use crate::reading::content::{ContentOf, loose, reminder};
use crate::reading::notes::{Fault, Notes};
use std::collections::VecDeque;

/// Reads messages one after the other.
pub(super) struct Reader<'a> {
    conversation: &'a mut Conversation,
    notes: &'a mut Notes,
    /// Calls whose results have not come: id and name.
    open: VecDeque<(String, String)>,
    budget: Budget,
}

impl<'a> Reader<'a> {
    pub(super) fn new(conversation: &'a mut Conversation, notes: &'a mut Notes) -> Self {
        Self { conversation, notes, open: VecDeque::new(), budget: Budget::default() }
    }

    /// Reads `messages[index]`.
    pub(super) fn message(&mut self, index: usize, mut item: WireMessage) -> Result<(), Fault> {
        let at = format!("messages[{index}]");
        self.notes.unknown(&at, &item.unknown);
        for (present, key) in [
            (item.reasoning_details.is_some(), "reasoning_details"),
            (item.thinking_blocks.is_some(), "thinking_blocks"),
            (item.provider_specific_fields.is_some(), "provider_specific_fields"),
            (item.audio.is_some(), "audio"),
        ] {
            if present {
                self.notes.add("field_ignored", format!("{at}.{key}"), format!("`{key}` is not passed on"));
            }
        }
        let role = item.role.take().ok_or_else(|| Fault::missing(format!("{at}.role")))?;
        let cache = item.cache_control.is_some();
        let (role, mut content) = match role.as_str() {
            "system" | "developer" => match self.system(item, &at)? {
                Some(content) => (Role::User, content),
                None => return Ok(()),
            },
            "user" => {
                if item.name.is_some() {
                    self.notes.add("field_ignored", format!("{at}.name"), "names of participants are not passed on");
                }
                (Role::User, self.content(item.content, &at)?)
            }
            "assistant" => (Role::Assistant, self.assistant(item, index, &at)?),
            "tool" | "function" => (Role::User, vec![self.result(item, role == "tool", &at)?]),
            _ => {
                let message = "Supported values are: 'system', 'developer', 'user', 'assistant', 'tool' and 'function'";
                return Err(Fault::invalid(format!("{at}.role"), message));
            }
        };
        if content.is_empty() {
            self.notes.add("empty_message", at, "a message without content was left out");
            return Ok(());
        }
        if cache {
            mark(&mut content);
        }
        self.conversation.messages.push(Message { role, content });
        Ok(())
    }

    /// A request may consist of system messages only; the last one is then what has to be answered.
    pub(super) fn finish(self) -> Result<(), Fault> {
        if self.conversation.messages.is_empty() {
            let Some(block) = self.conversation.system.pop() else {
                return Err(Fault::invalid("messages", "at least one message with content is required"));
            };
            self.notes.add("system_message_asked", "messages", "a request of system messages only asks its last one");
            self.conversation.messages.push(Message { role: Role::User, content: vec![block] });
        }
        Ok(())
    }

    /// An empty text is how clients say nothing, beside calls for example; that is no news.
    fn content(&mut self, content: Option<ContentOf<WirePart>>, at: &str) -> Result<Vec<Block>, Fault> {
        match content.filter(|content| !content.is_empty_text()) {
            Some(content) => content.into_blocks(&format!("{at}.content"), self.notes),
            None => Ok(Vec::new()),
        }
    }

    /// What is left for the turns of a system message.
    fn system(&mut self, item: WireMessage, at: &str) -> Result<Option<Vec<Block>>, Fault> {
        let cache = item.cache_control.is_some();
        let mut blocks = self.content(item.content, at)?;
        let before = blocks.len();
        blocks.retain(|block| matches!(block, Block::Text { .. }));
        if blocks.len() < before {
            self.notes.add("system_block_dropped", format!("{at}.content"), "only text can be part of the system text");
        }
        if self.conversation.messages.is_empty() {
            if cache {
                mark(&mut blocks);
            }
            self.conversation.system.extend(blocks);
            return Ok(None);
        }
        self.notes.add("system_message_marked", at, "a later system message became marked user text in its place");
        Ok(Some(blocks.into_iter().map(reminder).collect()))
    }

    /// Reasoning, text, calls: the order in which they were said.
    fn assistant(&mut self, item: WireMessage, index: usize, at: &str) -> Result<Vec<Block>, Fault> {
        let mut blocks = Vec::new();
        let reasoning = loose(item.reasoning_content.or(item.reasoning));
        if !reasoning.is_empty() {
            blocks.push(Block::Thinking { text: reasoning, signature: None });
        }
        blocks.extend(self.content(item.content, at)?);
        let refusal = loose(item.refusal);
        if !refusal.is_empty() {
            blocks.push(Block::Text { text: refusal, cache: false });
        }
        self.open.clear();
        if let Some(calls) = item.tool_calls {
            for (number, call) in calls.within(&format!("{at}.tool_calls"))?.into_iter().enumerate() {
                let path = format!("{at}.tool_calls[{number}]");
                let unnamed = format!("call_{index}_{number}");
                blocks.push(self.call(call, unnamed, &path).map_err(|fault| fault.under(&path))?);
            }
        }
        if let Some(call) = item.function_call {
            let path = format!("{at}.function_call");
            let name = call.name.ok_or_else(|| Fault::missing(format!("{path}.name")))?;
            let input = arguments::object(call.arguments, &format!("{path}.arguments"), &mut self.budget, self.notes);
            blocks.push(self.opened(format!("call_{index}"), name, input, false));
        }
        Ok(blocks)
    }

    /// One item of `tool_calls`; faults are relative to it.
    fn call(&mut self, call: WireCall, unnamed: String, path: &str) -> Result<Block, Fault> {
        self.notes.unknown(path, &call.unknown);
        let id = call.id.filter(|id| !id.is_empty()).unwrap_or(unnamed);
        let cache = call.cache_control.is_some();
        match (call.function, call.custom) {
            (Some(function), _) => {
                let name = function.name.ok_or_else(|| Fault::missing(".function.name"))?;
                let path = format!("{path}.function.arguments");
                let input = arguments::object(function.arguments, &path, &mut self.budget, self.notes);
                Ok(self.opened(id, name, input, cache))
            }
            (None, Some(custom)) => {
                let name = custom.name.ok_or_else(|| Fault::missing(".custom.name"))?;
                Ok(self.opened(id, name, freeform::arguments(custom.input.unwrap_or_default()), cache))
            }
            (None, None) => Err(Fault::missing(".function")),
        }
    }

    fn opened(&mut self, id: String, name: String, input: JsonObject, cache: bool) -> Block {
        self.open.push_back((id.clone(), name.clone()));
        Block::ToolUse { id, name, input, cache }
    }

    /// The result of a call: by id (`tool`) or by the name of the function (`function`).
    fn result(&mut self, item: WireMessage, by_id: bool, at: &str) -> Result<Block, Fault> {
        let name = loose(item.name);
        let position = match &item.tool_call_id {
            Some(id) => self.open.iter().position(|(open, _)| open == id),
            None => self.open.iter().position(|(_, open)| by_id || name.is_empty() || *open == name),
        };
        let paired = position.and_then(|position| self.open.remove(position));
        let tool_use_id = match (item.tool_call_id, paired) {
            (Some(id), _) => id,
            (None, Some((id, _))) => {
                if by_id {
                    self.notes.add("tool_result_paired", at, "a tool result without id answers the first open call");
                }
                id
            }
            (None, None) if by_id => return Err(Fault::missing(format!("{at}.tool_call_id"))),
            (None, None) if name.is_empty() => return Err(Fault::missing(format!("{at}.name"))),
            // A call that is no longer in the history; the upstream edge knows what to do with such a result.
            (None, None) => format!("call_{name}"),
        };
        let content = self.content(item.content, at)?;
        Ok(Block::ToolResult { tool_use_id, content, is_error: false, cache: false })
    }
}

/// A mark on a message means the end of the message.
fn mark(blocks: &mut [Block]) {
    let last = blocks.iter_mut().rev().find_map(|block| match block {
        Block::Text { cache, .. } | Block::ToolUse { cache, .. } | Block::ToolResult { cache, .. } => Some(cache),
        Block::Thinking { .. }
        | Block::RedactedThinking { .. }
        | Block::Image(_)
        | Block::RemoteImage { .. }
        | Block::Document(_) => None,
    });
    if let Some(cache) = last {
        *cache = true;
    }
}
