//! The conversation as turns that strictly alternate (kiro-upstream §2.3 V1, V22, V29).
//!
//! Adjacent turns of one side become one. Turns that hold nothing the upstream can carry are left out rather than filled:
//! the model imitates fillers it finds in its own turns.

use super::BuildContext;
use super::media::{self, Attachments};
use super::notices::Notices;
use crate::conversation::{Block, JsonObject, Message, Role};
use crate::kiro::wire;

/// What follows an assistant's unfinished turn, since the upstream cannot be prefilled.
const CONTINUE_PREFILL: &str = "Continue your last message exactly where it stopped, without repeating any of it.";

/// Stands for a picture that is somewhere else: the service takes inline pictures only.
const REMOTE_IMAGE: &str = "[A picture behind a link was left out: links are not followed.]";

#[derive(Debug)]
pub(super) enum Turn {
    User(UserTurn),
    Assistant(AssistantTurn),
}

#[derive(Debug, Default)]
pub(super) struct UserTurn {
    /// Index of the first message it came from.
    pub(super) at: usize,
    pub(super) text: String,
    pub(super) results: Vec<ToolResult>,
    pub(super) images: Vec<wire::Image>,
    pub(super) documents: Vec<wire::Document>,
    pub(super) cache: bool,
}

#[derive(Debug, Default)]
pub(super) struct AssistantTurn {
    pub(super) at: usize,
    pub(super) text: String,
    pub(super) calls: Vec<ToolCall>,
    pub(super) reasoning: Option<wire::ReasoningContent>,
    pub(super) cache: bool,
}

#[derive(Debug)]
pub(super) struct ToolResult {
    pub(super) id: String,
    pub(super) texts: Vec<String>,
    pub(super) is_error: bool,
}

#[derive(Debug)]
pub(super) struct ToolCall {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) input: JsonObject,
}

impl UserTurn {
    fn is_empty(&self) -> bool {
        self.text.is_empty() && self.results.is_empty() && self.images.is_empty() && self.documents.is_empty()
    }
}

/// Joins text with a blank line; white space alone is nothing.
pub(super) fn join(text: &mut String, piece: &str) {
    if piece.trim().is_empty() {
        return;
    }
    if !text.is_empty() {
        text.push_str("\n\n");
    }
    text.push_str(piece);
}

/// The turns: user first, alternating, user last.
pub(super) fn turns(messages: &[Message], context: &BuildContext, notices: &mut Notices) -> Vec<Turn> {
    let mut turns: Vec<Turn> = Vec::with_capacity(messages.len() + 2);
    let mut media = Attachments::new(context);
    let mut previous = None;
    for (at, message) in messages.iter().enumerate() {
        if previous == Some(message.role) {
            notices.turn("turns_merged", at, "merged with the turn before: the service wants alternating turns");
        }
        previous = Some(message.role);
        match message.role {
            Role::User => user(&mut turns, at, message, &mut media, notices),
            Role::Assistant => assistant(&mut turns, at, message, context, notices),
        }
    }
    media.report(notices);
    close(&mut turns, messages.len(), notices);
    media::keep_newest_images(&mut turns, notices);
    turns
}

fn user(turns: &mut Vec<Turn>, at: usize, message: &Message, media: &mut Attachments<'_>, notices: &mut Notices) {
    let mut turn = match turns.pop() {
        Some(Turn::User(turn)) => turn,
        other => {
            turns.extend(other);
            UserTurn { at, ..UserTurn::default() }
        }
    };
    for (index, block) in message.content.iter().enumerate() {
        match block {
            Block::Text { text, cache } => {
                join(&mut turn.text, text);
                turn.cache |= *cache;
            }
            Block::Image(image) => media.image(image, &mut turn, at, notices),
            Block::RemoteImage { .. } => join(&mut turn.text, REMOTE_IMAGE),
            Block::Document(document) => media.document(document, &mut turn, at, notices),
            Block::ToolResult { tool_use_id, content, is_error, cache } => {
                turn.cache |= *cache;
                let texts = result_texts(content, &mut turn, at, media, notices);
                turn.results.push(ToolResult { id: tool_use_id.clone(), texts, is_error: *is_error });
            }
            Block::Thinking { .. } | Block::RedactedThinking { .. } | Block::ToolUse { .. } => {
                misplaced(at, index, notices);
            }
        }
    }
    if turn.is_empty() {
        notices.turn("empty_turn_dropped", at, "a user turn without content was left out");
    } else {
        turns.push(Turn::User(turn));
    }
}

