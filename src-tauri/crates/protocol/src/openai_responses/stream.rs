//! The answer as server-sent events: `response.created`, `response.in_progress`, then for each item its `added`, parts,
//! deltas and `done`, at the end `response.completed` (or `.incomplete`) with the whole response. A failure ends with
//! `response.failed` and without `completed`.
//!
//! What was sent is remembered, because the last event repeats it.

use super::compact;
use super::live_text::LiveText;
use super::output::{self, View};
use super::response::{Response, State, incomplete};
use crate::codec::{Echo, StreamEncoder, ToolKind};
use crate::conversation::JsonObject;
use crate::event::{Event, SearchHit, StopReason, Usage, parse_tool_input};
use crate::failure::{Failure, FailureClass};
use crate::openai::failure;
use crate::sse::SseWriter;
use serde::Serialize;
use serde_json::{Value, json};

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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Fresh,
    Started,
    Ended,
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

/// Every event of the ladder but the whole responses. What an event does not have is left out.
#[derive(Debug, Default, Serialize)]
struct Frame<'a> {
    r#type: &'static str,
    sequence_number: u64,
    output_index: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    item_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_index: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary_index: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    annotation_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delta: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    arguments: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    part: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    annotation: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    item: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logprobs: Option<[u8; 0]>,
}

#[derive(Serialize)]
struct Whole<'a> {
    r#type: &'static str,
    sequence_number: u64,
    response: Response<'a>,
}

