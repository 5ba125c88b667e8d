//! The right to use an account for one request, given back by dropping it, and the conditions of all accounts.
//!
//! Promises: an account never serves more requests at once than the settings allow; who waits is served in order; a lease that
//! is dropped anywhere gives its place back; choosing allocates nothing per account. `held` is the lease itself, `condition`
//! what happens to accounts; `table` keeps what is known, `queue` the waiting requests, `selection` makes the choice.

mod condition;
mod held;
mod model_pause;
mod pace;
mod queue;
mod row;
mod sets;
mod table;

use super::selection::{LeaseRequest, NoAccount, QuotaGlance, SelectionRules};
use super::sticky::Sticky;
use super::{Account, AccountId, AccountState, Roster, RosterError, Signal, StickyKey, Stopped, StoppedKind};
use crate::clock::{Clock, Timestamp};
use crate::disk::DiskLine;
pub use held::{Lease, Outcome};
pub use model_pause::ModelPause;
use queue::{Handover, Queue, Taken};
pub use row::LastFailure;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use table::Table;
use tokio::sync::broadcast;

#[derive(Debug, Default)]
struct State {
    table: Table,
    queue: Queue,
}

/// Gives out leases and keeps every account's condition.
pub struct Leases {
    roster: Arc<Roster>,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    sticky: Sticky,
    disk: DiskLine,
    changes: broadcast::Sender<(AccountId, AccountState)>,
}

/// Changes of conditions that a slow listener may be behind.
const CHANGES: usize = 1024;

impl std::fmt::Debug for Leases {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Leases").field("sticky", &self.sticky).finish_non_exhaustive()
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

/// What an account did since the start, and what holds it back.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Record {
    /// Requests under way.
    pub in_flight: u32,
    /// Requests it was chosen for.
    pub requests: u64,
    /// Attempts that failed.
    pub errors: u64,
    /// When it last answered.
    pub last_success: Option<Timestamp>,
    /// What last went wrong.
    pub last_failure: Option<LastFailure>,
    /// Models that have no capacity for it now.
    pub model_pauses: Vec<ModelPause>,
}

impl Leases {
    /// `limit` is how many requests may use one account at once (at least 1); [`Self::follow`] tells the other rules.
    pub fn new(roster: Arc<Roster>, clock: Arc<dyn Clock>, limit: usize) -> Self {
        let concurrency = u32::try_from(limit.max(1)).unwrap_or(u32::MAX);
        let rules = SelectionRules { concurrency, ..SelectionRules::default() };
        let state = State { table: Table::new(rules), queue: Queue::default() };
        Self {
            roster,
            clock,
            state: Mutex::new(state),
            sticky: Sticky::default(),
            disk: DiskLine::on_the_spot(),
            changes: broadcast::channel(CHANGES).0,
        }
    }

    /// The same where [`Self::signal_soon`] leaves what must be saved to `disk` and waits for nothing.
    pub(crate) fn with_disk(self, disk: DiskLine) -> Self {
        Self { disk, ..self }
    }

    /// Follows the settings; leases already given stay.
    pub fn follow(self: &Arc<Self>, rules: SelectionRules) {
        let now = self.clock.now();
        let mut state = self.books(now);
        if state.table.rules != rules {
            state.table.rules = rules;
            state.table.retell(now);
        }
        self.serve_waiting(state, now);
    }

    /// Conditions as they change by what happens, not by time alone. Whoever falls behind misses the oldest ones.
    pub fn changes(&self) -> broadcast::Receiver<(AccountId, AccountState)> {
        self.changes.subscribe()
    }

    /// The accounts that may serve: see [`Roster::pool`].
    pub fn pool(&self) -> Arc<Vec<Arc<Account>>> {
        self.roster.pool()
    }

    /// What a conversation is recognised by, so that it stays with one account. `key`: the client key it came with.
    pub(crate) fn sticky_key(
        &self,
        key: &str,
        conversation: &kiro_protocol::conversation::Conversation,
    ) -> Option<StickyKey> {
        self.sticky.key(key, conversation)
    }

