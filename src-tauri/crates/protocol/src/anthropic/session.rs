//! The session a request belongs to.

use super::wire::Metadata;
use crate::reading::notes::Notes;
use http::HeaderMap;
use serde_json::Value;

/// A stable name of the client's session; a sub-agent is a conversation of its own.
pub(super) fn session(headers: &HeaderMap, metadata: Option<Metadata>, notes: &mut Notes) -> Option<String> {
    let mut user_id = None;
    if let Some(metadata) = metadata {
        notes.unknown("metadata", &metadata.unknown);
        user_id = metadata.user_id;
    }
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok()).filter(|value| !value.is_empty());
    let session = header("x-claude-code-session-id")
        .or_else(|| header("x-session-id"))
        .map(str::to_owned)
        .or_else(|| user_id.as_deref().and_then(session_in_user_id))?;
    Some(match header("x-claude-code-agent-id") {
        Some(agent) => format!("{session}/{agent}"),
        None => session,
    })
}

/// `user_id` is either a JSON object in a text or `user_…_account_…_session_<id>`; anything else names a user, not a session.
fn session_in_user_id(user_id: &str) -> Option<String> {
    if user_id.trim_start().starts_with('{') {
        let object: Value = serde_json::from_str(user_id).ok()?;
        return object.get("session_id")?.as_str().filter(|id| !id.is_empty()).map(str::to_owned);
    }
    user_id.rsplit_once("_session_").map(|(_, id)| id.to_owned()).filter(|id| !id.is_empty())
}
