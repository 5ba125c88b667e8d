//! Turns a reply into the events that the service would send, in its order (kiro-upstream §3.2).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::brain::Reply;
use super::reading::current;
use crate::frame::StreamMessage;
use crate::models::Model;
use crate::router::Call;
use crate::scenario::{Scenario, Step};
use crate::script::End;

/// Characters per fragment of a tool call's input.
const FRAGMENT: usize = 12;

pub(super) fn scenario(call: &Call, body: &Value, model: &Model, conversation: &str, reply: &Reply) -> Scenario {
    let mut messages = Vec::new();
    let mut event = |kind: &str, payload: Value| messages.push(Step::Message(StreamMessage::event(kind, payload)));
    let (utterance, tool_id) = {
        let mut memory = call.state.memory();
        (memory.uuid(), format!("tooluse_{}", memory.uuid().replace('-', "").get(..22).unwrap_or_default()))
    };
    event("messageMetadataEvent", json!({"conversationId": conversation, "utteranceId": utterance}));

    let mut output = reply.text.clone();
    let thought = thinking(body, model);
    match &thought {
        Thinking::Off => {}
        Thinking::Shown => {
            for piece in pieces(THOUGHT) {
                event("reasoningContentEvent", json!({"text": piece}));
            }
            event("reasoningContentEvent", json!({"signature": signature_of(call.state.config.seed, THOUGHT)}));
            output.push_str(THOUGHT);
        }
        Thinking::Hidden => {
            event("reasoningContentEvent", json!({"signature": signature_of(call.state.config.seed, "")}));
        }
        Thinking::HiddenAfter => {}
        Thinking::Inline => {
            event("assistantResponseEvent", json!({"content": "<thinking>"}));
            for piece in pieces(THOUGHT) {
                event("assistantResponseEvent", json!({"content": piece}));
            }
            event("assistantResponseEvent", json!({"content": "</thinking>\n\n"}));
            output.push_str(THOUGHT);
        }
    }
    for piece in pieces(&reply.text) {
        event("assistantResponseEvent", json!({"content": piece, "modelId": model.id}));
    }
    if let Some((name, input)) = &reply.call {
        let input = input.to_string();
        output.push_str(&input);
        event("toolUseEvent", json!({"toolUseId": tool_id, "name": name}));
        let characters: Vec<char> = input.chars().collect();
        for fragment in characters.chunks(FRAGMENT) {
            let fragment: String = fragment.iter().collect();
            event("toolUseEvent", json!({"toolUseId": tool_id, "name": name, "input": fragment}));
        }
        event("toolUseEvent", json!({"toolUseId": tool_id, "name": name, "stop": true}));
    }
    if matches!(thought, Thinking::HiddenAfter) {
        event(
            "reasoningContentEvent",
            json!({"text": "...", "signature": signature_of(call.state.config.seed, "...")}),
        );
    }
    let (input_tokens, output_tokens) = (tokens(call.body.len()), tokens(output.len()));
    let total = input_tokens + output_tokens;
    let percentage = as_f64(total) / as_f64(model.window) * 100.0;
    event("contextUsageEvent", json!({"contextUsagePercentage": percentage}));
    event(
        "metadataEvent",
        json!({"tokenUsage": {
            "uncachedInputTokens": input_tokens,
            "cacheReadInputTokens": 0,
            "cacheWriteInputTokens": 0,
            "outputTokens": output_tokens,
            "totalTokens": total,
        }}),
    );
    let credits = (model.multiplier * (0.02 + as_f64(total) / 500_000.0) * 10_000.0).round() / 10_000.0;
    event("meteringEvent", json!({"usage": credits, "unit": "credit", "unitPlural": "credits"}));

    let pause_ms = u64::try_from(call.state.config.word_delay.as_millis()).unwrap_or(u64::MAX);
    if pause_ms > 0 {
        messages = messages.into_iter().flat_map(|step| with_pause(step, pause_ms)).collect();
    }
    Scenario { messages, end: End::Eof, content_type: "application/vnd.amazon.eventstream".to_owned() }
}

/// Ends the input of a tool call after so many characters; the events that follow the call stay.
pub(super) fn cut_call(mut whole: Scenario, characters: usize, stop: bool) -> Scenario {
    let mut left = characters;
    whole.messages.retain_mut(|step| {
        let Step::Message(StreamMessage::Event { event_type, payload }) = step else { return true };
        if event_type != "toolUseEvent" {
            return true;
        }
        if payload["stop"] == true {
            return stop;
        }
        let Some(input) = payload["input"].as_str() else { return true };
        let kept: String = input.chars().take(left).collect();
        left -= kept.chars().count();
        let some = !kept.is_empty();
        payload["input"] = kept.into();
        some
    });
    whole
}

fn with_pause(step: Step, pause_ms: u64) -> Vec<Step> {
    let speaks = matches!(&step, Step::Message(StreamMessage::Event { event_type, .. })
        if matches!(event_type.as_str(), "assistantResponseEvent" | "reasoningContentEvent" | "toolUseEvent"));
    if speaks { vec![step, Step::Pause { pause_ms }] } else { vec![step] }
}

const THOUGHT: &str = "This is a simulated thought: I read the last message and answer it.";

/// What is shown of thinking.
enum Thinking {
    Off,
    Shown,
    /// Signature only.
    Hidden,
    /// GPT models: a stub of text and a signature, after the answer (kiro-upstream §10).
    HiddenAfter,
    /// Older models, asked by tags in the prompt.
    Inline,
}

fn thinking(body: &Value, model: &Model) -> Thinking {
    let fields = &body["additionalModelRequestFields"];
    if fields["reasoning"]["effort"].is_string() {
        return Thinking::HiddenAfter;
    }
    if fields["thinking"]["type"] == "adaptive" {
        return if fields["thinking"]["display"] == "omitted" { Thinking::Hidden } else { Thinking::Shown };
    }
    let tags = ["<thinking_mode>enabled</thinking_mode>", "<thinking_mode>adaptive</thinking_mode>"];
    let first = body["conversationState"]["history"][0]["userInputMessage"]["content"].as_str().unwrap_or_default();
    let now = current(body)["content"].as_str().unwrap_or_default();
    let asked = tags.iter().any(|tag| first.contains(tag) || now.contains(tag));
    if asked && model.fields_schema.is_none() && model.id.starts_with("claude-") {
        Thinking::Inline
    } else {
        Thinking::Off
    }
}

/// The signature that belongs to a thought. It depends on the seed only, so that a later run with the same seed accepts it.
pub(crate) fn signature_of(seed: u64, text: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(b"kiro-simulator reasoning ");
    hash.update(seed.to_be_bytes());
    hash.update(text.as_bytes());
    let first = hash.finalize();
    let second = Sha256::digest(first);
    STANDARD.encode([first.as_slice(), second.as_slice()].concat())
}

/// Words with the white space that follows them.
fn pieces(text: &str) -> Vec<&str> {
    text.split_inclusive(char::is_whitespace).collect()
}

/// About four bytes per token.
pub(super) fn tokens(bytes: usize) -> u64 {
    (bytes as u64).div_ceil(4)
}

#[expect(clippy::cast_precision_loss, reason = "token counts stay far below 2^53")]
fn as_f64(n: u64) -> f64 {
    n as f64
}
