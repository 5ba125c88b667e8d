//! The login at the proxy of the settings (`network.proxy`): it is no setting, for settings are plain text. It goes to the store of
//! secrets, belongs to one address, and is never shown.

use super::account_changes::{ProxyTest, replace_login, tried};
use super::extract::Body;
use crate::credential::{SecretId, StoreError};
use crate::error::{FieldProblem, Problem, ProblemCode};
use crate::own_addresses::own_addresses;
use crate::upstream::http::{Common, Route};
use crate::upstream::proxy::{self, ProxyUrl};
use crate::upstream::{API_REGIONS, endpoint};
use crate::wiring::Gateway;
use axum::Json;
use axum::extract::State;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Where the login at the proxy comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) enum ProxyLoginSource {
    /// There is none for this proxy.
    None,
    /// The store of secrets.
    Stored,
    /// The environment, for this run; it goes before a stored one.
    Environment,
    /// The store cannot be read now; nothing is sent through the proxy.
    Unreadable,
}

/// The way of everything that has no proxy of its own.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct NetworkProxy {
    /// The proxy's address; `null` when the settings name none.
    address: Option<String>,
    /// Where its login comes from.
    login: ProxyLoginSource,
}

/// A login at a proxy.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ProxyLogin {
    /// User name.
    user: String,
    /// Password.
    #[serde(default)]
    password: String,
}

/// Shows which proxy everything goes through, and whether a login for it is kept.
#[utoipa::path(get, path = "/api/network/proxy", operation_id = "getNetworkProxy",
    responses((status = 200, body = NetworkProxy)))]
pub(super) async fn show(State(gateway): State<Gateway>) -> Json<NetworkProxy> {
    Json(view(&gateway).await)
}

/// Keeps a login for the proxy of the settings. One that was kept before is replaced.
#[utoipa::path(put, path = "/api/network/proxy/login", operation_id = "setNetworkProxyLogin", request_body = ProxyLogin,
    responses((status = 200, body = NetworkProxy), (status = 422, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn set_login(
    State(gateway): State<Gateway>,
    Body(given): Body<ProxyLogin>,
) -> Result<Json<NetworkProxy>, Problem> {
    let password = SecretString::from(given.password);
    let address = address(&gateway).ok_or_else(|| {
        refused("network.proxy", "the settings name no proxy: save its address first, then its user name and password")
    })?;
    let login = proxy::login(&given.user, secrecy::ExposeSecret::expose_secret(&password));
    let login = login.map_err(|words| refused("user", words))?;
    replace_login(&gateway, &SecretId::proxy_of_all(), Some(&proxy::bound(&address, &login))).await?;
    gateway.renew_network().await;
    Ok(Json(view(&gateway).await))
}

/// Forgets the login for the proxy of the settings.
#[utoipa::path(delete, path = "/api/network/proxy/login", operation_id = "removeNetworkProxyLogin",
    responses((status = 200, body = NetworkProxy), (status = 503, body = Problem)))]
pub(super) async fn remove_login(State(gateway): State<Gateway>) -> Result<Json<NetworkProxy>, Problem> {
    replace_login(&gateway, &SecretId::proxy_of_all(), None).await?;
    gateway.renew_network().await;
    Ok(Json(view(&gateway).await))
}

/// Tries the way of everything to the service: one request without any credential of an account.
#[utoipa::path(post, path = "/api/network/proxy/test", operation_id = "testNetworkProxy",
    responses((status = 200, body = ProxyTest)))]
pub(super) async fn test(State(gateway): State<Gateway>) -> Json<ProxyTest> {
    Json(tried(&gateway, &Route::anonymous(), &endpoint::first_host(API_REGIONS[0])).await)
}

/// The proxy that the settings name.
fn address(gateway: &Gateway) -> Option<ProxyUrl> {
    match gateway.settings().network.common() {
        Common::Through(address) => Some(address),
        Common::System | Common::Direct | Common::Unusable => None,
    }
}

async fn view(gateway: &Gateway) -> NetworkProxy {
    let address = address(gateway);
    let login = match &address {
        None => ProxyLoginSource::None,
        Some(_) if gateway.parts.http.has_given_login() => ProxyLoginSource::Environment,
        Some(address) => source(gateway, address).await,
    };
    NetworkProxy { address: address.map(|address| address.to_string()), login }
}

async fn source(gateway: &Gateway, address: &ProxyUrl) -> ProxyLoginSource {
    let kept = gateway.parts.book.credentials.load(&SecretId::proxy_of_all()).await;
    let kept = kept.map(|secrets| secrets.and_then(|secrets| secrets.proxy_credentials));
    match kept.inspect_err(|error: &StoreError| tracing::warn!(%error, "the login at the proxy cannot be read")) {
        Err(_) => ProxyLoginSource::Unreadable,
        Ok(kept) => match kept.and_then(|kept| proxy::bound_to(&kept, address)) {
            Some(_) => ProxyLoginSource::Stored,
            None => ProxyLoginSource::None,
        },
    }
}

fn refused(field: &str, words: &str) -> Problem {
    let mut problem = Problem::new(ProblemCode::InvalidFields, words);
    let field_problem = FieldProblem { code: "invalid_value".to_owned(), message: words.to_owned() };
    problem.fields.insert(field.to_owned(), field_problem);
    problem
}

/// The addresses of this machine that other devices may reach, such as for a sign-in link.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct OwnAddresses {
    /// Version 4 first. Empty where the machine is in no network, or the system does not tell.
    addresses: Vec<String>,
}

/// Lists the addresses on which a sign-in link can be served for other devices. No loopback, nothing link-local.
#[utoipa::path(get, path = "/api/network/addresses", operation_id = "listOwnAddresses",
    responses((status = 200, body = OwnAddresses)))]
pub(super) async fn addresses() -> Json<OwnAddresses> {
    let found = own_addresses().await.unwrap_or_else(|error| {
        tracing::info!(%error, "the system does not tell this machine's addresses");
        Vec::new()
    });
    Json(OwnAddresses { addresses: found.iter().map(ToString::to_string).collect() })
}
