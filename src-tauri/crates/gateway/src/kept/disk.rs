//! Kept answers on disk: one sealed file each, in the folder `responses`, named `<slot>.<milliseconds>.kept`.
//!
//! A file is `KPKEPT1\n`, a nonce of 24 bytes and XChaCha20-Poly1305 over the text; magic, slot and time are the associated
//! data, so that a file under another name does not open. The key is random, made at the first use, and lies in the store of
//! secrets under the mark of this data directory. Files that do not open are not answers of this key; they go when they are too old.

use super::Slot;
use crate::clock::Timestamp;
use crate::credential::{Credentials, SecretId, Secrets};
use crate::data_dir::{DataDir, read_file, remove_synced, write_synced};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use secrecy::{ExposeSecret as _, SecretString};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::OnceCell;
use zeroize::Zeroizing;

const FOLDER: &str = "responses";
const EXTENSION: &str = "kept";
const MAGIC: &[u8; 8] = b"KPKEPT1\n";
const NONCE: usize = 24;

/// A file that is there.
pub(super) struct Found {
    pub(super) slot: Slot,
    pub(super) at: Timestamp,
    pub(super) size: usize,
}

pub(super) struct Disk {
    dir: Arc<DataDir>,
    credentials: Credentials,
    /// The record of the key.
    key: SecretId,
    cipher: OnceCell<XChaCha20Poly1305>,
}

impl Disk {
    /// `mark` tells this data directory from others.
    pub(super) fn new(dir: Arc<DataDir>, credentials: Credentials, mark: &str) -> Self {
        Self { dir, credentials, key: SecretId::kept_answers(mark), cipher: OnceCell::new() }
    }

    /// The record of the key.
    pub(super) fn key(&self) -> &SecretId {
        &self.key
    }

    /// Gives a key that still lies under the name which all data directories shared the name of this one.
    pub(super) async fn own_key(&self) -> Result<(), String> {
        if self.cipher.initialized() {
            return Ok(());
        }
        self.known_key().await.map(|_| ())
    }

    /// The key that there is. One from before data directories were told apart counts while there are answers that it seals.
    async fn known_key(&self) -> Result<Option<SecretString>, String> {
        let load = async |id: &SecretId| self.credentials.load(id).await.map_err(|error| error.to_string());
        if let Some(key) = load(&self.key).await?.and_then(|secrets| secrets.data_key) {
            return Ok(Some(key));
        }
        if self.list().await.is_empty() {
            return Ok(None);
        }
        let shared = load(&SecretId::shared_kept_answers()).await?.and_then(|secrets| secrets.data_key);
        if let Some(key) = &shared {
            self.save_key(key).await?;
        }
        Ok(shared)
    }

    async fn save_key(&self, key: &SecretString) -> Result<(), String> {
        let secrets = Secrets { data_key: Some(key.clone()), ..Secrets::default() };
        self.credentials.save(&self.key, &secrets).await.map_err(|error| error.to_string())
    }

    pub(super) async fn write(&self, slot: &Slot, at: Timestamp, text: Bytes) -> Result<(), String> {
        let cipher = self.cipher().await?.clone();
        let (dir, slot) = (Arc::clone(&self.dir), slot.clone());
        blocking(move || {
            let mut nonce = [0_u8; NONCE];
            rand::fill(&mut nonce[..]);
            let payload = Payload { msg: &text, aad: &bound_to(&slot, at) };
            let sealed = cipher.encrypt(&XNonce::from(nonce), payload).map_err(|_| "it cannot be sealed".to_owned())?;
            let file = [&MAGIC[..], &nonce, &sealed].concat();
            dir.folder(FOLDER).map_err(|error| error.to_string())?;
            write_synced(&path(&dir, &slot, at), &file).map_err(|error| error.to_string())
        })
        .await
    }

