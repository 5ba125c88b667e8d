//! Client registrations that the Kiro IDE keeps beside its token file, named by a hash.

use secrecy::SecretString;
use serde_json::Value;

use super::fields::{object, secret, text, time};
use crate::clock::Timestamp;

/// A registered client.
#[derive(Debug, Clone)]
pub(crate) struct Registration {
    pub(crate) client_id: String,
    pub(crate) client_secret: SecretString,
    pub(crate) expires_at: Option<Timestamp>,
    /// Its scopes are Kiro's.
    pub(crate) for_kiro: bool,
}

/// The registration in a file's content, if it is one.
pub(crate) fn parse(content: &str) -> Option<Registration> {
    let object = object(content)?;
    let scopes = object.get("scopes").and_then(Value::as_array);
    Some(Registration {
        client_id: text(&object, &["clientId"])?,
        client_secret: secret(&object, &["clientSecret"]).ok()??,
        expires_at: time(&object, &["expiresAt"]),
        for_kiro: scopes.is_some_and(|scopes| {
            scopes.iter().any(|scope| scope.as_str().is_some_and(|scope| scope.starts_with("codewhisperer:")))
        }),
    })
}

/// A registration's file name is 40 hex digits; anything else could be a path.
pub(crate) fn is_hash(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
