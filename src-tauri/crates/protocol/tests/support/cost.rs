//! What the measurements of cost share: a large body as a coding client sends it, and a stream of text to encode.
#![allow(dead_code, reason = "each measurement uses a part of it")]

use kiro_protocol::codec::{Delivery, Echo, Protocol, RequestHead, StreamEncoder};
use kiro_protocol::event::Event;
use kiro_protocol::kiro::request::{BuildContext, build};
use kiro_protocol::sse::SseWriter;
use serde_json::{Value, json};

/// A request of Claude Code late in a session: a long system prompt, two dozen tools, files read and edited.
pub(crate) fn claude_code_body(bytes: usize) -> Vec<u8> {
    let tools: Vec<Value> = (0..24).map(tool).collect();
    let system = [80, 60, 28_000].map(|length| json!({"type": "text", "text": prose(length)}));
    let mut messages = vec![json!({"role": "user", "content": [{"type": "text", "text": prose(900)}]})];
    let mut size = 0;
    for turn in 0_usize.. {
        let (call, answer) = exchange(turn);
        size += call.to_string().len() + answer.to_string().len();
        messages.extend([call, answer]);
        if size + 75_000 > bytes {
            break;
        }
    }
    let body = json!({
        "model": "claude-sonnet-4-5",
        "max_tokens": 32_000,
        "stream": true,
        "system": system,
        "tools": tools,
        "messages": messages,
        "thinking": {"type": "disabled"},
        "metadata": {"user_id": "user_0"},
    });
    body.to_string().into_bytes()
}

fn tool(number: usize) -> Value {
    json!({
        "name": format!("Tool{number}"),
        "description": prose(1_500),
        "input_schema": {
            "$schema": "http://json-schema.org/draft-07/schema#",
            "type": "object",
            "properties": {
                "file_path": {"type": "string", "description": prose(80)},
                "limit": {"type": "integer", "minimum": 1, "description": prose(60)},
                "mode": {"type": "string", "enum": ["content", "files", "count"]},
                "edits": {"type": "array", "items": {"type": "object", "properties": {"old": {"type": "string"}, "new": {"type": "string"}}, "required": ["old", "new"]}},
            },
            "required": ["file_path"],
            "additionalProperties": false,
        },
    })
}

/// A call and its result: a file with line numbers, quotes and escapes, as code has them.
fn exchange(turn: usize) -> (Value, Value) {
    let id = format!("toolu_{turn:024}");
    let input = json!({"file_path": format!("/project/src/module_{turn}.rs"), "limit": 200, "mode": "content"});
    let call = json!({"role": "assistant", "content": [
        {"type": "text", "text": prose(180)},
        {"type": "tool_use", "id": id, "name": format!("Tool{}", turn % 24), "input": input},
    ]});
    let line = "\tlet greeting = format!(\"Grüße, {name}\\n\"); // said to everyone who comes in\n";
    let file: String = (0..60).map(|number| format!("{number:>6}→{line}")).collect();
    let answer = json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": id, "content": [{"type": "text", "text": file}]}]});
    (call, answer)
}

fn prose(length: usize) -> String {
    let line = "Use this when a file must be read in full; do \"not\" use it for directories.\n";
    line.chars().cycle().take(length).collect()
}

/// The whole way of a request through the translation: decoded, built, and written for the upstream.
pub(crate) fn translate<P: Protocol>(head: &RequestHead, body: &[u8]) -> Vec<u8> {
    let inbound = P::decode(head, body).expect("a right body");
    let context = BuildContext {
        model_id: "claude-sonnet-4.5".to_owned(),
        conversation_id: "00000000-0000-4000-8000-0000000000aa".to_owned(),
        ..BuildContext::default()
    };
    build(&inbound.conversation, &context)
        .to_bytes(Some("arn:aws:codewhisperer:us-east-1:111122223333:profile/EXAMPLE"))
}

/// A stream in the middle of a text, with room in its buffer.
pub(crate) struct Stream<P: Protocol> {
    encoder: P::Encoder,
    out: SseWriter,
    word: Event,
}

impl<P: Protocol> Stream<P> {
    pub(crate) fn new() -> Self {
        let echo = Echo {
            request_id: "0123456789abcdef0123456789abcdef".to_owned(),
            model: "claude-sonnet-4.5".to_owned(),
            created: 1_790_000_000,
            delivery: Some(Delivery::Stream),
            show_thinking: true,
            ..Echo::default()
        };
        let mut stream =
            Self { encoder: P::encoder(echo), out: SseWriter::default(), word: Event::Text("eleven char".to_owned()) };
        stream.encoder.start(&mut stream.out);
        // The first text opens what the following ones go on with.
        for _ in 0..2_000 {
            stream.text();
        }
        stream.sent();
        stream
    }

    /// Encodes one text event.
    pub(crate) fn text(&mut self) {
        self.encoder.event(&self.word, &mut self.out);
    }

    /// Takes what was written, as the connection does.
    pub(crate) fn sent(&mut self) -> usize {
        self.out.take().len()
    }
}
