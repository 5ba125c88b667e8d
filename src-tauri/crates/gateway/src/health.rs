//! Whether accounts that nobody uses still work, found out by the cheapest question that costs nothing: the list of models.
//!
//! Promises: an account that answered a client recently is not asked; one that waits for a person (suspended, signed out,
//! switched off) is never asked; at most one question per account is under way. Neither a suspension nor the end of a sign-in is
//! concluded from here: only a refresh and answers to conversations say it for sure. An account that seems to be at its end is
//! left alone until a client or a person tries it.

use crate::account::{Account, AccountId, AccountState, AuthMethod, Leases, Roster, TokenError};
use crate::catalog::Catalog;
use crate::error::Problem;
use crate::inquiry::{Inquiry, InquiryError};
use crate::upstream::classify::Kind;
use futures_util::StreamExt as _;
use rand::RngExt as _;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Between the starts of two questions.
const PACE: Duration = Duration::from_secs(1);
/// At least this often it is looked for accounts that are due.
const LOOK: Duration = Duration::from_secs(30);
/// Questions under way when a person wants all accounts checked.
const AT_ONCE: usize = 4;

/// What a check found.
#[derive(Debug, Clone)]
pub(crate) enum Finding {
    /// The account works.
    Works {
        /// How long the answer took.
        took: Duration,
    },
    /// It was not asked: it waits for a person.
    Waits,
    /// It did not answer as it should.
    Trouble(Problem),
}

#[derive(Debug, Default)]
struct Watched {
    /// When a client's request was last accepted.
    used: Option<Instant>,
    /// When it was last asked.
    checked: Option<Instant>,
    /// The first check comes this long after it was first seen, so that a crowd does not come at once.
    due: Option<Instant>,
    /// Seemed suspended, or its sign-in seemed to be refused.
    doubtful: bool,
    gate: Arc<tokio::sync::Mutex<()>>,
}

/// Looks after idle accounts.
pub(crate) struct Health {
    inquiry: Inquiry,
    roster: Arc<Roster>,
    leases: Arc<Leases>,
    catalog: Arc<Catalog>,
    /// Time between two checks of an idle account; `None` when there are none.
    every: watch::Sender<Option<Duration>>,
    watched: Mutex<HashMap<AccountId, Watched>>,
}

impl Health {
    pub(crate) fn new(
        inquiry: Inquiry,
        roster: Arc<Roster>,
        leases: Arc<Leases>,
        catalog: Arc<Catalog>,
        every: Option<Duration>,
    ) -> Self {
        Self { inquiry, roster, leases, catalog, every: watch::channel(every).0, watched: Mutex::default() }
    }

    /// Takes over a changed setting.
    pub(crate) fn follow(&self, every: Option<Duration>) {
        self.every.send_if_modified(|now| std::mem::replace(now, every) != every);
    }

    /// A client's request was accepted on this account.
    pub(crate) fn used(&self, account: &AccountId) {
        let mut watched = self.watched();
        let entry = match watched.get_mut(account) {
            Some(entry) => entry,
            None => watched.entry(account.clone()).or_default(),
        };
        entry.used = Some(Instant::now());
        entry.doubtful = false;
    }

    /// Forgets an account that was removed.
    pub(crate) fn forget(&self, account: &AccountId) {
        self.watched().remove(account);
    }

    /// Checks all accounts now, because a person wants it.
    pub(crate) async fn check_all(&self) -> Vec<(AccountId, Finding)> {
        let accounts: Vec<Arc<Account>> = self.roster.list().iter().cloned().collect();
        let checks = accounts.into_iter().map(|account| async move {
            let finding = self.check(&account).await;
            (account.id.clone(), finding)
        });
        futures_util::stream::iter(checks).buffered(AT_ONCE).collect().await
    }

