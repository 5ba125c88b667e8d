//! Reads streams of Chat Completions, and of the legacy completions, back the way strict clients do: texts are joined, what
//! is told once must not be told twice, calls come one after the other, and only `[DONE]` is success.

use super::golden::Folded;
use serde_json::{Map, Value, json};

/// Folds a stream of Chat Completions; the text says which rule was broken.
pub(crate) fn fold(stream: &[u8]) -> Result<Folded, String> {
    let mut message = Map::new();
    let mut calls: Vec<Value> = Vec::new();
    let mut ladder = Ladder::default();
    let read = read(stream, "chat.completion.chunk", &mut ladder, |choice, first| {
        let delta = choice["delta"].as_object().ok_or("a choice without delta")?;
        if first != delta.contains_key("role") {
            return Err("the role belongs into the first chunk, and only there".into());
        }
        if delta.is_empty() == choice["finish_reason"].is_null() {
            return Err("either a delta or a finish reason".into());
        }
        for (key, value) in delta {
            match key.as_str() {
                "role" if value == "assistant" => {}
                "content" | "reasoning_content" => join(&mut message, key, value, first)?,
                "tool_calls" => call(&mut calls, value)?,
                "function_call" => function_call(&mut message, value)?,
                // The Python SDK cannot join two lists whose items have no index.
                "annotations" => {
                    if message.insert(key.clone(), value.clone()).is_some() {
                        return Err("annotations a second time".into());
                    }
                }
                other => return Err(format!("unknown or wrong {other}")),
            }
        }
        Ok(())
    });
    let mut folded = read?;
    if let Some(whole) = &mut folded.message {
        whole["object"] = json!("chat.completion");
        let cut = whole["choices"][0]["finish_reason"] == "length";
        whole["choices"][0]["message"] = finished(message, calls, cut)?;
    }
    Ok(folded)
}

/// Folds a stream of legacy completions.
pub(crate) fn fold_legacy(stream: &[u8]) -> Result<Folded, String> {
    let mut text = String::new();
    let mut ladder = Ladder::default();
    let read = read(stream, "text_completion", &mut ladder, |choice, first| {
        let piece = choice["text"].as_str().ok_or("a choice without text")?;
        if piece.is_empty() && !first && choice["finish_reason"].is_null() {
            return Err("an empty text".into());
        }
        text.push_str(piece);
        Ok(())
    });
    let mut folded = read?;
    if let Some(whole) = &mut folded.message {
        whole["choices"][0]["text"] = json!(text);
    }
    Ok(folded)
}

/// What must be the same in all chunks, and what came so far.
#[derive(Default)]
struct Ladder {
    head: Option<Value>,
    finish_reason: Option<Value>,
    usage: Option<Value>,
    done: bool,
}

/// Reads the frames; the reply is there, without its message, when the stream ended with success.
fn read(
    stream: &[u8],
    object: &str,
    ladder: &mut Ladder,
    mut choice: impl FnMut(&Value, bool) -> Result<(), String>,
) -> Result<Folded, String> {
    let text = std::str::from_utf8(stream).map_err(|error| error.to_string())?;
    let mut folded = Folded::default();
    for frame in text.split_inclusive("\n\n") {
        let line = frame.strip_suffix("\n\n").ok_or("the last frame is cut")?;
        if line.contains('\n') {
            return Err("a frame of several lines".into());
        }
        if ladder.done || folded.error.is_some() {
            return Err(format!("{line} after the end"));
        }
        if line.starts_with(": ") {
            if ladder.head.is_none() {
                return Err("a comment before the first chunk".into());
            }
            folded.pings += 1;
            continue;
        }
        let data = line.strip_prefix("data: ").ok_or("no data line")?;
        if data == "[DONE]" {
            ladder.done = true;
            continue;
        }
        let data: Value = serde_json::from_str(data).map_err(|error| error.to_string())?;
        if data.get("error").is_some() {
            folded.error = Some(data);
            continue;
        }
        chunk(&data, object, ladder, &mut choice)?;
    }
    if ladder.done {
        let finish_reason = ladder.finish_reason.take().ok_or("[DONE] without a finish reason")?;
        let mut whole = ladder.head.take().ok_or("[DONE] without a chunk")?;
        let wants_usage = whole.as_object_mut().and_then(|whole| whole.remove("wants_usage")) == Some(json!(true));
        match ladder.usage.take() {
            Some(usage) => whole["usage"] = usage,
            None if wants_usage => return Err("the usage is missing".into()),
            None => folded.unasked = &["usage"],
        }
        whole["choices"] = json!([{ "index": 0, "logprobs": null, "finish_reason": finish_reason }]);
        folded.message = Some(whole);
    }
    Ok(folded)
}

