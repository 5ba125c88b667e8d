//! The session a request belongs to.

use http::HeaderMap;

/// Headers that name a session, best first.
const HEADERS: [&str; 4] = ["x-session-id", "x-session-affinity", "session-id", "session_id"];

/// A stable name of the client's session: a header, else the key that the client chose for the prompt cache.
pub(crate) fn session(headers: &HeaderMap, prompt_cache_key: Option<String>) -> Option<String> {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok()).filter(|value| !value.is_empty());
    HEADERS.into_iter().find_map(header).map(str::to_owned).or(prompt_cache_key.filter(|key| !key.is_empty()))
}
