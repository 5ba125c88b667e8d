//! The keychain's second place: a folder in the data directory, sealed with a key that lies in the keychain and is remembered
//! while the keychain can be used. A keychain that is locked while the program runs does not cost a token that was rotated then.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use zeroize::Zeroizing;

use super::KeychainBackend;
use crate::credential::files::Files;
use crate::credential::vault::{Shelf, VaultKey};
use crate::credential::{SecretId, Secrets, StoreError, StoreKind};

/// Bytes of the key.
const KEY: usize = 32;

pub(super) struct Aside {
    files: Arc<dyn Files>,
    folder: PathBuf,
    /// The keychain's item with the key.
    item: String,
    key: Mutex<Option<VaultKey>>,
}

impl Aside {
    /// `mark` tells this data directory's key from those of others in the same keychain.
    pub(super) fn new(files: Arc<dyn Files>, folder: PathBuf, mark: &str) -> Self {
        Self { files, folder, item: format!("aside/{mark}#key"), key: Mutex::new(None) }
    }

    /// Remembers the key while the keychain gives it, and makes one when there is none.
    pub(super) fn learn(&self, backend: &dyn KeychainBackend) {
        if self.known().is_some() {
            return;
        }
        let learned = self.fetch(backend).and_then(|known| match known {
            Some(key) => Ok(key),
            None => {
                let key = VaultKey::random();
                backend.set(&self.item, key.bytes())?;
                Ok(key)
            }
        });
        match learned {
            Ok(key) => *self.key.lock().unwrap_or_else(PoisonError::into_inner) = Some(key),
            Err(error) => tracing::debug!(%error, "the keychain's second place has no key yet"),
        }
    }

    pub(super) fn save(&self, id: &SecretId, secrets: &Secrets) -> Result<(), StoreError> {
        let key = self.known().ok_or_else(|| {
            StoreError::Failed(StoreKind::Keychain, "its second place has no key, because it was never usable".into())
        })?;
        self.shelf(&key).save(id, secrets)
    }

    pub(super) fn load(&self, backend: &dyn KeychainBackend, id: &SecretId) -> Result<Option<Secrets>, StoreError> {
        match self.any()? {
            false => Ok(None),
            true => self.with(backend, |shelf| shelf.load(id)),
        }
    }

    pub(super) fn drop_record(&self, backend: &dyn KeychainBackend, id: &SecretId) -> Result<(), StoreError> {
        match self.any()? {
            false => Ok(()),
            true => self.with(backend, |shelf| shelf.delete(id)),
        }
    }

    /// The records. What lies there and cannot be opened is an error: it may be the only copy of a login.
    pub(super) fn waiting(&self, backend: &dyn KeychainBackend) -> Result<Vec<SecretId>, StoreError> {
        if !self.any()? {
            return Ok(Vec::new());
        }
        let ids = self.with(backend, |shelf| shelf.ids())?;
        if ids.is_empty() {
            let detail = format!("{} is sealed with a key that is not in it", self.folder.display());
            return Err(StoreError::Corrupt { kind: StoreKind::Keychain, detail });
        }
        Ok(ids)
    }

    /// Whether there is any record.
    fn any(&self) -> Result<bool, StoreError> {
        for folder in self.files.names(&self.folder).map_err(failed)? {
            if !self.files.names(&self.folder.join(folder)).map_err(failed)?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn with<T>(
        &self,
        backend: &dyn KeychainBackend,
        work: impl FnOnce(&Shelf<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let key = match self.known() {
            Some(key) => key,
            None => self.fetch(backend)?.ok_or_else(|| {
                let detail = format!("the key of {} is not in it", self.folder.display());
                StoreError::Corrupt { kind: StoreKind::Keychain, detail }
            })?,
        };
        work(&self.shelf(&key))
    }

    fn fetch(&self, backend: &dyn KeychainBackend) -> Result<Option<VaultKey>, StoreError> {
        let Some(bytes) = backend.get(&self.item)? else { return Ok(None) };
        let bytes: Zeroizing<[u8; KEY]> = Zeroizing::new(bytes.as_slice().try_into().map_err(|_| {
            StoreError::Corrupt { kind: StoreKind::Keychain, detail: format!("{} is no key", self.item) }
        })?);
        VaultKey::from_bytes(*bytes).map(Some)
    }

    fn known(&self) -> Option<VaultKey> {
        self.key.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn shelf<'a>(&'a self, key: &'a VaultKey) -> Shelf<'a> {
        Shelf::new(&*self.files, &self.folder, key)
    }
}

fn failed(error: std::io::Error) -> StoreError {
    StoreError::Failed(StoreKind::Keychain, format!("its second place cannot be read: {error}"))
}
