//! The model and what it accepts: V22, V23, V24.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::request::{Reasoning, Request};
use super::{Findings, at_turn};
use crate::account::AccountSeed;
use crate::chat::signature_of;
use crate::models::Model;
use crate::operations::{entitled, in_cli_catalogue};
use crate::refusal::{Flavour, Refusal};
use crate::router::Call;

/// V23. A request without a model id goes to the default model.
pub(super) fn find(call: &Call, caller: &AccountSeed, request: &Request, found: &mut Findings) -> Option<Model> {
    let user = request.conversation_state.current_message.user_input_message.as_ref()?;
    let id = user.model_id.as_deref().unwrap_or("auto");
    let cli_root = call.flavour == Flavour::AwsJson && user.origin.as_deref() == Some("CLI");
    let model = call.state.models.find(id);
    let served = model.filter(|m| entitled(caller, &m.id) && (!cli_root || in_cli_catalogue(&m.id)));
    if served.is_none() {
        found.refuse(
            Refusal::malformed("V23", format!("model {id:?} is unknown, not in the plan, or not served in this form"))
                .message("Invalid model. Please select a different model to continue.")
                .reason("INVALID_MODEL_ID"),
        );
    }
    served.cloned()
}

/// V24.
pub(super) fn fields(request: &Request, model: &Model, found: &mut Findings) {
    let Some(fields) = &request.additional_model_request_fields else { return };
    let refusal = |detail: String| Refusal::malformed("V24", detail).reason("REQUEST_BODY_INVALID");
    match &model.fields_schema {
        None => found.refuse(
            refusal(format!("{} has no schema", model.id))
                .message("additionalModelRequestFields is not supported for this model"),
        ),
        Some(schema) => {
            if let Err(detail) = conforms("additionalModelRequestFields", fields, schema) {
                found.refuse(refusal(detail));
            }
        }
    }
}

/// The part of JSON Schema that catalogues use: type, properties, enum, closed objects.
fn conforms(place: &str, value: &Value, schema: &Value) -> Result<(), String> {
    let typed = match schema["type"].as_str() {
        Some("object") => value.is_object(),
        Some("string") => value.is_string(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        Some("boolean") => value.is_boolean(),
        Some("array") => value.is_array(),
        Some(_) | None => true,
    };
    if !typed {
        return Err(format!("{place} should be of type {}", schema["type"]));
    }
    if let Some(allowed) = schema["enum"].as_array()
        && !allowed.contains(value)
    {
        return Err(format!("{place}: {value} is none of {}", schema["enum"]));
    }
    for (name, below) in value.as_object().into_iter().flatten() {
        match schema["properties"].get(name) {
            Some(schema) => conforms(&format!("{place}.{name}"), below, schema)?,
            None if schema["additionalProperties"] == Value::Bool(false) => {
                return Err(format!("{place}.{name} is unknown"));
            }
            None => {}
        }
    }
    Ok(())
}

/// V22: replayed reasoning must carry text and signature of one turn that was really sent.
pub(super) fn reasoning(call: &Call, request: &Request, found: &mut Findings) {
    for (n, turn) in request.conversation_state.history.iter().enumerate() {
        let assistant = turn.assistant_response_message.as_ref();
        let Some(reasoning) = assistant.and_then(|a| a.reasoning_content.as_ref()) else { continue };
        if !accepted(call, reasoning) {
            found.refuse(
                Refusal::malformed("V22", format!("{}: text and signature do not belong together", at_turn(n)))
                    .reason("THINKING_SIGNATURE_INVALID"),
            );
        }
    }
}

fn accepted(call: &Call, reasoning: &Reasoning) -> bool {
    match (&reasoning.reasoning_text, &reasoning.redacted_content) {
        (Some(thought), None) => thought.signature.as_ref().is_some_and(|signature| {
            *signature == signature_of(call.state.config.seed, &thought.text)
                || call.state.memory().reasoning.contains(&(thought.text.clone(), signature.clone()))
        }),
        // Redacted reasoning is opaque; what can be checked is that it is base64.
        (None, Some(redacted)) => STANDARD.decode(redacted).is_ok(),
        (Some(_), Some(_)) | (None, None) => false,
    }
}
