//! Looking after accounts on a person's word: a fresh token and fresh facts, of one account or of all of them.

use super::accounts::{AccountView, changed, view};
use super::extract::Body;
use super::try_it::{begin, problem as failed};
use crate::account::{Account, AccountId, AccountState, AuthMethod, Signal};
use crate::error::{Problem, ProblemCode};
use crate::health::Finding;
use crate::http::reply;
use crate::wiring::Gateway;
use axum::Json;
use axum::extract::{Path, State};
use futures_util::StreamExt as _;
use kiro_protocol::event::ReplyBlock;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use utoipa::ToSchema;

/// What an account is asked when it is tried out: the shortest answer costs least.
const QUESTION: &str = "Reply with the single word OK.";

/// Accounts that are looked after at the same time.
pub(super) const AT_ONCE: usize = 4;

/// An account that could not be looked after.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct FailedAccount {
    /// Its id.
    id: AccountId,
    /// Why.
    problem: Problem,
}

/// What became of a refresh of all accounts.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct RefreshResult {
    /// Accounts with a fresh token.
    refreshed: Vec<AccountId>,
    /// The others.
    failed: Vec<FailedAccount>,
}

/// The account of a path.
pub(super) fn named(gateway: &Gateway, id: String) -> Result<Arc<Account>, Problem> {
    let id = AccountId::from_text(id);
    let none = || Problem::new(ProblemCode::NotFound, "there is no such account");
    gateway.parts.book.roster.get(&id).ok_or_else(none)
}

/// Buys a fresh token now, and asks for profile, quota and models again.
#[utoipa::path(post, path = "/api/accounts/{id}/refresh", operation_id = "refreshAccount", params(("id" = String, Path)),
    responses((status = 200, body = AccountView), (status = 400, body = Problem), (status = 404, body = Problem),
        (status = 502, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn refresh(
    State(gateway): State<Gateway>,
    Path(id): Path<String>,
) -> Result<Json<AccountView>, Problem> {
    let account = named(&gateway, id)?;
    let refreshed = refreshed(&gateway, &account).await;
    changed(&gateway);
    refreshed?;
    let account = gateway.parts.book.roster.get(&account.id).unwrap_or(account);
    Ok(Json(view(&gateway, &account)))
}

/// The same for every account that has something to refresh and is switched on.
#[utoipa::path(post, path = "/api/accounts/refresh", operation_id = "refreshAccounts",
    responses((status = 200, body = RefreshResult)))]
pub(super) async fn refresh_all(State(gateway): State<Gateway>) -> Json<RefreshResult> {
    let accounts = gateway.parts.book.roster.list();
    let due: Vec<Arc<Account>> =
        accounts.iter().filter(|account| account.enabled && has_refresh(account)).cloned().collect();
    let asked = due.into_iter().map(|account| {
        let gateway = gateway.clone();
        async move {
            let refreshed = refreshed(&gateway, &account).await;
            (account.id.clone(), refreshed)
        }
    });
    let done: Vec<_> = futures_util::stream::iter(asked).buffered(AT_ONCE).collect().await;
    changed(&gateway);
    let mut result = RefreshResult { refreshed: Vec::new(), failed: Vec::new() };
    for (id, refreshed) in done {
        match refreshed {
            Ok(()) => result.refreshed.push(id),
            Err(problem) => result.failed.push(FailedAccount { id, problem }),
        }
    }
    Json(result)
}

async fn refreshed(gateway: &Gateway, account: &Account) -> Result<(), Problem> {
    let lost = matches!(gateway.parts.book.leases.state(account), AccountState::NeedsLogin { .. });
    // A key is as it is; one that was refused may have been allowed again.
    if has_refresh(account) {
        gateway.parts.inspector.renew(account).await?;
    } else if !lost {
        return Err(Problem::new(ProblemCode::InvalidRequest, "an API key has nothing to refresh"));
    }
    let inspection = gateway.parts.inspector.inspect(&account.id).await?;
    if lost && (has_refresh(account) || inspection.quota.is_some()) {
        found_again(gateway, account).await;
    }
    Ok(())
}

