//! Which store is used: chosen once, recorded in `store.json`, never changed silently. A recorded store that cannot be used
//! now is an error or a state that a person sees, not a reason to use another one.

use std::path::PathBuf;
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::{CredentialStore, Credentials, KeychainStore, StoreError, StoreKind, SystemKeychain, VaultKey, VaultStore};
use crate::data_dir::DataDir;

const FILE: &str = "store.json";
/// The vault's folder in the data directory.
const VAULT: &str = "vault";

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

/// Where the vault's key comes from.
#[derive(Debug, Clone)]
pub enum VaultKeySource {
    /// A file only its owner can read.
    File(PathBuf),
    /// 32 bytes in base64.
    Key(SecretString),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Recorded {
    schema: u32,
    store: StoreKind,
}

/// Opens the recorded store, or the one asked for when none is recorded yet, and finds out whether it works.
///
/// A recorded keychain that is locked, denied or silent is returned as it is, with its state: the accounts are still there
/// and a person can unlock it. Before a choice was ever recorded the same trouble is a refusal.
pub async fn open_store(choice: &StoreChoice, dir: &DataDir) -> Result<Credentials, StoreError> {
    open_with(choice, dir, || Arc::new(KeychainStore::new(SystemKeychain::default()))).await
}

/// The same over any keychain.
pub(super) async fn open_with(
    choice: &StoreChoice,
    dir: &DataDir,
    keychain: impl FnOnce() -> Arc<dyn CredentialStore>,
) -> Result<Credentials, StoreError> {
    if let StoreChoice::Memory = choice {
        // For throw-away runs; never recorded, so that it cannot become the store of real accounts.
        return Ok(Credentials::in_memory());
    }
    let recorded = recorded(dir)?;
    let asked = match (choice, recorded) {
        (StoreChoice::Memory | StoreChoice::Auto, Some(recorded)) => recorded,
        (StoreChoice::Memory | StoreChoice::Auto, None) => StoreKind::Keychain,
        (StoreChoice::Keychain, _) => StoreKind::Keychain,
        (StoreChoice::Vault(_), _) => StoreKind::Vault,
    };
    if let Some(recorded) = recorded
        && recorded != asked
    {
        return Err(StoreError::OtherStore { recorded, asked });
    }
    let credentials = match asked {
        StoreKind::Memory => Credentials::in_memory(),
        StoreKind::Keychain => Credentials::new(keychain()),
        StoreKind::Vault => Credentials::new(Arc::new(open_vault(choice, dir)?)),
    };
    match (credentials.probe().await, recorded) {
        (Ok(()), Some(_)) => {}
        (Ok(()), None) => record(dir, asked)?,
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

fn open_vault(choice: &StoreChoice, dir: &DataDir) -> Result<VaultStore, StoreError> {
    let folder = dir.folder(VAULT).map_err(failed)?;
    let key = match choice {
        StoreChoice::Vault(VaultKeySource::File(path)) => VaultKey::from_file(path, &folder)?,
        StoreChoice::Vault(VaultKeySource::Key(text)) => VaultKey::from_base64(text.expose_secret())?,
        StoreChoice::Auto | StoreChoice::Memory | StoreChoice::Keychain => return Err(StoreError::KeyMissing),
    };
    VaultStore::open(&folder, key)
}

/// The recorded choice. A vault that lies there without a record counts as one: it is never passed over.
fn recorded(dir: &DataDir) -> Result<Option<StoreKind>, StoreError> {
    let parse = |bytes: Vec<u8>| {
        serde_json::from_slice::<Recorded>(&bytes).ok().filter(|found| found.schema == 1).map(|found| found.store)
    };
    match dir.read(FILE).map_err(failed)? {
        Some(bytes) => match parse(bytes) {
            Some(store) => Ok(Some(store)),
            None => Err(StoreError::Corrupt {
                kind: if VaultStore::exists(&dir.file(VAULT))? { StoreKind::Vault } else { StoreKind::Keychain },
                detail: format!(
                    "{} says which store holds your secrets and cannot be read. Move it away: a vault beside it is \
                     recognised by itself, and without one the keychain is used",
                    dir.file(FILE).display()
                ),
            }),
        },
        None if VaultStore::exists(&dir.file(VAULT))? => Ok(Some(StoreKind::Vault)),
        None => Ok(None),
    }
}

fn record(dir: &DataDir, store: StoreKind) -> Result<(), StoreError> {
    let text = serde_json::to_vec_pretty(&Recorded { schema: 1, store }).map_err(|error| failed(error.into()))?;
    dir.replace(FILE, &text).map_err(failed)
}

fn failed(error: std::io::Error) -> StoreError {
    StoreError::NoStore(error.to_string())
}

#[cfg(test)]
mod tests;
