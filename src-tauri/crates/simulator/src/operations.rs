//! The control plane: quota, models, profiles, keys, preferences (kiro-upstream §1.4, §8, §9).

use http::Response;
use serde_json::{Value, json};

use crate::account::{AccountSeed, Family};
use crate::auth;
use crate::credits;
use crate::host::Host;
use crate::http_server::ResponseBody;
use crate::operation::Operation;
use crate::refusal::{Flavour, Refusal, json_response};
use crate::router::Call;

pub(crate) fn answer(call: &Call, caller: &AccountSeed) -> Result<Response<ResponseBody>, Refusal> {
    match call.operation {
        Operation::GetUsageLimits => usage_limits(call, caller),
        Operation::ListAvailableModels => models(call, caller),
        Operation::ListAvailableProfiles => profiles(call, caller),
        Operation::GetProfile => profile(call, caller),
        Operation::SetUserPreference => preference(call, caller),
        Operation::CreateApiKey => create_key(call, caller),
        Operation::GenerateAssistantResponse
        | Operation::SendMessage
        | Operation::InvokeMcp
        | Operation::SocialLogin
        | Operation::SocialExchange
        | Operation::SocialRefresh
        | Operation::SocialDeviceStart
        | Operation::SocialDevicePoll
        | Operation::PortalSignIn
        | Operation::DevicePage
        | Operation::RegisterClient
        | Operation::DeviceAuthorization
        | Operation::Authorize
        | Operation::CreateToken
        | Operation::ExternalDiscovery
        | Operation::ExternalAuthorize
        | Operation::ExternalToken => Err(Refusal::new(404, "UnknownOperationException", "Unknown operation.")),
    }
}

/// The ARN is optional on control calls (kiro-upstream §1.4); one that is sent must be the account's.
fn check_optional_arn(call: &Call, caller: &AccountSeed) -> Result<(), Refusal> {
    match call.input("profileArn") {
        Some(arn) => auth::check_arn(call, caller, Some(&arn)),
        None => Ok(()),
    }
}

fn usage_limits(call: &Call, caller: &AccountSeed) -> Result<Response<ResponseBody>, Refusal> {
    check_optional_arn(call, caller)?;
    let memory = call.state.memory();
    let account = memory.account(&caller.id).ok_or_else(|| Refusal::denied("Invalid token"))?;
    let mut body = credits::usage(account, call.state.clock.now_ms());
    if call.input("isEmailRequired").as_deref() == Some("true") {
        body["userInfo"] = json!({"email": caller.email, "userId": caller.user_id});
    } else {
        body["userInfo"] = json!({"userId": caller.user_id});
    }
    Ok(json_response(200, &body))
}

fn models(call: &Call, caller: &AccountSeed) -> Result<Response<ResponseBody>, Refusal> {
    let Some(origin) = call.input("origin").filter(|o| !o.is_empty()) else {
        return Err(Refusal::malformed("models.origin", "ListAvailableModels needs an origin"));
    };
    check_optional_arn(call, caller)?;
    let size = call.input("maxResults").and_then(|n| n.parse().ok()).unwrap_or(50_usize);
    if !(1..=100).contains(&size) {
        call.enforce(Refusal::malformed("models.maxResults", format!("{size} is not within 1–100")))?;
    }
    let start = match call.input("nextToken") {
        None => 0,
        Some(token) => token
            .strip_prefix("page-")
            .and_then(|n| n.parse().ok())
            .ok_or_else(|| Refusal::malformed("models.nextToken", format!("unknown token {token:?}")))?,
    };
    let all: Vec<&Value> = call
        .state
        .models
        .all
        .iter()
        .filter(|m| entitled(caller, &m.id))
        .filter(|m| call.flavour == Flavour::Rest || origin != "CLI" || in_cli_catalogue(&m.id))
        .map(|m| &m.listing)
        .collect();
    let page: Vec<&Value> = all.iter().copied().skip(start).take(size).collect();
    let mut body = json!({"models": page, "defaultModel": call.state.models.default});
    if start + size < all.len() {
        body["nextToken"] = format!("page-{}", start + size).into();
    }
    Ok(json_response(200, &body))
}

