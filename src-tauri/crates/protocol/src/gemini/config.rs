//! `generationConfig`: what of it is obeyed, what is refused because silence would be a lie, and what is only noted.

use super::MAX_STOP_SEQUENCES;
use super::schema::json_schema;
use super::values::Present;
use super::wire::{Config, ThinkingConfig};
use crate::conversation::{Conversation, Effort, OutputFormat, Thinking};
use crate::reading::notes::{Fault, Notes};
use crate::reading::number::within;
use serde_json::{Value, json};

const AT: &str = "generationConfig";

/// Reads the wishes into the conversation. True when thoughts are to be shown.
pub(super) fn apply(config: Config, into: &mut Conversation, notes: &mut Notes) -> Result<bool, Fault> {
    notes.unknown(AT, &config.unknown);
    ignored(&config, notes);
    if config.candidates.is_some_and(|count| count.0 > 1) {
        let words = "Multiple candidates is not enabled for this model: candidateCount must be 1";
        return Err(Fault::unsupported(path("candidateCount"), words));
    }
    modalities(config.modalities.unwrap_or_default())?;
    into.sampling.stop_sequences = stop_sequences(config.stop_sequences.unwrap_or_default())?;
    into.sampling.temperature =
        within(config.temperature.map(|real| real.0), 2.0, &path("temperature"), "Input should be")?;
    into.sampling.top_p = within(config.top_p.map(|real| real.0), 1.0, &path("topP"), "Input should be")?;
    into.sampling.max_tokens = match config.max_tokens.map(|count| count.0) {
        Some(count) if count < 1 => {
            return Err(Fault::invalid(path("maxOutputTokens"), "max_output_tokens must be positive."));
        }
        other => other.map(|count| u32::try_from(count).unwrap_or(u32::MAX)),
    };
    let form = config.json_schema.or(config.schema).map(json_schema);
    output_format(config.mime_type, form, into)?;
    match config.thinking {
        Some(wish) => thinking(wish, into, notes),
        None => Ok(false),
    }
}

fn path(field: &str) -> String {
    format!("{AT}.{field}")
}

/// Fields that are known and have no counterpart upstream.
fn ignored(config: &Config, notes: &mut Notes) {
    let there = |field: Option<Present>| field.is_some_and(|present| present.0);
    for (present, key, detail) in [
        (there(config.top_k), "topK", "the upstream has no such setting"),
        (there(config.seed), "seed", "the upstream has no such setting"),
        (there(config.presence_penalty), "presencePenalty", "the upstream has no such setting"),
        (there(config.frequency_penalty), "frequencyPenalty", "the upstream has no such setting"),
        (there(config.response_logprobs), "responseLogprobs", "the upstream gives no probabilities"),
        (there(config.logprobs), "logprobs", "the upstream gives no probabilities"),
        (there(config.media_resolution), "mediaResolution", "how media is sampled cannot be chosen here"),
        (there(config.speech), "speechConfig", "answers are text"),
        (there(config.image), "imageConfig", "answers are text"),
        (there(config.routing), "routingConfig", "models are not routed by wishes"),
        (there(config.model_selection), "modelSelectionConfig", "models are not routed by wishes"),
        (there(config.audio_timestamp), "audioTimestamp", "there is no audio here"),
        (there(config.affective_dialog), "enableAffectiveDialog", "the upstream has no such setting"),
        (there(config.civic_answers), "enableEnhancedCivicAnswers", "the upstream has no such setting"),
    ] {
        if present {
            notes.add("field_ignored", path(key), detail);
        }
    }
}

fn modalities(list: Vec<String>) -> Result<(), Fault> {
    let other =
        |name: &String| !name.eq_ignore_ascii_case("TEXT") && !name.eq_ignore_ascii_case("MODALITY_UNSPECIFIED");
    if list.iter().any(other) {
        let words =
            "The requested combination of response modalities is not supported: the models here answer with TEXT only";
        return Err(Fault::unsupported(path("responseModalities"), words));
    }
    Ok(())
}

fn stop_sequences(list: Vec<String>) -> Result<Vec<String>, Fault> {
    if list.len() > MAX_STOP_SEQUENCES {
        let message = format!("List should have at most {MAX_STOP_SEQUENCES} items, not {}", list.len());
        return Err(Fault::new("too_many", path("stopSequences"), message));
    }
    match list.iter().position(String::is_empty) {
        Some(index) => Err(Fault::invalid(format!("{AT}.stopSequences[{index}]"), "A stop sequence cannot be empty.")),
        None => Ok(list),
    }
}

/// A schema alone asks for JSON, too.
fn output_format(mime_type: Option<String>, schema: Option<Value>, into: &mut Conversation) -> Result<(), Fault> {
    match (mime_type.as_deref(), schema) {
        (None | Some("" | "text/plain"), None) => {}
        (Some("text/plain"), Some(_)) => {
            let words = "A response schema needs the response mime type application/json or text/x.enum";
            return Err(Fault::invalid(path("responseMimeType"), words));
        }
        (None | Some("" | "application/json"), schema) => {
            // Without a schema lists are as good as objects.
            let schema = schema.unwrap_or_else(|| json!({ "type": ["object", "array"] }));
            // Not strict: clients of this API repeat a failed request up to ten times, each of them paid.
            into.output_format = Some(OutputFormat::JsonSchema { name: None, schema, strict: false });
        }
        (Some("text/x.enum"), schema) => {
            let values = schema.as_ref().and_then(|schema| schema.get("enum")).and_then(Value::as_array);
            let values: Vec<String> =
                values.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
            if values.is_empty() {
                let words = "text/x.enum needs a response schema with `enum` values";
                return Err(Fault::invalid(path("responseSchema"), words));
            }
            into.output_format = Some(OutputFormat::OneOf { values });
        }
        (Some(_), _) => {
            let words = "Allowed mime types are text/plain, application/json and text/x.enum";
            return Err(Fault::unsupported(path("responseMimeType"), words));
        }
    }
    Ok(())
}

/// True when thoughts are to be shown.
fn thinking(wish: ThinkingConfig, into: &mut Conversation, notes: &mut Notes) -> Result<bool, Fault> {
    let at = path("thinkingConfig");
    notes.unknown(&at, &wish.unknown);
    let shown = wish.include == Some(true);
    let mut thinks = shown;
    if let Some(level) = wish.level {
        into.sampling.effort = match level.to_ascii_uppercase().as_str() {
            "MINIMAL" => Some(Effort::Minimal),
            "LOW" => Some(Effort::Low),
            "MEDIUM" => Some(Effort::Medium),
            "HIGH" => Some(Effort::High),
            "THINKING_LEVEL_UNSPECIFIED" => None,
            _ => {
                notes.add("unknown_value", format!("{at}.thinkingLevel"), "this level is not known and was ignored");
                None
            }
        };
        thinks |= into.sampling.effort.is_some();
    }
    into.thinking = match wish.budget.map(|budget| budget.0) {
        Some(0) => Thinking::Off,
        Some(-1) => Thinking::Adaptive,
        Some(budget) if budget > 0 => Thinking::Budget(u32::try_from(budget).unwrap_or(u32::MAX)),
        Some(_) => {
            return Err(Fault::invalid(
                format!("{at}.thinkingBudget"),
                "The thinking budget must be -1, 0 or positive.",
            ));
        }
        None if thinks => Thinking::Adaptive,
        None => Thinking::Unspecified,
    };
    Ok(shown)
}
