//! How things stand: for scripts, status lines and whoever watches over this program. Counts only: neither accounts nor
//! contents are named.

use super::answer::json;
use crate::account::AccountState;
use crate::clock::Timestamp;
use crate::flow::Flows;
use crate::pipeline::Pipeline;
use axum::body::Body;
use http::{Response, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use serde_json::json as object;
use std::collections::BTreeMap;
use std::time::Duration;

/// More of a client's statistics is not read. What is read is dropped at once and costs no memory; a client that is cut off
/// while it still writes sees a broken connection.
const STATISTICS: usize = 16 * 1024 * 1024;
/// Nor is longer waited for them.
const STATISTICS_TIME: Duration = Duration::from_secs(5);

/// Whether a conversation would be answered now; if not, why, in stable codes.
pub(crate) fn ready(pipeline: &Pipeline) -> Response<Body> {
    let census = pipeline.dispatcher.leases.census();
    let credentials = pipeline.dispatcher.tokens.store_state();
    let mut reasons = Vec::new();
    if census.total == 0 {
        reasons.push("no_account");
    } else if census.usable == 0 {
        reasons.push("no_usable_account");
    }
    if credentials != crate::credential::StoreState::Ready {
        reasons.push("secret_store_not_ready");
    }
    let (status, word) =
        if reasons.is_empty() { (StatusCode::OK, "ready") } else { (StatusCode::SERVICE_UNAVAILABLE, "not_ready") };
    json(status, &object!({ "status": word, "reasons": reasons, "simulated": census.simulated }))
}

/// What was used since the gateway was opened, and what there is to use.
pub(crate) fn usage(pipeline: &Pipeline, flows: &Flows, now: Timestamp) -> Response<Body> {
    let leases = &pipeline.dispatcher.leases;
    let census = leases.census();
    let mut states: BTreeMap<&str, usize> = BTreeMap::new();
    for account in pipeline.roster.list().iter() {
        *states.entry(state_name(&leases.state(account))).or_default() += 1;
    }
    let totals = flows.totals();
    let body = object!({
        "object": "usage",
        "since": totals.since.to_rfc3339(),
        "now": now.to_rfc3339(),
        "accounts": {
            "total": census.total,
            "usable": census.usable,
            "demo": census.demo,
            "states": states,
        },
        "simulated": census.simulated,
        "requests": {
            "in_flight": flows.in_flight(),
            "complete": totals.complete,
            "failed": totals.failed,
            "client_left": totals.client_left,
        },
        "tokens": {
            "input": totals.input_tokens,
            "output": totals.output_tokens,
            "cache_read": totals.cache_read_tokens,
            "cache_write": totals.cache_write_tokens,
        },
        "credits_used": totals.credits,
    });
    json(StatusCode::OK, &body)
}

fn state_name(state: &AccountState) -> &'static str {
    match state {
        AccountState::Ready { .. } => "ready",
        AccountState::CoolingDown { .. } => "cooling_down",
        AccountState::Probing { .. } => "probing",
        AccountState::Exhausted { .. } => "exhausted",
        AccountState::NeedsLogin { .. } => "needs_login",
        AccountState::Suspended { .. } => "suspended",
        AccountState::OwnerSwitched { .. } => "owner_switched",
        AccountState::Disabled { .. } => "disabled",
    }
}

/// Takes what a client wanted to send home and drops it.
pub(crate) async fn swallow(body: Incoming) -> Response<Body> {
    let mut body = Limited::new(body, STATISTICS);
    let reading = async { while let Some(Ok(_)) = body.frame().await {} };
    // Whatever came or did not come is dropped either way.
    let _ = tokio::time::timeout(STATISTICS_TIME, reading).await;
    json(StatusCode::OK, &object!({}))
}
