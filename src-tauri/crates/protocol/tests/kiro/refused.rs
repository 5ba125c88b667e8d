//! Every recorded refused request, taken back to a conversation and built again: the rule it broke is kept.

use super::rules::violations;
use super::support::sample;
use kiro_protocol::conversation::{Block, Conversation, Document, Effort, Image, Message, Role, Sampling, ToolSpec};
use kiro_protocol::kiro::request::{BuildContext, Built, build};
use serde_json::{Value, json};

fn text_of(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// The conversation a client must have meant.
fn conversation(request: &Value) -> Conversation {
    let state = &request["conversationState"];
    let current = &state["currentMessage"];
    let messages = items(&state["history"]).chain([current]).map(message).collect();
    let tools = items(&current["userInputMessage"]["userInputMessageContext"]["tools"]).map(|tool| {
        let spec = &tool["toolSpecification"];
        ToolSpec {
            name: text_of(&spec["name"]),
            description: text_of(&spec["description"]),
            schema: spec["inputSchema"]["json"].as_object().cloned().unwrap_or_default(),
            cache: false,
        }
    });
    let effort = match request["additionalModelRequestFields"]["output_config"]["effort"].as_str() {
        Some("high") => Some(Effort::High),
        Some("xhigh") => Some(Effort::XHigh),
        Some(other) => panic!("unknown effort {other}"),
        None => None,
    };
    Conversation {
        model: text_of(&current["userInputMessage"]["modelId"]),
        messages,
        tools: tools.collect(),
        sampling: Sampling { effort, ..Sampling::default() },
        ..Conversation::default()
    }
}

fn message(message: &Value) -> Message {
    if let Some(assistant) = message.get("assistantResponseMessage") {
        return Message { role: Role::Assistant, content: assistant_blocks(assistant) };
    }
    let user = &message["userInputMessage"];
    let mut content: Vec<Block> = items(&user["userInputMessageContext"]["toolResults"])
        .map(|result| Block::ToolResult {
            tool_use_id: text_of(&result["toolUseId"]),
            content: items(&result["content"])
                .map(|piece| Block::Text { text: text_of(&piece["text"]), cache: false })
                .collect(),
            is_error: result["status"] == "error",
            cache: false,
        })
        .collect();
    content.push(Block::Text { text: text_of(&user["content"]), cache: false });
    content.extend(items(&user["images"]).map(|image| {
        let media_type = format!("image/{}", text_of(&image["format"]));
        Block::Image(Image { media_type, data: text_of(&image["source"]["bytes"]) })
    }));
    content.extend(items(&user["documents"]).map(|document| {
        let media_type = if document["format"] == "pdf" { "application/pdf" } else { "text/plain" };
        Block::Document(Document {
            name: document["name"].as_str().map(str::to_owned),
            media_type: media_type.to_owned(),
            data: text_of(&document["source"]["bytes"]),
        })
    }));
    Message { role: Role::User, content }
}

fn assistant_blocks(assistant: &Value) -> Vec<Block> {
    let mut content = Vec::new();
    if let Some(reasoning) = assistant["reasoningContent"].get("reasoningText") {
        content.push(Block::Thinking {
            text: text_of(&reasoning["text"]),
            signature: reasoning["signature"].as_str().map(str::to_owned),
        });
    }
    content.push(Block::Text { text: text_of(&assistant["content"]), cache: false });
    content.extend(items(&assistant["toolUses"]).map(|call| Block::ToolUse {
        id: text_of(&call["toolUseId"]),
        name: text_of(&call["name"]),
        input: call["input"].as_object().cloned().unwrap_or_default(),
        cache: false,
    }));
    content
}

/// Fills the place holders that the recording describes.
fn generate(request: &mut Value, generate: &Value) {
    let state = &mut request["conversationState"];
    let filler = |count: &Value| "x".repeat(usize::try_from(count.as_u64().unwrap_or(0)).expect("small"));
    match generate["path"].as_str() {
        Some("conversationState.history") => {
            let text = filler(&json!(generate["chars_per_message"].as_u64().unwrap_or(16_000)));
            let pairs = generate["pairs"].as_u64().unwrap_or(3);
            let pair = [
                json!({ "userInputMessage": { "content": text, "modelId": "m", "origin": "AI_EDITOR" } }),
                json!({ "assistantResponseMessage": { "content": text } }),
            ];
            state["history"] = (0..pairs).flat_map(|_| pair.clone()).collect();
        }
        Some(path) if path.ends_with(".images") => {
            let images = &mut state["currentMessage"]["userInputMessage"]["images"];
            let first = images[0].clone();
            *images = (0..generate["repeat_first_element"].as_u64().unwrap_or(0)).map(|_| first.clone()).collect();
        }
        Some(path) if path.ends_with("description") => {
            state["currentMessage"]["userInputMessage"]["userInputMessageContext"]["tools"][0]["toolSpecification"]["description"] =
                json!(filler(&generate["count"]));
        }
        Some(path) if path.ends_with("content") => {
            state["currentMessage"]["userInputMessage"]["content"] = json!(filler(&generate["count"]));
        }
        Some(other) => panic!("unknown place holder {other}"),
        None => {}
    }
}

fn codes(built: &Built) -> Vec<&'static str> {
    built.notices.iter().map(|notice| notice.code).collect()
}

