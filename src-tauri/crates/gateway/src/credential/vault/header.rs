//! The vault's header: which format, which key, where that key comes from, and a sealed check value that tells "wrong key"
//! from "damaged" and holds the other values to what the key's owner wrote. Kept twice.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::super::files::Files;
use super::super::key_source::KeySource;
use super::super::{SecretId, StoreError};
use super::kdf::Argon2id;
use super::{VaultKey, corrupt, failed, seal};
use crate::account::hex;

const FORMAT: &str = "kiro-proxy-vault";
const VERSION: u32 = 2;
pub(super) const NAME: &str = "header";
pub(super) const COPY: &str = "header.copy";
/// The key is used as it is.
const PLAIN_KEY: &str = "none";
const PURPOSE_CHECK: u8 = 2;
const CHECK_ID: &str = "header";
const CHECK_TEXT: &str = "kiro-proxy vault check value";

/// The content of the header file.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in super::super) struct Header {
    format: String,
    version: u32,
    key_id: String,
    key_source: KeySource,
    /// `none`, or Argon2id with its parameters and salt.
    kdf: String,
    /// A sealed file in base64: id `header`, generation 0, purpose 2.
    check: String,
    /// SHA-256 over the other values, one per line: finds damage without the key.
    sum: String,
}

impl Header {
    /// The header of a vault under `key`.
    pub(super) fn new(key: &VaultKey, key_source: KeySource, kdf: Option<&Argon2id>) -> Self {
        let mut header = Self {
            format: FORMAT.into(),
            version: VERSION,
            key_id: key.id(),
            key_source,
            kdf: kdf.map_or_else(|| PLAIN_KEY.to_owned(), ToString::to_string),
            check: String::new(),
            sum: String::new(),
        };
        let check = seal::seal(key, &SecretId::from_text(CHECK_ID), 0, PURPOSE_CHECK, header.check_text().as_bytes());
        header.check = STANDARD.encode(check);
        header.sum = header.sum();
        header
    }

    /// Id of the key that opens this vault; its records lie in the folder of that name.
    pub(in super::super) fn key_id(&self) -> &str {
        &self.key_id
    }

    /// Where the key comes from, as recorded.
    pub(in super::super) fn key_source(&self) -> KeySource {
        self.key_source
    }

    /// How the key comes out of the passphrase; `None` when it is used as it is.
    pub(in super::super) fn kdf(&self) -> Result<Option<Argon2id>, StoreError> {
        if self.kdf == PLAIN_KEY { Ok(None) } else { Argon2id::parse(&self.kdf).map(Some).map_err(corrupt) }
    }

    /// Bound to the values that the sum alone would let anybody change.
    fn check_text(&self) -> String {
        format!("{CHECK_TEXT}\n{}\n{}\n", self.key_source.as_str(), self.kdf)
    }

    fn sum(&self) -> String {
        let Self { format, version, key_id, key_source, kdf, check, sum: _ } = self;
        let text = format!("{format}\n{version}\n{key_id}\n{}\n{kdf}\n{check}\n", key_source.as_str());
        hex(&Sha256::digest(text.as_bytes()))
    }

    /// Whether `key` is this vault's key.
    pub(super) fn check(&self, key: &VaultKey) -> Result<(), StoreError> {
        if self.key_id != key.id() {
            return Err(StoreError::KeyWrong { expected: self.key_id.clone(), given: key.id() });
        }
        let sealed = STANDARD.decode(&self.check).map_err(|_| corrupt("the header's check value is not base64"))?;
        match seal::open(key, &SecretId::from_text(CHECK_ID), 0, PURPOSE_CHECK, &sealed) {
            Ok(text) if text.as_slice() == self.check_text().as_bytes() => Ok(()),
            Ok(_) => Err(corrupt("the header was changed by something that does not have the key")),
            Err(_) => Err(corrupt("the header's check value does not open with the key it names")),
        }
    }
}

/// Whether a header file is there, readable or not.
pub(super) fn present(files: &dyn Files, folder: &Path) -> std::io::Result<bool> {
    Ok(files.names(folder)?.iter().any(|name| name == NAME || name == COPY))
}

/// The header from its file or, when that is damaged, from its copy. `None` when neither is there.
pub(super) fn load(files: &dyn Files, folder: &Path) -> Result<Option<Header>, StoreError> {
    if !present(files, folder).map_err(failed)? {
        return Ok(None);
    }
    let first = match read(files, &folder.join(NAME)) {
        Ok(header) => return Ok(Some(header)),
        Err(detail) => detail,
    };
    let header = read(files, &folder.join(COPY)).map_err(|_| corrupt(format!("the header cannot be read: {first}")))?;
    tracing::warn!(detail = first, "the vault's header is damaged; using its copy");
    Ok(Some(header))
}

/// Makes `header` the vault's header: from the return on, its key is the one. The copy is another step.
pub(super) fn store(files: &dyn Files, folder: &Path, header: &Header) -> Result<(), StoreError> {
    files.write(&folder.join(NAME), &text(header)?).map_err(failed)
}

/// Makes the copy like the header, unless it is already.
pub(super) fn store_copy(files: &dyn Files, folder: &Path, header: &Header) -> Result<(), StoreError> {
    if read(files, &folder.join(COPY)).is_ok_and(|copy| copy == *header) {
        return Ok(());
    }
    files.write(&folder.join(COPY), &text(header)?).map_err(failed)
}

fn text(header: &Header) -> Result<Vec<u8>, StoreError> {
    let mut text = serde_json::to_vec_pretty(header).map_err(|error| corrupt(error.to_string()))?;
    text.push(b'\n');
    Ok(text)
}

fn read(files: &dyn Files, path: &Path) -> Result<Header, String> {
    let bytes = files.read(path).map_err(|error| error.to_string())?.ok_or("it is missing")?;
    if let Ok(Begin { format, version }) = serde_json::from_slice(&bytes)
        && (format != FORMAT || version != VERSION)
    {
        return Err(format!("format {format} version {version} is not known here"));
    }
    let header: Header = serde_json::from_slice(&bytes).map_err(|_| "it is not a vault header")?;
    if header.sum != header.sum() {
        return Err("its sum does not fit".into());
    }
    Ok(header)
}

/// What every version has.
#[derive(Deserialize)]
struct Begin {
    format: String,
    version: u32,
}
