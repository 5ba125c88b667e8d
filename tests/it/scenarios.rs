//! Every recorded kind of upstream stream, end to end: what must be complete is complete, what must not be never is.

use http::StatusCode;
use kiro_simulator::{Answer, Script, Target};
use serde_json::{Value, json};

use crate::harness::{Plan, World, ask};

const SCENARIOS: &str = include_str!("../../src-tauri/crates/simulator/data/stream-scenarios.json");

struct Expected {
    name: String,
    text: String,
    thinking: Option<String>,
    tools: Vec<(String, Value)>,
    stop_reason: Option<String>,
    complete: bool,
}

fn expectations() -> Vec<Expected> {
    let all: Value = serde_json::from_str(SCENARIOS).expect("JSON");
    let scenarios = all["scenarios"].as_array().expect("a list");
    scenarios
        .iter()
        .map(|scenario| {
            let name = scenario["name"].as_str().expect("a name");
            let mut expected = scenario["expected"].clone();
            match name {
                // Calls written as text are not rescued: that would let text act. They stay the text they are.
                "tool-call-as-text" => {
                    expected["text"] = scenario["messages"]
                        .as_array()
                        .expect("messages")
                        .iter()
                        .filter_map(|message| message["payload"]["content"].as_str())
                        .collect::<String>()
                        .into();
                    expected["tool_calls"] = json!([]);
                    expected["stop_reason"] = "end_turn".into();
                }
                // What has been streamed to a client cannot be taken back, so it stays in both kinds of answer.
                "code-reference-discards-previous-text" => expected["text"] = "int main() { return 0; } done".into(),
                // A call that was cut by the model's own limit is left out, and the answer is told as cut.
                "tool-call-truncated" | "tool-stop-with-broken-json" | "tool-input-not-an-object" => {
                    expected["complete"] = true.into();
                    expected["stop_reason"] = "max_tokens".into();
                }
                _ => {}
            }
            let tools = expected["tool_calls"].as_array().expect("a list").iter();
            Expected {
                name: name.to_owned(),
                text: expected["text"].as_str().expect("a text").to_owned(),
                thinking: expected["reasoning"]["text"].as_str().map(str::to_owned),
                tools: tools
                    .map(|call| (call["name"].as_str().expect("a name").to_owned(), call["input"].clone()))
                    .collect(),
                stop_reason: expected["stop_reason"].as_str().map(str::to_owned),
                complete: expected["complete"] == true,
            }
        })
        .collect()
}

/// The answer ends, but inside a call: what came before it is delivered, the call is not, and the end says that the answer
/// was cut for its length, which is what clients of this protocol know how to go on from.
const CUT_CALLS: [&str; 3] = ["tool-call-truncated", "tool-input-not-an-object", "tool-stop-with-broken-json"];

/// A question that declares the tools the scenarios use, so that calls are known ones.
fn question() -> Value {
    let tool = |name: &str| json!({"name": name, "description": "a tool", "input_schema": {"type": "object", "properties": {}}});
    let mut body = ask("Go on");
    body["max_tokens"] = 20_000.into();
    body["thinking"] = json!({"type": "enabled", "budget_tokens": 4000});
    body["tools"] = ["Read", "Write", "Bash", "ListTodos"].map(tool).to_vec().into();
    body
}

/// A house where nothing is tried again, so that each stream shows itself.
async fn world(scenario: &str, chunk: Option<usize>) -> World {
    let plan = Plan::default().set("limits.retries", 0);
    let plan = match chunk {
        Some(bytes) => plan.chunk(bytes),
        None => plan,
    };
    let world = plan.start().await;
    world.control.enqueue(Target::Any, Script { answer: Answer::Scenario(scenario.to_owned()), ..Script::default() });
    world
}

async fn check_stream(expected: &Expected, chunk: Option<usize>) {
    let name = &expected.name;
    let world = world(name, chunk).await;
    let stream = world.stream(&question()).await;
    if CUT_CALLS.contains(&name.as_str()) {
        assert_eq!(stream.stop_reason(), Some("max_tokens"), "{name}: {}", stream.body);
        assert!(stream.tool_calls().is_empty(), "{name}: half a call was delivered: {}", stream.body);
        return;
    }
    if !expected.complete {
        assert!(!stream.complete(), "{name}: a broken stream was reported as complete: {}", stream.body);
        assert!(
            stream.error().is_some() || !stream.status.is_success(),
            "{name}: broken without an error: {}",
            stream.body
        );
        return;
    }
    assert!(stream.complete(), "{name}: {}", stream.body);
    assert!(stream.error().is_none(), "{name}: {}", stream.body);
    assert_eq!(stream.text(), expected.text, "{name}");
    assert_eq!(stream.tool_calls(), expected.tools, "{name}");
    assert_eq!(stream.stop_reason(), expected.stop_reason.as_deref(), "{name}");
    if let Some(thinking) = &expected.thinking {
        assert_eq!(stream.thinking(), *thinking, "{name}");
    }
    world.assert_no_violations();
}

async fn check_reply(expected: &Expected) {
    let name = &expected.name;
    let world = world(name, None).await;
    let (status, reply) = world.send(&question()).await;
    if CUT_CALLS.contains(&name.as_str()) {
        assert_eq!(reply["stop_reason"], "max_tokens", "{name}: {reply}");
        assert!(!reply.to_string().contains("tool_use"), "{name}: half a call was delivered: {reply}");
        return;
    }
    if !expected.complete {
        assert!(!status.is_success(), "{name}: a broken stream became a reply: {reply}");
        assert_eq!(reply["type"], "error", "{name}: {reply}");
        return;
    }
    assert_eq!(status, StatusCode::OK, "{name}: {reply}");
    let blocks = reply["content"].as_array().expect("blocks");
    let text: String = blocks.iter().filter_map(|block| block["text"].as_str()).collect();
    let tools: Vec<(String, Value)> = blocks
        .iter()
        .filter(|block| block["type"] == "tool_use")
        .map(|block| (block["name"].as_str().expect("a name").to_owned(), block["input"].clone()))
        .collect();
    assert_eq!(text, expected.text, "{name}");
    assert_eq!(tools, expected.tools, "{name}");
    assert_eq!(reply["stop_reason"].as_str(), expected.stop_reason.as_deref(), "{name}");
    world.assert_no_violations();
}

/// All at once: some wait for a grace that real time must bring.
async fn all<F: Future<Output = ()> + Send + 'static>(check: impl Fn(Expected) -> F) {
    let mut running = tokio::task::JoinSet::new();
    let expectations = expectations();
    assert!(expectations.len() > 30, "the catalogue is there");
    for expected in expectations {
        running.spawn(check(expected));
    }
    let mut failed = 0;
    while let Some(done) = running.join_next().await {
        failed += usize::from(done.is_err());
    }
    assert_eq!(failed, 0, "scenarios failed; each says why above");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_scenario_streams_as_expected() {
    all(|expected| async move { check_stream(&expected, None).await }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_scenario_streams_as_expected_in_writes_of_seven_bytes() {
    all(|expected| async move { check_stream(&expected, Some(7)).await }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_scenario_folds_to_the_expected_reply() {
    all(|expected| async move { check_reply(&expected).await }).await;
}
