//! The Kiro auth service: Google and GitHub, by browser, by device code, and refresh (kiro-upstream §5.1, §5.2).

use http::Response;
use serde_json::{Value, json};

use super::{
    Issued, Refused, account_of_refresh, challenge_of, count_refresh, error, issue, message, redirect, signs_in_as,
    with_query,
};
use crate::account::Family;
use crate::http_server::ResponseBody;
use crate::refusal::json_response;
use crate::router::Call;
use crate::state::{CodeGrant, Decision, DeviceGrant};

/// Ports of the IDE's list; only these are known to pass (kiro-upstream §5.1).
const LOOPBACK_PORTS: [u16; 10] = [3128, 4649, 6588, 8008, 9091, 49153, 50153, 51153, 52153, 53153];
const DEVICE_LIFE_MS: i64 = 300_000;
const DEVICE_INTERVAL_MS: i64 = 5_000;

/// Variant A: straight to the identity provider; the sign-in is agreed to at once and redirects back.
pub(super) fn login(call: &Call) -> Response<ResponseBody> {
    let get = |name: &str| call.query.get(name).map_or("", String::as_str);
    let idp = get("idp");
    if !matches!(idp, "Google" | "Github") {
        call.record("login.idp", format!("{idp:?}"));
        return message(400, "Invalid idp.");
    }
    let base = get("redirect_uri").to_owned();
    if base != "kiro://kiro.kiroAgent/authenticate-success" && !loopback_allowed(&base) {
        call.record("login.redirect_uri", base);
        return message(400, "redirect_mismatch");
    }
    start_browser(call, &base, &base, &[])
}

/// Variant B: the hosted portal, which comes back on `/oauth/callback` of a loopback address.
pub(super) fn portal(call: &Call) -> Response<ResponseBody> {
    let base = call.query.get("redirect_uri").map_or("", String::as_str).trim_end_matches('/').to_owned();
    if !loopback_allowed(&base) {
        call.record("login.redirect_uri", base);
        return message(400, "redirect_mismatch");
    }
    let external = {
        let memory = call.state.memory();
        let wanted = memory.sign_in_as.as_deref().and_then(|id| memory.account(id));
        wanted.filter(|a| a.seed.family == Family::ExternalIdp).map(|a| a.seed.clone())
    };
    match external {
        Some(seed) => super::external::descriptor(call, &base, &seed),
        None => start_browser(call, &base, &format!("{base}/oauth/callback"), &[("login_option", "google")]),
    }
}

fn loopback_allowed(base: &str) -> bool {
    url::Url::parse(base).is_ok_and(|url| {
        url.scheme() == "http"
            && matches!(url.host_str(), Some("localhost" | "127.0.0.1"))
            && url.port().is_some_and(|port| LOOPBACK_PORTS.contains(&port))
    })
}

fn start_browser(call: &Call, base: &str, callback: &str, extra: &[(&str, &str)]) -> Response<ResponseBody> {
    let get = |name: &str| call.query.get(name).map_or("", String::as_str);
    if get("code_challenge_method") != "S256" || get("code_challenge").len() != 43 || get("state").is_empty() {
        call.record("login.pkce", "state, code_challenge and code_challenge_method=S256 are needed");
        return message(400, "Invalid request.");
    }
    let mut memory = call.state.memory();
    let Some(account) = signs_in_as(&memory, |f| f == Family::Social) else {
        return message(503, "The stand-in has no social account.");
    };
    let code = memory.uuid();
    memory.codes.insert(
        code.clone(),
        CodeGrant {
            account,
            challenge: get("code_challenge").to_owned(),
            redirect_uri: base.to_owned(),
            client_id: String::new(),
        },
    );
    let mut pairs = extra.to_vec();
    pairs.extend([("code", code.as_str()), ("state", get("state"))]);
    with_query(callback, &pairs).map_or_else(|| message(400, "redirect_mismatch"), |to| redirect(&to))
}

/// Exchange of a code. Which redirect_uri the portal form wants is disputed (kiro-upstream §5.1): the base and
/// anything below it are accepted.
pub(super) fn exchange(call: &Call) -> Response<ResponseBody> {
    let Ok(body) = call.json() else { return message(400, "Invalid request.") };
    let get = |name: &str| body[name].as_str().unwrap_or_default();
    let now = call.state.clock.now_ms();
    let mut memory = call.state.memory();
    let Some(grant) = memory.codes.remove(get("code")) else {
        return message(400, "Invalid code or verifier.");
    };
    if challenge_of(get("code_verifier")) != grant.challenge {
        return message(400, "Invalid code or verifier.");
    }
    if !get("redirect_uri").starts_with(&grant.redirect_uri) {
        return message(400, "redirect_uri does not match.");
    }
    let Some(issued) = issue(&mut memory, &grant.account, now, None) else { return message(500, "Internal") };
    let arn = memory.account(&grant.account).and_then(|a| a.seed.profile_arn.clone());
    json_response(200, &tokens(&issued, arn.as_deref()))
}

