//! A complete answer as one JSON body, and the frame that the stream shares with it.

use super::assemble::{Assembler, Grounding, Part, UsageMetadata};
use crate::codec::Echo;
use crate::event::{Reply, ReplyBlock};
use serde::Serialize;
use serde_json::Value;

/// A response, whole or a chunk of a stream.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Response<'a, P> {
    pub(super) candidates: [Candidate<'a, P>; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) usage_metadata: Option<UsageMetadata>,
    pub(super) model_version: &'a str,
    pub(super) response_id: &'a str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Candidate<'a, P> {
    pub(super) content: Content<'a, P>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) finish_reason: Option<&'static str>,
    pub(super) index: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) grounding_metadata: Option<&'a Grounding>,
}

#[derive(Debug, Serialize)]
pub(super) struct Content<'a, P> {
    pub(super) parts: &'a [P],
    pub(super) role: &'static str,
}

/// The whole answer.
pub(super) fn response(reply: &Reply, echo: &Echo) -> Value {
    let mut parts: Vec<Value> = Vec::with_capacity(reply.blocks.len());
    let mut emit = |part: Part<'_>| merge(&mut parts, part);
    let mut assembler = Assembler::new(echo.show_thinking);
    for block in &reply.blocks {
        match block {
            ReplyBlock::Text(text) => assembler.text(text, &mut emit),
            ReplyBlock::Thinking { text, signature } => {
                assembler.thinking(text, &mut emit);
                if let Some(signature) = signature {
                    assembler.thinking_signature(signature);
                }
            }
            ReplyBlock::RedactedThinking(data) => assembler.redacted(data),
            ReplyBlock::ToolUse { id, name, input } => assembler.call(id, name, input, &mut emit),
            ReplyBlock::Search { query, outcome, .. } => {
                assembler.search(query);
                assembler.found(outcome);
            }
        }
    }
    assembler.finish(&mut emit);
    let response = Response {
        candidates: [Candidate {
            content: Content { parts: &parts, role: "model" },
            finish_reason: Some(assembler.finish_reason(&reply.stop, reply.call_cut)),
            index: 0,
            grounding_metadata: assembler.grounding(),
        }],
        usage_metadata: Some(UsageMetadata::new(&reply.usage, echo.input_tokens)),
        model_version: &echo.model,
        response_id: &echo.request_id,
    };
    serde_json::to_value(&response).expect("texts and numbers always serialize")
}

/// Adds a part by the rule of the merge.
fn merge(parts: &mut Vec<Value>, part: Part<'_>) {
    if let (Some(text), None) = (part.text, &part.thought_signature) {
        if text.is_empty() {
            return;
        }
        if let Some(last) = parts.last_mut()
            && last.get("thought").is_some() == part.thought
            && let Some(Value::String(before)) = last.get_mut("text")
        {
            before.push_str(text);
            return;
        }
    }
    parts.push(serde_json::to_value(&part).expect("texts and objects always serialize"));
}
