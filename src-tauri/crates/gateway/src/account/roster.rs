//! The list of accounts and its file. A damaged file falls back to the previous generation, else the program refuses to
//! start: an empty list is never written over accounts that a person still has.
//!
//! A removed account is out of the list at once, and stays in the file as *leaving* until its secrets are gone: whatever cuts the
//! removal short, the next start finds what is left to do.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use serde::{Deserialize, Serialize};

use super::{Account, AccountId};
use crate::clock::Timestamp;
use crate::credential::SecretId;
use crate::data_dir::DataDir;
use crate::data_dir::versioned::{self, Found, Unreadable};

const FILE: &str = "accounts.json";
const SCHEMA: u32 = 1;

/// Why the list could not be read or saved.
#[derive(Debug, thiserror::Error)]
pub enum RosterError {
    /// Neither the file nor its previous generation can be read.
    #[error("{file} cannot be read ({detail}), nor can its previous generation")]
    Damaged {
        /// Full path.
        file: String,
        /// What is wrong.
        detail: String,
    },
    /// Written by a later version.
    #[error("{file} was written by a newer Kiro Proxy (schema {found}, this one knows {SCHEMA})")]
    Newer {
        /// Full path.
        file: String,
        /// Its schema.
        found: u32,
    },
    /// The disk said no; what was there before is unchanged.
    #[error("cannot save the list of accounts: {0}")]
    Io(#[from] std::io::Error),
}

impl RosterError {
    /// Stable code for the admin API and the command line.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Damaged { .. } => "accounts_file_damaged",
            Self::Newer { .. } => "accounts_file_newer",
            Self::Io(_) => "accounts_file_io",
        }
    }

    /// What a person can do about it.
    pub fn action(&self) -> String {
        match self {
            Self::Damaged { file, .. } => format!(
                "Restore {file} from a backup. To start without accounts, move {file} and {file}.prev away yourself."
            ),
            Self::Newer { .. } => "Start the newer Kiro Proxy, or use another --data-dir.".into(),
            Self::Io(_) => "Free some space and check that the data directory can be written.".into(),
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Stored {
    schema: u32,
    accounts: Vec<Arc<Account>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    leaving: Vec<Leaving>,
}

/// A removed account whose secrets may still be in the store.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Leaving {
    /// As it was.
    pub account: Arc<Account>,
    /// Its place in the list.
    place: usize,
    /// Until when a person can take it back. Not saved: a restart ends the time for that.
    #[serde(skip)]
    pub undo_until: Option<Timestamp>,
}

/// The accounts in the order they were added. One writer; readers take a snapshot.
#[derive(Debug)]
pub struct Roster {
    dir: Arc<DataDir>,
    snapshot: ArcSwap<Lists>,
    writer: Mutex<()>,
}

/// The list, and the part of it that may serve.
#[derive(Debug)]
struct Lists {
    all: Arc<Vec<Arc<Account>>>,
    pool: Arc<Vec<Arc<Account>>>,
    leaving: Arc<Vec<Leaving>>,
}

impl Lists {
    fn new(all: Vec<Arc<Account>>, leaving: Vec<Leaving>) -> Self {
        let any_real = all.iter().any(|account| !account.is_demo());
        let serves = |account: &&Arc<Account>| account.enabled && account.is_demo() != any_real;
        let pool = all.iter().filter(serves).cloned().collect();
        Self { all: Arc::new(all), pool: Arc::new(pool), leaving: Arc::new(leaving) }
    }
}

impl Roster {
    /// Reads the list.
    pub fn open(dir: Arc<DataDir>) -> Result<Self, RosterError> {
        let Stored { accounts, leaving, .. } = load(&dir)?;
        Ok(Self { dir, snapshot: ArcSwap::from_pointee(Lists::new(accounts, leaving)), writer: Mutex::new(()) })
    }

    /// The accounts that may serve: real ones that are switched on, or the demo account while there is no real one.
    pub fn pool(&self) -> Arc<Vec<Arc<Account>>> {
        Arc::clone(&self.snapshot.load().pool)
    }

    /// The accounts now.
    pub fn list(&self) -> Arc<Vec<Arc<Account>>> {
        Arc::clone(&self.snapshot.load().all)
    }

    /// One account.
    pub fn get(&self, id: &AccountId) -> Option<Arc<Account>> {
        self.snapshot.load().all.iter().find(|account| account.id == *id).cloned()
    }

    /// The removed accounts whose secrets may still be in the store.
    pub fn leaving(&self) -> Arc<Vec<Leaving>> {
        Arc::clone(&self.snapshot.load().leaving)
    }

    /// Whether the account's secrets still matter: it is in the list, or can be taken back into it.
    pub(crate) fn keeps(&self, id: &AccountId) -> bool {
        let lists = self.snapshot.load();
        let takable = |one: &Leaving| one.account.id == *id && one.undo_until.is_some();
        lists.all.iter().any(|account| account.id == *id) || lists.leaving.iter().any(takable)
    }

    /// The record of the account's secrets in the store, also while it is leaving.
    pub(crate) fn secret_id(&self, id: &AccountId) -> SecretId {
        let lists = self.snapshot.load();
        let known = lists.all.iter().chain(lists.leaving.iter().map(|one| &one.account)).find(|known| known.id == *id);
        known.map_or_else(|| SecretId::account(id), |known| known.secret_id())
    }

    /// Adds an account, or replaces the one with the same id in its place. Blocks for a disk sync.
    pub fn add(&self, account: Account) -> Result<Arc<Account>, RosterError> {
        let account = Arc::new(account);
        self.change(|list, _| {
            match list.iter_mut().find(|known| known.id == account.id) {
                Some(known) => *known = Arc::clone(&account),
                None => list.push(Arc::clone(&account)),
            }
            Some(())
        })?;
        Ok(account)
    }

    /// Puts an account in the place of the one with the same id, from which it takes what a person chose and what was found out as
    /// they are at this moment; adds it where there is none. Blocks for a disk sync.
    pub(crate) fn put(&self, mut account: Account) -> Result<Option<Arc<Account>>, RosterError> {
        self.change(|list, _| {
            let known = list.iter_mut().find(|known| known.id == account.id);
            if let Some(known) = &known {
                account.keep_from(known);
            }
            let account = Arc::new(account);
            match known {
                Some(known) => *known = Arc::clone(&account),
                None => list.push(Arc::clone(&account)),
            }
            Some(account)
        })
    }

    /// `older` becomes what `newer` is, but for what [`Account::keep_from`] keeps, and `newer` leaves for good with the record of
    /// secrets that `older` had: one change, in which the login changes its account without moving. `None`, and nothing is changed,
    /// when one of the two is not in the list. Blocks for a disk sync.
    pub(crate) fn hand_over(&self, newer: &AccountId, older: &AccountId) -> Result<Option<Arc<Account>>, RosterError> {
        self.change(|list, leaving| {
            let place = list.iter().position(|known| known.id == *newer)?;
            let mut leaves = Account::clone(&list[place]);
            let known = list.iter_mut().find(|known| known.id == *older && known.id != *newer)?;
            let mut account = leaves.clone();
            account.keep_from(known);
            account.swap_records(&mut leaves);
            let account = Arc::new(account);
            *known = Arc::clone(&account);
            list.remove(place);
            leaving.push(Leaving { account: Arc::new(leaves), place, undo_until: None });
            Some(account)
        })
    }

    /// Takes an account out of the list and returns it; it is *leaving* until [`Self::forget`], and can be taken back if
    /// `undo_until` says so. Blocks for a disk sync.
    pub fn remove(&self, id: &AccountId, undo_until: Option<Timestamp>) -> Result<Option<Arc<Account>>, RosterError> {
        self.change(|list, leaving| {
            let place = list.iter().position(|known| known.id == *id)?;
            let account = list.remove(place);
            leaving.push(Leaving { account: Arc::clone(&account), place, undo_until });
            Some(account)
        })
    }

    /// Puts a removed account back in its place; `None` when that is not possible any more. Blocks for a disk sync.
    pub fn take_back(&self, id: &AccountId) -> Result<Option<Arc<Account>>, RosterError> {
        self.change(|list, leaving| {
            let at = leaving.iter().position(|one| one.account.id == *id && one.undo_until.is_some())?;
            let Leaving { account, place, .. } = leaving.remove(at);
            list.insert(place.min(list.len()), Arc::clone(&account));
            Some(account)
        })
    }

    /// Ends the time in which a removed account can be taken back. `false` when it is not leaving. Blocks while somebody else
    /// waits for the disk.
    pub(crate) fn end_undo(&self, id: &AccountId) -> bool {
        let _one_writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let lists = self.snapshot.load();
        let mut leaving = Vec::clone(&lists.leaving);
        let Some(one) = leaving.iter_mut().find(|one| one.account.id == *id) else { return false };
        one.undo_until = None;
        let lists = Lists { all: Arc::clone(&lists.all), pool: Arc::clone(&lists.pool), leaving: Arc::new(leaving) };
        self.snapshot.store(Arc::new(lists));
        true
    }

    /// The secrets of a removed account are gone: so is its record now. Blocks for a disk sync.
    pub(crate) fn forget(&self, id: &AccountId) -> Result<(), RosterError> {
        let gone = self.change(|_, leaving| {
            let at = leaving.iter().position(|one| one.account.id == *id)?;
            leaving.remove(at);
            Some(())
        });
        gone.map(|_| ())
    }

    /// Changes an account and returns it as it is then; `None` when there is no such account. Blocks for a disk sync.
    pub fn update(
        &self,
        id: &AccountId,
        change: impl FnOnce(&mut Account),
    ) -> Result<Option<Arc<Account>>, RosterError> {
        self.change(|list, _| {
            let known = list.iter_mut().find(|known| known.id == *id)?;
            let mut account = Account::clone(known);
            change(&mut account);
            // Id and record name the secrets: a change may not move them to another account.
            account.id = id.clone();
            account.record = known.record.clone();
            *known = Arc::new(account);
            Some(Arc::clone(known))
        })
    }

    /// Applies `work` to copies, saves them, then publishes them. `None` from `work` changes nothing.
    fn change<T>(
        &self,
        work: impl FnOnce(&mut Vec<Arc<Account>>, &mut Vec<Leaving>) -> Option<T>,
    ) -> Result<Option<T>, RosterError> {
        let _one_writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let lists = self.snapshot.load();
        let (mut accounts, mut leaving) = (Vec::clone(&lists.all), Vec::clone(&lists.leaving));
        let Some(result) = work(&mut accounts, &mut leaving) else { return Ok(None) };
        let stored = Stored { schema: SCHEMA, accounts, leaving };
        let text = serde_json::to_vec_pretty(&stored).map_err(std::io::Error::other)?;
        self.dir.replace(FILE, &text)?;
        self.snapshot.store(Arc::new(Lists::new(stored.accounts, stored.leaving)));
        Ok(Some(result))
    }
}

fn load(dir: &DataDir) -> Result<Stored, RosterError> {
    let file = dir.file(FILE).display().to_string();
    let found = match versioned::read::<Stored>(dir, FILE, SCHEMA) {
        Ok(found) => found,
        Err(Unreadable::Newer(found)) => return Err(RosterError::Newer { file, found }),
        Err(Unreadable::Damaged(detail)) => return Err(RosterError::Damaged { file, detail }),
        Err(Unreadable::Io(error)) => return Err(error.into()),
    };
    let Some(Found { value: mut stored, fallback }) = found else {
        return Ok(Stored { schema: SCHEMA, accounts: Vec::new(), leaving: Vec::new() });
    };
    if let Some(why) = fallback {
        // A file that vanished counts as damaged: a person who wants none removes both.
        tracing::warn!(file, detail = %why, "using the previous list of accounts");
        // Whether these were taken back afterwards is not known: an account too many can be removed once more.
        stored.accounts.extend(stored.leaving.drain(..).map(|one| one.account));
    }
    Ok(stored)
}

#[cfg(test)]
mod tests;
