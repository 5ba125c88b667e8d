//! The sealed vault: a folder with a header and one sealed file per record and generation (`docs/vault-format.md`).
//!
//! Promises: what cannot be opened is never overwritten and never deleted by a save; a missing or wrong key never makes a
//! new vault; a save either leaves the old generation or the new one, and the one before stays until the new one is confirmed;
//! a change of the key can be cut off at any step. Leaves out: where the key comes from (`key_source`), and hiding how many
//! records there are.

mod folder;
mod header;
mod kdf;
mod key;
mod recovery;
mod rekey;
mod seal;
mod shelf;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use secrecy::SecretString;

use super::files::{Disk, Files};
use super::key_source::KeySource;
use super::{CredentialStore, SecretId, Secrets, StoreError, StoreKind, StoreState};
pub(super) use folder::remove_all;
use header::Header;
pub(super) use shelf::Shelf;

pub(super) use kdf::{Argon2id, acceptable};
pub use key::VaultKey;

/// A key to make a vault with, or to change to.
pub(super) struct FreshKey {
    pub(super) key: VaultKey,
    pub(super) source: KeySource,
    /// How it came out of a passphrase.
    pub(super) kdf: Option<Argon2id>,
}

/// What can be told about a vault without its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultFacts {
    /// Where the key comes from, as recorded in the header.
    pub key_source: KeySource,
    /// First 8 bytes of the key's SHA-256, in hex.
    pub key_id: String,
    /// How many records there are.
    pub records: usize,
    /// Whether a recovery passphrase opens it too.
    pub recovery: bool,
}

/// A vault, locked or not.
pub struct VaultStore {
    folder: PathBuf,
    files: Arc<dyn Files>,
    inside: Mutex<Inside>,
}

struct Inside {
    header: Header,
    /// `None` while locked.
    key: Option<VaultKey>,
    state: StoreState,
}

