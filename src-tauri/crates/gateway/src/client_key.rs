//! Keys that we give to clients. The file holds digests and names; the text of a key is in the credential store, so that a
//! person can look at it again.
//!
//! Promises: checking a key touches no disk, no lock and no store, hashes the candidate and compares it with every key in
//! constant time; so does reading its options. Leaves out: limits per key.

mod digest;
mod entry;
mod error;
mod options;
mod stored;

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::clock::{Clock, Timestamp};
use crate::credential::{Credentials, SecretId, Secrets};
use crate::data_dir::DataDir;
use digest::KeyDigest;
use entry::{Entry, LastUse};
pub use error::KeyError;
pub use options::KeyOptions;
use stored::FILE;

/// What every key starts with.
const MARK: &str = "kp-";
/// Characters of a key that lists show: the mark and four more, of 43.
const SHOWN: usize = MARK.len() + 4;
/// A header longer than this is no key of ours; it is not even hashed.
const LONGEST_CANDIDATE: usize = 512;

/// Names a client key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(transparent)]
#[schema(value_type = String)]
pub struct KeyId(String);

impl KeyId {
    /// From text that a caller sent; unknown text names no key.
    pub fn from_text(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for KeyId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A key as lists show it: everything but its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClientKey {
    /// Its name for us.
    pub id: KeyId,
    /// Its name for people.
    pub name: String,
    /// Its first characters, to tell keys apart.
    pub prefix: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When a request last used it.
    pub last_used_at: Option<Timestamp>,
    /// What it changes for its requests.
    pub options: KeyOptions,
}

/// A key just made, with its text.
#[derive(Debug)]
pub struct CreatedKey {
    /// As lists show it.
    pub key: ClientKey,
    /// The text for the client.
    pub secret: SecretString,
}

/// All client keys.
pub struct Keys {
    dir: Arc<DataDir>,
    credentials: Credentials,
    clock: Arc<dyn Clock>,
    entries: ArcSwap<Vec<Arc<Entry>>>,
    writer: Mutex<()>,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys").field("entries", &self.entries.load().len()).finish_non_exhaustive()
    }
}

impl Keys {
    /// Reads the list.
    pub fn open(dir: Arc<DataDir>, credentials: Credentials, clock: Arc<dyn Clock>) -> Result<Self, KeyError> {
        let entries = stored::load(&dir)?;
        Ok(Self { dir, credentials, clock, entries: ArcSwap::from_pointee(entries), writer: Mutex::new(()) })
    }

    /// Makes the first key when the file has never been written. A person who revoked all keys is not given a new one.
    pub async fn ensure_first(&self) -> Result<Option<CreatedKey>, KeyError> {
        if self.dir.read(FILE)?.is_some() || self.dir.read_previous(FILE)?.is_some() {
            return Ok(None);
        }
        self.create("default").await.map(Some)
    }

    /// Makes a random key. Its text is stored before the key counts.
    pub async fn create(&self, name: &str) -> Result<CreatedKey, KeyError> {
        let name = checked_name(name)?;
        let mut random = zeroize::Zeroizing::new([0_u8; 32]);
        rand::fill(&mut random[..]);
        let secret = SecretString::from(format!("{MARK}{}", URL_SAFE_NO_PAD.encode(*random)));
        let entry = Arc::new(Entry {
            id: KeyId(uuid::Uuid::new_v4().to_string()),
            name: name.to_owned(),
            prefix: secret.expose_secret()[..SHOWN].to_owned(),
            digest: KeyDigest::of(secret.expose_secret().as_bytes()),
            created_at: self.clock.now(),
            last_used: Arc::new(LastUse::new(None)),
            options: Arc::default(),
        });
        let secrets = Secrets { client_key: Some(secret.clone()), ..Secrets::default() };
        self.credentials.save(&SecretId::client_key(entry.id.as_str()), &secrets).await?;
        self.change(|entries| entries.push(Arc::clone(&entry)))?;
        Ok(CreatedKey { key: entry.view(), secret })
    }

    /// The keys, oldest first, without their text.
    pub fn list(&self) -> Vec<ClientKey> {
        self.entries.load().iter().map(|entry| entry.view()).collect()
    }

