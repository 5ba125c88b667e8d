//! What accounts may use, and what was used.

use super::account_checks::named;
use crate::error::Problem;
use crate::quota::QuotaView;
use crate::usage::{Sums, UsageBy};
use crate::wiring::Gateway;
use axum::Json;
use axum::extract::{Path, Query, State};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use utoipa::{IntoParams, ToSchema};

/// Longer than anything is kept.
const MOST_DAYS: u32 = 800;

/// How fresh the answer must be.
#[derive(Debug, Clone, Deserialize, IntoParams)]
pub(super) struct QuotaQuery {
    /// Ask the upstream now instead of answering what is known.
    #[serde(default)]
    fresh: bool,
}

/// What an account may use and has used. Asks the upstream when nothing is known yet.
#[utoipa::path(get, path = "/api/accounts/{id}/usage", operation_id = "accountUsage",
    params(("id" = String, Path), QuotaQuery),
    responses((status = 200, body = QuotaView), (status = 404, body = Problem), (status = 502, body = Problem),
        (status = 503, body = Problem)))]
pub(super) async fn quota(
    State(gateway): State<Gateway>,
    Path(id): Path<String>,
    Query(query): Query<QuotaQuery>,
) -> Result<Json<QuotaView>, Problem> {
    let account = named(&gateway, id)?;
    let quotas = &gateway.parts.quotas;
    let known = quotas.view(&account).filter(|view| view.fetched_at.is_some());
    if let (false, Some(view)) = (query.fresh, &known) {
        return Ok(Json(view.clone()));
    }
    if let Err(error) = quotas.fresh(&account).await {
        // What was known before stays useful; its problem is in the view.
        return match quotas.view(&account).filter(|view| view.fetched_at.is_some()) {
            Some(view) => Ok(Json(view)),
            None => Err(error.problem()),
        };
    }
    super::accounts::changed(&gateway);
    quotas.view(&account).map(Json).ok_or_else(|| {
        Problem::new(crate::error::ProblemCode::UpstreamFailed, "the upstream says nothing about this account's quota")
    })
}

/// What the sums are of, and of how many days.
#[derive(Debug, Clone, Deserialize, IntoParams)]
pub(super) struct UsageQuery {
    /// `account` (the default), `model`, `key` or `day`.
    #[serde(default)]
    by: UsageBy,
    /// The last so many days of the local time zone, today included; 30 when absent.
    #[serde(default)]
    days: Option<u32>,
}

/// What one account, model, key or day came to.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct UsageRow {
    /// Id of the account or key, id of the model, or the day as `2026-11-27`. `*`: what is counted without its name.
    key: String,
    /// Its name for people.
    label: String,
    /// Requests that an account has accepted.
    requests: u64,
    /// Credits that the service metered, those of answers that were tried again included.
    credits: f64,
    /// Input tokens.
    input_tokens: u64,
    /// Output tokens.
    output_tokens: u64,
}

/// What was used.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct UsageReport {
    /// Days in order; everything else by credits, most first.
    rows: Vec<UsageRow>,
}

/// What was used, by account, model, key or day. Credits come from the service's metering alone.
#[utoipa::path(get, path = "/api/usage", operation_id = "usage", params(UsageQuery),
    responses((status = 200, body = UsageReport)))]
pub(super) async fn usage(State(gateway): State<Gateway>, Query(query): Query<UsageQuery>) -> Json<UsageReport> {
    let days = query.days.unwrap_or(30).clamp(1, MOST_DAYS);
    let names: HashMap<String, String> = match query.by {
        UsageBy::Account => {
            let accounts = gateway.parts.book.roster.list();
            accounts.iter().map(|account| (account.id.to_string(), account.label.clone())).collect()
        }
        UsageBy::Key => gateway.parts.keys.list().into_iter().map(|key| (key.id.to_string(), key.name)).collect(),
        UsageBy::Model | UsageBy::Day => HashMap::new(),
    };
    let row = |(key, sums): (String, Sums)| UsageRow {
        label: names.get(&key).unwrap_or(&key).clone(),
        key,
        requests: sums.requests,
        credits: sums.credits,
        input_tokens: sums.input_tokens,
        output_tokens: sums.output_tokens,
    };
    Json(UsageReport { rows: gateway.parts.ledger.rows(query.by, days).into_iter().map(row).collect() })
}
