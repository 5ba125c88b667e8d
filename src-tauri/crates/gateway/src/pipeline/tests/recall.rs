//! Reasoning that comes back to the model through a protocol that has no place for its signature.

use super::*;
use kiro_protocol::codec::Inbound;
use serde_json::json;

fn reasoning(payload: serde_json::Value) -> Step {
    Step::Bytes(frame("event", "reasoningContentEvent", &payload.to_string()))
}

fn tool(payload: serde_json::Value) -> Step {
    Step::Bytes(frame("event", "toolUseEvent", &payload.to_string()))
}

/// A turn that thinks, signs what it thought, and calls a tool.
fn thoughtful() -> Scene {
    Scene::Answer(vec![
        reasoning(json!({ "text": "The file " })),
        reasoning(json!({ "text": "must be read." })),
        reasoning(json!({ "signature": "c2lnbmF0dXJl" })),
        tool(json!({ "toolUseId": "call-1", "name": "Read", "input": "{\"path\":\"a\"}" })),
        tool(json!({ "toolUseId": "call-1", "name": "Read", "stop": true })),
        metering(),
    ])
}

async fn ask(house: &House, conversation: Conversation, forgets_signatures: bool) {
    let inbound = Inbound { forgets_signatures, ..inbound(conversation) };
    let flow = house.flows.open("flow".into(), "test", None);
    let begun = house.pipeline.begin(inbound, flow, &house.settings, &KeyOptions::default(), None).await;
    let (_, end) = all(&mut begun.map_err(|(failure, _)| failure).expect("begun")).await;
    end.expect("complete");
}

/// The history as a client of Chat Completions sends it back: the words, no signature.
fn followed_up() -> Conversation {
    let thought = Block::Thinking { text: "The file must be read.".into(), signature: None };
    let input = json!({ "path": "a" }).as_object().cloned().expect("an object");
    let call = Block::ToolUse { id: "call-1".into(), name: "Read".into(), input, cache: false };
    let found = Block::Text { text: "contents".into(), cache: false };
    let result =
        Block::ToolResult { tool_use_id: "call-1".into(), content: vec![found], is_error: false, cache: false };
    let mut conversation = question("what is in a?");
    conversation.messages.push(Message { role: Role::Assistant, content: vec![thought, call] });
    conversation.messages.push(Message { role: Role::User, content: vec![result] });
    conversation
}

fn sent_back(house: &House) -> Option<serde_json::Value> {
    let body = house.upstream.seen().last().expect("asked").body.clone();
    let history = body["conversationState"]["history"].as_array().cloned().unwrap_or_default();
    history.iter().find_map(|turn| turn["assistantResponseMessage"].get("reasoningContent").cloned())
}

#[tokio::test(start_paused = true)]
async fn reasoning_returns_with_its_signature_although_the_client_lost_it() {
    let house = House::new(&["a"], vec![thoughtful(), Scene::Answer(vec![text("done"), metering()])]);
    ask(&house, question("what is in a?"), true).await;
    ask(&house, followed_up(), true).await;
    let expected = json!({ "reasoningText": { "text": "The file must be read.", "signature": "c2lnbmF0dXJl" } });
    assert_eq!(sent_back(&house), Some(expected));
    assert!(house.flow().notices.iter().any(|notice| notice.code == "reasoning_restored"));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_could_have_kept_the_signature_and_did_not_gets_nothing_added() {
    let house = House::new(&["a"], vec![thoughtful(), Scene::Answer(vec![text("done"), metering()])]);
    ask(&house, question("what is in a?"), false).await;
    ask(&house, followed_up(), false).await;
    assert_eq!(sent_back(&house), None);
}
