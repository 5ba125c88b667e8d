//! Microsoft Entra as the second leg of the portal sign-in (kiro-upstream §5.5).

use http::Response;
use serde_json::json;

use super::{
    Refused, account_of_refresh, challenge_of, count_refresh, error, form, issue, message, redirect, signs_in_as,
    with_query,
};
use crate::account::{AccountSeed, Family};
use crate::http_server::ResponseBody;
use crate::refusal::json_response;
use crate::router::Call;
use crate::state::CodeGrant;

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
    if get("response_type") != "code" || get("code_challenge_method") != "S256" || get("code_challenge").len() != 43 {
        call.record("external.authorize", "response_type=code and an S256 code_challenge are needed");
        return message(400, "Invalid request.");
    }
    if !get("scope").split(' ').any(|s| s == "offline_access") {
        call.record("external.scope", "without offline_access there is no refresh token");
    }
    let mut memory = call.state.memory();
    let Some(account) = signs_in_as(&memory, |f| f == Family::ExternalIdp) else { return message(503, "no account") };
    let code = memory.uuid();
    memory.codes.insert(
        code.clone(),
        CodeGrant {
            account,
            challenge: get("code_challenge").to_owned(),
            redirect_uri: get("redirect_uri").to_owned(),
            client_id: get("client_id").to_owned(),
        },
    );
    with_query(get("redirect_uri"), &[("code", &code), ("state", get("state"))])
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
            let mut memory = call.state.memory();
            let grant = memory.codes.remove(get("code")).filter(|g| {
                g.client_id == get("client_id")
                    && g.redirect_uri == get("redirect_uri")
                    && g.challenge == challenge_of(get("code_verifier"))
            });
            let issued = grant.and_then(|g| issue(&mut memory, &g.account, now, None));
            issued.map_or_else(
                || error(400, "invalid_grant", "", "AADSTS70008: The provided authorization code is not valid."),
                |issued| json_response(200, &tokens(&issued)),
            )
        }
        _ => error(400, "unsupported_grant_type", "", "AADSTS70003"),
    }
}

fn refresh(call: &Call, token: &str, client_id: &str, scope: &str) -> Response<ResponseBody> {
    let dead = || error(400, "invalid_grant", "", "AADSTS700082: The refresh token has expired.");
    let found = account_of_refresh(&call.state.memory(), token);
    let account = match found {
        Ok(account) => account,
        Err(Refused::Unknown) => return dead(),
        Err(Refused::Rotated) => {
            call.record("token.rotated", "a refresh token that was replaced or revoked");
            return dead();
        }
    };
    if !scope.is_empty() && !scope.split(' ').any(|s| s == "offline_access") {
        call.record("external.scope", "scope must contain offline_access");
    }
    let now = call.state.clock.now_ms();
    let mut memory = call.state.memory();
    if memory.account(&account).is_none_or(|a| a.seed.family != Family::ExternalIdp || a.seed.client_id != client_id) {
        return error(400, "unauthorized_client", "", "AADSTS700016");
    }
    issue(&mut memory, &account, now, Some(token)).map_or_else(dead, |issued| json_response(200, &tokens(&issued)))
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
