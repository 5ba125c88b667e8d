//! The control plane: quota, models, profiles, keys, preferences (kiro-upstream §1.4, §8, §9).

use http::Response;
use serde_json::{Value, json};

use crate::account::{AccountSeed, Family};
use crate::auth;
use crate::host::Host;
use crate::http_server::ResponseBody;
use crate::operation::Operation;
use crate::refusal::{Flavour, Refusal, json_response};
use crate::router::Call;

/// Moment of the next monthly reset, Unix seconds; far enough away to stay in the future.
const NEXT_RESET_S: f64 = 4_102_444_800.0;

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
    let used = account.credits_used.min(caller.credit_limit);
    let over = (account.credits_used - caller.credit_limit).max(0.0);
    let mut body = json!({
        "daysUntilReset": 0,
        "limits": [],
        "nextDateReset": NEXT_RESET_S,
        "overageConfiguration": {"overageStatus": if account.overage { "ENABLED" } else { "DISABLED" }},
        "subscriptionInfo": {
            "type": "Q_DEVELOPER_STANDALONE_PRO",
            "subscriptionTitle": caller.plan,
            "upgradeCapability": "UPGRADE_CAPABLE",
            "overageCapability": "OVERAGE_CAPABLE",
            "subscriptionManagementTarget": "MANAGE",
        },
        "usageBreakdownList": [{
            "resourceType": "CREDIT",
            "displayName": "Credit",
            "displayNamePlural": "Credits",
            "unit": "INVOCATIONS",
            "currency": "USD",
            "overageRate": 0.04,
            "currentOverages": over.trunc(),
            "currentOveragesWithPrecision": over,
            "overageCap": 10_000,
            "overageCapWithPrecision": 10_000.0,
            "overageCharges": over * 0.04,
            "nextDateReset": NEXT_RESET_S,
            "currentUsage": used.trunc(),
            "currentUsageWithPrecision": used,
            "usageLimit": caller.credit_limit.trunc(),
            "usageLimitWithPrecision": caller.credit_limit,
        }],
    });
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
    let listed = match caller.family {
        Family::BuilderId => return Err(Refusal::denied("AWS Builder ID is not supported for this operation.")),
        Family::ExternalIdp if call.header("tokentype") != Some("EXTERNAL_IDP") => None,
        Family::Idc | Family::Social | Family::ExternalIdp | Family::ApiKey => caller.profile_arn.as_deref(),
    };
    // Each region's host lists its own profiles only.
    let listed = listed.filter(|_| call.host.api_region().is_none_or(|region| region == caller.api_region()));
    let profiles: Vec<Value> = listed.into_iter().map(|arn| profile_item(arn, caller)).collect();
    Ok(json_response(200, &json!({"profiles": profiles})))
}

fn profile_item(arn: &str, caller: &AccountSeed) -> Value {
    json!({
        "arn": arn,
        "profileName": format!("KiroProfile-{}", caller.api_region()),
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
    Ok(json_response(200, &json!({"profile": profile_item(&arn, caller)})))
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
