//! When quotas are asked for again, and the loop that does it.

use super::Quotas;
use super::entry::Entry;
use crate::account::{Account, AccountId, AccountState};
use crate::clock::Timestamp;
use crate::upstream::usage::Quota;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use rand::RngExt as _;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Between two questions of an account that is in use.
pub(super) const GAP: Duration = Duration::from_secs(3 * 60);
/// The same when little is left.
pub(super) const SHORT_GAP: Duration = Duration::from_secs(60);
/// The upstream's figures lag behind its answers.
pub(super) const SETTLE: Duration = Duration::from_secs(20);
/// Between two questions after refusals.
const REFUSED_GAP: Duration = Duration::from_secs(30);
/// An idle account's figures are renewed after this time: other programs may use the account, too.
const IDLE: Duration = Duration::from_secs(6 * 60 * 60);
/// A used-up account is looked at this often: its owner may have bought more.
const USED_UP: Duration = Duration::from_secs(30 * 60);
const FIRST_BACKOFF: Duration = Duration::from_secs(60);
const LONGEST_BACKOFF: Duration = Duration::from_secs(60 * 60);
/// Between the starts of two background questions.
pub(super) const PACE: Duration = Duration::from_millis(500);
/// Background questions under way.
const AT_ONCE: usize = 2;
/// At least this often the list of accounts and the wall clock are looked at: timers stand still while a machine sleeps.
const LOOK: Duration = Duration::from_secs(60);
/// Most of an account's share of a crowd's first questions.
const SPREAD: Duration = Duration::from_secs(2);
/// Changes are kept at most this often.
const SAVE: Duration = Duration::from_secs(5);
/// Less than this part left is little.
const LITTLE_PERCENT: f64 = 10.0;

/// After an answer: at the reset, or when it is old.
pub(super) fn after_answer(quota: &Quota, now: Timestamp) -> Instant {
    let idle = jitter(if quota.used_up(now, false) { USED_UP } else { IDLE }, 0.2);
    let reset = quota.resets_at.filter(|at| *at > now).map(|at| at.since(now) + jitter(Duration::from_secs(60), 0.9));
    Instant::now() + reset.map_or(idle, |reset| reset.min(idle))
}

/// After a question without an answer: doubling.
pub(super) fn after_failure(failures: u32) -> Instant {
    let doubled = FIRST_BACKOFF.saturating_mul(1 << failures.saturating_sub(1).min(10)).min(LONGEST_BACKOFF);
    Instant::now() + jitter(doubled, 0.2)
}

/// After a request was charged.
pub(super) fn after_use(entry: &Entry, now: Timestamp, beyond: bool) -> Instant {
    let little = entry.glance(now, beyond).is_none_or(|glance| glance.left_percent < LITTLE_PERCENT);
    let gap = if little { SHORT_GAP } else { GAP };
    let settled = Instant::now() + jitter(SETTLE, 0.3);
    entry.asked.map_or(settled, |asked| settled.max(asked + gap))
}

/// After a refusal.
pub(super) fn after_refusal(entry: &Entry) -> Instant {
    let soon = Instant::now() + jitter(Duration::from_secs(1), 0.5);
    entry.asked.map_or(soon, |asked| soon.max(asked + REFUSED_GAP))
}

/// `span`, shortened or lengthened by up to `share` of it.
fn jitter(span: Duration, share: f64) -> Duration {
    span.mul_f64(1.0 + rand::rng().random_range(-share..share))
}

impl Quotas {
    /// Asks when it is time, until it is cancelled.
    pub(crate) async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut asking = FuturesUnordered::new();
        let mut free = Instant::now();
        let mut saved = Instant::now();
        loop {
            self.expect_all();
            let next = if asking.len() < AT_ONCE { self.next_due() } else { None };
            let wake = next.as_ref().map_or_else(|| Instant::now() + LOOK, |(at, _)| (*at).max(free));
            let wake = wake.min(Instant::now() + LOOK);
            tokio::select! {
                () = stop.cancelled() => return,
                Some(()) = asking.next(), if !asking.is_empty() => {}
                () = self.wake.notified() => {}
                () = tokio::time::sleep_until(wake) => {
                    let now = Instant::now();
                    if let Some((at, account)) = next && at.max(free) <= now {
                        free = now + PACE;
                        self.change(&account.id, |entry| entry.due = None);
                        let quotas = Arc::clone(&self);
                        asking.push(async move {
                            // What went wrong is in the log and in the account's view.
                            let _ = quotas.fresh(&account).await;
                        });
                    }
                }
            }
            if saved.elapsed() >= SAVE {
                saved = Instant::now();
                let quotas = Arc::clone(&self);
                let done = tokio::task::spawn_blocking(move || quotas.save()).await;
                if let Ok(Err(error)) = done {
                    tracing::warn!(%error, "the quotas could not be saved");
                }
            }
        }
    }

    /// Gives every account that was never asked for a time of its own, spread over the crowd, and corrects times that a sleeping
    /// machine missed.
    fn expect_all(&self) {
        let accounts = self.roster.list();
        let crowd = u32::try_from(accounts.len()).unwrap_or(u32::MAX);
        let (now, wall) = (Instant::now(), self.clock.now());
        let mut entries = self.entries();
        for account in accounts.iter().filter(|account| account.enabled && !account.is_demo()) {
            let entry = match entries.get_mut(&account.id) {
                Some(entry) => entry,
                None => entries.entry(account.id.clone()).or_default(),
            };
            let Some(known) = &entry.known else {
                if entry.due.is_none() && entry.asked.is_none() {
                    entry.due = Some(now + SPREAD.saturating_mul(crowd).mul_f64(rand::rng().random_range(0.0..1.0)));
                }
                continue;
            };
            let old = wall.since(known.fetched_at) > IDLE + IDLE / 4;
            let begun = known.quota.resets_at.is_some_and(|at| at <= wall && known.fetched_at < at);
            if (old || begun) && entry.asked.is_none_or(|asked| now - asked > IDLE) {
                let spread = SPREAD.saturating_mul(crowd).mul_f64(rand::rng().random_range(0.0..1.0));
                if entry.due.is_none_or(|due| due > now + SPREAD.saturating_mul(crowd)) {
                    entry.due = Some(now + spread);
                }
            } else if entry.due.is_none() && entry.asked.is_none() {
                entry.due = Some(now + jitter(IDLE, 0.5));
            }
        }
    }

    /// The account that is due first among those that may be asked.
    fn next_due(&self) -> Option<(Instant, Arc<Account>)> {
        let mut due: Vec<(Instant, AccountId)> = {
            let entries = self.entries();
            let waiting = entries.iter().filter(|(_, entry)| !entry.doubtful);
            waiting.filter_map(|(id, entry)| Some((entry.due?, id.clone()))).collect()
        };
        due.sort();
        due.into_iter().find_map(|(at, id)| {
            let account = self.roster.get(&id)?;
            self.may_ask(&account).then_some((at, account))
        })
    }

    /// Accounts that wait for a person are left alone.
    fn may_ask(&self, account: &Account) -> bool {
        match self.leases.state(account) {
            AccountState::Ready { .. }
            | AccountState::CoolingDown { .. }
            | AccountState::Probing { .. }
            | AccountState::Exhausted { .. } => account.enabled,
            AccountState::NeedsLogin { .. }
            | AccountState::Suspended { .. }
            | AccountState::OwnerSwitched { .. }
            | AccountState::Disabled { .. } => false,
        }
    }
}
