//! AWS SSO OIDC: client registration, device and browser sign-in, refresh (kiro-upstream §5.3, §5.4, §5.7).

use http::Response;
use serde_json::{Value, json};

use super::page::{self, Answer};
use super::proof::{self, Redeemed};
use super::{
    Waiting, account_of_refresh, count_refresh, error, issue, redirect, signs_in_as, wait_for_a_person, with_query,
};
use crate::account::Family;
use crate::http_server::ResponseBody;
use crate::refusal::json_response;
use crate::router::Call;
use crate::state::{Decision, Registration};

const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";
const REGISTRATION_DAYS: i64 = 90;
const DEVICE_LIFE_S: i64 = 600;

fn is_oidc(family: Family) -> bool {
    matches!(family, Family::BuilderId | Family::Idc)
}

fn invalid_request(description: &str) -> Response<ResponseBody> {
    error(400, "invalid_request", "InvalidRequestException", description)
}

fn not_this_grant() -> Response<ResponseBody> {
    error(400, "unauthorized_client", "UnauthorizedClientException", "Client is not authorized for this grant")
}

fn strings(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(|v| v.as_str().map(str::to_owned)).collect()
}

pub(super) fn register(call: &Call) -> Response<ResponseBody> {
    let Ok(body) = call.json() else { return invalid_request("Invalid request") };
    let name = body["clientName"].as_str().unwrap_or_default();
    if name.is_empty() || body["clientType"] != "public" {
        call.record("oidc.register", "clientName and clientType \"public\" are needed");
        return error(400, "invalid_client_metadata", "InvalidClientMetadataException", "Invalid client metadata");
    }
    let scopes = strings(&body["scopes"]);
    if !scopes.iter().any(|s| s.starts_with("codewhisperer:")) {
        call.record("oidc.register", "tokens without a codewhisperer scope are of no use");
    }
    if scopes.iter().any(|s| s == "sso:account:access") {
        call.record("oidc.scopes", "sso:account:access opens AWS accounts and must not be asked for");
        return error(400, "invalid_scope", "InvalidScopeException", "Invalid scope");
    }
    let grant_types = strings(&body["grantTypes"]);
    let redirect_uris = strings(&body["redirectUris"]);
    if grant_types.iter().any(|grant| grant == "authorization_code")
        && !redirect_uris.iter().all(|uri| is_loopback(uri))
    {
        call.record("oidc.redirect_uri", "public clients come back to this machine only");
        return error(400, "invalid_redirect_uri", "InvalidRedirectUriException", "Invalid redirect URI");
    }
    let region = call.host.oidc_region().unwrap_or_default().to_owned();
    let now = call.state.clock.now_ms();
    let mut memory = call.state.memory();
    let serial = memory.serial();
    let (id, secret) = (format!("SIMCLIENT{serial:06}"), format!("SIM-SECRET-{}", memory.uuid()));
    let expires_ms = now + REGISTRATION_DAYS * 86_400_000;
    memory.registrations.insert(
        id.clone(),
        Registration {
            secret: secret.clone(),
            expires_ms,
            grant_types,
            redirect_uris,
            scopes,
            issuer: body["issuerUrl"].as_str().unwrap_or_default().trim_end_matches('/').to_owned(),
            region,
        },
    );
    json_response(
        200,
        &json!({
            "clientId": id,
            "clientSecret": secret,
            "clientIdIssuedAt": now / 1000,
            "clientSecretExpiresAt": expires_ms / 1000,
        }),
    )
}

fn is_loopback(uri: &str) -> bool {
    url::Url::parse(uri)
        .is_ok_and(|uri| uri.scheme() == "http" && matches!(uri.host_str(), Some("127.0.0.1" | "localhost" | "[::1]")))
}

/// Checks client id and secret; the answer is the refusal.
fn client(call: &Call, body: &Value) -> Result<String, Box<Response<ResponseBody>>> {
    let id = body["clientId"].as_str().unwrap_or_default();
    let memory = call.state.memory();
    let now = call.state.clock.now_ms();
    match memory.registrations.get(id) {
        Some(r) if body["clientSecret"].as_str() != Some(r.secret.as_str()) => {
            Err(Box::new(error(401, "invalid_client", "InvalidClientException", "Invalid client")))
        }
        Some(r) if r.expires_ms <= now => {
            Err(Box::new(error(401, "invalid_client", "ExpiredClientException", "Client is expired")))
        }
        Some(r) if elsewhere(call, r) => {
            Err(Box::new(error(401, "invalid_client", "InvalidClientException", "Invalid client")))
        }
        Some(_) => Ok(id.to_owned()),
        None => Err(Box::new(error(401, "invalid_client", "InvalidClientException", "Invalid client"))),
    }
}

/// A registration is known in its own region only.
fn elsewhere(call: &Call, registration: &Registration) -> bool {
    let region = call.host.oidc_region();
    region.is_some_and(|region| !registration.region.is_empty() && region != registration.region)
}

