//! What one answer of the upstream says, sorted: what goes to the client at once, what has to wait until its end, and what is the
//! gateway's own business. Knows nothing of time or network.

use super::plan::Plan;
use kiro_protocol::codec::Notice;
use kiro_protocol::conversation::{Block, JsonObject};
use kiro_protocol::event::{Event, StopReason, parse_tool_input};
use std::sync::Arc;

/// What keeps events from going out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hold {
    Nothing,
    /// Until the call that must come has come, or the end.
    ForCall,
    /// Until the end: the answer is checked as a whole.
    ForForm,
    /// Until the searches that were called are done: what was said after them comes after them.
    ForSearch,
}

/// A call of the client's tool that is complete.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Called {
    pub(super) name: String,
    pub(super) input: JsonObject,
}

/// A call of the gateway's own search.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct SearchCall {
    pub(super) id: String,
    pub(super) input: JsonObject,
}

#[derive(Debug)]
struct Open {
    id: String,
    name: String,
    input: String,
    /// Its start went out.
    live: bool,
}

/// What was said before this answer and may come again word for word, because the model was asked again.
#[derive(Debug, Clone, Default)]
pub(super) struct Before {
    pub(super) text: String,
    pub(super) calls: Vec<Called>,
}

/// One answer of the upstream.
#[derive(Debug)]
pub(super) struct Turn {
    plan: Arc<Plan>,
    hold: Hold,
    held: Vec<Event>,
    call: Option<Open>,
    /// A call without arguments of a tool that needs some: a ghost, when the same call comes again with them.
    ghost: Option<Open>,
    before: Before,
    /// Bytes of `before.text` that came again so far; `None` once the text went another way.
    repeated: Option<usize>,
    delivered: bool,
    /// What the model said, as its history needs it. Calls are apart.
    pub(super) said: Vec<Block>,
    pub(super) calls: Vec<Called>,
    pub(super) searches: Vec<SearchCall>,
    pub(super) stop: Option<StopReason>,
    pub(super) notices: Vec<Notice>,
}

impl Turn {
    /// `forced`: a call must come. `before`: what an answer that was cut had delivered already.
    pub(super) fn new(plan: &Arc<Plan>, forced: bool, before: Before) -> Self {
        let hold = match (plan.form.is_some(), forced) {
            (true, _) => Hold::ForForm,
            (false, true) => Hold::ForCall,
            (false, false) => Hold::Nothing,
        };
        Self {
            plan: Arc::clone(plan),
            hold,
            held: Vec::new(),
            call: None,
            ghost: None,
            repeated: (!before.text.is_empty()).then_some(0),
            before,
            delivered: false,
            said: Vec::new(),
            calls: Vec::new(),
            searches: Vec::new(),
            stop: None,
            notices: Vec::new(),
        }
    }

    /// Takes one event and lets out what may go.
    pub(super) fn push(&mut self, event: Event, out: &mut Vec<Event>) {
        match event {
            Event::Text(piece) => {
                say(&mut self.said, &piece);
                if let Some(piece) = self.unrepeated(piece) {
                    self.emit(Event::Text(piece), out);
                }
            }
            Event::Thinking(piece) => {
                think(&mut self.said, &piece);
                self.reason(Event::Thinking(piece), out);
            }
            Event::ThinkingSignature(piece) => {
                sign(&mut self.said, &piece);
                self.reason(Event::ThinkingSignature(piece), out);
            }
            Event::RedactedThinking(data) => {
                self.said.push(Block::RedactedThinking { data: data.clone() });
                self.reason(Event::RedactedThinking(data), out);
            }
            Event::ToolUseStart { id, name } => self.start(id, name, out),
            Event::ToolInput(piece) => {
                if let Some(call) = &mut self.call {
                    call.input.push_str(&piece);
                    if call.live {
                        self.emit(Event::ToolInput(piece), out);
                    }
                }
            }
            Event::ToolUseEnd => {
                if let Some(call) = self.call.take() {
                    self.end(call, out);
                }
            }
            Event::Stop(reason) => self.stop = Some(reason),
            // The upstream edge makes none of these.
            Event::Usage(_) | Event::ToolUseCut | Event::SearchStart { .. } | Event::SearchDone { .. } => {}
        }
    }

    /// True once anything of this answer went out.
    pub(super) fn delivered(&self) -> bool {
        self.delivered
    }

    /// The call that has begun and not ended, and whether its beginning went out.
    pub(super) fn open_call(&self) -> Option<(&str, bool)> {
        self.call.as_ref().map(|call| (call.name.as_str(), call.live))
    }

    /// The visible text.
    pub(super) fn text(&self) -> String {
        text_of(&self.said)
    }

    /// Everything that waited goes out now. A call that is still open is dropped.
    pub(super) fn release(&mut self, out: &mut Vec<Event>) {
        self.hold = Hold::Nothing;
        self.call = None;
        self.release_ghost();
        self.flush(out);
    }

    /// Like [`Self::release`], with other words in place of the text.
    pub(super) fn release_as(&mut self, text: String, out: &mut Vec<Event>) {
        self.held.retain(|event| !matches!(event, Event::Text(_)));
        self.held.push(Event::Text(text));
        self.release(out);
    }

    /// A call that is still open is not wanted.
    pub(super) fn drop_open_call(&mut self) {
        self.call = None;
    }

    /// What may come again word for word, for another try at the same turn.
    pub(super) fn before(&self) -> Before {
        self.before.clone()
    }

    /// What waits, to be let out later if nothing better comes.
    pub(super) fn take_held(&mut self) -> Vec<Event> {
        self.release_ghost();
        std::mem::take(&mut self.held)
    }

