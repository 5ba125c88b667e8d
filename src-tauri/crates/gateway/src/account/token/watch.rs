//! Watches the files of shared logins, so that a change made by their owner counts within two seconds.
//!
//! The files are looked at once a second instead of asking the system to report changes: one `stat` per shared login costs
//! nothing, sees atomic replacements, a database's write-ahead log, network and container mounts alike, and cannot miss a
//! change that came while nobody listened.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::purchase::{current, hold};
use super::shared::{self, Shared};
use super::{AccessToken, Tokens};
use crate::account::{Account, AccountId, StoppedKind};
use crate::disk::off_thread;

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
    /// Looks until it is cancelled. One file that takes long, because its disk or its lock does, holds up no other.
    pub(crate) async fn watch_owners(self: Arc<Self>, stop: CancellationToken) {
        let mut known: HashMap<AccountId, Outside> = HashMap::new();
        let mut under_way: HashSet<AccountId> = HashSet::new();
        let mut looks = FuturesUnordered::new();
        let mut rounds = tokio::time::interval(EVERY);
        rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                Some((id, seen)) = looks.next() => {
                    under_way.remove(&id);
                    if let Some(outside) = seen {
                        known.insert(id, outside);
                    }
                }
                _ = rounds.tick() => {
                    let accounts = self.parts.roster.list();
                    known.retain(|id, _| accounts.iter().any(|account| account.id == *id));
                    for account in accounts.iter().filter(|account| account.enabled && account.link.is_some()) {
                        if under_way.insert(account.id.clone()) {
                            looks.push(self.look_if_changed(Arc::clone(account), known.get(&account.id).cloned()));
                        }
                    }
                }
            }
        }
    }

    /// Looks into the owner's file when it is not as it was. What it is like then, if that is known and was taken in.
    async fn look_if_changed(&self, account: Arc<Account>, known: Option<Outside>) -> (AccountId, Option<Outside>) {
        let id = account.id.clone();
        let Some(path) = account.link.as_ref().map(|link| link.path.clone()) else { return (id, None) };
        let Ok(outside) = off_thread(move || Outside::of(&path)).await else { return (id, None) };
        let is_new = known.as_ref() != Some(&outside);
        let taken_in = is_new && self.look_at_owner(&account).await.is_ok();
        (id, taken_in.then_some(outside))
    }

    /// The upstream says that the login of `account` is this user's. A shared login that was another one's when it was
    /// added is stopped until a person decides.
    pub(crate) async fn belongs_to(&self, account: &Account, user: &str) {
        let other = account.user_id.as_deref().is_some_and(|known| known != user);
        if other && account.link.is_some() {
            let reason = "the other program is signed in as another person now";
            shared::stop(&self.parts, &self.cell(&account.id), account, reason).await;
        }
    }

    /// Takes what the owner has newer. `Ok(None)` when there is nothing to take.
    pub(super) async fn look_at_owner(&self, account: &Account) -> Result<Option<AccessToken>, super::TokenError> {
        let cell = self.cell(&account.id);
        let _lock = hold(&self.parts, &account.id).await?;
        let Some(account) = self.parts.roster.get(&account.id) else { return Ok(None) };
        let Some(link) = &account.link else { return Ok(None) };
        if self.parts.leases.stopped(&account.id) == Some(StoppedKind::OwnerSwitched) {
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
