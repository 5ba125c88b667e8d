//! Everything of a request that is neither `input` nor a tool.

use super::wire::{Request, WireFormat, WireReasoning, WireText};
use crate::codec::RequestHead;
use crate::conversation::{Conversation, JsonObject, OutputFormat, Sampling, Thinking};
use crate::openai::{effort, session};
use crate::reading::notes::{Fault, Notes};
use crate::reading::number::within;
use serde_json::{Value, json};

/// Held in the echo and never repeated: what the client wants to be included in the answer.
pub(super) const INCLUDE: &str = "include";
/// Includes that mean something here.
pub(super) const ENCRYPTED: &str = "reasoning.encrypted_content";
pub(super) const SOURCES: &str = "web_search_call.action.sources";

/// What would be a lie if it were ignored.
pub(super) fn refused(request: &Request) -> Result<(), Fault> {
    if request.background == Some(true) {
        let message = "Background responses are not available here; send the request with 'stream' instead";
        return Err(Fault::unsupported("background", message));
    }
    if request.conversation.is_some() {
        let message =
            "The Conversations API is not available here; use 'previous_response_id' or send the items as 'input'";
        return Err(Fault::unsupported("conversation", message));
    }
    if request.prompt.is_some() {
        let message = "Prompt templates are stored at OpenAI and not available here; send 'instructions' and 'input'";
        return Err(Fault::unsupported("prompt", message));
    }
    Ok(())
}

/// Fields that are known and have no counterpart, as far as somebody would miss them.
pub(super) fn ignored(request: &Request, notes: &mut Notes) {
    let verbosity = request.text.as_ref().and_then(|text| text.verbosity.as_deref());
    for (present, key, detail) in [
        (request.top_logprobs.is_some(), "top_logprobs", "the upstream gives no probabilities"),
        (request.context_management.is_some(), "context_management", "the history is passed on as it is"),
        (request.moderation.is_some(), "moderation", "there is no moderation here"),
        (
            request.truncation.as_deref() == Some("auto"),
            "truncation",
            "nothing is left out of a conversation that is too long",
        ),
        (
            verbosity.is_some_and(|verbosity| verbosity != "medium"),
            "text.verbosity",
            "the upstream has no such setting",
        ),
    ] {
        if present {
            notes.add("field_ignored", key, detail);
        }
    }
}

/// Takes limits, wishes and the session over; says whether reasoning is to be shown.
pub(super) fn apply(
    request: &Request,
    head: &RequestHead,
    into: &mut Conversation,
    notes: &mut Notes,
) -> Result<bool, Fault> {
    into.sampling = Sampling {
        max_tokens: match request.max_output_tokens {
            Some(0) => return Err(Fault::invalid("max_output_tokens", "Expected a value >= 1")),
            limit => limit.map(|limit| u32::try_from(limit).unwrap_or(u32::MAX)),
        },
        temperature: within(request.temperature, 2.0, "temperature", "Expected a value")?,
        top_p: within(request.top_p, 1.0, "top_p", "Expected a value")?,
        ..Sampling::default()
    };
    into.parallel_tools = request.parallel_tool_calls;
    if let Some(text) = &request.text {
        format(text, into, notes)?;
    }
    for (index, wish) in request.include.iter().flatten().enumerate() {
        if wish != ENCRYPTED && wish != SOURCES {
            notes.add("include_ignored", format!("include[{index}]"), "nothing of this kind can be included");
        }
    }
    into.session = named(request, head);
    request.reasoning.as_ref().map_or(Ok(false), |reasoning| shown(reasoning, into, notes))
}

/// A thread of a session (a sub-agent's, say) is a conversation of its own. An answer that continues another one without
/// naming a session stays in its session.
fn named(request: &Request, head: &RequestHead) -> Option<String> {
    let header = |name| head.headers.get(name).and_then(|value| value.to_str().ok()).filter(|value| !value.is_empty());
    let earlier = || {
        let response = head.kept.as_deref()?.get("response")?;
        response.get("prompt_cache_key")?.as_str().map(str::to_owned)
    };
    let session = session::session(&head.headers, request.prompt_cache_key.clone().or_else(earlier))?;
    Some(match header("thread-id") {
        Some(thread) if thread != session => format!("{session}/{thread}"),
        Some(_) | None => session,
    })
}

