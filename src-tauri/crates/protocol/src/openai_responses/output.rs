//! Items of `output`, the same in a stream and in a whole reply.

use super::compact;
use super::opaque::Opaque;
use super::options::{ENCRYPTED, INCLUDE, SOURCES};
use super::response::incomplete;
use super::tools::SHELL;
use crate::codec::{Echo, ToolForm, ToolKind};
use crate::conversation::JsonObject;
use crate::event::{Reply, ReplyBlock, SearchHit};
use crate::openai::freeform;
use serde_json::{Map, Value, json};

/// What the client wants to see.
#[derive(Debug, Clone, Copy)]
pub(super) struct View {
    /// Reasoning in words.
    pub(super) summary: bool,
    /// Reasoning in the form that comes back with the next request: asked for, or needed because the answer is kept.
    pub(super) encrypted: bool,
    /// Addresses that a search found.
    sources: bool,
}

impl View {
    pub(super) fn new(echo: &Echo) -> Self {
        let include = echo.repeat.get(INCLUDE).and_then(Value::as_array);
        let asked = |what: &str| include.is_some_and(|list| list.iter().any(|item| item == what));
        let kept = echo.repeat.get("store").and_then(Value::as_bool) == Some(true);
        Self { summary: echo.show_thinking, encrypted: asked(ENCRYPTED) || kept, sources: asked(SOURCES) }
    }

    /// True when reasoning becomes an item at all.
    pub(super) fn reasoning(self) -> bool {
        self.summary || self.encrypted
    }
}

/// The id of an item; its place in the answer makes it the same in a stream and in a whole reply.
pub(super) fn id(prefix: &str, echo: &Echo, index: usize) -> String {
    format!("{prefix}_{}_{index}", echo.request_id)
}

/// The whole `output` of a reply. Texts that only hidden reasoning parted become one message, as they do in a stream.
pub(super) fn items(reply: &Reply, echo: &Echo) -> Vec<Value> {
    if compact::is_asked(echo) {
        return vec![compact::item(echo, 0, &compact::summary(reply))];
    }
    let view = View::new(echo);
    let (mut output, mut text, mut hits) = (Vec::with_capacity(reply.blocks.len()), String::new(), Vec::new());
    for block in &reply.blocks {
        match block {
            ReplyBlock::Text(piece) => {
                text.push_str(piece);
                continue;
            }
            ReplyBlock::Thinking { .. } if !view.reasoning() => continue,
            ReplyBlock::RedactedThinking(_) if !view.encrypted => continue,
            ReplyBlock::Thinking { .. }
            | ReplyBlock::RedactedThinking(_)
            | ReplyBlock::ToolUse { .. }
            | ReplyBlock::Search { .. } => flush(&mut text, &mut output, &hits, echo, "completed"),
        }
        let index = output.len();
        output.push(match block {
            ReplyBlock::Text(_) => unreachable!("texts are collected above"),
            ReplyBlock::Thinking { text, signature } => {
                reasoning(&id("rs", echo, index), text, signature.as_deref(), view)
            }
            ReplyBlock::RedactedThinking(data) => redacted(&id("rs", echo, index), data),
            ReplyBlock::ToolUse { id: call_id, name, input } => {
                let form = echo.tools.get(name);
                call(&id(call_prefix(form), echo, index), call_id, name, form, input.clone(), "completed")
            }
            ReplyBlock::Search { query, outcome, .. } => {
                hits.extend(outcome.iter().flatten().cloned());
                search(&id("ws", echo, index), query, outcome, view)
            }
        });
    }
    let status = if incomplete(&reply.stop).is_some() { "incomplete" } else { "completed" };
    flush(&mut text, &mut output, &hits, echo, status);
    output
}

fn flush(text: &mut String, output: &mut Vec<Value>, hits: &[SearchHit], echo: &Echo, status: &str) {
    if !text.is_empty() {
        let text = std::mem::take(text);
        let part = text_part(&text, citations(&text, hits));
        output.push(message(&id("msg", echo, output.len()), vec![part], status));
    }
}

pub(super) fn message(id: &str, content: Vec<Value>, status: &str) -> Value {
    json!({ "id": id, "type": "message", "status": status, "role": "assistant", "content": content })
}

pub(super) fn text_part(text: &str, annotations: Vec<Value>) -> Value {
    json!({ "type": "output_text", "text": text, "annotations": annotations, "logprobs": [] })
}

/// Where a text names a page that a search found. Positions count characters, the last one excluded.
pub(super) fn citations(text: &str, hits: &[SearchHit]) -> Vec<Value> {
    let mut found: Vec<(usize, usize, &SearchHit)> = Vec::new();
    for (index, hit) in hits.iter().enumerate() {
        if hit.url.is_empty() || hits[..index].iter().any(|earlier| earlier.url == hit.url) {
            continue;
        }
        for (at, _) in text.match_indices(&hit.url) {
            // A longer address that begins with this one is another page.
            let longer = hits.iter().any(|other| {
                other.url.len() > hit.url.len() && other.url.starts_with(&hit.url) && text[at..].starts_with(&other.url)
            });
            if !longer {
                found.push((at, at + hit.url.len(), hit));
            }
        }
    }
    found.sort_by_key(|(at, end, _)| (*at, *end));
    let (mut bytes, mut characters) = (0, 0);
    let mut annotations = Vec::with_capacity(found.len());
    for (at, end, hit) in found {
        if at < bytes {
            continue;
        }
        let start = characters + text[bytes..at].chars().count();
        characters = start + text[at..end].chars().count();
        bytes = end;
        annotations.push(json!({
            "type": "url_citation", "start_index": start, "end_index": characters, "url": hit.url, "title": hit.title,
        }));
    }
    annotations
}

