//! The sealed vault: a folder with a header and one sealed file per record and generation (`docs/vault-format.md`).
//!
//! Promises: what cannot be opened is never overwritten and never deleted by a save; a missing or wrong key never makes a
//! new vault; a save either leaves the old generation or the new one, and the one before stays until the new one is confirmed.
//! Leaves out: where the key comes from (`key`), and hiding how many records there are.

mod header;
mod key;
mod seal;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use sha2::{Digest, Sha256};

use super::{CredentialStore, SecretId, Secrets, StoreError, StoreKind, StoreState, record};
use crate::account::hex;
use crate::data_dir::{ensure_folder, read_file, remove_synced, write_synced};

pub use key::VaultKey;

/// What the sealed bytes are for; part of what the seal protects.
const PURPOSE_RECORD: u8 = 1;

/// An opened vault.
pub struct VaultStore {
    folder: PathBuf,
    key: VaultKey,
    state: Mutex<StoreState>,
}

impl std::fmt::Debug for VaultStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VaultStore").field("folder", &self.folder).field("key", &self.key.id()).finish_non_exhaustive()
    }
}

impl VaultStore {
    /// Opens the vault in `folder`, or makes a new one when the folder holds neither header nor sealed files.
    pub fn open(folder: &Path, key: VaultKey) -> Result<Self, StoreError> {
        ensure_folder(folder).map_err(failed)?;
        match header::load(folder)? {
            Some(header) => header.check(&key)?,
            None if has_sealed_files(folder)? => {
                return Err(corrupt("the header is missing although sealed files exist"));
            }
            None => header::create(folder, &key)?,
        }
        Ok(Self { folder: folder.to_path_buf(), key, state: Mutex::new(StoreState::Ready) })
    }

    /// Whether a vault was ever made in `folder`.
    pub fn exists(folder: &Path) -> Result<bool, StoreError> {
        if !folder.is_dir() {
            return Ok(false);
        }
        Ok(header::present(folder) || has_sealed_files(folder)?)
    }

    fn note<T>(&self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        let state = match &result {
            Ok(_) => StoreState::Ready,
            Err(error) => error.state(),
        };
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = state;
        result
    }

    /// Generations of a record on disk, newest first. Names that are not ours are left alone.
    fn generations(&self, id: &SecretId) -> Result<Vec<u64>, StoreError> {
        let slug = slug(id);
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.folder).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            let Some((of, generation)) = name.to_str().and_then(parse_name) else { continue };
            if of == slug {
                found.push(generation);
            }
        }
        found.sort_unstable_by(|a, b| b.cmp(a));
        Ok(found)
    }

    fn path(&self, id: &SecretId, generation: u64) -> PathBuf {
        self.folder.join(format!("{}.{generation}.sealed", slug(id)))
    }

    fn open_generation(&self, id: &SecretId, generation: u64) -> Result<Secrets, String> {
        let bytes = read_file(&self.path(id, generation))
            .map_err(|error| error.to_string())?
            .ok_or_else(|| "the file is gone".to_owned())?;
        let plain = seal::open(&self.key, id, generation, PURPOSE_RECORD, &bytes)?;
        record::decode(&plain)
    }

    fn load_newest(&self, id: &SecretId) -> Result<Option<Secrets>, StoreError> {
        let mut trouble = None;
        for generation in self.generations(id)? {
            match self.open_generation(id, generation) {
                Ok(secrets) => {
                    if let Some(trouble) = &trouble {
                        tracing::warn!(record = %id, generation, trouble, "a sealed file is damaged; using the generation before");
                    }
                    return Ok(Some(secrets));
                }
                Err(error) => {
                    trouble.get_or_insert_with(|| format!("{}.{generation}.sealed: {error}", slug(id)));
                }
            }
        }
        match trouble {
            Some(trouble) => Err(corrupt(trouble)),
            None => Ok(None),
        }
    }

    fn save_next(&self, id: &SecretId, secrets: &Secrets) -> Result<(), StoreError> {
        let known = self.generations(id)?;
        let next = known.first().map_or(Some(1), |newest| newest.checked_add(1));
        let next = next.ok_or_else(|| corrupt("the generation counter is at its end"))?;
        let sealed = seal::seal(&self.key, id, next, PURPOSE_RECORD, &record::encode(secrets));
        write_synced(&self.path(id, next), &sealed).map_err(failed)?;
        // The one before stays until this one is confirmed, and so does the oldest: it is the last confirmed one.
        if let [_, between @ .., _] = self.opening(id, known).as_slice() {
            self.remove_generations(id, between);
        }
        Ok(())
    }

    fn confirm_newest(&self, id: &SecretId) -> Result<(), StoreError> {
        let known = self.generations(id)?;
        let Some((newest, older)) = known.split_first() else { return Ok(()) };
        if !older.is_empty() {
            let damaged = |error| corrupt(format!("{}.{newest}.sealed: {error}", slug(id)));
            self.open_generation(id, *newest).map_err(damaged)?;
            self.remove_generations(id, &self.opening(id, older.to_vec()));
        }
        Ok(())
    }

    /// Those of some generations that open. The others stay for good: they may be all that is left of something.
    fn opening(&self, id: &SecretId, mut generations: Vec<u64>) -> Vec<u64> {
        generations.retain(|generation| self.open_generation(id, *generation).is_ok());
        generations
    }

    fn remove_generations(&self, id: &SecretId, outdated: &[u64]) {
        for old in outdated {
            if let Err(error) = remove_synced(&self.path(id, *old)) {
                tracing::warn!(record = %id, generation = old, %error, "an old generation could not be removed");
            }
        }
    }
}

