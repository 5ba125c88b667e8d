//! Requests that wait for a place, first come, first served. A place that becomes free goes to the first of them that it can
//! serve; a request that stops waiting leaves nothing behind.

use super::Lease;
use crate::account::{Account, LeaseRequest};
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::sync::oneshot;

/// One waiting request.
#[derive(Debug)]
pub(super) struct Waiter {
    number: u64,
    pub(super) request: LeaseRequest,
    place: oneshot::Sender<Lease>,
}

/// The line.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: VecDeque<Waiter>,
    next: u64,
}

/// A place for somebody in the line. Handed over after the lock is gone: when nobody waits for it any more, dropping it gives
/// the place to the next one.
pub(super) struct Handover {
    place: oneshot::Sender<Lease>,
    pub(super) account: Arc<Account>,
    pub(super) request: LeaseRequest,
}

impl Handover {
    pub(super) fn deliver(self, lease: Lease) {
        // An error is the lease itself, given back by being dropped here.
        drop(self.place.send(lease));
    }
}

impl Queue {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Joins the end of the line.
    pub(super) fn join(&mut self, request: LeaseRequest) -> (u64, oneshot::Receiver<Lease>) {
        let (place, comes) = oneshot::channel();
        self.next += 1;
        self.waiting.push_back(Waiter { number: self.next, request, place });
        (self.next, comes)
    }

    pub(super) fn leave(&mut self, number: u64) {
        self.waiting.retain(|waiter| waiter.number != number);
    }

    /// Serves everybody that `take` finds an account for, in order, until `take` says that there is nothing left to give.
    pub(super) fn serve(&mut self, mut take: impl FnMut(&LeaseRequest) -> Taken, handovers: &mut Vec<Handover>) {
        let mut at = 0;
        while at < self.waiting.len() {
            if self.waiting[at].place.is_closed() {
                self.waiting.remove(at);
                continue;
            }
            match take(&self.waiting[at].request) {
                Taken::Account(account) => {
                    if let Some(Waiter { request, place, .. }) = self.waiting.remove(at) {
                        handovers.push(Handover { place, account, request });
                    }
                }
                Taken::NotThis => at += 1,
                Taken::NothingLeft => return,
            }
        }
    }
}

/// What was found for a waiting request.
pub(super) enum Taken {
    Account(Arc<Account>),
    /// Nothing for this one, perhaps for another.
    NotThis,
    /// Nothing for anybody.
    NothingLeft,
}