    /// A lease now, or why not.
    pub fn lease(self: &Arc<Self>, request: &LeaseRequest) -> Result<Lease, NoAccount> {
        let now = self.clock.now();
        let mut state = self.books(now);
        if !state.queue.is_empty() {
            // Whoever waits comes first.
            self.serve_waiting(state, now);
            state = self.books(now);
        }
        let at = self.take(&mut state, request, now)?;
        let account = Arc::clone(&state.table.row(at).account);
        drop(state);
        Ok(self.made(account, request))
    }

    /// Like [`Self::lease`], but waits while all usable accounts are busy, in line, as long as the settings say.
    pub async fn lease_in_turn(self: &Arc<Self>, request: &LeaseRequest) -> Result<Lease, NoAccount> {
        let patience = match self.lease(request) {
            Err(NoAccount::Busy) => self.books(self.clock.now()).table.rules.patience,
            decided => return decided,
        };
        let until = tokio::time::Instant::now() + patience;
        let (number, mut comes) = self.books(self.clock.now()).queue.join(request.clone());
        let _place_in_line = InLine { leases: self, number };
        loop {
            let now = self.clock.now();
            // A place may have become free before this request stood in line, and pauses end without anybody telling.
            self.serve_waiting(self.books(now), now);
            let opening = self.books(now).table.next_opening(now);
            let next = opening.map_or(until, |at| until.min(tokio::time::Instant::now() + at.since(now).max(TICK)));
            match tokio::time::timeout_at(next, &mut comes).await {
                Ok(Ok(lease)) => return Ok(lease),
                // The line never drops a request that still waits.
                Ok(Err(_)) => return Err(NoAccount::Busy),
                Err(_) if next < until => {}
                Err(_) => return Err(NoAccount::Busy),
            }
        }
    }

    /// When the first of the accounts that could serve is back, if all of them are out only for a time.
    pub fn back_at(&self, request: &LeaseRequest) -> Option<Timestamp> {
        let now = self.clock.now();
        self.books(now).table.why(request, now).retry_at()
    }

    /// Remembers which host answered this account, so that it is asked first from then on, also after a restart. Saved in its
    /// turn: nobody waits for the disk.
    pub(crate) fn learn_host_soon(&self, id: &AccountId, host: &str) {
        let (roster, id, host) = (Arc::clone(&self.roster), id.clone(), host.to_owned());
        self.disk.soon(move || {
            // Requests that were answered meanwhile have learned the same.
            if roster.get(&id).is_none_or(|account| account.learned_host.as_ref() == Some(&host)) {
                return;
            }
            if let Err(error) = roster.update(&id, |account| account.learned_host = Some(host)) {
                tracing::warn!(account = %id, %error, "the host that answered is known but could not be saved");
            }
        });
    }

    /// The condition of an account now.
    pub fn state(&self, account: &Account) -> AccountState {
        let now = self.clock.now();
        let mut state = self.books(now);
        match state.table.at(&account.id) {
            Some(at) => state.table.state(at, now),
            None => row::initial(account),
        }
    }

    /// What an account did since the start. `None` when there is no such account.
    pub fn record(&self, id: &AccountId) -> Option<Record> {
        let now = self.clock.now();
        let state = self.books(now);
        let at = state.table.at(id)?;
        let row = state.table.row(at);
        Some(Record {
            in_flight: state.table.in_flight(at),
            requests: row.requests,
            errors: row.errors,
            last_success: row.last_success,
            last_failure: row.last_failure.clone(),
            model_pauses: row.pauses.list(now),
        })
    }

    /// How many accounts there are and could serve.
    pub fn census(&self) -> Census {
        let now = self.clock.now();
        let mut state = self.books(now);
        let any_real = state.table.rows().iter().any(|row| !row.account.is_demo());
        let total = state.table.rows().len();
        let mut census = Census { total, simulated: !any_real && total > 0, ..Census::default() };
        for at in 0..total {
            let usable = state.table.state(at, now).admits(0);
            let demo = state.table.row(at).account.is_demo();
            census.demo += usize::from(demo);
            census.usable += usize::from(usable && demo != any_real);
        }
        census
    }

