//! The upstream's rules, checked on the JSON of a body. Independent of the code that builds bodies: a second reading of
//! kiro-upstream §2.3.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use std::collections::HashSet;

/// The rules that a body breaks.
pub(super) fn violations(body: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let state = &body["conversationState"];
    if state["chatTriggerType"] != "MANUAL" {
        found.push("trigger".to_owned());
    }
    if body.get("profileArn").is_some_and(|arn| arn.as_str().is_none_or(str::is_empty)) {
        found.push("arn".to_owned());
    }
    let empty = Vec::new();
    let history = state["history"].as_array().unwrap_or(&empty);
    let current = &state["currentMessage"];
    for (index, message) in history.iter().enumerate() {
        let key = if index % 2 == 0 { "userInputMessage" } else { "assistantResponseMessage" };
        if message.get(key).is_none() {
            found.push("V1".to_owned());
        }
    }
    if history.len() % 2 == 1 || (state.get("history").is_some() && history.is_empty()) {
        found.push("V1".to_owned());
    }
    if current.get("userInputMessage").is_none() {
        found.push("V29".to_owned());
    }
    let mut seen_ids = HashSet::new();
    let mut asked: Vec<&str> = Vec::new();
    for (index, message) in history.iter().chain([current]).enumerate() {
        if let Some(user) = message.get("userInputMessage") {
            check_user(user, index, &asked, &mut found);
            asked.clear();
        }
        if let Some(assistant) = message.get("assistantResponseMessage") {
            if !asked.is_empty() {
                found.push("V5".to_owned());
            }
            asked = check_assistant(assistant, &mut seen_ids, &mut found);
        }
    }
    check_tools(history, current, &mut found);
    check_documents(history, current, &mut found);
    let images: usize = users(history, current).filter_map(|user| user["images"].as_array()).map(Vec::len).sum();
    if images > 20 {
        found.push("V20".to_owned());
    }
    found
}

fn users<'a>(history: &'a [Value], current: &'a Value) -> impl Iterator<Item = &'a Value> {
    history.iter().chain([current]).filter_map(|message| message.get("userInputMessage"))
}

fn check_user(user: &Value, index: usize, asked: &[&str], found: &mut Vec<String>) {
    let mut broken = |rule: &str| found.push(rule.to_owned());
    let context = &user["userInputMessageContext"];
    if context.as_object().is_some_and(serde_json::Map::is_empty) {
        broken("context");
    }
    if user["origin"].as_str().is_none_or(str::is_empty) {
        broken("origin");
    }
    let results: Vec<&Value> =
        context["toolResults"].as_array().map(|results| results.iter().collect()).unwrap_or_default();
    match user["content"].as_str() {
        None => broken("V2"),
        Some(text) if text.trim().is_empty() && results.is_empty() => broken("V2"),
        Some(text) if text.len() > 600_000 => broken("V17"),
        Some(_) => {}
    }
    if index == 0 && !results.is_empty() {
        broken("V6");
    }
    let mut answered = HashSet::new();
    for result in results {
        let id = result["toolUseId"].as_str().unwrap_or_default();
        if !asked.contains(&id) {
            broken("V4");
        }
        if !answered.insert(id) {
            broken("V7");
        }
        if !matches!(result["status"].as_str(), Some("success" | "error")) {
            broken("status");
        }
        let texts = result["content"].as_array();
        if texts.is_none_or(|texts| {
            texts.is_empty() || texts.iter().any(|text| !text["text"].is_string() && text.get("json").is_none())
        }) {
            broken("result content");
        }
        let size: usize = texts.into_iter().flatten().filter_map(|text| text["text"].as_str()).map(str::len).sum();
        if size > 600_000 + 1 {
            broken("V17");
        }
    }
    if asked.iter().any(|id| !answered.contains(id)) {
        broken("V5");
    }
    for image in user["images"].as_array().into_iter().flatten() {
        let bytes = STANDARD.decode(image["source"]["bytes"].as_str().unwrap_or("*")).unwrap_or_default();
        let real = match bytes.as_slice() {
            [0x89, b'P', b'N', b'G', ..] => "png",
            [0xff, 0xd8, 0xff, ..] => "jpeg",
            [b'G', b'I', b'F', b'8', ..] => "gif",
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => "webp",
            _ => "unknown",
        };
        if image["format"] != real {
            broken("V20");
        }
    }
    for key in ["images", "documents"] {
        if user[key].as_array().is_some_and(Vec::is_empty) {
            broken("empty list");
        }
    }
}

