//! Reads a Responses stream back the way a strict client does: every event must be about the item that is open, every
//! `done` must repeat what its deltas said, and the last response must hold exactly the items that were done.

use super::golden::Folded;
use serde_json::{Value, json};

#[derive(Default)]
struct Fold {
    created: Option<Value>,
    /// The item that was added and is not done, as far as its events tell it.
    open: Option<Value>,
    /// What the deltas of its open part said.
    said: String,
    /// A part was added and is not done.
    part: bool,
    /// A text, a summary or arguments came to their end.
    told: bool,
    annotations: Vec<Value>,
    steps: Vec<String>,
    items: Vec<Value>,
}

/// Folds a stream; the text says which rule of the event ladder was broken.
pub(crate) fn fold(stream: &[u8]) -> Result<Folded, String> {
    let text = std::str::from_utf8(stream).map_err(|error| error.to_string())?;
    let (mut folded, mut fold, mut ended) = (Folded::default(), Fold::default(), false);
    for (number, frame) in text.split_inclusive("\n\n").enumerate() {
        let lines: Vec<&str> = frame.strip_suffix("\n\n").ok_or("the last frame is cut")?.split('\n').collect();
        let [event, data] = lines[..] else { return Err(format!("a frame of {} lines", lines.len())) };
        let name = event.strip_prefix("event: ").ok_or("no event line")?;
        let data = data.strip_prefix("data: ").ok_or("no data line")?;
        let data: Value = serde_json::from_str(data).map_err(|error| error.to_string())?;
        rule(data["type"] == name, || format!("event {name} with data of type {}", data["type"]))?;
        rule(data["sequence_number"] == json!(number), || format!("{name} has not the number {number}"))?;
        rule(!ended, || format!("{name} after the end"))?;
        match name {
            "response.created" => {
                rule(number == 0, || "a second response.created".into())?;
                fold.created = Some(begun(&data["response"])?);
            }
            "error" => {
                rule(fold.created.is_none(), || "error inside a response".into())?;
                rule(data["message"].is_string() && data["code"].is_string(), || "an error without words".into())?;
                folded.error = Some(data);
                ended = true;
            }
            _ if fold.created.is_none() => return Err(format!("{name} before response.created")),
            "response.in_progress" => {
                rule(number == 1, || "response.in_progress at the wrong place".into())?;
                rule(fold.created == Some(begun(&data["response"])?), || "two different responses".into())?;
            }
            "keepalive" => folded.pings += 1,
            "response.completed" | "response.incomplete" => {
                folded.message = Some(fold.finish(name, &data["response"])?);
                ended = true;
            }
            "response.failed" => {
                fold.same(&data["response"], "failed")?;
                let error = &data["response"]["error"];
                rule(error["code"].is_string() && error["message"].is_string(), || "a failure without words".into())?;
                folded.error = Some(data);
                ended = true;
            }
            _ => fold.step(name, &data)?,
        }
    }
    Ok(folded)
}

fn rule(kept: bool, words: impl FnOnce() -> String) -> Result<(), String> {
    if kept { Ok(()) } else { Err(words()) }
}

fn begun(response: &Value) -> Result<Value, String> {
    rule(response["status"] == "in_progress" && response["output"] == json!([]), || "not a beginning".into())?;
    rule(response["id"].as_str().is_some_and(|id| id.starts_with("resp_")), || "a response without id".into())?;
    Ok(response.clone())
}

impl Fold {
    /// The response that ends the stream is the one that began it.
    fn same(&self, response: &Value, status: &str) -> Result<(), String> {
        rule(response["status"] == status, || format!("status {} at the end", response["status"]))?;
        for (key, value) in self.created.as_ref().and_then(Value::as_object).expect("checked") {
            let may_change = ["status", "output", "usage", "error", "incomplete_details"].contains(&key.as_str());
            rule(may_change || response[key] == *value, || format!("{key} changed"))?;
        }
        rule(response["output"] == json!(self.items), || "output is not what was done".into())
    }

    fn finish(&self, name: &str, response: &Value) -> Result<Value, String> {
        let status = name.trim_start_matches("response.");
        self.same(response, status)?;
        // Only an answer that was cut may hold a call that never ends.
        let cut = self.open.as_ref().is_some_and(|item| item["call_id"].is_string()) && status == "incomplete";
        rule(self.open.is_none() || cut, || "an item is not done".into())?;
        rule((status == "incomplete") == response["incomplete_details"]["reason"].is_string(), || "no reason".into())?;
        rule(response["error"].is_null(), || "an error in a complete answer".into())?;
        let usage = &response["usage"];
        let figure = |key: &str| usage[key].as_u64().ok_or(format!("no {key}"));
        rule(figure("total_tokens")? == figure("input_tokens")? + figure("output_tokens")?, || "a wrong total".into())?;
        Ok(response.clone())
    }

