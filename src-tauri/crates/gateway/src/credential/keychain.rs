//! The operating system's keychain behind the trait: values in numbered parts, committed by an index item.
//!
//! Why parts: Windows takes 2,560 bytes per item, and tokens are longer; every platform uses the same path, so that it is
//! tested everywhere. Why an index: one item is written as a whole on every platform, several are not (`layout`).
//! Promises: a torn save leaves the old record. Leaves out: threads and deadlines (`queue`).

mod aside;
mod layout;
mod system;

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use zeroize::Zeroizing;

use super::files::Files;
use super::{CredentialStore, SecretId, Secrets, StoreError, StoreKind, StoreState};
use aside::Aside;

pub use system::SystemKeychain;

/// One platform's keychain: named items of at most 2,400 bytes here. A missing item is `Ok(None)`.
pub trait KeychainBackend: Send + Sync {
    /// The item's value.
    fn get(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError>;
    /// Makes or replaces the item as one step.
    fn set(&self, name: &str, value: &[u8]) -> Result<(), StoreError>;
    /// Removes the item; fine when there is none.
    fn delete(&self, name: &str) -> Result<(), StoreError>;
}

/// Records in a keychain.
pub struct KeychainStore<B> {
    backend: B,
    state: Mutex<StoreState>,
    /// An item was once read or written: "no entry" can be believed.
    proven: AtomicBool,
    aside: Option<Aside>,
}

impl<B> std::fmt::Debug for KeychainStore<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeychainStore").field("state", &self.state).finish_non_exhaustive()
    }
}

impl<B: KeychainBackend> KeychainStore<B> {
    /// Over a platform's keychain.
    pub fn new(backend: B) -> Self {
        Self { backend, state: Mutex::new(StoreState::Ready), proven: AtomicBool::new(false), aside: None }
    }

    /// With a second place in a folder, for what the keychain does not take. `mark` tells the data directory from others.
    pub(super) fn with_aside(self, files: Arc<dyn Files>, folder: PathBuf, mark: &str) -> Self {
        Self { aside: Some(Aside::new(files, folder, mark)), ..self }
    }

    /// While the keychain can be used, the key of the second place is remembered.
    fn learn<T>(&self, result: &Result<T, StoreError>) {
        if let (Ok(_), Some(aside)) = (result, &self.aside) {
            aside.learn(&self.backend);
        }
    }

    fn second_place(&self) -> Result<&Aside, StoreError> {
        self.aside.as_ref().ok_or_else(|| StoreError::Failed(StoreKind::Keychain, "there is no second place".into()))
    }

    fn note<T>(&self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        let state = match &result {
            Ok(_) => StoreState::Ready,
            Err(error) => error.state(),
        };
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = state;
        result
    }
}

impl<B: KeychainBackend> CredentialStore for KeychainStore<B> {
    fn kind(&self) -> StoreKind {
        StoreKind::Keychain
    }

    fn state(&self) -> StoreState {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn load(&self, id: &SecretId) -> Result<Option<Secrets>, StoreError> {
        let loaded = self.load_committed(id);
        if matches!(&loaded, Ok(Some(_))) {
            self.learn(&loaded);
        }
        self.note(loaded)
    }

    fn load_previous(&self, id: &SecretId) -> Result<Option<Secrets>, StoreError> {
        let previous = self.index(id).and_then(|index| match index {
            Some(index) => self.read_older(id, &index),
            None => Ok(None),
        });
        self.note(previous)
    }

    fn save(&self, id: &SecretId, secrets: &Secrets) -> Result<(), StoreError> {
        let saved = self.save_next(id, secrets);
        self.learn(&saved);
        self.note(saved)
    }

    fn confirm(&self, id: &SecretId) -> Result<(), StoreError> {
        self.note(self.confirm_newest(id))
    }

    fn delete(&self, id: &SecretId) -> Result<(), StoreError> {
        self.note(self.delete_all(id))
    }

    fn save_aside(&self, id: &SecretId, secrets: &Secrets) -> Result<(), StoreError> {
        self.second_place()?.save(id, secrets)
    }

    fn load_aside(&self, id: &SecretId) -> Result<Option<Secrets>, StoreError> {
        self.aside.as_ref().map_or(Ok(None), |aside| aside.load(&self.backend, id))
    }

    fn drop_aside(&self, id: &SecretId) -> Result<(), StoreError> {
        self.aside.as_ref().map_or(Ok(()), |aside| aside.drop_record(&self.backend, id))
    }

    fn waiting(&self) -> Result<Vec<SecretId>, StoreError> {
        self.aside.as_ref().map_or(Ok(Vec::new()), |aside| aside.waiting(&self.backend))
    }
}

#[cfg(test)]
pub(in crate::credential) mod tests;
