//! A whole little task, as a coding client runs it.

use serde_json::{Value, json};

use crate::support::{Rig, question, text};

fn with_tool(mut body: Value, name: &str, properties: Value) -> Value {
    body["conversationState"]["currentMessage"]["userInputMessage"]["userInputMessageContext"] = json!({"tools": [
        {"toolSpecification": {"name": name, "description": "Writes.", "inputSchema": {"json": {"type": "object", "properties": properties}}}},
    ]});
    body
}

#[tokio::test]
async fn a_file_is_asked_for_written_by_the_tool_and_reported() {
    let rig = Rig::start().await;
    let asked = "<system-reminder>Create x.txt with content: no</system-reminder>\nCreate the file /tmp/a.txt with exactly this content: HELLO. Use your tool for it. When it is written answer only: DONE-1";
    let strings = json!({"file_path": {"type": "string"}, "content": {"type": "string"}});
    let body = with_tool(question(asked), "Write", strings);
    let (status, events) = rig.ask(&body).await;
    assert_eq!(status, 200, "{:?}", rig.control().violations());
    let calls: Vec<_> = events.iter().filter(|e| e.name == "toolUseEvent").collect();
    assert!(calls.len() > 3, "the input comes in fragments");
    assert!(calls[0].payload.get("input").is_none());
    assert_eq!(calls.iter().filter(|c| c.payload["stop"] == true).count(), 1);
    let input: String = calls.iter().filter_map(|c| c.payload["input"].as_str()).collect();
    let input: Value = serde_json::from_str(&input).expect("whole JSON");
    assert_eq!(input, json!({"file_path": "/tmp/a.txt", "content": "HELLO"}));
    assert_eq!(events.last().map(|e| e.name.as_str()), Some("meteringEvent"));

    let id = calls[0].payload["toolUseId"].clone();
    let mut next = body.clone();
    let state = &mut next["conversationState"];
    state["history"] = json!([
        {"userInputMessage": {"content": asked, "modelId": "claude-sonnet-4.5", "origin": "AI_EDITOR"}},
        {"assistantResponseMessage": {"content": "", "toolUses": [{"toolUseId": id, "name": "Write", "input": input}]}},
    ]);
    state["currentMessage"]["userInputMessage"]["content"] = "".into();
    state["currentMessage"]["userInputMessage"]["userInputMessageContext"]["toolResults"] =
        json!([{"toolUseId": id, "content": [{"text": "File written."}], "status": "success"}]);
    let (status, events) = rig.ask(&next).await;
    assert_eq!((status, text(&events).as_str()), (200, "DONE-1"));
    assert_eq!(rig.control().violations(), Vec::new());
}

#[tokio::test]
async fn credits_of_the_metering_event_show_up_in_the_usage_of_the_account() {
    let rig = Rig::start().await;
    let (_, events) = rig.ask(&question("SAY: hi")).await;
    let metered = events.iter().find(|e| e.name == "meteringEvent").expect("metering").payload["usage"].as_f64();
    let used = rig.control().accounts().into_iter().find(|a| a.seed.id == "social").expect("social").credits_used;
    assert_eq!(Some(used), metered);
    let usage =
        rig.http.get(rig.url("/getUsageLimits?origin=AI_EDITOR&resourceType=AGENTIC_REQUEST&isEmailRequired=true"));
    let usage = usage.header("user-agent", "KiroIDE").bearer_auth(rig.token("social"));
    let usage: Value = usage.send().await.expect("an answer").json().await.expect("JSON");
    assert_eq!(usage["usageBreakdownList"][0]["currentUsageWithPrecision"].as_f64(), metered);
    assert_eq!(usage["userInfo"]["email"], "social@example.com");
}

#[tokio::test]
async fn context_usage_follows_the_window_of_the_model() {
    let rig = Rig::start().await;
    let mut percentages = Vec::new();
    for model in ["claude-sonnet-4.5", "claude-sonnet-4.6"] {
        let mut body = question(&format!("SAY: hi\n{}", "x".repeat(40_000)));
        body["conversationState"]["currentMessage"]["userInputMessage"]["modelId"] = model.into();
        let (_, events) = rig.ask(&body).await;
        let usage = events.iter().find(|e| e.name == "contextUsageEvent").expect("context usage");
        percentages.push(usage.payload["contextUsagePercentage"].as_f64().expect("a number"));
    }
    let (small, large) = (percentages[0], percentages[1]);
    assert!(small > 5.0 && small < 15.0, "{small}");
    assert!((small / large - 5.0).abs() < 0.1, "200k against 1M: {small} {large}");
}

#[tokio::test]
async fn gpt_models_hide_their_reasoning_behind_a_signature() {
    let rig = Rig::start().await;
    let mut body = question("SAY: hi");
    body["conversationState"]["currentMessage"]["userInputMessage"]["modelId"] = "gpt-5.6-sol".into();
    body["additionalModelRequestFields"] = json!({"reasoning": {"effort": "low"}});
    let (_, events) = rig.ask(&body).await;
    let names: Vec<&str> = events.iter().map(|e| e.name.as_str()).collect();
    let (said, thought) = (
        names.iter().position(|n| *n == "assistantResponseEvent"),
        names.iter().position(|n| *n == "reasoningContentEvent"),
    );
    assert!(said < thought, "{names:?}");
}
