//! Whose request it is: bearer token, token type and profile ARN (kiro-upstream §1.2, §1.5, §1.6).

use crate::account::{AccountSeed, BUILDER_ID_ARN, Family, SOCIAL_ARN};
use crate::host::Host;
use crate::operation::Operation;
use crate::refusal::Refusal;
use crate::router::Call;

const INVALID_BEARER: &str = "The bearer token included in the request is invalid.";

/// Finds the account behind the bearer token and checks the headers that go with its family.
pub(crate) fn caller(call: &Call) -> Result<AccountSeed, Refusal> {
    let Some(bearer) = call.header("authorization").and_then(|h| h.strip_prefix("Bearer ")) else {
        return Err(Refusal::denied("User is not authorized to make this call.")
            .breaking("header.authorization", "no bearer token"));
    };
    let now = call.state.clock.now_ms();
    let seed = {
        let memory = call.state.memory();
        match memory.access.get(bearer) {
            None => {
                let refusal = Refusal::denied(INVALID_BEARER);
                // A token of an earlier run is the server's loss, not the caller's mistake.
                return Err(if bearer.starts_with("EXAMPLE-access-") {
                    refusal
                } else {
                    refusal.breaking("token.unknown", "this token was never handed out")
                });
            }
            Some(access) if access.revoked => return Err(Refusal::denied(INVALID_BEARER)),
            Some(access) if access.expires_ms.is_some_and(|at| at <= now) => {
                return Err(Refusal::new(
                    403,
                    "ExpiredTokenException",
                    "The security token included in the request is expired",
                )
                .breaking("token.expired", "used after the expiry that was told with it"));
            }
            Some(access) => match memory.account(&access.account) {
                Some(account) => account.seed.clone(),
                None => return Err(Refusal::denied(INVALID_BEARER)),
            },
        }
    };
    check_headers(call, &seed)?;
    // A key is bound to one region (kiro-upstream §5.6). Who asks elsewhere cannot know better, so it breaks no rule.
    if seed.family == Family::ApiKey && call.host.api_region().is_some_and(|region| region != seed.oidc_region) {
        return Err(Refusal::denied(INVALID_BEARER));
    }
    if seed.suspended {
        return Err(Refusal::denied(&format!(
            "Your User ID ({}) temporarily is suspended. We detected unusual user activity and locked it as a security precaution.",
            seed.user_id
        ))
        .reason("TEMPORARILY_SUSPENDED"));
    }
    Ok(seed)
}

fn check_headers(call: &Call, seed: &AccountSeed) -> Result<(), Refusal> {
    let token_type = call.header("tokentype");
    match (seed.family, token_type) {
        (Family::ApiKey, Some("API_KEY")) | (Family::ExternalIdp, Some("EXTERNAL_IDP")) => {}
        (Family::ApiKey, other) => call.enforce(
            Refusal::denied(INVALID_BEARER)
                .breaking("header.tokentype", format!("an API key needs tokentype API_KEY, got {other:?}")),
        )?,
        // The profile list is empty rather than refused then (kiro-upstream §1.5); operations.rs does that.
        (Family::ExternalIdp, other) if call.operation == Operation::ListAvailableProfiles => {
            call.record("header.tokentype", format!("an Entra token needs TokenType EXTERNAL_IDP, got {other:?}"));
        }
        (Family::ExternalIdp, other) => call.enforce(
            Refusal::denied(INVALID_BEARER)
                .breaking("header.tokentype", format!("an Entra token needs TokenType EXTERNAL_IDP, got {other:?}")),
        )?,
        // One client sends SSO_OIDC for OIDC tokens; only the two types of other families are refused.
        (Family::Social | Family::BuilderId | Family::Idc, Some(other @ ("API_KEY" | "EXTERNAL_IDP"))) => call
            .enforce(
                Refusal::denied(INVALID_BEARER)
                    .breaking("header.tokentype", format!("{other} belongs to another family")),
            )?,
        (Family::Social | Family::BuilderId | Family::Idc, _) => {}
    }
    let agent = call.header("user-agent").unwrap_or_default();
    if agent.is_empty() {
        call.record("header.user-agent", "gates on the user agent exist, so one must be sent");
    }
    let both = format!("{agent} {}", call.header("x-amz-user-agent").unwrap_or_default());
    if seed.family == Family::BuilderId && both.contains("AWS-Language-Servers-AWS-CodeWhisperer") {
        call.enforce(
            Refusal::denied("Feature is not supported.")
                .reason("FEATURE_NOT_SUPPORTED")
                .breaking("header.user-agent", "the language servers' token is refused for new Builder ID identities"),
        )?;
    }
    if !call.body.is_empty() {
        let content_type = call.header("content-type").unwrap_or_default();
        let kind = content_type.split(';').next().unwrap_or_default().trim();
        if !matches!(kind, "application/json" | "application/x-amz-json-1.0") {
            call.enforce(
                Refusal::new(415, "UnsupportedMediaTypeException", "Unsupported media type.")
                    .breaking("header.content-type", format!("{content_type:?}")),
            )?;
        }
    }
    Ok(())
}

