//! A new key for a vault: every record is sealed anew in the folder of the new key, read back and compared; then the header
//! names that key; then the old folder goes. A journal says what is under way, so that a cut at any step is cleaned up by
//! whoever opens the vault next: before the header was written the old key holds, afterwards the new one.

use std::path::Path;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::super::files::Files;
use super::super::{StoreError, StoreKind, StoreState};
use super::header::{self, Header};
use super::shelf::{self, Content, Shelf};
use super::{Argon2id, FreshKey, VaultKey, VaultStore, corrupt, failed, recovery};
use crate::account::hex;

const NAME: &str = "rekey";
const FORMAT: &str = "kiro-proxy-vault-rekey";
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Journal {
    format: String,
    version: u32,
    /// Id of the old key.
    from: String,
    /// Id of the new key.
    to: String,
    /// Files of the old folder that do not open and therefore stay there.
    damaged: Vec<String>,
    sum: String,
}

impl Journal {
    fn sum(&self) -> String {
        let text =
            format!("{}\n{}\n{}\n{}\n{}\n", self.format, self.version, self.from, self.to, self.damaged.join(","));
        hex(&Sha256::digest(text.as_bytes()))
    }
}

/// How far a change of the key went when something failed.
pub(super) enum Cut {
    /// The old key holds; nothing was changed.
    Before(StoreError),
    /// Whether the header names the old or the new key is known only to the disk.
    Between(StoreError),
}

impl VaultStore {
    /// Changes the key: all records are sealed anew. With the same key only what the header says of it changes. `recovery`
    /// is a passphrase that will open the vault too, and how its key is derived; without one there is none afterwards. Returns the number of records.
    ///
    /// A failure leaves the vault as it was, or locked when only the disk knows whether the new key holds.
    pub(in crate::credential) fn rekey(
        &self,
        fresh: FreshKey,
        recovery: Option<(&SecretString, &Argon2id)>,
    ) -> Result<usize, StoreError> {
        let mut inside = self.inside();
        let old = inside.key.clone().ok_or(StoreError::Locked(StoreKind::Vault))?;
        let (files, folder) = (&*self.files, self.folder.as_path());
        settle(files, folder, &inside.header)?;
        let header = Header::new(&fresh.key, fresh.source, fresh.kdf.as_ref());
        let copy = || match recovery {
            Some((passphrase, kdf)) => recovery::store(files, folder, &fresh.key, kdf, passphrase),
            None => Ok(()),
        };
        let done = if fresh.key.id() == old.id() {
            let records = shelf::count(files, &folder.join(old.id())).map_err(failed)?;
            copy().map_err(Cut::Before).and_then(|()| {
                header::store(files, folder, &header).map_err(Cut::Between)?;
                header::store_copy(files, folder, &header).map_err(Cut::Between)?;
                Ok(records)
            })
        } else {
            run(files, folder, &old, &fresh.key, &header, copy)
        };
        match done {
            Ok(records) => {
                inside.header = header;
                inside.key = Some(fresh.key);
                inside.state = StoreState::Ready;
                Ok(records)
            }
            Err(Cut::Before(error)) => Err(error),
            Err(Cut::Between(error)) => {
                inside.key = None;
                inside.state = StoreState::Locked;
                Err(StoreError::Failed(
                    StoreKind::Vault,
                    format!(
                        "{error}. Whether the new key or the old one holds is known only to the disk; the vault is locked, unlock it with either"
                    ),
                ))
            }
        }
    }
}

/// Seals everything anew. `prepare` may put more into the new folder before the switch. Returns how many records there are.
pub(super) fn run(
    files: &dyn Files,
    vault: &Path,
    old: &VaultKey,
    new: &VaultKey,
    header: &Header,
    prepare: impl FnOnce() -> Result<(), StoreError>,
) -> Result<usize, Cut> {
    let (from, to) = (Shelf::new(files, vault, old), Shelf::new(files, vault, new));
    let (plan, damaged) = read_all(&from).map_err(Cut::Before)?;
    let copied = begin(files, vault, old, new, damaged).and_then(|()| {
        for Content { id, generation, plain } in &plan {
            to.put(id, *generation, plain)?;
        }
        prepare()?;
        verify(&to, &plan)
    });
    if let Err(error) = copied {
        // What was made so far is only a copy; if it cannot be removed now, the next opening does it.
        if let Err(error) = drop_folder(files, to.folder(), &[]).and_then(|()| files.remove(&vault.join(NAME))) {
            tracing::warn!(%error, "the beginning of a change of the vault's key could not be removed");
        }
        return Err(Cut::Before(error));
    }
    header::store(files, vault, header).map_err(Cut::Between)?;
    if let Err(error) = settle(files, vault, header) {
        tracing::warn!(%error, "records under the vault's old key could not be removed; the next start tries again");
    }
    Ok(records(&plan))
}

