//! The answer to one request of a client: one exchange with the upstream, or several when the gateway itself has
//! something to do in between. Pulled by whoever writes to the client; dropping it leaves the upstream.

use super::exchange::Exchange;
use crate::flow::Flow;
use crate::upstream::answer::Progress;
use kiro_protocol::event::Event;
use kiro_protocol::failure::Failure;

/// An answer under way.
pub(crate) struct Rounds {
    current: Exchange,
}

impl Rounds {
    pub(super) fn new(first: Exchange) -> Self {
        Self { current: first }
    }

    /// Estimate of the input tokens, for protocols that must name a figure first.
    pub(crate) fn input_estimate(&self) -> u64 {
        self.current.input_estimate()
    }

    /// The record of this request.
    pub(crate) fn flow(&self) -> &Flow {
        self.current.flow()
    }

    /// Waits until somebody answers. Safe to drop and call again.
    pub(crate) async fn connect(&mut self) -> Result<(), Failure> {
        self.current.connect().await
    }

    /// Waits for events and appends them. Safe to drop and call again.
    pub(crate) async fn next(&mut self, out: &mut Vec<Event>) -> Result<Progress, Failure> {
        self.current.next(out).await
    }

    /// The gateway is stopping: the upstream is left and the record says why.
    pub(crate) fn abandon(&mut self, failure: &Failure) {
        self.current.abandon(failure);
    }
}
