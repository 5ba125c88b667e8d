//! What was found out about pictures and documents, by their content: a history is sent again with every request.

use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};
use std::hash::Hash;
use std::sync::Arc;

/// Few shards, so that one finding never outweighs its shard.
const SHARDS: usize = 4;
/// Bytes of a finding that holds nothing, about.
const LEAST: u64 = 256;

/// Something that is remembered.
pub(super) trait Finding {
    /// Bytes that it holds.
    fn held(&self) -> usize;
}

#[derive(Debug, Clone)]
struct ByBytes;

impl<K, V: Finding> Weighter<K, Arc<V>> for ByBytes {
    fn weight(&self, _: &K, finding: &Arc<V>) -> u64 {
        finding.held() as u64 + LEAST
    }
}

/// Findings by key, the least useful of them forgotten first.
pub(super) struct Remembered<K, V: Finding> {
    known: Cache<K, Arc<V>, ByBytes>,
}

impl<K: Hash + Eq + Clone, V: Finding> Remembered<K, V> {
    /// `bytes` is the most that all findings may hold, `count` about how many that is.
    pub(super) fn new(count: usize, bytes: u64) -> Self {
        let options = OptionsBuilder::new()
            .estimated_items_capacity(count)
            .weight_capacity(bytes)
            .shards(SHARDS)
            .build()
            .expect("both capacities are given");
        let hasher = DefaultHashBuilder::default();
        Self { known: Cache::with_options(options, ByBytes, hasher, DefaultLifecycle::default()) }
    }

    /// What is known, or else is found out now.
    pub(super) fn get(&self, key: K, find: impl FnOnce() -> V) -> Arc<V> {
        if let Some(known) = self.known.get(&key) {
            return known;
        }
        let found = Arc::new(find());
        self.known.insert(key, Arc::clone(&found));
        found
    }

    /// How many are remembered.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }
}
