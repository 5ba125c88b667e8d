//! Signing in and refreshing, per family (kiro-upstream §5).

mod external;
mod oidc;
mod page;
mod proof;
mod social;

use bytes::Bytes;
use http::{HeaderValue, Response, header};
use serde_json::{Value, json};

use crate::account::{self, Family};
use crate::http_server::{ResponseBody, full};
use crate::operation::Operation;
use crate::refusal::json_response;
use crate::router::Call;
use crate::state::{Access, Decision, DeviceGrant, Memory, RefreshToken};

pub(crate) fn answer(call: &Call) -> Response<ResponseBody> {
    match call.operation {
        Operation::SocialLogin => social::login(call),
        Operation::PortalSignIn => social::portal(call),
        Operation::DevicePage => page::device(call),
        Operation::SocialExchange => social::exchange(call),
        Operation::SocialRefresh => social::refresh(call),
        Operation::SocialDeviceStart => social::device_start(call),
        Operation::SocialDevicePoll => social::device_poll(call),
        Operation::RegisterClient => oidc::register(call),
        Operation::DeviceAuthorization => oidc::device_authorization(call),
        Operation::Authorize => oidc::authorize(call),
        Operation::CreateToken => oidc::create_token(call),
        Operation::ExternalDiscovery => external::discovery(call),
        Operation::ExternalAuthorize => external::authorize(call),
        Operation::ExternalToken => external::token(call),
        Operation::GenerateAssistantResponse
        | Operation::SendMessage
        | Operation::InvokeMcp
        | Operation::GetUsageLimits
        | Operation::ListAvailableModels
        | Operation::ListAvailableProfiles
        | Operation::GetProfile
        | Operation::SetUserPreference
        | Operation::CreateApiKey => error(404, "not_found", "", "no identity operation"),
    }
}

/// The account a request of an identity operation is about, as far as its refresh token tells.
pub(crate) fn account_of(call: &Call) -> Option<String> {
    let token = if call.operation == Operation::ExternalToken {
        form(&call.body).into_iter().find(|(k, _)| k == "refresh_token").map(|(_, v)| v)
    } else {
        serde_json::from_slice::<Value>(&call.body).ok()?["refreshToken"].as_str().map(str::to_owned)
    }?;
    call.state.memory().refresh.get(&token).map(|r| r.account.clone())
}

/// An OAuth-like error body.
fn error(status: u16, code: &str, kind: &str, description: &str) -> Response<ResponseBody> {
    let mut body = json!({"error": code, "error_description": description});
    if !kind.is_empty() {
        body["__type"] = kind.into();
    }
    json_response(status, &body)
}

fn message(status: u16, text: &str) -> Response<ResponseBody> {
    json_response(status, &json!({"message": text}))
}

fn redirect(to: &str) -> Response<ResponseBody> {
    let mut response = Response::new(full(Bytes::new()));
    *response.status_mut() = http::StatusCode::FOUND;
    match HeaderValue::from_str(to) {
        Ok(value) => {
            response.headers_mut().insert(header::LOCATION, value);
            response
        }
        Err(_) => message(400, "redirect_uri is not a URL."),
    }
}

fn with_query(base: &str, pairs: &[(&str, &str)]) -> Option<String> {
    let mut url = url::Url::parse(base).ok()?;
    url.query_pairs_mut().extend_pairs(pairs);
    Some(url.into())
}

fn form(body: &[u8]) -> Vec<(String, String)> {
    url::form_urlencoded::parse(body).into_owned().collect()
}

/// The account of a refresh token that is good. One that was replaced or revoked is noted.
fn account_of_refresh(call: &Call, token: &str) -> Option<String> {
    let found = call.state.memory().refresh.get(token).map(|refresh| (refresh.account.clone(), refresh.dead));
    let (account, dead) = found?;
    if dead {
        call.record("token.rotated", "a refresh token that was replaced or revoked");
        return None;
    }
    Some(account)
}

/// What a device needs to wait for its person.
struct Waiting {
    device_code: String,
    user_code: String,
    interval_ms: i64,
}

/// Begins the wait for a person who confirms a code. `whose` is the client, or the provider, that asks again with it.
fn wait_for_a_person(
    memory: &mut Memory,
    account: String,
    whose: String,
    now_ms: i64,
    life_ms: i64,
    usual_interval_ms: i64,
) -> Waiting {
    let device_code = memory.uuid();
    let user_code = format!("SIMU-{:04}", memory.serial());
    let interval_ms = memory.device_interval_ms.unwrap_or(usual_interval_ms);
    let decision = if memory.auto_approve && !memory.pages { Decision::Approved } else { Decision::Pending };
    memory.devices.insert(
        device_code.clone(),
        DeviceGrant {
            account,
            client_id: whose,
            user_code: user_code.clone(),
            expires_ms: now_ms + life_ms,
            interval_ms,
            last_poll_ms: None,
            decision,
        },
    );
    Waiting { device_code, user_code, interval_ms }
}

/// Tokens handed out by a sign-in or a refresh.
struct Issued {
    access: String,
    refresh: Option<String>,
    expires_in: u64,
}

/// Hands out new tokens. `old` is the refresh token that was used: it dies when the account rotates. `client` is the OIDC client that
/// signs in.
fn issue(
    memory: &mut Memory,
    account_id: &str,
    now_ms: i64,
    old: Option<&str>,
    client: Option<&str>,
) -> Option<Issued> {
    let seed = memory.account(account_id)?.seed.clone();
    let serial = memory.serial();
    let length = if seed.family == Family::ExternalIdp { 200 } else { 140 };
    let whose = format!("{account_id}-{}", serial + 1);
    let access = account::token("access", &whose, length);
    memory.access.insert(
        access.clone(),
        Access {
            account: account_id.to_owned(),
            expires_ms: Some(now_ms + seed.expires_in.cast_signed() * 1000),
            revoked: false,
        },
    );
    let refresh = (old.is_none() || seed.rotates).then(|| account::token("refresh", &whose, length));
    if let Some(new) = &refresh {
        let mut client = client.map(str::to_owned);
        if let Some(old) = old.and_then(|old| memory.refresh.get_mut(old)) {
            old.dead = true;
            client = old.client.clone();
        }
        memory.refresh.insert(new.clone(), RefreshToken { account: account_id.to_owned(), dead: false, client });
    }
    Some(Issued { access, refresh, expires_in: seed.expires_in })
}

/// The account in which a new sign-in of a family ends.
fn signs_in_as(memory: &Memory, fits: impl Fn(Family) -> bool) -> Option<String> {
    let wanted = memory.sign_in_as.as_deref().and_then(|id| memory.account(id)).filter(|a| fits(a.seed.family));
    wanted.or_else(|| memory.accounts.iter().find(|a| fits(a.seed.family))).map(|a| a.seed.id.clone())
}

fn count_refresh(call: &Call, refused: bool) {
    let mut memory = call.state.memory();
    memory.counters.refreshes += 1;
    memory.counters.refreshes_refused += u64::from(refused);
}
