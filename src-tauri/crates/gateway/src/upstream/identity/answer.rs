//! What a token endpoint's answer means: a token, a dead grant, or trouble that passes. Reads structured fields only.

use std::time::Duration;

use http::StatusCode;
use secrecy::SecretString;
use serde::Deserialize;

use super::refusal::Refusal;
use super::{IdentityError, Refreshed};
use crate::account::AuthMethod;

/// Longest part of an endpoint's own words that we repeat.
const LONGEST_WORDS: usize = 200;

/// Names under which the endpoints say that a new sign-in is needed, whatever token is sent.
const DEAD: [&str; 8] = [
    "invalid_client",
    "unauthorized_client",
    "interaction_required",
    "consent_required",
    "login_required",
    "ExpiredClientException",
    "InvalidClientException",
    "UnauthorizedClientException",
];

/// Names under which they refuse this refresh token.
const REJECTED: [&str; 5] =
    ["invalid_grant", "expired_token", "ExpiredTokenException", "InvalidTokenException", "InvalidGrantException"];

/// Token answers: camelCase from AWS and Kiro, snake_case from directories.
#[derive(Deserialize)]
struct Token {
    #[serde(alias = "access_token", rename = "accessToken")]
    access_token: String,
    #[serde(default, alias = "refresh_token", rename = "refreshToken")]
    refresh_token: Option<String>,
    #[serde(default, alias = "expires_in", rename = "expiresIn")]
    expires_in: Option<f64>,
    #[serde(default, alias = "profile_arn", rename = "profileArn")]
    profile_arn: Option<String>,
}

pub(super) fn judge(
    method: AuthMethod,
    status: StatusCode,
    retry_after: Option<Duration>,
    body: &[u8],
) -> Result<Refreshed, IdentityError> {
    if status.is_success() {
        return token(body);
    }
    let refusal: Option<Refusal> = serde_json::from_slice(body).ok();
    let structured = refusal.is_some();
    let refusal = refusal.unwrap_or_default();
    let (name, words) = (refusal.name(), refusal.words());
    let told = describe(status, name, words);

    let client_gone = words.contains("Client is expired");
    if status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS {
        if name.is_some_and(|name| DEAD.contains(&name)) || client_gone {
            return Err(IdentityError::Dead(told));
        }
        if name.is_some_and(|name| REJECTED.contains(&name)) {
            return Err(IdentityError::Rejected(told));
        }
    }
    // Kiro's own service answers 401 without a name when the refresh token is gone. A 403 page in HTML is its CDN's word,
    // not its own, and passes.
    if method == AuthMethod::Social && status == StatusCode::UNAUTHORIZED {
        return Err(IdentityError::Rejected(told));
    }
    if method == AuthMethod::Social && status == StatusCode::FORBIDDEN && !structured {
        return Err(IdentityError::Transient {
            message: "the sign-in service's front door refused us (403, not the service itself)".into(),
            retry_after,
        });
    }
    Err(IdentityError::Transient { message: told, retry_after })
}

pub(super) fn token(body: &[u8]) -> Result<Refreshed, IdentityError> {
    // The parser's own message could quote the body.
    let token: Token = serde_json::from_slice(body)
        .map_err(|_| IdentityError::Unanswered("the token endpoint answered 200 without a token".into()))?;
    if token.access_token.is_empty() {
        return Err(IdentityError::Unanswered("the token endpoint answered 200 with an empty token".into()));
    }
    let filled = |text: Option<String>| text.filter(|text| !text.is_empty());
    Ok(Refreshed {
        access_token: SecretString::from(token.access_token),
        refresh_token: filled(token.refresh_token).map(SecretString::from),
        expires_in: token
            .expires_in
            .filter(|seconds| seconds.is_finite() && *seconds > 0.0)
            .map(|seconds| Duration::from_secs_f64(seconds.min(365.0 * 86_400.0))),
        profile_arn: filled(token.profile_arn),
    })
}

/// An endpoint's own words, shortened and harmless.
pub(super) fn told_words(words: &str) -> String {
    words.chars().filter(|c| !c.is_control()).take(LONGEST_WORDS).collect()
}

/// What an endpoint answered, in one line.
pub(super) fn describe(status: StatusCode, name: Option<&str>, words: &str) -> String {
    let words = told_words(words);
    match (name, words.is_empty()) {
        (Some(name), false) => format!("the token endpoint answered {}: {name}: {words}", status.as_u16()),
        (Some(name), true) => format!("the token endpoint answered {}: {name}", status.as_u16()),
        (None, false) => format!("the token endpoint answered {}: {words}", status.as_u16()),
        (None, true) => format!("the token endpoint answered {}", status.as_u16()),
    }
}