pub(super) fn device_authorization(call: &Call) -> Response<ResponseBody> {
    let Ok(body) = call.json() else { return invalid_request("Invalid request") };
    let client_id = match client(call, &body) {
        Ok(id) => id,
        Err(refused) => return *refused,
    };
    let start_url = body["startUrl"].as_str().unwrap_or_default().trim_end_matches('/').to_owned();
    let now = call.state.clock.now_ms();
    let mut memory = call.state.memory();
    let fits = |seed: &crate::AccountSeed| is_oidc(seed.family) && seed.start_url == start_url && in_region(call, seed);
    let wanted = memory.sign_in_as.as_deref().and_then(|id| memory.account(id)).filter(|a| fits(&a.seed));
    let account = wanted.or_else(|| memory.accounts.iter().find(|a| fits(&a.seed))).map(|a| a.seed.id.clone());
    let Some(account) = account else { return invalid_request("Start URL is not valid") };
    let allowed = memory
        .registrations
        .get(&client_id)
        .is_none_or(|r| r.grant_types.is_empty() || r.grant_types.iter().any(|grant| grant == DEVICE_CODE));
    if !allowed {
        return not_this_grant();
    }
    let Waiting { device_code, user_code, interval_ms } =
        wait_for_a_person(&mut memory, account, client_id, now, DEVICE_LIFE_S * 1000, 1000);
    json_response(
        200,
        &json!({
            "deviceCode": device_code,
            "userCode": user_code,
            "verificationUri": format!("{start_url}/#/device"),
            "verificationUriComplete": format!("{start_url}/#/device?user_code={user_code}"),
            "expiresIn": DEVICE_LIFE_S,
            "interval": interval_ms / 1000,
        }),
    )
}

fn in_region(call: &Call, seed: &crate::AccountSeed) -> bool {
    call.host.oidc_region().is_none_or(|region| region == seed.oidc_region)
}

/// The browser leg of the authorization code flow.
pub(super) fn authorize(call: &Call) -> Response<ResponseBody> {
    let get = |name: &str| call.query.get(name).map_or("", String::as_str);
    if get("response_type") != "code" {
        call.record("oidc.authorize", "response_type=code is needed");
        return invalid_request("Invalid request");
    }
    if !proof::asked_well(call, "oidc.authorize") {
        return invalid_request("Invalid request");
    }
    let redirect_uri = get("redirect_uri").to_owned();
    let registration = call.state.memory().registrations.get(get("client_id")).cloned();
    let Some(registration) = registration.filter(|r| r.expires_ms > call.state.clock.now_ms() && !elsewhere(call, r))
    else {
        return error(401, "invalid_client", "InvalidClientException", "Invalid client");
    };
    let scopes: Vec<&str> = get("scopes").split([',', ' ']).filter(|scope| !scope.is_empty()).collect();
    if scopes.is_empty() || scopes.iter().any(|scope| !registration.scopes.iter().any(|known| known == scope)) {
        call.record("oidc.authorize", "the parameter is `scopes`, with scopes that were registered");
        return error(400, "invalid_scope", "InvalidScopeException", "Invalid scope");
    }
    if !registration.grant_types.is_empty() && !registration.grant_types.iter().any(|g| g == "authorization_code") {
        return not_this_grant();
    }
    if !registration.redirect_uris.iter().any(|known| same_redirect(known, &redirect_uri)) {
        call.record("oidc.redirect_uri", "not the registered one");
        return invalid_request("Redirect URI does not match");
    }
    match page::consent(call, "Allow access?", &[("answer", "allow", "Allow access")]) {
        Answer::Page(page) => return page,
        Answer::Denied => {
            let pairs = [("error", "access_denied"), ("error_description", "cancelled"), ("state", get("state"))];
            return with_query(&redirect_uri, &pairs)
                .map_or_else(|| invalid_request("Redirect URI does not match"), |to| redirect(&to));
        }
        Answer::Allowed => {}
    }
    let mut memory = call.state.memory();
    let fits = |seed: &crate::AccountSeed| {
        is_oidc(seed.family)
            && seed.start_url == registration.issuer
            && (registration.region.is_empty() || seed.oidc_region == registration.region)
    };
    let account = if registration.issuer.is_empty() {
        signs_in_as(&memory, |f| f == Family::Idc).or_else(|| signs_in_as(&memory, is_oidc))
    } else {
        let wanted = memory.sign_in_as.as_deref().and_then(|id| memory.account(id)).filter(|a| fits(&a.seed));
        wanted.or_else(|| memory.accounts.iter().find(|a| fits(&a.seed))).map(|a| a.seed.id.clone())
    };
    let Some(account) = account else { return invalid_request("Start URL is not valid") };
    let code = proof::grant(call, &mut memory, account, &redirect_uri);
    with_query(&redirect_uri, &[("code", &code), ("state", get("state"))])
        .map_or_else(|| invalid_request("Redirect URI does not match"), |to| redirect(&to))
}

/// Loopback redirects may be registered without a port (kiro-upstream §5.4).
fn same_redirect(registered: &str, used: &str) -> bool {
    let without_port = |text: &str| {
        let mut url = url::Url::parse(text).ok()?;
        url.set_port(None).ok()?;
        Some(url)
    };
    let portless = url::Url::parse(registered).is_ok_and(|u| u.port().is_none());
    registered == used || (portless && without_port(registered) == without_port(used))
}

