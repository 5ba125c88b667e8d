//! What a person should be told although nobody looks: once per occasion, and not again after a restart.
//!
//! An occasion is a kind of news about one account (or about all of them) and, for quotas, the period they count in. It is
//! remembered until it is over ([`Notifier::over`]) or so old that it is forgotten. Shortly after the start nothing is told:
//! accounts that recover at once are no news. Leaves out: words; faces translate the kind.

use crate::account::{Account, AccountId};
use crate::admin_event::{AdminEvent, Announcer};
use crate::clock::{Clock, Timestamp};
use crate::data_dir::DataDir;
use crate::disk::DiskLine;
use serde::{Deserialize, Serialize};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;

const FILE: &str = "notifications.json";
/// Occasions that are remembered; the oldest are forgotten first.
const REMEMBERED: usize = 4_000;
/// Nothing is told within this time after the start.
const GRACE: Duration = Duration::from_secs(20);
/// Namespace of the ids.
const IDS: uuid::Uuid = uuid::uuid!("9b0f6c1e-6a55-4f0f-8d6b-0c2f5a1c7e11");

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum NotificationKind {
    /// An account needs a new sign-in.
    NeedsLogin,
    /// The upstream suspended an account.
    Suspended,
    /// Much of an account's quota is used.
    QuotaWarning,
    /// Nearly all of an account's quota is used.
    QuotaAlert,
    /// No account can serve, and none comes back by itself soon.
    AllUnavailable,
    /// Another program switched the login that an account shares with it to another person.
    OwnerSwitched,
    /// A new refresh token could not be saved: a crash now would cost the login.
    UnsavedLogin,
    /// An account's sign-in ends within two weeks, because its client registration does: it needs a new sign-in before.
    SignInEnds,
}

/// An occasion that was told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Occasion {
    kind: NotificationKind,
    account: Option<AccountId>,
    /// What makes it another occasion of the same kind: a quota's period.
    period: String,
    at: Timestamp,
}

impl Occasion {
    fn is(&self, other: &Self) -> bool {
        self.kind == other.kind && self.account == other.account && self.period == other.period
    }
}

#[derive(Debug, Default)]
struct Memory {
    told: Vec<Occasion>,
    /// Waits for the end of the grace.
    waiting: Vec<(Occasion, AdminEvent)>,
    dirty: bool,
}

/// Tells news once.
pub(crate) struct Notifier {
    clock: Arc<dyn Clock>,
    announcer: Announcer,
    opens: Instant,
    kept: Arc<Kept>,
    disk: DiskLine,
}

/// What was told, and where that is saved.
struct Kept {
    dir: Arc<DataDir>,
    memory: Mutex<Memory>,
}

impl std::fmt::Debug for Notifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Notifier").finish_non_exhaustive()
    }
}

impl Notifier {
    /// Remembers what earlier runs told; nothing when that cannot be read, since telling twice does no harm.
    pub(crate) fn open(dir: Arc<DataDir>, clock: Arc<dyn Clock>, announcer: Announcer) -> Self {
        let told = dir.read(FILE).ok().flatten().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let memory = Memory { told: told.unwrap_or_default(), ..Memory::default() };
        let kept = Arc::new(Kept { dir, memory: Mutex::new(memory) });
        Self { clock, announcer, opens: Instant::now() + GRACE, kept, disk: DiskLine::on_the_spot() }
    }

    /// The same where nobody who tells something waits for the disk.
    pub(crate) fn with_disk(self, disk: DiskLine) -> Self {
        Self { disk, ..self }
    }

    /// Tells that something happened to an account, or to all of them, unless that was told and is not over yet. `detail` is for
    /// the log.
    pub(crate) fn tell(&self, kind: NotificationKind, account: Option<&Account>, detail: &str) {
        self.news(kind, account, None, String::new(), detail);
    }

    /// Tells that a quota has reached a threshold, once for each period. `percent` is what is used.
    pub(crate) fn tell_quota(&self, kind: NotificationKind, account: &Account, percent: u8, period: &str) {
        self.news(kind, Some(account), Some(percent), period.to_owned(), &format!("{percent} % used"));
    }

