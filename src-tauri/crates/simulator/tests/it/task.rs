//! A whole little task, as a coding client runs it.

use serde_json::{Value, json};

use kiro_simulator::{Answer, Script, Target};

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

#[tokio::test]
async fn a_cut_call_keeps_its_events_but_not_the_end_of_its_input() {
    let rig = Rig::start().await;
    let asked = "Create the file /tmp/a.txt with exactly this content: HELLO. Use it. answer only: DONE-1";
    let strings = json!({"file_path": {"type": "string"}, "content": {"type": "string"}});
    let body = with_tool(question(asked), "Write", strings);
    for stop in [false, true] {
        let answer = Answer::CutCall { characters: 20, stop };
        rig.control().enqueue(Target::Any, Script { answer, ..Script::default() });
        let (status, events) = rig.ask(&body).await;
        assert_eq!(status, 200);
        let calls: Vec<_> = events.iter().filter(|e| e.name == "toolUseEvent").collect();
        let input: String = calls.iter().filter_map(|c| c.payload["input"].as_str()).collect();
        assert_eq!(input.chars().count(), 20);
        assert!(serde_json::from_str::<Value>(&input).is_err(), "{input}");
        assert_eq!(calls.iter().any(|c| c.payload["stop"] == true), stop);
        assert_eq!(events.last().map(|e| e.name.as_str()), Some("meteringEvent"));
    }
    let (_, events) = rig.ask(&body).await;
    assert!(events.iter().any(|e| e.payload["stop"] == true), "the next answer is whole again");
}

#[tokio::test]
async fn a_search_can_fail_in_each_of_its_ways() {
    let rig = Rig::start().await;
    let body = json!({"jsonrpc": "2.0", "id": "s-1", "method": "tools/call", "params": {"name": "web_search", "arguments": {"query": "rust"}}});
    let ask = async || -> (u16, Value) {
        let answer = rig.post("/mcp", &body).bearer_auth(rig.token("social")).send().await.expect("an answer");
        (answer.status().as_u16(), answer.json().await.unwrap_or_default())
    };
    let queue = |answer: Answer| {
        rig.control().enqueue(Target::Any, Script { operation: "InvokeMCP".to_owned(), answer, ..Script::default() });
    };
    queue(Answer::ToolFailed("no results today".to_owned()));
    let (status, body) = ask().await;
    assert_eq!((status, &body["result"]["isError"]), (200, &Value::Bool(true)));
    queue(Answer::RpcError(-32603));
    assert_eq!(ask().await.1["error"]["code"], -32603);
    queue(Answer::Text("not what was expected".to_owned()));
    assert_eq!(ask().await.1["result"]["content"][0]["text"], "not what was expected");
    queue(Answer::Error("throttled".to_owned()));
    assert_eq!(ask().await.0, 429);
    assert_eq!(ask().await.1["result"]["isError"], Value::Bool(false));
}

#[tokio::test]
async fn the_small_plan_has_no_opus() {
    let rig = Rig::start().await;
    let ids = async |account: &str| -> Vec<String> {
        let call = rig.http.get(rig.url("/ListAvailableModels?origin=AI_EDITOR&maxResults=100"));
        let call = call.header("user-agent", "KiroIDE").bearer_auth(rig.token(account));
        let body: Value = call.send().await.expect("an answer").json().await.expect("JSON");
        let models = body["models"].as_array().expect("models");
        models.iter().filter_map(|m| m["modelId"].as_str().map(str::to_owned)).collect()
    };
    assert!(ids("social").await.iter().any(|id| id.contains("opus")));
    let small = ids("builderid").await;
    assert!(!small.is_empty() && !small.iter().any(|id| id.contains("opus")), "{small:?}");
}
