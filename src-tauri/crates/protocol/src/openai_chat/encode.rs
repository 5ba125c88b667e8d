//! A complete answer as one JSON body, and the pieces that the stream shares with it.

use super::decode::{INCLUDE_USAGE, LEGACY_FUNCTIONS};
use super::weave::{Lane, Weave};
use crate::codec::{Echo, ToolKind};
use crate::conversation::JsonObject;
use crate::event::{Reply, ReplyBlock, SearchHit, StopReason, Usage};
use crate::openai::freeform;
use crate::sse::SseWriter;
use serde::Serialize;
use serde_json::{Value, json};

/// `usage`: cached tokens are a part of the prompt here. The input falls back to the estimate; figures in details are
/// only ever the upstream's.
#[derive(Debug, Serialize)]
pub(super) struct WireUsage {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_tokens_details: Option<PromptDetails>,
}

#[derive(Debug, Serialize)]
struct PromptDetails {
    cached_tokens: u64,
}

impl WireUsage {
    pub(super) fn new(usage: &Usage, echo: &Echo) -> Self {
        let cached = [usage.cache_read_tokens, usage.cache_write_tokens].into_iter().flatten();
        let prompt_tokens = match usage.input_tokens {
            Some(fresh) => cached.fold(fresh, u64::saturating_add),
            // The estimate counts the whole prompt.
            None => echo.input_tokens.unwrap_or_else(|| cached.fold(0, u64::saturating_add)),
        };
        let completion_tokens = usage.output_tokens.unwrap_or(0);
        Self {
            prompt_tokens,
            completion_tokens,
            total_tokens: prompt_tokens.saturating_add(completion_tokens),
            prompt_tokens_details: usage.cache_read_tokens.map(|cached_tokens| PromptDetails { cached_tokens }),
        }
    }
}

/// What every answer and every chunk begins with.
#[derive(Debug)]
pub(super) struct Envelope {
    id: String,
    object: &'static str,
    created: u64,
    model: String,
    /// The client wants the usage as a last chunk; then all others say that they carry none.
    include_usage: bool,
}

#[derive(Serialize)]
struct Chunk<'a, C: Serialize> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: &'a [C],
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Option<WireUsage>>,
}

impl Envelope {
    pub(super) fn new(prefix: &str, object: &'static str, echo: &Echo) -> Self {
        Self {
            id: format!("{prefix}-{}", echo.request_id),
            object,
            created: echo.created,
            model: echo.model.clone(),
            include_usage: is_set(&echo.repeat, INCLUDE_USAGE),
        }
    }

    /// A whole answer.
    pub(super) fn whole(&self, choice: Value, usage: &WireUsage) -> Value {
        json!({
            "id": self.id,
            "object": self.object,
            "created": self.created,
            "model": self.model,
            "choices": [choice],
            "usage": usage,
        })
    }

    /// One chunk with one choice.
    pub(super) fn chunk(&self, choice: impl Serialize, out: &mut SseWriter) {
        self.write(&[choice], self.include_usage.then_some(None), out);
    }

    /// The success terminator, after the usage if it was asked for.
    pub(super) fn finish(&self, usage: &Usage, echo: &Echo, out: &mut SseWriter) {
        if self.include_usage {
            self.write::<()>(&[], Some(Some(WireUsage::new(usage, echo))), out);
        }
        out.data("[DONE]");
    }

    fn write<C: Serialize>(&self, choices: &[C], usage: Option<Option<WireUsage>>, out: &mut SseWriter) {
        let Self { id, object, created, model, .. } = self;
        out.json(None, &Chunk { id, object, created: *created, model, choices, usage });
    }
}

/// A flag in [`Echo::repeat`].
pub(super) fn is_set(repeat: &JsonObject, key: &str) -> bool {
    repeat.get(key) == Some(&Value::Bool(true))
}

/// The form in which a call is told to the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CallForm {
    /// `tool_calls` with a function.
    Function,
    /// `tool_calls` with a custom tool: one text.
    Custom,
    /// The legacy `function_call`.
    Legacy,
}

