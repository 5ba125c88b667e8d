//! What a person changes about an account: its name, its groups, how it reaches the network, and whether it serves.

mod wishes;

use super::accounts::{AccountView, changed, view};
use super::extract::Body;
use crate::account::{Account, AccountId, RosterError, Signal};
use crate::credential::{SecretId, Secrets, StoreError};
use crate::error::{Problem, ProblemCode};
use crate::upstream::endpoint;
use crate::upstream::http::{Refused, Route};
use crate::wiring::Gateway;
use axum::Json;
use axum::extract::{Path, State};
use http::Method;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use utoipa::ToSchema;
pub(super) use wishes::AccountChange;

/// How long a test of a proxy may take.
const TEST_DEADLINE: Duration = Duration::from_secs(15);

/// One account.
#[utoipa::path(get, path = "/api/accounts/{id}", operation_id = "getAccount", params(("id" = String, Path)),
    responses((status = 200, body = AccountView), (status = 404, body = Problem)))]
pub(super) async fn show(State(gateway): State<Gateway>, Path(id): Path<String>) -> Result<Json<AccountView>, Problem> {
    let account = known(&gateway, &AccountId::from_text(id))?;
    Ok(Json(view(&gateway, &account)))
}

/// Changes an account. What is left out stays; `null` goes back to the default.
#[utoipa::path(patch, path = "/api/accounts/{id}", operation_id = "changeAccount", params(("id" = String, Path)),
    request_body = AccountChange,
    responses((status = 200, body = AccountView), (status = 404, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem)))]
pub(super) async fn change(
    State(gateway): State<Gateway>,
    Path(id): Path<String>,
    Body(change): Body<AccountChange>,
) -> Result<Json<AccountView>, Problem> {
    let id = AccountId::from_text(id);
    let account = known(&gateway, &id)?;
    let plan = change.check(&account)?;
    let parts = &gateway.parts;
    // The password first: the new address never goes with the old one's password.
    if let Some(login) = &plan.proxy_login {
        save_login(&gateway, &id, login.as_ref()).await?;
    }
    let book = parts.book.clone();
    let saved = tokio::task::spawn_blocking({
        let id = id.clone();
        move || {
            let enabled = plan.enabled;
            let saved = book.roster.update(&id, |account| plan.apply(account))?;
            match enabled {
                Some(enabled) if saved.as_ref().is_some_and(|account| account.enabled != enabled) => {
                    book.leases.set_enabled(&id, enabled)
                }
                Some(_) | None => Ok(saved),
            }
        }
    });
    let saved = saved.await.map_err(|_| Problem::new(ProblemCode::Internal, "saving met a fault of ours"))?;
    let account = saved.map_err(|error| unsaved(&error))?.ok_or_else(unknown)?;
    parts.http.forget(&id);
    parts.quotas.reconsider(&account);
    // More may be let in now.
    parts.book.leases.look_again();
    changed(&gateway);
    Ok(Json(view(&gateway, &account)))
}

/// Ends a pause or a suspension, by a person's word.
#[utoipa::path(post, path = "/api/accounts/{id}/restore", operation_id = "restoreAccount", params(("id" = String, Path)),
    responses((status = 200, body = AccountView), (status = 404, body = Problem)))]
pub(super) async fn restore(
    State(gateway): State<Gateway>,
    Path(id): Path<String>,
) -> Result<Json<AccountView>, Problem> {
    let id = AccountId::from_text(id);
    known(&gateway, &id)?;
    let leases = Arc::clone(&gateway.parts.book.leases);
    let told = tokio::task::spawn_blocking({
        let id = id.clone();
        move || leases.signal(&id, Signal::Restored)
    });
    let told = told.await.map_err(|_| Problem::new(ProblemCode::Internal, "saving met a fault of ours"))?;
    told.map_err(|error| unsaved(&error))?;
    changed(&gateway);
    let account = known(&gateway, &id)?;
    Ok(Json(view(&gateway, &account)))
}

/// Who serves.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct OnlyAccount {
    /// The only account that serves; `null` lets the strategy choose.
    account: Option<AccountId>,
}

