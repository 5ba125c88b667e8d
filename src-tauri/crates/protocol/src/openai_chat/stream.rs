//! The answer as chunks: the role, pieces of text, reasoning and calls, the finish reason, the usage if it was asked for,
//! `[DONE]`. A failure ends with `{"error": …}` and without `[DONE]`.
//!
//! Clients put chunks together by joining texts, so what is told once (role, ids, names) is told exactly once.

use super::encode::{Annotation, CallForm, Envelope, call_form, cite, finish_reason};
use super::weave::{Lane, Weave};
use crate::codec::{Echo, Phase, StreamEncoder};
use crate::event::{Event, StopReason, Usage, parse_tool_input};
use crate::failure::Failure;
use crate::openai::{failure, freeform};
use crate::sse::SseWriter;
use serde::Serialize;

/// The bookkeeping of one stream.
#[derive(Debug)]
pub struct ChatEncoder {
    envelope: Envelope,
    echo: Echo,
    phase: Phase,
    weave: Weave,
    open: Open,
    /// Index of the next call.
    index: u32,
    /// The form of the calls that are complete.
    called: Option<CallForm>,
    /// The answer was cut inside a call.
    cut: bool,
    annotations: Vec<Annotation>,
    usage: Usage,
    stop: Option<StopReason>,
}

/// The call that was started and not ended.
#[derive(Debug)]
enum Open {
    None,
    /// Nothing of it was told yet: a call that is cut before its first argument leaves no trace that could be run.
    Held {
        id: String,
        name: String,
    },
    /// Its name was told.
    Told,
    /// A custom tool takes one text, which is known when its JSON is complete.
    Custom {
        id: String,
        name: String,
        json: String,
    },
    /// The legacy form has room for one call.
    Skipped,
}

#[derive(Serialize)]
struct Choice<'a> {
    index: u32,
    delta: Delta<'a>,
    logprobs: Option<()>,
    finish_reason: Option<&'static str>,
}

#[derive(Default, Serialize)]
struct Delta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_calls: Option<[CallDelta<'a>; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function_call: Option<FunctionDelta<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    annotations: Option<&'a [Annotation]>,
}

#[derive(Default, Serialize)]
struct CallDelta<'a> {
    index: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    r#type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function: Option<FunctionDelta<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    custom: Option<CustomDelta<'a>>,
}

#[derive(Serialize)]
struct FunctionDelta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    arguments: &'a str,
}

#[derive(Serialize)]
struct CustomDelta<'a> {
    name: &'a str,
    input: &'a str,
}

impl ChatEncoder {
    pub(super) fn new(echo: Echo) -> Self {
        Self {
            envelope: Envelope::new("chatcmpl", "chat.completion.chunk", &echo),
            phase: Phase::Fresh,
            weave: Weave::new(&echo),
            open: Open::None,
            index: 0,
            called: None,
            cut: false,
            annotations: Vec::new(),
            usage: Usage::default(),
            stop: None,
            echo,
        }
    }

    /// Text, reasoning, or what parts them.
    fn weave(&mut self, out: &mut SseWriter, step: impl FnOnce(&mut Weave, &mut dyn FnMut(Lane, &str))) {
        let Self { weave, envelope, .. } = self;
        step(weave, &mut |lane, piece| {
            let delta = match lane {
                Lane::Content => Delta { content: Some(piece), ..Delta::default() },
                Lane::Reasoning => Delta { reasoning_content: Some(piece), ..Delta::default() },
            };
            send(envelope, delta, out);
        });
    }

    fn call_starts(&mut self, id: &str, name: &str, out: &mut SseWriter) {
        self.weave(out, |weave, mut put| weave.other(&mut put));
        let (form, name) = call_form(name, &self.echo);
        self.open = match form {
            CallForm::Custom => Open::Custom { id: id.to_owned(), name: name.to_owned(), json: String::new() },
            CallForm::Legacy if self.index > 0 => Open::Skipped,
            CallForm::Function | CallForm::Legacy => Open::Held { id: id.to_owned(), name: name.to_owned() },
        };
    }

    /// A piece of the arguments, with the name before the first one.
    fn arguments(&mut self, piece: &str, out: &mut SseWriter) {
        let (id, name) = match &mut self.open {
            Open::Held { id, name } => (Some(std::mem::take(id)), Some(std::mem::take(name))),
            Open::Told => (None, None),
            Open::Custom { json, .. } => {
                json.push_str(piece);
                return;
            }
            Open::None | Open::Skipped => return,
        };
        if name.is_some() {
            self.open = Open::Told;
            self.index += 1;
        }
        let function = FunctionDelta { name: name.as_deref(), arguments: piece };
        let delta = if self.is_legacy() {
            Delta { function_call: Some(function), ..Delta::default() }
        } else {
            let call = CallDelta {
                index: self.index - 1,
                id: id.as_deref(),
                r#type: id.is_some().then_some("function"),
                function: Some(function),
                custom: None,
            };
            Delta { tool_calls: Some([call]), ..Delta::default() }
        };
        send(&self.envelope, delta, out);
    }

