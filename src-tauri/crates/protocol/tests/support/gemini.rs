//! Reads a Gemini stream back the way a strict client does: server-sent events or one JSON array.
//!
//! The merge: text without a signature continues the text part before it when both are thoughts or both are not; empty
//! text without a signature adds nothing; every other part stands for itself; of other members the last one counts.

use super::golden::Folded;
use serde_json::{Map, Value, json};

/// Folds a stream; the text says which rule was broken.
pub(crate) fn fold(stream: &[u8]) -> Result<Folded, String> {
    let text = std::str::from_utf8(stream).map_err(|error| error.to_string())?;
    let (chunks, pings, closed) = if text.starts_with('[') { array(text)? } else { events(text)? };
    let mut folded = Folded { pings, ..Folded::default() };
    let mut message = Message::default();
    for chunk in chunks {
        if message.finished || folded.error.is_some() {
            return Err(format!("{chunk} after the end"));
        }
        if chunk.get("error").is_some() {
            check_error(&chunk)?;
            folded.error = Some(chunk);
        } else {
            message.add(chunk)?;
        }
    }
    if closed.is_some_and(|closed| closed != message.finished) {
        return Err("the array is closed if and only if the answer is complete".into());
    }
    if message.finished {
        folded.message = Some(message.whole());
    }
    Ok(folded)
}

type Chunks = (Vec<Value>, usize, Option<bool>);

/// One `data: ` line per event, and nothing else: comments and other fields break these clients.
fn events(text: &str) -> Result<Chunks, String> {
    let (mut chunks, mut pings) = (Vec::new(), 0);
    for frame in text.split_inclusive("\n\n") {
        let line = frame.strip_suffix("\n\n").ok_or("the last event is cut")?;
        let data = line.strip_prefix("data: ").ok_or_else(|| format!("{line} is no data line"))?;
        if data.contains(['\n', '\r']) {
            return Err("an event of several lines".into());
        }
        match serde_json::from_str(data).map_err(|error| error.to_string())? {
            Value::Object(object) if object.is_empty() => pings += 1,
            chunk => chunks.push(chunk),
        }
    }
    Ok((chunks, pings, None))
}

/// A JSON array that may be left open. Elements are parted by a comma and a line feed; any other line feed is a sign of life.
fn array(text: &str) -> Result<Chunks, String> {
    let pings = text.matches('\n').count() - text.matches(",\n").count();
    let closed = text.ends_with(']') && serde_json::from_str::<Value>(text).is_ok();
    let whole = if closed { text.to_owned() } else { format!("{text}]") };
    let chunks: Vec<Value> = serde_json::from_str(&whole).map_err(|error| format!("no JSON array: {error}"))?;
    Ok((chunks, pings, Some(closed)))
}

fn check_error(chunk: &Value) -> Result<(), String> {
    let error = only(chunk, &["error"])?.get("error").expect("looked up before");
    let error = only(error, &["code", "message", "status", "details"])?;
    let right = error["code"].is_u64() && error["message"].is_string() && error["status"].is_string();
    if right && error["details"].is_array() { Ok(()) } else { Err(format!("{chunk} is no error")) }
}

/// The object, when it has no other members than these.
fn only<'a>(value: &'a Value, members: &[&str]) -> Result<&'a Map<String, Value>, String> {
    let object = value.as_object().ok_or_else(|| format!("{value} is no object"))?;
    match object.keys().find(|key| !members.contains(&key.as_str())) {
        Some(key) => Err(format!("{key} is not expected in {value}")),
        None => Ok(object),
    }
}

#[derive(Default)]
struct Message {
    parts: Vec<Value>,
    rest: Map<String, Value>,
    candidate: Map<String, Value>,
    finished: bool,
}

impl Message {
    fn add(&mut self, chunk: Value) -> Result<(), String> {
        only(&chunk, &["candidates", "usageMetadata", "modelVersion", "responseId"])?;
        let Some([candidate]) = chunk["candidates"].as_array().map(Vec::as_slice) else {
            return Err("not exactly one candidate".into());
        };
        let candidate = only(candidate, &["content", "finishReason", "index", "groundingMetadata"])?;
        let content = only(&candidate["content"], &["parts", "role"])?;
        if content["role"] != "model" || candidate["index"] != 0 {
            return Err(format!("role {} of candidate {}", content["role"], candidate["index"]));
        }
        self.finished = candidate.contains_key("finishReason");
        let parts = content["parts"].as_array().ok_or("no parts")?;
        for part in parts {
            self.part(part)?;
        }
        for key in ["modelVersion", "responseId"] {
            let value = chunk[key].as_str().ok_or_else(|| format!("no {key}"))?;
            if self.rest.insert(key.into(), json!(value)).is_some_and(|before| before != value) {
                return Err(format!("{key} changes"));
            }
        }
        if let Some(usage) = chunk.get("usageMetadata") {
            self.rest.insert("usageMetadata".into(), usage.clone());
        } else if self.finished {
            return Err("the last chunk has no usage".into());
        }
        for key in ["finishReason", "index", "groundingMetadata"] {
            if let Some(value) = candidate.get(key) {
                self.candidate.insert(key.into(), value.clone());
            }
        }
        Ok(())
    }

    fn part(&mut self, part: &Value) -> Result<(), String> {
        let fields = only(part, &["text", "thought", "functionCall", "thoughtSignature"])?;
        if let Some(call) = fields.get("functionCall") {
            let call = only(call, &["id", "name", "args"])?;
            if fields.contains_key("text")
                || !call["args"].is_object()
                || !call["id"].is_string()
                || !call["name"].is_string()
            {
                return Err(format!("{part} is no call"));
            }
            self.parts.push(part.clone());
            return Ok(());
        }
        let text = fields.get("text").and_then(Value::as_str).ok_or_else(|| format!("{part} has no data"))?;
        if fields.contains_key("thoughtSignature") {
            self.parts.push(part.clone());
        } else if text.is_empty() {
            if !self.finished {
                return Err("an empty text before the end".into());
            }
        } else if let Some(last) = self.parts.last_mut()
            && last.get("functionCall").is_none()
            && last.get("thought") == part.get("thought")
        {
            last["text"] = json!(format!("{}{text}", last["text"].as_str().unwrap_or("")));
        } else {
            self.parts.push(part.clone());
        }
        Ok(())
    }

    fn whole(mut self) -> Value {
        self.candidate.insert("content".into(), json!({ "parts": self.parts, "role": "model" }));
        self.rest.insert("candidates".into(), json!([self.candidate]));
        Value::Object(self.rest)
    }
}
