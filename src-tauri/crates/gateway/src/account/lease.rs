//! The right to use an account for one request, given back by dropping it, and the conditions of all accounts.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::selection::{Candidate, choose};
use super::{
    Account, AccountId, AccountState, LeaseRequest, NoAccount, Roster, RosterError, Signal, Stopped, StoppedKind,
};
use crate::clock::{Clock, Timestamp};

/// How a request that held a lease ended, seen from the account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// A complete answer.
    Succeeded,
    /// Nothing to be said about the account: the client left, or its request was refused as wrong.
    NoVerdict,
    /// Network trouble, a server error, a broken stream.
    Failed,
    /// Asked to slow down.
    Throttled {
        /// How long the upstream asked to wait.
        retry_after: Option<Duration>,
    },
    /// Quota used up.
    QuotaUsedUp {
        /// When it comes back, where known.
        resets_at: Option<Timestamp>,
    },
    /// The upstream suspended the account.
    Suspended {
        /// Its words, without secrets.
        reason: String,
    },
    /// The upstream keeps refusing freshly bought tokens.
    NeedsLogin {
        /// Its words, without secrets.
        reason: String,
    },
}

#[derive(Debug)]
struct Cell {
    state: AccountState,
    in_flight: usize,
    last_success: Option<Timestamp>,
}

#[derive(Debug)]
struct Shared {
    cells: Mutex<HashMap<AccountId, Cell>>,
    released: Notify,
}

impl Shared {
    fn cells(&self) -> MutexGuard<'_, HashMap<AccountId, Cell>> {
        self.cells.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives out leases and keeps every account's condition.
pub struct Leases {
    roster: Arc<Roster>,
    clock: Arc<dyn Clock>,
    limit: AtomicUsize,
    shared: Arc<Shared>,
}

impl std::fmt::Debug for Leases {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Leases").field("shared", &self.shared).finish_non_exhaustive()
    }
}

/// How many accounts there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Census {
    /// All, the demo account included.
    pub total: usize,
    /// Those that could serve a request now.
    pub usable: usize,
    /// Demo accounts.
    pub demo: usize,
    /// Whether a request now would be answered by a demo account.
    pub simulated: bool,
}

impl Leases {
    /// `limit` is how many requests may use one account at once (at least 1).
    pub fn new(roster: Arc<Roster>, clock: Arc<dyn Clock>, limit: usize) -> Self {
        let shared = Arc::new(Shared { cells: Mutex::new(HashMap::new()), released: Notify::new() });
        Self { roster, clock, limit: AtomicUsize::new(limit.max(1)), shared }
    }

    /// Changes how many requests may use one account at once; leases already given stay.
    pub fn set_limit(&self, limit: usize) {
        self.limit.store(limit.max(1), Ordering::Relaxed);
        self.shared.released.notify_waiters();
    }

    /// The accounts that may serve: see [`Roster::pool`].
    pub fn pool(&self) -> Vec<Arc<Account>> {
        self.roster.pool()
    }

    /// A lease now, or why not.
    pub fn lease(self: &Arc<Self>, request: &LeaseRequest) -> Result<Lease, NoAccount> {
        let now = self.clock.now();
        let accounts = self.roster.list();
        let mut cells = self.shared.cells();
        let candidates: Vec<Candidate> = accounts
            .iter()
            .map(|account| {
                let cell = cell(&mut cells, account);
                cell.state = cell.state.clone().next(Signal::Tick, now);
                Candidate {
                    account: Arc::clone(account),
                    state: cell.state.clone(),
                    in_flight: cell.in_flight,
                    last_success: cell.last_success,
                }
            })
            .collect();
        let at = choose(&candidates, request, self.limit.load(Ordering::Relaxed))?;
        let account = Arc::clone(&candidates[at].account);
        cell(&mut cells, &account).in_flight += 1;
        drop(cells);
        Ok(Lease { account, leases: Arc::clone(self), settled: false })
    }

    /// Like [`Self::lease`], but waits up to `patience` while all usable accounts are busy.
    pub async fn lease_within(
        self: &Arc<Self>,
        request: &LeaseRequest,
        patience: Duration,
    ) -> Result<Lease, NoAccount> {
        let until = tokio::time::Instant::now() + patience;
        loop {
            let released = self.shared.released.notified();
            tokio::pin!(released);
            // Registered before looking, so that a release in between is not missed.
            released.as_mut().enable();
            match self.lease(request) {
                Err(NoAccount::Busy) => {}
                decided => return decided,
            }
            if tokio::time::timeout_at(until, released).await.is_err() {
                return Err(NoAccount::Busy);
            }
        }
    }

    /// The condition of an account now.
    pub fn state(&self, account: &Account) -> AccountState {
        let mut cells = self.shared.cells();
        let cell = cell(&mut cells, account);
        cell.state = cell.state.clone().next(Signal::Tick, self.clock.now());
        cell.state.clone()
    }

    /// How many accounts there are and could serve.
    pub fn census(&self) -> Census {
        let accounts = self.roster.list();
        let any_real = accounts.iter().any(|account| !account.is_demo());
        accounts.iter().fold(
            Census { simulated: !any_real && !accounts.is_empty(), ..Census::default() },
            |sum, account| {
                let in_pool = account.is_demo() != any_real;
                let usable = in_pool && self.state(account).admits(0);
                Census {
                    total: sum.total + 1,
                    usable: sum.usable + usize::from(usable),
                    demo: sum.demo + usize::from(account.is_demo()),
                    ..sum
                }
            },
        )
    }