fn result_texts(
    content: &[Block],
    turn: &mut UserTurn,
    at: usize,
    media: &mut Attachments<'_>,
    notices: &mut Notices,
) -> Vec<String> {
    let mut texts = Vec::new();
    for (index, block) in content.iter().enumerate() {
        match block {
            Block::Text { text, .. } => {
                if !text.is_empty() {
                    texts.push(text.clone());
                }
            }
            Block::Image(image) => texts.push(media.lifted_image(image, turn, at, notices)),
            Block::RemoteImage { .. } => texts.push(REMOTE_IMAGE.to_owned()),
            Block::Document(document) => texts.push(media.lifted_document(document, turn, at, notices)),
            Block::Thinking { .. }
            | Block::RedactedThinking { .. }
            | Block::ToolUse { .. }
            | Block::ToolResult { .. } => misplaced(at, index, notices),
        }
    }
    texts
}

fn assistant(turns: &mut Vec<Turn>, at: usize, message: &Message, context: &BuildContext, notices: &mut Notices) {
    let mut turn = match turns.pop() {
        Some(Turn::Assistant(turn)) => turn,
        other => {
            turns.extend(other);
            AssistantTurn { at, ..AssistantTurn::default() }
        }
    };
    for (index, block) in message.content.iter().enumerate() {
        match block {
            Block::Text { text, cache } => {
                join(&mut turn.text, text);
                turn.cache |= *cache;
            }
            Block::Thinking { text, signature } => {
                let signed = signature.as_deref().filter(|signature| !signature.is_empty());
                let content = signed.map(|signature| {
                    wire::ReasoningContent::ReasoningText(wire::ReasoningText {
                        text: text.clone(),
                        signature: signature.to_owned(),
                    })
                });
                reasoning(&mut turn, content, context, notices);
            }
            Block::RedactedThinking { data } => {
                reasoning(&mut turn, Some(wire::ReasoningContent::RedactedContent(data.clone())), context, notices);
            }
            Block::ToolUse { id, name, input, cache } => {
                turn.calls.push(ToolCall { id: id.clone(), name: name.clone(), input: input.clone() });
                turn.cache |= *cache;
            }
            Block::Image(_) | Block::RemoteImage { .. } | Block::Document(_) | Block::ToolResult { .. } => {
                misplaced(at, index, notices)
            }
        }
    }
    if turn.text.is_empty() && turn.calls.is_empty() {
        notices.turn("empty_turn_dropped", at, "an assistant turn without text or tool calls was left out");
    } else {
        turns.push(Turn::Assistant(turn));
    }
}

/// One turn carries one piece of reasoning: the last signed one, which is the one its tool calls came from.
fn reasoning(
    turn: &mut AssistantTurn,
    content: Option<wire::ReasoningContent>,
    context: &BuildContext,
    notices: &mut Notices,
) {
    match content {
        _ if context.strip_reasoning => {
            notices.turn("reasoning_dropped", turn.at, "left out on purpose: the service refused a signature");
        }
        None => notices.turn("reasoning_dropped", turn.at, "thinking without a signature cannot be replayed"),
        Some(content) => {
            if turn.reasoning.replace(content).is_some() {
                notices.turn("reasoning_dropped", turn.at, "a turn carries only its last piece of reasoning");
            }
        }
    }
}

fn misplaced(at: usize, index: usize, notices: &mut Notices) {
    let path = format!("messages[{at}].content[{index}]");
    notices.add("misplaced_block", path, "a block of this kind cannot stand in a turn of this side; left out");
}

/// Sees to it that the user speaks first and last. Missing text is filled in later, when it is known what is missing.
fn close(turns: &mut Vec<Turn>, at: usize, notices: &mut Notices) {
    if let Some(Turn::Assistant(first)) = turns.first() {
        notices.turn("leading_assistant_turn", first.at, "a user turn was put before it: the service wants one first");
        turns.insert(0, Turn::User(UserTurn::default()));
    }
    match turns.last() {
        None => turns.push(Turn::User(UserTurn { at, ..UserTurn::default() })),
        Some(Turn::User(_)) => {}
        Some(Turn::Assistant(last)) => {
            notices.turn(
                "prefill_emulated",
                last.at,
                "the service cannot be prefilled; it was asked to continue instead",
            );
            let text = if last.calls.is_empty() { CONTINUE_PREFILL.to_owned() } else { String::new() };
            turns.push(Turn::User(UserTurn { at, text, ..UserTurn::default() }));
        }
    }
}
