//! The vault's key: 32 bytes, out of a file that only its owner can read, a systemd credential, or base64.

use std::fmt;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::super::StoreError;
use crate::account::hex;
use crate::data_dir::{owned_by_us, read_file};

/// 32 random bytes, wiped when dropped.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct VaultKey([u8; 32]);

impl fmt::Debug for VaultKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VaultKey({})", self.id())
    }
}

impl VaultKey {
    /// From the bytes themselves.
    pub fn from_bytes(bytes: [u8; 32]) -> Result<Self, StoreError> {
        if bytes.iter().all(|byte| *byte == bytes[0]) {
            return Err(StoreError::KeyRefused("it is not random".into()));
        }
        Ok(Self(bytes))
    }

    /// A new one.
    pub(in super::super) fn random() -> Self {
        let mut bytes = [0_u8; 32];
        rand::fill(&mut bytes[..]);
        Self(bytes)
    }

    /// As [`from_base64`](Self::from_base64) reads it.
    pub(in super::super) fn to_base64(&self) -> Zeroizing<String> {
        Zeroizing::new(STANDARD.encode(self.0))
    }

    /// From standard base64 with padding, as `base64` prints it; space around it is fine.
    pub fn from_base64(text: &str) -> Result<Self, StoreError> {
        let bytes = Zeroizing::new(
            STANDARD.decode(text.trim()).map_err(|_| StoreError::KeyRefused("it is not base64".into()))?,
        );
        let exact: [u8; 32] = bytes
            .as_slice()
            .try_into()
            .map_err(|_| StoreError::KeyRefused(format!("it has {} bytes, not 32", bytes.len())))?;
        Self::from_bytes(exact)
    }

    /// From a file with base64 or with the 32 bytes themselves. Refused unless it is a regular file of ours with mode 0600
    /// or less, outside the vault's folder: a backup of the folder must not carry its key.
    pub fn from_file(path: &Path, vault_folder: &Path) -> Result<Self, StoreError> {
        let refuse = |why: &str| StoreError::KeyRefused(format!("{} {why}", path.display()));
        let found = path.symlink_metadata().map_err(|error| refuse(&format!("cannot be read: {error}")))?;
        if !found.is_file() {
            return Err(refuse("is not a regular file"));
        }
        if !owned_by_us(&found) {
            return Err(refuse("belongs to another user"));
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = found.permissions().mode() & 0o777;
            if mode & 0o177 != 0 {
                return Err(refuse(&format!("has mode {mode:04o}: others than its owner may read or change it")));
            }
        }
        let inside = path
            .canonicalize()
            .ok()
            .zip(vault_folder.canonicalize().ok())
            .is_some_and(|(file, folder)| file.starts_with(folder));
        if inside {
            return Err(refuse("lies inside the vault that it opens"));
        }
        Self::read(path)
    }

    /// From a credential of systemd. It lies in a folder that only this unit can enter, with an owner and mode that differ
    /// from version to version; others must have no access all the same.
    pub fn from_credential(path: &Path) -> Result<Self, StoreError> {
        let refuse = |why: &str| StoreError::KeyRefused(format!("{} {why}", path.display()));
        let found = path.symlink_metadata().map_err(|error| refuse(&format!("cannot be read: {error}")))?;
        if !found.is_file() {
            return Err(refuse("is not a regular file"));
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = found.permissions().mode() & 0o777;
            if mode & 0o027 != 0 {
                return Err(refuse(&format!("has mode {mode:04o}: others may read or change it")));
            }
        }
        Self::read(path)
    }

    fn read(path: &Path) -> Result<Self, StoreError> {
        let refuse = |why: &str| StoreError::KeyRefused(format!("{} {why}", path.display()));
        let content = read_file(path)
            .map_err(|error| refuse(&format!("cannot be read: {error}")))?
            .ok_or_else(|| refuse("is gone"))?;
        Self::from_content(&Zeroizing::new(content)).map_err(|error| match error {
            StoreError::KeyRefused(why) => refuse(&format!("cannot be used: {why}")),
            other => other,
        })
    }

    /// From the 32 bytes themselves, or base64 of them.
    pub(in super::super) fn from_content(content: &[u8]) -> Result<Self, StoreError> {
        if let Ok(bytes) = <[u8; 32]>::try_from(content) {
            return Self::from_bytes(bytes);
        }
        let text = std::str::from_utf8(content)
            .map_err(|_| StoreError::KeyRefused("it holds neither 32 bytes nor base64".into()))?;
        Self::from_base64(text)
    }

    /// The first 8 bytes of its SHA-256, as hex: tells keys apart and gives nothing away.
    pub fn id(&self) -> String {
        hex(&Sha256::digest(self.0)[..8])
    }

    pub(in super::super) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}