    fn start(&mut self, id: String, name: String, out: &mut Vec<Event>) {
        let ours = self.plan.search.as_ref().is_some_and(|search| search.name == name);
        let dropped = self.plan.one_call && !self.calls.is_empty();
        let live = self.plan.live && !ours && !dropped && matches!(self.hold, Hold::Nothing | Hold::ForCall);
        if live {
            self.settle_hold(out);
            self.emit(Event::ToolUseStart { id: id.clone(), name: name.clone() }, out);
        }
        self.call = Some(Open { id, name, input: String::new(), live });
    }

    fn end(&mut self, call: Open, out: &mut Vec<Event>) {
        // The upstream edge ends a call only after it has read its input.
        let Some(input) = parse_tool_input(&call.input) else { return };
        if self.plan.search.as_ref().is_some_and(|search| search.name == call.name) {
            self.settle_hold(out);
            self.release_ghost();
            self.flush_unless_held(out);
            self.searches.push(SearchCall { id: call.id, input });
            if self.hold == Hold::Nothing {
                self.hold = Hold::ForSearch;
            }
            return;
        }
        let called = Called { name: call.name.clone(), input };
        if call.live {
            self.calls.push(called);
            self.emit(Event::ToolUseEnd, out);
            return;
        }
        if self.ghost.as_ref().is_some_and(|ghost| ghost.name == call.name && !called.input.is_empty()) {
            self.ghost = None;
            self.calls.pop();
            let detail = "an empty call right before the same call with arguments was left out";
            self.notices.push(Notice::new("ghost_call_dropped", "", detail));
        }
        if self.plan.one_call && !self.calls.is_empty() {
            let detail = "the client takes one call at a time; a further call of the answer was left out";
            self.notices.push(Notice::new("parallel_call_dropped", "", detail));
            return;
        }
        if let Some(at) = self.before.calls.iter().position(|earlier| *earlier == called) {
            self.before.calls.remove(at);
            let detail = "a call that was delivered already came again, word for word";
            self.notices.push(Notice::new("repeated_call_dropped", "", detail));
            return;
        }
        self.settle_hold(out);
        self.release_ghost();
        let empty = called.input.is_empty() && self.plan.argued.contains(&called.name);
        self.calls.push(called);
        if empty {
            self.flush_unless_held(out);
            self.ghost = Some(call);
            return;
        }
        self.hold_call(call);
        self.flush_unless_held(out);
    }

    /// The call that was waited for has come.
    fn settle_hold(&mut self, out: &mut Vec<Event>) {
        if self.hold == Hold::ForCall {
            self.hold = Hold::Nothing;
            self.flush(out);
        }
    }

    fn hold_call(&mut self, call: Open) {
        self.held.push(Event::ToolUseStart { id: call.id, name: call.name });
        if !call.input.is_empty() {
            self.held.push(Event::ToolInput(call.input));
        }
        self.held.push(Event::ToolUseEnd);
    }

    fn release_ghost(&mut self) {
        if let Some(ghost) = self.ghost.take() {
            self.hold_call(ghost);
        }
    }

    fn reason(&mut self, event: Event, out: &mut Vec<Event>) {
        if self.plan.hide_thinking {
            if !self.notices.iter().any(|notice| notice.code == "thinking_hidden") {
                let detail = "the model thought although the client switched thinking off; it was not shown";
                self.notices.push(Notice::new("thinking_hidden", "", detail));
            }
            return;
        }
        self.emit(event, out);
    }

    fn emit(&mut self, event: Event, out: &mut Vec<Event>) {
        self.release_ghost();
        self.held.push(event);
        self.flush_unless_held(out);
    }

    fn flush_unless_held(&mut self, out: &mut Vec<Event>) {
        if self.hold == Hold::Nothing {
            self.flush(out);
        }
    }

    fn flush(&mut self, out: &mut Vec<Event>) {
        self.delivered |= !self.held.is_empty();
        out.append(&mut self.held);
    }

    /// As much of a piece of text as is new. A text that only begins like the one before is let out whole, once it differs.
    fn unrepeated(&mut self, piece: String) -> Option<String> {
        let Some(at) = self.repeated else { return Some(piece) };
        let expected = &self.before.text[at..];
        if expected.starts_with(&piece) {
            self.repeated = Some(at + piece.len());
            return None;
        }
        self.repeated = None;
        match piece.strip_prefix(expected) {
            Some(new) => Some(new.to_owned()).filter(|new| !new.is_empty()),
            None => Some(format!("{}{piece}", &self.before.text[..at])),
        }
    }
}

/// The visible text among blocks.
pub(super) fn text_of(blocks: &[Block]) -> String {
    blocks
        .iter()
        .filter_map(|block| if let Block::Text { text, .. } = block { Some(text.as_str()) } else { None })
        .collect()
}

fn say(said: &mut Vec<Block>, piece: &str) {
    match said.last_mut() {
        Some(Block::Text { text, .. }) => text.push_str(piece),
        Some(_) | None => said.push(Block::Text { text: piece.to_owned(), cache: false }),
    }
}

fn think(said: &mut Vec<Block>, piece: &str) {
    match said.last_mut() {
        Some(Block::Thinking { text, signature: None }) => text.push_str(piece),
        Some(_) | None => said.push(Block::Thinking { text: piece.to_owned(), signature: None }),
    }
}

fn sign(said: &mut Vec<Block>, piece: &str) {
    match said.last_mut() {
        Some(Block::Thinking { signature, .. }) => signature.get_or_insert_default().push_str(piece),
        Some(_) | None => said.push(Block::Thinking { text: String::new(), signature: Some(piece.to_owned()) }),
    }
}

#[cfg(test)]
mod tests;
