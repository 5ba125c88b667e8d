//! What every account may use and has used: kept with its age, asked for again gently, and told to whoever chooses accounts.
//!
//! Promises: an account is asked for at most once at a time and, unless a person or a refusal wants it, at most every few
//! minutes; background questions start one after the other, so that a thousand accounts are no storm. Between two answers,
//! credits that requests were charged are taken off what is left. Unknown is never taken for used up. The file `quota.json`
//! holds no secret. Leaves out: how the question is worded (`upstream`), and what an account's state means (`account/state`).

mod entry;
mod schedule;
mod stored;
mod view;

use crate::account::{Account, AccountId, AccountState, Leases, Roster, RosterError, Signal};
use crate::clock::{Clock, Timestamp};
use crate::data_dir::DataDir;
use crate::disk::off_thread;
use crate::inquiry::{Inquiry, InquiryError};
use crate::notify::{NotificationKind, Notifier};
use crate::settings::QuotaSettings;
use crate::upstream::classify::Kind;
use crate::upstream::usage::{Quota, UsageAnswer};
use arc_swap::ArcSwap;
use entry::{Entry, Known};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

pub(crate) use view::QuotaView;

/// How long an account rests after a refusal although the upstream says that something is left: one of the two is behind.
const CONTRADICTED: Duration = Duration::from_secs(5 * 60);

/// How long an account rests when its reset is not known.
const UNKNOWN_RESET: Duration = Duration::from_secs(60 * 60);

/// The quotas of all accounts.
pub(crate) struct Quotas {
    inquiry: Inquiry,
    roster: Arc<Roster>,
    leases: Arc<Leases>,
    notifier: Arc<Notifier>,
    clock: Arc<dyn Clock>,
    dir: Arc<DataDir>,
    rules: ArcSwap<QuotaSettings>,
    entries: Mutex<HashMap<AccountId, Entry>>,
    /// Something is due earlier than thought.
    wake: Notify,
    dirty: AtomicBool,
}

/// What other parts a quota keeper leans on.
pub(crate) struct Means {
    pub(crate) inquiry: Inquiry,
    pub(crate) roster: Arc<Roster>,
    pub(crate) leases: Arc<Leases>,
    pub(crate) notifier: Arc<Notifier>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) dir: Arc<DataDir>,
}

impl Quotas {
    /// Reads what earlier runs learned and tells it to whoever chooses accounts.
    pub(crate) fn open(means: Means, rules: QuotaSettings) -> Self {
        let Means { inquiry, roster, leases, notifier, clock, dir } = means;
        let entries = stored::load(&dir);
        let quotas = Self {
            inquiry,
            roster,
            leases,
            notifier,
            clock,
            dir,
            rules: ArcSwap::from_pointee(rules),
            entries: Mutex::new(entries),
            wake: Notify::new(),
            dirty: AtomicBool::new(false),
        };
        quotas.apply_all();
        quotas
    }

    /// Takes over changed settings.
    pub(crate) fn follow(&self, rules: &QuotaSettings) {
        if **self.rules.load() != *rules {
            self.rules.store(Arc::new(rules.clone()));
            self.apply_all();
        }
    }

    /// Whether this account must not be used beyond its plan.
    pub(crate) fn never_overage(&self, account: &Account) -> bool {
        account.wishes.never_overage.unwrap_or_else(|| self.rules.load().never_overage)
    }

    /// The settings or the account's wishes may have changed.
    pub(crate) fn reconsider(&self, account: &Account) {
        self.apply(account, false);
    }

    /// What is known, for faces. `None` while nothing was ever asked.
    pub(crate) fn view(&self, account: &Account) -> Option<QuotaView> {
        let beyond = !self.never_overage(account);
        view::view(self.entries().get(&account.id)?, self.clock.now(), beyond)
    }

    /// What the upstream said last.
    pub(crate) fn known(&self, id: &AccountId) -> Option<Quota> {
        Some(self.entries().get(id)?.known.as_ref()?.quota.clone())
    }

    /// Title of the account's plan, where known.
    pub(crate) fn plan(&self, id: &AccountId) -> Option<String> {
        self.entries().get(id)?.known.as_ref()?.quota.plan.clone()
    }

