//! What is known of one account's quota, and when it is asked for again.

use crate::account::QuotaGlance;
use crate::clock::Timestamp;
use crate::error::Problem;
use crate::inquiry::InquiryError;
use crate::upstream::usage::Quota;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tokio::time::Instant;

/// An answer of the upstream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Known {
    pub(super) quota: Quota,
    pub(super) fetched_at: Timestamp,
}

#[derive(Debug, Default)]
pub(super) struct Entry {
    pub(super) known: Option<Known>,
    /// Credits charged since the answer.
    pub(super) spent: f64,
    /// Why the last question was not answered.
    pub(super) problem: Option<Problem>,
    pub(super) error: Option<InquiryError>,
    /// Unanswered questions in a row.
    pub(super) failures: u32,
    /// The upstream spoke of a suspension: not asked again before a request was answered or a person wants it.
    pub(super) doubtful: bool,
    /// When a request was refused for a used-up quota.
    pub(super) refused_at: Option<Timestamp>,
    /// Until when it was put to rest from here.
    pub(super) resting: Option<Timestamp>,
    pub(super) asked: Option<Instant>,
    pub(super) answered: Option<Instant>,
    /// When it should be asked for again.
    pub(super) due: Option<Instant>,
    /// One question at a time.
    pub(super) gate: Arc<tokio::sync::Mutex<()>>,
}

impl Entry {
    /// Is due then, or earlier.
    pub(super) fn sooner(&mut self, at: Instant) {
        self.due = Some(self.due.map_or(at, |due| due.min(at)));
    }

    /// What the choice of an account goes by. `None` while it is not known.
    pub(super) fn glance(&self, now: Timestamp, beyond: bool) -> Option<QuotaGlance> {
        let quota = &self.known.as_ref()?.quota;
        let sum = quota.sum(now, beyond)?;
        let left = (quota.left(now, beyond)? - self.spent).max(0.0);
        let left_percent = if sum.limit > 0.0 { (left / sum.limit * 100.0).min(100.0) } else { 0.0 };
        Some(QuotaGlance {
            left: left.min(f64::from(u32::MAX)),
            left_percent,
            resets_at: quota.resets_at,
            blocked: !beyond && quota.overage_enabled() && left <= 0.0,
        })
    }
}
