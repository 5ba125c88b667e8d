//! Where the vault's key comes from. The first source that is configured makes a new vault, and the header records which it
//! was; a vault that exists is opened by whatever brings its key, and never gets another source by itself.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::StoreError;
use super::files::Files;
use super::vault::{Argon2id, FreshKey, VaultKey, VaultStore, acceptable};

/// Where a vault's key comes from, as its header records it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum KeySource {
    /// A credential that systemd hands to the unit.
    SystemdCredential,
    /// A file that only its owner can read.
    KeyFile,
    /// A passphrase, through Argon2id.
    Passphrase,
    /// `KIRO_PROXY_VAULT_KEY`.
    Environment,
    /// A file beside the vault that was made for it: protected by file permissions only.
    AutoKeyFile,
}

impl KeySource {
    /// As files and the admin API name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SystemdCredential => "systemdCredential",
            Self::KeyFile => "keyFile",
            Self::Passphrase => "passphrase",
            Self::Environment => "environment",
            Self::AutoKeyFile => "autoKeyFile",
        }
    }

    /// For sentences.
    pub fn words(self) -> &'static str {
        match self {
            Self::SystemdCredential => "a systemd credential",
            Self::KeyFile => "a key file",
            Self::Passphrase => "a passphrase",
            Self::Environment => "the environment variable KIRO_PROXY_VAULT_KEY",
            Self::AutoKeyFile => "the key file beside the vault",
        }
    }
}

/// What a passphrase is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PassphraseFor {
    /// Opening a vault.
    Opening,
    /// A vault to be made, or a new key: worth asking twice.
    New,
    /// Opening a vault by its recovery copy.
    Recovery,
    /// A recovery copy to be made: worth asking twice.
    NewRecovery,
}

/// Asks a person for a passphrase.
pub trait PassphrasePrompt: Send + Sync {
    /// The passphrase, or why there is none, in words. May block for as long as a person takes.
    fn ask(&self, purpose: PassphraseFor) -> Result<SecretString, String>;
}

/// A passphrase that is known already.
impl PassphrasePrompt for SecretString {
    fn ask(&self, _: PassphraseFor) -> Result<SecretString, String> {
        Ok(self.clone())
    }
}

/// A way to the vault's key.
#[derive(Clone)]
pub enum VaultKeySource {
    /// This file in `$CREDENTIALS_DIRECTORY`.
    SystemdCredential(PathBuf),
    /// A file only its owner can read, outside the vault: 32 bytes, or base64 of them.
    File(PathBuf),
    /// A passphrase, asked for when it is needed.
    Passphrase(Arc<dyn PassphrasePrompt>),
    /// 32 bytes in base64, out of the environment.
    Key(SecretString),
    /// The file `vault-auto.key` beside the vault; made when there is no vault yet.
    AutoKeyFile,
    /// The recovery passphrase of a vault whose key is lost. Makes no vault.
    Recovery(Arc<dyn PassphrasePrompt>),
}

impl fmt::Debug for VaultKeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SystemdCredential(path) => f.debug_tuple("SystemdCredential").field(path).finish(),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Passphrase(_) => f.write_str("Passphrase"),
            Self::Key(_) => f.write_str("Key"),
            Self::AutoKeyFile => f.write_str("AutoKeyFile"),
            Self::Recovery(_) => f.write_str("Recovery"),
        }
    }
}

impl VaultKeySource {
    /// What a vault made with it records; `None` for a recovery.
    pub fn kind(&self) -> Option<KeySource> {
        match self {
            Self::SystemdCredential(_) => Some(KeySource::SystemdCredential),
            Self::File(_) => Some(KeySource::KeyFile),
            Self::Passphrase(_) => Some(KeySource::Passphrase),
            Self::Key(_) => Some(KeySource::Environment),
            Self::AutoKeyFile => Some(KeySource::AutoKeyFile),
            Self::Recovery(_) => None,
        }
    }

    /// A key for a vault that is to be made in `folder`.
    pub(super) fn for_new_vault(&self, folder: &Path, files: &dyn Files) -> Result<FreshKey, StoreError> {
        match self {
            Self::AutoKeyFile => {
                // Left over from a start that was cut off before the vault was made: it seals nothing yet.
                let known = auto_key(files, &auto_path(folder))?;
                let key = match known {
                    Some(key) => key,
                    None => make_auto_key(files, &auto_path(folder))?,
                };
                Ok(FreshKey { key, source: KeySource::AutoKeyFile, kdf: None })
            }
            Self::SystemdCredential(_) | Self::File(_) | Self::Passphrase(_) | Self::Key(_) | Self::Recovery(_) => {
                self.given(folder)
            }
        }
    }

    /// A key to change to. The file of an automatic key is beside the old one until [`accepted`](Self::accepted) is called.
    pub(super) fn for_rekey(&self, folder: &Path, files: &dyn Files) -> Result<FreshKey, StoreError> {
        match self {
            Self::AutoKeyFile => {
                let key = make_auto_key(files, &next_auto_path(folder))?;
                Ok(FreshKey { key, source: KeySource::AutoKeyFile, kdf: None })
            }
            Self::SystemdCredential(_) | Self::File(_) | Self::Passphrase(_) | Self::Key(_) | Self::Recovery(_) => {
                self.given(folder)
            }
        }
    }