/// Checks the profile ARN that came with a data plane request. Where sources clash (Builder ID with or without an ARN,
/// kiro-upstream §1.2) every form that some source measured as working is accepted.
pub(crate) fn check_arn(call: &Call, seed: &AccountSeed, arn: Option<&str>) -> Result<(), Refusal> {
    if arn == Some("") {
        return call.enforce(Refusal::malformed("arn", "profileArn is an empty string").reason("REQUEST_BODY_INVALID"));
    }
    let required = Refusal::new(400, "ValidationException", "profileArn is required for this request.");
    let on_runtime = matches!(call.host, Host::Runtime(_));
    match (seed.family, arn) {
        (Family::Social | Family::Idc | Family::ExternalIdp, None) if on_runtime => {
            return call.enforce(required.breaking("arn", "runtime hosts need the account's ARN"));
        }
        (Family::Idc | Family::ExternalIdp, None) if seed.profile_arn.is_some() => {
            return call.enforce(required.breaking("arn", "this family always sends its own ARN"));
        }
        (Family::BuilderId | Family::ApiKey, None) if on_runtime => {
            return call.enforce(required.breaking("arn", "this family has no ARN and does not work on runtime hosts"));
        }
        (_, None) => return Ok(()),
        (Family::ApiKey, Some(arn)) => {
            return call.enforce(
                Refusal::denied("User is not authorized to make this call.")
                    .breaking("arn", format!("an API key goes without an ARN, got {arn}")),
            );
        }
        (Family::Social, Some(arn)) if arn != SOCIAL_ARN && seed.profile_arn.as_deref() != Some(arn) => {
            return call
                .enforce(Refusal::denied("Invalid token").breaking("arn", format!("not this account's ARN: {arn}")));
        }
        (Family::BuilderId, Some(arn)) if arn != BUILDER_ID_ARN && seed.profile_arn.as_deref() != Some(arn) => {
            return call.enforce(
                Refusal::denied("User is not authorized to make this call.")
                    .breaking("arn", format!("not this account's ARN: {arn}")),
            );
        }
        (Family::Idc | Family::ExternalIdp, Some(arn)) if !seed.may_name(arn) => {
            let refusal = if arn.starts_with("arn:aws:codewhisperer:") {
                Refusal::denied("User is not authorized to make this call.")
            } else {
                Refusal::new(400, "ValidationException", "Invalid profileArn.")
            };
            return call.enforce(refusal.breaking("arn", format!("not this account's ARN: {arn}")));
        }
        (Family::Social | Family::BuilderId | Family::Idc | Family::ExternalIdp, Some(_)) => {}
    }
    let named = arn.and_then(|arn| arn.split(':').nth(3)).unwrap_or(seed.api_region());
    if let Some(region) = call.host.api_region()
        && region != named
    {
        return call
            .enforce(Refusal::malformed("arn.region", format!("host region {region}, region of the ARN {named}")));
    }
    Ok(())
}
