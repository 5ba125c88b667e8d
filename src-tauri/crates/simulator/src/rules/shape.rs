//! Members and their values: V25, V26, V27, V29, V30 and the rules without a number.

use serde_json::{Map, Value};

use super::request::{Request, Turn};
use super::{Findings, at_turn};
use crate::refusal::Refusal;

const TRIGGERS: [&str; 3] = ["MANUAL", "DIAGNOSTIC", "INLINE_CHAT"];
const ORIGINS: [&str; 4] = ["AI_EDITOR", "CLI", "KIRO_CLI", "KIRO_WEB"];
/// Things other services know and this one does not (V30): ignored there, so a caller that sends them is mistaken.
const FOREIGN: [&str; 9] = [
    "stopSequences",
    "stop_sequences",
    "stop",
    "toolChoice",
    "tool_choice",
    "logprobs",
    "responseFormat",
    "response_format",
    "system",
];
/// Members of the official schema, and two that peers send without harm (kiro-upstream §2.1).
const TOP: [&str; 6] = ["agentMode", "source", "dryRun", "systemPrompt", "inferenceConfig", "workspaceState"];
const STATE: [&str; 2] = ["workspaceId", "customizationArn"];
const USER: [&str; 3] = ["userIntent", "cachePoint", "clientCacheConfig"];
const CONTEXT: [&str; 10] = [
    "envState",
    "editorState",
    "shellState",
    "gitState",
    "additionalContext",
    "diagnostic",
    "consoleState",
    "appStudioContext",
    "userSettings",
    "shellHistory",
];
const ASSISTANT: [&str; 5] = ["messageId", "cachePoint", "references", "supplementaryWebLinks", "followupPrompt"];

pub(super) fn check(request: &Request, found: &mut Findings) {
    let state = &request.conversation_state;
    if !TRIGGERS.contains(&state.chat_trigger_type.as_str()) {
        found.refuse(Refusal::malformed("trigger", format!("chatTriggerType {:?}", state.chat_trigger_type)));
    }
    if state.current_message.assistant_response_message.is_some() {
        found.refuse(Refusal::malformed("V29", "the current message is an assistant's"));
    }
    let turns = state.history.iter().enumerate().map(|(n, turn)| (at_turn(n), turn));
    for (place, turn) in turns.chain([("current message".to_owned(), &state.current_message)]) {
        one_turn(&place, turn, found);
    }
    if let Some(user) = &state.current_message.user_input_message {
        match user.origin.as_deref() {
            None => found.note("origin", "without an origin the request counts as internal traffic"),
            Some(origin) if !ORIGINS.contains(&origin) => found.note("origin", &format!("{origin:?}")),
            Some("CLI" | "KIRO_CLI") if state.agent_continuation_id.is_some() => {
                found.note("continuation", "agentContinuationId does not go with a CLI origin");
            }
            Some(_) => {}
        }
    }
    if request.rest.get("profileArn").is_some_and(Value::is_null) {
        found.note("arn", "profileArn is null; leave it out");
    }
    unknown("the request", &request.rest, &TOP, found);
    unknown("conversationState", &state.rest, &STATE, found);
}

fn one_turn(place: &str, turn: &Turn, found: &mut Findings) {
    match (&turn.user_input_message, &turn.assistant_response_message) {
        (Some(user), None) => {
            unknown(place, &user.rest, &USER, found);
            if let Some(context) = &user.user_input_message_context {
                unknown(place, &context.rest, &CONTEXT, found);
                if context.tools.is_none() && context.tool_results.is_none() && context.rest.is_empty() {
                    found.refuse(Refusal::malformed("context", format!("{place}: empty userInputMessageContext")));
                }
            }
        }
        (None, Some(assistant)) => {
            if assistant.rest.contains_key("modelId") {
                found.refuse(Refusal::malformed("schema", format!("{place}: an assistant message has no modelId")));
            }
            let rest: Map<String, Value> =
                assistant.rest.iter().filter(|(k, _)| *k != "modelId").map(|(k, v)| (k.clone(), v.clone())).collect();
            unknown(place, &rest, &ASSISTANT, found);
            if assistant.content.is_none() {
                found.refuse(Refusal::malformed("V3", format!("{place}: assistant message without content")));
            }
            if assistant.tool_uses.as_ref().is_some_and(Vec::is_empty) {
                found.refuse(Refusal::malformed("V26", format!("{place}: empty toolUses")));
            }
            for call in assistant.calls().iter().filter(|call| !call.input.is_object()) {
                found.refuse(Refusal::malformed("V27", format!("{place}: input of {} is no object", call.tool_use_id)));
            }
        }
        (Some(_), Some(_)) | (None, None) => found.refuse(
            Refusal::malformed("V25", format!("{place}: exactly one union member is needed"))
                .reason("REQUEST_BODY_INVALID"),
        ),
    }
}

/// Members that the schema does not have are ignored by the service, but a caller should not send them.
fn unknown(place: &str, rest: &Map<String, Value>, known: &[&str], found: &mut Findings) {
    for name in rest.keys() {
        if FOREIGN.contains(&name.as_str()) {
            found.note("V30", &format!("{place}: {name} does not exist here"));
        } else if !known.contains(&name.as_str()) {
            found.note("schema.unknown", &format!("{place}: unknown member {name}"));
        }
    }
}
