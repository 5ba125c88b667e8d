//! The same conversation as each target wants it: as an upstream request, or in one of the gateway's APIs.

use crate::client::Shot;
use crate::process::Process;
use crate::workload::{Api, Cell, Stage, Target};
use bytes::Bytes;
use serde_json::{Value, json};

const MODEL: &str = "claude-sonnet-4.6";

/// The request for a target.
pub(crate) fn shot(stage: &Stage, target: Target, cell: Cell) -> Shot {
    let pieces = filler(cell.body_kilobytes);
    let question = question(cell.events);
    let (path, marker, mut headers, body) = match target {
        Target::Gateway(api) => {
            let (path, marker, body) = asked(api, &pieces, &question);
            let key = match api {
                Api::Anthropic => ("x-api-key", stage.key.clone()),
                Api::Chat | Api::Responses => ("authorization", format!("Bearer {}", stage.key)),
                Api::Gemini => ("x-goog-api-key", stage.key.clone()),
            };
            (path, marker, vec![key, ("anthropic-version", "2023-06-01".to_owned())], body)
        }
        Target::Direct | Target::PassThrough => {
            let headers = vec![
                ("authorization", format!("Bearer {}", stage.token)),
                ("user-agent", "aws-sdk-js/1.0.39 ua/2.1 os/linux lang/js api/codewhispererstreaming#1.0.39 m/E KiroIDE-1.4.154-bench".to_owned()),
                ("x-amz-user-agent", "aws-sdk-js/1.0.39 KiroIDE-1.4.154-bench".to_owned()),
                ("x-amzn-kiro-agent-mode", "vibe".to_owned()),
            ];
            let body = upstream(stage, &pieces, &question);
            ("/generateAssistantResponse", &b"assistantResponseEvent"[..], headers, body)
        }
    };
    headers.push(("content-type", "application/json".to_owned()));
    Shot {
        address: address(stage.process(target)),
        path,
        headers,
        body: Bytes::from(body.to_string()),
        marker,
        events: cell.events.min(2),
    }
}

/// Path, what each text event has once, and body.
fn asked(api: Api, pieces: &[String], question: &str) -> (&'static str, &'static [u8], Value) {
    // The user's turn and the model's, for every piece, then the question.
    let turns = |turn: &dyn Fn(bool, &str) -> Value| -> Vec<Value> {
        let earlier = pieces.iter().flat_map(|piece| [turn(true, piece), turn(false, "Noted.")]);
        earlier.chain([turn(true, question)]).collect()
    };
    let plain = |user: bool, text: &str| json!({"role": if user { "user" } else { "assistant" }, "content": text});
    match api {
        Api::Anthropic => {
            let body = json!({"model": MODEL, "max_tokens": 4096, "stream": true, "messages": turns(&plain)});
            ("/v1/messages", b"event: content_block_delta", body)
        }
        Api::Chat => {
            let body = json!({"model": MODEL, "stream": true, "stream_options": {"include_usage": true}, "messages": turns(&plain)});
            ("/v1/chat/completions", b"\"content\":\"word", body)
        }
        Api::Responses => {
            let body = json!({"model": MODEL, "stream": true, "store": false, "input": turns(&plain)});
            ("/v1/responses", b"event: response.output_text.delta", body)
        }
        Api::Gemini => {
            let turn = |user: bool, text: &str| json!({"role": if user { "user" } else { "model" }, "parts": [{"text": text}]});
            (
                "/v1beta/models/claude-sonnet-4.6:streamGenerateContent?alt=sse",
                b"\"text\":\"word",
                json!({"contents": turns(&turn)}),
            )
        }
    }
}

fn upstream(stage: &Stage, pieces: &[String], question: &str) -> Value {
    let user = |text: &str| json!({"userInputMessage": {"content": text, "modelId": MODEL, "origin": "AI_EDITOR"}});
    let mut history = Vec::new();
    for piece in pieces {
        history.push(user(piece));
        history.push(json!({"assistantResponseMessage": {"content": "Noted."}}));
    }
    let mut state = json!({
        "chatTriggerType": "MANUAL",
        "agentTaskType": "vibe",
        "conversationId": "00000000-0000-4000-8000-0000000000aa",
        "currentMessage": user(question),
    });
    if !history.is_empty() {
        state["history"] = Value::Array(history);
    }
    let mut body = json!({"conversationState": state});
    if let Some(profile) = &stage.profile {
        body["profileArn"] = json!(profile);
    }
    body
}

/// Text that makes a request body about so large, in pieces that no single-field limit refuses.
fn filler(kilobytes: usize) -> Vec<String> {
    let line = "The quick brown fox jumps over the lazy dog; 0123456789 (filler for the bench). ";
    let wanted = kilobytes.saturating_sub(1) * 1000;
    (0..wanted.div_ceil(20_000)).map(|at| line.repeat((wanted - at * 20_000).min(20_000) / line.len())).collect()
}

fn question(events: usize) -> String {
    format!("SAY: {}", vec!["word"; events].join(" "))
}

/// `host:port` of a process.
pub(crate) fn address(process: &Process) -> String {
    process.url.trim_start_matches("http://").to_owned()
}
