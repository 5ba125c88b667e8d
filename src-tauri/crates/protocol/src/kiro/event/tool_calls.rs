//! Tool calls out of their pieces (kiro-upstream §3.4).
//!
//! Fragments go through as they come, but a call ends only after its whole input proved to be one JSON object. A call
//! is started with its first input or its stop, not with its announcement: announced calls that never get input are
//! dropped without a trace. What arrives while a call is open waits until it ends, so that calls are never interleaved.

use super::payload::ToolUse;
use super::{StreamFailure, StreamFailureKind};
use crate::event::{Event, parse_tool_input};
use crate::kiro::tools::{ToolNames, rename_keys};
use serde_json::Value;
use std::collections::VecDeque;

#[derive(Debug, Default)]
pub(super) struct ToolCalls {
    /// Announced and not yet ended, in order of their first input. Only the front one is streamed.
    open: VecDeque<Call>,
    ended: Vec<String>,
    /// What came while the front call was streamed.
    waiting: Vec<Event>,
    completed: bool,
}

#[derive(Debug)]
struct Call {
    id: String,
    upstream_name: String,
    name: String,
    input: String,
    /// Bytes of `input` already handed out.
    streamed: usize,
    started: bool,
    stopped: bool,
    /// Whole objects instead of fragments; a repetition of the same object is not more input.
    object: bool,
}

impl ToolCalls {
    /// True when at least one call is complete.
    pub(super) fn completed(&self) -> bool {
        self.completed
    }

    /// Takes a piece of a call. True when something of a call was handed out.
    pub(super) fn piece(
        &mut self,
        piece: ToolUse,
        names: &ToolNames,
        out: &mut Vec<Event>,
    ) -> Result<bool, StreamFailure> {
        let before = out.len();
        let (text, object) = match piece.input {
            None | Some(Value::Null) => (String::new(), false),
            Some(Value::String(text)) => (text, false),
            Some(Value::Object(object)) => (Value::Object(object).to_string(), true),
            Some(Value::Bool(_) | Value::Number(_) | Value::Array(_)) => {
                let name = names.restore(piece.name.as_deref().unwrap_or_default()).to_owned();
                return Err(invalid(&piece.tool_use_id, &name));
            }
        };
        let index = match self.open.iter().position(|call| call.id == piece.tool_use_id) {
            Some(index) => index,
            None if self.ended.contains(&piece.tool_use_id) => {
                // A second stop is a known quirk. More input for a call that was handed out as complete is not.
                if text.is_empty() || object {
                    return Ok(false);
                }
                let name = names.restore(piece.name.as_deref().unwrap_or_default()).to_owned();
                return Err(invalid(&piece.tool_use_id, &name));
            }
            None => {
                let Some(upstream_name) = piece.name.filter(|name| !name.is_empty()) else {
                    return Err(StreamFailure::corrupt("a tool call has no name"));
                };
                self.open.push_back(Call {
                    name: names.restore(&upstream_name).to_owned(),
                    id: piece.tool_use_id,
                    upstream_name,
                    input: String::new(),
                    streamed: 0,
                    started: false,
                    stopped: false,
                    object: false,
                });
                self.open.len() - 1
            }
        };
        let call = &mut self.open[index];
        if !(call.object && object && call.input == text) {
            call.input.push_str(&text);
        }
        call.object |= object;
        call.stopped |= piece.stop == Some(true);
        self.advance(names, out)?;
        Ok(out.len() > before || self.open.iter().any(|call| !call.input.is_empty()))
    }

    /// Hands out an event that is not part of a call, or keeps it until the streamed call ends.
    pub(super) fn pass(&mut self, event: Event, out: &mut Vec<Event>) {
        if self.open.front().is_some_and(|call| call.started) {
            self.waiting.push(event);
        } else {
            out.push(event);
        }
    }

    /// The answer is over. Calls that were only announced vanish; a call with partial input is a cut answer.
    pub(super) fn finish(&mut self, out: &mut Vec<Event>) -> Result<(), StreamFailure> {
        match self.open.iter().find(|call| call.has_begun()) {
            Some(call) => Err(StreamFailure {
                message: format!("the answer ended inside a call of the tool {}", call.name),
                kind: StreamFailureKind::OpenToolCall { id: call.id.clone(), name: call.name.clone() },
            }),
            None => {
                out.append(&mut self.waiting);
                Ok(())
            }
        }
    }

    fn advance(&mut self, names: &ToolNames, out: &mut Vec<Event>) -> Result<(), StreamFailure> {
        loop {
            // Mere announcements must not stand in the way of calls that have begun.
            if self.open.front().is_some_and(|call| !call.has_begun())
                && let Some(index) = self.open.iter().position(Call::has_begun)
            {
                let call = self.open.remove(index).expect("the index was just found");
                self.open.push_front(call);
            }
            let Some(call) = self.open.front_mut().filter(|call| call.has_begun()) else {
                return Ok(());
            };
            call.stream(names, out)?;
            if !call.stopped {
                return Ok(());
            }
            let call = self.open.pop_front().expect("the front call was just there");
            self.ended.push(call.id);
            self.completed = true;
            if !self.open.iter().any(Call::has_begun) {
                out.append(&mut self.waiting);
            }
        }
    }
}

impl Call {
    fn has_begun(&self) -> bool {
        self.stopped || !self.input.is_empty()
    }

    fn stream(&mut self, names: &ToolNames, out: &mut Vec<Event>) -> Result<(), StreamFailure> {
        if !self.started {
            self.started = true;
            out.push(Event::ToolUseStart { id: self.id.clone(), name: self.name.clone() });
        }
        let renames = names.properties(&self.upstream_name);
        if renames.is_none() && self.streamed < self.input.len() {
            out.push(Event::ToolInput(self.input[self.streamed..].to_owned()));
            self.streamed = self.input.len();
        }
        if self.stopped {
            let mut input = parse_tool_input(&self.input).ok_or_else(|| invalid(&self.id, &self.name))?;
            if let Some(renames) = renames.filter(|_| !input.is_empty()) {
                rename_keys(&mut input, renames);
                out.push(Event::ToolInput(Value::Object(input).to_string()));
            }
            out.push(Event::ToolUseEnd);
        }
        Ok(())
    }
}

fn invalid(id: &str, name: &str) -> StreamFailure {
    StreamFailure {
        message: format!("the input of a call of the tool {name} is not a JSON object"),
        kind: StreamFailureKind::InvalidToolInput { id: id.to_owned(), name: name.to_owned() },
    }
}