    /// The key that the candidate is, if any. Notes the use in memory.
    pub fn verify(&self, candidate: &[u8]) -> Option<KeyId> {
        if candidate.len() > LONGEST_CANDIDATE {
            return None;
        }
        let entries = self.entries.load();
        let place = KeyDigest::of(candidate).place_among(entries.iter().map(|entry| &entry.digest))?;
        let entry = entries.get(place)?;
        entry.last_used.note(self.clock.now());
        Some(entry.id.clone())
    }

    /// What a key changes for its requests; the defaults for a key that is not there (any more). Takes no lock.
    pub fn options(&self, id: &KeyId) -> Arc<KeyOptions> {
        let entries = self.entries.load();
        entries.iter().find(|entry| entry.id == *id).map(|entry| Arc::clone(&entry.options)).unwrap_or_default()
    }

    /// Changes the name, the options or both. `None` when there is no such key. Blocks for a disk sync.
    pub fn update(
        &self,
        id: &KeyId,
        name: Option<&str>,
        options: Option<KeyOptions>,
    ) -> Result<Option<ClientKey>, KeyError> {
        let name = name.map(checked_name).transpose()?;
        if let Some(options) = &options {
            options.check()?;
        }
        let mut changed = None;
        self.change(|entries| {
            let Some(entry) = entries.iter_mut().find(|entry| entry.id == *id) else { return };
            *entry = Arc::new(Entry {
                id: entry.id.clone(),
                name: name.unwrap_or(&entry.name).to_owned(),
                prefix: entry.prefix.clone(),
                digest: entry.digest,
                created_at: entry.created_at,
                last_used: Arc::clone(&entry.last_used),
                options: options.map_or_else(|| Arc::clone(&entry.options), Arc::new),
            });
            changed = Some(entry.view());
        })?;
        Ok(changed)
    }

    /// Changes the options of a key. `None` when there is no such key. Blocks for a disk sync.
    pub fn set_options(&self, id: &KeyId, options: KeyOptions) -> Result<Option<ClientKey>, KeyError> {
        self.update(id, None, Some(options))
    }

    /// Ends a key at once. `false` when there is no such key.
    pub async fn revoke(&self, id: &KeyId) -> Result<bool, KeyError> {
        let mut removed = false;
        self.change(|entries| {
            let before = entries.len();
            entries.retain(|entry| entry.id != *id);
            removed = entries.len() < before;
        })?;
        if removed && let Err(error) = self.credentials.delete(&SecretId::client_key(id.as_str())).await {
            // The key is dead without its digest; its text is rubbish that stays in the store.
            tracing::warn!(key = %id, %error, "the text of a revoked key could not be removed from the store");
        }
        Ok(removed)
    }

    /// The text of a key; `None` when there is no such key.
    pub async fn reveal(&self, id: &KeyId) -> Result<Option<SecretString>, KeyError> {
        if !self.entries.load().iter().any(|entry| entry.id == *id) {
            return Ok(None);
        }
        let secrets = self.credentials.load(&SecretId::client_key(id.as_str())).await?;
        Ok(secrets.and_then(|secrets| secrets.client_key))
    }

    /// Saves when keys were last used. For a timer and for the stop.
    pub fn flush(&self) -> Result<(), KeyError> {
        self.change(|_| ())
    }

    fn change(&self, work: impl FnOnce(&mut Vec<Arc<Entry>>)) -> Result<(), KeyError> {
        let _one_writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let mut entries = Vec::clone(&self.entries.load());
        let before = entries.len();
        work(&mut entries);
        let text = stored::text(&entries).map_err(std::io::Error::other)?;
        if self.dir.read(FILE)?.as_deref() != Some(&text[..]) {
            self.dir.replace(FILE, &text)?;
            if entries.len() < before {
                // The previous generation is what a damaged list falls back to: it must not know a revoked key either.
                self.dir.replace(FILE, &text)?;
            }
        }
        self.entries.store(Arc::new(entries));
        Ok(())
    }
}

fn checked_name(name: &str) -> Result<&str, KeyError> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > 100 || name.chars().any(char::is_control) {
        return Err(KeyError::Name);
    }
    Ok(name)
}

#[cfg(test)]
mod tests;
