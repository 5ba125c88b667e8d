//! What all requests since the start came to, those that are no longer kept included.

use super::view::{FlowOutcome, FlowView};
use crate::clock::Timestamp;

/// Sums over all flows since the start.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Totals {
    /// When the gateway was opened.
    pub(crate) since: Timestamp,
    pub(crate) complete: u64,
    pub(crate) failed: u64,
    pub(crate) client_left: u64,
    pub(crate) input_tokens: u64,
    pub(crate) output_tokens: u64,
    pub(crate) cache_read_tokens: u64,
    pub(crate) cache_write_tokens: u64,
    pub(crate) credits: f64,
}

impl Totals {
    pub(super) fn add(&mut self, view: &FlowView) {
        match view.outcome {
            FlowOutcome::Complete => self.complete += 1,
            FlowOutcome::Failed => self.failed += 1,
            FlowOutcome::ClientLeft => self.client_left += 1,
            FlowOutcome::Running => {}
        }
        let usage = &view.usage;
        self.input_tokens += usage.input_tokens.unwrap_or(0);
        self.output_tokens += usage.output_tokens.unwrap_or(0);
        self.cache_read_tokens += usage.cache_read_tokens.unwrap_or(0);
        self.cache_write_tokens += usage.cache_write_tokens.unwrap_or(0);
        self.credits += usage.credits.unwrap_or(0.0);
    }
}