/// Cleans up after a change of the key that was cut off, and after writes that were. Needs the header that holds.
pub(super) fn settle(files: &dyn Files, vault: &Path, header: &Header) -> Result<(), StoreError> {
    header::store_copy(files, vault, header)?;
    let journal = vault.join(NAME);
    if let Some(bytes) = files.read(&journal).map_err(failed)? {
        let read: Option<Journal> = serde_json::from_slice(&bytes).ok();
        let Some(known) =
            read.filter(|read| read.sum == read.sum() && read.format == FORMAT && read.version == VERSION)
        else {
            tracing::warn!("the journal of a change of the vault's key is damaged; nothing is removed");
            return Ok(());
        };
        if known.to == header.key_id() {
            drop_folder(files, &vault.join(&known.from), &known.damaged).map_err(failed)?;
        } else if known.from == header.key_id() {
            drop_folder(files, &vault.join(&known.to), &[]).map_err(failed)?;
        }
        files.remove(&journal).map_err(failed)?;
    }
    for folder in [vault, &vault.join(header.key_id())] {
        for name in files.names(folder).map_err(failed)?.iter().filter(|name| name.starts_with(UNFINISHED)) {
            files.remove(&folder.join(name)).map_err(failed)?;
        }
    }
    Ok(())
}

/// How files begin that were never renamed to what they should be.
const UNFINISHED: &str = ".new-";

fn begin(
    files: &dyn Files,
    vault: &Path,
    old: &VaultKey,
    new: &VaultKey,
    damaged: Vec<String>,
) -> Result<(), StoreError> {
    let mut journal =
        Journal { format: FORMAT.into(), version: VERSION, from: old.id(), to: new.id(), damaged, sum: String::new() };
    journal.sum = journal.sum();
    let text = serde_json::to_vec_pretty(&journal).map_err(|error| corrupt(error.to_string()))?;
    files.write(&vault.join(NAME), &text).map_err(failed)
}

/// Everything that opens, and the names of what does not. A record of which nothing opens is a refusal: its login would be
/// left behind under a key that nobody keeps.
fn read_all(from: &Shelf<'_>) -> Result<(Vec<Content>, Vec<String>), StoreError> {
    let (mut plan, mut damaged) = (Vec::new(), Vec::new());
    for file in from.every()? {
        match file.content {
            Ok(content) => plan.push(content),
            Err(detail) => damaged.push((file.name, detail)),
        }
    }
    let slug = |name: &str| name.split('.').next().unwrap_or_default().to_owned();
    for (name, detail) in &damaged {
        let saved = plan.iter().any(|content| {
            from.path(&content.id, 0)
                .file_name()
                .and_then(|n| n.to_str())
                .is_some_and(|other| slug(other) == slug(name))
        });
        if !saved {
            return Err(corrupt(format!("{name}: {detail}. The key was not changed")));
        }
    }
    Ok((plan, damaged.into_iter().map(|(name, _)| name).collect()))
}

/// Reads back what was written, from the disk.
fn verify(to: &Shelf<'_>, plan: &[Content]) -> Result<(), StoreError> {
    let mut written = to.every()?;
    for wanted in plan {
        let path = to.path(&wanted.id, wanted.generation);
        let at = written.iter().position(|file| path.file_name().is_some_and(|name| name == file.name.as_str()));
        let same = at.is_some_and(|at| {
            written.swap_remove(at).content.is_ok_and(|found| found.id == wanted.id && found.plain == wanted.plain)
        });
        if !same {
            return Err(corrupt(format!("{} could not be read back under the new key", path.display())));
        }
    }
    Ok(())
}

fn records(plan: &[Content]) -> usize {
    plan.iter().map(|content| &content.id).collect::<std::collections::BTreeSet<_>>().len()
}

fn drop_folder(files: &dyn Files, folder: &Path, keep: &[String]) -> std::io::Result<()> {
    for name in files.names(folder)?.iter().filter(|name| !keep.contains(name)) {
        files.remove(&folder.join(name))?;
    }
    files.remove_folder(folder)
}

#[cfg(test)]
mod tests;
