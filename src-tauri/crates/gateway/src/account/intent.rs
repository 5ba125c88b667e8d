//! What must be known about refreshes after a crash: which account was about to trade which refresh token, and when.
//!
//! An intent is on disk, synced, before a refresh token is sent, and is closed once its answer is safe. One that is found
//! open at a start tells a refresh that was cut short from a grant that died for another reason. The same file counts what
//! the unavoidable window (the service has committed, its answer has not arrived) has cost.
//!
//! Leaves out: what to do about an open intent (`token/purchase`). No token is in these files, only a hash.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{AccountId, hex};
use crate::clock::Timestamp;
use crate::data_dir::{DataDir, read_file, remove_synced, write_synced};
use crate::disk::off_thread;

const FOLDER: &str = "refresh";
const SCHEMA: u32 = 1;

/// Recognises a refresh token without keeping it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct TokenMark(String);

impl TokenMark {
    pub(crate) fn of(token: &SecretString) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"kiro-proxy refresh intent\0");
        hash.update(token.expose_secret().as_bytes());
        Self(hex(&hash.finalize()[..16]))
    }
}

/// One refresh that was begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Intent {
    /// Counts the account's refreshes on this machine, from 1.
    pub(crate) generation: u64,
    /// The refresh token that is traded.
    pub(crate) token: TokenMark,
    /// When.
    pub(crate) at: Timestamp,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    schema: u32,
    account: AccountId,
    last: Intent,
    open: bool,
    #[serde(default)]
    cut_short: u64,
    #[serde(default)]
    lost: u64,
    /// A refresh of this account was answered with a token before.
    #[serde(default)]
    worked: bool,
}

/// What refreshes that were cut short have cost so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CutShort {
    /// Refreshes whose answer never became safe: the program or the connection ended in between.
    pub refreshes: u64,
    /// Logins that this cost: the service had exchanged the refresh token already and takes neither it nor the one before.
    pub logins_lost: u64,
}

/// The intents of all accounts.
#[derive(Debug)]
pub(crate) struct Intents {
    /// `None` when the folder cannot be used: then every opening fails and says so.
    folder: Result<PathBuf, String>,
    records: Mutex<HashMap<AccountId, Record>>,
}

impl Intents {
    /// Reads what the last run left. A record that cannot be read costs a better explanation, never a login, so it is
    /// passed over with a warning.
    pub(crate) fn open(dir: &Arc<DataDir>) -> Self {
        let folder = dir.folder(FOLDER).map_err(|error| error.to_string());
        let mut records = HashMap::new();
        match &folder {
            Ok(folder) => {
                for record in read_all(folder) {
                    records.insert(record.account.clone(), record);
                }
            }
            Err(error) => tracing::warn!(error, "records of refreshes cannot be kept"),
        }
        Self { folder, records: Mutex::new(records) }
    }

    /// The intent that is still open for an account.
    pub(crate) fn pending(&self, id: &AccountId) -> Option<Intent> {
        self.records().get(id).filter(|record| record.open).map(|record| record.last.clone())
    }

    /// Accounts with an open intent.
    pub(crate) fn all_pending(&self) -> Vec<AccountId> {
        self.records().values().filter(|record| record.open).map(|record| record.account.clone()).collect()
    }

    /// Whether a refresh of the account was answered with a token before: then it is sent to the right place.
    pub(crate) fn has_worked(&self, id: &AccountId) -> bool {
        self.records().get(id).is_some_and(|record| record.worked)
    }

    /// The refresh that is under way was answered with a token. On disk with the next change of the record.
    pub(crate) fn worked(&self, id: &AccountId) {
        if let Some(record) = self.records().get_mut(id) {
            record.worked = true;
        }
    }

    /// Counts over all accounts.
    pub(crate) fn cut_short(&self) -> CutShort {
        self.records().values().fold(CutShort::default(), |sum, record| CutShort {
            refreshes: sum.refreshes + record.cut_short,
            logins_lost: sum.logins_lost + record.lost,
        })
    }

    /// Says, synced, that `token` is about to be traded. An open intent for the same token counts as cut short.
    pub(crate) async fn begin(self: &Arc<Self>, id: &AccountId, token: &SecretString, at: Timestamp) -> io::Result<()> {
        let token = TokenMark::of(token);
        let before = self.records().get(id).cloned();
        let again = before.as_ref().is_some_and(|record| record.open && record.last.token == token);
        let generation = before.as_ref().map_or(1, |record| record.last.generation + u64::from(!again));
        self.put(Record {
            schema: SCHEMA,
            account: id.clone(),
            last: Intent { generation, token, at },
            open: true,
            cut_short: before.as_ref().map_or(0, |record| record.cut_short) + u64::from(again),
            lost: before.as_ref().map_or(0, |record| record.lost),
            worked: before.is_some_and(|record| record.worked),
        })
        .await
    }

    /// The answer is safe, or it was certain that nothing was traded.
    pub(crate) async fn close(self: &Arc<Self>, id: &AccountId) {
        let Some(record) = self.records().get(id).filter(|record| record.open).cloned() else { return };
        // Found open again after a power cut, it is recognised by its token: a failure here costs nothing.
        if let Err(error) = self.put(Record { open: false, ..record }).await {
            tracing::debug!(account = %id, %error, "the record of a finished refresh could not be saved");
        }
    }

