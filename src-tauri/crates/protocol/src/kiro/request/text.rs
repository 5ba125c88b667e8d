//! Texts the upstream has no field for, and texts it cannot do without (kiro-upstream §2.2, §2.3 V2, V3, V17, V30).
//!
//! The system text goes in front of the first user turn of whatever conversation is built, so that a shortened
//! conversation carries it again. Wishes the upstream has no field for become plain words.

use super::fields::Fields;
use super::ledger::{Turn, UserTurn, join};
use super::notices::Notices;
use super::specs::Specs;
use crate::conversation::{Block, Conversation, OutputFormat, ToolChoice};

/// Stands in for a user turn that says nothing, which the service refuses.
const FILLER: &str = "Continue";
/// Stands next to attachments without text.
const ATTACHMENT: &str = "See attachment.";
/// Longest text of a user turn or tool result in bytes; the service's own limits are 600,000 and 800,000 characters, but
/// about 700 KB in one field were refused.
const MAX_TEXT: usize = 600_000;
/// Part of a text that is kept from its end when its middle is cut.
const TAIL: usize = MAX_TEXT / 4;

/// Folds system text and nudges in, fills what is empty, shortens what is too long.
pub(super) fn complete(
    conversation: &Conversation,
    turns: &mut [Turn],
    specs: &Specs,
    fields: &Fields,
    notices: &mut Notices,
) {
    let mut system = system_text(conversation, specs, fields);
    nudge_choice(conversation, turns, specs, &mut system, notices);
    let system_cached = conversation.system.iter().any(|block| matches!(block, Block::Text { cache: true, .. }));
    if let Some(Turn::User(first)) = turns.first_mut() {
        first.cache |= system_cached;
        if !system.is_empty() {
            let text = std::mem::replace(&mut first.text, system);
            join(&mut first.text, &text);
        }
    }
    for turn in turns {
        match turn {
            Turn::User(turn) => {
                fill(turn, notices);
                shorten_turn(turn, notices);
            }
            Turn::Assistant(_) => {}
        }
    }
}

fn system_text(conversation: &Conversation, specs: &Specs, fields: &Fields) -> String {
    let mut system = fields.prompt_tags.clone().unwrap_or_default();
    for block in &conversation.system {
        if let Block::Text { text, .. } = block {
            join(&mut system, text);
        }
    }
    join(&mut system, &specs.overflow);
    if let Some(format) = &conversation.output_format {
        join(&mut system, &form(format));
    }
    if conversation.parallel_tools == Some(false) && !specs.tools.is_empty() {
        join(&mut system, "Call at most one tool per answer, then wait for its result.");
    }
    system
}

/// The form of the answer, asked for in words. The one place that does; whether the answer has it is checked by whoever passes
/// it on.
fn form(format: &OutputFormat) -> String {
    const ONLY: &str = "and nothing else: no Markdown, no code fence, no explanation before or after it.";
    match format {
        OutputFormat::JsonObject => format!("When you answer, write one JSON object {ONLY}"),
        OutputFormat::OneOf { values } => format!(
            "When you answer, write exactly one of the following values and nothing else: no quotes, no Markdown, no \
             explanation.\n{}",
            values.join("\n")
        ),
        OutputFormat::JsonSchema { schema, .. } => {
            format!("When you answer, write one JSON value {ONLY} It must be valid against this JSON Schema:\n{schema}")
        }
    }
}

/// A wish for a tool call goes next to the question; in a turn of tool results only, extra text would make the model stop
/// early, so there it goes into the system text.
fn nudge_choice(
    conversation: &Conversation,
    turns: &mut [Turn],
    specs: &Specs,
    system: &mut String,
    notices: &mut Notices,
) {
    let nudge = match (&conversation.tool_choice, &specs.forced) {
        (ToolChoice::Auto | ToolChoice::None, _) => return,
        _ if specs.tools.is_empty() => return,
        (ToolChoice::Tool(_), Some(name)) => {
            format!("You must call the tool {name} now. Do not answer with text only.")
        }
        (ToolChoice::Any | ToolChoice::Tool(_), _) => {
            "You must call one of the tools now. Do not answer with text only.".to_owned()
        }
    };
    notices.add("tool_choice_emulated", "tool_choice", "the service has no such field; the model was asked in words");
    match turns.last_mut() {
        Some(Turn::User(turn)) if turn.results.is_empty() || !turn.text.is_empty() => join(&mut turn.text, &nudge),
        Some(Turn::User(_) | Turn::Assistant(_)) | None => join(system, &nudge),
    }
}

fn fill(turn: &mut UserTurn, notices: &mut Notices) {
    if !turn.text.trim().is_empty() || !turn.results.is_empty() {
        return;
    }
    let attached = !turn.images.is_empty() || !turn.documents.is_empty();
    turn.text = if attached { ATTACHMENT } else { FILLER }.to_owned();
    notices.turn("empty_turn_filled", turn.at, "the service wants text in every user turn");
}

fn shorten_turn(turn: &mut UserTurn, notices: &mut Notices) {
    let mut cut = shorten(&mut turn.text);
    for result in &mut turn.results {
        let total: usize = result.texts.iter().map(String::len).sum();
        if total > MAX_TEXT {
            let mut text = result.texts.join("\n");
            cut |= shorten(&mut text);
            result.texts = vec![text];
        }
    }
    if cut {
        notices.turn("text_shortened", turn.at, format!("the middle of a text above {MAX_TEXT} bytes was left out"));
    }
}

/// Cuts the middle out of a text that is too long. True when it did.
fn shorten(text: &mut String) -> bool {
    if text.len() <= MAX_TEXT {
        return false;
    }
    let marker_room = 100;
    let boundary = |at: &usize| text.is_char_boundary(*at);
    let head = (0..=MAX_TEXT - TAIL - marker_room).rev().find(boundary).unwrap_or(0);
    let tail = (text.len() - TAIL..=text.len()).find(boundary).unwrap_or(text.len());
    let marker = format!("\n[{} bytes left out here: the text is too long]\n", tail - head);
    text.replace_range(head..tail, &marker);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_keeps_its_ends_and_stays_below_the_limit() {
        let mut text = "ä".repeat(MAX_TEXT);
        text.insert_str(0, "head");
        text.push_str("tail");
        assert!(shorten(&mut text));
        assert!(text.len() <= MAX_TEXT);
        assert!(text.starts_with("headä") && text.ends_with("ätail") && text.contains("left out here"));
        assert!(!shorten(&mut "x".repeat(MAX_TEXT)));
    }
}