    /// Checks one account now. Whoever comes while a check is under way waits for it and shares what it found out.
    pub(crate) async fn check(&self, account: &Account) -> Finding {
        if self.waits(account) {
            return Finding::Waits;
        }
        let gate = Arc::clone(&self.watched().entry(account.id.clone()).or_default().gate);
        let _one = gate.lock().await;
        let since = Instant::now();
        if let Some(entry) = self.watched().get_mut(&account.id) {
            entry.checked = Some(since);
        }
        match self.inquiry.models(account).await {
            Ok(models) => {
                if models.is_empty() {
                    self.catalog.missed(&account.id);
                } else {
                    self.catalog.learned(&account.id, models);
                }
                if let Some(entry) = self.watched().get_mut(&account.id) {
                    entry.doubtful = false;
                }
                Finding::Works { took: since.elapsed() }
            }
            Err(error) => {
                tracing::warn!(account = %account.id, %error, "the health check failed");
                self.conclude(account, &error);
                Finding::Trouble(error.problem())
            }
        }
    }

    /// Looks after accounts until it is cancelled.
    pub(crate) async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut every = self.every.subscribe();
        let mut free = Instant::now();
        loop {
            let span = *every.borrow_and_update();
            let next = span.and_then(|span| self.next_due(span));
            let look = Instant::now() + LOOK;
            let wake = next.as_ref().map_or(look, |(at, _)| (*at).max(free).min(look));
            tokio::select! {
                () = stop.cancelled() => return,
                changed = every.changed() => if changed.is_err() { return },
                () = tokio::time::sleep_until(wake) => {}
            }
            let Some((at, account)) = next else { continue };
            if at.max(free) > Instant::now() {
                continue;
            }
            free = Instant::now() + PACE;
            tokio::select! {
                () = stop.cancelled() => return,
                // What it found is in the account's state and in the log.
                _ = self.check(&account) => {}
            }
        }
    }

    /// The account whose check is due first.
    fn next_due(&self, span: Duration) -> Option<(Instant, Arc<Account>)> {
        let now = Instant::now();
        let accounts = self.roster.pool();
        let mut watched = self.watched();
        let mut first: Option<(Instant, Arc<Account>)> = None;
        for account in accounts.iter().filter(|account| !account.is_demo()) {
            let entry = watched.entry(account.id.clone()).or_default();
            if entry.doubtful || self.waits(account) {
                continue;
            }
            let last = entry.used.max(entry.checked);
            let due = match last {
                Some(last) => last + span,
                None => *entry.due.get_or_insert_with(|| now + span.mul_f64(rand::rng().random_range(0.5..1.0))),
            };
            if first.as_ref().is_none_or(|(at, _)| due < *at) {
                first = Some((due, Arc::clone(account)));
            }
        }
        first
    }

    fn waits(&self, account: &Account) -> bool {
        match self.leases.state(account) {
            AccountState::Ready { .. }
            | AccountState::CoolingDown { .. }
            | AccountState::Probing { .. }
            | AccountState::Exhausted { .. } => false,
            AccountState::NeedsLogin { .. }
            | AccountState::Suspended { .. }
            | AccountState::OwnerSwitched { .. }
            | AccountState::Disabled { .. } => true,
        }
    }

    /// A refusal here never ends an account: the list of models lives on other hosts than answers do, and one of them may be the
    /// wrong one. It is left alone instead; a client's request or a person says for sure.
    fn conclude(&self, account: &Account, error: &InquiryError) {
        let doubtful = match error {
            InquiryError::Refused(_) => true,
            // A purchase tells its own end; a key has none.
            InquiryError::Token(TokenError::NeedsLogin(_)) => account.method == AuthMethod::ApiKey,
            InquiryError::Token(_) => false,
            InquiryError::Upstream(error) => error.kind == Kind::Suspended,
        };
        if doubtful && let Some(entry) = self.watched().get_mut(&account.id) {
            entry.doubtful = true;
        }
    }

    fn watched(&self) -> MutexGuard<'_, HashMap<AccountId, Watched>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