impl CredentialStore for VaultStore {
    fn kind(&self) -> StoreKind {
        StoreKind::Vault
    }

    fn state(&self) -> StoreState {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn load(&self, id: &SecretId) -> Result<Option<Secrets>, StoreError> {
        self.note(self.load_newest(id))
    }

    fn load_previous(&self, id: &SecretId) -> Result<Option<Secrets>, StoreError> {
        let generations = self.generations(id);
        self.note(generations.map(|all| all.into_iter().skip(1).find_map(|old| self.open_generation(id, old).ok())))
    }

    fn save(&self, id: &SecretId, secrets: &Secrets) -> Result<(), StoreError> {
        self.note(self.save_next(id, secrets))
    }

    fn confirm(&self, id: &SecretId) -> Result<(), StoreError> {
        self.note(self.confirm_newest(id))
    }

    fn delete(&self, id: &SecretId) -> Result<(), StoreError> {
        // A person's wish: damaged generations go as well, oldest first, so that a cut-off delete leaves the newest.
        let all = self.generations(id)?;
        let result = all.into_iter().rev().try_for_each(|generation| remove_synced(&self.path(id, generation)));
        self.note(result.map_err(failed))
    }
}

/// File names do not repeat ids: they could be long or hold what a file system does not like.
fn slug(id: &SecretId) -> String {
    hex(&Sha256::digest(id.as_str().as_bytes())[..16])
}

fn parse_name(name: &str) -> Option<(&str, u64)> {
    let (slug, generation) = name.strip_suffix(".sealed")?.split_once('.')?;
    Some((slug, generation.parse().ok()?))
}

fn has_sealed_files(folder: &Path) -> Result<bool, StoreError> {
    for entry in fs::read_dir(folder).map_err(failed)? {
        if entry.map_err(failed)?.file_name().to_str().is_some_and(|name| name.ends_with(".sealed")) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn failed(error: std::io::Error) -> StoreError {
    StoreError::Failed(StoreKind::Vault, error.to_string())
}

fn corrupt(detail: impl Into<String>) -> StoreError {
    StoreError::Corrupt { kind: StoreKind::Vault, detail: detail.into() }
}

#[cfg(test)]
mod tests;
