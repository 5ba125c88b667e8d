//! Keys that we give to clients. The file holds digests and names; the text of a key is in the credential store, so that a
//! person can look at it again.
//!
//! Promises: checking a key touches no disk, no lock and no store, hashes the candidate and compares it with every key in
//! constant time; so does reading its options. Leaves out: limits per key.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use crate::account::{hex, wrong_tags};
use crate::clock::{Clock, Timestamp};
use crate::credential::{Credentials, SecretId, Secrets, StoreError};
use crate::data_dir::DataDir;
use crate::error::FieldProblem;
use crate::settings::check::FieldErrors;
use crate::settings::{ModelRule, check_rules};

const FILE: &str = "keys.json";
const SCHEMA: u32 = 1;
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

/// What a key changes for the requests that come with it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct KeyOptions {
    /// Hold the beginning of a streamed answer back until its true input tokens are known, where the protocol names them
    /// first. Costs the wait for the first event.
    #[schema(default = false)]
    pub buffered_start: bool,
    /// Rules for model names that hold for this key only, before the rules for all keys.
    #[schema(max_items = 200)]
    pub model_rules: Vec<ModelRule>,
    /// Only accounts with one of these tags answer requests of this key. Without any, every account does.
    #[schema(max_items = 50)]
    pub account_tags: Vec<String>,
}

impl KeyOptions {
    fn check(&self) -> Result<(), KeyError> {
        let mut errors = FieldErrors::default();
        check_rules("options.modelRules", &self.model_rules, &mut errors);
        if let Some(wrong) = wrong_tags(&self.account_tags) {
            errors.refuse("options.accountTags", "invalid_value", wrong);
        }
        if errors.fields.is_empty() { Ok(()) } else { Err(KeyError::Options(errors.fields)) }
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

/// Why keys could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Neither the file nor its previous generation can be read.
    #[error("{file} cannot be read ({detail}), nor can its previous generation")]
    Damaged {
        /// Full path.
        file: String,
        /// What is wrong.
        detail: String,
    },
    /// Names are for people: something to read, not too long.
    #[error("a key needs a name of 1 to 100 characters")]
    Name,
    /// Some options are not acceptable, by path.
    #[error("{}", words(.0))]
    Options(BTreeMap<String, FieldProblem>),
    /// The disk said no; nothing changed.
    #[error("cannot save the list of keys: {0}")]
    Io(#[from] std::io::Error),
    /// The text could not be stored or read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl KeyError {
    /// Stable code for the admin API and the command line.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Damaged { .. } => "keys_file_damaged",
            Self::Name => "key_name_invalid",
            Self::Options(_) => "key_options_invalid",
            Self::Io(_) => "keys_file_io",
            Self::Store(error) => error.code(),
        }
    }

    /// What a person can do about it.
    pub fn action(&self) -> String {
        match self {
            Self::Damaged { file, .. } => {
                format!(
                    "Restore {file} from a backup. To start with a new key, move {file} and {file}.prev away yourself."
                )
            }
            Self::Name => "Give a shorter name, or one at all.".into(),
            Self::Options(_) => "Correct these fields. Nothing was changed.".into(),
            Self::Io(_) => "Free some space and check that the data directory can be written.".into(),
            Self::Store(error) => error.action(),
        }
    }
}

fn words(fields: &BTreeMap<String, FieldProblem>) -> String {
    fields.iter().map(|(path, problem)| format!("{path}: {}", problem.message)).collect::<Vec<_>>().join("; ")
}

#[derive(Serialize, Deserialize)]
struct Stored {
    schema: u32,
    keys: Vec<StoredKey>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StoredKey {
    id: KeyId,
    name: String,
    prefix: String,
    sha256: String,
    created_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_used_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "is_default")]
    options: KeyOptions,
}

fn is_default(options: &KeyOptions) -> bool {
    *options == KeyOptions::default()
}

