//! Web search on the service's own tool server: one JSON-RPC call, and what its answer means (kiro-upstream §11).

use super::classify::{Kind, UpstreamError};
use kiro_protocol::event::SearchHit;
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;

/// A search that takes longer is given up.
pub(super) const DEADLINE: Duration = Duration::from_secs(30);
/// Longer answers are cut, and then not understood.
pub(super) const MAX_ANSWER: usize = 2 * 1024 * 1024;
/// More results than this are not worth a model's reading.
const MAX_HITS: usize = 20;

/// The body of the call.
pub(super) fn question(query: &str) -> String {
    json!({
        "jsonrpc": "2.0",
        "id": format!("web_search_{}", uuid::Uuid::new_v4().simple()),
        "method": "tools/call",
        "params": { "name": "web_search", "arguments": { "query": query } },
    })
    .to_string()
}

#[derive(Deserialize)]
struct Envelope {
    result: Option<ToolResult>,
    error: Option<RpcError>,
}

#[derive(Deserialize)]
struct RpcError {
    #[serde(default)]
    code: i64,
    #[serde(default)]
    message: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ToolResult {
    #[serde(default)]
    content: Vec<Piece>,
    #[serde(default)]
    is_error: bool,
}

#[derive(Deserialize)]
struct Piece {
    text: Option<String>,
}

/// The JSON inside the text of the answer.
#[derive(Deserialize)]
struct Found {
    #[serde(default)]
    results: Vec<Page>,
    #[serde(default)]
    error: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    url: Option<String>,
    #[serde(default)]
    snippet: Option<String>,
    #[serde(default)]
    published_date: Option<Value>,
}

/// Reads the answer. A page without an address is left out.
pub(super) fn hits(body: &[u8]) -> Result<Vec<SearchHit>, UpstreamError> {
    let unreadable = |what: &str| UpstreamError::local(Kind::Corrupt, format!("the search's answer has no {what}"));
    let envelope: Envelope = serde_json::from_slice(body).map_err(|_| unreadable("known form"))?;
    if let Some(error) = envelope.error {
        let mut refused = UpstreamError::local(Kind::Invalid, error.message);
        refused.code = Some(format!("mcp_{}", error.code));
        return Err(refused);
    }
    let result = envelope.result.ok_or_else(|| unreadable("result"))?;
    let text = result.content.into_iter().find_map(|piece| piece.text).unwrap_or_default();
    if result.is_error {
        return Err(UpstreamError::local(Kind::Invalid, "the search tool reported an error"));
    }
    let found: Found = serde_json::from_str(&text).map_err(|_| unreadable("list of results"))?;
    if found.results.is_empty() && found.error.is_some_and(|error| !error.is_null()) {
        return Err(UpstreamError::local(Kind::Invalid, "the search tool reported an error"));
    }
    Ok(found.results.into_iter().filter_map(Page::into_hit).take(MAX_HITS).collect())
}

impl Page {
    fn into_hit(self) -> Option<SearchHit> {
        let url = self.url.filter(|url| !url.is_empty())?;
        Some(SearchHit {
            title: self.title.filter(|title| !title.is_empty()).unwrap_or_else(|| url.clone()),
            url,
            snippet: self.snippet.unwrap_or_default(),
            published: self.published_date.as_ref().and_then(date),
        })
    }
}

/// Milliseconds since the epoch, or a text that begins with a date.
fn date(value: &Value) -> Option<String> {
    if let Some(ms) = value.as_i64() {
        let date = time::OffsetDateTime::from_unix_timestamp(ms.div_euclid(1000)).ok()?.date();
        return Some(format!("{:04}-{:02}-{:02}", date.year(), u8::from(date.month()), date.day()));
    }
    let text = value.as_str()?.get(..10)?;
    let fits = text.char_indices().all(|(at, c)| if matches!(at, 4 | 7) { c == '-' } else { c.is_ascii_digit() });
    fits.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(found: &Value) -> Vec<u8> {
        json!({ "jsonrpc": "2.0", "id": "1", "result": { "content": [{ "type": "text", "text": found.to_string() }], "isError": false } })
            .to_string()
            .into_bytes()
    }

    #[test]
    fn pages_become_hits_and_dates_are_read_in_both_forms() {
        let found = json!({ "results": [
            { "title": "A", "url": "https://a.example/", "snippet": "多字节", "publishedDate": 1_763_900_000_000_i64, "domain": "a.example" },
            { "url": "https://b.example/", "publishedDate": "2026-01-02T03:04:05Z" },
            { "title": "no address" },
            { "url": "https://c.example/", "publishedDate": "yesterday" },
        ], "totalResults": 3 });
        let hits = hits(&answer(&found)).expect("read");
        let dates: Vec<_> = hits.iter().map(|hit| hit.published.as_deref()).collect();
        assert_eq!(dates, [Some("2025-11-23"), Some("2026-01-02"), None]);
        assert_eq!((hits[0].snippet.as_str(), hits[1].title.as_str()), ("多字节", "https://b.example/"));
    }

    #[test]
    fn errors_of_the_tool_server_are_errors_in_all_their_forms() {
        let refused = json!({ "jsonrpc": "2.0", "id": "1", "error": { "code": -32602, "message": "Unknown tool" } });
        let tool = json!({ "result": { "content": [], "isError": true } });
        let bodies = [
            refused.to_string().into_bytes(),
            tool.to_string().into_bytes(),
            answer(&json!({ "results": [], "error": "x" })),
            b"<html>".to_vec(),
            b"{}".to_vec(),
        ];
        for body in bodies {
            assert!(hits(&body).is_err(), "{}", String::from_utf8_lossy(&body));
        }
        assert_eq!(hits(&answer(&json!({ "results": [], "error": null }))), Ok(Vec::new()));
    }
}