    /// Asks now. Whoever comes while an answer is under way shares it.
    pub(crate) async fn fresh(&self, account: &Account) -> Result<(), InquiryError> {
        let since = Instant::now();
        let gate = self.change(&account.id, |entry| Arc::clone(&entry.gate));
        let _one = gate.lock().await;
        let shared =
            self.change(&account.id, |entry| entry.answered.filter(|at| *at >= since).map(|_| entry.error.clone()));
        if let Some(shared) = shared {
            return shared.map_or(Ok(()), Err);
        }
        self.change(&account.id, |entry| {
            // Holds only when whoever asks leaves before the answer: an answer says itself when the next one is due.
            entry.due = Some(schedule::after_failure(entry.failures.saturating_add(1)));
            entry.asked = Some(Instant::now());
        });
        match self.inquiry.usage(account).await {
            Ok(answer) => {
                self.learned(account, answer).await;
                Ok(())
            }
            Err(error) => {
                self.missed(account, &error);
                Err(error)
            }
        }
    }

    /// Keeps an answer, whoever asked for it.
    async fn learned(&self, account: &Account, answer: UsageAnswer) {
        let UsageAnswer { quota, user_id, email } = answer;
        let now = self.clock.now();
        // Whose a shared login is was decided when it was added.
        let may_change = account.link.is_none() || account.user_id.is_none();
        let news = (user_id.is_some() && account.user_id != user_id) || (email.is_some() && account.email.is_none());
        if may_change && news {
            let (roster, id) = (Arc::clone(&self.roster), account.id.clone());
            let kept = off_thread(move || {
                roster.update(&id, |account| {
                    account.user_id = user_id.or_else(|| account.user_id.take());
                    account.email = account.email.take().or(email);
                })
            });
            if let Err(error) = kept.await.map_err(RosterError::Io).flatten() {
                tracing::warn!(account = %account.id, %error, "the account's user id could not be saved");
            }
        }
        let due = schedule::after_answer(&quota, now);
        self.change(&account.id, |entry| {
            entry.known = Some(Known { quota, fetched_at: now });
            entry.spent = 0.0;
            entry.problem = None;
            entry.error = None;
            entry.failures = 0;
            entry.doubtful = false;
            entry.answered = Some(Instant::now());
            entry.due = Some(due);
        });
        self.dirty.store(true, Ordering::Relaxed);
        self.apply(account, true);
        self.wake.notify_one();
    }

    fn missed(&self, account: &Account, error: &InquiryError) {
        tracing::info!(account = %account.id, %error, "the quota could not be asked for");
        // Suspension is declared by answers to conversations only: this call says so in other cases, too (kiro-upstream §8).
        let doubtful = error.kind() == Some(Kind::Suspended);
        self.change(&account.id, |entry| {
            entry.problem = Some(error.problem());
            entry.error = Some(error.clone());
            entry.answered = Some(Instant::now());
            entry.failures = entry.failures.saturating_add(1);
            entry.doubtful = doubtful;
            entry.due = (!doubtful).then(|| schedule::after_failure(entry.failures));
        });
        self.wake.notify_one();
    }

    /// A request was charged: what is left shrinks at once, and the upstream is asked soon.
    pub(crate) fn spent(&self, account: &Account, credits: f64) {
        let beyond = !self.never_overage(account);
        let now = self.clock.now();
        let rest = self.change(&account.id, |entry| {
            entry.spent += credits.max(0.0);
            entry.doubtful = false;
            entry.sooner(schedule::after_use(entry, now, beyond));
            entry.glance(now, beyond).is_some_and(|glance| glance.blocked)
        });
        self.dirty.store(true, Ordering::Relaxed);
        self.tell_glance(account);
        if rest {
            self.rest(account);
        }
        self.wake.notify_one();
    }

    /// A request was refused because the quota is used up (402): how long that lasts is asked at once.
    pub(crate) fn refused(&self, account: &Account) {
        let now = self.clock.now();
        self.change(&account.id, |entry| {
            entry.refused_at = Some(now);
            entry.sooner(schedule::after_refusal(entry));
        });
        self.wake.notify_one();
    }

    /// Forgets an account that was removed.
    pub(crate) fn forget(&self, id: &AccountId) {
        self.entries().remove(id);
        self.dirty.store(true, Ordering::Relaxed);
    }

    /// Keeps what is known, if it changed. Blocks for a disk sync.
    pub(crate) fn save(&self) -> std::io::Result<()> {
        if !self.dirty.swap(false, Ordering::Relaxed) {
            return Ok(());
        }
        let bytes = stored::bytes(&self.entries())?;
        stored::save(&self.dir, &bytes).inspect_err(|_| self.dirty.store(true, Ordering::Relaxed))
    }

