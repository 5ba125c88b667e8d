//! Ordinary conversations through the whole house break no rule of the upstream.

use http::{Method, StatusCode};
use kiro_simulator::{Answer, Family, Script, Target};
use serde_json::{Value, json};

use crate::harness::{Plan, World, ask, fresh_login};

/// A one-pixel PNG.
const PIXEL: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

fn tools() -> Value {
    json!([{
        "name": "Write",
        "description": "Writes a file",
        "input_schema": {
            "type": "object",
            "properties": {"file_path": {"type": "string"}, "content": {"type": "string"}},
            "required": ["file_path", "content"]
        }
    }])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_is_answered_in_one_piece() {
    let world = World::start().await;
    let (status, reply) = world.send(&ask("SAY: Good morning")).await;
    assert_eq!(status, StatusCode::OK, "{reply}");
    assert_eq!(reply["type"], "message");
    assert_eq!(reply["role"], "assistant");
    assert_eq!(reply["content"][0]["text"], "Good morning");
    assert_eq!(reply["stop_reason"], "end_turn");
    assert!(reply["usage"]["output_tokens"].as_u64().is_some_and(|n| n > 0), "{reply}");
    world.assert_no_violations();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_streamed_answer_has_the_events_in_the_protocols_order() {
    let world = World::start().await;
    let stream = world.stream(&ask("SAY: one two three four")).await;
    assert_eq!(stream.text(), "one two three four");
    assert!(stream.complete() && stream.clean);
    let mut names: Vec<&str> =
        stream.events.iter().map(|(name, _)| name.as_str()).filter(|name| *name != "ping").collect();
    names.dedup();
    assert_eq!(
        names,
        [
            "message_start",
            "content_block_start",
            "content_block_delta",
            "content_block_stop",
            "message_delta",
            "message_stop"
        ]
    );
    for (name, data) in &stream.events {
        assert_eq!(data["type"], name.as_str(), "the data repeats the name");
    }
    assert_eq!(stream.stop_reason(), Some("end_turn"));
    world.assert_no_violations();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_answer_arrives_when_every_upstream_write_is_seven_bytes() {
    let world = Plan::default().chunk(7).start().await;
    let stream = world.stream(&ask("SAY: Grüße 你好 👋 and goodbye")).await;
    assert_eq!(stream.text(), "Grüße 你好 👋 and goodbye");
    assert!(stream.complete());
    let (status, reply) = world.send(&ask("SAY: Grüße 你好 👋 and goodbye")).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(reply["content"][0]["text"], "Grüße 你好 👋 and goodbye");
    world.assert_no_violations();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_call_and_its_result_make_a_round_trip() {
    let world = World::start().await;
    let question = "Create the file /tmp/hello.txt with exactly this content: Hello";
    let mut body = ask(question);
    body["tools"] = tools();
    let stream = world.stream(&body).await;
    assert_eq!(stream.stop_reason(), Some("tool_use"), "{}", stream.body);
    let calls = stream.tool_calls();
    assert_eq!(calls.len(), 1, "{calls:?}");
    assert_eq!(calls[0].0, "Write");
    assert_eq!(calls[0].1["file_path"], "/tmp/hello.txt");
    assert_eq!(calls[0].1["content"], "Hello");

    let (_, first) = world.send(&body).await;
    assert_eq!(first["stop_reason"], "tool_use");
    let call = first["content"].as_array().unwrap().iter().find(|block| block["type"] == "tool_use").unwrap();
    let mut next = body.clone();
    next["messages"] = json!([
        {"role": "user", "content": question},
        {"role": "assistant", "content": first["content"]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call["id"], "content": "written"}]}
    ]);
    let stream = world.stream(&next).await;
    assert!(stream.complete(), "{}", stream.body);
    assert_eq!(stream.stop_reason(), Some("end_turn"));
    world.assert_no_violations();
}

#[tokio::test(flavor = "multi_thread")]
async fn thinking_arrives_before_the_answer_and_is_echoed_back_without_complaint() {
    let world = World::start().await;
    world
        .control
        .enqueue(Target::Any, Script { answer: Answer::Scenario("thinking-claude".into()), ..Script::default() });
    let mut body = ask("Is 17 prime?");
    body["max_tokens"] = 20_000.into();
    body["thinking"] = json!({"type": "enabled", "budget_tokens": 10_000});
    let (status, reply) = world.send(&body).await;
    assert_eq!(status, StatusCode::OK, "{reply}");
    assert_eq!(reply["content"][0]["type"], "thinking");
    assert_eq!(reply["content"][0]["thinking"], "Seventeen has no divisor below 5.");
    assert!(reply["content"][0]["signature"].as_str().is_some_and(|signature| signature.len() > 100));
    assert_eq!(reply["content"][1]["text"], "17 is prime.");

    body["messages"] = json!([
        {"role": "user", "content": "Is 17 prime?"},
        {"role": "assistant", "content": reply["content"]},
        {"role": "user", "content": "SAY: sure"}
    ]);
    let (status, reply) = world.send(&body).await;
    assert_eq!(status, StatusCode::OK, "{reply}");
    world.assert_no_violations();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_reaches_the_upstream() {
    let world = World::start().await;
    let mut body = ask("");
    body["messages"] = json!([{"role": "user", "content": [
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}},
        {"type": "text", "text": "SAY: a pixel"}
    ]}]);
    let (status, reply) = world.send(&body).await;
    assert_eq!(status, StatusCode::OK, "{reply}");
    let call =
        world.control.journal().into_iter().rfind(|entry| entry.operation == "GenerateAssistantResponse").unwrap();
    let images = &call.body["conversationState"]["currentMessage"]["userInputMessage"]["images"];
    assert_eq!(images[0]["format"], "png");
    assert_eq!(images[0]["source"]["bytes"], PIXEL);
    world.assert_no_violations();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_conversation_with_system_prompt_and_odd_roles_breaks_no_rule() {
    let world = World::start().await;
    let mut body = ask("");
    body["system"] = json!([{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}]);
    body["metadata"] = json!({"user_id": "{\"session_id\":\"s1\"}"});
    body["tools"] = tools();
    body["messages"] = json!([
        {"role": "user", "content": "first"},
        {"role": "user", "content": "second in a row"},
        {"role": "assistant", "content": ""},
        {"role": "assistant", "content": [{"type": "text", "text": "two answers in a row"}]},
        {"role": "user", "content": [{"type": "text", "text": ""}, {"type": "text", "text": "and"}]},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1", "name": "Write", "input": {"file_path": "/a", "content": "b"}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "is_error": true, "content": [{"type": "text", "text": "no space"}]}]},
        {"role": "assistant", "content": "I see"},
        {"role": "user", "content": "SAY: done"}
    ]);
    let (status, reply) = world.send(&body).await;
    assert_eq!(status, StatusCode::OK, "{reply}");
    assert_eq!(reply["content"][0]["text"], "done");
    world.assert_no_violations();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_account_answers() {
    let kinds = [
        ("social", Family::Social),
        ("builderid", Family::BuilderId),
        ("idc", Family::Idc),
        ("entra", Family::ExternalIdp),
        ("apikey", Family::ApiKey),
    ];
    for (id, family) in kinds {
        let world = Plan::default().accounts(vec![fresh_login(id, family)]).start().await;
        let (status, reply) = world.send(&ask("SAY: hello")).await;
        assert_eq!(status, StatusCode::OK, "{id}: {reply}");
        let call =
            world.control.journal().into_iter().rfind(|entry| entry.operation == "GenerateAssistantResponse").unwrap();
        assert_eq!(call.account.as_deref(), Some(id));
        world.assert_no_violations();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_sequence_ends_the_answer_before_it() {
    let world = World::start().await;
    let mut body = ask("SAY: keep this ### not this");
    body["stop_sequences"] = json!(["###"]);
    let stream = world.stream(&body).await;
    assert_eq!(stream.text(), "keep this ");
    assert_eq!(stream.stop_reason(), Some("stop_sequence"));
    let (_, reply) = world.send(&body).await;
    assert_eq!(reply["stop_reason"], "stop_sequence");
    assert_eq!(reply["stop_sequence"], "###");
    assert_eq!(reply["content"][0]["text"], "keep this ");
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_counted_without_asking_the_upstream() {
    let world = World::start().await;
    let count = |text: String| {
        let request = world
            .http
            .post(format!("{}/v1/messages/count_tokens?beta=true", world.url))
            .header("x-api-key", &world.key);
        let body = json!({"model": "claude-sonnet-4-5", "messages": [{"role": "user", "content": text}]});
        async move {
            request.json(&body).send().await.unwrap().json::<Value>().await.unwrap()["input_tokens"].as_u64().unwrap()
        }
    };
    let few = count("hello".to_owned()).await;
    let many = count("hello ".repeat(1000)).await;
    assert!(few > 0 && many > few + 500, "{few} {many}");
    assert_eq!(world.upstream_calls(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn models_are_listed_and_shown_one_by_one() {
    let world = World::start().await;
    let get = |path: &str| {
        world
            .http
            .get(format!("{}{path}", world.url))
            .header("x-api-key", &world.key)
            .header("anthropic-version", "2023-06-01")
    };
    let list: Value = get("/v1/models?limit=1000").send().await.unwrap().json().await.unwrap();
    let first = list["data"][0]["id"].as_str().expect("at least one model").to_owned();
    assert!(list["has_more"].is_boolean() && list["first_id"].is_string() && list["last_id"].is_string(), "{list}");
    let one: Value = get(&format!("/v1/models/{first}")).send().await.unwrap().json().await.unwrap();
    assert_eq!(one["id"], first.as_str());
    assert_eq!(one["type"], "model");
    let missing = get("/v1/models/no-such-model").send().await.unwrap();
    assert_eq!(missing.status(), StatusCode::NOT_FOUND);
    world.assert_no_violations();
}

#[tokio::test(flavor = "multi_thread")]
async fn tolerated_paths_reach_the_same_conversation() {
    let world = World::start().await;
    for path in ["/v1/messages?beta=true", "/anthropic/v1/messages", "/v1/v1/messages"] {
        let answer = world
            .http
            .post(format!("{}{path}", world.url))
            .bearer_auth(&world.key)
            .header("anthropic-beta", "claude-code-20250219,interleaved-thinking-2025-05-14")
            .json(&ask("SAY: here"))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
    }
    world.assert_no_violations();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_question_streams_and_says_which_account_answered() {
    let world = World::start().await;
    let (status, body) = {
        use http_body_util::BodyExt as _;
        use tower::ServiceExt as _;
        let request = http::Request::post("/api/try")
            .header("host", "localhost")
            .header("content-type", "application/json")
            .body(axum::body::Body::from(json!({"question": "SAY: it works"}).to_string()))
            .unwrap();
        let answer = world.gateway.admin_router().oneshot(request).await.unwrap();
        (answer.status(), String::from_utf8(answer.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap())
    };
    assert_eq!(status, StatusCode::OK, "{body}");
    let events = crate::harness::parse_sse(&body);
    assert_eq!(events[0].0, "receipt", "{body}");
    assert_eq!(events[0].1["simulated"], false);
    assert!(events.iter().any(|(name, _)| name == "message_stop"));
    let text: String = events.iter().filter_map(|(_, data)| data["delta"]["text"].as_str()).collect();
    assert_eq!(text, "it works");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flow_record_tells_what_happened_to_a_request() {
    let world = World::start().await;
    world.send(&ask("SAY: hello")).await;
    let flows = world.flows().await;
    assert_eq!(flows.len(), 1);
    let flow = &flows[0];
    assert_eq!(flow["status"], 200, "{flow}");
    assert_eq!(flow["model"], "claude-sonnet-4-5");
    assert_eq!(flow["simulated"], false);
    assert_eq!(flow["attempts"].as_array().map(Vec::len), Some(1), "{flow}");
    assert!(
        flow["durationMs"].is_number() && flow["upstreamModel"].is_string() && flow["account"].is_string(),
        "{flow}"
    );
    let (status, health) = {
        let answer = world.http.get(format!("{}/health", world.url)).send().await.unwrap();
        (answer.status(), answer.text().await.unwrap())
    };
    assert_eq!(status, StatusCode::OK, "{health}");
    let (status, _) = world.admin(Method::GET, "/api/status", None).await;
    assert_eq!(status, StatusCode::OK);
}
