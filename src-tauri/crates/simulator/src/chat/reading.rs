//! Reads what the brain needs out of a request: the last words of the user, the tools, the results.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

static REMINDERS: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?s)<system-reminder>.*?</system-reminder>").expect("a constant pattern"));

/// A tool that the request offers.
#[derive(Clone, Debug)]
pub(super) struct Tool {
    pub(super) name: String,
    /// Property names of its schema.
    pub(super) properties: Vec<String>,
    /// Its whole schema.
    pub(super) schema: Value,
}

impl Tool {
    /// The name without the server or namespace before it, lower-case, without separators.
    pub(super) fn short_name(&self) -> String {
        self.name.rsplit("__").next().unwrap_or(&self.name).to_ascii_lowercase().replace(['_', '-', '.'], "")
    }
}

/// The current user message.
pub(super) fn current(body: &Value) -> &Value {
    &body["conversationState"]["currentMessage"]["userInputMessage"]
}

/// Text of a user message without the blocks that clients put around the person's words.
pub(super) fn words(message: &Value) -> String {
    let text = message["content"].as_str().unwrap_or_default();
    REMINDERS.replace_all(text, "\n").trim().to_owned()
}

/// Where instructions stand: the current message, and the first one of the conversation, which carries the system prompt.
pub(super) fn instructions(body: &Value) -> impl Iterator<Item = &str> {
    let first = &body["conversationState"]["history"][0]["userInputMessage"];
    [current(body), first].into_iter().filter_map(|message| message["content"].as_str())
}

/// User messages of the history, newest first.
pub(super) fn earlier_users(body: &Value) -> impl Iterator<Item = &Value> {
    let history = body["conversationState"]["history"].as_array();
    history.into_iter().flatten().rev().filter_map(|turn| turn.get("userInputMessage"))
}

pub(super) fn tools(body: &Value) -> Vec<Tool> {
    let tools = current(body)["userInputMessageContext"]["tools"].as_array();
    let specs = tools.into_iter().flatten().filter_map(|tool| tool.get("toolSpecification"));
    specs
        .map(|spec| Tool {
            name: spec["name"].as_str().unwrap_or_default().to_owned(),
            properties: spec["inputSchema"]["json"]["properties"]
                .as_object()
                .map(|p| p.keys().cloned().collect())
                .unwrap_or_default(),
            schema: spec["inputSchema"]["json"].clone(),
        })
        .collect()
}

/// Results that the current message brings: (text, failed).
pub(super) fn results(body: &Value) -> Vec<(String, bool)> {
    let results = current(body)["userInputMessageContext"]["toolResults"].as_array();
    results
        .into_iter()
        .flatten()
        .map(|result| {
            let parts = result["content"].as_array().into_iter().flatten();
            let text: Vec<String> = parts
                .map(|part| part["text"].as_str().map_or_else(|| part["json"].to_string(), str::to_owned))
                .collect();
            (text.join("\n"), result["status"] == "error")
        })
        .collect()
}
