//! The file of quotas: what was known at the last save, with its age. Losing it costs one question for each account.

use super::entry::{Entry, Known};
use crate::account::AccountId;
use crate::data_dir::DataDir;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};

const FILE: &str = "quota.json";
const SCHEMA: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Stored {
    schema: u32,
    accounts: BTreeMap<AccountId, StoredEntry>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StoredEntry {
    #[serde(flatten)]
    known: Known,
    #[serde(default)]
    spent: f64,
}

/// What the file, or else its previous generation, says; nothing when neither can be read.
pub(super) fn load(dir: &DataDir) -> HashMap<AccountId, Entry> {
    let parsed = |bytes: Option<Vec<u8>>| {
        serde_json::from_slice::<Stored>(&bytes?).ok().filter(|stored| stored.schema == SCHEMA)
    };
    let current = dir.read(FILE).ok().flatten();
    let stored = parsed(current).or_else(|| parsed(dir.read_previous(FILE).ok().flatten()));
    let Some(stored) = stored else { return HashMap::new() };
    let entry = |(id, stored): (AccountId, StoredEntry)| {
        let StoredEntry { known, spent } = stored;
        (id, Entry { known: Some(known), spent: spent.max(0.0), ..Entry::default() })
    };
    stored.accounts.into_iter().map(entry).collect()
}

pub(super) fn bytes(entries: &HashMap<AccountId, Entry>) -> serde_json::Result<Vec<u8>> {
    let stored = |(id, entry): (&AccountId, &Entry)| {
        let known = entry.known.clone()?;
        Some((id.clone(), StoredEntry { known, spent: entry.spent }))
    };
    serde_json::to_vec(&Stored { schema: SCHEMA, accounts: entries.iter().filter_map(stored).collect() })
}

pub(super) fn save(dir: &DataDir, bytes: &[u8]) -> std::io::Result<()> {
    dir.replace(FILE, bytes)
}
