//! A key while the program runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use super::digest::KeyDigest;
use super::{ClientKey, KeyId, KeyOptions};
use crate::clock::Timestamp;

const NEVER: i64 = i64::MIN;

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) id: KeyId,
    pub(super) name: String,
    pub(super) prefix: String,
    pub(super) digest: KeyDigest,
    pub(super) created_at: Timestamp,
    pub(super) last_used: Arc<LastUse>,
    pub(super) options: Arc<KeyOptions>,
}

impl Entry {
    /// As lists show it.
    pub(super) fn view(&self) -> ClientKey {
        ClientKey {
            id: self.id.clone(),
            name: self.name.clone(),
            prefix: self.prefix.clone(),
            created_at: self.created_at,
            last_used_at: self.last_used.get(),
            options: KeyOptions::clone(&self.options),
        }
    }
}

/// When a key was last used, noted without a lock. Shared by the entries that follow each other when a key changes.
#[derive(Debug)]
pub(super) struct LastUse(AtomicI64);

impl LastUse {
    pub(super) fn new(at: Option<Timestamp>) -> Self {
        Self(AtomicI64::new(at.map_or(NEVER, Timestamp::unix_ms)))
    }

    pub(super) fn get(&self) -> Option<Timestamp> {
        let at = self.0.load(Ordering::Relaxed);
        (at != NEVER).then_some(Timestamp(at))
    }

    pub(super) fn note(&self, at: Timestamp) {
        self.0.store(at.unix_ms(), Ordering::Relaxed);
    }
}
