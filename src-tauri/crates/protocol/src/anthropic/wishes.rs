//! How the client wants the model to work: effort, form of the answer, thinking, arguments as they are written.

use super::wire::{OutputConfig, OutputFormat as WireFormat, WireThinking};
use crate::codec::RequestHead;
use crate::conversation::{Conversation, Effort, OutputFormat, Thinking};
use crate::reading::notes::{Fault, Notes};
use serde_json::Value;

/// The older way to ask for the arguments of all tools as they are written.
pub(super) fn asks_for_live_input(head: &RequestHead, betas: &[String]) -> bool {
    const BETA: &str = "fine-grained-tool-streaming";
    let headers = head.headers.get_all("anthropic-beta").into_iter().filter_map(|value| value.to_str().ok());
    let listed = headers.flat_map(|list| list.split(','));
    listed.chain(betas.iter().map(String::as_str)).any(|beta| beta.trim().starts_with(BETA))
}

/// The effort of a later turn replaces that of the request.
pub(super) fn output_config(config: OutputConfig, at: &str, into: &mut Conversation, notes: &mut Notes) {
    notes.unknown(at, &config.unknown);
    if config.task_budget.is_some() {
        notes.add("field_ignored", format!("{at}.task_budget"), "the upstream has no such setting");
    }
    if let Some(effort) = config.effort {
        match effort.as_str() {
            "minimal" => into.sampling.effort = Some(Effort::Minimal),
            "low" => into.sampling.effort = Some(Effort::Low),
            "medium" => into.sampling.effort = Some(Effort::Medium),
            "high" => into.sampling.effort = Some(Effort::High),
            "xhigh" => into.sampling.effort = Some(Effort::XHigh),
            "max" => into.sampling.effort = Some(Effort::Max),
            _ => notes.add("unknown_value", format!("{at}.effort"), "this effort level is not known and was ignored"),
        }
    }
    if let Some(format) = config.format {
        output_format(format, &format!("{at}.format"), into, notes);
    }
}

/// A wished form of the answer; asking for it in words and checking it is the pipeline's business.
pub(super) fn output_format(format: WireFormat, at: &str, into: &mut Conversation, notes: &mut Notes) {
    notes.unknown(at, &format.unknown);
    match (format.kind.as_deref(), format.schema) {
        (Some("json_schema"), Some(schema @ Value::Object(_))) => {
            // Not strict: clients of this API repeat a failed request up to eleven times, each of them paid.
            into.output_format = Some(OutputFormat::JsonSchema { name: None, schema, strict: false });
        }
        (Some("text"), None) => {}
        _ => notes.add("unknown_value", at, "this output format is not known and was ignored"),
    }
}

/// The wish, and whether thinking is shown.
pub(super) fn thinking(wish: WireThinking, notes: &mut Notes) -> Result<(Thinking, bool), Fault> {
    notes.unknown("thinking", &wish.unknown);
    let shown = match wish.display.as_deref() {
        Some("omitted") => false,
        None | Some("summarized" | "updates" | "full") => true,
        Some(_) => {
            notes.add("unknown_value", "thinking.display", "this display is not known; thinking is shown");
            true
        }
    };
    match wish.kind.as_deref() {
        Some("disabled") => Ok((Thinking::Off, false)),
        Some("adaptive") => Ok((Thinking::Adaptive, shown)),
        Some("enabled") => {
            let budget = wish.budget_tokens.ok_or_else(|| Fault::missing("thinking.enabled.budget_tokens"))?;
            if budget < 1024 {
                let message = "Input should be greater than or equal to 1024";
                return Err(Fault::invalid("thinking.enabled.budget_tokens", message));
            }
            Ok((Thinking::Budget(u32::try_from(budget).unwrap_or(u32::MAX)), shown))
        }
        Some(_) => {
            let message = "Input tag does not match any of the expected tags: 'adaptive', 'disabled', 'enabled'";
            Err(Fault::invalid("thinking.type", message))
        }
        None => Err(Fault::missing("thinking.type")),
    }
}
