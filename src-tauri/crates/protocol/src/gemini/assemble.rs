//! Events or blocks into parts. Both kinds of delivery go through here, so they cannot differ: a whole answer is the merge
//! of the parts that a stream sends one by one.
//!
//! The merge: a text part without a signature continues the part before it when that is text with the same `thought`;
//! empty text without a signature adds nothing; every other part stands for itself. Of the remaining members the last
//! value counts.
//!
//! Reasoning that must be replayed travels as the `thoughtSignature` of the part that follows it, for clients keep
//! that part; only when nothing follows it gets an empty part of its own, at the end.

use super::signature::{Thought, seal};
use crate::conversation::JsonObject;
use crate::event::{SearchHit, StopReason, Usage, parse_tool_input};
use serde::Serialize;

/// One part as it is written.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Part<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) text: Option<&'a str>,
    #[serde(skip_serializing_if = "is_false")]
    pub(super) thought: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) function_call: Option<FunctionCall<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) thought_signature: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct FunctionCall<'a> {
    id: &'a str,
    name: &'a str,
    args: &'a JsonObject,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// `groundingMetadata`: what was searched for and found.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Grounding {
    web_search_queries: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    grounding_chunks: Vec<GroundingChunk>,
}

#[derive(Debug, Serialize)]
struct GroundingChunk {
    web: WebChunk,
}

#[derive(Debug, Serialize)]
struct WebChunk {
    uri: String,
    title: String,
}

/// The bookkeeping of one answer.
#[derive(Debug)]
pub(super) struct Assembler {
    show_thinking: bool,
    /// Reasoning since the last part that was not a thought.
    pending: Vec<Thought>,
    /// True when the next reasoning does not continue the last one.
    parted: bool,
    /// Signatures made so far.
    sealed: u32,
    /// The open call: id, name, text of its arguments.
    call: Option<(String, String, String)>,
    call_cut: bool,
    grounding: Option<Grounding>,
}

impl Assembler {
    pub(super) fn new(show_thinking: bool) -> Self {
        Self {
            show_thinking,
            pending: Vec::new(),
            parted: false,
            sealed: 0,
            call: None,
            call_cut: false,
            grounding: None,
        }
    }

    pub(super) fn text(&mut self, piece: &str, emit: &mut dyn FnMut(Part<'_>)) {
        if !piece.is_empty() {
            let thought_signature = self.signature();
            emit(Part { text: Some(piece), thought_signature, ..Part::default() });
        }
    }

    pub(super) fn thinking(&mut self, piece: &str, emit: &mut dyn FnMut(Part<'_>)) {
        if piece.is_empty() {
            return;
        }
        match self.pending.last_mut() {
            Some(Thought::Text(text, None)) if !self.parted => text.push_str(piece),
            Some(_) | None => self.pending.push(Thought::Text(piece.to_owned(), None)),
        }
        self.parted = false;
        if self.show_thinking {
            emit(Part { text: Some(piece), thought: true, ..Part::default() });
        }
    }

    pub(super) fn thinking_signature(&mut self, piece: &str) {
        match self.pending.last_mut() {
            Some(Thought::Text(_, signature)) if !self.parted => signature.get_or_insert_default().push_str(piece),
            Some(_) | None => self.pending.push(Thought::Text(String::new(), Some(piece.to_owned()))),
        }
        self.parted = false;
    }

    pub(super) fn redacted(&mut self, data: &str) {
        self.pending.push(Thought::Redacted(data.to_owned()));
    }

    pub(super) fn call_start(&mut self, id: &str, name: &str) {
        self.call = Some((id.to_owned(), name.to_owned(), String::new()));
    }

    pub(super) fn call_input(&mut self, piece: &str) {
        if let Some((_, _, input)) = &mut self.call {
            input.push_str(piece);
        }
    }

    pub(super) fn call_end(&mut self, emit: &mut dyn FnMut(Part<'_>)) {
        if let Some((id, name, input)) = self.call.take() {
            match parse_tool_input(&input) {
                Some(args) => self.call(&id, &name, &args, emit),
                None => self.call_cut = true,
            }
        }
    }

    /// Clients get a call only when it is whole.
    pub(super) fn call(&mut self, id: &str, name: &str, args: &JsonObject, emit: &mut dyn FnMut(Part<'_>)) {
        let thought_signature = self.signature();
        let function_call = Some(FunctionCall { id, name, args });
        emit(Part { function_call, thought_signature, ..Part::default() });
    }

    pub(super) fn call_is_open(&self) -> bool {
        self.call.is_some()
    }

    pub(super) fn cut_call(&mut self) {
        self.call_cut |= self.call.take().is_some();
    }

    pub(super) fn search(&mut self, query: &str) {
        self.grounding.get_or_insert_default().web_search_queries.push(query.to_owned());
    }

    pub(super) fn found(&mut self, outcome: &Result<Vec<SearchHit>, &'static str>) {
        self.parted = true;
        if let Ok(hits) = outcome {
            let chunks = hits
                .iter()
                .map(|hit| GroundingChunk { web: WebChunk { uri: hit.url.clone(), title: hit.title.clone() } });
            self.grounding.get_or_insert_default().grounding_chunks.extend(chunks);
        }
    }

    /// Sends reasoning that nothing followed.
    pub(super) fn finish(&mut self, emit: &mut dyn FnMut(Part<'_>)) {
        if let Some(signature) = self.signature() {
            emit(Part { text: Some(""), thought_signature: Some(signature), ..Part::default() });
        }
    }

    pub(super) fn grounding(&self) -> Option<&Grounding> {
        self.grounding.as_ref()
    }

    /// The name of a stop reason. A call that was cut off is no ordinary end: clients ask again.
    pub(super) fn finish_reason(&self, stop: &StopReason, call_cut: bool) -> &'static str {
        match stop {
            _ if self.call_cut || call_cut => "MALFORMED_FUNCTION_CALL",
            StopReason::EndTurn | StopReason::ToolUse | StopReason::StopSequence(_) => "STOP",
            StopReason::MaxTokens | StopReason::ContextWindow => "MAX_TOKENS",
            StopReason::Refusal => "SAFETY",
        }
    }

    fn signature(&mut self) -> Option<String> {
        self.parted = false;
        if self.pending.is_empty() {
            return None;
        }
        let signature = seal(self.sealed, &self.pending);
        self.sealed += u32::from(signature.is_some());
        self.pending.clear();
        signature
    }
}

/// `usageMetadata`. The count of thoughts is not known apart from that of the answer, so it is left out.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UsageMetadata {
    prompt_token_count: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    candidates_token_count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cached_content_token_count: Option<u64>,
    total_token_count: u64,
}

impl UsageMetadata {
    /// Cached tokens are part of the prompt in this API. `estimate` stands for an input count that never came.
    pub(super) fn new(usage: &Usage, estimate: Option<u64>) -> Self {
        let cached = usage.cache_read_tokens.unwrap_or(0).saturating_add(usage.cache_write_tokens.unwrap_or(0));
        let prompt = match usage.input_tokens {
            Some(input) => input.saturating_add(cached),
            None => estimate.unwrap_or(0).max(cached),
        };
        Self {
            prompt_token_count: prompt,
            candidates_token_count: usage.output_tokens,
            cached_content_token_count: usage.cache_read_tokens,
            total_token_count: prompt.saturating_add(usage.output_tokens.unwrap_or(0)),
        }
    }
}