    /// Tells what happened to an account. A stop that needs a person is also saved in the roster, so that a restart does
    /// not try the account again; so is its end.
    pub fn signal(&self, id: &AccountId, signal: Signal) -> Result<(), RosterError> {
        let Some(account) = self.roster.get(id) else {
            self.shared.cells().remove(id);
            return Ok(());
        };
        let now = self.clock.now();
        let (before, after) = {
            let mut cells = self.shared.cells();
            let cell = cell(&mut cells, &account);
            let before = cell.state.clone();
            if signal == Signal::Succeeded {
                cell.last_success = Some(now);
            }
            cell.state = before.clone().next(signal, now);
            (before, cell.state.clone())
        };
        self.shared.released.notify_waiters();
        if before != after {
            tracing::info!(account = %id, from = ?before, to = ?after, "account condition changed");
        }
        let stopped = match &after {
            AccountState::NeedsLogin { reason } => Some((StoppedKind::NeedsLogin, reason)),
            AccountState::Suspended { reason } => Some((StoppedKind::Suspended, reason)),
            AccountState::OwnerSwitched { reason } => Some((StoppedKind::OwnerSwitched, reason)),
            AccountState::Ready { .. }
            | AccountState::CoolingDown { .. }
            | AccountState::Probing { .. }
            | AccountState::Exhausted { .. } => None,
            // Switched off: what it was before is kept in the roster by whoever switches it on again.
            AccountState::Disabled => return Ok(()),
        };
        let known = account.stopped.as_ref().map(|stopped| (stopped.kind, &stopped.reason));
        if known != stopped {
            let stopped = stopped.map(|(kind, reason)| Stopped { kind, reason: reason.clone(), at: now });
            self.roster.update(id, |account| account.stopped = stopped)?;
        }
        Ok(())
    }

    /// Switches an account on or off, in the roster and at once. `Ok(None)` when there is no such account.
    pub fn set_enabled(&self, id: &AccountId, enabled: bool) -> Result<Option<Arc<Account>>, RosterError> {
        let account = self.roster.update(id, |account| account.enabled = enabled)?;
        if let Some(account) = &account {
            let mut cells = self.shared.cells();
            let cell = cell(&mut cells, account);
            cell.state = initial(account);
        }
        self.shared.released.notify_waiters();
        Ok(account)
    }

    /// Forgets the condition of an account that was removed, or lets a re-added one start afresh.
    pub fn forget(&self, id: &AccountId) {
        let mut cells = self.shared.cells();
        // Leases that are still out count until they come back.
        match cells.get_mut(id) {
            Some(cell) if cell.in_flight > 0 => cell.state = AccountState::READY,
            Some(_) => {
                cells.remove(id);
            }
            None => {}
        }
        drop(cells);
        self.shared.released.notify_waiters();
    }

    fn release(&self, id: &AccountId) {
        let mut cells = self.shared.cells();
        if let Some(cell) = cells.get_mut(id) {
            cell.in_flight = cell.in_flight.saturating_sub(1);
        }
        drop(cells);
        self.shared.released.notify_waiters();
    }
}

fn cell<'a>(cells: &'a mut HashMap<AccountId, Cell>, account: &Account) -> &'a mut Cell {
    cells.entry(account.id.clone()).or_insert_with(|| Cell {
        state: initial(account),
        in_flight: 0,
        last_success: None,
    })
}

/// The condition that the roster remembers.
fn initial(account: &Account) -> AccountState {
    match (&account.stopped, account.enabled) {
        (_, false) => AccountState::Disabled,
        (Some(stopped), true) => match stopped.kind {
            StoppedKind::NeedsLogin => AccountState::NeedsLogin { reason: stopped.reason.clone() },
            StoppedKind::Suspended => AccountState::Suspended { reason: stopped.reason.clone() },
            StoppedKind::OwnerSwitched => AccountState::OwnerSwitched { reason: stopped.reason.clone() },
        },
        (None, true) => AccountState::READY,
    }
}

/// One request's use of an account. Dropping it gives the place back; dropping it unsettled says nothing about the account.
pub struct Lease {
    /// The account as it was when leased.
    pub account: Arc<Account>,
    leases: Arc<Leases>,
    settled: bool,
}

impl std::fmt::Debug for Lease {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lease").field("account", &self.account.id).finish_non_exhaustive()
    }
}

impl Lease {
    /// Ends the lease and tells how it went.
    pub fn settle(mut self, outcome: Outcome) {
        self.settled = true;
        let signal = match outcome {
            Outcome::NoVerdict => return,
            Outcome::Succeeded => Signal::Succeeded,
            Outcome::Failed => Signal::Failed,
            Outcome::Throttled { retry_after } => Signal::Throttled { retry_after },
            Outcome::QuotaUsedUp { resets_at } => Signal::QuotaUsedUp { resets_at },
            Outcome::Suspended { reason } => Signal::SuspendedUpstream { reason },
            Outcome::NeedsLogin { reason } => Signal::GrantRejected { reason },
        };
        if let Err(error) = self.leases.signal(&self.account.id, signal) {
            tracing::error!(account = %self.account.id, %error, "the account's condition is known but could not be saved");
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.leases.release(&self.account.id);
        if !self.settled {
            tracing::debug!(account = %self.account.id, "lease dropped without a verdict");
        }
    }
}

#[cfg(test)]
mod tests;
