//! The sealed records of one key: a folder named by the key's id, with one file per record and generation.
//!
//! Promises: a file that does not open is never overwritten and never removed, except when its record is deleted; a save
//! leaves the generation before and the last confirmed one. Leaves out: which key is the right one.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::super::files::Files;
use super::super::{SecretId, Secrets, StoreError, record};
use super::{VaultKey, corrupt, failed, seal};
use crate::account::hex;

/// What the sealed bytes are for; part of what the seal protects.
const PURPOSE_RECORD: u8 = 1;
const EXTENSION: &str = ".sealed";

pub(in crate::credential) struct Shelf<'a> {
    files: &'a dyn Files,
    folder: PathBuf,
    key: &'a VaultKey,
}

impl<'a> Shelf<'a> {
    /// The records under `key` in the vault at `vault`.
    pub(in crate::credential) fn new(files: &'a dyn Files, vault: &Path, key: &'a VaultKey) -> Self {
        Self { files, folder: vault.join(key.id()), key }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(in crate::credential) fn load(&self, id: &SecretId) -> Result<Option<Secrets>, StoreError> {
        let mut trouble = None;
        for generation in self.generations(id)? {
            match self.open(id, generation) {
                Ok(secrets) => {
                    if let Some(trouble) = &trouble {
                        tracing::warn!(record = %id, generation, trouble, "a sealed file is damaged; using the generation before");
                    }
                    return Ok(Some(secrets));
                }
                Err(error) => {
                    trouble.get_or_insert_with(|| format!("{}: {error}", file_name(id, generation)));
                }
            }
        }
        match trouble {
            Some(trouble) => Err(corrupt(trouble)),
            None => Ok(None),
        }
    }

    pub(super) fn load_previous(&self, id: &SecretId) -> Result<Option<Secrets>, StoreError> {
        Ok(self.generations(id)?.into_iter().skip(1).find_map(|old| self.open(id, old).ok()))
    }

    pub(in crate::credential) fn save(&self, id: &SecretId, secrets: &Secrets) -> Result<(), StoreError> {
        let known = self.generations(id)?;
        let next = known.first().map_or(Some(1), |newest| newest.checked_add(1));
        let next = next.ok_or_else(|| corrupt("the generation counter is at its end"))?;
        self.put(id, next, &record::encode(secrets))?;
        // The one before stays until this one is confirmed, and so does the oldest: it is the last confirmed one.
        if let [_, between @ .., _] = self.opening(id, known).as_slice() {
            self.discard(id, between);
        }
        Ok(())
    }

    pub(super) fn confirm(&self, id: &SecretId) -> Result<(), StoreError> {
        let known = self.generations(id)?;
        let Some((newest, older)) = known.split_first() else { return Ok(()) };
        if !older.is_empty() {
            let damaged = |error| corrupt(format!("{}: {error}", file_name(id, *newest)));
            self.open(id, *newest).map_err(damaged)?;
            self.discard(id, &self.opening(id, older.to_vec()));
        }
        Ok(())
    }

    pub(in crate::credential) fn delete(&self, id: &SecretId) -> Result<(), StoreError> {
        // A person's wish: damaged generations go as well, oldest first, so that a cut-off delete leaves the newest.
        let all = self.generations(id)?;
        all.into_iter().rev().try_for_each(|generation| self.files.remove(&self.path(id, generation))).map_err(failed)
    }

    /// Seals and writes one generation.
    pub(super) fn put(&self, id: &SecretId, generation: u64, plain: &[u8]) -> Result<(), StoreError> {
        let sealed = seal::seal(self.key, id, generation, PURPOSE_RECORD, plain);
        self.files.make_folder(&self.folder).map_err(failed)?;
        self.files.write(&self.path(id, generation), &sealed).map_err(failed)
    }

    /// Every file of the folder that is a record's: what it holds, or why it does not open.
    pub(super) fn every(&self) -> Result<Vec<Sealed>, StoreError> {
        let names = self.files.names(&self.folder).map_err(failed)?;
        let sealed = names.into_iter().filter(|name| name.ends_with(EXTENSION));
        Ok(sealed.map(|name| Sealed { content: self.open_named(&name), name }).collect())
    }

    /// The records of the folder; an error when one of them cannot be read.
    pub(in crate::credential) fn ids(&self) -> Result<Vec<SecretId>, StoreError> {
        let all = self.every()?.into_iter().map(|file| match file.content {
            Ok(content) => Ok(content.id),
            Err(detail) => Err(corrupt(format!("{}: {detail}", file.name))),
        });
        let mut ids = all.collect::<Result<Vec<_>, _>>()?;
        ids.sort_unstable();
        ids.dedup();
        Ok(ids)
    }

    fn open_named(&self, name: &str) -> Result<Content, String> {
        let (of, generation) = parse_name(name).ok_or("its name is not one of ours")?;
        let bytes = self.read(&self.folder.join(name))?;
        let id = seal::id_in(&bytes).ok_or("it does not begin like a sealed file of this version")?;
        if slug(&id) != of {
            return Err("its name belongs to another record".into());
        }
        let plain = seal::open(self.key, &id, generation, PURPOSE_RECORD, &bytes)?;
        record::decode(&plain)?;
        Ok(Content { id, generation, plain })
    }

    /// Generations of a record, newest first. Names that are not ours are left alone.
    pub(super) fn generations(&self, id: &SecretId) -> Result<Vec<u64>, StoreError> {
        let slug = slug(id);
        let names = self.files.names(&self.folder).map_err(failed)?;
        let mut found: Vec<u64> =
            names.iter().filter_map(|name| parse_name(name)).filter(|(of, _)| *of == slug).map(|(_, n)| n).collect();
        found.sort_unstable_by(|a, b| b.cmp(a));
        Ok(found)
    }

    fn open(&self, id: &SecretId, generation: u64) -> Result<Secrets, String> {
        let bytes = self.read(&self.path(id, generation))?;
        record::decode(&seal::open(self.key, id, generation, PURPOSE_RECORD, &bytes)?)
    }

    fn read(&self, path: &Path) -> Result<Vec<u8>, String> {
        self.files.read(path).map_err(|error| error.to_string())?.ok_or_else(|| "the file is gone".to_owned())
    }

    pub(super) fn path(&self, id: &SecretId, generation: u64) -> PathBuf {
        self.folder.join(file_name(id, generation))
    }

    /// Those of some generations that open. The others stay for good: they may be all that is left of something.
    fn opening(&self, id: &SecretId, mut generations: Vec<u64>) -> Vec<u64> {
        generations.retain(|generation| self.open(id, *generation).is_ok());
        generations
    }

    fn discard(&self, id: &SecretId, outdated: &[u64]) {
        for old in outdated {
            if let Err(error) = self.files.remove(&self.path(id, *old)) {
                tracing::warn!(record = %id, generation = old, %error, "an old generation could not be removed");
            }
        }
    }
}

/// A file of the folder.
pub(super) struct Sealed {
    pub(super) name: String,
    pub(super) content: Result<Content, String>,
}

/// What a file holds.
pub(super) struct Content {
    pub(super) id: SecretId,
    pub(super) generation: u64,
    pub(super) plain: zeroize::Zeroizing<Vec<u8>>,
}

/// How many records a folder holds, readable or not; needs no key.
pub(super) fn count(files: &dyn Files, folder: &Path) -> std::io::Result<usize> {
    let names = files.names(folder)?;
    let slugs: std::collections::BTreeSet<&str> =
        names.iter().filter_map(|name| parse_name(name)).map(|(slug, _)| slug).collect();
    Ok(slugs.len())
}

/// Whether a name is that of a sealed file, ours or damaged.
pub(super) fn is_sealed(name: &str) -> bool {
    name.ends_with(EXTENSION)
}

fn file_name(id: &SecretId, generation: u64) -> String {
    format!("{}.{generation}{EXTENSION}", slug(id))
}

/// File names do not repeat ids: they could be long or hold what a file system does not like.
fn slug(id: &SecretId) -> String {
    hex(&Sha256::digest(id.as_str().as_bytes())[..16])
}

fn parse_name(name: &str) -> Option<(&str, u64)> {
    let (slug, generation) = name.strip_suffix(EXTENSION)?.split_once('.')?;
    Some((slug, generation.parse().ok()?))
}
