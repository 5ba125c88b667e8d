//! The order of turns and the pairing of calls and results: V1–V8 (V28, text beside results, is allowed).
//!
//! V3: whether an assistant's text may be empty is disputed; only a missing member is refused.

use std::collections::HashSet;

use super::request::{Assistant, Request, Turn, User};
use super::{Findings, at_turn};
use crate::refusal::Refusal;

const MISMATCH: &str = "TOOL_USE_RESULT_MISMATCH";

pub(super) fn check(request: &Request, found: &mut Findings) {
    let state = &request.conversation_state;
    order(&state.history, found);
    let mut before: Option<&Assistant> = None;
    let mut first = true;
    let turns = state.history.iter().enumerate().map(|(n, turn)| (at_turn(n), turn));
    for (place, turn) in turns.chain([("current message".to_owned(), &state.current_message)]) {
        if let Some(user) = &turn.user_input_message {
            words(&place, user, found);
            pairing(&place, before.take(), user, first, found);
            first = false;
        } else if let Some(assistant) = &turn.assistant_response_message {
            unanswered(&place, before.take(), &HashSet::new(), found);
            before = Some(assistant);
        }
    }
    declared(request, found);
}

fn order(history: &[Turn], found: &mut Findings) {
    for (n, turn) in history.iter().enumerate() {
        let should_be_user = n % 2 == 0;
        if turn.user_input_message.is_some() != should_be_user {
            let who = if should_be_user { "user" } else { "assistant" };
            found.refuse(Refusal::malformed("V1", format!("{} should be the {who}'s", at_turn(n))));
            return;
        }
    }
    if history.len() % 2 == 1 {
        found.refuse(Refusal::malformed("V1", "history ends with a user turn"));
    }
}

fn words(place: &str, user: &User, found: &mut Findings) {
    if user.content.trim().is_empty() && user.results().is_empty() {
        found.refuse(Refusal::malformed("V2", format!("{place}: no words and no tool results")));
    }
}

fn pairing(place: &str, before: Option<&Assistant>, user: &User, first: bool, found: &mut Findings) {
    let results = user.results();
    if first && !results.is_empty() {
        found.refuse(Refusal::malformed("V6", format!("{place}: the first user message carries tool results")));
        return;
    }
    let asked: HashSet<&str> =
        before.into_iter().flat_map(Assistant::calls).map(|call| call.tool_use_id.as_str()).collect();
    let mut answered = HashSet::new();
    for result in results {
        let id = result.tool_use_id.as_str();
        if !answered.insert(id) {
            found.refuse(Refusal::malformed("V7", format!("{place}: {id} is answered twice")));
        }
        if !asked.contains(id) {
            found.refuse(
                Refusal::malformed("V4", format!("{place}: the turn before did not call {id}")).reason(MISMATCH),
            );
        }
    }
    unanswered(place, before, &answered, found);
}

fn unanswered(place: &str, before: Option<&Assistant>, answered: &HashSet<&str>, found: &mut Findings) {
    for call in before.into_iter().flat_map(Assistant::calls) {
        if !answered.contains(call.tool_use_id.as_str()) {
            found.refuse(
                Refusal::malformed("V5", format!("{place}: {} is not answered", call.tool_use_id)).reason(MISMATCH),
            );
        }
    }
}

/// V8: tools of the history must still be declared.
fn declared(request: &Request, found: &mut Findings) {
    let state = &request.conversation_state;
    let Some(current) = &state.current_message.user_input_message else { return };
    let names: HashSet<&str> =
        current.tools().iter().filter_map(|t| t.tool_specification.as_ref()).map(|t| t.name.as_str()).collect();
    let users = state.history.iter().filter_map(|t| t.user_input_message.as_ref()).chain([current]);
    let results = users.flat_map(User::results).count();
    let calls: Vec<&str> = state
        .history
        .iter()
        .filter_map(|t| t.assistant_response_message.as_ref())
        .flat_map(Assistant::calls)
        .map(|call| call.name.as_str())
        .collect();
    if names.is_empty() && (results > 0 || !calls.is_empty()) {
        found.refuse(
            Refusal::malformed("V8", "calls or results, but no tool is declared").reason("TOOL_CONFIG_MISSING"),
        );
        return;
    }
    for name in calls.into_iter().filter(|name| !names.contains(name)) {
        found.refuse(Refusal::malformed("V8", format!("history calls {name}, which is not declared")));
    }
}
