//! Structure of JSON files: which objects are accounts, and under which names their fields go.

mod nine_router;

use secrecy::SecretString;
use serde_json::{Map, Value};

use super::{Companion, Raw, Reject, base_name};
use crate::owner::{moment, registration};

type Object = Map<String, Value>;

/// Deep enough for every format; pointers do not lead to further pointers.
const NAMES_REFRESH: [&str; 2] = ["refreshToken", "refresh_token"];
/// Names of the file that has the login.
const NAMES_POINTER: [&str; 3] = ["token_path", "tokenPath", "KIRO_OAUTH_CREDS_FILE_PATH"];
/// Where AIClient-2-API lists what it has of Kiro.
const POOL: &str = "claude-kiro-oauth";
const NAMES_API_KEY: [&str; 3] = ["kiroApiKey", "kiro_api_key", "apiKey"];

/// Our own export, when the content is one.
pub(super) fn own(content: &str) -> Option<Object> {
    if !content.starts_with('{') {
        return None;
    }
    match serde_json::from_str(content).ok()? {
        Value::Object(object) if super::own::is_ours(&object) => Some(object),
        _ => None,
    }
}

/// The records of a file.
pub(super) fn records(content: &str, companions: &[Companion]) -> Vec<Result<Raw, Reject>> {
    let value: Value = match serde_json::from_str(content) {
        Ok(value) => value,
        Err(error) => {
            // Position only: the parser's message could quote a token.
            let message = format!("this is not complete JSON (line {}, column {})", error.line(), error.column());
            return vec![Err(Reject::new("not_json", message))];
        }
    };
    let list = match value {
        Value::Array(list) => list,
        Value::Object(object) => match (object.get("accounts").or(object.get(POOL)), nine_router::connections(&object))
        {
            (Some(Value::Array(list)), _) => list.clone(),
            (Some(_), _) => return vec![Err(not_recognised())],
            (None, Some(connections)) => connections,
            (None, None) => vec![Value::Object(object)],
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return vec![Err(not_recognised())],
    };
    if list.is_empty() {
        return vec![Err(Reject::new("no_account", "no account found in the file"))];
    }
    list.into_iter()
        .map(|element| match element {
            Value::Object(object) => record(&object, companions),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                Err(not_recognised())
            }
        })
        .collect()
}

fn record(object: &Object, companions: &[Companion]) -> Result<Raw, Reject> {
    if let Some(Value::Object(inner)) = object.get("credentials") {
        return nested(object, inner);
    }
    if let Some(path) = text(object, &NAMES_POINTER)? {
        return pointed(object, &path, companions);
    }
    if nine_router::is_one(object) {
        return nine_router::record(object);
    }
    if has(object, &NAMES_REFRESH) || has(object, &NAMES_API_KEY) {
        return flat(object);
    }
    Err(not_recognised())
}

/// Kiro account manager: names outside, secrets in `credentials`.
fn nested(outer: &Object, inner: &Object) -> Result<Raw, Reject> {
    let mut raw = flat(inner)?;
    let person = flat(outer)?;
    raw.email = person.email.or(raw.email);
    raw.user_id = person.user_id.or(raw.user_id);
    raw.label = person.label.or(raw.label);
    raw.machine_id = person.machine_id.or(raw.machine_id);
    raw.profile_arn = raw.profile_arn.or(person.profile_arn);
    raw.proxy = person.proxy.or(raw.proxy);
    raw.proxy_user = person.proxy_user.or(raw.proxy_user);
    raw.proxy_password = person.proxy_password.or(raw.proxy_password);
    raw.provider = raw.provider.or(text(outer, &["idp"])?);
    raw.disabled = person.disabled;
    Ok(raw)
}

/// The original KiroProxy: an entry that points to a token file.
fn pointed(entry: &Object, path: &str, companions: &[Companion]) -> Result<Raw, Reject> {
    let file = companions
        .iter()
        .find(|companion| companion.name == path)
        .or_else(|| companions.iter().find(|companion| base_name(&companion.name) == base_name(path)))
        .ok_or_else(|| {
            Reject::new(
                "companion_missing",
                format!("the account is in the file {}, which was not handed in", path.escape_debug()),
            )
        })?;
    let value: Value = serde_json::from_str(file.content.trim_start_matches('\u{feff}'))
        .map_err(|_| Reject::new("not_json", format!("{} is not complete JSON", base_name(path).escape_debug())))?;
    let Value::Object(object) = value else { return Err(not_recognised()) };
    if !has(&object, &NAMES_REFRESH) {
        return Err(not_recognised());
    }
    let mut raw = flat(&object)?;
    raw.label = text(entry, &["name", "customName"])?.or(raw.label);
    raw.proxy = proxy_of(entry)?.or(raw.proxy);
    raw.disabled = disabled(entry)?;
    Ok(raw)
}

/// The proxy's address. What is there and no text is kept as a text that is no address: the account must not go without it.
fn proxy_of(object: &Object) -> Result<Option<String>, Reject> {
    match object.get("proxyConfig") {
        Some(Value::Object(_) | Value::Array(_)) => Ok(Some("proxyConfig".to_owned())),
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) | None => {
            text(object, &["proxyUrl", "proxyURL", "proxy_url", "proxyConfig"])
        }
    }
}

