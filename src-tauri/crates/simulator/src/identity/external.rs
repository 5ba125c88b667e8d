//! Microsoft Entra as the second leg of the portal sign-in (kiro-upstream §5.5).

use http::Response;
use serde_json::json;

use super::page::{self, Answer};
use super::proof::{self, Redeemed};
use super::{account_of_refresh, count_refresh, error, form, issue, message, redirect, signs_in_as, with_query};
use crate::account::{AccountSeed, Family};
use crate::http_server::ResponseBody;
use crate::refusal::json_response;
use crate::router::Call;

const TENANT: &str = "https://login.microsoftonline.com/00000000-0000-4000-8000-00000000aaaa";
const SCOPES: &str = "api://00000000-0000-4000-8000-00000000bbbb/codewhisperer:conversations offline_access";

/// First leg: instead of a code the portal sends back where to sign in.
pub(super) fn descriptor(call: &Call, base: &str, seed: &AccountSeed) -> Response<ResponseBody> {
    let state = call.query.get("state").map_or("", String::as_str);
    let issuer = format!("{TENANT}/v2.0");
    let pairs = [
        ("login_option", "external_idp"),
        ("issuer_url", &issuer),
        ("client_id", &seed.client_id),
        ("scopes", SCOPES),
        ("login_hint", &seed.email),
        ("state", state),
    ];
    with_query(&format!("{base}/signin/callback"), &pairs)
        .map_or_else(|| message(400, "redirect_mismatch"), |to| redirect(&to))
}

pub(super) fn discovery(call: &Call) -> Response<ResponseBody> {
    let tenant = call.path.trim_start_matches('/').split('/').next().unwrap_or_default();
    let base = format!("https://login.microsoftonline.com/{tenant}");
    json_response(
        200,
        &json!({
            "issuer": format!("{base}/v2.0"),
            "authorization_endpoint": format!("{base}/oauth2/v2.0/authorize"),
            "token_endpoint": format!("{base}/oauth2/v2.0/token"),
        }),
    )
}

pub(super) fn authorize(call: &Call) -> Response<ResponseBody> {
    let get = |name: &str| call.query.get(name).map_or("", String::as_str);
    if get("response_type") != "code" || get("response_mode") != "query" {
        call.record("external.authorize", "response_type=code and response_mode=query are needed");
        return message(400, "Invalid request.");
    }
    if !proof::asked_well(call, "external.authorize") {
        return message(400, "Invalid request.");
    }
    if !get("scope").split(' ').any(|s| s == "offline_access") {
        call.record("external.scope", "without offline_access there is no refresh token");
    }
    let redirect_uri = get("redirect_uri");
    let registered = url::Url::parse(redirect_uri).is_ok_and(|uri| {
        uri.scheme() == "http" && uri.host_str() == Some("localhost") && uri.path() == "/oauth/callback"
    });
    if !registered {
        call.record("external.redirect_uri", redirect_uri);
        return message(400, "AADSTS50011: The redirect URI does not match.");
    }
    match page::consent(call, "Sign in at your organization", &[("answer", "allow", "Accept")]) {
        Answer::Page(page) => return page,
        Answer::Denied => {
            let pairs = [("error", "access_denied"), ("error_description", "cancelled"), ("state", get("state"))];
            return with_query(redirect_uri, &pairs)
                .map_or_else(|| message(400, "Invalid request."), |to| redirect(&to));
        }
        Answer::Allowed => {}
    }
    let mut memory = call.state.memory();
    let Some(account) = signs_in_as(&memory, |f| f == Family::ExternalIdp) else { return message(503, "no account") };
    if memory.account(&account).is_none_or(|account| account.seed.client_id != get("client_id")) {
        return message(400, "AADSTS700016: The application was not found.");
    }
    let code = proof::grant(call, &mut memory, account, redirect_uri);
    with_query(redirect_uri, &[("code", &code), ("state", get("state"))])
        .map_or_else(|| message(400, "Invalid request."), |to| redirect(&to))
}

pub(super) fn token(call: &Call) -> Response<ResponseBody> {
    let fields = form(&call.body);
    let get = |name: &str| fields.iter().find(|(k, _)| k == name).map_or("", |(_, v)| v.as_str());
    match get("grant_type") {
        "refresh_token" => {
            let response = refresh(call, get("refresh_token"), get("client_id"), get("scope"));
            count_refresh(call, !response.status().is_success());
            response
        }
        "authorization_code" => {
            let now = call.state.clock.now_ms();
            let dead = || error(400, "invalid_grant", "", "AADSTS70008: The provided authorization code is not valid.");
            let fits = |grant: &crate::state::CodeGrant| {
                grant.client_id == get("client_id") && grant.redirect_uri == get("redirect_uri")
            };
            let Redeemed::Good(grant) = proof::redeem(call, get("code"), get("code_verifier"), fits) else {
                return dead();
            };
            let mut memory = call.state.memory();
            issue(&mut memory, &grant.account, now, None, None)
                .map_or_else(dead, |issued| json_response(200, &tokens(&issued)))
        }
        _ => error(400, "unsupported_grant_type", "", "AADSTS70003"),
    }
}

fn refresh(call: &Call, token: &str, client_id: &str, scope: &str) -> Response<ResponseBody> {
    let dead = || error(400, "invalid_grant", "", "AADSTS700082: The refresh token has expired.");
    let Some(account) = account_of_refresh(call, token) else { return dead() };
    if !scope.is_empty() && !scope.split(' ').any(|s| s == "offline_access") {
        call.record("external.scope", "scope must contain offline_access");
    }
    let now = call.state.clock.now_ms();
    let mut memory = call.state.memory();
    if memory.account(&account).is_none_or(|a| a.seed.family != Family::ExternalIdp || a.seed.client_id != client_id) {
        return error(400, "unauthorized_client", "", "AADSTS700016");
    }
    issue(&mut memory, &account, now, Some(token), None)
        .map_or_else(dead, |issued| json_response(200, &tokens(&issued)))
}

fn tokens(issued: &super::Issued) -> serde_json::Value {
    let mut body = json!({
        "token_type": "Bearer",
        "access_token": issued.access,
        "expires_in": issued.expires_in,
        "scope": SCOPES,
    });
    if let Some(refresh) = &issued.refresh {
        body["refresh_token"] = refresh.as_str().into();
    }
    body
}
