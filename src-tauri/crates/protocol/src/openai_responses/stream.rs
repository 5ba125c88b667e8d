//! The answer as server-sent events: `response.created`, `response.in_progress`, then for each item its `added`, parts,
//! deltas and `done`, at the end `response.completed` (or `.incomplete`) with the whole response. A failure ends with
//! `response.failed` and without `completed`.
//!
//! What was sent is remembered, because the last event repeats it.

mod calls;
mod frame;
mod words;

use super::compact;
use super::live_text::LiveText;
use super::output::{self, View};
use super::response::{Response, State, incomplete};
use crate::codec::{Echo, Phase, StreamEncoder};
use crate::event::{Event, SearchHit, StopReason, Usage};
use crate::failure::Failure;
use crate::openai::failure;
use crate::sse::SseWriter;
use frame::{Alone, Frame, Whole};
use serde_json::Value;

/// The bookkeeping of one stream.
#[derive(Debug)]
pub struct ResponsesEncoder {
    echo: Echo,
    view: View,
    /// The answer is a compaction: its text is not shown, but sealed.
    compaction: bool,
    phase: Phase,
    open: Open,
    /// Id of the open item.
    id: String,
    /// Finished items; their number is the index of the open one.
    output: Vec<Value>,
    hits: Vec<SearchHit>,
    sequence: u64,
    usage: Usage,
    stop: Option<StopReason>,
}

/// The item that was added and is not done.
#[derive(Debug)]
enum Open {
    None,
    Message { text: String },
    Reasoning { text: String, signature: Option<String> },
    Call { call_id: String, name: String, arguments: String, text: LiveText },
    Search { query: String },
}

impl ResponsesEncoder {
    pub(super) fn new(echo: Echo) -> Self {
        Self {
            view: View::new(&echo),
            compaction: compact::is_asked(&echo),
            echo,
            phase: Phase::Fresh,
            open: Open::None,
            id: String::new(),
            output: Vec::new(),
            hits: Vec::new(),
            sequence: 0,
            usage: Usage::default(),
            stop: None,
        }
    }

    fn next(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence - 1
    }