fn chunk(
    data: &Value,
    object: &str,
    ladder: &mut Ladder,
    choice: &mut impl FnMut(&Value, bool) -> Result<(), String>,
) -> Result<(), String> {
    if data["object"] != object {
        return Err(format!("object {}", data["object"]));
    }
    let head = json!({
        "id": data["id"], "object": data["object"], "created": data["created"], "model": data["model"],
        "wants_usage": data.get("usage").is_some(),
    });
    let first = ladder.head.is_none();
    if *ladder.head.get_or_insert_with(|| head.clone()) != head {
        return Err("a chunk with another head".into());
    }
    match data["choices"].as_array().map(Vec::as_slice) {
        Some([]) => {
            if ladder.finish_reason.is_none() || !data["usage"].is_object() || ladder.usage.is_some() {
                return Err("a chunk without choices that is not the usage at the end".into());
            }
            ladder.usage = Some(data["usage"].clone());
        }
        Some([only]) => {
            if ladder.finish_reason.is_some()
                || only["index"] != 0
                || data.get("usage").is_some_and(|usage| !usage.is_null())
            {
                return Err("a choice after the finish reason, of another index, or with usage".into());
            }
            choice(only, first)?;
            if !only["finish_reason"].is_null() {
                ladder.finish_reason = Some(only["finish_reason"].clone());
            }
        }
        _ => return Err("not one choice".into()),
    }
    Ok(())
}

fn join(message: &mut Map<String, Value>, key: &str, piece: &Value, may_be_empty: bool) -> Result<(), String> {
    let piece = piece.as_str().ok_or("a piece that is no text")?;
    if piece.is_empty() && !may_be_empty {
        return Err(format!("an empty {key}"));
    }
    let so_far = message.get(key).and_then(Value::as_str).unwrap_or_default();
    let joined = json!(format!("{so_far}{piece}"));
    message.insert(key.to_owned(), joined);
    Ok(())
}

fn call(calls: &mut Vec<Value>, deltas: &Value) -> Result<(), String> {
    for delta in deltas.as_array().ok_or("tool_calls is no list")? {
        let index = delta["index"].as_u64().ok_or("a call without index")?;
        if index == calls.len() as u64 {
            if !delta["id"].is_string() || !delta["type"].is_string() {
                return Err("a call that begins without id or type".into());
            }
            let mut call = delta.clone();
            call.as_object_mut().ok_or("a call that is no object")?.remove("index");
            let kind = call["type"].as_str().unwrap_or_default();
            if !call[kind]["name"].is_string() {
                return Err("a call that begins without a name".into());
            }
            calls.push(call);
            continue;
        }
        if index + 1 != calls.len() as u64 {
            return Err("a piece of a call that is not the last one".into());
        }
        if delta.get("id").is_some() || delta.get("type").is_some() || delta["function"].get("name").is_some() {
            return Err("id, type or name a second time".into());
        }
        let call = calls.last_mut().ok_or("no call")?;
        let so_far = call["function"]["arguments"].as_str().ok_or("a piece for a custom tool")?;
        let piece =
            delta["function"]["arguments"].as_str().filter(|piece| !piece.is_empty()).ok_or("an empty piece")?;
        call["function"]["arguments"] = json!(format!("{so_far}{piece}"));
    }
    Ok(())
}

fn function_call(message: &mut Map<String, Value>, delta: &Value) -> Result<(), String> {
    match message.get_mut("function_call") {
        None if delta["name"].is_string() => {
            message.insert("function_call".into(), delta.clone());
        }
        Some(call) if delta.get("name").is_none() => {
            let joined =
                format!("{}{}", call["arguments"].as_str().unwrap_or(""), delta["arguments"].as_str().unwrap_or(""));
            call["arguments"] = json!(joined);
        }
        _ => return Err("the name of the function must come once, first".into()),
    }
    Ok(())
}

/// The message as a whole reply has it. A call that was cut by the output limit is not run, so it counts for nothing.
fn finished(mut message: Map<String, Value>, mut calls: Vec<Value>, cut: bool) -> Result<Value, String> {
    let last = calls.len();
    let mut dropped = false;
    for (index, call) in calls.iter_mut().enumerate() {
        if call["type"] == "function" && !normalized(&mut call["function"]) {
            if !cut || index + 1 != last {
                return Err("arguments that are no JSON object".into());
            }
            dropped = true;
        }
    }
    if dropped {
        calls.pop();
    }
    if let Some(call) = message.get_mut("function_call")
        && !normalized(call)
    {
        if !cut {
            return Err("arguments that are no JSON object".into());
        }
        message.remove("function_call");
    }
    let called = !calls.is_empty() || message.contains_key("function_call");
    if message.get("content") == Some(&json!("")) && called {
        message.insert("content".into(), Value::Null);
    }
    if !calls.is_empty() {
        message.insert("tool_calls".into(), json!(calls));
    }
    message.insert("role".into(), json!("assistant"));
    message.insert("refusal".into(), Value::Null);
    Ok(Value::Object(message))
}

fn normalized(function: &mut Value) -> bool {
    let parsed = serde_json::from_str::<Value>(function["arguments"].as_str().unwrap_or_default());
    match parsed {
        Ok(arguments @ Value::Object(_)) => {
            function["arguments"] = json!(arguments.to_string());
            true
        }
        _ => false,
    }
}
