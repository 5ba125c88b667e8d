//! Watches the files of shared logins, so that a change made by their owner counts within two seconds.
//!
//! The files are looked at once a second instead of asking the system to report changes: one `stat` per shared login costs
//! nothing, sees atomic replacements, a database's write-ahead log, network and container mounts alike, and cannot miss a
//! change that came while nobody listened.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio_util::sync::CancellationToken;

use super::purchase::{current, hold};
use super::shared::{self, Shared};
use super::{AccessToken, Tokens};
use crate::account::{Account, AccountId, StoppedKind};

const EVERY: Duration = Duration::from_secs(1);

/// What a file and its write-ahead log look like from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Outside([Option<(SystemTime, u64)>; 2]);

impl Outside {
    fn of(path: &str) -> Self {
        let look = |path: &str| {
            let found = Path::new(path).metadata().ok()?;
            Some((found.modified().ok()?, found.len()))
        };
        Self([look(path), look(&format!("{path}-wal"))])
    }
}

impl Tokens {
    /// Looks until it is cancelled.
    pub(crate) async fn watch_owners(self: Arc<Self>, stop: CancellationToken) {
        let mut known: HashMap<AccountId, Outside> = HashMap::new();
        loop {
            let round = async {
                for account in self.parts.roster.list().iter() {
                    let Some(link) = account.link.as_ref().filter(|_| account.enabled) else { continue };
                    let path = link.path.clone();
                    let Ok(outside) = tokio::task::spawn_blocking(move || Outside::of(&path)).await else { continue };
                    if known.get(&account.id) != Some(&outside) && self.look_at_owner(account).await.is_ok() {
                        known.insert(account.id.clone(), outside);
                    }
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = round => {}
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    }

    /// The upstream says that the login of `account` is this user's. A shared login that was another one's when it was
    /// added is stopped until a person decides.
    pub(crate) fn belongs_to(&self, account: &Account, user: &str) {
        let other = account.user_id.as_deref().is_some_and(|known| known != user);
        if other && account.link.is_some() {
            let reason = "the other program is signed in as another person now";
            shared::stop(&self.parts, &self.cell(&account.id), account, reason);
        }
    }

    /// Takes what the owner has newer. `Ok(None)` when there is nothing to take.
    pub(super) async fn look_at_owner(&self, account: &Account) -> Result<Option<AccessToken>, super::TokenError> {
        let cell = self.cell(&account.id);
        let _lock = hold(&self.parts, &account.id).await?;
        let Some(account) = self.parts.roster.get(&account.id) else { return Ok(None) };
        let Some(link) = &account.link else { return Ok(None) };
        if account.stopped.as_ref().is_some_and(|stopped| stopped.kind == StoppedKind::OwnerSwitched) {
            // A person decides, whatever the file says meanwhile.
            return Ok(None);
        }
        let secrets = current(&self.parts, &cell, &account.id).await?;
        match shared::look(&self.parts, &cell, &account, link, secrets).await? {
            Shared::Adopted(token) => {
                cell.end_pause();
                Ok(Some(token))
            }
            Shared::Own(..) => Ok(None),
        }
    }
}
