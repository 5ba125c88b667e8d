//! The answer as server-sent events: `message_start`, blocks of `content_block_start` / `_delta` / `_stop`,
//! `message_delta`, `message_stop`. A failure ends with `error` and without `message_stop`.

use super::encode::{WireUsage, context_management, search_content, stop_reason};
use super::{failure, message_id};
use crate::codec::{Echo, Phase, StreamEncoder};
use crate::event::{Event, StopReason, Usage};
use crate::failure::Failure;
use crate::sse::SseWriter;
use serde::Serialize;

/// The bookkeeping of one stream.
#[derive(Debug)]
pub struct AnthropicEncoder {
    echo: Echo,
    phase: Phase,
    open: Open,
    /// Index of the next block to open.
    index: u32,
    usage: Usage,
    stop: Option<StopReason>,
}

/// The block that was started and not stopped.
#[derive(Debug, PartialEq, Eq)]
enum Open {
    None,
    /// A block that its start says completely.
    Whole,
    Text,
    /// Clients replace the signature with each delta, so its pieces are joined and sent once, at the end of the block.
    Thinking {
        signature: Option<String>,
    },
    Tool {
        has_input: bool,
    },
}

#[derive(Serialize)]
struct MessageStart<'a> {
    r#type: &'static str,
    message: Opening<'a>,
}

#[derive(Serialize)]
struct Opening<'a> {
    id: String,
    r#type: &'static str,
    role: &'static str,
    model: &'a str,
    content: [u8; 0],
    stop_reason: Option<&'static str>,
    stop_sequence: Option<&'static str>,
    usage: WireUsage,
}

