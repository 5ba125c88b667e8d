//! Limits, reasoning, the form of the answer, and what is known and has no counterpart upstream.

use super::MAX_STOP_SEQUENCES;
use super::texts::Texts;
use super::wire::{Request, ResponseFormat, WireReasoning, WireThinking};
use crate::conversation::{Conversation, OutputFormat, Sampling, Thinking};
use crate::openai::effort;
use crate::reading::loose::{Either, Loose};
use crate::reading::notes::{Fault, Notes};
use crate::reading::number::within;
use serde_json::Value;

/// Limits and sampling wishes.
pub(super) fn sampling(
    limit: (Option<u64>, &str),
    stop: Option<Texts>,
    temperature: Option<f64>,
    top_p: Option<f64>,
    notes: &mut Notes,
) -> Result<Sampling, Fault> {
    let max_tokens = match limit {
        (Some(0), key) => return Err(Fault::invalid(key, "Expected a value of at least 1")),
        (limit, _) => limit.map(|limit| u32::try_from(limit).unwrap_or(u32::MAX)),
    };
    Ok(Sampling {
        max_tokens,
        stop_sequences: stop_sequences(stop, notes)?,
        temperature: within(temperature, 2.0, "temperature", "Expected a value")?,
        top_p: within(top_p, 1.0, "top_p", "Expected a value")?,
        effort: None,
    })
}

/// Blank sequences are allowed here (a line break ends many a completion), empty ones would end every answer.
fn stop_sequences(stop: Option<Texts>, notes: &mut Notes) -> Result<Vec<String>, Fault> {
    let mut list = stop.map(|Texts(list)| list).unwrap_or_default();
    if list.len() > MAX_STOP_SEQUENCES {
        let message = format!("List should have at most {MAX_STOP_SEQUENCES} items, not {}", list.len());
        return Err(Fault::new("too_many", "stop", message));
    }
    let before = list.len();
    list.retain(|sequence| !sequence.is_empty());
    if list.len() < before {
        notes.add("empty_stop_dropped", "stop", "an empty stop sequence was left out");
    }
    Ok(list)
}

/// Several answers to one request would be several requests upstream, each paid for.
pub(super) fn one_answer(count: Option<u64>, key: &str) -> Result<(), Fault> {
    match count {
        None | Some(1) => Ok(()),
        Some(0) => Err(Fault::invalid(key, "Expected a value of at least 1")),
        Some(_) => {
            Err(Fault::unsupported(key, format!("Only one answer per request is available here: '{key}' must be 1")))
        }
    }
}

/// Reads every way of asking for reasoning, and says whether it may be shown.
pub(super) fn reasoning(request: &mut Request, into: &mut Conversation, notes: &mut Notes) -> bool {
    let mut shown = !matches!(request.include_reasoning, Some(Loose::Is(false)));
    let switch = request.enable_thinking.take().or_else(|| match request.chat_template_kwargs.take() {
        Some(Either::Object(arguments)) => {
            notes.unknown("chat_template_kwargs", &arguments.unknown);
            arguments.enable_thinking.or(arguments.thinking)
        }
        Some(Either::Text(_) | Either::Other) | None => None,
    });
    match switch {
        Some(Loose::Is(true)) => into.thinking = Thinking::Adaptive,
        Some(Loose::Is(false)) => into.thinking = Thinking::Off,
        Some(Loose::Other) => notes.add("unknown_value", "enable_thinking", "this value is not known and was ignored"),
        None => {}
    }
    match request.thinking.take() {
        Some(Either::Object(wish)) => thinking(*wish, into, notes),
        Some(Either::Text(_) | Either::Other) => {
            notes.add("unknown_value", "thinking", "this value is not known and was ignored");
        }
        None => {}
    }
    match request.reasoning.take() {
        Some(Either::Object(wish)) => shown &= nested(*wish, into, notes),
        Some(Either::Text(_) | Either::Other) => {
            notes.add("unknown_value", "reasoning", "this value is not known and was ignored");
        }
        None => {}
    }
    if let Some(level) = request.reasoning_effort.take() {
        effort::apply(&level, "reasoning_effort", into, notes);
    }
    shown
}

fn thinking(wish: WireThinking, into: &mut Conversation, notes: &mut Notes) {
    notes.unknown("thinking", &wish.unknown);
    match (wish.kind.as_deref(), wish.budget_tokens) {
        (Some("disabled"), _) => into.thinking = Thinking::Off,
        (Some("enabled") | None, Some(budget)) => into.thinking = budgeted(budget),
        (Some("enabled" | "adaptive" | "auto"), _) => into.thinking = Thinking::Adaptive,
        (Some(_) | None, _) => {
            notes.add("unknown_value", "thinking.type", "this value is not known and was ignored");
        }
    }
}