impl std::fmt::Debug for VaultStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VaultStore").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl VaultStore {
    /// Opens the vault in `folder` with its key, or makes a new one when the folder holds neither header nor sealed files.
    pub fn open(folder: &Path, key: VaultKey) -> Result<Self, StoreError> {
        match Self::find(folder, Arc::new(Disk))? {
            Some(vault) => vault.unlock(key).map(|()| vault),
            None => Self::create(folder, Arc::new(Disk), FreshKey { key, source: KeySource::KeyFile, kdf: None }),
        }
    }

    /// The vault in `folder`, locked; `None` when none was ever made there.
    pub(super) fn find(folder: &Path, files: Arc<dyn Files>) -> Result<Option<Self>, StoreError> {
        match header::load(&*files, folder)? {
            Some(header) => {
                let inside = Mutex::new(Inside { header, key: None, state: StoreState::Locked });
                Ok(Some(Self { folder: folder.to_path_buf(), files, inside }))
            }
            None if folder::has_sealed_files(&*files, folder)? => {
                Err(corrupt("the header is missing although sealed files exist"))
            }
            None => Ok(None),
        }
    }

    /// Makes a vault in a folder that holds none.
    pub(super) fn create(folder: &Path, files: Arc<dyn Files>, fresh: FreshKey) -> Result<Self, StoreError> {
        if folder::exists(&*files, folder)? {
            return Err(StoreError::Failed(StoreKind::Vault, "there is a vault already".into()));
        }
        let header = Header::new(&fresh.key, fresh.source, fresh.kdf.as_ref());
        files.make_folder(folder).map_err(failed)?;
        header::store_copy(&*files, folder, &header)?;
        header::store(&*files, folder, &header)?;
        let inside = Mutex::new(Inside { header, key: Some(fresh.key), state: StoreState::Ready });
        Ok(Self { folder: folder.to_path_buf(), files, inside })
    }

    /// Whether a vault was ever made in `folder`.
    pub(super) fn exists_in(folder: &Path, files: &dyn Files) -> Result<bool, StoreError> {
        folder::exists(files, folder)
    }

    /// Whether it waits for its key.
    pub(super) fn is_locked(&self) -> bool {
        self.inside().key.is_none()
    }

    /// The records that can be read, also those that nobody else knows of.
    pub(super) fn ids(&self) -> Result<Vec<SecretId>, StoreError> {
        let all = self.with(|shelf| shelf.every())?;
        let mut ids: Vec<SecretId> = all.into_iter().filter_map(|file| Some(file.content.ok()?.id)).collect();
        ids.sort_unstable();
        ids.dedup();
        Ok(ids)
    }

    /// What the header says, read anew when the vault is locked: a change of the key may have been cut off.
    pub(super) fn header(&self) -> Result<Header, StoreError> {
        let mut inside = self.inside();
        if inside.key.is_none() {
            inside.header = header::load(&*self.files, &self.folder)?.ok_or_else(|| corrupt("the header is gone"))?;
        }
        Ok(inside.header.clone())
    }

    /// What can be told without the key.
    pub(super) fn facts(&self) -> Result<VaultFacts, StoreError> {
        let header = self.header()?;
        Ok(VaultFacts {
            key_source: header.key_source(),
            key_id: header.key_id().to_owned(),
            records: shelf::count(&*self.files, &self.folder.join(header.key_id())).map_err(failed)?,
            recovery: recovery::exists(&*self.files, &self.folder, header.key_id()),
        })
    }

    /// Takes the key, if it is the right one, and cleans up what an earlier process left unfinished.
    pub fn unlock(&self, key: VaultKey) -> Result<(), StoreError> {
        let header = self.header()?;
        let checked = header.check(&key).and_then(|()| rekey::settle(&*self.files, &self.folder, &header));
        let mut inside = self.inside();
        if let Err(error) = checked {
            if inside.key.is_none() {
                // The vault is what it was before: waiting for its key.
                inside.state = StoreState::Locked;
            }
            return Err(error);
        }
        inside.header = header;
        inside.key = Some(key);
        inside.state = StoreState::Ready;
        Ok(())
    }

    /// The key out of its recovery copy.
    pub(super) fn recover(&self, passphrase: &SecretString) -> Result<VaultKey, StoreError> {
        recovery::open(&*self.files, &self.folder, self.header()?.key_id(), passphrase)
    }

    /// Forgets the key.
    pub fn lock(&self) {
        let mut inside = self.inside();
        inside.key = None;
        inside.state = StoreState::Locked;
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One call on the records in the second place: a folder beside the vault, sealed with the same key. What happens there
    /// says nothing about the vault.
    fn aside<T>(&self, work: impl FnOnce(&Shelf<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
        match &self.inside().key {
            Some(key) => work(&Shelf::new(&*self.files, &self.folder.with_extension("aside"), key)),
            None => Err(StoreError::Locked(StoreKind::Vault)),
        }
    }

    /// One call on the records, one at a time: two saves of a record must not choose the same generation.
    fn with<T>(&self, work: impl FnOnce(&Shelf<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let mut inside = self.inside();
        let result = match &inside.key {
            Some(key) => work(&Shelf::new(&*self.files, &self.folder, key)),
            None => Err(StoreError::Locked(StoreKind::Vault)),
        };
        inside.state = match &result {
            Ok(_) => StoreState::Ready,
            Err(error) => error.state(),
        };
        result
    }
}

impl CredentialStore for VaultStore {
    fn kind(&self) -> StoreKind {
        StoreKind::Vault
    }

    fn state(&self) -> StoreState {
        self.inside().state
    }

    fn load(&self, id: &SecretId) -> Result<Option<Secrets>, StoreError> {
        self.with(|shelf| shelf.load(id))
    }

    fn load_previous(&self, id: &SecretId) -> Result<Option<Secrets>, StoreError> {
        self.with(|shelf| shelf.load_previous(id))
    }

    fn save(&self, id: &SecretId, secrets: &Secrets) -> Result<(), StoreError> {
        self.with(|shelf| shelf.save(id, secrets))
    }

    fn confirm(&self, id: &SecretId) -> Result<(), StoreError> {
        self.with(|shelf| shelf.confirm(id))
    }

    fn delete(&self, id: &SecretId) -> Result<(), StoreError> {
        self.with(|shelf| shelf.delete(id))
    }

    fn save_aside(&self, id: &SecretId, secrets: &Secrets) -> Result<(), StoreError> {
        self.aside(|shelf| shelf.save(id, secrets))
    }

    fn load_aside(&self, id: &SecretId) -> Result<Option<Secrets>, StoreError> {
        self.aside(|shelf| shelf.load(id))
    }

    fn drop_aside(&self, id: &SecretId) -> Result<(), StoreError> {
        self.aside(|shelf| shelf.delete(id))
    }

    fn waiting(&self) -> Result<Vec<SecretId>, StoreError> {
        self.aside(|shelf| shelf.ids())
    }

    fn vault(&self) -> Option<&VaultStore> {
        Some(self)
    }
}

fn failed(error: std::io::Error) -> StoreError {
    StoreError::Failed(StoreKind::Vault, error.to_string())
}

fn corrupt(detail: impl Into<String>) -> StoreError {
    StoreError::Corrupt { kind: StoreKind::Vault, detail: detail.into() }
}

#[cfg(test)]
mod tests;