/// The sign-in works after all: the account serves again.
async fn found_again(gateway: &Gateway, account: &Account) {
    let (leases, id) = (Arc::clone(&gateway.parts.book.leases), account.id.clone());
    let told = tokio::task::spawn_blocking(move || leases.signal(&id, Signal::LoggedIn)).await;
    if let Ok(Err(error)) = told {
        tracing::warn!(account = %account.id, %error, "the account's condition is known but could not be saved");
    }
}

fn has_refresh(account: &Account) -> bool {
    match account.method {
        AuthMethod::Social | AuthMethod::Idc | AuthMethod::ExternalIdp => true,
        AuthMethod::ApiKey => false,
    }
}

/// What a check found of one account.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct CheckedAccount {
    /// Its id.
    id: AccountId,
    /// Whether it answered as it should.
    ok: bool,
    /// Whether it was left alone because it waits for a person: suspended, signed out or switched off.
    skipped: bool,
    /// How long the answer took, in milliseconds.
    ms: Option<u64>,
    /// What went wrong.
    problem: Option<Problem>,
}

/// What a check of all accounts found.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct CheckResult {
    /// In the order the accounts were added.
    accounts: Vec<CheckedAccount>,
}

/// Asks every account a question that costs nothing. Accounts that wait for a person are left alone.
#[utoipa::path(post, path = "/api/accounts/check", operation_id = "checkAccounts",
    responses((status = 200, body = CheckResult)))]
pub(super) async fn check(State(gateway): State<Gateway>) -> Json<CheckResult> {
    let found = gateway.parts.health.check_all().await;
    changed(&gateway);
    let told = |(id, finding): (AccountId, Finding)| {
        let (ok, skipped, ms, problem) = match finding {
            Finding::Works { took } => (true, false, Some(millis(took)), None),
            Finding::Waits => (false, true, None, None),
            Finding::Trouble(problem) => (false, false, None, Some(problem)),
        };
        CheckedAccount { id, ok, skipped, ms, problem }
    };
    Json(CheckResult { accounts: found.into_iter().map(told).collect() })
}

/// Which model to try.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct AccountTest {
    /// Which model; the default one when absent.
    #[serde(default)]
    model: Option<String>,
}

/// What a real question to one account brought.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct TestReceipt {
    /// Id of the account.
    account: String,
    /// True when the answer is made up on this machine.
    simulated: bool,
    /// The model that was asked for.
    model: String,
    /// What it said.
    text: String,
    /// How long it took, in milliseconds.
    ms: u64,
    /// What the service charged for it.
    credits: Option<f64>,
}

/// Asks the account a short, real question, whatever its condition. It costs what the service charges for it.
#[utoipa::path(post, path = "/api/accounts/{id}/test", operation_id = "testAccount", params(("id" = String, Path)),
    request_body = AccountTest,
    responses((status = 200, body = TestReceipt), (status = 404, body = Problem), (status = 502, body = Problem),
        (status = 503, body = Problem)))]
pub(super) async fn test(
    State(gateway): State<Gateway>,
    Path(id): Path<String>,
    Body(wish): Body<AccountTest>,
) -> Result<Json<TestReceipt>, Problem> {
    let account = named(&gateway, id)?;
    let settings = gateway.settings();
    let model = wish.model.unwrap_or_else(|| settings.models.default.clone());
    let since = Instant::now();
    let mut rounds = begin(&gateway, QUESTION, &model, Some(account.id.clone())).await?;
    let reply = reply::whole(&mut rounds, &gateway.parts.cut).await.map_err(|failure| failed(&failure))?;
    let text = |block: &ReplyBlock| match block {
        ReplyBlock::Text(text) => Some(text.clone()),
        ReplyBlock::Thinking { .. }
        | ReplyBlock::RedactedThinking(_)
        | ReplyBlock::ToolUse { .. }
        | ReplyBlock::Search { .. } => None,
    };
    changed(&gateway);
    Ok(Json(TestReceipt {
        account: account.id.to_string(),
        simulated: rounds.flow().simulated(),
        model,
        text: reply.blocks.iter().filter_map(text).collect(),
        ms: millis(since.elapsed()),
        credits: reply.usage.credits,
    }))
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