    /// What is known of an account's quota; `None` when nothing is.
    pub fn set_quota(self: &Arc<Self>, id: &AccountId, quota: Option<QuotaGlance>) {
        let now = self.clock.now();
        let mut state = self.books(now);
        let Some(at) = state.table.at(id) else { return };
        state.table.set_quota(at, quota, now);
        self.serve_waiting(state, now);
    }

    /// Notes an attempt that failed, for people to see.
    pub fn note_failure(&self, id: &AccountId, code: &str, message: &str) {
        let now = self.clock.now();
        let mut state = self.books(now);
        let Some(at) = state.table.at(id) else { return };
        state.table.change(at, now, |row| {
            row.errors += 1;
            row.last_failure = Some(LastFailure { at: now, code: code.to_owned(), message: message.to_owned() });
        });
    }

    /// A request came to its end on this account; its place goes to whoever waits for one.
    fn release(self: &Arc<Self>, id: &AccountId) {
        let now = self.clock.now();
        let mut state = self.books(now);
        let Some(at) = state.table.give_back(id) else { return };
        if state.queue.is_empty() {
            return;
        }
        let mut handovers = Vec::new();
        let State { table, queue } = &mut *state;
        queue.serve(
            |request| {
                if table.take_at(at, request, now) {
                    Taken::Account(Arc::clone(&table.row(at).account))
                } else {
                    Taken::NotThis
                }
            },
            &mut handovers,
        );
        drop(state);
        self.deliver(handovers);
    }

    /// Gives places to everybody in line who can be served now, in order.
    fn serve_waiting(self: &Arc<Self>, mut state: MutexGuard<'_, State>, now: Timestamp) {
        if state.queue.is_empty() {
            return;
        }
        let mut handovers = Vec::new();
        let State { table, queue } = &mut *state;
        queue.serve(
            |request| match self.choice(table, request, now) {
                Ok(at) => Taken::Account(Arc::clone(&table.row(at).account)),
                Err(_) if table.is_full(now) => Taken::NothingLeft,
                Err(_) => Taken::NotThis,
            },
            &mut handovers,
        );
        drop(state);
        self.deliver(handovers);
    }

    fn deliver(self: &Arc<Self>, handovers: Vec<Handover>) {
        for handover in handovers {
            let lease = self.made(Arc::clone(&handover.account), &handover.request);
            handover.deliver(lease);
        }
    }

    fn take(&self, state: &mut State, request: &LeaseRequest, now: Timestamp) -> Result<usize, NoAccount> {
        self.choice(&mut state.table, request, now)
    }

    /// The account that the session is bound to while it can serve, else the one that the strategy chooses.
    fn choice(&self, table: &mut Table, request: &LeaseRequest, now: Timestamp) -> Result<usize, NoAccount> {
        let bound = request.sticky.and_then(|key| self.sticky.get(key).map(|id| (key, id)));
        if let Some((key, id)) = &bound
            && table.is_out(id, now)
        {
            self.sticky.release(*key, id);
        }
        table.take(request, bound.as_ref().map(|(_, id)| id), now)
    }

    /// The books, in step with the roster.
    fn books(&self, now: Timestamp) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.table.sync(&self.roster.list(), now);
        state
    }
}

/// Shortest wait for a pause that ends: clocks differ by a little.
const TICK: Duration = Duration::from_millis(10);

/// A place in the line, left by dropping it.
struct InLine<'a> {
    leases: &'a Leases,
    number: u64,
}

impl Drop for InLine<'_> {
    fn drop(&mut self) {
        self.leases.state.lock().unwrap_or_else(PoisonError::into_inner).queue.leave(self.number);
    }
}

#[cfg(test)]
mod tests;
