//! The answer, whole and as a stream.

use crate::codec::{Echo, Phase, StreamEncoder};
use crate::event::{Event, Reply, ReplyBlock, StopReason, Usage};
use crate::failure::Failure;
use crate::openai::failure;
use crate::openai_chat::encode::{Envelope, WireUsage, finish_reason};
use crate::openai_chat::weave::{Lane, Weave};
use crate::sse::SseWriter;
use serde::Serialize;
use serde_json::{Value, json};

/// The whole completion. There is one text and nothing beside it: reasoning shows only in the styles that write it into
/// the text.
pub(in crate::openai_chat) fn completion(reply: &Reply, echo: &Echo) -> Value {
    let mut text = String::new();
    let mut put = |lane: Lane, piece: &str| {
        if lane == Lane::Content {
            text.push_str(piece);
        }
    };
    let mut weave = Weave::new(echo);
    for block in &reply.blocks {
        match block {
            ReplyBlock::Text(piece) => weave.text(piece, &mut put),
            ReplyBlock::Thinking { text, .. } => weave.thinking(text, &mut put),
            ReplyBlock::RedactedThinking(_) => {}
            // Neither tools nor searches were declared.
            ReplyBlock::ToolUse { .. } | ReplyBlock::Search { .. } => weave.other(&mut put),
        }
    }
    weave.other(&mut put);
    let finish_reason = finish_reason(&reply.stop, None);
    let choice = json!({ "text": text, "index": 0, "logprobs": null, "finish_reason": finish_reason });
    envelope(echo).whole(choice, &WireUsage::new(&reply.usage, echo))
}

fn envelope(echo: &Echo) -> Envelope {
    Envelope::new("cmpl", "text_completion", echo)
}

/// The bookkeeping of one stream.
#[derive(Debug)]
pub struct CompletionEncoder {
    envelope: Envelope,
    echo: Echo,
    phase: Phase,
    weave: Weave,
    in_call: bool,
    usage: Usage,
    stop: Option<StopReason>,
}

#[derive(Serialize)]
struct Choice<'a> {
    text: &'a str,
    index: u32,
    logprobs: Option<()>,
    finish_reason: Option<&'static str>,
}

impl CompletionEncoder {
    pub(in crate::openai_chat) fn new(echo: Echo) -> Self {
        Self {
            envelope: envelope(&echo),
            phase: Phase::Fresh,
            weave: Weave::new(&echo),
            in_call: false,
            usage: Usage::default(),
            stop: None,
            echo,
        }
    }

    fn weave(&mut self, out: &mut SseWriter, step: impl FnOnce(&mut Weave, &mut dyn FnMut(Lane, &str))) {
        let Self { weave, envelope, .. } = self;
        step(weave, &mut |lane, text| {
            if lane == Lane::Content {
                envelope.chunk(Choice { text, index: 0, logprobs: None, finish_reason: None }, out);
            }
        });
    }
}

impl StreamEncoder for CompletionEncoder {
    fn start(&mut self, out: &mut SseWriter) {
        if self.phase == Phase::Fresh {
            self.phase = Phase::Started;
            self.envelope.chunk(Choice { text: "", index: 0, logprobs: None, finish_reason: None }, out);
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
            Event::ThinkingSignature(_) | Event::RedactedThinking(_) | Event::ToolInput(_) => {}
            // Neither tools nor searches were declared.
            Event::ToolUseStart { .. } => {
                self.in_call = true;
                self.weave(out, |weave, mut put| weave.other(&mut put));
            }
            Event::ToolUseEnd | Event::ToolUseCut => self.in_call = false,
            Event::SearchStart { .. } => {}
            Event::SearchDone { .. } => self.weave(out, |weave, mut put| weave.other(&mut put)),
            Event::Usage(usage) => self.usage.merge(usage),
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
            (Ok(()), Some(stop)) if !self.in_call => {
                self.start(out);
                self.weave(out, |weave, mut put| weave.other(&mut put));
                let finish_reason = Some(finish_reason(&stop, None));
                self.envelope.chunk(Choice { text: "", index: 0, logprobs: None, finish_reason }, out);
                self.envelope.finish(&self.usage, &self.echo, out);
            }
            (Ok(()), _) => out.json(None, &failure::body(&Failure::incomplete())),
        }
        self.phase = Phase::Ended;
    }
}
