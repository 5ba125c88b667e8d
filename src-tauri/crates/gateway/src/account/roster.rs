//! The list of accounts and its file. A damaged file falls back to the previous generation, else the program refuses to
//! start: an empty list is never written over accounts that a person still has.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use serde::{Deserialize, Serialize};

use super::{Account, AccountId};
use crate::data_dir::DataDir;

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
}

#[derive(Deserialize)]
struct Version {
    schema: u32,
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
}

impl Lists {
    fn new(all: Vec<Arc<Account>>) -> Self {
        let any_real = all.iter().any(|account| !account.is_demo());
        let serves = |account: &&Arc<Account>| account.enabled && account.is_demo() != any_real;
        let pool = all.iter().filter(serves).cloned().collect();
        Self { all: Arc::new(all), pool: Arc::new(pool) }
    }
}

impl Roster {
    /// Reads the list.
    pub fn open(dir: Arc<DataDir>) -> Result<Self, RosterError> {
        let accounts = load(&dir)?;
        Ok(Self { dir, snapshot: ArcSwap::from_pointee(Lists::new(accounts)), writer: Mutex::new(()) })
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

    /// Adds an account, or replaces the one with the same id in its place. Blocks for a disk sync.
    pub fn add(&self, account: Account) -> Result<Arc<Account>, RosterError> {
        let account = Arc::new(account);
        self.change(|list| {
            match list.iter_mut().find(|known| known.id == account.id) {
                Some(known) => *known = Arc::clone(&account),
                None => list.push(Arc::clone(&account)),
            }
            Some(())
        })?;
        Ok(account)
    }

    /// Removes an account and returns it. Blocks for a disk sync.
    pub fn remove(&self, id: &AccountId) -> Result<Option<Arc<Account>>, RosterError> {
        self.change(|list| {
            let at = list.iter().position(|known| known.id == *id)?;
            Some(list.remove(at))
        })
    }

    /// Changes an account and returns it as it is then; `None` when there is no such account. Blocks for a disk sync.
    pub fn update(
        &self,
        id: &AccountId,
        change: impl FnOnce(&mut Account),
    ) -> Result<Option<Arc<Account>>, RosterError> {
        self.change(|list| {
            let known = list.iter_mut().find(|known| known.id == *id)?;
            let mut account = Account::clone(known);
            change(&mut account);
            // The id names the secrets: a change may not move them to another account.
            account.id = id.clone();
            *known = Arc::new(account);
            Some(Arc::clone(known))
        })
    }

    /// Applies `work` to a copy, saves the copy, then publishes it. `None` from `work` changes nothing.
    fn change<T>(&self, work: impl FnOnce(&mut Vec<Arc<Account>>) -> Option<T>) -> Result<Option<T>, RosterError> {
        let _one_writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let mut list = Vec::clone(&self.snapshot.load().all);
        let Some(result) = work(&mut list) else { return Ok(None) };
        let stored = Stored { schema: SCHEMA, accounts: list };
        let text = serde_json::to_vec_pretty(&stored).map_err(std::io::Error::other)?;
        self.dir.replace(FILE, &text)?;
        self.snapshot.store(Arc::new(Lists::new(stored.accounts)));
        Ok(Some(result))
    }
}

fn load(dir: &DataDir) -> Result<Vec<Arc<Account>>, RosterError> {
    let file = dir.file(FILE).display().to_string();
    let current = dir.read(FILE)?;
    let detail = match current.as_deref().map(parse) {
        Some(Ok(accounts)) => return Ok(accounts),
        Some(Err(Unreadable::Newer(found))) => return Err(RosterError::Newer { file, found }),
        Some(Err(Unreadable::Damaged(detail))) => Some(detail),
        None => None,
    };
    match (detail, dir.read_previous(FILE)?.as_deref().map(parse)) {
        (None, None) => Ok(Vec::new()),
        (detail, Some(Ok(accounts))) => {
            // A file that vanished counts as damaged: a person who wants none removes both.
            tracing::warn!(
                file,
                detail = detail.as_deref().unwrap_or("it is missing"),
                "using the previous list of accounts"
            );
            if detail.is_some() {
                dir.set_aside(FILE)?;
            }
            Ok(accounts)
        }
        (_, Some(Err(Unreadable::Newer(found)))) => Err(RosterError::Newer { file, found }),
        (detail, Some(Err(Unreadable::Damaged(previous)))) => {
            Err(RosterError::Damaged { file, detail: detail.unwrap_or(previous) })
        }
        (Some(detail), None) => Err(RosterError::Damaged { file, detail }),
    }
}

enum Unreadable {
    Newer(u32),
    Damaged(String),
}

fn parse(text: &[u8]) -> Result<Vec<Arc<Account>>, Unreadable> {
    let damaged = |error: serde_json::Error| Unreadable::Damaged(error.to_string());
    let version: Version = serde_json::from_slice(text).map_err(damaged)?;
    if version.schema > SCHEMA {
        return Err(Unreadable::Newer(version.schema));
    }
    let stored: Stored = serde_json::from_slice(text).map_err(damaged)?;
    Ok(stored.accounts)
}

#[cfg(test)]
mod tests;
