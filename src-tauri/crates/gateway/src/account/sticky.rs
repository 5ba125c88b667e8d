//! Which account last answered a session, so that the next request of the session goes there: its context is cached there,
//! and one session is one pattern of use.
//!
//! Promises: bound only by a success; two client keys never share a binding; memory is bounded, the least used binding goes
//! first. Elapsed time is tokio's, so that a changed clock neither ends nor keeps a binding.

use super::AccountId;
use kiro_protocol::conversation::{Block, Conversation, Role};
use quick_cache::sync::Cache;
use std::hash::{BuildHasher as _, Hash as _, Hasher as _, RandomState};
use std::time::Duration;
use tokio::time::Instant;

/// Bindings kept, some 100 bytes each.
const KEPT: usize = 20_000;
/// How much of a text is looked at; the rest differs rarely when this does not, and costs time.
const LOOKED_AT: usize = 4096;

/// Names a session, or the beginning of a conversation, of one client key. A digest: it tells nothing about either.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StickyKey {
    digest: u128,
    named: bool,
}

#[derive(Clone)]
struct Binding {
    account: AccountId,
    until: Instant,
}

/// The bindings.
pub(crate) struct Sticky {
    bindings: Cache<u128, Binding>,
    /// Random for every run: nobody can choose a session that collides with another one.
    seeds: [RandomState; 2],
}

impl std::fmt::Debug for Sticky {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sticky").field("bindings", &self.bindings.len()).finish_non_exhaustive()
    }
}

impl Default for Sticky {
    fn default() -> Self {
        Self { bindings: Cache::new(KEPT), seeds: [RandomState::new(), RandomState::new()] }
    }
}

impl Sticky {
    /// The key of a conversation: by the session that the client names, else by its beginning. `key`: the client key it came
    /// with.
    pub(crate) fn key(&self, key: &str, conversation: &Conversation) -> Option<StickyKey> {
        let named = conversation.session.is_some();
        let beginning = conversation.messages.iter().take_while(|message| message.role != Role::Assistant);
        if !named && beginning.clone().next().is_none() {
            return None;
        }
        let digest = |seed: &RandomState| {
            let mut hasher = seed.build_hasher();
            (key, &conversation.session).hash(&mut hasher);
            if !named {
                for message in beginning.clone() {
                    message.content.iter().for_each(|block| look_at(block, &mut hasher));
                }
            }
            u128::from(hasher.finish())
        };
        Some(StickyKey { digest: digest(&self.seeds[0]) << 64 | digest(&self.seeds[1]), named })
    }

    /// The account that last answered, if that was not too long ago.
    pub(crate) fn get(&self, key: StickyKey) -> Option<AccountId> {
        let binding = self.bindings.get(&key.digest)?;
        if binding.until <= Instant::now() {
            self.bindings.remove(&key.digest);
            return None;
        }
        Some(binding.account)
    }

    /// Binds, or binds for longer. `spans`: how long for a named session and for a beginning; zero is not at all.
    pub(crate) fn bind(&self, key: StickyKey, account: &AccountId, spans: (Duration, Duration)) {
        let span = if key.named { spans.0 } else { spans.1 };
        if !span.is_zero() {
            self.bindings.insert(key.digest, Binding { account: account.clone(), until: Instant::now() + span });
        }
    }

    /// Ends a binding to this account.
    pub(crate) fn release(&self, key: StickyKey, account: &AccountId) {
        if self.bindings.peek(&key.digest).is_some_and(|binding| binding.account == *account) {
            self.bindings.remove(&key.digest);
        }
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.bindings.len()
    }
}

fn look_at(block: &Block, hasher: &mut impl std::hash::Hasher) {
    let mut text = |text: &str| {
        hasher.write_usize(text.len());
        hasher.write(&text.as_bytes()[..text.len().min(LOOKED_AT)]);
    };
    match block {
        Block::Text { text: said, .. } | Block::Thinking { text: said, .. } => text(said),
        Block::RedactedThinking { data } => text(data),
        Block::Image(image) => text(&image.data),
        Block::RemoteImage { url, .. } => text(url),
        Block::Document(document) => text(document.name.as_deref().unwrap_or_default()),
        Block::ToolUse { name, .. } => text(name),
        Block::ToolResult { content, .. } => content.iter().for_each(|block| look_at(block, hasher)),
    }
}