    fn step(&mut self, name: &str, data: &Value) -> Result<(), String> {
        rule(data["output_index"] == json!(self.items.len()), || format!("{name} is about another index"))?;
        if name == "response.output_item.added" {
            rule(self.open.is_none(), || "an item inside an item".into())?;
            let item = data["item"].clone();
            let id = item["id"].as_str().filter(|id| !id.is_empty()).ok_or("an item without id")?;
            rule(self.items.iter().all(|other| other["id"] != id), || "an id twice".into())?;
            *self = Fold {
                created: self.created.take(),
                items: std::mem::take(&mut self.items),
                open: Some(item),
                ..Fold::default()
            };
            return Ok(());
        }
        let mut item = self.open.take().ok_or(format!("{name} without an item"))?;
        if name == "response.output_item.done" {
            return self.done(&item, &data["item"]);
        }
        rule(data["item_id"] == item["id"], || format!("{name} is about another item"))?;
        let kind = item["type"].as_str().unwrap_or_default().to_owned();
        self.inside(name.trim_start_matches("response."), &kind, data, &mut item)?;
        self.open = Some(item);
        Ok(())
    }

    fn inside(&mut self, name: &str, kind: &str, data: &Value, item: &mut Value) -> Result<(), String> {
        let index = |key: &str| rule(data[key] == 0, || format!("{name} has a wrong {key}"));
        match (kind, name) {
            ("message", "content_part.added") | ("reasoning", "reasoning_summary_part.added") => {
                rule(!self.part && !self.told, || "a second part".into())?;
                rule(data["part"]["text"] == "", || "a part that begins with text".into())?;
                self.part = true;
            }
            ("message", "output_text.delta") => {
                index("content_index")?;
                self.delta(data, self.part)?;
            }
            ("reasoning", "reasoning_summary_text.delta") => {
                index("summary_index")?;
                self.delta(data, self.part)?;
            }
            ("function_call", "function_call_arguments.delta")
            | ("custom_tool_call", "custom_tool_call_input.delta") => {
                self.delta(data, true)?;
            }
            ("message", "output_text.annotation.added") => {
                rule(data["annotation_index"] == json!(self.annotations.len()), || "a wrong annotation".into())?;
                self.annotations.push(data["annotation"].clone());
            }
            ("message", "output_text.done") | ("reasoning", "reasoning_summary_text.done") => {
                rule(self.part && data["text"] == self.said, || format!("{name} says something else"))?;
                self.told = true;
            }
            ("message", "content_part.done") => {
                rule(self.told && self.part, || "a part that was not told".into())?;
                let part = json!({
                    "type": "output_text", "text": self.said, "annotations": self.annotations, "logprobs": [],
                });
                rule(data["part"] == part, || "the part is not what was told".into())?;
                item["content"] = json!([part]);
                self.part = false;
            }
            ("reasoning", "reasoning_summary_part.done") => {
                rule(self.told && self.part, || "a part that was not told".into())?;
                let part = json!({ "type": "summary_text", "text": self.said });
                rule(data["part"] == part, || "the part is not what was told".into())?;
                item["summary"] = json!([part]);
                self.part = false;
            }
            ("function_call", "function_call_arguments.done") => {
                let parsed = |text: &str| serde_json::from_str::<Value>(text).map_err(|error| error.to_string());
                let arguments = data["arguments"].as_str().ok_or("no arguments")?;
                rule(parsed(&self.said)? == parsed(arguments)?, || "other arguments than the deltas".into())?;
                rule(data["name"] == item["name"], || "another name".into())?;
                item["arguments"] = json!(arguments);
                self.told = true;
            }
            ("custom_tool_call", "custom_tool_call_input.done") => {
                rule(data["input"] == self.said, || "another input than the deltas".into())?;
                item["input"] = json!(self.said);
                self.told = true;
            }
            ("web_search_call", step) => {
                let step = step.strip_prefix("web_search_call.").ok_or(format!("{step} in a search"))?;
                self.steps.push(step.to_owned());
            }
            (kind, name) => return Err(format!("{name} in a {kind}")),
        }
        Ok(())
    }

    fn delta(&mut self, data: &Value, allowed: bool) -> Result<(), String> {
        let piece = data["delta"].as_str().filter(|piece| !piece.is_empty()).ok_or("an empty delta")?;
        rule(allowed && !self.told, || "a delta at the wrong place".into())?;
        self.said.push_str(piece);
        Ok(())
    }

    /// Compares the finished item with what its events told.
    fn done(&mut self, open: &Value, item: &Value) -> Result<(), String> {
        rule(!self.part, || "a part is not done".into())?;
        let mut told = vec!["id", "type"];
        match open["type"].as_str().unwrap_or_default() {
            "message" => {
                rule(self.told, || "a message without text".into())?;
                told.extend(["role", "content"]);
            }
            "reasoning" => told.push("summary"),
            "function_call" => {
                rule(self.told, || "arguments were not told".into())?;
                told.extend(["call_id", "name", "namespace", "arguments"]);
            }
            "custom_tool_call" => {
                rule(self.told, || "the input was not told".into())?;
                told.extend(["call_id", "name", "namespace", "input"]);
            }
            "local_shell_call" | "shell_call" | "tool_search_call" => told.push("call_id"),
            "web_search_call" => {
                let found = item["status"] == "completed";
                let steps = &["in_progress", "searching", "completed"][..if found { 3 } else { 2 }];
                rule(self.steps == steps, || format!("a search with the steps {:?}", self.steps))?;
            }
            "compaction" => told.push("encrypted_content"),
            other => return Err(format!("an item of type {other}")),
        }
        for key in told {
            rule(open[key] == item[key], || format!("{key} of an item changed"))?;
        }
        rule(item["status"] != "in_progress", || "an item is done and in progress".into())?;
        self.items.push(item.clone());
        Ok(())
    }
}