    pub(super) async fn read(&self, slot: &Slot, at: Timestamp) -> Result<Bytes, String> {
        let cipher = self.cipher().await?.clone();
        let (dir, slot) = (Arc::clone(&self.dir), slot.clone());
        blocking(move || {
            let file = read_file(&path(&dir, &slot, at)).map_err(|error| error.to_string())?;
            let file = file.ok_or("the file is gone")?;
            let rest = file.strip_prefix(&MAGIC[..]).ok_or("it does not begin like a kept answer")?;
            let (nonce, sealed) = rest.split_first_chunk::<NONCE>().ok_or("it is cut short")?;
            let payload = Payload { msg: sealed, aad: &bound_to(&slot, at) };
            let text = cipher.decrypt(&XNonce::from(*nonce), payload).map_err(|_| "its seal is broken")?;
            Ok(Bytes::from(text))
        })
        .await
    }

    pub(super) async fn remove(&self, slot: &Slot, at: Timestamp) {
        let (dir, slot) = (Arc::clone(&self.dir), slot.clone());
        let removed = blocking(move || remove_synced(&path(&dir, &slot, at)).map_err(|error| error.to_string())).await;
        if let Err(error) = removed {
            tracing::warn!(error, "a kept answer could not be deleted");
        }
    }

    /// Every kept answer there is; what is not one is left alone.
    pub(super) async fn list(&self) -> Vec<Found> {
        let dir = Arc::clone(&self.dir);
        blocking(move || Ok(list(&dir))).await.unwrap_or_default()
    }

    /// Deletes every kept answer. The key stays: it seals nothing any more.
    pub(super) async fn clear(&self) {
        let dir = Arc::clone(&self.dir);
        let cleared = blocking(move || {
            let mut found = list(&dir).into_iter();
            found
                .try_for_each(|file| remove_synced(&path(&dir, &file.slot, file.at)))
                .map_err(|error| error.to_string())
        })
        .await;
        if let Err(error) = cleared {
            tracing::warn!(error, "kept answers could not be deleted");
        }
    }

    async fn cipher(&self) -> Result<&XChaCha20Poly1305, String> {
        self.cipher
            .get_or_try_init(|| async {
                let text = match self.known_key().await? {
                    Some(text) => text,
                    None => {
                        let mut random = Zeroizing::new([0_u8; 32]);
                        rand::fill(&mut random[..]);
                        let text = SecretString::from(STANDARD.encode(*random));
                        self.save_key(&text).await?;
                        text
                    }
                };
                let bytes = STANDARD.decode(text.expose_secret()).map(Zeroizing::new);
                let bytes = bytes.map_err(|_| "the key for kept answers is damaged".to_owned())?;
                XChaCha20Poly1305::new_from_slice(&bytes).map_err(|_| "the key for kept answers is damaged".to_owned())
            })
            .await
    }
}

fn path(dir: &DataDir, slot: &Slot, at: Timestamp) -> PathBuf {
    dir.file(FOLDER).join(format!("{}.{}.{EXTENSION}", slot.0, at.unix_ms()))
}

/// What the seal holds together with the text.
fn bound_to(slot: &Slot, at: Timestamp) -> Vec<u8> {
    [&MAGIC[..], slot.0.as_bytes(), &at.unix_ms().to_be_bytes()].concat()
}

fn list(dir: &DataDir) -> Vec<Found> {
    let Ok(entries) = std::fs::read_dir(dir.file(FOLDER)) else { return Vec::new() };
    let found = entries.filter_map(|entry| {
        let entry = entry.ok()?;
        let name = entry.file_name();
        let (slot, rest) = name.to_str()?.split_once('.')?;
        let at = rest.strip_suffix(EXTENSION)?.strip_suffix('.')?.parse().ok()?;
        let is_slot = slot.len() == 40 && slot.bytes().all(|byte| byte.is_ascii_hexdigit());
        let size = usize::try_from(entry.metadata().ok()?.len()).ok()?;
        is_slot.then(|| Found { slot: Slot(slot.to_owned()), at: Timestamp(at), size })
    });
    found.collect()
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, String> + Send + 'static) -> Result<T, String> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| Err("the work was given up".to_owned()))
}