fn shown(reasoning: &WireReasoning, into: &mut Conversation, notes: &mut Notes) -> Result<bool, Fault> {
    notes.unknown("reasoning", &reasoning.unknown);
    if let Some(level) = &reasoning.effort {
        effort::apply(level, "reasoning.effort", into, notes);
    }
    match reasoning.summary.as_deref().or(reasoning.generate_summary.as_deref()) {
        None | Some("none") => Ok(false),
        Some("auto" | "concise" | "detailed") => {
            // Whoever wants to read the reasoning wants some.
            if into.thinking == Thinking::Unspecified {
                into.thinking = Thinking::Adaptive;
            }
            Ok(true)
        }
        Some(_) => {
            let message = "Supported values are: 'auto', 'concise', and 'detailed'";
            Err(Fault::invalid("reasoning.summary", message))
        }
    }
}

fn format(text: &WireText, into: &mut Conversation, notes: &mut Notes) -> Result<(), Fault> {
    notes.unknown("text", &text.unknown);
    let Some(WireFormat { kind, name, schema, strict, unknown, .. }) = &text.format else { return Ok(()) };
    notes.unknown("text.format", unknown);
    into.output_format = match kind.as_deref() {
        Some("text") => None,
        Some("json_object") => Some(OutputFormat::JsonObject),
        Some("json_schema") => {
            let schema = schema.clone().ok_or_else(|| Fault::missing("text.format.schema"))?;
            if !schema.is_object() {
                return Err(Fault::new("wrong_type", "text.format.schema", "Expected an object"));
            }
            Some(OutputFormat::JsonSchema { name: name.clone(), schema, strict: *strict == Some(true) })
        }
        Some("grammar") => {
            return Err(Fault::unsupported("text.format", "Grammars cannot be enforced here; use 'json_schema'"));
        }
        Some(_) => {
            let message = "Supported values are: 'text', 'json_object', and 'json_schema'";
            return Err(Fault::invalid("text.format.type", message));
        }
        None => return Err(Fault::missing("text.format.type")),
    };
    Ok(())
}

/// The fields that an answer repeats, with the API's own defaults.
pub(super) fn repeated(
    request: &mut Request,
    instructions: Option<String>,
    tools: Vec<Value>,
    choice: Value,
) -> JsonObject {
    let effort = request.reasoning.as_ref().and_then(|reasoning| reasoning.effort.as_deref());
    let summary = request.reasoning.as_ref().and_then(|r| r.summary.as_deref().or(r.generate_summary.as_deref()));
    let text = request.text.as_ref();
    let format = text.and_then(|text| text.format.as_ref());
    let mut shown = json!({ "format": format.map_or_else(|| json!({ "type": "text" }), written) });
    if let Some(verbosity) = text.and_then(|text| text.verbosity.as_deref()) {
        shown["verbosity"] = json!(verbosity);
    }
    let mut repeat = JsonObject::new();
    let mut put = |key: &str, value: Value| repeat.insert(key.to_owned(), value);
    put("instructions", json!(instructions));
    put("max_output_tokens", json!(request.max_output_tokens));
    put("max_tool_calls", json!(request.max_tool_calls));
    put("parallel_tool_calls", json!(request.parallel_tool_calls.unwrap_or(true)));
    put("previous_response_id", json!(request.previous_response_id));
    put("prompt_cache_key", json!(request.prompt_cache_key));
    put("reasoning", json!({ "effort": effort, "summary": summary }));
    put("safety_identifier", json!(request.safety_identifier));
    put("service_tier", json!("default"));
    put("store", json!(request.store.unwrap_or(true)));
    put("temperature", json!(request.temperature));
    put("text", shown);
    put("tool_choice", if choice.is_null() { json!("auto") } else { choice });
    put("tools", Value::Array(tools));
    put("top_p", json!(request.top_p));
    put("truncation", json!("disabled"));
    put("user", json!(request.user));
    put("metadata", request.metadata.take().unwrap_or_else(|| json!({})));
    if let Some(include) = request.include.take() {
        put(INCLUDE, json!(include));
    }
    repeat
}

fn written(format: &WireFormat) -> Value {
    let mut written = json!({ "type": format.kind });
    if format.kind.as_deref() == Some("json_schema") {
        written["name"] = json!(format.name);
        written["schema"] = json!(format.schema);
        written["strict"] = json!(format.strict);
    }
    written
}