/// All other formats: one object with everything.
fn flat(object: &Object) -> Result<Raw, Reject> {
    let get = |names: &[&str]| text(object, names);
    let secret = |names: &[&str]| Ok::<_, Reject>(text(object, names)?.map(SecretString::from));
    Ok(Raw {
        auth_method: get(&["authMethod", "auth_method", "auth"])?,
        provider: get(&["provider"])?,
        refresh_token: secret(&NAMES_REFRESH)?,
        access_token: secret(&["accessToken", "access_token"])?,
        expires_at: time(object, &["expiresAt", "expires_at"])?,
        client_id: get(&["clientId", "client_id"])?,
        client_secret: secret(&["clientSecret", "client_secret"])?,
        client_id_hash: get(&["clientIdHash", "client_id_hash"])?,
        client_expires_at: None,
        api_key: secret(&NAMES_API_KEY)?,
        oidc_region: get(&["authRegion", "auth_region", "idcRegion", "region"])?,
        api_region: get(&["apiRegion", "api_region"])?,
        profile_arn: get(&["profileArn", "profile_arn"])?,
        start_url: get(&["startUrl", "start_url"])?,
        token_endpoint: get(&["tokenEndpoint", "token_endpoint"])?,
        issuer_url: get(&["issuerUrl", "issuer_url"])?,
        scopes: scopes(object)?,
        machine_id: get(&["machineId", "machine_id"])?,
        email: get(&["email"])?,
        user_id: get(&["userId", "user_id"])?,
        label: get(&["label", "nickname"])?,
        proxy: proxy_of(object)?,
        proxy_user: get(&["proxyUsername", "proxy_username", "proxyUser"])?,
        proxy_password: secret(&["proxyPassword", "proxy_password"])?,
        disabled: disabled(object)?,
        whole: false,
        warnings: Vec::new(),
    })
}

/// Files that the content points to.
pub(super) fn wanted(content: &str) -> Vec<String> {
    let Ok(value) = serde_json::from_str::<Value>(content) else { return Vec::new() };
    let list = match &value {
        Value::Array(list) => list.iter().collect(),
        Value::Object(object) => match object.get("accounts").or(object.get(POOL)).and_then(Value::as_array) {
            Some(list) => list.iter().collect(),
            None => vec![&value],
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    };
    let objects = list.into_iter().filter_map(Value::as_object);
    objects
        .flat_map(|object| {
            let pointer = text(object, &NAMES_POINTER).ok().flatten();
            let hash = text(object, &["clientIdHash"]).ok().flatten();
            let hash = hash.filter(|hash| registration::is_hash(hash)).map(|hash| format!("{hash}.json"));
            pointer.into_iter().chain(hash)
        })
        .collect()
}

fn has(object: &Object, names: &[&str]) -> bool {
    names.iter().any(|name| object.get(*name).is_some_and(|value| !value.is_null()))
}

/// The first of the names that has text. Null and empty text mean "not there"; another type is refused, not guessed.
fn text(object: &Object, names: &[&str]) -> Result<Option<String>, Reject> {
    for name in names {
        match object.get(*name) {
            None | Some(Value::Null) => {}
            Some(Value::String(text)) if text.trim().is_empty() => {}
            Some(Value::String(text)) => return Ok(Some(text.trim().to_owned())),
            Some(Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
                return Err(Reject::new("wrong_type", format!("{name} is not a text")));
            }
        }
    }
    Ok(None)
}

fn time(object: &Object, names: &[&str]) -> Result<Option<crate::clock::Timestamp>, Reject> {
    for name in names {
        match object.get(*name) {
            None | Some(Value::Null) => {}
            Some(Value::String(text)) if text.trim().is_empty() => {}
            Some(value) => {
                let parsed = moment::parse(value);
                return parsed.map(Some).ok_or_else(|| Reject::new("wrong_type", format!("{name} is not a time")));
            }
        }
    }
    Ok(None)
}

fn scopes(object: &Object) -> Result<Option<String>, Reject> {
    match object.get("scopes") {
        Some(Value::Array(list)) => {
            let words: Vec<&str> = list.iter().filter_map(Value::as_str).collect();
            Ok((!words.is_empty()).then(|| words.join(" ")))
        }
        _ => text(object, &["scopes", "scope"]),
    }
}

fn disabled(object: &Object) -> Result<bool, Reject> {
    let flag = |name: &str| match object.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(flag)) => Ok(Some(*flag)),
        Some(_) => Err(Reject::new("wrong_type", format!("{name} is neither true nor false"))),
    };
    let off = flag("disabled")?.or(flag("isDisabled")?);
    Ok(off.unwrap_or(false) || !flag("enabled")?.unwrap_or(true))
}

fn not_recognised() -> Reject {
    Reject::new("format_not_recognised", "this is not a file with Kiro accounts that Kiro Proxy knows")
}
