//! Tool calls and their results, paired as the service insists (kiro-upstream §2.3 V4–V7, V30).
//!
//! Every call is answered in the very next user turn, exactly once, and nothing else is an answer. What cannot be paired is
//! kept as the user's text. It never becomes assistant text: a model that reads calls written out in its own turns starts
//! to write them out itself.

use super::ledger::{AssistantTurn, ToolResult, Turn, UserTurn, join};
use super::notices::Notices;
use serde_json::Value;
use std::collections::HashSet;

const NO_RESULT: &str = "No result was recorded for this call: it was cancelled or lost.";
const NO_OUTPUT: &str = "(no output)";
/// Longest call id that is passed on.
const MAX_ID: usize = 64;

/// A call of the turn before: the id as the client knows it and the id sent.
struct Asked {
    client: String,
    wire: String,
}

/// Pairs calls and results over the whole conversation.
pub(super) fn pair(turns: &mut [Turn], notices: &mut Notices) {
    let mut used = HashSet::new();
    let mut asked: Vec<Asked> = Vec::new();
    for turn in turns {
        match turn {
            Turn::Assistant(turn) => asked = ask(turn, &mut used, notices),
            Turn::User(turn) => answer(turn, &std::mem::take(&mut asked), notices),
        }
    }
}

/// Gives every call an id that is unique in the conversation.
fn ask(turn: &mut AssistantTurn, used: &mut HashSet<String>, notices: &mut Notices) -> Vec<Asked> {
    let mut asked = Vec::with_capacity(turn.calls.len());
    for call in &mut turn.calls {
        let wire = unique_id(&call.id, used);
        if wire != call.id {
            notices.turn(
                "tool_use_id_changed",
                turn.at,
                "the id of a tool call was empty, used before or not acceptable",
            );
        }
        let client = std::mem::replace(&mut call.id, wire.clone());
        asked.push(Asked { client, wire });
    }
    asked
}

fn unique_id(id: &str, used: &mut HashSet<String>) -> String {
    let clean = |c: char| if c.is_ascii_alphanumeric() || c == '_' || c == '-' { c } else { '_' };
    let base: String = id.chars().map(clean).take(MAX_ID).collect();
    let base = if base.is_empty() { "tooluse".to_owned() } else { base };
    let mut candidate = base.clone();
    let mut count = 1;
    while !used.insert(candidate.clone()) {
        count += 1;
        let suffix = format!("_{count}");
        candidate = format!("{}{suffix}", &base[..base.len().min(MAX_ID - suffix.len())]);
    }
    candidate
}

/// Keeps the results that answer a call of the turn before, in the order of the calls; adds what is missing.
fn answer(turn: &mut UserTurn, asked: &[Asked], notices: &mut Notices) {
    let mut answers: Vec<Option<ToolResult>> = asked.iter().map(|_| None).collect();
    for result in std::mem::take(&mut turn.results) {
        let open = asked.iter().zip(&answers).position(|(call, answer)| call.client == result.id && answer.is_none());
        let index = open.or_else(|| asked.iter().rposition(|call| call.client == result.id));
        let Some(index) = index else {
            notices.turn("tool_result_folded", turn.at, "a result that answers no call of the turn before became text");
            let mut folded = String::from("[result of an earlier tool call]");
            for text in &result.texts {
                folded.push('\n');
                folded.push_str(text);
            }
            join(&mut turn.text, &folded);
            continue;
        };
        if open.is_none() {
            notices.turn("duplicate_tool_result", turn.at, "a call was answered twice; the later answer was kept");
        }
        answers[index] = Some(result);
    }
    for (call, answer) in asked.iter().zip(answers) {
        let mut result = answer.unwrap_or_else(|| {
            notices.turn("tool_result_added", turn.at, "a call without a result was answered with an error");
            ToolResult { id: String::new(), texts: vec![NO_RESULT.to_owned()], is_error: true }
        });
        if result.texts.is_empty() {
            result.texts.push(NO_OUTPUT.to_owned());
        }
        result.id.clone_from(&call.wire);
        turn.results.push(result);
    }
}

/// Turns the whole tool history into text, for requests in which no tool may be offered.
pub(super) fn fold_all(turns: &mut Vec<Turn>, notices: &mut Notices) {
    let mut calls = Vec::new();
    let mut folded = 0_usize;
    let mut kept: Vec<Turn> = Vec::with_capacity(turns.len());
    for turn in turns.drain(..) {
        match turn {
            Turn::Assistant(mut turn) => {
                calls = std::mem::take(&mut turn.calls);
                if !turn.text.is_empty() {
                    kept.push(Turn::Assistant(turn));
                }
            }
            Turn::User(mut turn) => {
                let mut text = String::new();
                for result in std::mem::take(&mut turn.results) {
                    folded += 1;
                    let call = calls.iter().find(|call| call.id == result.id);
                    let name = call.map_or("a tool", |call| call.name.as_str());
                    let input = call.map_or_else(String::new, |call| Value::Object(call.input.clone()).to_string());
                    join(&mut text, &format!("[{name} {input}]\n{}", result.texts.join("\n")));
                }
                join(&mut text, &turn.text);
                turn.text = text;
                match kept.last_mut() {
                    Some(Turn::User(last)) => last.absorb(turn),
                    Some(Turn::Assistant(_)) | None => kept.push(Turn::User(turn)),
                }
            }
        }
    }
    *turns = kept;
    if folded > 0 {
        notices.add(
            "tool_history_folded",
            "messages",
            format!("{folded} tool result(s) became text: no tool may be called"),
        );
    }
}

impl UserTurn {
    fn absorb(&mut self, other: UserTurn) {
        join(&mut self.text, &other.text);
        self.results.extend(other.results);
        self.images.extend(other.images);
        self.documents.extend(other.documents);
        self.cache |= other.cache;
    }
}
