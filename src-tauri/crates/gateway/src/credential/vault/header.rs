//! The vault's header: which format, which key, and a sealed check value that tells "wrong key" from "damaged". Kept twice.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::super::{SecretId, StoreError, StoreKind};
use super::{VaultKey, corrupt, failed, seal};
use crate::account::hex;
use crate::data_dir::{read_file, write_synced};

const FORMAT: &str = "kiro-proxy-vault";
const VERSION: u32 = 1;
const NAME: &str = "header";
const COPY: &str = "header.copy";
/// The key is used as it is; a passphrase will name another way.
const PLAIN_KEY: &str = "none";
const PURPOSE_CHECK: u8 = 2;
const CHECK_ID: &str = "header";
const CHECK_TEXT: &[u8] = b"kiro-proxy vault check value";

/// The content of the header file.
#[derive(Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Header {
    format: String,
    version: u32,
    key_id: String,
    kdf: String,
    /// A sealed file in base64: id `header`, generation 0, purpose 2.
    check: String,
    /// SHA-256 over the other values, one per line: finds damage without the key.
    sum: String,
}

impl Header {
    fn sum(&self) -> String {
        let text = format!("{}\n{}\n{}\n{}\n{}\n", self.format, self.version, self.key_id, self.kdf, self.check);
        hex(&Sha256::digest(text.as_bytes()))
    }

    /// Whether `key` is this vault's key.
    pub(super) fn check(&self, key: &VaultKey) -> Result<(), StoreError> {
        if self.kdf != PLAIN_KEY {
            // A passphrase seals it; this version cannot ask for one.
            return Err(StoreError::Locked(StoreKind::Vault));
        }
        if self.key_id != key.id() {
            return Err(StoreError::KeyWrong { expected: self.key_id.clone(), given: key.id() });
        }
        let sealed = STANDARD.decode(&self.check).map_err(|_| corrupt("the header's check value is not base64"))?;
        match seal::open(key, &SecretId::from_text(CHECK_ID), 0, PURPOSE_CHECK, &sealed) {
            Ok(text) if text.as_slice() == CHECK_TEXT => Ok(()),
            Ok(_) | Err(_) => Err(corrupt("the header's check value does not open with the key it names")),
        }
    }
}

/// Whether a header file is there, readable or not.
pub(super) fn present(folder: &Path) -> bool {
    [NAME, COPY].iter().any(|name| folder.join(name).symlink_metadata().is_ok())
}

/// The header from its file or, when that is damaged, from its copy. `None` when neither is there.
pub(super) fn load(folder: &Path) -> Result<Option<Header>, StoreError> {
    if !present(folder) {
        return Ok(None);
    }
    let first = match read(&folder.join(NAME)) {
        Ok(header) => return Ok(Some(header)),
        Err(detail) => detail,
    };
    let header = read(&folder.join(COPY)).map_err(|_| corrupt(format!("the header cannot be read: {first}")))?;
    tracing::warn!(detail = first, "the vault's header is damaged; using its copy");
    Ok(Some(header))
}

/// Makes the header of a new vault.
pub(super) fn create(folder: &Path, key: &VaultKey) -> Result<(), StoreError> {
    let check = seal::seal(key, &SecretId::from_text(CHECK_ID), 0, PURPOSE_CHECK, CHECK_TEXT);
    let mut header = Header {
        format: FORMAT.into(),
        version: VERSION,
        key_id: key.id(),
        kdf: PLAIN_KEY.into(),
        check: STANDARD.encode(check),
        sum: String::new(),
    };
    header.sum = header.sum();
    let mut text = serde_json::to_string_pretty(&header).map_err(|error| corrupt(error.to_string()))?;
    text.push('\n');
    let write = |path: PathBuf| write_synced(&path, text.as_bytes()).map_err(failed);
    write(folder.join(COPY))?;
    write(folder.join(NAME))
}

fn read(path: &Path) -> Result<Header, String> {
    let bytes = read_file(path).map_err(|error| error.to_string())?.ok_or("it is missing")?;
    let header: Header = serde_json::from_slice(&bytes).map_err(|_| "it is not a vault header")?;
    if header.sum != header.sum() {
        return Err("its sum does not fit".into());
    }
    if header.format != FORMAT || header.version != VERSION {
        return Err(format!("format {} version {} is not known here", header.format, header.version));
    }
    Ok(header)
}
