//! The last station of events on their way to the client: the limits that the upstream does not know.

use kiro_protocol::conversation::Sampling;
use kiro_protocol::event::{Event, StopReason, Usage, UsageSource};
use kiro_protocol::limit::OutputLimit;
use kiro_protocol::stop::StopSequences;

/// Applies stop sequences and the output limit to what goes out, over all rounds.
pub(super) struct Outlet {
    stop: StopSequences,
    limit: OutputLimit,
    between: Vec<Event>,
}

impl Outlet {
    pub(super) fn new(sampling: &Sampling) -> Self {
        Self {
            stop: StopSequences::new(sampling.stop_sequences.clone()),
            limit: OutputLimit::new(sampling.max_tokens),
            between: Vec::new(),
        }
    }

    /// Lets events out.
    pub(super) fn pass(&mut self, events: impl IntoIterator<Item = Event>, out: &mut Vec<Event>) {
        for event in events {
            self.stop.push(event, &mut self.between);
            for event in self.between.drain(..) {
                self.limit.push(event, out);
            }
        }
    }

    /// True once nothing more will go out: the upstream need not be listened to.
    pub(super) fn is_over(&self) -> bool {
        self.stop.is_hit() || self.limit.is_hit()
    }

    /// The end of the answer: its cost, then its one stop. Returns the cost as told.
    pub(super) fn end(&mut self, mut total: Usage, reason: StopReason, out: &mut Vec<Event>) -> Usage {
        let at = out.len();
        self.pass([Event::Stop(reason)], out);
        if self.limit.is_hit() {
            // What the upstream wrote beyond the limit was not delivered.
            total.output_tokens = Some(self.limit.passed());
            total.output_source = UsageSource::Estimate;
        }
        // Text that was held back may have come before the stop.
        let stop =
            out[at..].iter().rposition(|event| matches!(event, Event::Stop(_))).map_or(out.len(), |stop| at + stop);
        out.insert(stop, Event::Usage(total));
        total
    }
}
