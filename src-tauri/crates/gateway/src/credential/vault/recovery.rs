//! An optional second way to the vault's key: the key itself, sealed under a passphrase, in the folder of that key.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::super::files::Files;
use super::super::{SecretId, StoreError};
use super::kdf::Argon2id;
use super::{VaultKey, corrupt, failed, seal};
use crate::account::hex;

const NAME: &str = "recovery";
const FORMAT: &str = "kiro-proxy-vault-recovery";
const VERSION: u32 = 1;
const PURPOSE_RECOVERY: u8 = 3;
const ID: &str = "recovery";

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Copy {
    format: String,
    version: u32,
    kdf: String,
    /// A sealed file in base64: id `recovery`, generation 0, purpose 3; its text is the key.
    sealed: String,
    /// SHA-256 over the other values, one per line.
    sum: String,
}

impl Copy {
    fn sum(&self) -> String {
        let text = format!("{}\n{}\n{}\n{}\n", self.format, self.version, self.kdf, self.sealed);
        hex(&Sha256::digest(text.as_bytes()))
    }
}

fn path(vault: &Path, key_id: &str) -> PathBuf {
    vault.join(key_id).join(NAME)
}

/// Whether there is one for the key named `key_id`.
pub(super) fn exists(files: &dyn Files, vault: &Path, key_id: &str) -> bool {
    files.names(&vault.join(key_id)).is_ok_and(|names| names.iter().any(|name| name == NAME))
}

/// Writes the copy of `key`, sealed under `passphrase`.
pub(super) fn store(
    files: &dyn Files,
    vault: &Path,
    key: &VaultKey,
    kdf: &Argon2id,
    passphrase: &SecretString,
) -> Result<(), StoreError> {
    let outer = kdf.derive(passphrase)?;
    let sealed = seal::seal(&outer, &SecretId::from_text(ID), 0, PURPOSE_RECOVERY, key.bytes());
    let mut copy = Copy {
        format: FORMAT.into(),
        version: VERSION,
        kdf: kdf.to_string(),
        sealed: STANDARD.encode(sealed),
        sum: String::new(),
    };
    copy.sum = copy.sum();
    let mut text = serde_json::to_vec_pretty(&copy).map_err(|error| corrupt(error.to_string()))?;
    text.push(b'\n');
    let path = path(vault, &key.id());
    files.make_folder(&vault.join(key.id())).map_err(failed)?;
    files.write(&path, &text).map_err(failed)
}

/// The key named `key_id` out of its copy.
pub(super) fn open(
    files: &dyn Files,
    vault: &Path,
    key_id: &str,
    passphrase: &SecretString,
) -> Result<VaultKey, StoreError> {
    let bytes = files.read(&path(vault, key_id)).map_err(failed)?;
    let bytes = bytes.ok_or_else(|| StoreError::KeyRefused("this vault has no recovery passphrase".into()))?;
    let damaged = |detail: &str| corrupt(format!("the recovery copy of the key cannot be read: {detail}"));
    let copy: Copy = serde_json::from_slice(&bytes).map_err(|_| damaged("it is not one"))?;
    if copy.sum != copy.sum() {
        return Err(damaged("its sum does not fit"));
    }
    if copy.format != FORMAT || copy.version != VERSION {
        return Err(damaged("its version is not known here"));
    }
    let outer = Argon2id::parse(&copy.kdf).map_err(|detail| damaged(&detail))?.derive(passphrase)?;
    let sealed = STANDARD.decode(&copy.sealed).map_err(|_| damaged("it is not base64"))?;
    // With the sum in order, a seal that does not open means another passphrase.
    let key = seal::open(&outer, &SecretId::from_text(ID), 0, PURPOSE_RECOVERY, &sealed)
        .map_err(|_| StoreError::KeyWrong { expected: key_id.to_owned(), given: "another passphrase".into() })?;
    let key = <[u8; 32]>::try_from(key.as_slice()).map_err(|_| damaged("it does not hold a key"))?;
    VaultKey::from_bytes(key)
}
