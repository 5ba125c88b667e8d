//! The answer piece by piece: as server-sent events, or as the elements of one JSON array. Each chunk holds one part;
//! the last one holds `finishReason` and `usageMetadata`.
//!
//! A stream has no terminator of its own. A failure is an `error` object in place of a chunk, after which the connection is
//! reset ([`Protocol::RESETS_AFTER_FAILURE`](crate::codec::Protocol)); the array is left open. No comment lines: they
//! break the readers of Google's own clients.

use super::assemble::{Assembler, Part, UsageMetadata};
use super::encode::{Candidate, Content, Response};
use super::failure;
use crate::codec::{Delivery, Echo, Phase, StreamEncoder};
use crate::event::{Event, StopReason, Usage};
use crate::failure::Failure;
use crate::sse::SseWriter;
use serde::Serialize;

/// The bookkeeping of one stream.
#[derive(Debug)]
pub struct GeminiEncoder {
    echo: Echo,
    frame: Frame,
    phase: Phase,
    assembler: Assembler,
    usage: Usage,
    stop: Option<StopReason>,
}

/// How chunks are set apart.
#[derive(Debug, Clone, Copy)]
enum Frame {
    Events,
    /// True once an element was written.
    Array(bool),
}

impl Frame {
    fn write<T: Serialize>(&mut self, chunk: &T, out: &mut SseWriter) {
        match self {
            Frame::Events => out.json(None, chunk),
            Frame::Array(any) => {
                if std::mem::replace(any, true) {
                    out.raw(b",\n");
                }
                out.raw_json(chunk);
            }
        }
    }
}

impl GeminiEncoder {
    pub(super) fn new(echo: Echo) -> Self {
        let frame = match echo.delivery {
            Some(Delivery::JsonArray) => Frame::Array(false),
            Some(Delivery::Stream | Delivery::Whole) | None => Frame::Events,
        };
        let assembler = Assembler::new(echo.show_thinking);
        Self { echo, frame, phase: Phase::Fresh, assembler, usage: Usage::default(), stop: None }
    }

    fn complete(&mut self, stop: &StopReason, out: &mut SseWriter) {
        let (frame, echo) = (&mut self.frame, &self.echo);
        self.assembler.finish(&mut |part| frame.write(&chunk(&[part], echo), out));
        let last = [Part { text: Some(""), ..Part::default() }];
        let mut chunk = chunk(&last, &self.echo);
        chunk.candidates[0].finish_reason = Some(self.assembler.finish_reason(stop, false));
        chunk.candidates[0].grounding_metadata = self.assembler.grounding();
        chunk.usage_metadata = Some(UsageMetadata::new(&self.usage, self.echo.input_tokens));
        self.frame.write(&chunk, out);
        match self.frame {
            Frame::Events => {}
            Frame::Array(_) => out.raw(b"]"),
        }
    }
}

/// A chunk of an answer that goes on.
fn chunk<'a>(parts: &'a [Part<'a>], echo: &'a Echo) -> Response<'a, Part<'a>> {
    Response {
        candidates: [Candidate {
            content: Content { parts, role: "model" },
            finish_reason: None,
            index: 0,
            grounding_metadata: None,
        }],
        usage_metadata: None,
        model_version: &echo.model,
        response_id: &echo.request_id,
    }
}

impl StreamEncoder for GeminiEncoder {
    /// There is nothing to say before the first part; an array can be opened.
    fn start(&mut self, out: &mut SseWriter) {
        if self.phase != Phase::Fresh {
            return;
        }
        self.phase = Phase::Started;
        match self.frame {
            Frame::Events => {}
            Frame::Array(_) => out.raw(b"["),
        }
    }

    fn event(&mut self, event: &Event, out: &mut SseWriter) {
        self.start(out);
        if self.phase == Phase::Ended {
            return;
        }
        let (frame, echo) = (&mut self.frame, &self.echo);
        let mut emit = |part: Part<'_>| frame.write(&chunk(&[part], echo), out);
        match event {
            Event::Text(piece) => self.assembler.text(piece, &mut emit),
            Event::Thinking(piece) => self.assembler.thinking(piece, &mut emit),
            Event::ThinkingSignature(piece) => self.assembler.thinking_signature(piece),
            Event::RedactedThinking(data) => self.assembler.redacted(data),
            Event::ToolUseStart { id, name } => self.assembler.call_start(id, name),
            Event::ToolInput(piece) => self.assembler.call_input(piece),
            Event::ToolUseEnd => self.assembler.call_end(&mut emit),
            Event::ToolUseCut => self.assembler.cut_call(),
            Event::SearchStart { query, .. } => self.assembler.search(query),
            Event::SearchDone { outcome, .. } => self.assembler.found(outcome),
            Event::Usage(usage) => self.usage.merge(usage),
            // The end is written by `end`, with the usage figures that may still come.
            Event::Stop(stop) => self.stop = Some(stop.clone()),
        }
    }

    fn keep_alive(&mut self, out: &mut SseWriter) {
        self.start(out);
        if self.phase == Phase::Started {
            match self.frame {
                Frame::Events => out.data("{}"),
                // White space between two elements, or before the first.
                Frame::Array(_) => out.raw(b"\n"),
            }
        }
    }

    fn end(&mut self, result: Result<(), &Failure>, out: &mut SseWriter) {
        self.start(out);
        if self.phase == Phase::Ended {
            return;
        }
        match (result, self.stop.take()) {
            (Err(failure), _) => self.frame.write(&failure::body(failure, &self.echo.request_id), out),
            // An open call means that the answer was cut inside it.
            (Ok(()), Some(stop)) if !self.assembler.call_is_open() => self.complete(&stop, out),
            (Ok(()), _) => self.frame.write(&failure::body(&Failure::incomplete(), &self.echo.request_id), out),
        }
        self.phase = Phase::Ended;
    }
}
