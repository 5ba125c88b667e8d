//! The right to use an account, held: how it ended is told when it is given back.

use super::{Account, AccountId, LeaseRequest, Leases, Signal, StickyKey};
use crate::clock::Timestamp;
use std::sync::Arc;
use std::time::Duration;

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
    /// The model has no capacity; the account is fine.
    ModelBusy {
        /// How long the upstream asked to wait.
        retry_after: Option<Duration>,
    },
    /// Quota used up.
    QuotaUsedUp {
        /// When it comes back, where known.
        resets_at: Option<Timestamp>,
        /// Whether it is the limit of a day.
        daily: bool,
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

/// One request's use of an account. Dropping it gives the place back; dropping it unsettled says nothing about the account.
pub struct Lease {
    /// The account as it was when leased.
    pub account: Arc<Account>,
    leases: Arc<Leases>,
    model: Option<Arc<str>>,
    sticky: Option<StickyKey>,
    settled: bool,
}

impl std::fmt::Debug for Lease {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lease").field("account", &self.account.id).finish_non_exhaustive()
    }
}

impl Lease {
    /// Ends the lease and tells how it went. A success binds the session to the account, trouble ends the binding.
    pub fn settle(mut self, outcome: Outcome) {
        self.settled = true;
        let id = &self.account.id;
        if let Some(key) = self.sticky {
            match &outcome {
                Outcome::Succeeded => {
                    let spans = self.leases.spans();
                    self.leases.sticky.bind(key, id, spans);
                }
                Outcome::NoVerdict | Outcome::Failed => {}
                Outcome::Throttled { .. }
                | Outcome::ModelBusy { .. }
                | Outcome::QuotaUsedUp { .. }
                | Outcome::Suspended { .. }
                | Outcome::NeedsLogin { .. } => self.leases.sticky.release(key, id),
            }
        }
        let signal = match outcome {
            Outcome::NoVerdict => return,
            Outcome::ModelBusy { retry_after } => return self.leases.pause_model(id, self.model.as_ref(), retry_after),
            Outcome::Succeeded => {
                self.leases.end_model_pause(id, self.model.as_deref());
                Signal::Succeeded
            }
            Outcome::Failed => Signal::Failed,
            Outcome::Throttled { retry_after } => Signal::Throttled { retry_after },
            Outcome::QuotaUsedUp { resets_at, daily } => {
                Signal::QuotaUsedUp { resets_at: resets_at.or_else(|| self.leases.quota_reset(id)), daily }
            }
            Outcome::Suspended { reason } => Signal::SuspendedUpstream { reason },
            Outcome::NeedsLogin { reason } => Signal::GrantRejected { reason },
        };
        self.leases.signal_soon(id, signal);
    }
}

impl Leases {
    pub(super) fn made(self: &Arc<Self>, account: Arc<Account>, request: &LeaseRequest) -> Lease {
        Lease {
            account,
            leases: Arc::clone(self),
            model: request.model.clone(),
            sticky: request.sticky,
            settled: false,
        }
    }

    fn spans(&self) -> (Duration, Duration) {
        let rules = &self.books(self.clock.now()).table.rules;
        (rules.sticky, rules.sticky_hash)
    }

    /// When the quota comes back, as the last look at it said.
    fn quota_reset(&self, id: &AccountId) -> Option<Timestamp> {
        let books = self.books(self.clock.now());
        books.table.row(books.table.at(id)?).quota?.resets_at
    }

    fn pause_model(&self, id: &AccountId, model: Option<&Arc<str>>, asked: Option<Duration>) {
        let now = self.clock.now();
        let mut state = self.books(now);
        if let (Some(at), Some(model)) = (state.table.at(id), model) {
            state.table.change(at, now, |row| row.pauses.pause(model, asked, now));
            tracing::info!(account = %id, %model, "the model pauses on this account");
        }
    }

    fn end_model_pause(&self, id: &AccountId, model: Option<&str>) {
        let now = self.clock.now();
        let mut state = self.books(now);
        if let (Some(at), Some(model)) = (state.table.at(id), model) {
            state.table.change(at, now, |row| row.pauses.end(model));
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