    fn apply_all(&self) {
        for account in self.roster.list().iter() {
            self.reconsider(account);
        }
    }

    /// Draws the conclusions from what is known. `fresh`: the upstream said so a moment ago.
    fn apply(&self, account: &Account, fresh: bool) {
        self.tell_glance(account);
        let now = self.clock.now();
        let beyond = !self.never_overage(account);
        let Some((known, spent, refused_at)) = self
            .entries()
            .get(&account.id)
            .and_then(|entry| Some((entry.known.clone()?, entry.spent, entry.refused_at)))
        else {
            return;
        };
        let quota = &known.quota;
        let blocked = quota.overage_enabled() && quota.left(now, beyond).is_some_and(|left| left - spent <= 0.0);
        if quota.used_up(now, beyond) || (!beyond && blocked) {
            self.rest(account);
        } else if fresh && refused_at.is_some_and(|at| now.since(at) < CONTRADICTED) {
            self.rest_until(account, now.plus(CONTRADICTED));
            self.change(&account.id, |entry| entry.sooner(Instant::now() + CONTRADICTED));
        } else if quota.left(now, beyond).is_some() {
            self.leases.signal_soon(&account.id, Signal::QuotaBack);
        }
        if fresh {
            self.thresholds(account, quota, now, beyond);
        }
    }

    /// Nothing is left that may be used: the account rests until its plan starts again.
    fn rest(&self, account: &Account) {
        let now = self.clock.now();
        let resets_at = self.entries().get(&account.id).and_then(|entry| entry.known.as_ref()?.quota.resets_at);
        let resets_at = resets_at.filter(|at| *at > now);
        let exhausted = match self.leases.state(account) {
            AccountState::Exhausted { until, .. } => Some(until),
            AccountState::Ready { .. }
            | AccountState::CoolingDown { .. }
            | AccountState::Probing { .. }
            | AccountState::NeedsLogin { .. }
            | AccountState::Suspended { .. }
            | AccountState::OwnerSwitched { .. }
            | AccountState::Disabled { .. } => None,
        };
        match (exhausted, resets_at) {
            // Said once: a reset that is not known must not move away each time.
            (Some(until), resets_at) if resets_at.is_none_or(|at| at == until) => {
                self.change(&account.id, |entry| entry.resting = Some(until));
            }
            (_, resets_at) => self.rest_until(account, resets_at.unwrap_or_else(|| now.plus(UNKNOWN_RESET))),
        }
    }

    fn rest_until(&self, account: &Account, until: Timestamp) {
        self.change(&account.id, |entry| entry.resting = Some(until));
        self.leases.signal_soon(&account.id, Signal::QuotaUsedUp { resets_at: Some(until), daily: false });
    }

    /// Whether it was said here that the account rests until then; otherwise a refusal said so.
    pub(crate) fn put_to_rest(&self, id: &AccountId, until: Timestamp) -> bool {
        self.entries().get(id).is_some_and(|entry| entry.resting == Some(until))
    }

    fn tell_glance(&self, account: &Account) {
        let beyond = !self.never_overage(account);
        let glance = self.entries().get(&account.id).and_then(|entry| entry.glance(self.clock.now(), beyond));
        self.leases.set_quota(&account.id, glance);
    }

    fn thresholds(&self, account: &Account, quota: &Quota, now: Timestamp, beyond: bool) {
        let Some(sum) = quota.sum(now, beyond) else { return };
        let rules = self.rules.load();
        let percent = sum.percent_used();
        let period = quota.resets_at.map_or_else(|| "?".to_owned(), |at| at.unix_seconds().to_string());
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 100")]
        let shown = percent.floor() as u8;
        if percent >= f64::from(rules.alert_percent) {
            self.notifier.skip_quota(NotificationKind::QuotaWarning, account, &period);
            self.notifier.tell_quota(NotificationKind::QuotaAlert, account, shown, &period);
        } else if percent >= f64::from(rules.warn_percent) {
            self.notifier.tell_quota(NotificationKind::QuotaWarning, account, shown, &period);
        }
    }

    fn change<T>(&self, id: &AccountId, change: impl FnOnce(&mut Entry) -> T) -> T {
        change(self.entries().entry(id.clone()).or_default())
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<AccountId, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