fn check_assistant<'a>(assistant: &'a Value, seen_ids: &mut HashSet<&'a str>, found: &mut Vec<String>) -> Vec<&'a str> {
    let mut broken = |rule: &str| found.push(rule.to_owned());
    let known = ["content", "toolUses", "reasoningContent", "cachePoint", "messageId"];
    if assistant.as_object().is_none_or(|object| object.keys().any(|key| !known.contains(&key.as_str()))) {
        broken("schema");
    }
    let calls = assistant.get("toolUses").map(|calls| calls.as_array().cloned().unwrap_or_default());
    if calls.is_some_and(|calls| calls.is_empty()) {
        broken("V26");
    }
    let mut asked = Vec::new();
    for call in assistant["toolUses"].as_array().into_iter().flatten() {
        let id = call["toolUseId"].as_str().unwrap_or_default();
        if id.is_empty() || !seen_ids.insert(id) {
            broken("V7");
        }
        if !call["input"].is_object() {
            broken("V27");
        }
        asked.push(id);
    }
    match assistant["content"].as_str() {
        None => broken("V3"),
        Some(text) if text.trim().is_empty() && asked.is_empty() => broken("V3"),
        Some(_) => {}
    }
    if let Some(reasoning) = assistant.get("reasoningContent") {
        let signed = reasoning["reasoningText"]["signature"].as_str().is_some_and(|text| !text.is_empty());
        if !signed && !reasoning["redactedContent"].is_string() {
            broken("V22");
        }
    }
    asked
}

fn check_tools(history: &[Value], current: &Value, found: &mut Vec<String>) {
    let mut broken = |rule: &str| found.push(rule.to_owned());
    let tools = &current["userInputMessage"]["userInputMessageContext"]["tools"];
    let mut declared = HashSet::new();
    for tool in tools.as_array().into_iter().flatten() {
        let Some(spec) = tool.get("toolSpecification") else { continue };
        let name = spec["name"].as_str().unwrap_or_default();
        let mut chars = name.chars();
        let good = chars.next().is_some_and(|c| c.is_ascii_alphabetic())
            && chars.all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
            && name.len() <= 63;
        if !good {
            broken("V10");
        }
        if !declared.insert(name.to_lowercase()) {
            broken("V9");
        }
        let length = spec["description"].as_str().unwrap_or_default().trim().chars().count();
        if !(1..=10_000).contains(&length) {
            broken("V11");
        }
        let schema = &spec["inputSchema"]["json"];
        if schema["type"] != "object" || ["anyOf", "oneOf", "allOf"].iter().any(|key| schema.get(key).is_some()) {
            broken("V12");
        }
        check_schema(schema, &mut broken);
    }
    let calls = history.iter().filter_map(|message| message["assistantResponseMessage"]["toolUses"].as_array());
    for call in calls.flatten() {
        if !declared.contains(&call["name"].as_str().unwrap_or_default().to_lowercase()) {
            broken("V8");
        }
    }
}

fn check_schema(schema: &Value, broken: &mut impl FnMut(&str)) {
    let Some(object) = schema.as_object() else {
        broken("V13");
        return;
    };
    for (key, value) in object {
        match key.as_str() {
            "$schema" | "$id" | "prefixItems" | "exclusiveMinimum" | "exclusiveMaximum" | "additionalProperties" => {
                broken("V13");
            }
            "required" if value.as_array().is_none_or(Vec::is_empty) => broken("V13"),
            "description" if !value.is_string() => broken("V13"),
            "minimum" | "maximum" if value.as_f64().is_none_or(|n| n.abs() > 2_147_483_647.0) => broken("V13"),
            "properties" => {
                let Some(properties) = value.as_object() else {
                    broken("V13");
                    continue;
                };
                for (name, property) in properties {
                    let good = (1..=64).contains(&name.len())
                        && name.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c));
                    if !good {
                        broken("V14");
                    }
                    check_schema(property, broken);
                }
            }
            "items" | "not" if !value.is_array() => check_schema(value, broken),
            "anyOf" | "oneOf" | "allOf" | "items" => {
                value.as_array().into_iter().flatten().for_each(|value| check_schema(value, broken));
            }
            _ => {}
        }
    }
}

fn check_documents(history: &[Value], current: &Value, found: &mut Vec<String>) {
    let formats = ["csv", "doc", "docx", "html", "md", "pdf", "txt", "xls", "xlsx"];
    let mut names = HashSet::new();
    for document in users(history, current).filter_map(|user| user["documents"].as_array()).flatten() {
        if !names.insert(document["name"].as_str().unwrap_or_default().to_lowercase()) {
            found.push("V21".to_owned());
        }
        if !formats.contains(&document["format"].as_str().unwrap_or_default()) {
            found.push("V21".to_owned());
        }
    }
}