    fn send(&mut self, r#type: &'static str, frame: Frame<'_>, out: &mut SseWriter) {
        let frame = Frame { r#type, sequence_number: self.next(), output_index: self.output.len(), ..frame };
        out.json(Some(r#type), &frame);
    }

    /// An event about the open item.
    fn about(&mut self, r#type: &'static str, frame: Frame<'_>, out: &mut SseWriter) {
        let sequence_number = self.next();
        let frame =
            Frame { r#type, sequence_number, output_index: self.output.len(), item_id: Some(&self.id), ..frame };
        out.json(Some(r#type), &frame);
    }

    fn whole(&mut self, r#type: &'static str, state: State<'_>, out: &mut SseWriter) {
        let sequence_number = self.next();
        let response = Response { echo: &self.echo, state, output: &self.output };
        out.json(Some(r#type), &Whole { r#type, sequence_number, response });
    }

    fn add(&mut self, prefix: &str, item: impl FnOnce(&str) -> Value, open: Open, out: &mut SseWriter) {
        self.close("completed", out);
        self.id = output::id(prefix, &self.echo, self.output.len());
        let item = item(&self.id);
        self.send("response.output_item.added", Frame { item: Some(&item), ..Frame::default() }, out);
        self.open = open;
    }

    fn done(&mut self, item: Value, out: &mut SseWriter) {
        self.send("response.output_item.done", Frame { item: Some(&item), ..Frame::default() }, out);
        self.output.push(item);
    }

    /// Finishes the open item. Calls and searches that did not end are no items and are forgotten.
    fn close(&mut self, status: &'static str, out: &mut SseWriter) {
        match std::mem::replace(&mut self.open, Open::None) {
            Open::None | Open::Call { .. } | Open::Search { .. } => {}
            Open::Message { text } if self.compaction => {
                let item = compact::item(&self.echo, self.output.len(), &text);
                self.send("response.output_item.added", Frame { item: Some(&item), ..Frame::default() }, out);
                self.done(item, out);
            }
            Open::Message { text } => self.end_message(&text, status, out),
            Open::Reasoning { text, signature } => self.end_reasoning(&text, signature.as_deref(), out),
        }
    }

    fn complete(&mut self, stop: &StopReason, out: &mut SseWriter) {
        let cut = incomplete(stop).is_some();
        if self.compaction && matches!(self.open, Open::None) {
            self.open = Open::Message { text: String::new() };
        }
        self.close(if cut { "incomplete" } else { "completed" }, out);
        let usage = self.usage;
        let r#type = if cut { "response.incomplete" } else { "response.completed" };
        self.whole(r#type, State::Ended { stop, usage: &usage }, out);
    }

    /// Before `response.created` there is no response that could fail.
    fn fail(&mut self, failure: &Failure, out: &mut SseWriter) {
        if self.phase == Phase::Fresh {
            let message = failure::message(failure);
            let alone = Alone {
                r#type: "error",
                sequence_number: self.next(),
                code: Some(failure::code(failure)),
                message: Some(&message),
                param: Some(Value::Null),
            };
            out.json(Some("error"), &alone);
        } else {
            let usage = self.usage;
            self.whole("response.failed", State::Failed { failure, usage: &usage }, out);
        }
    }
}

impl StreamEncoder for ResponsesEncoder {
    fn start(&mut self, out: &mut SseWriter) {
        if self.phase == Phase::Fresh {
            self.phase = Phase::Started;
            self.whole("response.created", State::InProgress, out);
            self.whole("response.in_progress", State::InProgress, out);
        }
    }

    fn event(&mut self, event: &Event, out: &mut SseWriter) {
        self.start(out);
        if self.phase == Phase::Ended {
            return;
        }
        match event {
            Event::Usage(usage) => self.usage.merge(usage),
            // The end is written by `end`, with the usage figures that may still come.
            Event::Stop(stop) => self.stop = Some(stop.clone()),
            Event::Text(piece) | Event::Thinking(piece) if piece.is_empty() => {}
            Event::Text(piece) if self.compaction => match &mut self.open {
                Open::Message { text } => text.push_str(piece),
                Open::None | Open::Reasoning { .. } | Open::Call { .. } | Open::Search { .. } => {
                    self.open = Open::Message { text: piece.clone() };
                }
            },
            Event::Text(piece) => self.text(piece, out),
            _ if self.compaction => {}
            Event::Thinking(_) | Event::ThinkingSignature(_) if !self.view.reasoning() => {}
            Event::Thinking(piece) => self.thinking(piece, out),
            Event::ThinkingSignature(piece) => self.signature(piece, out),
            Event::RedactedThinking(data) => self.redacted(data, out),
            Event::ToolUseStart { id, name } => self.begin_call(id, name, out),
            Event::ToolInput(piece) if piece.is_empty() => {}
            Event::ToolInput(piece) => self.input(piece, out),
            Event::ToolUseEnd => self.end_call(out),
            // The item is never done: clients run only calls that are.
            Event::ToolUseCut => {
                if matches!(self.open, Open::Call { .. }) {
                    self.open = Open::None;
                }
            }
            Event::SearchStart { query, .. } => self.begin_search(query, out),
            Event::SearchDone { outcome, .. } => self.end_search(outcome, out),
        }
    }

    /// Clients' idle timers are reset by events only, not by comments; an event that says nothing is the smallest.
    fn keep_alive(&mut self, out: &mut SseWriter) {
        if self.phase == Phase::Started {
            let sequence_number = self.next();
            let alone = Alone { r#type: "keepalive", sequence_number, code: None, message: None, param: None };
            out.json(Some("keepalive"), &alone);
        }
    }

    fn end(&mut self, result: Result<(), &Failure>, out: &mut SseWriter) {
        if self.phase == Phase::Ended {
            return;
        }
        match (result, self.stop.take()) {
            (Err(failure), _) => self.fail(failure, out),
            // An open call means that the answer was cut inside it.
            (Ok(()), Some(stop)) if !matches!(self.open, Open::Call { .. }) => {
                self.start(out);
                self.complete(&stop, out);
            }
            (Ok(()), _) => self.fail(&Failure::incomplete(), out),
        }
        self.phase = Phase::Ended;
    }
}
