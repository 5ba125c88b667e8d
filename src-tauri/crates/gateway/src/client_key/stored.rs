//! The file of keys: digests, names and options, never the text of a key.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::digest::KeyDigest;
use super::entry::{Entry, LastUse};
use super::{KeyError, KeyId, KeyOptions};
use crate::clock::Timestamp;
use crate::data_dir::DataDir;
use crate::data_dir::versioned::{self, Found, Unreadable};

pub(super) const FILE: &str = "keys.json";
pub(super) const SCHEMA: u32 = 1;

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
    sha256: KeyDigest,
    created_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_used_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "is_default")]
    options: KeyOptions,
}

fn is_default(options: &KeyOptions) -> bool {
    *options == KeyOptions::default()
}

/// The keys of the file, or else of its previous generation.
pub(super) fn load(dir: &DataDir) -> Result<Vec<Arc<Entry>>, KeyError> {
    let file = dir.file(FILE).display().to_string();
    let found = match versioned::read::<Stored>(dir, FILE, SCHEMA) {
        Ok(found) => found,
        Err(Unreadable::Newer(found)) => return Err(KeyError::Newer { file, found }),
        Err(Unreadable::Damaged(detail)) => return Err(KeyError::Damaged { file, detail }),
        Err(Unreadable::Io(error)) => return Err(error.into()),
    };
    let Some(Found { value, fallback }) = found else { return Ok(Vec::new()) };
    if let Some(why) = fallback {
        tracing::warn!(file, detail = %why, "using the previous list of keys");
    }
    Ok(value.keys.into_iter().map(entry).collect())
}

fn entry(key: StoredKey) -> Arc<Entry> {
    Arc::new(Entry {
        id: key.id,
        name: key.name,
        prefix: key.prefix,
        digest: key.sha256,
        created_at: key.created_at,
        last_used: Arc::new(LastUse::new(key.last_used_at)),
        options: Arc::new(key.options),
    })
}

/// The file's content for these keys.
pub(super) fn text(entries: &[Arc<Entry>]) -> serde_json::Result<Vec<u8>> {
    let keys = entries.iter().map(|entry| StoredKey {
        id: entry.id.clone(),
        name: entry.name.clone(),
        prefix: entry.prefix.clone(),
        sha256: entry.digest,
        created_at: entry.created_at,
        last_used_at: entry.last_used.get(),
        options: KeyOptions::clone(&entry.options),
    });
    serde_json::to_vec_pretty(&Stored { schema: SCHEMA, keys: keys.collect() })
}