/// Whether the account's plan includes a model.
pub(crate) fn entitled(caller: &AccountSeed, model: &str) -> bool {
    caller.models.as_ref().is_none_or(|ids| ids.iter().any(|id| id.eq_ignore_ascii_case(model)))
}

/// What the root form with origin CLI serves (kiro-upstream §1.4, catalogue trap).
pub(crate) fn in_cli_catalogue(model: &str) -> bool {
    matches!(model, "claude-sonnet-4" | "claude-sonnet-4.5" | "claude-haiku-4.5")
}

fn profiles(call: &Call, caller: &AccountSeed) -> Result<Response<ResponseBody>, Refusal> {
    call.json()?;
    let own = caller.profile_arn.iter().chain(&caller.more_profiles);
    let listed: Vec<&String> = match caller.family {
        Family::BuilderId => return Err(Refusal::denied("AWS Builder ID is not supported for this operation.")),
        Family::ExternalIdp if call.header("tokentype") != Some("EXTERNAL_IDP") => Vec::new(),
        Family::Idc | Family::Social | Family::ExternalIdp | Family::ApiKey => own.collect(),
    };
    // Each region's host lists its own profiles only.
    let here = |arn: &&String| call.host.api_region().is_none_or(|region| arn.split(':').nth(3) == Some(region));
    let profiles: Vec<Value> = listed.into_iter().filter(here).map(|arn| profile_item(arn)).collect();
    Ok(json_response(200, &json!({"profiles": profiles})))
}

fn profile_item(arn: &str) -> Value {
    json!({
        "arn": arn,
        "profileName": format!("KiroProfile-{}", arn.split(':').nth(3).unwrap_or_default()),
        "status": "ACTIVE",
        "profileType": "KIRO",
        "permissionUpdateRequired": false,
        "optInFeatures": {"mcpConfiguration": {"toggle": "ON"}},
    })
}

fn profile(call: &Call, caller: &AccountSeed) -> Result<Response<ResponseBody>, Refusal> {
    let arn = call.input("profileArn");
    auth::check_arn(call, caller, arn.as_deref())?;
    let arn = arn.or_else(|| caller.profile_arn.clone());
    let arn = arn.ok_or_else(|| Refusal::new(404, "ResourceNotFoundException", "Resource not found."))?;
    Ok(json_response(200, &json!({"profile": profile_item(&arn)})))
}

fn preference(call: &Call, caller: &AccountSeed) -> Result<Response<ResponseBody>, Refusal> {
    check_optional_arn(call, caller)?;
    let body = call.json()?;
    let on = match body["overageConfiguration"]["overageStatus"].as_str() {
        Some("ENABLED") => true,
        Some("DISABLED") => false,
        other => return Err(Refusal::malformed("preference", format!("overageStatus {other:?}"))),
    };
    if let Some(account) = call.state.memory().account_mut(&caller.id) {
        account.overage = on;
    }
    Ok(json_response(200, &json!({})))
}

fn create_key(call: &Call, caller: &AccountSeed) -> Result<Response<ResponseBody>, Refusal> {
    check_optional_arn(call, caller)?;
    if matches!(call.host, Host::Q(_) | Host::CodeWhisperer) {
        return Err(Refusal::new(404, "UnknownOperationException", "Unknown operation."));
    }
    let label = call.input("label").unwrap_or_default();
    if label.is_empty() {
        return Err(Refusal::malformed("key.label", "a label is needed"));
    }
    let now = call.state.clock.now_ms();
    let mut memory = call.state.memory();
    let serial = memory.serial();
    let key = format!("ksk_SIM{serial:05}{}", memory.uuid().replace('-', ""));
    let mut seed = AccountSeed::new(&format!("{}-key-{serial}", caller.id), Family::ApiKey);
    seed.access_token.clone_from(&key);
    seed.email.clone_from(&caller.email);
    seed.user_id.clone_from(&caller.user_id);
    memory.add_account(seed, now);
    let prefix: String = key.chars().take(8).collect();
    Ok(json_response(200, &json!({"keyId": format!("key-{serial:04}"), "keyPrefix": prefix, "rawKey": key})))
}
