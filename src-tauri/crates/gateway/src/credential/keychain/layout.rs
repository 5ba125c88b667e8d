//! How a record lies in the keychain: numbered parts of a generation, and the index item that names them.
//!
//! The parts of a new generation are written first, then the index names them; until then the old generation stands.

use std::sync::atomic::Ordering;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::super::{SecretId, Secrets, StoreError, StoreKind, record};
use super::{KeychainBackend, KeychainStore};
use crate::account::hex;

/// Longest value of one item.
const PART: usize = 2_400;
/// More parts than any record needs; a damaged index must not send us on a long walk.
const MOST_PARTS: usize = 4_096;

/// Which parts make a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Index {
    v: u32,
    #[serde(flatten)]
    now: Generation,
    /// The one before, kept until the one now is confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    before: Option<Generation>,
    /// The last confirmed one, when it is older than `before`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    proven: Option<Generation>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Generation {
    generation: u64,
    parts: usize,
    /// First 16 bytes of the SHA-256 of the whole value, as hex.
    sum: String,
}

impl<B: KeychainBackend> KeychainStore<B> {
    pub(super) fn index(&self, id: &SecretId) -> Result<Option<Index>, StoreError> {
        let Some(bytes) = self.backend.get(&index_name(id))? else {
            self.prove()?;
            return Ok(None);
        };
        self.proven.store(true, Ordering::Relaxed);
        let index: Index = serde_json::from_slice(&bytes).map_err(|_| corrupt(id, "its index item is not readable"))?;
        if index.v != 1 {
            return Err(corrupt(id, "its index item was written by a newer version"));
        }
        Ok(Some(index))
    }

    /// gnome-keyring that nobody could unlock has "no entry" for everything; only a write shows the truth. An account must not
    /// look as if it had no secrets then.
    fn prove(&self) -> Result<(), StoreError> {
        if self.proven.load(Ordering::Relaxed) {
            return Ok(());
        }
        let name = format!("{}#proof", SecretId::probe());
        self.backend.set(&name, b"can be written")?;
        self.backend.delete(&name)?;
        self.proven.store(true, Ordering::Relaxed);
        Ok(())
    }

    fn read(&self, id: &SecretId, of: &Generation) -> Result<Secrets, StoreError> {
        if of.parts > MOST_PARTS {
            return Err(corrupt(id, "its index item names too many parts"));
        }
        let mut value = Zeroizing::new(Vec::new());
        for part in 0..of.parts {
            match self.backend.get(&part_name(id, of.generation, part))? {
                Some(bytes) => value.extend_from_slice(&bytes),
                None => return Err(corrupt(id, "a part of it is missing")),
            }
        }
        if sum(&value) != of.sum {
            return Err(corrupt(id, "its parts do not fit together"));
        }
        record::decode(&value).map_err(|detail| corrupt(id, &detail))
    }

    pub(super) fn load_committed(&self, id: &SecretId) -> Result<Option<Secrets>, StoreError> {
        let Some(index) = self.index(id)? else { return Ok(None) };
        let detail = match self.read(id, &index.now) {
            Err(StoreError::Corrupt { detail, .. }) => detail,
            result => return result.map(Some),
        };
        match self.read_older(id, &index)? {
            Some(secrets) => {
                tracing::warn!(record = %id, detail, "a keychain record is damaged; using the generation before");
                Ok(Some(secrets))
            }
            None => Err(StoreError::Corrupt { kind: StoreKind::Keychain, detail }),
        }
    }

    /// The newest of the older generations that can be read.
    pub(super) fn read_older(&self, id: &SecretId, index: &Index) -> Result<Option<Secrets>, StoreError> {
        for older in index.before.iter().chain(&index.proven) {
            match self.read(id, older) {
                Err(StoreError::Corrupt { .. }) => {}
                result => return result.map(Some),
            }
        }
        Ok(None)
    }