    fn given(&self, folder: &Path) -> Result<FreshKey, StoreError> {
        let (key, source, kdf) = match self {
            Self::SystemdCredential(path) => (VaultKey::from_credential(path)?, KeySource::SystemdCredential, None),
            Self::File(path) => (VaultKey::from_file(path, folder)?, KeySource::KeyFile, None),
            Self::Key(text) => (VaultKey::from_base64(text.expose_secret())?, KeySource::Environment, None),
            Self::Passphrase(prompt) => {
                let passphrase = asked(&**prompt, PassphraseFor::New)?;
                acceptable(&passphrase)?;
                let kdf = Argon2id::fresh();
                (kdf.derive(&passphrase)?, KeySource::Passphrase, Some(kdf))
            }
            Self::AutoKeyFile | Self::Recovery(_) => {
                return Err(StoreError::KeyRefused("a recovery passphrase opens a vault and makes none".into()));
            }
        };
        Ok(FreshKey { key, source, kdf })
    }

    /// The key of a vault that exists.
    pub(super) fn for_vault(
        &self,
        vault: &VaultStore,
        folder: &Path,
        files: &dyn Files,
    ) -> Result<VaultKey, StoreError> {
        let header = vault.header()?;
        match self {
            Self::SystemdCredential(path) => VaultKey::from_credential(path),
            Self::File(path) => VaultKey::from_file(path, folder),
            Self::Key(text) => VaultKey::from_base64(text.expose_secret()),
            Self::Recovery(prompt) => vault.recover(&asked(&**prompt, PassphraseFor::Recovery)?),
            Self::Passphrase(prompt) => match header.kdf()? {
                Some(kdf) => kdf.derive(&asked(&**prompt, PassphraseFor::Opening)?),
                None => Err(StoreError::KeyRefused(format!(
                    "this vault's key is no passphrase, it comes from {}",
                    header.key_source().words()
                ))),
            },
            Self::AutoKeyFile => {
                let now = auto_key(files, &auto_path(folder))?;
                if let Some(key) = now.as_ref().filter(|key| key.id() == header.key_id()) {
                    return Ok(key.clone());
                }
                // A change of the key that was cut off after the vault took the new one.
                let next = auto_key(files, &next_auto_path(folder))?.filter(|key| key.id() == header.key_id());
                if next.is_some() {
                    self.accepted(KeySource::AutoKeyFile, folder, files)?;
                }
                next.or(now).ok_or(StoreError::KeyMissing { wants: Some(header.key_source()) })
            }
        }
    }

    /// The vault has taken the key of [`for_rekey`](Self::for_rekey), after one that came from `old`: the file of an
    /// automatic key gets its lasting name, or goes when it opens nothing any more.
    pub(super) fn accepted(&self, old: KeySource, folder: &Path, files: &dyn Files) -> Result<(), StoreError> {
        match self {
            Self::AutoKeyFile => {
                if let Some(content) = files.read(&next_auto_path(folder)).map_err(failed)? {
                    files.write(&auto_path(folder), &zeroize::Zeroizing::new(content)).map_err(failed)?;
                }
                files.remove(&next_auto_path(folder)).map_err(failed)
            }
            Self::SystemdCredential(_) | Self::File(_) | Self::Passphrase(_) | Self::Key(_) | Self::Recovery(_) => {
                let same_file = matches!(self, Self::File(path) if *path == auto_path(folder));
                if old != KeySource::AutoKeyFile || same_file {
                    return Ok(());
                }
                remove_auto_key(folder, files).map_err(failed)
            }
        }
    }
}

fn asked(prompt: &dyn PassphrasePrompt, purpose: PassphraseFor) -> Result<SecretString, StoreError> {
    prompt.ask(purpose).map_err(StoreError::KeyRefused)
}

/// Beside the vault's folder, not in it: a backup of the folder must not carry its key.
fn auto_path(folder: &Path) -> PathBuf {
    folder.with_file_name("vault-auto.key")
}

fn next_auto_path(folder: &Path) -> PathBuf {
    folder.with_file_name("vault-auto.key.next")
}

/// Removes the file of an automatic key, with the vault that it opened.
pub(super) fn remove_auto_key(folder: &Path, files: &dyn Files) -> std::io::Result<()> {
    files.remove(&next_auto_path(folder))?;
    files.remove(&auto_path(folder))
}

fn auto_key(files: &dyn Files, path: &Path) -> Result<Option<VaultKey>, StoreError> {
    let Some(content) = files.read(path).map_err(failed)? else { return Ok(None) };
    VaultKey::from_content(&zeroize::Zeroizing::new(content)).map(Some)
}

fn make_auto_key(files: &dyn Files, path: &Path) -> Result<VaultKey, StoreError> {
    let key = VaultKey::random();
    let text = key.to_base64();
    files.write(path, text.as_bytes()).map_err(failed)?;
    Ok(key)
}

fn failed(error: std::io::Error) -> StoreError {
    StoreError::KeyRefused(error.to_string())
}

#[cfg(test)]
mod tests;
