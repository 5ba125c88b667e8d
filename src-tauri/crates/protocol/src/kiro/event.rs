//! Frames to events (kiro-upstream §3.2–§3.6).
//!
//! The service has no end-of-answer event: an answer is complete when the body ends cleanly, or when the metering event
//! came and nothing contradicts it. A truncated or corrupt answer is never reported as complete: without a clean end
//! there is a [`StreamFailure`] and no [`Event::Stop`].

mod failure;
mod payload;
mod tool_calls;

pub use failure::{StreamFailure, StreamFailureKind};

use super::frame::Frame;
use super::thinking::{Piece, ThinkingTags};
use super::tools::ToolNames;
use crate::codec::Notice;
use crate::event::{Event, StopReason, Usage, UsageSource};
use payload::{Assistant, Broken, ContextUsage, Metadata, Metering, Reasoning, TokenUsage};
use std::collections::BTreeMap;
use tool_calls::ToolCalls;

/// What may differ between answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DecodeOptions {
    /// Separate `<thinking>` tags from the text. Only for requests that asked for thinking by prompt tags
    /// ([`super::request::Built::inline_thinking`]); ignored once native reasoning was seen.
    pub inline_thinking: bool,
    /// Drop the text event directly before a code reference, as AWS's own command line does. Costs latency: each text
    /// event waits for the frame after it.
    pub drop_referenced_code: bool,
}

/// How the transport ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The body ended as HTTP says it should.
    Clean,
    /// The connection failed.
    Reset,
    /// Nothing came any more: the grace after metering passed, or the idle limit was reached.
    Idle,
}

/// Turns the frames of one answer into events.
#[derive(Debug)]
pub struct EventDecoder {
    names: ToolNames,
    options: DecodeOptions,
    calls: ToolCalls,
    tags: ThinkingTags,
    native_reasoning: bool,
    held_text: Option<String>,
    delivered: bool,
    metered: bool,
    length_reached: bool,
    context_full: bool,
    stop_hint: Option<StopReason>,
    skipped: BTreeMap<String, u64>,
    ended: bool,
    failed: Option<StreamFailure>,
}

impl EventDecoder {
    /// A decoder for one answer. `names` come from the request that is answered.
    pub fn new(names: ToolNames, options: DecodeOptions) -> Self {
        Self {
            names,
            options,
            calls: ToolCalls::default(),
            tags: ThinkingTags::default(),
            native_reasoning: false,
            held_text: None,
            delivered: false,
            metered: false,
            length_reached: false,
            context_full: false,
            stop_hint: None,
            skipped: BTreeMap::new(),
            ended: false,
            failed: None,
        }
    }

    /// Decodes one frame. Events before a failure are still in `out`; after a failure every call fails the same way.
    pub fn frame(&mut self, frame: &Frame, out: &mut Vec<Event>) -> Result<(), StreamFailure> {
        self.guarded(out, |this, out| this.route(frame, out))
    }

    /// Ends the answer. Emits the one [`Event::Stop`] when the answer is complete. The caller asks
    /// [`super::frame::FrameDecoder::finish`] first: a cut frame is no clean end.
    pub fn finish(&mut self, ending: Ending, out: &mut Vec<Event>) -> Result<(), StreamFailure> {
        self.guarded(out, |this, out| this.end(ending, out))
    }

    /// True once the metering event came: the answer is surely complete, and the service may neither send more nor
    /// close. The caller waits a short grace, which every new byte restarts, and then finishes with [`Ending::Idle`].
    pub fn metered(&self) -> bool {
        self.metered
    }

    /// True when no text, thinking or tool call came. A complete but empty answer may be worth one retry.
    pub fn is_empty(&self) -> bool {
        !self.delivered
    }

    /// Events that were skipped, by type.
    pub fn notices(&self) -> Vec<Notice> {
        let notice = |(name, count): (&String, &u64)| {
            Notice::new("upstream_event_skipped", name.as_str(), format!("skipped {count} time(s)"))
        };
        self.skipped.iter().map(notice).collect()
    }

    fn guarded(
        &mut self,
        out: &mut Vec<Event>,
        step: impl FnOnce(&mut Self, &mut Vec<Event>) -> Result<(), StreamFailure>,
    ) -> Result<(), StreamFailure> {
        if let Some(failure) = &self.failed {
            return Err(failure.clone());
        }
        let result = step(self, out);
        if let Err(failure) = &result {
            self.failed = Some(failure.clone());
        }
        result
    }

    fn route(&mut self, frame: &Frame, out: &mut Vec<Event>) -> Result<(), StreamFailure> {
        let kind = frame.header(":event-type").unwrap_or_default();
        if kind == "codeReferenceEvent" {
            self.held_text = None;
        } else {
            self.release_text(out);
        }
        match frame.header(":message-type") {
            Some("exception") => self.exception(frame),
            Some("error") => Err(payload::error_message(frame)),
            Some("event") | None => self.event(kind, frame, out),
            Some(other) => {
                self.skip(other);
                Ok(())
            }
        }
    }

