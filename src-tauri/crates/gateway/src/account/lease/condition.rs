//! What happens to accounts: their conditions move at once, and what the roster has to remember of them is saved.

use super::row::{Row, initial, stop_of};
use super::{Account, AccountId, AccountState, Leases, RosterError, Signal, Stopped, StoppedKind};
use std::sync::Arc;

impl Leases {
    fn changed(&self, id: &AccountId, before: &AccountState, after: &AccountState) {
        if before != after {
            tracing::info!(account = %id, from = ?before, to = ?after, "account condition changed");
            // An error means that nobody listens.
            let _ = self.changes.send((id.clone(), after.clone()));
        }
    }

    /// What stops an account until a person ends it, switched off or not. The list of accounts may say so a moment later.
    pub(crate) fn stopped(&self, id: &AccountId) -> Option<StoppedKind> {
        let state = self.books(self.clock.now());
        stop_of(&state.table.row(state.table.at(id)?).state).map(|(kind, _)| kind)
    }

    /// Tells what happened to an account. A stop that needs a person is also saved in the roster, so that a restart does
    /// not try the account again; so is its end. Blocks for a disk sync then.
    pub fn signal(self: &Arc<Self>, id: &AccountId, signal: Signal) -> Result<(), RosterError> {
        if self.told(id, signal) { self.save_stop(id) } else { Ok(()) }
    }

    /// Like [`Self::signal`], for callers that must not wait: the condition holds at once, and what must be saved is saved in
    /// its turn.
    pub(crate) fn signal_soon(self: &Arc<Self>, id: &AccountId, signal: Signal) {
        if !self.told(id, signal) {
            return;
        }
        let (leases, id) = (Arc::clone(self), id.clone());
        self.disk.soon(move || {
            if let Err(error) = leases.save_stop(&id) {
                tracing::error!(account = %id, %error, "the account's condition is known but could not be saved");
            }
        });
    }

    /// Moves the condition. True when the roster does not say what it should about it.
    fn told(self: &Arc<Self>, id: &AccountId, signal: Signal) -> bool {
        let now = self.clock.now();
        let mut state = self.books(now);
        let moved = |row: &mut Row| {
            let before = row.state.clone();
            match &signal {
                Signal::Succeeded => row.last_success = Some(now),
                Signal::Restored | Signal::LoggedIn => row.pauses.clear(),
                Signal::Tick
                | Signal::Failed
                | Signal::Throttled { .. }
                | Signal::QuotaUsedUp { .. }
                | Signal::QuotaBack
                | Signal::GrantRejected { .. }
                | Signal::SuspendedUpstream { .. }
                | Signal::OwnerSwitched { .. }
                | Signal::Disable
                | Signal::Enable => {}
            }
            row.state = before.clone().next(signal, now);
            (before, row.state.clone())
        };
        let Some(at) = state.table.at(id) else {
            state.table.change_away(id, |row| drop(moved(row)));
            return false;
        };
        let (before, after) = state.table.change(at, now, moved);
        let unsaved = !state.table.row(at).is_stop_saved();
        self.serve_waiting(state, now);
        self.changed(id, &before, &after);
        unsaved
    }

    /// Saves in the roster what stops the account, as it is now: while that is written, it may become something else.
    fn save_stop(&self, id: &AccountId) -> Result<(), RosterError> {
        loop {
            let now = self.clock.now();
            let stopped = {
                let books = self.books(now);
                let Some(row) = books.table.at(id).map(|at| books.table.row(at)) else { return Ok(()) };
                if row.is_stop_saved() {
                    return Ok(());
                }
                stop_of(&row.state).map(|(kind, reason)| Stopped { kind, reason: reason.clone(), at: now })
            };
            self.roster.update(id, |account| account.stopped = stopped)?;
        }
    }

    /// Switches an account on or off, in the roster and at once; its pauses and limits go on meanwhile. `Ok(None)` when there
    /// is no such account. Blocks for a disk sync.
    pub fn set_enabled(self: &Arc<Self>, id: &AccountId, enabled: bool) -> Result<Option<Arc<Account>>, RosterError> {
        let before = {
            let books = self.books(self.clock.now());
            books.table.at(id).map(|at| books.table.row(at).state.clone())
        };
        let account = self.roster.update(id, |account| account.enabled = enabled)?;
        let now = self.clock.now();
        let state = self.books(now);
        let after = state.table.at(id).map(|at| state.table.row(at).state.clone());
        self.serve_waiting(state, now);
        if let (Some(before), Some(after)) = (before, after) {
            self.changed(id, &before, &after);
        }
        Ok(account)
    }

    /// The roster changed: who waits may be served by another account now. The conditions of accounts that left go on until
    /// they come back or are forgotten.
    pub(crate) fn look_again(self: &Arc<Self>) {
        let now = self.clock.now();
        self.serve_waiting(self.books(now), now);
    }

    /// A new sign-in took the place of the account's old one: its pauses and what was known of its limits end, and a suspension stays.
    /// Blocks for a disk sync.
    pub(crate) fn signed_in(self: &Arc<Self>, id: &AccountId) -> Result<(), RosterError> {
        let now = self.clock.now();
        let mut state = self.books(now);
        state.table.drop_away(id);
        if let Some(at) = state.table.at(id) {
            state.table.set_quota(at, None, now);
            state.table.change(at, now, |row| row.last_failure = None);
        }
        drop(state);
        self.signal(id, Signal::LoggedIn)
    }

    /// Forgets the condition of an account that was removed, or lets a re-added one start afresh. Leases that are still out
    /// count until they come back.
    pub fn forget(self: &Arc<Self>, id: &AccountId) {
        let now = self.clock.now();
        let mut state = self.books(now);
        state.table.drop_away(id);
        if let Some(at) = state.table.at(id) {
            state.table.set_quota(at, None, now);
            state.table.change(at, now, |row| {
                row.state = initial(&row.account);
                row.pauses.clear();
                row.last_failure = None;
            });
        }
        self.serve_waiting(state, now);
    }
}