/// The notice that tells of the repair of a rule; `None` where the types make the fault impossible.
fn expected_notice(rule: &str, name: &str) -> Option<&'static str> {
    Some(match (rule, name) {
        ("V1", "history starts with an assistant turn") => "leading_assistant_turn",
        ("V1", _) => "turns_merged",
        ("V2", name) if name.contains("history") => "empty_turn_dropped",
        ("V2", _) => "empty_turn_dropped",
        ("V4" | "V6", _) => "tool_result_folded",
        ("V5", _) => "tool_result_added",
        ("V7", _) => "duplicate_tool_result",
        ("V8", _) => "tool_placeholder",
        ("V9", _) => "duplicate_tool",
        ("V10", _) => "tool_renamed",
        ("V11", "empty description") => "tool_description_filled",
        ("V11", _) => "tool_description_moved",
        ("V12", "top-level anyOf") => "tool_schema_reshaped",
        ("V13", _) => "tool_schema_sanitized",
        ("V14", _) => "tool_properties_renamed",
        ("V16", _) => "body_over_limit",
        ("V17", _) => "text_shortened",
        ("V20", "too many images") => "images_over_limit",
        ("V20", _) => "image_format_corrected",
        ("V21", "document on a model that takes none") => "document_dropped",
        ("V22", _) => "reasoning_dropped",
        ("V24", "effort level outside the enum") => "effort_clamped",
        ("V24", _) => "effort_ignored",
        ("V29", _) => "prefill_emulated",
        _ => return None,
    })
}

#[test]
fn every_refused_request_is_built_without_breaking_a_rule_and_the_repair_is_noticed() {
    let sample = sample("invalid-requests.json");
    let cases = sample["cases"].as_array().expect("cases");
    assert!(cases.len() >= 45);
    // Facts the body alone does not show: limits, accounts, models. Their repair is asserted by notice or is not ours.
    let invisible = ["V16", "V18", "V22", "V23", "V24", "V25"];
    for case in cases {
        let (rule, name) = (text_of(&case["rule"]), text_of(&case["name"]));
        let label = format!("{rule} {name}");
        let mut request = case["request"].clone();
        generate(&mut request, &case["generate"]);
        let takes_documents = name != "document on a model that takes none";
        if !invisible.contains(&rule.as_str()) && takes_documents {
            assert!(violations(&request).contains(&rule), "{label}: the checker must see what the service refused");
        }
        let schema = json!({ "type": "object", "properties": {
            "output_config": { "type": "object", "properties": { "effort": { "enum": ["low", "medium", "high", "max"] } } } } });
        let context = BuildContext {
            model_id: "claude-sonnet-4.5".to_owned(),
            conversation_id: "00000000-0000-4000-8000-000000000101".to_owned(),
            continuation_id: Some("00000000-0000-4000-8000-000000000201".to_owned()),
            max_body_bytes: 600_000,
            fields_schema: (name == "effort level outside the enum").then_some(schema),
            strip_reasoning: rule == "V22",
            documents_allowed: takes_documents,
            ..BuildContext::default()
        };
        let built = build(&conversation(&request), &context);
        let body: Value = serde_json::from_slice(&built.to_bytes(Some("arn:aws:example"))).expect("JSON");
        assert_eq!(violations(&body), Vec::<String>::new(), "{label}: {body:#}");
        if let Some(code) = expected_notice(&rule, &name) {
            assert!(codes(&built).contains(&code), "{label}: {:?}", built.notices);
        }
        if let ("V24", fields) = (rule.as_str(), body.get("additionalModelRequestFields")) {
            assert_eq!(fields, case["repaired"].get("additionalModelRequestFields"), "{label}");
        }
    }
}