    /// The login is gone because an answer never arrived.
    pub(crate) async fn lost(self: &Arc<Self>, id: &AccountId) {
        let Some(record) = self.records().get(id).cloned() else { return };
        let lost = Record { open: false, lost: record.lost + 1, ..record };
        if let Err(error) = self.put(lost).await {
            tracing::warn!(account = %id, %error, "the count of lost logins could not be saved");
        }
    }

    /// Drops what is known of an account that was removed.
    pub(crate) async fn forget(&self, id: &AccountId) -> io::Result<()> {
        self.records().remove(id);
        let (record, lock) = (self.file(id, "json")?, self.file(id, "lock")?);
        off_thread(move || remove_synced(&record).and_then(|()| remove_synced(&lock))).await?
    }

    /// The file that an account of ours alone is locked by.
    pub(crate) fn lock_file(&self, id: &AccountId) -> io::Result<PathBuf> {
        self.file(id, "lock")
    }

    async fn put(self: &Arc<Self>, record: Record) -> io::Result<()> {
        let path = self.file(&record.account, "json")?;
        let text = serde_json::to_vec(&record).map_err(io::Error::other)?;
        off_thread(move || write_synced(&path, &text)).await??;
        self.records().insert(record.account.clone(), record);
        Ok(())
    }

    fn file(&self, id: &AccountId, extension: &str) -> io::Result<PathBuf> {
        let folder = self.folder.as_ref().map_err(|error| io::Error::other(error.clone()))?;
        // Ids come from a file that a person can edit; names of ours must not follow them out of the folder.
        let name = hex(&Sha256::digest(id.as_str().as_bytes())[..16]);
        Ok(folder.join(format!("{name}.{extension}")))
    }

    fn records(&self) -> MutexGuard<'_, HashMap<AccountId, Record>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read_all(folder: &Path) -> Vec<Record> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => {
            tracing::warn!(%error, "records of refreshes cannot be read");
            return Vec::new();
        }
    };
    entries
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            if path.extension()? != "json" {
                return None;
            }
            let content = read_file(&path).ok().flatten()?;
            let record = serde_json::from_slice::<Record>(&content).ok().filter(|record| record.schema == SCHEMA);
            if record.is_none() {
                tracing::warn!(file = %path.display(), "the record of a refresh cannot be read and is passed over");
            }
            record
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(root: &tempfile::TempDir) -> Arc<Intents> {
        let dir = Arc::new(DataDir::open(Some(root.path().join("state"))).expect("opens"));
        Arc::new(Intents::open(&dir))
    }

    fn token(text: &str) -> SecretString {
        SecretString::from(text.to_owned())
    }

    #[tokio::test]
    async fn an_intent_is_on_disk_before_and_closed_after() {
        let root = tempfile::tempdir().expect("temp dir");
        let id = AccountId::random();
        let intents = opened(&root);
        intents.begin(&id, &token("one"), Timestamp(5)).await.expect("saved");
        drop(intents);
        let intents = opened(&root);
        let open = intents.pending(&id).expect("still open");
        assert_eq!((open.generation, open.token, open.at), (1, TokenMark::of(&token("one")), Timestamp(5)));
        intents.close(&id).await;
        drop(intents);
        assert_eq!(opened(&root).pending(&id), None);
    }

    #[tokio::test]
    async fn the_same_token_once_more_counts_as_cut_short_and_another_one_does_not() {
        let root = tempfile::tempdir().expect("temp dir");
        let id = AccountId::random();
        let intents = opened(&root);
        intents.begin(&id, &token("one"), Timestamp(1)).await.expect("saved");
        intents.begin(&id, &token("two"), Timestamp(2)).await.expect("saved");
        assert_eq!(intents.cut_short(), CutShort::default());
        intents.begin(&id, &token("two"), Timestamp(3)).await.expect("saved");
        assert_eq!(intents.cut_short(), CutShort { refreshes: 1, logins_lost: 0 });
        assert_eq!(
            intents.pending(&id).map(|open| open.generation),
            Some(2),
            "one generation however often it is tried"
        );
        intents.lost(&id).await;
        assert_eq!((intents.pending(&id), intents.cut_short().logins_lost), (None, 1));
        drop(intents);
        assert_eq!(opened(&root).cut_short(), CutShort { refreshes: 1, logins_lost: 1 });
    }

    #[tokio::test]
    async fn a_damaged_record_is_passed_over_and_no_token_is_in_any_file() {
        let root = tempfile::tempdir().expect("temp dir");
        let (id, other) = (AccountId::random(), AccountId::random());
        let intents = opened(&root);
        intents.begin(&id, &token("a-secret-token"), Timestamp(1)).await.expect("saved");
        intents.begin(&other, &token("a-secret-token"), Timestamp(1)).await.expect("saved");
        let damaged = intents.file(&id, "json").expect("a path");
        let text = String::from_utf8(read_file(&damaged).expect("reads").expect("there")).expect("text");
        assert!(!text.contains("a-secret-token"), "{text}");
        write_synced(&damaged, b"{\"schema\":1,").expect("damaged");
        drop(intents);
        let intents = opened(&root);
        assert_eq!((intents.pending(&id), intents.all_pending()), (None, vec![other]));
        // What could not be read does not stand in the way.
        intents.begin(&id, &token("next"), Timestamp(2)).await.expect("saved");
    }
}
