//! Fields of a login as JSON objects name them, in camelCase or snake_case, and their replacement in place.

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};

use super::{LONGEST_SECRET, OwnerLogin, moment};
use crate::account::{AuthMethod, Provider};
use crate::clock::Timestamp;

pub(super) type Object = Map<String, Value>;

const REFRESH_TOKEN: [&str; 2] = ["refreshToken", "refresh_token"];
const ACCESS_TOKEN: [&str; 2] = ["accessToken", "access_token"];
const EXPIRES_AT: [&str; 2] = ["expiresAt", "expires_at"];

/// The object in a text, when it is one whole JSON object.
pub(super) fn object(text: &str) -> Option<Object> {
    match serde_json::from_str(text.trim_start_matches('\u{feff}')).ok()? {
        Value::Object(object) => Some(object),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => None,
    }
}

/// The first of the names that has text.
pub(crate) fn text(object: &Object, names: &[&str]) -> Option<String> {
    let texts = names.iter().filter_map(|name| object.get(*name)?.as_str());
    texts.map(str::trim).find(|text| !text.is_empty()).map(str::to_owned)
}

/// The first of the names that has a time.
pub(super) fn time(object: &Object, names: &[&str]) -> Option<Timestamp> {
    names.iter().filter_map(|name| object.get(*name)).find_map(moment::parse)
}

/// A text that can be a token: printable ASCII of a bounded length. Anything else could end up in a header.
pub(super) fn secret(object: &Object, names: &[&str]) -> Result<Option<SecretString>, &'static str> {
    match text(object, names) {
        None => Ok(None),
        Some(text) if text.len() <= LONGEST_SECRET && text.bytes().all(|byte| byte.is_ascii_graphic()) => {
            Ok(Some(SecretString::from(text)))
        }
        Some(_) => Err("a token has characters that no token has"),
    }
}

/// Everything of a token record but the method, which each owner decides.
pub(super) fn login(
    object: &Object,
    method: AuthMethod,
    provider: Option<Provider>,
) -> Result<OwnerLogin, &'static str> {
    let get = |names: &[&str]| text(object, names);
    let scopes = match object.get("scopes") {
        Some(Value::Array(list)) => {
            let words: Vec<&str> = list.iter().filter_map(Value::as_str).collect();
            (!words.is_empty()).then(|| words.join(" "))
        }
        _ => get(&["scopes", "scope"]),
    };
    Ok(OwnerLogin {
        method,
        provider,
        refresh_token: secret(object, &REFRESH_TOKEN)?,
        access_token: secret(object, &ACCESS_TOKEN)?,
        expires_at: time(object, &EXPIRES_AT),
        client_id: get(&["clientId", "client_id"]),
        client_secret: secret(object, &["clientSecret", "client_secret"])?,
        client_expires_at: None,
        region: get(&["idcRegion", "region"]),
        profile_arn: get(&["profileArn", "profile_arn"]),
        start_url: get(&["startUrl", "start_url"]),
        token_endpoint: get(&["tokenEndpoint", "token_endpoint"]),
        issuer_url: get(&["issuerUrl", "issuer_url"]),
        scopes: match method {
            AuthMethod::ExternalIdp => scopes,
            AuthMethod::Social | AuthMethod::Idc | AuthMethod::ApiKey => None,
        },
        email: get(&["email"]),
        user_id: get(&["userId", "user_id"]),
        notes: Vec::new(),
    })
}

/// Whether the record holds exactly this refresh token.
pub(super) fn has_refresh_token(object: &Object, token: &SecretString) -> bool {
    text(object, &REFRESH_TOKEN).is_some_and(|found| found == token.expose_secret())
}

/// Puts the tokens of `login` where the record has its own; what it does not know stays.
pub(super) fn replace_tokens(object: &mut Object, login: &OwnerLogin) {
    if let Some(token) = &login.refresh_token {
        set(object, &REFRESH_TOKEN, token.expose_secret().into());
    }
    if let Some(token) = &login.access_token {
        set(object, &ACCESS_TOKEN, token.expose_secret().into());
    }
    if let Some(end) = login.expires_at {
        let form = EXPIRES_AT.iter().find_map(|name| object.get(*name)).and_then(Value::as_i64);
        let value = match form {
            // Milliseconds and seconds as numbers stay what they were.
            Some(number) if number >= moment::SECONDS_END => end.unix_ms().into(),
            Some(_) => end.unix_seconds().into(),
            None => iso(end).into(),
        };
        set(object, &EXPIRES_AT, value);
    }
}

/// As JavaScript writes a time, which is what the IDE reads most easily: always three digits of milliseconds.
fn iso(at: Timestamp) -> String {
    let whole = Timestamp::from_unix_seconds(at.unix_seconds()).to_rfc3339();
    format!("{}.{:03}Z", whole.trim_end_matches('Z'), at.unix_ms().rem_euclid(1000))
}

fn set(object: &mut Object, names: &[&str; 2], value: Value) {
    let camel = object.keys().any(|key| key.bytes().any(|byte| byte.is_ascii_uppercase()));
    let [first, second] = *names;
    let name = match (object.contains_key(first), object.contains_key(second)) {
        (true, _) => first,
        (false, true) => second,
        (false, false) if camel => first,
        (false, false) => second,
    };
    object.insert(name.to_owned(), value);
}