fn tokens(issued: &Issued, arn: Option<&str>) -> Value {
    let mut body = json!({"accessToken": issued.access, "expiresIn": issued.expires_in});
    if let Some(refresh) = &issued.refresh {
        body["refreshToken"] = refresh.as_str().into();
    }
    if let Some(arn) = arn {
        body["profileArn"] = arn.into();
    }
    body
}

pub(super) fn refresh(call: &Call) -> Response<ResponseBody> {
    let response = try_refresh(call);
    count_refresh(call, !response.status().is_success());
    response
}

fn try_refresh(call: &Call) -> Response<ResponseBody> {
    let token = match call.json() {
        Ok(body) => body["refreshToken"].as_str().unwrap_or_default().to_owned(),
        Err(_) => return message(400, "Invalid request."),
    };
    if call.headers.contains_key(http::header::AUTHORIZATION) {
        call.record("header.authorization", "the refresh token goes in the body, without a bearer header");
    }
    let found = account_of_refresh(&call.state.memory(), &token);
    let account = match found {
        Ok(account) => account,
        Err(Refused::Unknown) => return message(401, "Bad credentials"),
        Err(Refused::Rotated) => {
            call.record("token.rotated", "a refresh token that was replaced or revoked");
            return message(401, "Bad credentials");
        }
    };
    let now = call.state.clock.now_ms();
    let mut memory = call.state.memory();
    if memory.account(&account).is_none_or(|a| a.seed.family != Family::Social) {
        drop(memory);
        call.record("token.family", "the social endpoint refreshes social accounts only");
        return message(401, "Bad credentials");
    }
    let Some(issued) = issue(&mut memory, &account, now, Some(&token)) else { return message(500, "Internal") };
    let arn = memory.account(&account).and_then(|a| a.seed.profile_arn.clone());
    json_response(200, &tokens(&issued, arn.as_deref()))
}

pub(super) fn device_start(call: &Call) -> Response<ResponseBody> {
    let Ok(body) = call.json() else { return message(400, "Invalid request.") };
    let provider = body["loginProvider"].as_str().unwrap_or_default().to_owned();
    if !matches!(provider.as_str(), "Google" | "Github") || body["clientId"] != "kiro-cli" {
        call.record("login.device", format!("loginProvider {provider:?}, clientId {}", body["clientId"]));
        return message(400, "Invalid request.");
    }
    let now = call.state.clock.now_ms();
    let mut memory = call.state.memory();
    let Some(account) = signs_in_as(&memory, |f| f == Family::Social) else {
        return message(503, "The stand-in has no social account.");
    };
    let device_code = memory.uuid();
    let user_code = user_code(memory.serial());
    let decision = if memory.auto_approve { Decision::Approved } else { Decision::Pending };
    memory.devices.insert(
        device_code.clone(),
        DeviceGrant {
            account,
            client_id: provider,
            user_code: user_code.clone(),
            expires_ms: now + DEVICE_LIFE_MS,
            interval_ms: DEVICE_INTERVAL_MS,
            last_poll_ms: None,
            decision,
        },
    );
    json_response(
        200,
        &json!({
            "deviceCode": device_code,
            "userCode": user_code,
            "verificationUri": "https://app.kiro.dev/device",
            "verificationUriComplete": format!("https://app.kiro.dev/device?user_code={user_code}"),
            "expiresInMilliseconds": DEVICE_LIFE_MS,
            "intervalInMilliseconds": DEVICE_INTERVAL_MS,
        }),
    )
}

pub(super) fn user_code(serial: u64) -> String {
    format!("SIMU-{serial:04}")
}

pub(super) fn device_poll(call: &Call) -> Response<ResponseBody> {
    let Ok(body) = call.json() else { return message(400, "Invalid request.") };
    let code = body["deviceCode"].as_str().unwrap_or_default();
    let now = call.state.clock.now_ms();
    let mut memory = call.state.memory();
    let Some(device) = memory.devices.get_mut(code) else {
        return json_response(200, &json!({"status": "expired_token"}));
    };
    let too_fast = device.last_poll_ms.is_some_and(|last| now - last < device.interval_ms - 500);
    device.last_poll_ms = Some(now);
    if too_fast {
        return message(429, "Too many requests");
    }
    if device.expires_ms <= now {
        return json_response(200, &json!({"status": "expired_token"}));
    }
    match device.decision {
        Decision::Pending => json_response(200, &json!({"status": "authorization_pending"})),
        Decision::Denied => json_response(200, &json!({"status": "access_denied"})),
        Decision::Approved => {
            let (account, provider) = (device.account.clone(), device.client_id.clone());
            memory.devices.remove(code);
            let Some(issued) = issue(&mut memory, &account, now, None) else {
                return error(500, "server_error", "", "");
            };
            let arn = memory.account(&account).and_then(|a| a.seed.profile_arn.clone());
            let mut answer = tokens(&issued, arn.as_deref());
            answer["identityProvider"] = provider.into();
            json_response(200, &answer)
        }
    }
}
