//! Which store is used: chosen once, recorded in `store.json`, never changed silently. A recorded store that cannot be used
//! now is an error or a state that a person sees, not a reason to use another one.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::files::{Disk, Files};
use super::key_source::{KeySource, VaultKeySource};
use super::{CredentialStore, Credentials, KeychainStore, StoreError, StoreKind, SystemKeychain, VaultStore};
use crate::data_dir::DataDir;

const FILE: &str = "store.json";
/// The vault's folder in the data directory.
const VAULT: &str = "vault";
/// The folder for what a keychain does not take.
const ASIDE: &str = "keychain.aside";
/// What the keychain's items of this data directory are told by.
const MARK: &str = "keychain.mark";

/// Where secrets are kept.
#[derive(Debug, Clone)]
pub enum StoreChoice {
    /// The recorded choice, else the keychain when there is one; refused with words when there is neither.
    Auto,
    /// Memory only: gone when the gateway stops.
    Memory,
    /// The operating system's keychain.
    Keychain,
    /// The sealed vault folder.
    Vault(VaultKeySource),
}

/// What `store.json` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Recorded {
    schema: u32,
    /// The store that holds.
    pub(super) store: StoreKind,
    /// A store with copies that are superfluous: a move of all secrets was not finished, or what it left is not removed yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) leftover: Option<StoreKind>,
}

impl Recorded {
    pub(super) fn new(store: StoreKind, leftover: Option<StoreKind>) -> Self {
        Self { schema: 1, store, leftover }
    }
}

/// Makes a handle on the keychain.
type OpenKeychain = Box<dyn Fn() -> Arc<dyn CredentialStore> + Send + Sync>;

/// Where stores lie; needed again when all secrets move.
pub(super) struct Places {
    record: PathBuf,
    pub(super) vault: PathBuf,
    pub(super) files: Arc<dyn Files>,
    pub(super) keychain: OpenKeychain,
}

impl Places {
    pub(super) fn new(dir: &DataDir, files: Arc<dyn Files>, keychain: OpenKeychain) -> Self {
        Self { record: dir.file(FILE), vault: dir.file(VAULT), files, keychain }
    }

    /// What is recorded. A vault that lies there without a record counts as one: it is never passed over.
    pub(super) fn recorded(&self) -> Result<Option<Recorded>, StoreError> {
        let vault_exists = || VaultStore::exists_in(&self.vault, &*self.files);
        match self.files.read(&self.record).map_err(failed)? {
            Some(bytes) => match serde_json::from_slice::<Recorded>(&bytes).ok().filter(|found| found.schema == 1) {
                Some(recorded) => Ok(Some(recorded)),
                None => Err(StoreError::Corrupt {
                    kind: if vault_exists()? { StoreKind::Vault } else { StoreKind::Keychain },
                    detail: format!(
                        "{} says which store holds your secrets and cannot be read. Move it away: a vault beside it is \
                         recognised by itself, and without one the keychain is used",
                        self.record.display()
                    ),
                }),
            },
            None if vault_exists()? => Ok(Some(Recorded::new(StoreKind::Vault, None))),
            None => Ok(None),
        }
    }

    /// From the return on, this is what holds.
    pub(super) fn record(&self, recorded: Recorded) -> Result<(), StoreError> {
        let text = serde_json::to_vec_pretty(&recorded).map_err(|error| failed(error.into()))?;
        self.files.write(&self.record, &text).map_err(failed)
    }

    /// Opens the vault, or makes it when there is none. Without a key a vault of a passphrase is locked and any other refused.
    fn open_vault(&self, source: Option<&VaultKeySource>) -> Result<VaultStore, StoreError> {
        let (folder, files) = (self.vault.as_path(), &*self.files);
        match (VaultStore::find(folder, Arc::clone(&self.files))?, source) {
            (Some(vault), Some(source)) => {
                vault.unlock(source.for_vault(&vault, folder, files)?)?;
                self.tell_source(vault.header()?.key_source(), source);
                Ok(vault)
            }
            (Some(vault), None) => match vault.header()?.key_source() {
                KeySource::Passphrase => Ok(vault),
                KeySource::AutoKeyFile => {
                    let source = VaultKeySource::AutoKeyFile;
                    vault.unlock(source.for_vault(&vault, folder, files)?)?;
                    self.tell_source(KeySource::AutoKeyFile, &source);
                    Ok(vault)
                }
                wants @ (KeySource::SystemdCredential | KeySource::KeyFile | KeySource::Environment) => {
                    Err(StoreError::KeyMissing { wants: Some(wants) })
                }
            },
            (None, Some(source)) => self.make_vault(source),
            (None, None) => Err(StoreError::KeyMissing { wants: None }),
        }
    }

    pub(super) fn make_vault(&self, source: &VaultKeySource) -> Result<VaultStore, StoreError> {
        let fresh = source.for_new_vault(&self.vault, &*self.files)?;
        self.tell_source(fresh.source, source);
        VaultStore::create(&self.vault, Arc::clone(&self.files), fresh)
    }

    fn tell_source(&self, recorded: KeySource, given: &VaultKeySource) {
        if let Some(kind) = given.kind().filter(|kind| *kind != recorded) {
            tracing::warn!(
                "the vault's key is recorded to come from {}, and came from {} now; the record stays as it is until `vault rekey`",
                recorded.words(),
                kind.words()
            );
        }
        match given.kind() {
            Some(KeySource::Environment) => tracing::warn!(
                "the vault's key was in the environment, which the same user and container inspection can read; a key file or a systemd credential is safer"
            ),
            Some(KeySource::AutoKeyFile) => {
                tracing::warn!("the vault's key lies beside the vault: secrets are protected by file permissions only");
            }
            Some(KeySource::SystemdCredential | KeySource::KeyFile | KeySource::Passphrase) | None => {}
        }
    }
}