pub(super) fn summary_part(text: &str) -> Value {
    json!({ "type": "summary_text", "text": text })
}

pub(super) fn reasoning(id: &str, text: &str, signature: Option<&str>, view: View) -> Value {
    let summary = if view.summary && !text.is_empty() { vec![summary_part(text)] } else { Vec::new() };
    let mut item = json!({ "id": id, "type": "reasoning", "summary": summary });
    if view.encrypted {
        let opaque = Opaque::Reasoning { text: text.to_owned(), signature: signature.map(str::to_owned) };
        item["encrypted_content"] = json!(opaque.seal());
    }
    item
}

pub(super) fn redacted(id: &str, data: &str) -> Value {
    let opaque = Opaque::Redacted { data: data.to_owned() };
    json!({ "id": id, "type": "reasoning", "summary": [], "encrypted_content": opaque.seal() })
}

pub(super) fn search(id: &str, query: &str, outcome: &Result<Vec<SearchHit>, &'static str>, view: View) -> Value {
    let status = if outcome.is_ok() { "completed" } else { "failed" };
    let mut item = search_begun(id, query, status);
    if let (true, Ok(hits)) = (view.sources, outcome) {
        let source = |hit: &SearchHit| json!({ "type": "url", "url": hit.url });
        item["action"]["sources"] = hits.iter().map(source).collect();
    }
    item
}

pub(super) fn search_begun(id: &str, query: &str, status: &str) -> Value {
    json!({
        "id": id, "type": "web_search_call", "status": status,
        "action": { "type": "search", "query": query, "queries": [query] },
    })
}

/// The prefix of the id of a call.
pub(super) fn call_prefix(form: Option<&ToolForm>) -> &'static str {
    match form.map(|form| form.kind) {
        None | Some(ToolKind::Function) => "fc",
        Some(ToolKind::Freeform) => "ctc",
        Some(ToolKind::LocalShell) => "lsh",
        Some(ToolKind::ToolSearch) => "tsc",
    }
}

/// A call in the kind of its tool: clients refuse every other.
pub(super) fn call(
    id: &str,
    call_id: &str,
    name: &str,
    form: Option<&ToolForm>,
    input: JsonObject,
    status: &str,
) -> Value {
    let mut item = Map::new();
    let mut put = |key: &str, value: Value| item.insert(key.to_owned(), value);
    let kind = form.map_or(ToolKind::Function, |form| form.kind);
    let shell = form.is_some_and(|form| form.kind == ToolKind::LocalShell && form.name == SHELL);
    put("id", json!(id));
    put(
        "type",
        json!(match kind {
            ToolKind::Function => "function_call",
            ToolKind::Freeform => "custom_tool_call",
            ToolKind::LocalShell if shell => "shell_call",
            ToolKind::LocalShell => "local_shell_call",
            ToolKind::ToolSearch => "tool_search_call",
        }),
    );
    put("status", json!(status));
    put("call_id", json!(call_id));
    let named = |put: &mut dyn FnMut(&str, Value)| {
        put("name", json!(form.map_or(name, |form| &form.name)));
        if let Some(namespace) = form.and_then(|form| form.namespace.as_deref()) {
            put("namespace", json!(namespace));
        }
    };
    let begun = status == "in_progress";
    match kind {
        ToolKind::Function => {
            named(&mut |key, value| drop(put(key, value)));
            put("arguments", json!(if begun { String::new() } else { Value::Object(input).to_string() }));
        }
        ToolKind::Freeform => {
            named(&mut |key, value| drop(put(key, value)));
            put("input", json!(freeform::text(input)));
        }
        ToolKind::LocalShell if shell => drop(put("action", shell_action(input))),
        ToolKind::LocalShell => drop(put("action", local_shell_action(input))),
        ToolKind::ToolSearch => {
            put("execution", json!("client"));
            put("arguments", Value::Object(input));
        }
    }
    Value::Object(item)
}

/// Models that write the command as one line mean a shell.
fn local_shell_action(mut input: JsonObject) -> Value {
    let command = match input.shift_remove("command") {
        Some(Value::String(line)) => json!(["bash", "-lc", line]),
        Some(list @ Value::Array(_)) => list,
        Some(_) | None => json!([]),
    };
    let mut action = JsonObject::from_iter([("type".to_owned(), json!("exec")), ("command".to_owned(), command)]);
    for key in ["timeout_ms", "working_directory", "user"] {
        if let Some(value) = input.shift_remove(key) {
            action.insert(key.to_owned(), value);
        }
    }
    action.insert("env".to_owned(), input.shift_remove("env").filter(Value::is_object).unwrap_or_else(|| json!({})));
    Value::Object(action)
}

fn shell_action(mut input: JsonObject) -> Value {
    let commands = match input.shift_remove("commands") {
        Some(Value::String(line)) => json!([line]),
        Some(list @ Value::Array(_)) => list,
        Some(_) | None => json!([]),
    };
    json!({
        "commands": commands,
        "timeout_ms": input.shift_remove("timeout_ms"),
        "max_output_length": input.shift_remove("max_output_length"),
    })
}
