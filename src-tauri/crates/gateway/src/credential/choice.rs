//! Which store is used: chosen once, recorded in `store.json`, never changed silently.

use std::path::PathBuf;

use secrecy::SecretString;

use super::{Credentials, StoreError};
use crate::data_dir::DataDir;

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

/// Opens the store: the recorded one, or the one asked for when none is recorded yet.
pub async fn open_store(choice: &StoreChoice, _dir: &DataDir) -> Result<Credentials, StoreError> {
    match choice {
        StoreChoice::Memory => Ok(Credentials::in_memory()),
        StoreChoice::Auto | StoreChoice::Keychain | StoreChoice::Vault(_) => {
            Err(StoreError::NoStore("keychain and vault are not connected in this build".into()))
        }
    }
}