pub(super) fn create_token(call: &Call) -> Response<ResponseBody> {
    let Ok(body) = call.json() else { return invalid_request("Invalid request") };
    let grant = body["grantType"].as_str().unwrap_or_default();
    if grant == "refresh_token" {
        let response = refresh(call, &body);
        count_refresh(call, !response.status().is_success());
        return response;
    }
    let client_id = match client(call, &body) {
        Ok(id) => id,
        Err(refused) => return *refused,
    };
    let allowed = call
        .state
        .memory()
        .registrations
        .get(&client_id)
        .is_some_and(|r| r.grant_types.is_empty() || r.grant_types.iter().any(|g| g == grant));
    match grant {
        DEVICE_CODE if allowed => device_token(call, &body, &client_id),
        "authorization_code" if allowed => code_token(call, &body, &client_id),
        DEVICE_CODE | "authorization_code" => {
            error(400, "unauthorized_client", "UnauthorizedClientException", "Client is not authorized for this grant")
        }
        _ => error(400, "unsupported_grant_type", "UnsupportedGrantTypeException", "Unsupported grant type"),
    }
}

fn refresh(call: &Call, body: &Value) -> Response<ResponseBody> {
    if let Err(refused) = client(call, body) {
        return *refused;
    }
    let token = body["refreshToken"].as_str().unwrap_or_default();
    let dead = || error(400, "invalid_grant", "InvalidGrantException", "Invalid refresh token provided");
    let now = call.state.clock.now_ms();
    let Some(account) = account_of_refresh(call, token) else { return dead() };
    let seed = call.state.memory().account(&account).map(|a| a.seed.clone());
    let Some(seed) = seed.filter(|s| is_oidc(s.family)) else {
        call.record("token.family", "the OIDC endpoint refreshes OIDC accounts only");
        return invalid_request("Invalid request");
    };
    if !in_region(call, &seed) {
        call.record("token.region", format!("this account lives in {}", seed.oidc_region));
        return dead();
    }
    let mut memory = call.state.memory();
    let owner = memory.refresh.get(token).and_then(|refresh| refresh.client.clone());
    if owner.is_some_and(|owner| body["clientId"] != owner.as_str()) {
        drop(memory);
        call.record("token.client", "a refresh token goes with the registration of its own sign-in");
        return dead();
    }
    issue(&mut memory, &account, now, Some(token), None)
        .map_or_else(dead, |issued| json_response(200, &tokens(&issued)))
}

fn tokens(issued: &super::Issued) -> Value {
    let mut body = json!({"accessToken": issued.access, "expiresIn": issued.expires_in, "tokenType": "Bearer"});
    if let Some(refresh) = &issued.refresh {
        body["refreshToken"] = refresh.as_str().into();
    }
    body
}

fn device_token(call: &Call, body: &Value, client_id: &str) -> Response<ResponseBody> {
    let code = body["deviceCode"].as_str().unwrap_or_default();
    let invalid = || error(400, "invalid_grant", "InvalidGrantException", "Invalid device code");
    let now = call.state.clock.now_ms();
    let mut memory = call.state.memory();
    let Some(device) = memory.devices.get_mut(code).filter(|d| d.client_id == client_id) else { return invalid() };
    let too_fast = device.last_poll_ms.is_some_and(|last| now - last < device.interval_ms - 500);
    device.last_poll_ms = Some(now);
    if device.expires_ms <= now {
        return error(400, "expired_token", "ExpiredTokenException", "Device code expired");
    }
    if too_fast {
        device.interval_ms += 5_000;
        return error(400, "slow_down", "SlowDownException", "Slow down");
    }
    match device.decision {
        Decision::Pending => {
            error(400, "authorization_pending", "AuthorizationPendingException", "Authorization is pending")
        }
        Decision::Denied => error(400, "access_denied", "AccessDeniedException", "Access denied"),
        Decision::Approved => {
            let account = device.account.clone();
            memory.devices.remove(code);
            issue(&mut memory, &account, now, None, Some(client_id))
                .map_or_else(invalid, |issued| json_response(200, &tokens(&issued)))
        }
    }
}

fn code_token(call: &Call, body: &Value, client_id: &str) -> Response<ResponseBody> {
    let get = |name: &str| body[name].as_str().unwrap_or_default();
    let invalid = || error(400, "invalid_grant", "InvalidGrantException", "Invalid code");
    let now = call.state.clock.now_ms();
    let fits =
        |grant: &crate::state::CodeGrant| grant.client_id == client_id && grant.redirect_uri == get("redirectUri");
    let grant = match proof::redeem(call, get("code"), get("codeVerifier"), fits) {
        Redeemed::Good(grant) => grant,
        Redeemed::Unfit => {
            call.record("code.other", "the code belongs to another client or redirect address");
            return invalid();
        }
        Redeemed::Invalid => return invalid(),
    };
    let mut memory = call.state.memory();
    issue(&mut memory, &grant.account, now, None, Some(client_id))
        .map_or_else(invalid, |issued| json_response(200, &tokens(&issued)))
}