/// `reasoning` of the Responses API and of other services; says whether reasoning may be shown.
fn nested(wish: WireReasoning, into: &mut Conversation, notes: &mut Notes) -> bool {
    notes.unknown("reasoning", &wish.unknown);
    match wish.enabled {
        Some(Loose::Is(true)) => into.thinking = Thinking::Adaptive,
        Some(Loose::Is(false)) => into.thinking = Thinking::Off,
        Some(Loose::Other) | None => {}
    }
    if let Some(budget) = wish.max_tokens {
        into.thinking = budgeted(budget);
    }
    if let Some(level) = wish.effort {
        effort::apply(&level, "reasoning.effort", into, notes);
    }
    !matches!(wish.exclude, Some(Loose::Is(true)))
}

fn budgeted(tokens: u64) -> Thinking {
    if tokens == 0 { Thinking::Off } else { Thinking::Budget(u32::try_from(tokens).unwrap_or(u32::MAX)) }
}

/// `response_format`.
pub(super) fn response_format(format: ResponseFormat, notes: &mut Notes) -> Result<Option<OutputFormat>, Fault> {
    notes.unknown("response_format", &format.unknown);
    match format.kind.as_deref() {
        Some("text") => Ok(None),
        Some("json_object") => Ok(Some(OutputFormat::JsonObject)),
        Some("json_schema") => {
            let declared = format.json_schema.ok_or_else(|| Fault::missing("response_format.json_schema"))?;
            notes.unknown("response_format.json_schema", &declared.unknown);
            match declared.schema {
                Some(schema @ (Value::Object(_) | Value::Bool(_))) => Ok(Some(OutputFormat::JsonSchema {
                    name: declared.name,
                    schema,
                    strict: declared.strict.unwrap_or(false),
                })),
                None => Ok(Some(OutputFormat::JsonObject)),
                Some(Value::Null | Value::Number(_) | Value::String(_) | Value::Array(_)) => {
                    Err(Fault::new("wrong_type", "response_format.json_schema.schema", "Input should be an object"))
                }
            }
        }
        Some(_) => {
            let message = "Supported values are: 'text', 'json_object' and 'json_schema'";
            Err(Fault::invalid("response_format.type", message))
        }
        None => Err(Fault::missing("response_format.type")),
    }
}

/// Sound cannot be made here, and an answer without it would not be what was asked for.
pub(super) fn modalities(list: Option<Vec<String>>) -> Result<(), Fault> {
    match list.unwrap_or_default().iter().position(|modality| modality != "text") {
        Some(index) => {
            let message = "Only answers of text are available here: 'modalities' must be [\"text\"]";
            Err(Fault::unsupported(format!("modalities[{index}]"), message))
        }
        None => Ok(()),
    }
}

/// Fields that are known and have no counterpart upstream.
pub(super) fn ignored(request: &Request, notes: &mut Notes) {
    let on = |flag: &Option<Loose<bool>>| flag.as_ref().is_some_and(|flag| !matches!(flag, Loose::Is(false)));
    for (present, key, detail) in [
        (on(&request.logprobs), "logprobs", "the upstream tells no probabilities"),
        (request.top_logprobs.is_some(), "top_logprobs", "the upstream tells no probabilities"),
        (request.logit_bias.is_some(), "logit_bias", "the upstream has no such setting"),
        (request.presence_penalty.is_some(), "presence_penalty", "the upstream has no such setting"),
        (request.frequency_penalty.is_some(), "frequency_penalty", "the upstream has no such setting"),
        (request.repetition_penalty.is_some(), "repetition_penalty", "the upstream has no such setting"),
        (request.top_k.is_some(), "top_k", "the upstream has no such setting"),
        (request.min_p.is_some(), "min_p", "the upstream has no such setting"),
        (request.seed.is_some(), "seed", "the upstream has no such setting; answers vary"),
        (request.user.is_some(), "user", "the upstream is not told about users"),
        (request.safety_identifier.is_some(), "safety_identifier", "the upstream is not told about users"),
        (on(&request.store), "store", "answers are not stored"),
        (request.metadata.is_some(), "metadata", "answers are not stored, so there is nothing to label"),
        (request.service_tier.is_some(), "service_tier", "there are no service tiers here"),
        (request.verbosity.is_some(), "verbosity", "the upstream has no such setting"),
        (request.prediction.is_some(), "prediction", "the upstream takes no predictions; the answer is the same"),
        (request.audio.is_some(), "audio", "answers are text"),
        (request.prompt_cache_retention.is_some(), "prompt_cache_retention", "the upstream has no such setting"),
        (request.moderation.is_some(), "moderation", "the upstream has no such setting"),
        (request.cache_control.is_some(), "cache_control", "cache points are taken from the messages"),
    ] {
        if present {
            notes.add("field_ignored", key, detail);
        }
    }
}
