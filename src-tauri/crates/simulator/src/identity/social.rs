//! The Kiro auth service: Google and GitHub, by browser, by device code, and refresh (kiro-upstream §5.1, §5.2).

use http::Response;
use serde_json::{Value, json};

use super::page::{self, Answer};
use super::proof::{self, Redeemed};
use super::{
    Issued, Waiting, account_of_refresh, count_refresh, error, issue, message, redirect, signs_in_as,
    wait_for_a_person, with_query,
};
use crate::account::Family;
use crate::http_server::ResponseBody;
use crate::refusal::json_response;
use crate::router::Call;
use crate::state::{CodeGrant, Decision, ExchangeForm};

/// Ports of the IDE's list; only these are known to pass (kiro-upstream §5.1).
const LOOPBACK_PORTS: [u16; 10] = [3128, 4649, 6588, 8008, 9091, 49153, 50153, 51153, 52153, 53153];
/// How the portal names a company directory.
const EXTERNAL: &str = "external_idp";
const DEVICE_LIFE_MS: i64 = 300_000;
const DEVICE_INTERVAL_MS: i64 = 5_000;

/// Variant A: straight to the identity provider.
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
    if !proof::asked_well(call, "login.pkce") {
        return message(400, "Invalid request.");
    }
    match page::consent(call, "Sign in", &[("answer", "allow", "Continue")]) {
        Answer::Page(page) => page,
        Answer::Denied => refused(call, &base),
        Answer::Allowed => start_browser(call, &base, &base, &[]),
    }
}

/// Variant B: the hosted portal, which comes back on `/oauth/callback` of a loopback address.
pub(super) fn portal(call: &Call) -> Response<ResponseBody> {
    let base = call.query.get("redirect_uri").map_or("", String::as_str).trim_end_matches('/').to_owned();
    if !loopback_allowed(&base) {
        call.record("login.redirect_uri", base);
        return message(400, "redirect_mismatch");
    }
    if call.query.get("redirect_from").is_none_or(|from| from != "KiroIDE") {
        call.record("login.redirect_from", "the portal is told who asks");
    }
    let buttons = [
        ("login_option", "google", "Google"),
        ("login_option", "github", "GitHub"),
        ("login_option", EXTERNAL, "Your organization"),
    ];
    if !proof::asked_well(call, "login.pkce") {
        return message(400, "Invalid request.");
    }
    let mut buttons = buttons;
    if let Some(last) = call.state.memory().last_option.as_deref() {
        buttons.sort_by_key(|(_, option, _)| *option != last);
    }
    match page::consent(call, "Sign in to Kiro", &buttons) {
        Answer::Page(page) => return page,
        Answer::Denied => return refused(call, &format!("{base}/oauth/callback")),
        Answer::Allowed => {}
    }
    let chosen = call.query.get("login_option").map(String::as_str);
    let external = {
        let memory = call.state.memory();
        let wanted = memory.sign_in_as.as_deref().and_then(|id| memory.account(id));
        let wanted = wanted.filter(|a| a.seed.family == Family::ExternalIdp);
        let any = || memory.accounts.iter().find(|a| a.seed.family == Family::ExternalIdp);
        match chosen {
            Some(EXTERNAL) => wanted.or_else(any),
            Some(_) => None,
            None => wanted,
        }
        .map(|a| a.seed.clone())
    };
    match external {
        Some(seed) => super::external::descriptor(call, &base, &seed),
        None => {
            let option = chosen.unwrap_or("google");
            start_browser(call, &base, &format!("{base}/oauth/callback"), &[("login_option", option)])
        }
    }
}

fn refused(call: &Call, callback: &str) -> Response<ResponseBody> {
    let state = call.query.get("state").map_or("", String::as_str);
    let pairs = [("error", "access_denied"), ("error_description", "cancelled"), ("state", state)];
    with_query(callback, &pairs).map_or_else(|| message(400, "redirect_mismatch"), |to| redirect(&to))
}