/// Lets one account serve alone, or all of them again. Saved as the setting `accounts.only`.
#[utoipa::path(put, path = "/api/accounts/only", operation_id = "useOnlyAccount", request_body = OnlyAccount,
    responses((status = 204), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn only(
    State(gateway): State<Gateway>,
    Body(wish): Body<OnlyAccount>,
) -> Result<axum::http::StatusCode, Problem> {
    if let Some(id) = &wish.account {
        known(&gateway, id)?;
    }
    let value = wish.account.map_or(serde_json::Value::Null, |id| id.as_str().into());
    let store = Arc::clone(&gateway.parts.settings);
    let saved = tokio::task::spawn_blocking(move || {
        let patch = serde_json::json!({ "accounts": { "only": value } });
        store.patch(store.snapshot().revision, &patch)
    });
    let snapshot = saved.await.map_err(|_| Problem::new(ProblemCode::Internal, "saving met a fault of ours"))??;
    // At once, and not when the settings are followed next: the answer says that it holds.
    gateway.parts.book.leases.follow(snapshot.settings.selection());
    changed(&gateway);
    Ok(axum::http::StatusCode::NO_CONTENT)
}

/// What a test of a proxy showed.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ProxyTest {
    /// True when the service answered, whatever it said.
    ok: bool,
    /// Milliseconds until it did, or until it was clear that it will not.
    ms: u64,
    /// What went wrong.
    problem: Option<Problem>,
}

/// Tries the way of an account to the service: one request without any credential.
#[utoipa::path(post, path = "/api/accounts/{id}/proxy/test", operation_id = "testAccountProxy",
    params(("id" = String, Path)), responses((status = 200, body = ProxyTest), (status = 404, body = Problem)))]
pub(super) async fn test_proxy(
    State(gateway): State<Gateway>,
    Path(id): Path<String>,
) -> Result<Json<ProxyTest>, Problem> {
    let account = known(&gateway, &AccountId::from_text(id))?;
    let host = endpoint::ladder(&account).swap_remove(0).host;
    Ok(Json(tried(&gateway, &Route::of(&account), &host).await))
}

/// One request on this way, without any credential.
pub(super) async fn tried(gateway: &Gateway, route: &Route, host: &str) -> ProxyTest {
    let since = tokio::time::Instant::now();
    let problem = reach(gateway, route, host).await.err();
    let ms = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
    ProxyTest { ok: problem.is_none(), ms, problem }
}

async fn reach(gateway: &Gateway, route: &Route, host: &str) -> Result<(), Problem> {
    let advice = "Check the address of the proxy, its user name and password, and that it runs.";
    let failed = |words: String| Problem::new(ProblemCode::UpstreamFailed, words).action(advice);
    let request = gateway.parts.http.request(route, Method::GET, host, "/").await;
    let request = request.map_err(|refused| match refused {
        Refused::NoProxy(_) | Refused::NoTls(_) | Refused::NoDemo | Refused::UnknownHost(_) => {
            failed(refused.to_string())
        }
    })?;
    match request.timeout(TEST_DEADLINE).send().await {
        Ok(response) if response.status() == http::StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
            Err(failed("the proxy asks for another user name and password".to_owned()))
        }
        Ok(_) => Ok(()),
        Err(error) if error.is_timeout() => Err(failed("no answer in time".to_owned())),
        Err(error) => Err(failed(format!("{host} cannot be reached: {}", crate::upstream::kiro::plain(&error)))),
    }
}

async fn save_login(gateway: &Gateway, id: &AccountId, login: Option<&SecretString>) -> Result<(), Problem> {
    let credentials = &gateway.parts.book.credentials;
    let record = SecretId::proxy(id);
    replace_login(gateway, &record, login).await?;
    let work = async {
        // An empty record hides a login in the account's own, where earlier imports kept it.
        if login.is_none() && credentials.proxy_login(id).await?.is_some() {
            credentials.save(&record, &Secrets::default()).await?;
        }
        Ok(())
    };
    work.await.map_err(|error| not_kept(&error))
}

/// Keeps the login at a proxy in a record of the store, or removes it.
pub(super) async fn replace_login(
    gateway: &Gateway,
    record: &SecretId,
    login: Option<&SecretString>,
) -> Result<(), Problem> {
    let credentials = &gateway.parts.book.credentials;
    let work = async {
        // A save keeps the one before it in case the new one does not work; an old password is of no use.
        credentials.delete(record).await?;
        match login {
            Some(login) => {
                let secrets = Secrets { proxy_credentials: Some(login.clone()), ..Secrets::default() };
                credentials.save(record, &secrets).await
            }
            None => Ok(()),
        }
    };
    work.await.map_err(|error| not_kept(&error))
}

fn not_kept(error: &StoreError) -> Problem {
    Problem::new(ProblemCode::StoreUnavailable, error.to_string()).action(error.action())
}

fn known(gateway: &Gateway, id: &AccountId) -> Result<Arc<Account>, Problem> {
    gateway.parts.book.roster.get(id).ok_or_else(unknown)
}

fn unknown() -> Problem {
    Problem::new(ProblemCode::NotFound, "there is no such account")
}

fn unsaved(error: &RosterError) -> Problem {
    Problem::new(ProblemCode::Storage, error.to_string()).action(error.action()).param("reason", error.code())
}
