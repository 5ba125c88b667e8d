//! Where pictures and documents stand in a conversation: in a user's turn, or inside a tool result.

use kiro_protocol::conversation::{Block, Conversation, Role};

/// One block, by position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) message: usize,
    block: usize,
    inner: Option<usize>,
}

impl Place {
    /// As notices write it.
    pub(super) fn path(self) -> String {
        let Self { message, block, inner } = self;
        match inner {
            Some(inner) => format!("messages[{message}].content[{block}].content[{inner}]"),
            None => format!("messages[{message}].content[{block}]"),
        }
    }

    /// The block that stands there.
    pub(super) fn block(self, conversation: &mut Conversation) -> &mut Block {
        let block = &mut conversation.messages[self.message].content[self.block];
        match (self.inner, block) {
            (Some(inner), Block::ToolResult { content, .. }) => &mut content[inner],
            (_, block) => block,
        }
    }

    /// Puts a text there instead.
    pub(super) fn note(self, conversation: &mut Conversation, text: impl Into<String>) {
        *self.block(conversation) = Block::Text { text: text.into(), cache: false };
    }
}

/// All blocks of the user's side that `pick` takes, the newest first.
pub(super) fn newest_first(conversation: &Conversation, pick: impl Fn(&Block) -> bool) -> Vec<Place> {
    let mut places = Vec::new();
    let turns = conversation.messages.iter().enumerate().rev().filter(|(_, turn)| turn.role == Role::User);
    for (message, turn) in turns {
        for (block, what) in turn.content.iter().enumerate().rev() {
            if let Block::ToolResult { content, .. } = what {
                for (inner, _) in content.iter().enumerate().rev().filter(|(_, what)| pick(what)) {
                    places.push(Place { message, block, inner: Some(inner) });
                }
            } else if pick(what) {
                places.push(Place { message, block, inner: None });
            }
        }
    }
    places
}

/// The first message of the turn that is to be answered: everything of the user's after the last answer.
pub(super) fn newest_turn(conversation: &Conversation) -> usize {
    let last = conversation.messages.iter().rposition(|message| message.role == Role::Assistant);
    last.map_or(0, |last| last + 1)
}

/// True when the turn to be answered says something besides pictures and documents.
pub(super) fn newest_turn_speaks(conversation: &Conversation) -> bool {
    conversation.messages[newest_turn(conversation)..].iter().flat_map(|message| &message.content).any(|block| {
        match block {
            Block::Text { text, .. } => !text.trim().is_empty(),
            Block::ToolResult { .. } => true,
            Block::Thinking { .. }
            | Block::RedactedThinking { .. }
            | Block::Image(_)
            | Block::RemoteImage { .. }
            | Block::Document(_)
            | Block::ToolUse { .. } => false,
        }
    })
}