#[derive(Serialize)]
struct Alone<'a> {
    r#type: &'static str,
    sequence_number: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    param: Option<Value>,
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

    fn text(&mut self, piece: &str, out: &mut SseWriter) {
        if !matches!(self.open, Open::Message { .. }) {
            let open = Open::Message { text: String::new() };
            self.add("msg", |id| output::message(id, Vec::new(), "in_progress"), open, out);
            let part = output::text_part("", Vec::new());
            let frame = Frame { content_index: Some(0), part: Some(&part), ..Frame::default() };
            self.about("response.content_part.added", frame, out);
        }
        if let Open::Message { text } = &mut self.open {
            text.push_str(piece);
        }
        let frame = Frame { content_index: Some(0), delta: Some(piece), logprobs: Some([]), ..Frame::default() };
        self.about("response.output_text.delta", frame, out);
    }

    fn begin_reasoning(&mut self, out: &mut SseWriter) {
        let open = Open::Reasoning { text: String::new(), signature: None };
        self.add("rs", |id| json!({ "id": id, "type": "reasoning", "summary": [] }), open, out);
    }

    fn thinking(&mut self, piece: &str, out: &mut SseWriter) {
        if !matches!(self.open, Open::Reasoning { signature: None, .. }) {
            self.begin_reasoning(out);
        }
        let Open::Reasoning { text, .. } = &mut self.open else { return };
        let first = text.is_empty();
        text.push_str(piece);
        if self.view.summary {
            if first {
                let part = output::summary_part("");
                let frame = Frame { summary_index: Some(0), part: Some(&part), ..Frame::default() };
                self.about("response.reasoning_summary_part.added", frame, out);
            }
            let frame = Frame { summary_index: Some(0), delta: Some(piece), ..Frame::default() };
            self.about("response.reasoning_summary_text.delta", frame, out);
        }
    }

    fn signature(&mut self, piece: &str, out: &mut SseWriter) {
        if !matches!(self.open, Open::Reasoning { .. }) {
            self.begin_reasoning(out);
        }
        if let Open::Reasoning { signature, .. } = &mut self.open {
            signature.get_or_insert_default().push_str(piece);
        }
    }

    fn redacted(&mut self, data: &str, out: &mut SseWriter) {
        if !self.view.encrypted {
            // Not shown, but it parts the reasoning before it from the reasoning after it.
            if matches!(self.open, Open::Reasoning { .. }) {
                self.close("completed", out);
            }
            return;
        }
        self.add("rs", |id| json!({ "id": id, "type": "reasoning", "summary": [] }), Open::None, out);
        let item = output::redacted(&self.id, data);
        self.done(item, out);
    }

    fn begin_call(&mut self, call_id: &str, name: &str, out: &mut SseWriter) {
        let form = self.echo.tools.get(name).cloned();
        let form = form.as_ref();
        let open = Open::Call {
            call_id: call_id.to_owned(),
            name: name.to_owned(),
            arguments: String::new(),
            text: LiveText::default(),
        };
        let item = |id: &str| output::call(id, call_id, name, form, JsonObject::new(), "in_progress");
        self.add(output::call_prefix(form), item, open, out);
    }

    fn kind(&self, name: &str) -> ToolKind {
        self.echo.tools.get(name).map_or(ToolKind::Function, |form| form.kind)
    }

    fn input(&mut self, piece: &str, out: &mut SseWriter) {
        let Open::Call { name, arguments, text, .. } = &mut self.open else { return };
        arguments.push_str(piece);
        match self.echo.tools.get(name).map_or(ToolKind::Function, |form| form.kind) {
            ToolKind::Function => {
                let frame = Frame { delta: Some(piece), ..Frame::default() };
                self.about("response.function_call_arguments.delta", frame, out);
            }
            ToolKind::Freeform => {
                let mut plain = String::new();
                text.push(piece, &mut plain);
                if !plain.is_empty() {
                    let frame = Frame { delta: Some(&plain), ..Frame::default() };
                    self.about("response.custom_tool_call_input.delta", frame, out);
                }
            }
            // The API has no deltas for these.
            ToolKind::LocalShell | ToolKind::ToolSearch => {}
        }
    }

    /// A call whose arguments are no object stays open: the answer then has no right end.
    fn end_call(&mut self, out: &mut SseWriter) {
        let Open::Call { arguments, .. } = &self.open else { return };
        let Some(input) = parse_tool_input(arguments) else { return };
        let Open::Call { call_id, name, arguments, text } = std::mem::replace(&mut self.open, Open::None) else {
            return;
        };
        let item = output::call(&self.id, &call_id, &name, self.echo.tools.get(&name), input, "completed");
        let field = |key: &str| item.get(key).and_then(Value::as_str).unwrap_or_default();
        match self.kind(&name) {
            ToolKind::Function => {
                // Clients that join the deltas need them, so a call without arguments still says `{}`.
                if arguments.trim().is_empty() {
                    let frame = Frame { delta: Some("{}"), ..Frame::default() };
                    self.about("response.function_call_arguments.delta", frame, out);
                }
                let frame =
                    Frame { name: Some(field("name")), arguments: Some(field("arguments")), ..Frame::default() };
                self.about("response.function_call_arguments.done", frame, out);
            }
            ToolKind::Freeform => {
                let rest = text.rest(field("input"));
                if !rest.is_empty() {
                    let frame = Frame { delta: Some(rest), ..Frame::default() };
                    self.about("response.custom_tool_call_input.delta", frame, out);
                }
                let frame = Frame { input: Some(field("input")), ..Frame::default() };
                self.about("response.custom_tool_call_input.done", frame, out);
            }
            ToolKind::LocalShell | ToolKind::ToolSearch => {}
        }
        self.done(item, out);
    }

    fn begin_search(&mut self, query: &str, out: &mut SseWriter) {
        let open = Open::Search { query: query.to_owned() };
        self.add("ws", |id| output::search_begun(id, query, "in_progress"), open, out);
        self.about("response.web_search_call.in_progress", Frame::default(), out);
        self.about("response.web_search_call.searching", Frame::default(), out);
    }

    fn end_search(&mut self, outcome: &Result<Vec<SearchHit>, &'static str>, out: &mut SseWriter) {
        if !matches!(self.open, Open::Search { .. }) {
            self.begin_search("", out);
        }
        let Open::Search { query } = std::mem::replace(&mut self.open, Open::None) else { return };
        self.hits.extend(outcome.iter().flatten().cloned());
        if outcome.is_ok() {
            self.about("response.web_search_call.completed", Frame::default(), out);
        }
        let item = output::search(&self.id, &query, outcome, self.view);
        self.done(item, out);
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
            Open::Message { text } => {
                let annotations = output::citations(&text, &self.hits);
                for (index, annotation) in annotations.iter().enumerate() {
                    let frame = Frame {
                        content_index: Some(0),
                        annotation_index: Some(index),
                        annotation: Some(annotation),
                        ..Frame::default()
                    };
                    self.about("response.output_text.annotation.added", frame, out);
                }
                let frame = Frame { content_index: Some(0), text: Some(&text), logprobs: Some([]), ..Frame::default() };
                self.about("response.output_text.done", frame, out);
                let part = output::text_part(&text, annotations);
                let frame = Frame { content_index: Some(0), part: Some(&part), ..Frame::default() };
                self.about("response.content_part.done", frame, out);
                let item = output::message(&self.id, vec![part], status);
                self.done(item, out);
            }
            Open::Reasoning { text, signature } => {
                if self.view.summary && !text.is_empty() {
                    let frame = Frame { summary_index: Some(0), text: Some(&text), ..Frame::default() };
                    self.about("response.reasoning_summary_text.done", frame, out);
                    let part = output::summary_part(&text);
                    let frame = Frame { summary_index: Some(0), part: Some(&part), ..Frame::default() };
                    self.about("response.reasoning_summary_part.done", frame, out);
                }
                let item = output::reasoning(&self.id, &text, signature.as_deref(), self.view);
                self.done(item, out);
            }
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
            (Ok(()), _) => {
                let message = "The answer ended without its end mark and is not complete.";
                self.fail(&Failure::new(FailureClass::Upstream, "answer_incomplete", message), out);
            }
        }
        self.phase = Phase::Ended;
    }
}
