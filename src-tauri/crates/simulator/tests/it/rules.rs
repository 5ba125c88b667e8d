//! Every rule of the body: each broken form is refused as expected and recorded, each repaired form passes.

use serde_json::{Value, json};

use crate::support::{Rig, fixture, question};

fn filled(case: &Value) -> Value {
    let mut request = case["request"].clone();
    let state = &mut request["conversationState"];
    let user = |text: String| json!({"userInputMessage": {"content": text, "modelId": "claude-sonnet-4.5", "origin": "AI_EDITOR"}});
    let pairs = |count: usize, length: usize| -> Value {
        let pair = [user("u".repeat(length)), json!({"assistantResponseMessage": {"content": "a".repeat(length)}})];
        pair.iter().cloned().cycle().take(2 * count).collect()
    };
    let message = "/currentMessage/userInputMessage";
    match case["name"].as_str().unwrap_or_default() {
        "description too long" => {
            let pointer = format!("{message}/userInputMessageContext/tools/0/toolSpecification/description");
            *state.pointer_mut(&pointer).expect("a description") = "d".repeat(10_300).into();
        }
        "whole body above the size limit" => {
            state["history"] = pairs(40, 8_000);
            state["currentMessage"] = user("go on".to_owned());
        }
        "one text field above its limit" => state["currentMessage"] = user("x".repeat(720_000)),
        "context window exceeded" => {
            state["history"] = pairs(10, 50_000);
            state["currentMessage"] = user("go on".to_owned());
        }
        "too many images" => {
            let images = state.pointer_mut(&format!("{message}/images")).expect("images");
            *images = Value::Array(vec![images[0].clone(); 25]);
        }
        other => assert!(case.get("generate").is_none(), "no generator for {other}"),
    }
    request
}

#[tokio::test]
async fn every_invalid_request_is_refused_as_the_service_does_and_recorded_with_its_rule() {
    let rig = Rig::start().await;
    let fixture = fixture("invalid-requests.json");
    let cases = fixture["cases"].as_array().expect("cases");
    assert_eq!(cases.len(), 46);
    for case in cases {
        let name = &case["name"];
        rig.control().reset();
        let response = rig.chat(&filled(case)).send().await.expect("an answer");
        let expected = &case["expected_error"];
        assert_eq!(response.status().as_u16(), expected["status"], "{name}: {:?}", rig.control().violations());
        if let Some(kind) = expected["headers"]["x-amzn-errortype"].as_str() {
            assert_eq!(response.headers()["x-amzn-errortype"], kind, "{name}");
        }
        let body: Value = response.json().await.expect("a JSON error");
        assert_eq!(body, expected["body"], "{name}: {:?}", rig.control().violations());
        let rule = case["rule"].as_str().expect("a rule");
        assert!(rig.rules().iter().any(|r| r == rule), "{name}: {rule} not in {:?}", rig.control().violations());
    }
}

#[tokio::test]
async fn every_repaired_request_passes_without_any_finding() {
    let rig = Rig::start().await;
    let fixture = fixture("invalid-requests.json");
    let mut repaired = 0;
    for case in
        fixture["cases"].as_array().expect("cases").iter().filter(|c| c.get("repaired").is_some_and(|r| !r.is_null()))
    {
        let response = rig.chat(&case["repaired"]).send().await.expect("an answer");
        let status = response.status().as_u16();
        assert_eq!(status, 200, "{}: {:?}", case["name"], rig.control().violations());
        repaired += 1;
    }
    assert!(repaired > 30, "{repaired}");
    assert_eq!(rig.rules(), Vec::<String>::new());
}

#[tokio::test]
async fn the_sample_requests_pass_without_any_finding() {
    let rig = Rig::start().await;
    let mut sent = 0;
    for file in ["minimal", "tools", "thinking", "media"] {
        let fixture = fixture(&format!("generate-request-{file}.json"));
        for case in fixture["cases"].as_array().expect("cases") {
            let name = case["name"].as_str().unwrap_or_default();
            // The signature of this sample belongs to no answer of this stand-in.
            if name.starts_with("negative") || name.starts_with("signed reasoning") {
                continue;
            }
            let mut body = case["body"].clone();
            let account = match body["profileArn"].as_str() {
                None => "builderid",
                Some(kiro_simulator::SOCIAL_ARN) => "social",
                Some(kiro_simulator::BUILDER_ID_ARN) => "builderid",
                Some(arn) if arn.contains("eu-central-1") => "idc-eu",
                Some(_) => "idc",
            };
            if body.get("conversationState").is_none() {
                body = case["request"].clone();
            }
            let request = rig.post("/generateAssistantResponse", &body).bearer_auth(rig.token(account));
            let response = request.send().await.expect("an answer");
            assert_eq!(response.status(), 200, "{file}/{name}: {:?}", rig.control().violations());
            sent += 1;
        }
    }
    assert!(sent > 8, "{sent}");
    assert_eq!(rig.control().violations(), Vec::new());
}

