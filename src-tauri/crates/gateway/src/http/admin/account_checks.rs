//! Looking after accounts on a person's word: a fresh token and fresh facts, of one account or of all of them.

use super::accounts::{AccountView, changed, view};
use crate::account::{Account, AccountId, AuthMethod};
use crate::error::{Problem, ProblemCode};
use crate::wiring::Gateway;
use axum::Json;
use axum::extract::{Path, State};
use futures_util::StreamExt as _;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

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
    if !has_refresh(account) {
        return Err(Problem::new(ProblemCode::InvalidRequest, "an API key has nothing to refresh"));
    }
    gateway.parts.inspector.renew(account).await?;
    gateway.parts.inspector.inspect(&account.id).await.map(|_| ())
}

fn has_refresh(account: &Account) -> bool {
    match account.method {
        AuthMethod::Social | AuthMethod::Idc | AuthMethod::ExternalIdp => true,
        AuthMethod::ApiKey => false,
    }
}
