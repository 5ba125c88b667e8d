//! What getUsageLimits says (kiro-upstream §8): the parts of a plan, how they add up, and when they start again.
//!
//! Pure: bytes and a moment in, values out. Every member may be missing: what is not known stays `None` and is never taken
//! for zero or for used up.

mod read;

use super::classify::UpstreamError;
use crate::clock::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub(crate) use read::read;

/// What a part of a plan is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum PartKind {
    /// The plan itself.
    Base,
    /// A trial on top of it.
    Trial,
    /// A bonus on top of it.
    Bonus,
    /// What may be used beyond it for money.
    Overage,
    /// Another kind of resource, shown and never counted.
    Other,
}

/// One part of a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct QuotaPart {
    /// What it is.
    pub(crate) kind: PartKind,
    /// The upstream's name for it.
    pub(crate) name: Option<String>,
    /// Used so far, in the quota's unit.
    pub(crate) used: f64,
    /// How much there is, in the quota's unit.
    pub(crate) limit: f64,
    /// When it ends.
    pub(crate) expires_at: Option<Timestamp>,
    /// Whether the upstream counts it now.
    pub(crate) active: bool,
}

impl QuotaPart {
    /// Whether it counts at `now`.
    fn counts(&self, now: Timestamp) -> bool {
        let counted = match self.kind {
            PartKind::Base | PartKind::Trial | PartKind::Bonus => true,
            PartKind::Overage | PartKind::Other => false,
        };
        counted && self.active && self.expires_at.is_none_or(|end| end > now)
    }
}

/// Use beyond the plan, for money.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Overage {
    /// Whether the account's owner switched it on at the upstream, and the plan has it.
    pub(crate) enabled: bool,
    /// Used beyond the plan since the last reset.
    pub(crate) used: f64,
    /// Most that may be used beyond the plan.
    pub(crate) cap: Option<f64>,
    /// What it cost so far.
    pub(crate) charges: Option<f64>,
    /// Currency of `charges`, such as `USD`.
    pub(crate) currency: Option<String>,
}

/// What an account may use and has used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Quota {
    /// Title of the plan.
    pub(crate) plan: Option<String>,
    /// What is counted, such as `Credits`.
    pub(crate) unit: Option<String>,
    /// Base first, then trial, bonuses and others.
    pub(crate) parts: Vec<QuotaPart>,
    /// Use beyond the plan, where the upstream speaks of it.
    pub(crate) overage: Option<Overage>,
    /// When the plan starts again.
    pub(crate) resets_at: Option<Timestamp>,
}

/// Parts added up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Sum {
    /// Used so far.
    pub(crate) used: f64,
    /// How much there is.
    pub(crate) limit: f64,
}

impl Sum {
    /// What is left, never below zero.
    pub(crate) fn left(self) -> f64 {
        (self.limit - self.used).max(0.0)
    }

    /// Used part in percent, 0–100.
    pub(crate) fn percent_used(self) -> f64 {
        if self.limit <= 0.0 { 100.0 } else { (self.used / self.limit * 100.0).clamp(0.0, 100.0) }
    }
}

impl Quota {
    /// Whether use beyond the plan is switched on at the upstream.
    pub(crate) fn overage_enabled(&self) -> bool {
        self.overage.as_ref().is_some_and(|overage| overage.enabled)
    }

    /// Base, active trial and active bonuses at `now`. `None` while nothing is known, or when the plan has started again since.
    pub(crate) fn included(&self, now: Timestamp) -> Option<Sum> {
        if self.resets_at.is_some_and(|reset| reset <= now) {
            return None;
        }
        let counted = self.parts.iter().filter(|part| part.counts(now));
        let sum = counted.fold(Sum { used: 0.0, limit: 0.0 }, |sum, part| Sum {
            used: sum.used + part.used,
            limit: sum.limit + part.limit,
        });
        // A plan of nothing is one that the upstream does not count.
        (sum.limit > 0.0).then_some(sum)
    }

    /// [`Self::included`], and what may be used beyond it where that is switched on and `beyond` allows it.
    pub(crate) fn sum(&self, now: Timestamp, beyond: bool) -> Option<Sum> {
        let included = self.included(now)?;
        let Some(overage) = self.overage.as_ref().filter(|overage| beyond && overage.enabled) else {
            return Some(included);
        };
        let cap = overage.cap.unwrap_or(overage.used);
        Some(Sum { used: included.used + overage.used, limit: included.limit + cap })
    }

    /// What is left at `now`; `None` while it is not known, and without a bound beyond the plan when its cap is unknown.
    pub(crate) fn left(&self, now: Timestamp, beyond: bool) -> Option<f64> {
        let unbounded = beyond && self.overage.as_ref().is_some_and(|overage| overage.enabled && overage.cap.is_none());
        let sum = self.sum(now, beyond)?;
        Some(if unbounded { f64::INFINITY } else { sum.left() })
    }

    /// True when nothing is left for sure. Unknown is not used up.
    pub(crate) fn used_up(&self, now: Timestamp, beyond: bool) -> bool {
        self.left(now, beyond).is_some_and(|left| left <= 0.0)
    }
}

/// An answer of getUsageLimits.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct UsageAnswer {
    /// Plan, parts, reset.
    pub(crate) quota: Quota,
    /// The upstream's stable id of the person.
    pub(crate) user_id: Option<String>,
    /// The person's address.
    pub(crate) email: Option<String>,
}

#[cfg(test)]
mod tests;
