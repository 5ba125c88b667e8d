//! Answers that are kept so that a later request can continue them or read them again (OpenAI Responses).
//!
//! Promises: an answer belongs to the client key that asked for it and does not exist for any other; the number, the bytes
//! and the age are bounded, the oldest go first; on disk there is only sealed text, and its key is in the store of secrets,
//! never beside it; what is deleted is gone. Leaves out: what the values mean. Trouble with the disk costs the keeping, never
//! the answer.

mod disk;
mod shelf;

use crate::account::hex;
use crate::client_key::KeyId;
use crate::clock::Clock;
use crate::credential::{Credentials, SecretId};
use crate::data_dir::DataDir;
use crate::pipeline::heavy;
use crate::settings::{AnswerStore, ResponseSettings};
use bytes::Bytes;
use disk::Disk;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use shelf::{Place, Shelf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often old answers are looked for when nobody asks.
const ROUND: Duration = Duration::from_secs(600);

/// Names an answer of a key; tells neither.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Slot(String);

impl Slot {
    fn new(key: &KeyId, id: &str) -> Self {
        let mut digest = Sha256::new();
        digest.update((key.as_str().len() as u64).to_be_bytes());
        digest.update(key.as_str().as_bytes());
        digest.update(id.as_bytes());
        Self(hex(&digest.finalize()[..20]))
    }
}

/// All kept answers.
pub(crate) struct Kept {
    shelf: Mutex<Shelf>,
    disk: Disk,
    clock: Arc<dyn Clock>,
    /// One change of the settings at a time.
    following: tokio::sync::Mutex<()>,
}

impl Kept {
    /// Nothing is read before [`Kept::follow`] says where answers are kept. `installation`: what tells this data directory from
    /// others, such as its machine id; only its digest names anything.
    pub(crate) fn new(dir: Arc<DataDir>, credentials: Credentials, clock: Arc<dyn Clock>, installation: &str) -> Self {
        Self {
            shelf: Mutex::new(Shelf::new(&ResponseSettings { store: AnswerStore::Off, ..ResponseSettings::default() })),
            disk: Disk::new(dir, credentials, &hex(&Sha256::digest(installation.as_bytes())[..16])),
            clock,
            following: tokio::sync::Mutex::new(()),
        }
    }

    /// Takes over the settings. Another place means a new beginning: what was kept elsewhere is deleted.
    pub(crate) async fn follow(&self, settings: &ResponseSettings) {
        let _one = self.following.lock().await;
        let before = self.shelf().store();
        if before != settings.store {
            let found = match settings.store {
                AnswerStore::Disk => self.disk.list().await,
                AnswerStore::Memory | AnswerStore::Off => {
                    self.disk.clear().await;
                    Vec::new()
                }
            };
            let mut shelf = self.shelf();
            *shelf = Shelf::new(settings);
            for file in found {
                shelf.insert(file.slot, file.at, file.size, Place::Disk);
            }
        } else {
            self.shelf().bound(settings);
        }
        self.sweep().await;
    }

    /// The record of the key that seals answers on disk.
    pub(crate) fn secret_id(&self) -> SecretId {
        self.disk.key().clone()
    }

    /// Makes sure that the key is named as [`Self::secret_id`] says, before all secrets move.
    pub(crate) async fn own_key(&self) {
        if let Err(error) = self.disk.own_key().await {
            tracing::warn!(error, "the key of kept answers could not be looked at");
        }
    }

    /// Removes what is too old, and what is too much.
    pub(crate) async fn sweep(&self) {
        let gone = self.shelf().sweep(self.clock.now());
        self.drop_files(gone).await;
    }

    /// Sweeps from time to time until it is stopped.
    pub(crate) async fn run(self: Arc<Self>, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(ROUND) => self.sweep().await,
            }
        }
    }

    /// Keeps a value under a key's own id for it.
    async fn put(&self, key: &KeyId, id: &str, value: &Value) {
        let slot = Slot::new(key, id);
        let (store, most) = {
            let shelf = self.shelf();
            (shelf.store(), shelf.max_bytes())
        };
        if store == AnswerStore::Off {
            return;
        }
        let bytes = match serde_json::to_vec(value) {
            Ok(bytes) if bytes.len() <= most => Bytes::from(bytes),
            Ok(_) | Err(_) => {
                tracing::warn!(id, "an answer is too large to be kept (setting responses.maxMebibytes)");
                return;
            }
        };
        let (at, size) = (self.clock.now(), bytes.len());
        let place = match store {
            AnswerStore::Memory => Place::Memory(bytes),
            AnswerStore::Disk => match self.disk.write(&slot, at, bytes).await {
                Ok(()) => Place::Disk,
                Err(error) => {
                    tracing::warn!(id, error, "an answer could not be kept on disk");
                    return;
                }
            },
            AnswerStore::Off => return,
        };
        let gone = {
            let mut shelf = self.shelf();
            shelf.insert(slot, at, size, place);
            shelf.sweep(at)
        };
        self.drop_files(gone).await;
    }

    /// What was kept, unless it is gone or another key's.
    pub(crate) async fn get(&self, key: &KeyId, id: &str) -> Option<Arc<Value>> {
        self.sweep().await;
        let slot = Slot::new(key, id);
        let (at, place) = self.shelf().get(&slot)?;
        let bytes = match place {
            Place::Memory(bytes) => bytes,
            Place::Disk => match self.disk.read(&slot, at).await {
                Ok(bytes) => bytes,
                Err(error) => {
                    tracing::warn!(id, error, "a kept answer cannot be read");
                    return None;
                }
            },
        };
        heavy(bytes.len(), move || serde_json::from_slice(&bytes).ok().map(Arc::new)).await
    }

    /// Deletes; `false` when there was nothing.
    pub(crate) async fn remove(&self, key: &KeyId, id: &str) -> bool {
        self.sweep().await;
        let gone = self.shelf().remove(&Slot::new(key, id));
        let found = gone.is_some();
        self.drop_files(gone.into_iter().collect()).await;
        found
    }

    async fn drop_files(&self, gone: Vec<shelf::Gone>) {
        for gone in gone {
            if let Place::Disk = gone.place {
                self.disk.remove(&gone.slot, gone.at).await;
            }
        }
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An answer that is to be kept once it is complete.
pub(crate) struct Keeping {
    kept: Arc<Kept>,
    key: KeyId,
    input: Value,
}

impl Keeping {
    pub(crate) fn new(kept: Arc<Kept>, key: KeyId, input: Value) -> Self {
        Self { kept, key, input }
    }

    /// Keeps the encoded answer beside its input, under the answer's own id.
    pub(crate) async fn keep(self, response: &Value) {
        let Some(id) = response["id"].as_str() else { return };
        let value = serde_json::json!({ "input": self.input, "response": response });
        self.kept.put(&self.key, id, &value).await;
    }
}

#[cfg(test)]
mod tests;