/// Opens the recorded store, or the one asked for when none is recorded yet, and finds out whether it works.
///
/// A recorded keychain that is locked, denied or silent is returned as it is, with its state: the accounts are still there
/// and a person can unlock it; so is a vault that waits for its passphrase. Before a choice was ever recorded the same
/// trouble is a refusal.
pub async fn open_store(choice: &StoreChoice, dir: &DataDir) -> Result<Credentials, StoreError> {
    let (aside, file, root) = (dir.file(ASIDE), dir.file(MARK), dir.path().to_path_buf());
    let keychain: OpenKeychain = Box::new(move || {
        let store = KeychainStore::new(SystemKeychain::default());
        Arc::new(store.with_aside(Arc::new(Disk), aside.clone(), &mark(&Disk, &file, &root)))
    });
    open_with(choice, Places::new(dir, Arc::new(Disk), keychain)).await
}

/// What tells the items of this data directory from those of others in the same keychain. Made from its first path and kept in
/// it, so that a directory that was moved finds them again.
fn mark(files: &dyn Files, file: &Path, root: &Path) -> String {
    let made = crate::account::hex(&Sha256::digest(root.as_os_str().as_encoded_bytes())[..16]);
    let kept = match files.read(file) {
        Ok(kept) => kept.and_then(|bytes| String::from_utf8(bytes).ok()),
        Err(error) => {
            // It may be one from another path: written over, it would be lost.
            tracing::warn!(%error, "the mark of this data directory cannot be read");
            return made;
        }
    };
    let is_mark = |text: &String| text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    kept.map(|text| text.trim().to_owned()).filter(is_mark).unwrap_or_else(|| {
        if let Err(error) = files.write(file, made.as_bytes()) {
            tracing::warn!(%error, "the mark of this data directory cannot be kept: do not move the directory");
        }
        made
    })
}

/// The same anywhere.
pub(super) async fn open_with(choice: &StoreChoice, places: Places) -> Result<Credentials, StoreError> {
    if let StoreChoice::Memory = choice {
        // For throw-away runs; never recorded, so that it cannot become the store of real accounts.
        return Ok(Credentials::in_memory());
    }
    let places = Arc::new(places);
    let recorded = places.recorded()?;
    let asked = match (choice, recorded) {
        (StoreChoice::Memory | StoreChoice::Auto, Some(recorded)) => recorded.store,
        (StoreChoice::Memory | StoreChoice::Auto, None) => StoreKind::Keychain,
        (StoreChoice::Keychain, _) => StoreKind::Keychain,
        (StoreChoice::Vault(_), _) => StoreKind::Vault,
    };
    if let Some(recorded) = recorded
        && recorded.store != asked
    {
        return Err(StoreError::OtherStore { recorded: recorded.store, asked });
    }
    let store: Arc<dyn CredentialStore> = match asked {
        StoreKind::Memory => return Ok(Credentials::in_memory()),
        StoreKind::Keychain => (places.keychain)(),
        StoreKind::Vault => {
            let source = match choice {
                StoreChoice::Vault(source) => Some(source.clone()),
                StoreChoice::Auto | StoreChoice::Memory | StoreChoice::Keychain => None,
            };
            let places = Arc::clone(&places);
            // A person may have to be asked, and Argon2id takes its time.
            let opened = tokio::task::spawn_blocking(move || places.open_vault(source.as_ref())).await;
            Arc::new(
                opened.map_err(|_| StoreError::Failed(StoreKind::Vault, "opening it met a fault of ours".into()))??,
            )
        }
    };
    let locked_vault = store.vault().is_some_and(|vault| vault.is_locked());
    let credentials = Credentials::with_places(store, Arc::clone(&places));
    if locked_vault {
        tracing::warn!("the vault is locked until somebody gives its passphrase: kiro-proxy vault unlock");
        return Ok(credentials);
    }
    match (credentials.probe().await, recorded) {
        (Ok(()), Some(_)) => {}
        (Ok(()), None) => places.record(Recorded::new(asked, None))?,
        (Err(error), Some(_)) if asked == StoreKind::Keychain => {
            tracing::warn!(%error, "the recorded credential store cannot be used now");
        }
        (Err(error), None) if asked == StoreKind::Keychain => {
            return Err(StoreError::NoStore(format!("{error}, and no vault key was given")));
        }
        (Err(error), _) => return Err(error),
    }
    Ok(credentials)
}

/// Where the key of the vault in a data directory comes from, as recorded; `None` when there is no vault or it cannot be
/// read. For a face that must know whether to ask for a passphrase.
pub fn recorded_key_source(data_dir: Option<&std::path::Path>) -> Option<KeySource> {
    let root = match data_dir {
        Some(path) => path.to_path_buf(),
        None => crate::data_dir::default_path()?,
    };
    let vault = VaultStore::find(&root.join(VAULT), Arc::new(Disk)).ok()??;
    vault.header().ok().map(|header| header.key_source())
}

fn failed(error: std::io::Error) -> StoreError {
    StoreError::NoStore(error.to_string())
}

#[cfg(test)]
mod tests;
