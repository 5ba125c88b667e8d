//! Secrets that end with the process: tests and throw-away runs.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::{CredentialStore, SecretId, Secrets, StoreError, StoreKind, StoreState};

/// A map.
#[derive(Debug, Default)]
pub struct MemoryStore(Mutex<HashMap<SecretId, Secrets>>);

impl CredentialStore for MemoryStore {
    fn kind(&self) -> StoreKind {
        StoreKind::Memory
    }

    fn state(&self) -> StoreState {
        StoreState::Ready
    }

    fn load(&self, id: &SecretId) -> Result<Option<Secrets>, StoreError> {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned())
    }

    fn save(&self, id: &SecretId, secrets: &Secrets) -> Result<(), StoreError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone(), secrets.clone());
        Ok(())
    }

    fn delete(&self, id: &SecretId) -> Result<(), StoreError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
        Ok(())
    }
}