#[tokio::test]
async fn an_unknown_reasoning_signature_is_refused_and_one_that_was_sent_is_accepted() {
    let rig = Rig::start().await;
    let mut body = question("SAY: hi");
    body["conversationState"]["currentMessage"]["userInputMessage"]["modelId"] = "claude-opus-4.7".into();
    body["additionalModelRequestFields"] =
        json!({"thinking": {"type": "adaptive", "display": "summarized"}, "output_config": {"effort": "high"}});
    let (_, events) = rig.ask(&body).await;
    let thoughts = events.iter().filter(|e| e.name == "reasoningContentEvent");
    let thought: String = thoughts.clone().filter_map(|e| e.payload["text"].as_str()).collect();
    let signature = thoughts.filter_map(|e| e.payload["signature"].as_str()).next().expect("a signature").to_owned();
    assert!(!thought.is_empty());

    let replay = |text: &str| {
        let mut body = body.clone();
        body["conversationState"]["history"] = json!([
            {"userInputMessage": {"content": "SAY: hi", "modelId": "claude-opus-4.7", "origin": "AI_EDITOR"}},
            {"assistantResponseMessage": {"content": "hi", "reasoningContent": {"reasoningText": {"text": text, "signature": signature}}}},
        ]);
        body
    };
    let (good, bad) = (replay(&thought), replay("another thought"));
    assert_eq!(rig.ask(&good).await.0, 200, "{:?}", rig.control().violations());
    assert_eq!(rig.rules(), Vec::<String>::new());
    assert_eq!(rig.ask(&bad).await.0, 400);
    assert_eq!(rig.rules(), ["V22"]);
}

#[tokio::test]
async fn without_strictness_violations_are_recorded_and_the_answer_comes_anyway() {
    let config = kiro_simulator::Config { strict: false, ..kiro_simulator::Config::default() };
    let rig = Rig::with(config).await;
    let mut body = question("SAY: hi");
    body["conversationState"]["chatTriggerType"] = "AUTO".into();
    let (status, events) = rig.ask(&body).await;
    assert_eq!((status, crate::support::text(&events).as_str()), (200, "hi"));
    assert_eq!(rig.rules(), ["trigger"]);
}

#[tokio::test]
async fn members_of_other_services_are_recorded_but_ignored() {
    let rig = Rig::start().await;
    let mut body = question("SAY: hi");
    body["toolChoice"] = json!({"type": "none"});
    assert_eq!(rig.ask(&body).await.0, 200);
    assert_eq!(rig.rules(), ["V30"]);
}

#[tokio::test]
async fn broken_json_is_told_apart_from_wrong_types() {
    let rig = Rig::start().await;
    let request = rig.chat(&Value::Null).body("{\"conversationState\":");
    let body: Value = request.send().await.expect("an answer").json().await.expect("JSON");
    assert_eq!(body["reason"], "REQUEST_BODY_INVALID_JSON");
    assert_eq!(rig.rules(), ["V25"]);
}

#[tokio::test]
async fn the_golden_requests_of_the_gateway_break_no_rule() {
    let rig = Rig::start().await;
    let folder = crate::support::fixtures().join("../kiro/request");
    let mut sent = 0;
    for entry in std::fs::read_dir(folder).expect("the golden requests") {
        let path = entry.expect("an entry").path();
        let golden: Value = serde_json::from_slice(&std::fs::read(&path).expect("a file")).expect("JSON");
        let mut body = golden["body"].clone();
        // Replayed reasoning belongs to answers that this stand-in never gave; its rule has a test of its own.
        let history = body.pointer_mut("/conversationState/history").and_then(Value::as_array_mut);
        for turn in history.into_iter().flatten() {
            if let Some(assistant) = turn.get_mut("assistantResponseMessage").and_then(Value::as_object_mut) {
                assistant.remove("reasoningContent");
            }
        }
        let arn = body["profileArn"].as_str().map(str::to_owned);
        let keyed = path.file_stem().is_some_and(|name| name.to_string_lossy().contains("api-key"));
        if arn.is_none() && !keyed {
            body["profileArn"] = kiro_simulator::SOCIAL_ARN.into();
        }
        let request = if keyed {
            rig.post("/generateAssistantResponse", &body)
                .header("tokentype", "API_KEY")
                .bearer_auth(rig.token("apikey"))
        } else {
            rig.chat(&body)
        };
        let status = request.send().await.expect("an answer").status();
        assert_eq!(status, 200, "{}: {:?}", path.display(), rig.control().violations());
        sent += 1;
    }
    assert!(sent > 10, "{sent}");
    assert_eq!(rig.control().violations(), Vec::new());
}
