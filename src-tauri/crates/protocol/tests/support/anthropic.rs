//! Reads an Anthropic stream back the way a strict client does.

use super::golden::Folded;
use serde_json::{Value, json};

/// Folds a stream; the text says which rule of the event ladder was broken.
pub(crate) fn fold(stream: &[u8]) -> Result<Folded, String> {
    let text = std::str::from_utf8(stream).map_err(|error| error.to_string())?;
    let mut folded = Folded::default();
    let mut message: Option<Value> = None;
    let mut open: Option<(usize, String)> = None;
    let mut finished = false;
    for frame in text.split_inclusive("\n\n") {
        let lines: Vec<&str> = frame.strip_suffix("\n\n").ok_or("the last frame is cut")?.split('\n').collect();
        let [event, data] = lines[..] else { return Err(format!("a frame of {} lines", lines.len())) };
        let name = event.strip_prefix("event: ").ok_or("no event line")?;
        let data = data.strip_prefix("data: ").ok_or("no data line")?;
        let data: Value = serde_json::from_str(data).map_err(|error| error.to_string())?;
        if data["type"] != name {
            return Err(format!("event {name} with data of type {}", data["type"]));
        }
        if finished || folded.error.is_some() {
            return Err(format!("{name} after the end"));
        }
        if message.is_none() && !matches!(name, "message_start" | "error") {
            return Err(format!("{name} before message_start"));
        }
        match name {
            "message_start" => {
                if message.replace(data["message"].clone()).is_some() {
                    return Err("a second message_start".into());
                }
            }
            "ping" => folded.pings += 1,
            "error" => folded.error = Some(data),
            "content_block_start" => {
                let content = content(&mut message);
                if open.is_some() || data["index"] != json!(content.len()) {
                    return Err(format!("block {} starts wrongly", data["index"]));
                }
                open = Some((content.len(), String::new()));
                content.push(data["content_block"].clone());
            }
            "content_block_delta" => {
                let (index, input) = open.as_mut().ok_or("a delta without an open block")?;
                if data["index"] != json!(*index) {
                    return Err("a delta for another block".into());
                }
                apply(&mut content(&mut message)[*index], &data["delta"], input)?;
            }
            "content_block_stop" => {
                let (index, input) = open.take().ok_or("a stop without an open block")?;
                if data["index"] != json!(index) {
                    return Err("a stop for another block".into());
                }
                let block = &mut content(&mut message)[index];
                if block["type"] == "tool_use" {
                    block["input"] = serde_json::from_str(&input).map_err(|error| format!("tool input: {error}"))?;
                }
            }
            "message_delta" => {
                if open.is_some() {
                    return Err("message_delta inside a block".into());
                }
                let message = message.as_mut().expect("checked above");
                for (target, source) in [(&["stop_reason", "stop_sequence"][..], &data["delta"])] {
                    for key in target {
                        message[*key] = source[*key].clone();
                    }
                }
                if let Some(edits) = data.get("context_management") {
                    message["context_management"] = edits.clone();
                }
                for (key, value) in data["usage"].as_object().ok_or("no usage")? {
                    message["usage"][key] = value.clone();
                }
            }
            "message_stop" => {
                if message.as_ref().is_none_or(|message| message["stop_reason"].is_null()) {
                    return Err("message_stop without message_delta".into());
                }
                finished = true;
            }
            other => return Err(format!("unknown event {other}")),
        }
    }
    if finished {
        folded.message = message;
    }
    Ok(folded)
}

fn content(message: &mut Option<Value>) -> &mut Vec<Value> {
    message.as_mut().expect("message_start came")["content"].as_array_mut().expect("content is a list")
}

fn apply(block: &mut Value, delta: &Value, input: &mut String) -> Result<(), String> {
    let kinds = (block["type"].as_str().unwrap_or(""), delta["type"].as_str().unwrap_or(""));
    let field = match kinds {
        ("text", "text_delta") => "text",
        ("thinking", "thinking_delta") => "thinking",
        ("thinking", "signature_delta") => "signature",
        ("tool_use", "input_json_delta") => "partial_json",
        (block, delta) => return Err(format!("{delta} in a block of type {block}")),
    };
    let piece = delta[field].as_str().ok_or("a delta without text")?;
    if piece.is_empty() && field != "signature" {
        return Err(format!("an empty {}", kinds.1));
    }
    match field {
        "partial_json" => input.push_str(piece),
        // Real clients replace the signature.
        "signature" => block["signature"] = json!(piece),
        _ => block[field] = json!(format!("{}{piece}", block[field].as_str().unwrap_or(""))),
    }
    Ok(())
}
