//! What the model thought before it called a tool, kept until the tool's result comes back.
//!
//! The model goes on best when it gets its own reasoning back, signature included, byte for byte. A protocol without a place
//! for signatures loses them on the way to the client and back; here they wait, found again by the ids of the calls, which
//! the model's service makes and nobody else knows. Memory only, bounded by bytes, the longest unused go first. Nothing is
//! ever made up: what is not remembered is not sent.

use kiro_protocol::conversation::{Block, Conversation, Role, Thinking};
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use std::sync::Arc;

/// Bytes of reasoning that are kept.
const REMEMBERED: u64 = 16 * 1024 * 1024;
/// A turn seldom holds more.
const USUAL: u64 = 16 * 1024;

/// The reasoning of one turn, and the model whose it is: no other understands the signature.
#[derive(Debug)]
struct Thought {
    model: String,
    blocks: Vec<Block>,
}

#[derive(Debug, Clone)]
struct ByBytes;

impl Weighter<String, Arc<Thought>> for ByBytes {
    fn weight(&self, id: &String, thought: &Arc<Thought>) -> u64 {
        let blocks: usize = thought.blocks.iter().map(size).sum();
        (id.len() + blocks) as u64 + 256
    }
}

fn size(block: &Block) -> usize {
    match block {
        Block::Thinking { text, signature } => text.len() + signature.as_ref().map_or(0, String::len),
        Block::RedactedThinking { data } => data.len(),
        Block::Text { .. }
        | Block::Image(_)
        | Block::RemoteImage { .. }
        | Block::Document(_)
        | Block::ToolUse { .. }
        | Block::ToolResult { .. } => 0,
    }
}

/// Remembers reasoning by the ids of the calls it led to.
#[derive(Debug)]
pub(crate) struct Recall {
    thoughts: Cache<String, Arc<Thought>, ByBytes>,
}

impl Default for Recall {
    fn default() -> Self {
        Self { thoughts: Cache::with_weighter((REMEMBERED / USUAL) as usize, REMEMBERED, ByBytes) }
    }
}

impl Recall {
    /// Keeps the signed reasoning among `said`, which led to the calls `ids`.
    pub(super) fn keep(&self, model: &str, ids: &[String], said: &[Block]) {
        let blocks: Vec<Block> = said.iter().filter(|block| is_signed(block)).cloned().collect();
        if blocks.is_empty() {
            return;
        }
        let thought = Arc::new(Thought { model: model.to_owned(), blocks });
        for id in ids {
            self.thoughts.insert(id.clone(), Arc::clone(&thought));
        }
    }

    /// Puts remembered reasoning back in front of the calls it led to. Turns that bring signatures of their own stay as they
    /// are. Tells how many turns got theirs back.
    pub(super) fn restore(&self, model: &str, conversation: &mut Conversation) -> usize {
        if conversation.thinking == Thinking::Off {
            return 0;
        }
        let mut restored = 0;
        for message in conversation.messages.iter_mut().filter(|message| message.role == Role::Assistant) {
            if message.content.iter().any(is_signed) {
                continue;
            }
            let calls = message.content.iter().filter_map(Block::call);
            let thought = calls.filter_map(|(id, _)| self.thoughts.get(id)).next();
            let Some(thought) = thought.filter(|thought| thought.model == model) else { continue };
            // The client's own copy has no signature and would be left out anyway.
            message.content.retain(|block| !matches!(block, Block::Thinking { .. }));
            message.content.splice(0..0, thought.blocks.iter().cloned());
            restored += 1;
        }
        restored
    }
}

fn is_signed(block: &Block) -> bool {
    matches!(block, Block::Thinking { signature: Some(_), .. } | Block::RedactedThinking { .. })
}

#[cfg(test)]
mod tests {
    use super::*;
    use kiro_protocol::conversation::Message;

    fn thinking(text: &str, signature: Option<&str>) -> Block {
        Block::Thinking { text: text.to_owned(), signature: signature.map(str::to_owned) }
    }

    fn call(id: &str) -> Block {
        Block::ToolUse { id: id.to_owned(), name: "read".to_owned(), input: Default::default(), cache: false }
    }

    fn history(content: Vec<Block>) -> Conversation {
        Conversation { messages: vec![Message { role: Role::Assistant, content }], ..Conversation::default() }
    }

    fn said() -> Vec<Block> {
        let text = Block::Text { text: "I look.".to_owned(), cache: false };
        vec![thinking("deep", Some("sig")), Block::RedactedThinking { data: "b64".to_owned() }, text]
    }

    #[test]
    fn signed_reasoning_comes_back_in_front_of_the_calls_it_led_to() {
        let recall = Recall::default();
        recall.keep("m", &["a".to_owned(), "b".to_owned()], &said());
        for id in ["a", "b"] {
            let mut conversation = history(vec![thinking("deep", None), call(id)]);
            assert_eq!(recall.restore("m", &mut conversation), 1);
            let expected =
                vec![thinking("deep", Some("sig")), Block::RedactedThinking { data: "b64".to_owned() }, call(id)];
            assert_eq!(conversation.messages[0].content, expected);
            assert_eq!(recall.restore("m", &mut conversation), 0, "twice changes nothing more");
        }
    }

    #[test]
    fn nothing_is_made_up() {
        let recall = Recall::default();
        recall.keep("m", &["unsigned".to_owned()], &[thinking("deep", None)]);
        recall.keep("m", &["known".to_owned()], &said());
        let before = |id: &str| history(vec![thinking("other", None), call(id)]);
        for (model, id) in [("m", "unsigned"), ("m", "never-seen"), ("another", "known")] {
            let mut conversation = before(id);
            assert_eq!(recall.restore(model, &mut conversation), 0, "{model} {id}");
            assert_eq!(conversation, before(id));
        }
        let mut off = Conversation { thinking: Thinking::Off, ..before("known") };
        assert_eq!(recall.restore("m", &mut off), 0, "the client switched thinking off");
    }

    #[test]
    fn what_a_turn_brings_itself_is_left_alone() {
        let recall = Recall::default();
        recall.keep("m", &["a".to_owned()], &said());
        let own = history(vec![thinking("own", Some("own signature")), call("a")]);
        let mut conversation = own.clone();
        assert_eq!(recall.restore("m", &mut conversation), 0);
        assert_eq!(conversation, own);
    }

    #[test]
    fn memory_stays_within_its_bounds() {
        let recall = Recall::default();
        let long = "x".repeat(64 * 1024);
        for number in 0..2_000 {
            recall.keep("m", &[format!("call-{number}")], &[thinking(&long, Some("sig"))]);
        }
        assert!(recall.thoughts.weight() <= REMEMBERED, "{}", recall.thoughts.weight());
        let mut newest = history(vec![call("call-1999")]);
        assert_eq!(recall.restore("m", &mut newest), 1);
    }
}
