//! What many flows came to.

use super::shelf::Row;
use super::view::{FlowOutcome, FlowView};
use crate::clock::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use utoipa::ToSchema;

/// Groups beyond this are left out; the largest stay.
const MOST_GROUPS: usize = 50;

/// How many requests ended how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OutcomeCounts {
    /// A complete answer was delivered.
    pub(crate) complete: u64,
    /// It failed.
    pub(crate) failed: u64,
    /// The client left before the end.
    pub(crate) client_left: u64,
}

/// Milliseconds of several requests; nothing when there are none. Percentiles by the nearest rank.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Latency {
    /// How many were measured.
    pub(crate) measured: u64,
    /// Half of them took at most this.
    pub(crate) p50_ms: Option<u64>,
    /// Nine of ten took at most this.
    pub(crate) p90_ms: Option<u64>,
    /// 99 of a hundred took at most this.
    pub(crate) p99_ms: Option<u64>,
    /// The longest.
    pub(crate) max_ms: Option<u64>,
}

/// What the requests with one protocol, model, account or code came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FlowGroup {
    /// Name of the protocol or model, id of the account, or the code.
    pub(crate) key: String,
    /// Requests.
    pub(crate) requests: u64,
    /// Those of them that failed.
    pub(crate) failed: u64,
    /// Credits that the service metered for them.
    pub(crate) credits: f64,
}

/// What the requests that are kept came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FlowStats {
    /// How many fit.
    pub(crate) requests: u64,
    /// When the oldest of them arrived.
    pub(crate) oldest: Option<Timestamp>,
    /// How they ended.
    pub(crate) outcomes: OutcomeCounts,
    /// From arrival to the end, of complete answers.
    pub(crate) duration: Latency,
    /// From arrival to the first event, of all that had one.
    pub(crate) first_event: Latency,
    /// Input tokens.
    pub(crate) input_tokens: u64,
    /// Output tokens.
    pub(crate) output_tokens: u64,
    /// Credits that the service metered; never estimated. Answers of the demo account cost none.
    pub(crate) credits: f64,
    /// By client protocol, most requests first.
    pub(crate) protocols: Vec<FlowGroup>,
    /// By the model that the upstream was asked for, or else the one that the client named.
    pub(crate) models: Vec<FlowGroup>,
    /// By the account that answered.
    pub(crate) accounts: Vec<FlowGroup>,
    /// By code of the failure.
    pub(crate) codes: Vec<FlowGroup>,
}

/// Sums the flows up.
pub(super) fn stats(rows: &[Row]) -> FlowStats {
    let flows = || rows.iter().map(|row| &*row.flow);
    let mut outcomes = OutcomeCounts::default();
    for flow in flows() {
        match flow.outcome {
            FlowOutcome::Complete => outcomes.complete += 1,
            FlowOutcome::Failed => outcomes.failed += 1,
            FlowOutcome::ClientLeft => outcomes.client_left += 1,
            FlowOutcome::Running => {}
        }
    }
    let complete = flows().filter(|flow| flow.outcome == FlowOutcome::Complete);
    FlowStats {
        requests: rows.len() as u64,
        oldest: flows().map(|flow| flow.at).min(),
        outcomes,
        duration: latency(complete.map(|flow| flow.duration_ms).collect()),
        first_event: latency(flows().filter_map(|flow| flow.first_event_ms).collect()),
        input_tokens: flows().filter_map(|flow| flow.usage.input_tokens).sum(),
        output_tokens: flows().filter_map(|flow| flow.usage.output_tokens).sum(),
        credits: flows().map(credits).sum(),
        protocols: groups(flows(), |flow| Some(&flow.protocol)),
        models: groups(flows(), |flow| flow.upstream_model.as_deref().or(flow.model.as_deref())),
        accounts: groups(flows(), |flow| flow.account.as_deref()),
        codes: groups(flows(), |flow| flow.failure_code.as_deref()),
    }
}

fn credits(flow: &FlowView) -> f64 {
    if flow.simulated { 0.0 } else { flow.usage.credits.unwrap_or(0.0) }
}

fn groups<'a>(
    flows: impl Iterator<Item = &'a FlowView>,
    key: impl Fn(&'a FlowView) -> Option<&'a str>,
) -> Vec<FlowGroup> {
    let mut groups: HashMap<&str, FlowGroup> = HashMap::new();
    for flow in flows {
        let Some(key) = key(flow) else { continue };
        let empty = || FlowGroup { key: key.to_owned(), requests: 0, failed: 0, credits: 0.0 };
        let group = groups.entry(key).or_insert_with(empty);
        group.requests += 1;
        group.failed += u64::from(flow.outcome == FlowOutcome::Failed);
        group.credits += credits(flow);
    }
    let mut groups: Vec<FlowGroup> = groups.into_values().collect();
    groups.sort_by(|a, b| b.requests.cmp(&a.requests).then_with(|| a.key.cmp(&b.key)));
    groups.truncate(MOST_GROUPS);
    groups
}

fn latency(mut times: Vec<u64>) -> Latency {
    times.sort_unstable();
    let rank = |percent: usize| times.get((times.len() * percent).div_ceil(100).saturating_sub(1)).copied();
    Latency {
        measured: times.len() as u64,
        p50_ms: rank(50),
        p90_ms: rank(90),
        p99_ms: rank(99),
        max_ms: times.last().copied(),
    }
}
