//! The export of 9router: connections to many services in one file. Those to Kiro are accounts; the others are none of our business.

use serde_json::Value;

use super::{Object, flat, text};
use crate::transfer::{Raw, Reject};

/// What it writes where it does not know how the person signed in.
const UNTOLD: &str = "imported";

/// The connections to Kiro, when the file is such an export.
pub(super) fn connections(object: &Object) -> Option<Vec<Value>> {
    let list = object.get("providerConnections")?.as_array()?;
    let to_kiro = |connection: &&Value| connection.get("provider").and_then(Value::as_str) == Some("kiro");
    Some(list.iter().filter(to_kiro).cloned().collect())
}

/// Whether the record is such a connection.
pub(super) fn is_one(object: &Object) -> bool {
    object.get("provider").and_then(Value::as_str) == Some("kiro") && object.contains_key("authType")
}

/// Tokens outside, how the person signed in inside.
pub(super) fn record(object: &Object) -> Result<Raw, Reject> {
    let mut raw = match object.get("providerSpecificData") {
        Some(Value::Object(details)) => flat(details)?,
        None | Some(Value::Null) => Raw::default(),
        Some(_) => return Err(Reject::new("wrong_type", "providerSpecificData is no object")),
    };
    let outer = flat(object)?;
    raw.refresh_token = outer.refresh_token.or(raw.refresh_token);
    raw.access_token = outer.access_token.or(raw.access_token);
    raw.expires_at = outer.expires_at.or(raw.expires_at);
    raw.api_key = outer.api_key.or(raw.api_key);
    raw.email = outer.email.or(raw.email);
    raw.label = text(object, &["displayName", "name"])?.or(raw.label);
    raw.auth_method = raw.auth_method.filter(|said| said != UNTOLD);
    raw.disabled = object.get("isActive").and_then(Value::as_bool) == Some(false);
    if text(object, &["authType"])?.as_deref() == Some("apikey") {
        raw.auth_method = Some("api_key".to_owned());
        raw.refresh_token = None;
    }
    Ok(raw)
}