fn loopback_allowed(base: &str) -> bool {
    url::Url::parse(base).is_ok_and(|url| {
        url.scheme() == "http"
            && matches!(url.host_str(), Some("localhost" | "127.0.0.1"))
            && url.port().is_some_and(|port| LOOPBACK_PORTS.contains(&port))
    })
}

fn start_browser(call: &Call, base: &str, callback: &str, extra: &[(&str, &str)]) -> Response<ResponseBody> {
    let state = call.query.get("state").map_or("", String::as_str);
    let mut memory = call.state.memory();
    let Some(account) = signs_in_as(&memory, |f| f == Family::Social) else {
        return message(503, "The stand-in has no social account.");
    };
    let code = proof::grant(call, &mut memory, account, base);
    let mut pairs = extra.to_vec();
    pairs.extend([("code", code.as_str()), ("state", state)]);
    with_query(callback, &pairs).map_or_else(|| message(400, "redirect_mismatch"), |to| redirect(&to))
}

/// Exchange of a code. Which redirect_uri the portal form wants is disputed (kiro-upstream §5.1): by default the base and anything below
/// it are accepted; a test can ask for one form.
pub(super) fn exchange(call: &Call) -> Response<ResponseBody> {
    let Ok(body) = call.json() else { return message(400, "Invalid request.") };
    let get = |name: &str| body[name].as_str().unwrap_or_default();
    let now = call.state.clock.now_ms();
    let form = call.state.memory().exchange_form;
    let grant = match proof::redeem(call, get("code"), get("code_verifier"), |g| wanted(form, g, get("redirect_uri"))) {
        Redeemed::Good(grant) => grant,
        Redeemed::Unfit => return message(400, "redirect_uri does not match."),
        Redeemed::Invalid => return message(400, "Invalid code or verifier."),
    };
    if grant.client_id.is_empty() && call.headers.contains_key(http::header::AUTHORIZATION) {
        call.record("header.authorization", "nothing is signed in yet");
    }
    let mut memory = call.state.memory();
    let Some(issued) = issue(&mut memory, &grant.account, now, None, None) else { return message(500, "Internal") };
    let arn = memory.account(&grant.account).and_then(|a| a.seed.profile_arn.clone());
    json_response(200, &tokens(&issued, arn.as_deref()))
}

fn wanted(form: ExchangeForm, grant: &CodeGrant, given: &str) -> bool {
    let Some(rest) = given.strip_prefix(&grant.redirect_uri) else { return false };
    match form {
        ExchangeForm::Any => rest.is_empty() || rest.starts_with('/'),
        ExchangeForm::Whole => rest.contains("?login_option="),
        ExchangeForm::Base => rest.is_empty(),
        ExchangeForm::Path => rest.starts_with('/') && !rest.contains('?'),
    }
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
    let Some(account) = account_of_refresh(call, &token) else { return message(401, "Bad credentials") };
    let now = call.state.clock.now_ms();
    let mut memory = call.state.memory();
    if memory.account(&account).is_none_or(|a| a.seed.family != Family::Social) {
        drop(memory);
        call.record("token.family", "the social endpoint refreshes social accounts only");
        return message(401, "Bad credentials");
    }
    let Some(issued) = issue(&mut memory, &account, now, Some(&token), None) else { return message(500, "Internal") };
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
    let Waiting { device_code, user_code, interval_ms } =
        wait_for_a_person(&mut memory, account, provider, now, DEVICE_LIFE_MS, DEVICE_INTERVAL_MS);
    json_response(
        200,
        &json!({
            "deviceCode": device_code,
            "userCode": user_code,
            "verificationUri": "https://app.kiro.dev/device",
            "verificationUriComplete": format!("https://app.kiro.dev/device?user_code={user_code}"),
            "expiresInMilliseconds": DEVICE_LIFE_MS,
            "intervalInMilliseconds": interval_ms,
        }),
    )
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
            let Some(issued) = issue(&mut memory, &account, now, None, None) else {
                return error(500, "server_error", "", "");
            };
            let arn = memory.account(&account).and_then(|a| a.seed.profile_arn.clone());
            let mut answer = tokens(&issued, arn.as_deref());
            answer["identityProvider"] = provider.into();
            json_response(200, &answer)
        }
    }
}