/// The form of a call of this tool, and the name the client knows.
pub(super) fn call_form<'a>(name: &'a str, echo: &'a Echo) -> (CallForm, &'a str) {
    if is_set(&echo.repeat, LEGACY_FUNCTIONS) {
        return (CallForm::Legacy, name);
    }
    match echo.tools.get(name) {
        Some(form) => match form.kind {
            ToolKind::Freeform => (CallForm::Custom, &form.name),
            ToolKind::Function | ToolKind::LocalShell | ToolKind::ToolSearch => (CallForm::Function, &form.name),
        },
        None => (CallForm::Function, name),
    }
}

/// Why the answer ended. Clients run tools only when they are told that it ended for them.
pub(super) fn finish_reason(stop: &StopReason, called: Option<CallForm>) -> &'static str {
    match (stop, called) {
        (StopReason::MaxTokens | StopReason::ContextWindow, _) => "length",
        (StopReason::Refusal, _) => "content_filter",
        (StopReason::EndTurn | StopReason::ToolUse | StopReason::StopSequence(_), None) => "stop",
        (_, Some(CallForm::Legacy)) => "function_call",
        (_, Some(CallForm::Function | CallForm::Custom)) => "tool_calls",
    }
}

/// A page that a search found, as a citation. Which words it supports is not known, so the range is empty.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Annotation {
    r#type: &'static str,
    url_citation: Citation,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Citation {
    url: String,
    title: String,
    start_index: u32,
    end_index: u32,
}

/// Adds what a search found; a page that is already there is not repeated.
pub(super) fn cite(hits: &[SearchHit], into: &mut Vec<Annotation>) {
    for hit in hits {
        if into.iter().all(|known| known.url_citation.url != hit.url) {
            let citation = Citation { url: hit.url.clone(), title: hit.title.clone(), start_index: 0, end_index: 0 };
            into.push(Annotation { r#type: "url_citation", url_citation: citation });
        }
    }
}

/// The whole completion.
pub(super) fn completion(reply: &Reply, echo: &Echo) -> Value {
    let (mut content, mut reasoning) = (String::new(), String::new());
    let mut put = |lane: Lane, piece: &str| match lane {
        Lane::Content => content.push_str(piece),
        Lane::Reasoning => reasoning.push_str(piece),
    };
    let mut weave = Weave::new(echo);
    let (mut calls, mut called, mut annotations) = (Vec::new(), None, Vec::new());
    for block in &reply.blocks {
        match block {
            ReplyBlock::Text(text) => weave.text(text, &mut put),
            ReplyBlock::Thinking { text, .. } => weave.thinking(text, &mut put),
            // Only the model itself can read it, and there is no field that would bring it back.
            ReplyBlock::RedactedThinking(_) => {}
            ReplyBlock::ToolUse { id, name, input } => {
                weave.other(&mut put);
                let (form, name) = call_form(name, echo);
                called = Some(form);
                calls.push(call(form, id, name, input));
            }
            ReplyBlock::Search { outcome, .. } => {
                weave.other(&mut put);
                cite(outcome.as_deref().unwrap_or_default(), &mut annotations);
            }
        }
    }
    weave.other(&mut put);

    let said_nothing = content.is_empty() && !calls.is_empty();
    let mut message = json!({
        "role": "assistant",
        "content": if said_nothing { Value::Null } else { content.into() },
        "refusal": null,
    });
    if !reasoning.is_empty() {
        message["reasoning_content"] = reasoning.into();
    }
    if called == Some(CallForm::Legacy) {
        // The form has room for one call.
        message["function_call"] = calls.swap_remove(0);
    } else if !calls.is_empty() {
        message["tool_calls"] = calls.into();
    }
    if !annotations.is_empty() {
        message["annotations"] = json!(annotations);
    }
    let finish_reason = finish_reason(&reply.stop, called);
    let choice = json!({ "index": 0, "message": message, "logprobs": null, "finish_reason": finish_reason });
    Envelope::new("chatcmpl", "chat.completion", echo).whole(choice, &WireUsage::new(&reply.usage, echo))
}

fn call(form: CallForm, id: &str, name: &str, input: &JsonObject) -> Value {
    let function = || json!({ "name": name, "arguments": json!(input).to_string() });
    match form {
        CallForm::Function => json!({ "id": id, "type": "function", "function": function() }),
        CallForm::Custom => {
            json!({ "id": id, "type": "custom", "custom": { "name": name, "input": freeform::text(input.clone()) } })
        }
        CallForm::Legacy => function(),
    }
}
