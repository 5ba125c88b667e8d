//! Tool calls that are cut off: asked for again in smaller pieces, or told as cut; never half a call as a whole one.

use http::StatusCode;
use kiro_simulator::{Answer, Cut, End, Faults, Script, Target};
use serde_json::{Value, json};

use crate::harness::{Plan, World, ask};

fn task() -> Value {
    let mut body = ask(
        "Create the file notes.txt with exactly this content: one-two-three. Use your tool for it. When it is written answer only: DONE",
    );
    body["tools"] = json!([{"name": "Write", "description": "writes a file", "input_schema": {"type": "object", "properties": {"file_path": {"type": "string"}, "content": {"type": "string"}}, "required": ["file_path", "content"]}}]);
    body
}

fn whole() -> Vec<(String, Value)> {
    vec![("Write".to_owned(), json!({"file_path": "notes.txt", "content": "one-two-three"}))]
}

fn cut(stop: bool) -> Script {
    Script { answer: Answer::CutCall { characters: 30, stop }, ..Script::default() }
}

fn notices(flow: &Value) -> Vec<&str> {
    flow["notices"].as_array().expect("a list").iter().filter_map(|notice| notice["code"].as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_call_is_asked_for_again_and_arrives_whole() {
    for chunk in [None, Some(7)] {
        let plan = Plan::default();
        let world = match chunk {
            Some(bytes) => plan.chunk(bytes).start().await,
            None => plan.start().await,
        };
        for (stop, streamed) in [(false, true), (true, true), (false, false)] {
            world.control.enqueue(Target::Any, cut(stop));
            let calls_before = world.upstream_calls();
            if streamed {
                let stream = world.stream(&task()).await;
                assert!(stream.complete(), "{}", stream.body);
                assert_eq!((stream.tool_calls(), stream.stop_reason()), (whole(), Some("tool_use")), "{}", stream.body);
            } else {
                let (status, reply) = world.send(&task()).await;
                assert_eq!((status, &reply["stop_reason"]), (StatusCode::OK, &json!("tool_use")), "{reply}");
            }
            assert_eq!(world.upstream_calls() - calls_before, 2);
            let flow = world.flows().await.remove(0);
            assert!(notices(&flow).contains(&"cut_call_asked_again"), "{flow}");
        }
        world.assert_no_violations();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_stays_cut_ends_as_the_protocol_says_and_not_as_a_call() {
    let world = World::start().await;
    for _ in 0..4 {
        world.control.enqueue(Target::Any, cut(false));
    }
    let stream = world.stream(&task()).await;
    assert_eq!((stream.tool_calls(), stream.stop_reason()), (vec![], Some("max_tokens")), "{}", stream.body);
    let (status, reply) = world.send(&task()).await;
    assert_eq!((status, &reply["stop_reason"]), (StatusCode::OK, &json!("max_tokens")), "{reply}");
    assert!(reply["content"].as_array().expect("blocks").iter().all(|block| block["type"] != "tool_use"), "{reply}");
    world.assert_no_violations();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_other_protocols_end_in_their_own_words() {
    let world = World::start().await;
    let prompt = task()["messages"][0]["content"].clone();
    let schema = task()["tools"][0]["input_schema"].clone();
    let function = json!({"name": "Write", "description": "writes a file", "parameters": schema});
    let model = "claude-sonnet-4-5";
    let path = format!("/v1beta/models/{model}:generateContent");
    let mut declared = function.clone();
    declared["type"] = "function".into();
    let requests = [
        (
            "/v1/chat/completions",
            json!({"model": model, "messages": [{"role": "user", "content": prompt}], "tools": [{"type": "function", "function": function}]}),
            "/choices/0/finish_reason",
            "length",
        ),
        ("/v1/responses", json!({"model": model, "input": prompt, "tools": [declared]}), "/status", "incomplete"),
        (
            path.as_str(),
            json!({"contents": [{"role": "user", "parts": [{"text": prompt}]}], "tools": [{"functionDeclarations": [function]}]}),
            "/candidates/0/finishReason",
            "MAX_TOKENS",
        ),
    ];
    for (path, body, place, words) in requests {
        for _ in 0..2 {
            world.control.enqueue(Target::Any, cut(false));
        }
        let answer = world.http.post(format!("{}{path}", world.url)).bearer_auth(&world.key).json(&body).send().await;
        let reply: Value = answer.expect("an answer").json().await.expect("JSON");
        assert_eq!(reply.pointer(place).and_then(Value::as_str), Some(words), "{path}: {reply}");
        assert!(!reply.to_string().contains("notes.txt"), "{path}: a piece of the call was delivered: {reply}");
    }
    world.assert_no_violations();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_breaks_inside_a_call_is_asked_for_a_smaller_one_too() {
    let world = World::start().await;
    let faults = Faults { cut: Some(Cut { at: -700, end: End::Reset }), ..Faults::default() };
    world.control.enqueue(Target::Any, Script { faults, ..Script::default() });
    let stream = world.stream(&task()).await;
    assert_eq!((stream.tool_calls(), stream.stop_reason()), (whole(), Some("tool_use")), "{}", stream.body);
    let asked = world.control.journal().into_iter().rfind(|entry| entry.operation == "GenerateAssistantResponse");
    let words = asked.expect("a request").body["conversationState"]["currentMessage"].to_string();
    assert!(words.contains("cut off") && words.contains("Write"), "{words}");
    world.assert_no_violations();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_retries_a_cut_call_is_told_at_once() {
    let world = Plan::default().set("limits.retries", 0).start().await;
    world.control.enqueue(Target::Any, cut(true));
    let stream = world.stream(&task()).await;
    assert_eq!((stream.tool_calls(), stream.stop_reason()), (vec![], Some("max_tokens")), "{}", stream.body);
    assert_eq!(world.upstream_calls(), 1);
}
