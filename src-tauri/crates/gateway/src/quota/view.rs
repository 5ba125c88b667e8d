//! A quota as faces show it.

use super::entry::Entry;
use crate::clock::Timestamp;
use crate::error::Problem;
use crate::upstream::usage::{Overage, QuotaPart};
use serde::Serialize;
use utoipa::ToSchema;

/// What an account may use and has used, with its age.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct QuotaView {
    /// When the upstream said so; `None` while it was never answered.
    pub(crate) fetched_at: Option<Timestamp>,
    /// How old that is, in seconds.
    pub(crate) age_seconds: Option<u64>,
    /// Title of the plan.
    pub(crate) plan: Option<String>,
    /// Used so far, with what was charged since; `None` while it is not known.
    pub(crate) used: Option<f64>,
    /// How much there is: the plan, its trial and bonuses, and what may be used beyond where that is on and allowed.
    pub(crate) limit: Option<f64>,
    /// What is left of it.
    pub(crate) left: Option<f64>,
    /// Used share in percent.
    pub(crate) percent_used: Option<f64>,
    /// What is counted, such as `Credits`.
    pub(crate) unit: Option<String>,
    /// When the plan starts again.
    pub(crate) resets_at: Option<Timestamp>,
    /// What it consists of, as the upstream said.
    pub(crate) parts: Vec<QuotaPart>,
    /// Use beyond the plan, for money.
    pub(crate) overage: Option<Overage>,
    /// True when the plan is used up and use beyond it is on at the upstream, but not wanted here.
    pub(crate) overage_refused: bool,
    /// Why the last question was not answered.
    pub(crate) problem: Option<Problem>,
}

pub(super) fn view(entry: &Entry, now: Timestamp, beyond: bool) -> Option<QuotaView> {
    let Some(known) = &entry.known else {
        let problem = entry.problem.clone()?;
        return Some(QuotaView {
            fetched_at: None,
            age_seconds: None,
            plan: None,
            used: None,
            limit: None,
            left: None,
            percent_used: None,
            unit: None,
            resets_at: None,
            parts: Vec::new(),
            overage: None,
            overage_refused: false,
            problem: Some(problem),
        });
    };
    let quota = &known.quota;
    let sum = quota.sum(now, beyond).map(|mut sum| {
        sum.used += entry.spent;
        sum
    });
    Some(QuotaView {
        fetched_at: Some(known.fetched_at),
        age_seconds: Some(now.since(known.fetched_at).as_secs()),
        plan: quota.plan.clone(),
        used: sum.map(|sum| sum.used),
        limit: sum.map(|sum| sum.limit),
        left: sum.map(|sum| sum.left()),
        percent_used: sum.map(|sum| sum.percent_used()),
        unit: quota.unit.clone(),
        resets_at: quota.resets_at,
        parts: quota.parts.clone(),
        overage: quota.overage.clone(),
        overage_refused: entry.glance(now, beyond).is_some_and(|glance| glance.blocked),
        problem: entry.problem.clone(),
    })
}