    fn is_legacy(&self) -> bool {
        call_form("", &self.echo).0 == CallForm::Legacy
    }

    fn call_ends(&mut self, out: &mut SseWriter) {
        match std::mem::replace(&mut self.open, Open::None) {
            Open::None => return,
            // Clients parse the joined pieces, so a call without arguments still says `{}`.
            held @ Open::Held { .. } => {
                self.open = held;
                self.arguments("{}", out);
                self.open = Open::None;
            }
            Open::Told | Open::Skipped => {}
            Open::Custom { id, name, json } => {
                let input = parse_tool_input(&json).map_or(json, freeform::text);
                let custom = CustomDelta { name: &name, input: &input };
                let call = CallDelta {
                    index: self.index,
                    id: Some(&id),
                    r#type: Some("custom"),
                    function: None,
                    custom: Some(custom),
                };
                send(&self.envelope, Delta { tool_calls: Some([call]), ..Delta::default() }, out);
                self.index += 1;
                self.called = Some(CallForm::Custom);
                return;
            }
        }
        self.called = Some(if self.is_legacy() { CallForm::Legacy } else { CallForm::Function });
    }

    fn complete(&mut self, stop: &StopReason, out: &mut SseWriter) {
        self.weave(out, |weave, mut put| weave.other(&mut put));
        if !self.annotations.is_empty() {
            // All at once: some clients cannot join two lists of them.
            send(&self.envelope, Delta { annotations: Some(&self.annotations), ..Delta::default() }, out);
        }
        // Half a call must not look like a whole one, whatever else is said about the end.
        let reason = if self.cut { "length" } else { finish_reason(stop, self.called) };
        let choice = Choice { index: 0, delta: Delta::default(), logprobs: None, finish_reason: Some(reason) };
        self.envelope.chunk(choice, out);
        self.envelope.finish(&self.usage, &self.echo, out);
    }
}

fn send(envelope: &Envelope, delta: Delta<'_>, out: &mut SseWriter) {
    envelope.chunk(Choice { index: 0, delta, logprobs: None, finish_reason: None }, out);
}

impl StreamEncoder for ChatEncoder {
    fn start(&mut self, out: &mut SseWriter) {
        if self.phase == Phase::Fresh {
            self.phase = Phase::Started;
            send(&self.envelope, Delta { role: Some("assistant"), content: Some(""), ..Delta::default() }, out);
        }
    }

    fn event(&mut self, event: &Event, out: &mut SseWriter) {
        self.start(out);
        if self.phase == Phase::Ended {
            return;
        }
        match event {
            Event::Text(piece) => self.weave(out, |weave, mut put| weave.text(piece, &mut put)),
            Event::Thinking(piece) => self.weave(out, |weave, mut put| weave.thinking(piece, &mut put)),
            // There is no field that would bring them back.
            Event::ThinkingSignature(_) | Event::RedactedThinking(_) => {}
            Event::ToolUseStart { id, name } => self.call_starts(id, name, out),
            Event::ToolInput(piece) => {
                if !piece.is_empty() {
                    self.arguments(piece, out);
                }
            }
            Event::ToolUseEnd => self.call_ends(out),
            Event::ToolUseCut => {
                self.open = Open::None;
                self.cut = true;
            }
            Event::SearchStart { .. } => {}
            Event::SearchDone { outcome, .. } => {
                self.weave(out, |weave, mut put| weave.other(&mut put));
                cite(outcome.as_deref().unwrap_or_default(), &mut self.annotations);
            }
            Event::Usage(usage) => self.usage.merge(usage),
            // The end is written by `end`, with the usage figures that may still come.
            Event::Stop(stop) => self.stop = Some(stop.clone()),
        }
    }

    fn keep_alive(&mut self, out: &mut SseWriter) {
        if self.phase == Phase::Started {
            out.comment("keep-alive");
        }
    }

    fn end(&mut self, result: Result<(), &Failure>, out: &mut SseWriter) {
        if self.phase == Phase::Ended {
            return;
        }
        match (result, self.stop.take()) {
            (Err(failure), _) => out.json(None, &failure::body(failure)),
            // An open call means that the answer was cut inside it.
            (Ok(()), Some(stop)) if matches!(self.open, Open::None) => {
                self.start(out);
                self.complete(&stop, out);
            }
            (Ok(()), _) => out.json(None, &failure::body(&Failure::incomplete())),
        }
        self.phase = Phase::Ended;
    }
}
