//! Secrets that end with the process: tests and throw-away runs.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{CredentialStore, SecretId, Secrets, StoreError, StoreKind, StoreState};

/// A map.
#[derive(Debug, Default)]
pub struct MemoryStore(Mutex<HashMap<SecretId, Kept>>);

#[derive(Debug)]
struct Kept {
    now: Secrets,
    before: Option<Secrets>,
    /// The last confirmed one, when it is older than `before`.
    proven: Option<Secrets>,
}

impl MemoryStore {
    fn records(&self) -> MutexGuard<'_, HashMap<SecretId, Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CredentialStore for MemoryStore {
    fn kind(&self) -> StoreKind {
        StoreKind::Memory
    }

    fn state(&self) -> StoreState {
        StoreState::Ready
    }

    fn load(&self, id: &SecretId) -> Result<Option<Secrets>, StoreError> {
        Ok(self.records().get(id).map(|kept| kept.now.clone()))
    }

    fn load_previous(&self, id: &SecretId) -> Result<Option<Secrets>, StoreError> {
        Ok(self.records().get(id).and_then(|kept| kept.before.clone()))
    }

    fn save(&self, id: &SecretId, secrets: &Secrets) -> Result<(), StoreError> {
        let mut records = self.records();
        let (before, proven) = match records.remove(id) {
            Some(old) => (Some(old.now), old.proven.or(old.before)),
            None => (None, None),
        };
        records.insert(id.clone(), Kept { now: secrets.clone(), before, proven });
        Ok(())
    }

    fn confirm(&self, id: &SecretId) -> Result<(), StoreError> {
        if let Some(kept) = self.records().get_mut(id) {
            (kept.before, kept.proven) = (None, None);
        }
        Ok(())
    }

    fn delete(&self, id: &SecretId) -> Result<(), StoreError> {
        self.records().remove(id);
        Ok(())
    }
}
