//! The service's validation rules (kiro-upstream §2.3), one file per group.

use serde_json::Value;

use crate::account::AccountSeed;
use crate::auth;
use crate::models::Model;
use crate::refusal::Refusal;
use crate::router::Call;

pub(crate) fn check(call: &Call, caller: &AccountSeed, body: &Value) -> Result<Model, Refusal> {
    let arn = body.get("profileArn").and_then(Value::as_str);
    auth::check_arn(call, caller, arn)?;
    let id = body["conversationState"]["currentMessage"]["userInputMessage"]["modelId"].as_str().unwrap_or("auto");
    call.state.models.find(id).cloned().ok_or_else(|| {
        Refusal::new(400, "ValidationException", "Invalid model. Please select a different model to continue.")
            .reason("INVALID_MODEL_ID")
            .breaking("V23", format!("unknown model {id:?}"))
    })
}
