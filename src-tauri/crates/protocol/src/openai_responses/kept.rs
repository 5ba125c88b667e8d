//! Answers that were kept, so that a later request can continue them, and what the routes below
//! `/v1/responses/{id}` show of them.
//!
//! Kept is `{"input": [items], "response": {the encoded answer}}`. `input` holds every item that led to the answer, those
//! of the answers it continued included, each with an id; instructions are not among them, because they belong to one
//! request. [`Inbound::keep`](crate::codec::Inbound::keep) is that list of items.

use super::wire::{Request, WireItem};
use crate::codec::PageQuery;
use crate::reading::notes::Fault;
use crate::reading::surrogate;
use memchr::memmem;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::HashMap;

/// Most items on a page of input items, and the number when the client names none.
const PAGE: (usize, usize) = (100, 20);

/// All items of a kept answer: what led to it, then what it said.
pub(super) fn items(kept: &Value) -> impl Iterator<Item = &Value> {
    list(kept.get("input")).chain(list(kept.get("response").and_then(|response| response.get("output"))))
}

fn list(value: Option<&Value>) -> std::slice::Iter<'_, Value> {
    value.and_then(Value::as_array).map_or(&[][..], Vec::as_slice).iter()
}

/// The id of the answer that a body continues: `previous_response_id`, or the answer that holds the last referenced item,
/// which tells it in its own id.
pub(super) fn continues(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Previous {
        previous_response_id: Option<String>,
    }
    if memmem::find(body, b"\"previous_response_id\"").is_some() {
        let previous = serde_json::from_slice::<Previous>(body).ok()?.previous_response_id;
        if let Some(id) = previous.filter(|id| !id.is_empty()) {
            return Some(id);
        }
    }
    memmem::find(body, b"\"item_reference\"")?;
    #[derive(Deserialize)]
    struct References {
        input: Vec<Reference>,
    }
    #[derive(Deserialize)]
    struct Reference {
        #[serde(rename = "type")]
        kind: Option<String>,
        id: Option<String>,
    }
    let references = serde_json::from_slice::<References>(body).ok()?;
    let mut last = references.input.iter().rev().filter(|item| item.kind.as_deref() == Some("item_reference"));
    last.find_map(|item| response_of(item.id.as_deref()?))
}

/// The answer that an item of ours belongs to: `msg_<request>_<index>` → `resp_<request>`.
fn response_of(item: &str) -> Option<String> {
    let (_, rest) = item.split_once('_')?;
    let (request, index) = rest.rsplit_once('_')?;
    let ours = request.len() == 32
        && request.bytes().all(|byte| byte.is_ascii_hexdigit())
        && index.bytes().all(|byte| byte.is_ascii_digit());
    ours.then(|| format!("resp_{request}"))
}

/// All kept items by their ids.
pub(super) fn by_id(kept: Option<&Value>) -> HashMap<&str, &Value> {
    let named = |item| Some((Value::as_str(Value::get(item, "id")?)?, item));
    kept.into_iter().flat_map(items).filter_map(named).collect()
}

/// A kept item, read like one that was sent.
pub(super) fn read(item: &Value) -> Result<WireItem, Fault> {
    WireItem::deserialize(item).map_err(|_| Fault::invalid("previous_response_id", "The kept answer cannot be read"))
}

/// The items to keep: those before, then those of this body, references resolved and ids given. Nothing when the body
/// cannot be read as a whole: what the decoder passes over may be broken.
pub(super) fn keep(body: &[u8], kept: Option<&Value>, request: &Request, request_id: &str) -> Option<Vec<Value>> {
    #[derive(Deserialize)]
    struct Input {
        input: Option<Value>,
    }
    let mut all: Vec<Value> = match (&request.previous_response_id, kept) {
        (Some(_), Some(kept)) => items(kept).cloned().collect(),
        (Some(_) | None, _) => Vec::new(),
    };
    let known = by_id(kept);
    let read = |body: &[u8]| serde_json::from_slice::<Input>(body).ok();
    let input = read(body)
        .or_else(|| read(&surrogate::repair(body)?))
        .or_else(|| read(String::from_utf8_lossy(body).as_bytes()))?
        .input;
    let items = match input {
        Some(Value::String(text)) => vec![json!({ "role": "user", "content": text })],
        Some(Value::Array(items)) => items,
        Some(_) | None => Vec::new(),
    };
    for (index, mut item) in items.into_iter().enumerate() {
        let kind = item.get("type").and_then(Value::as_str);
        let id = item.get("id").and_then(Value::as_str);
        let reference = kind == Some("item_reference") || (kind.is_none() && item.get("role").is_none());
        if reference && let Some(id) = id {
            if request.previous_response_id.is_none() {
                all.extend(known.get(id).map(|item| (*item).clone()));
            }
            continue;
        }
        let named = id.is_some_and(|id| !id.is_empty());
        let typed = kind.is_some();
        if let Value::Object(object) = &mut item {
            if !typed {
                object.insert("type".to_owned(), json!("message"));
            }
            if !named {
                object.insert("id".to_owned(), json!(format!("in_{request_id}_{index}")));
            }
            if let (Some(Value::String(text)), Some(role)) = (object.get("content"), object.get("role")) {
                let part = if role == "assistant" { "output_text" } else { "input_text" };
                let parts = json!([{ "type": part, "text": text }]);
                object.insert("content".to_owned(), parts);
            }
        }
        all.push(item);
    }
    Some(all)
}

/// `GET /v1/responses/{id}`.
pub(super) fn response(kept: &Value) -> Value {
    kept.get("response").cloned().unwrap_or_default()
}

/// `GET /v1/responses/{id}/input_items`. The newest come first unless asked otherwise.
pub(super) fn page(kept: &Value, page: &PageQuery, oldest_first: bool) -> Value {
    let mut list: Vec<&Value> = kept.get("input").and_then(Value::as_array).into_iter().flatten().collect();
    if !oldest_first {
        list.reverse();
    }
    let id = |item: &Value| item.get("id").and_then(Value::as_str).map(str::to_owned);
    let position = |wanted: &String| list.iter().position(|item| id(item).as_ref() == Some(wanted));
    let limit = page.limit.unwrap_or(PAGE.1).clamp(1, PAGE.0);
    let (start, end) = match (&page.after, &page.before) {
        (Some(after), _) => {
            let start = position(after).map_or(list.len(), |index| index + 1);
            (start, list.len().min(start.saturating_add(limit)))
        }
        (None, Some(before)) => {
            let end = position(before).unwrap_or(0);
            (end.saturating_sub(limit), end)
        }
        (None, None) => (0, list.len().min(limit)),
    };
    let shown = &list[start..end];
    let has_more = if page.before.is_some() && page.after.is_none() { start > 0 } else { end < list.len() };
    json!({
        "object": "list",
        "data": shown,
        "first_id": shown.first().and_then(|item| id(item)),
        "last_id": shown.last().and_then(|item| id(item)),
        "has_more": has_more,
    })
}

/// `DELETE /v1/responses/{id}`.
pub(super) fn deleted(id: &str) -> Value {
    json!({ "id": id, "object": "response", "deleted": true })
}
