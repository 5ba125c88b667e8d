//! A search on the web by the account that answers: the same hosts, profile and token as the conversation.

use super::Dispatcher;
use super::climb::Climb;
use crate::account::Account;
use crate::flow::{AttemptReason, FlowAttempt, FlowOperation, Trail};
use crate::upstream::SearchCall;
use crate::upstream::classify::{Disposition, Kind, UpstreamError};
use crate::upstream::endpoint;
use kiro_protocol::event::SearchHit;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Before the one repeat.
const PAUSE: Duration = Duration::from_millis(400);

/// More attempts than this are not made for one search: the answer can go on without it.
const MOST: u32 = 4;

impl Dispatcher {
    /// Searches, or says with a stable code why not: `unavailable` or `too_many_requests`. Says nothing about the account: a
    /// search may be missing in its region or plan while everything else works.
    pub(crate) async fn search(
        &self,
        account: &Arc<Account>,
        query: &str,
        trail: &Trail,
    ) -> Result<Vec<SearchHit>, &'static str> {
        let mut climb = Climb::new(endpoint::ladder(account));
        let (mut refreshed, mut repeated) = (false, false);
        let mut reason = AttemptReason::First;
        let mut token = self.token(account).await.map_err(|_| "unavailable")?;
        for attempt in 1..=MOST {
            let since = Instant::now();
            let call = SearchCall { account, token: &token, rung: climb.rung(), query, attempt };
            let error = match self.upstream.search(call).await {
                Ok(hits) => {
                    note(account, &climb.rung().host, None, reason, since, trail);
                    return Ok(hits);
                }
                Err(error) => error,
            };
            note(account, &climb.rung().host, Some(&error), reason, since, trail);
            tracing::warn!(account = %account.id, host = %climb.rung().host, kind = ?error.kind, %error, "a web search failed");
            match error.disposition() {
                Disposition::RefreshThenRetry if !refreshed => {
                    refreshed = true;
                    reason = AttemptReason::Renewed;
                    token = self.tokens.refresh_rejected(account, &token).await.map_err(|_| "unavailable")?;
                }
                Disposition::RetrySame if !repeated && error.kind != Kind::Throttled => {
                    repeated = true;
                    reason = AttemptReason::Repeated;
                    tokio::time::sleep(PAUSE).await;
                }
                // Whatever a host says against the search as such, another one may know it.
                Disposition::NextRung | Disposition::RetrySame | Disposition::GiveUp
                    if !matches!(error.kind, Kind::Throttled | Kind::TimedOut | Kind::NotSent) =>
                {
                    if !climb.next() {
                        return Err(code(&error));
                    }
                    reason = AttemptReason::OtherHost;
                }
                Disposition::NextRung
                | Disposition::RetrySame
                | Disposition::GiveUp
                | Disposition::RefreshThenRetry
                | Disposition::RetryOther
                | Disposition::Repair(_) => return Err(code(&error)),
            }
        }
        Err("unavailable")
    }
}

fn code(error: &UpstreamError) -> &'static str {
    match error.kind {
        Kind::Throttled | Kind::RiskControl => "too_many_requests",
        _ => "unavailable",
    }
}

fn note(
    account: &Account,
    host: &str,
    error: Option<&UpstreamError>,
    reason: AttemptReason,
    since: Instant,
    trail: &Trail,
) {
    trail.attempt(FlowAttempt {
        operation: FlowOperation::Search,
        reason,
        account: account.id.to_string(),
        host: host.to_owned(),
        status: error.map_or(Some(200), |error| error.status),
        code: error.map(UpstreamError::told_code),
        ms: u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX),
        credits: None,
    });
}
