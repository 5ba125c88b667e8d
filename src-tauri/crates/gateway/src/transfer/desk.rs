//! What transfers remember between two calls: which logins a person was shown, and that one seal is computed at a time.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;

use super::scan::{Found, Scanned, scan};
use super::{ImportContext, Rejected, from_owner};
use crate::account::{Link, NewAccount};
use crate::clock::Timestamp;
use crate::owner;

/// How long a preview can be added from.
const VALID: Duration = Duration::from_secs(10 * 60);
/// Previews that are kept; a face that scans without end must not fill the memory.
const MOST: usize = 200;

/// A login as it was when a person saw it.
struct Seen {
    link: Link,
    fingerprint: Option<String>,
    until: Timestamp,
}

/// The desk. Secrets never lie on it: what is added is read anew.
pub(crate) struct Desk {
    home: Option<PathBuf>,
    seen: Mutex<HashMap<String, Seen>>,
    /// A seal takes 64 MiB and more: two at once are not needed.
    pub(crate) sealing: Semaphore,
}

impl Desk {
    pub(crate) fn new(home: Option<PathBuf>) -> Self {
        Self { home, seen: Mutex::default(), sealing: Semaphore::new(1) }
    }

    /// Looks around and gives every login a name for the next ten minutes. Blocks on the file system.
    pub(crate) fn look(&self, context: &ImportContext) -> (Vec<(String, Found)>, Scanned) {
        let mut scanned = scan(&owner::places(self.home.as_deref()), context);
        let found: Vec<(String, Found)> =
            scanned.found.drain(..).map(|found| (uuid::Uuid::new_v4().simple().to_string(), found)).collect();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.retain(|_, seen| seen.until > context.now);
        if seen.len() + found.len() > MOST {
            seen.clear();
        }
        for (id, found) in &found {
            let fingerprint = found.new.account.fingerprint.clone();
            let entry = Seen { link: found.link.clone(), fingerprint, until: context.now.plus(VALID) };
            seen.insert(id.clone(), entry);
        }
        (found, scanned)
    }

    /// Reads a login again that a person has seen and chosen. Blocks on the file system.
    pub(crate) fn take(&self, id: &str, as_link: bool, context: &ImportContext) -> Result<NewAccount, Rejected> {
        let refuse = |code: &'static str, message: String| Rejected { index: 0, code, message };
        let (link, fingerprint) = {
            let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            let known = seen.get(id).filter(|seen| seen.until > context.now);
            let known = known
                .ok_or_else(|| refuse("scan_expired", "this result of a scan is too old; scan again".to_owned()))?;
            (known.link.clone(), known.fingerprint.clone())
        };
        let login = owner::read(&link).map_err(|error| refuse(error.code(), error.to_string()))?;
        let login = login.ok_or_else(|| refuse("owner_signed_out", "its program is signed out by now".to_owned()))?;
        let new = from_owner(login, &link, as_link, context)?;
        if new.account.fingerprint != fingerprint {
            return Err(refuse("owner_changed", "its program has another login by now; scan again".to_owned()));
        }
        Ok(new)
    }
}