    pub(super) fn save_next(&self, id: &SecretId, secrets: &Secrets) -> Result<(), StoreError> {
        let old = self.index(id)?;
        let value = record::encode(secrets);
        let generation = old.as_ref().map_or(1, |index| index.now.generation.saturating_add(1));
        let parts: Vec<&[u8]> = value.chunks(PART).collect();
        for (n, part) in parts.iter().enumerate() {
            self.backend.set(&part_name(id, generation, n), part)?;
        }
        let now = Generation { generation, parts: parts.len(), sum: sum(&value) };
        let (before, proven, outdated) = match old {
            // What lies between the last confirmed one and the newest helps nobody.
            Some(Index { now, before, proven: Some(proven), .. }) => (Some(now), Some(proven), before),
            Some(Index { now, before, proven: None, .. }) => (Some(now), before, None),
            None => (None, None, None),
        };
        self.commit(id, &Index { v: 1, now, before, proven })?;
        // The commit is done: whatever fails from here on leaves rubbish, not damage.
        self.tidy(id, outdated.iter());
        if let Err(error) = self.drop_beyond(id, generation, parts.len()) {
            tracing::warn!(record = %id, %error, "parts of a save that was cut off stay in the keychain");
        }
        Ok(())
    }

    pub(super) fn confirm_newest(&self, id: &SecretId) -> Result<(), StoreError> {
        let Some(mut index) = self.index(id)? else { return Ok(()) };
        let older: Vec<Generation> = index.before.take().into_iter().chain(index.proven.take()).collect();
        if older.is_empty() {
            return Ok(());
        }
        self.read(id, &index.now)?;
        self.commit(id, &index)?;
        self.tidy(id, older.iter());
        Ok(())
    }

    fn commit(&self, id: &SecretId, index: &Index) -> Result<(), StoreError> {
        let text = serde_json::to_vec(index).map_err(|error| corrupt(id, &error.to_string()))?;
        self.backend.set(&index_name(id), &text)
    }

    /// Removes generations that no index names any more.
    fn tidy<'a>(&self, id: &SecretId, outdated: impl Iterator<Item = &'a Generation>) {
        for generation in outdated {
            if let Err(error) = self.drop_parts(id, generation) {
                tracing::warn!(record = %id, %error, "parts of an old generation stay in the keychain");
            }
        }
    }

    fn drop_parts(&self, id: &SecretId, of: &Generation) -> Result<(), StoreError> {
        (0..of.parts.min(MOST_PARTS)).try_for_each(|part| self.backend.delete(&part_name(id, of.generation, part)))
    }

    /// Removes parts from `first` on, as an earlier and longer save under the same number may have left them.
    fn drop_beyond(&self, id: &SecretId, generation: u64, first: usize) -> Result<(), StoreError> {
        for part in first..MOST_PARTS {
            let name = part_name(id, generation, part);
            if self.backend.get(&name)?.is_none() {
                break;
            }
            self.backend.delete(&name)?;
        }
        Ok(())
    }

    pub(super) fn delete_all(&self, id: &SecretId) -> Result<(), StoreError> {
        let Some(index) = self.index(id)? else {
            // A first save that was cut off left parts that nothing names.
            return self.drop_beyond(id, 1, 0);
        };
        // Parts first: were the index gone, nothing could find them any more.
        for older in index.proven.iter().chain(&index.before) {
            self.drop_parts(id, older)?;
        }
        self.drop_parts(id, &index.now)?;
        // A save that was cut off may have left parts of the generation it was making.
        self.drop_beyond(id, index.now.generation.saturating_add(1), 0)?;
        self.backend.delete(&index_name(id))
    }
}

fn index_name(id: &SecretId) -> String {
    format!("{id}#index")
}

fn part_name(id: &SecretId, generation: u64, part: usize) -> String {
    format!("{id}#{generation}.{part}")
}

fn sum(value: &[u8]) -> String {
    hex(&Sha256::digest(value)[..16])
}

fn corrupt(id: &SecretId, detail: &str) -> StoreError {
    StoreError::Corrupt { kind: StoreKind::Keychain, detail: format!("{id}: {detail}") }
}