    /// Marks a threshold as told without telling it, because a higher one was reached at once.
    pub(crate) fn skip_quota(&self, kind: NotificationKind, account: &Account, period: &str) {
        let occasion = self.occasion(kind, Some(account), period.to_owned());
        let mut memory = self.memory();
        if !memory.told.iter().any(|known| known.is(&occasion)) {
            memory.remember(occasion);
        }
    }

    /// An occasion is over: it is news again when it comes back. For all accounts when `account` is `None`.
    pub(crate) fn over(&self, kind: NotificationKind, account: Option<&AccountId>) {
        let is = |occasion: &Occasion| occasion.kind == kind && occasion.account.as_ref() == account;
        let mut memory = self.memory();
        memory.waiting.retain(|(occasion, _)| !is(occasion));
        let before = memory.told.len();
        memory.told.retain(|occasion| !is(occasion));
        memory.dirty |= memory.told.len() != before;
    }

    /// Forgets an account that was removed.
    pub(crate) fn forget(&self, account: &AccountId) {
        let is = |occasion: &Occasion| occasion.account.as_ref() == Some(account);
        let mut memory = self.memory();
        memory.waiting.retain(|(occasion, _)| !is(occasion));
        let before = memory.told.len();
        memory.told.retain(|occasion| !is(occasion));
        memory.dirty |= memory.told.len() != before;
    }

    /// Tells what waited for the end of the grace. Runs until then.
    pub(crate) async fn run(self: Arc<Self>, stop: CancellationToken) {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep_until(self.opens) => {}
        }
        let waited = std::mem::take(&mut self.memory().waiting);
        for (occasion, event) in waited {
            self.emit(occasion, event);
        }
        self.save_soon();
    }

    /// Keeps what was told. Blocks for a disk sync.
    pub(crate) fn save(&self) -> std::io::Result<()> {
        self.kept.save()
    }

    fn news(
        &self,
        kind: NotificationKind,
        account: Option<&Account>,
        percent: Option<u8>,
        period: String,
        detail: &str,
    ) {
        let occasion = self.occasion(kind, account, period);
        let name = format!("{kind:?} {} {}", account.map_or("", |account| account.id.as_str()), occasion.period);
        let event = AdminEvent::Notification {
            id: uuid::Uuid::new_v5(&IDS, name.as_bytes()).to_string(),
            kind,
            account: account.map(|account| account.id.clone()),
            label: account.map(|account| account.label.clone()),
            percent,
        };
        {
            let mut memory = self.memory();
            let known = memory.told.iter().any(|known| known.is(&occasion));
            if known || memory.waiting.iter().any(|(known, _)| known.is(&occasion)) {
                return;
            }
            if Instant::now() < self.opens {
                memory.waiting.push((occasion, event));
                return;
            }
        }
        tracing::warn!(
            ?kind,
            account = account.map_or("-", |account| account.id.as_str()),
            detail,
            "something a person should know"
        );
        self.emit(occasion, event);
        self.save_soon();
    }

    fn emit(&self, occasion: Occasion, event: AdminEvent) {
        self.memory().remember(occasion);
        self.announcer.tell(event);
    }

    /// Saved at once, so that a crash does not make it news again; where it cannot be, the next occasion tries.
    fn save_soon(&self) {
        let kept = Arc::clone(&self.kept);
        self.disk.soon(move || {
            if let Err(error) = kept.save() {
                tracing::warn!(%error, "what was told could not be saved");
            }
        });
    }

    fn occasion(&self, kind: NotificationKind, account: Option<&Account>, period: String) -> Occasion {
        Occasion { kind, account: account.map(|account| account.id.clone()), period, at: self.clock.now() }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.kept.memory()
    }
}

impl Kept {
    /// Blocks for a disk sync when there is something new.
    fn save(&self) -> std::io::Result<()> {
        let bytes = {
            let mut memory = self.memory();
            if !memory.dirty {
                return Ok(());
            }
            memory.dirty = false;
            serde_json::to_vec(&memory.told)?
        };
        self.dir.replace(FILE, &bytes).inspect_err(|_| self.memory().dirty = true)
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Memory {
    fn remember(&mut self, occasion: Occasion) {
        self.told.push(occasion);
        let surplus = self.told.len().saturating_sub(REMEMBERED);
        self.told.drain(..surplus);
        self.dirty = true;
    }
}

#[cfg(test)]
mod tests;