#[derive(Debug)]
struct Entry {
    id: KeyId,
    name: String,
    prefix: String,
    digest: [u8; 32],
    created_at: Timestamp,
    /// Milliseconds since the epoch; [`NEVER`] when unused. Shared by the entries that follow each other when a key changes.
    last_used: Arc<AtomicI64>,
    options: Arc<KeyOptions>,
}

const NEVER: i64 = i64::MIN;

impl Entry {
    fn view(&self) -> ClientKey {
        let last = self.last_used.load(Ordering::Relaxed);
        ClientKey {
            id: self.id.clone(),
            name: self.name.clone(),
            prefix: self.prefix.clone(),
            created_at: self.created_at,
            last_used_at: (last != NEVER).then_some(Timestamp(last)),
            options: KeyOptions::clone(&self.options),
        }
    }
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
        let entries = load(&dir)?;
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
            digest: Sha256::digest(secret.expose_secret().as_bytes()).into(),
            created_at: self.clock.now(),
            last_used: Arc::new(AtomicI64::new(NEVER)),
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
        let digest: [u8; 32] = Sha256::digest(candidate).into();
        let entries = self.entries.load();
        // Every key is compared, and the hit is kept without a branch: time tells neither which key nor how close.
        let mut found = Choice::from(0);
        let mut at = 0_u64;
        for (index, entry) in (0_u64..).zip(entries.iter()) {
            let hit = entry.digest.ct_eq(&digest);
            at.conditional_assign(&index, hit);
            found |= hit;
        }
        if !bool::from(found) {
            return None;
        }
        let entry = entries.get(usize::try_from(at).ok()?)?;
        entry.last_used.store(self.clock.now().unix_ms(), Ordering::Relaxed);
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
        let keys = entries
            .iter()
            .map(|entry| {
                let view = entry.view();
                StoredKey {
                    id: view.id,
                    name: view.name,
                    prefix: view.prefix,
                    sha256: hex(&entry.digest),
                    created_at: view.created_at,
                    last_used_at: view.last_used_at,
                    options: view.options,
                }
            })
            .collect();
        let text = serde_json::to_vec_pretty(&Stored { schema: SCHEMA, keys }).map_err(std::io::Error::other)?;
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

fn load(dir: &DataDir) -> Result<Vec<Arc<Entry>>, KeyError> {
    let file = dir.file(FILE).display().to_string();
    let current = dir.read(FILE)?;
    let detail = match current.as_deref().map(parse) {
        Some(Ok(entries)) => return Ok(entries),
        Some(Err(detail)) => Some(detail),
        None => None,
    };
    match (detail, dir.read_previous(FILE)?.as_deref().map(parse)) {
        (None, None) => Ok(Vec::new()),
        (detail, Some(Ok(entries))) => {
            tracing::warn!(
                file,
                detail = detail.as_deref().unwrap_or("it is missing"),
                "using the previous list of keys"
            );
            if detail.is_some() {
                dir.set_aside(FILE)?;
            }
            Ok(entries)
        }
        (detail, Some(Err(previous))) => Err(KeyError::Damaged { file, detail: detail.unwrap_or(previous) }),
        (Some(detail), None) => Err(KeyError::Damaged { file, detail }),
    }
}

fn parse(text: &[u8]) -> Result<Vec<Arc<Entry>>, String> {
    let stored: Stored = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    if stored.schema > SCHEMA {
        return Err(format!("schema {} is newer than this program", stored.schema));
    }
    stored.keys.into_iter().map(entry).collect()
}

fn entry(key: StoredKey) -> Result<Arc<Entry>, String> {
    let digest = unhex(&key.sha256).ok_or_else(|| format!("key {} has no valid digest", key.id))?;
    Ok(Arc::new(Entry {
        id: key.id,
        name: key.name,
        prefix: key.prefix,
        digest,
        created_at: key.created_at,
        last_used: Arc::new(AtomicI64::new(key.last_used_at.map_or(NEVER, Timestamp::unix_ms))),
        options: Arc::new(key.options),
    }))
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut digest = [0_u8; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (byte, at) in digest.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(text.get(at..at + 2)?, 16).ok()?;
    }
    Some(digest)
}

#[cfg(test)]
mod tests;