    fn event(&mut self, kind: &str, frame: &Frame, out: &mut Vec<Event>) -> Result<(), StreamFailure> {
        match kind {
            "assistantResponseEvent" => {
                let text = payload::parse::<Assistant>(kind, frame)?.content.unwrap_or_default();
                if self.options.drop_referenced_code {
                    self.held_text = Some(text);
                } else {
                    self.text(text, out);
                }
            }
            "reasoningContentEvent" => self.reasoning(payload::parse(kind, frame)?, out),
            "toolUseEvent" => {
                let piece = payload::parse(kind, frame)?;
                self.flush_tags(out);
                self.delivered |= self.calls.piece(piece, &self.names, out)?;
            }
            "contextUsageEvent" => {
                let percentage = payload::parse::<ContextUsage>(kind, frame)?.context_usage_percentage;
                self.context(percentage, out);
            }
            "meteringEvent" => {
                let credits = payload::parse::<Metering>(kind, frame)?.usage;
                self.metered = true;
                out.push(Event::Usage(Usage { credits, ..Usage::default() }));
            }
            "metadataEvent" => {
                let metadata: Metadata = payload::parse(kind, frame)?;
                self.stop_hint = metadata.stop_hint().or(self.stop_hint.take());
                if let Some(tokens) = metadata.token_usage {
                    self.tokens(&tokens, out);
                }
            }
            "messageMetadataEvent" => {
                let metadata: Metadata = payload::parse(kind, frame)?;
                self.stop_hint = metadata.stop_hint().or(self.stop_hint.take());
            }
            "invalidStateEvent" | "modelTemporarilyUnavailableEvent" | "modelUnavailableEvent" => {
                let broken: Broken = payload::parse(kind, frame)?;
                return Err(StreamFailure::exception(kind, broken.reason, broken.message));
            }
            "" => self.skip("(no event type)"),
            other => self.skip(other),
        }
        Ok(())
    }

    fn text(&mut self, text: String, out: &mut Vec<Event>) {
        if text.is_empty() {
            return;
        }
        self.delivered = true;
        if self.options.inline_thinking && !self.native_reasoning {
            let mut pieces = Vec::new();
            self.tags.push(&text, &mut pieces);
            self.pieces(pieces, out);
        } else {
            self.calls.pass(Event::Text(text), out);
        }
    }

    fn reasoning(&mut self, reasoning: Reasoning, out: &mut Vec<Event>) {
        self.flush_tags(out);
        self.native_reasoning = true;
        let parts = [
            reasoning.text.map(Event::Thinking),
            reasoning.signature.map(Event::ThinkingSignature),
            reasoning.redacted_content.map(Event::RedactedThinking),
        ];
        for event in parts.into_iter().flatten() {
            self.delivered = true;
            self.calls.pass(event, out);
        }
    }

    fn context(&mut self, percentage: Option<f64>, out: &mut Vec<Event>) {
        if let Some(percentage) = percentage {
            self.context_full = percentage >= 100.0;
            out.push(Event::Usage(Usage { context_percentage: Some(percentage), ..Usage::default() }));
        }
    }

    /// Counts of zero on both sides mean that the service did not count.
    fn tokens(&mut self, tokens: &TokenUsage, out: &mut Vec<Event>) {
        self.context(tokens.context_usage_percentage, out);
        if tokens.input() == 0 && tokens.output_tokens.unwrap_or(0) == 0 {
            return;
        }
        out.push(Event::Usage(Usage {
            input_tokens: tokens.uncached_input_tokens,
            output_tokens: tokens.output_tokens,
            cache_read_tokens: tokens.cache_read_input_tokens,
            cache_write_tokens: tokens.cache_write_input_tokens,
            input_source: UsageSource::Upstream,
            output_source: UsageSource::Upstream,
            ..Usage::default()
        }));
    }

    /// The output limit arrives as an exception of its own, but only after output: before any, it is an error like others.
    fn exception(&mut self, frame: &Frame) -> Result<(), StreamFailure> {
        let failure = payload::exception(frame);
        if self.delivered && failure.is_output_limit() {
            self.length_reached = true;
            return Ok(());
        }
        Err(failure)
    }

    fn end(&mut self, ending: Ending, out: &mut Vec<Event>) -> Result<(), StreamFailure> {
        if self.ended {
            return Ok(());
        }
        self.release_text(out);
        self.flush_tags(out);
        let told = self.metered || self.length_reached;
        match ending {
            // A body that ends before anything was said is a broken connection that looks tidy.
            Ending::Clean if !self.delivered && !told => {
                return Err(StreamFailure::truncated("the service ended the answer before it said anything"));
            }
            Ending::Clean => {}
            Ending::Reset | Ending::Idle if told => {}
            Ending::Reset => {
                return Err(StreamFailure::truncated("the connection to the service failed in mid-answer"));
            }
            Ending::Idle => return Err(StreamFailure::truncated("the service stopped sending in mid-answer")),
        }
        self.calls.finish(out)?;
        self.ended = true;
        out.push(Event::Stop(self.stop_reason()));
        Ok(())
    }

    fn stop_reason(&mut self) -> StopReason {
        if self.calls.completed() {
            StopReason::ToolUse
        } else if self.length_reached {
            StopReason::MaxTokens
        } else if self.context_full {
            StopReason::ContextWindow
        } else {
            self.stop_hint.take().unwrap_or(StopReason::EndTurn)
        }
    }

    fn release_text(&mut self, out: &mut Vec<Event>) {
        if let Some(text) = self.held_text.take() {
            self.text(text, out);
        }
    }

    fn flush_tags(&mut self, out: &mut Vec<Event>) {
        let mut pieces = Vec::new();
        self.tags.flush(&mut pieces);
        self.pieces(pieces, out);
    }

    fn pieces(&mut self, pieces: Vec<Piece>, out: &mut Vec<Event>) {
        for piece in pieces {
            let event = match piece {
                Piece::Text(text) => Event::Text(text),
                Piece::Thinking(text) => Event::Thinking(text),
            };
            self.calls.pass(event, out);
        }
    }

    fn skip(&mut self, name: &str) {
        *self.skipped.entry(name.chars().take(64).collect()).or_default() += 1;
    }
}