#[derive(Serialize)]
struct BlockStart<'a> {
    r#type: &'static str,
    index: u32,
    content_block: Block<'a>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block<'a> {
    Text { text: &'static str },
    Thinking { thinking: &'static str, signature: &'static str },
    RedactedThinking { data: &'a str },
    ToolUse { id: &'a str, name: &'a str, input: Empty },
    ServerToolUse { id: &'a str, name: &'static str, input: Query<'a> },
    WebSearchToolResult { tool_use_id: &'a str, content: serde_json::Value },
}

#[derive(Serialize)]
struct Empty {}

#[derive(Serialize)]
struct Query<'a> {
    query: &'a str,
}

#[derive(Serialize)]
struct BlockDelta<'a> {
    r#type: &'static str,
    index: u32,
    delta: Delta<'a>,
}

#[derive(Serialize)]
#[serde(tag = "type")]
enum Delta<'a> {
    #[serde(rename = "text_delta")]
    Text { text: &'a str },
    #[serde(rename = "thinking_delta")]
    Thinking { thinking: &'a str },
    #[serde(rename = "signature_delta")]
    Signature { signature: &'a str },
    #[serde(rename = "input_json_delta")]
    InputJson { partial_json: &'a str },
}

#[derive(Serialize)]
struct BlockStop {
    r#type: &'static str,
    index: u32,
}

#[derive(Serialize)]
struct MessageDelta<'a> {
    r#type: &'static str,
    delta: Ending<'a>,
    usage: WireUsage,
    #[serde(skip_serializing_if = "Option::is_none")]
    context_management: Option<&'a serde_json::Value>,
}

#[derive(Serialize)]
struct Ending<'a> {
    stop_reason: &'static str,
    stop_sequence: Option<&'a str>,
}

#[derive(Serialize)]
struct Bare {
    r#type: &'static str,
}

impl AnthropicEncoder {
    pub(super) fn new(echo: Echo) -> Self {
        Self { echo, phase: Phase::Fresh, open: Open::None, index: 0, usage: Usage::default(), stop: None }
    }

    fn open(&mut self, block: Block<'_>, state: Open, out: &mut SseWriter) {
        self.close(out);
        let start = BlockStart { r#type: "content_block_start", index: self.index, content_block: block };
        out.json(Some("content_block_start"), &start);
        self.index += 1;
        self.open = state;
    }

    fn delta(&self, delta: Delta<'_>, out: &mut SseWriter) {
        let delta = BlockDelta { r#type: "content_block_delta", index: self.index - 1, delta };
        out.json(Some("content_block_delta"), &delta);
    }

    /// Stops the open block, if any.
    fn close(&mut self, out: &mut SseWriter) {
        match std::mem::replace(&mut self.open, Open::None) {
            Open::None => return,
            Open::Thinking { signature: Some(signature) } => {
                self.delta(Delta::Signature { signature: &signature }, out);
            }
            // Some clients parse the joined deltas, so a call without arguments still says `{}`.
            Open::Tool { has_input: false } => self.delta(Delta::InputJson { partial_json: "{}" }, out),
            Open::Whole | Open::Text | Open::Thinking { signature: None } | Open::Tool { has_input: true } => {}
        }
        let stop = BlockStop { r#type: "content_block_stop", index: self.index - 1 };
        out.json(Some("content_block_stop"), &stop);
    }

    fn thinking(&mut self, piece: &str, out: &mut SseWriter) {
        if self.open != (Open::Thinking { signature: None }) {
            let block = Block::Thinking { thinking: "", signature: "" };
            self.open(block, Open::Thinking { signature: None }, out);
        }
        if !piece.is_empty() {
            self.delta(Delta::Thinking { thinking: piece }, out);
        }
    }

    fn signature(&mut self, piece: &str, out: &mut SseWriter) {
        if !matches!(self.open, Open::Thinking { .. }) {
            self.thinking("", out);
        }
        if let Open::Thinking { signature } = &mut self.open {
            signature.get_or_insert_default().push_str(piece);
        }
    }

    fn complete(&mut self, stop: &StopReason, out: &mut SseWriter) {
        self.close(out);
        let (stop_reason, stop_sequence) = stop_reason(stop);
        let delta = MessageDelta {
            r#type: "message_delta",
            delta: Ending { stop_reason, stop_sequence },
            usage: WireUsage::new(&self.usage, &self.echo),
            context_management: context_management(&self.echo),
        };
        out.json(Some("message_delta"), &delta);
        out.json(Some("message_stop"), &Bare { r#type: "message_stop" });
    }

    fn error(&mut self, failure: &Failure, out: &mut SseWriter) {
        out.json(Some("error"), &failure::body(failure, &self.echo.request_id));
    }
}

impl StreamEncoder for AnthropicEncoder {
    fn start(&mut self, out: &mut SseWriter) {
        if self.phase != Phase::Fresh {
            return;
        }
        self.phase = Phase::Started;
        let start = MessageStart {
            r#type: "message_start",
            message: Opening {
                id: message_id(&self.echo),
                r#type: "message",
                role: "assistant",
                model: &self.echo.model,
                content: [],
                stop_reason: None,
                stop_sequence: None,
                usage: WireUsage::new(&self.usage, &self.echo),
            },
        };
        out.json(Some("message_start"), &start);
    }

    fn event(&mut self, event: &Event, out: &mut SseWriter) {
        self.start(out);
        if self.phase == Phase::Ended {
            return;
        }
        match event {
            Event::Text(piece) | Event::Thinking(piece) if piece.is_empty() => {}
            Event::Text(piece) => {
                if self.open != Open::Text {
                    self.open(Block::Text { text: "" }, Open::Text, out);
                }
                self.delta(Delta::Text { text: piece }, out);
            }
            Event::Thinking(_) | Event::ThinkingSignature(_) | Event::RedactedThinking(_)
                if !self.echo.show_thinking => {}
            Event::Thinking(piece) => self.thinking(piece, out),
            Event::ThinkingSignature(piece) => self.signature(piece, out),
            Event::RedactedThinking(data) => {
                self.open(Block::RedactedThinking { data }, Open::Whole, out);
                self.close(out);
            }
            Event::ToolUseStart { id, name } => {
                self.open(Block::ToolUse { id, name, input: Empty {} }, Open::Tool { has_input: false }, out);
            }
            Event::ToolInput(piece) => {
                if let Open::Tool { has_input } = &mut self.open
                    && !piece.is_empty()
                {
                    *has_input = true;
                    self.delta(Delta::InputJson { partial_json: piece }, out);
                }
            }
            Event::ToolUseEnd => {
                if matches!(self.open, Open::Tool { .. }) {
                    self.close(out);
                }
            }
            // The block ends with input that does not parse: clients do not run such a call.
            Event::ToolUseCut => {
                if matches!(self.open, Open::Tool { .. }) {
                    self.open = Open::Whole;
                    self.close(out);
                }
            }
            Event::SearchStart { id, query } => {
                let block = Block::ServerToolUse { id, name: "web_search", input: Query { query } };
                self.open(block, Open::Whole, out);
                self.close(out);
            }
            Event::SearchDone { id, outcome } => {
                let block = Block::WebSearchToolResult { tool_use_id: id, content: search_content(outcome) };
                self.open(block, Open::Whole, out);
                self.close(out);
            }
            Event::Usage(usage) => self.usage.merge(usage),
            // The end is written by `end`, with the usage figures that may still come.
            Event::Stop(stop) => self.stop = Some(stop.clone()),
        }
    }

    fn keep_alive(&mut self, out: &mut SseWriter) {
        if self.phase == Phase::Started {
            out.json(Some("ping"), &Bare { r#type: "ping" });
        }
    }

    fn end(&mut self, result: Result<(), &Failure>, out: &mut SseWriter) {
        if self.phase == Phase::Ended {
            return;
        }
        match (result, self.stop.take()) {
            (Err(failure), _) => self.error(failure, out),
            // An open tool call means that the answer was cut inside it.
            (Ok(()), Some(stop)) if !matches!(self.open, Open::Tool { .. }) => {
                self.start(out);
                self.complete(&stop, out);
            }
            (Ok(()), _) => self.error(&Failure::incomplete(), out),
        }
        self.phase = Phase::Ended;
    }
}
