//! Golden cases of OpenAI Responses.

mod support;

use kiro_protocol::codec::{Delivery, Echo, PageQuery, Protocol, RequestHead};
use kiro_protocol::event::{Reply, ReplyBlock, StopReason};
use kiro_protocol::openai_responses::{OpenAiCompaction, OpenAiResponses};
use serde_json::{Value, json};
use std::sync::Arc;
use support::golden::{REQUEST_ID, Suite, check};

#[test]
fn every_case_decodes_and_encodes_as_recorded() {
    check::<OpenAiResponses>(&Suite {
        folder: "openai-responses",
        path: "/v1/responses",
        least: 40,
        fold: support::openai_responses::fold,
        ids: |list| list["data"].as_array().into_iter().flatten().map(|model| model["id"].clone()).collect::<Value>(),
    });
}

fn head(kept: Option<Value>) -> RequestHead {
    RequestHead { request_id: REQUEST_ID.into(), now: 1, kept: kept.map(Arc::new), ..RequestHead::default() }
}

fn answered(body: &Value, kept: Option<Value>, blocks: Vec<ReplyBlock>) -> Value {
    let inbound = OpenAiResponses::decode(&head(kept), body.to_string().as_bytes()).expect("decoded");
    let reply = Reply { blocks, stop: StopReason::EndTurn, ..Reply::default() };
    let response = OpenAiResponses::encode(&reply, &Echo { input_tokens: Some(1), ..inbound.echo });
    json!({ "input": inbound.keep.expect("kept"), "response": response })
}

#[test]
fn a_kept_answer_is_continued_with_everything_before_it_and_its_signature() {
    let thinking = ReplyBlock::Thinking { text: "Hm.".into(), signature: Some("c2ln/+==".into()) };
    let call = ReplyBlock::ToolUse { id: "call_1".into(), name: "f".into(), input: serde_json::Map::new() };
    let first = json!({ "model": "m", "instructions": "Old.", "input": "Hello", "prompt_cache_key": "s" });
    let kept = answered(&first, None, vec![thinking, ReplyBlock::Text("Hi".into()), call]);

    let id = kept["response"]["id"].as_str().expect("an id");
    let second = json!({
        "model": "m", "previous_response_id": id,
        "input": [{ "type": "function_call_output", "call_id": "call_1", "output": "ok" }],
    });
    assert_eq!(OpenAiResponses::continues(second.to_string().as_bytes()).as_deref(), Some(id));
    let inbound = OpenAiResponses::decode(&head(Some(kept)), second.to_string().as_bytes()).expect("decoded");
    let shown = support::view::decoded_json(&Ok(inbound));
    assert_eq!(
        shown["conversation"]["messages"],
        json!([
            { "role": "user", "content": [{ "text": "Hello" }] },
            { "role": "assistant", "content": [
                { "thinking": "Hm.", "signature": "c2ln/+==" },
                { "text": "Hi" },
                { "tool_use": "f", "id": "call_1", "input": {}, "cache": false },
            ] },
            { "role": "user", "content": [
                { "tool_result": "call_1", "content": [{ "text": "ok" }], "is_error": false, "cache": false },
            ] },
        ]),
    );
    assert_eq!(shown["conversation"]["system"], json!([]), "instructions belong to one request");
    assert_eq!(shown["conversation"]["session"], "s");
    let ids: Vec<_> = shown["keep"].as_array().expect("items").iter().map(|item| &item["type"]).collect();
    assert_eq!(ids, ["message", "reasoning", "message", "function_call", "function_call_output"]);
}

#[test]
fn an_answer_that_does_not_exist_is_not_continued() {
    let body = br#"{"model":"m","input":"x","previous_response_id":"resp_gone"}"#;
    let error = OpenAiResponses::decode(&head(None), body).expect_err("refused");
    assert_eq!((error.path.as_str(), error.code), ("previous_response_id", "invalid_value"));
    assert!(error.message.contains("not found"), "{}", error.message);
}

#[test]
fn a_reference_names_the_answer_that_holds_the_item() {
    let kept = answered(&json!({ "model": "m", "input": "Hello" }), None, vec![ReplyBlock::Text("Hi".into())]);
    let item = kept["response"]["output"][0]["id"].clone();
    let body = json!({ "model": "m", "store": false, "input": [
        { "role": "user", "content": "Hello" },
        { "type": "item_reference", "id": item },
        { "role": "user", "content": "Again" },
    ] })
    .to_string();
    assert_eq!(OpenAiResponses::continues(body.as_bytes()), Some(format!("resp_{REQUEST_ID}")));
    let inbound = OpenAiResponses::decode(&head(Some(kept)), body.as_bytes()).expect("decoded");
    let roles: Vec<_> = inbound.conversation.messages.iter().map(|message| message.role).collect();
    assert_eq!(roles.len(), 3);
    assert_eq!(inbound.keep, None);

    assert_eq!(OpenAiResponses::continues(br#"{"input":[{"type":"item_reference","id":"msg_1"}]}"#), None);
    assert_eq!(OpenAiResponses::continues(br#"{"input":"say \"previous_response_id\""}"#), None);
    assert_eq!(OpenAiResponses::continues(br#"{"previous_response_id":null}"#), None);
}

#[test]
fn kept_answers_are_shown_and_paged() {
    let body = json!({ "model": "m", "input": [
        { "role": "user", "content": "a", "id": "1" }, { "role": "user", "content": "b", "id": "2" },
        { "role": "user", "content": "c", "id": "3" }, { "role": "user", "content": "d" },
    ] });
    let kept = answered(&body, None, vec![ReplyBlock::Text("Hi".into())]);
    let response = OpenAiResponses::stored_response(&kept);
    assert_eq!(response["id"], OpenAiResponses::response_id(REQUEST_ID));
    assert_eq!(response["status"], "completed");
    let own = format!("in_{REQUEST_ID}_3");
    let ids = |page: PageQuery, oldest_first| {
        let list = OpenAiResponses::input_items(&kept, &page, oldest_first);
        let ids: Vec<Value> = list["data"].as_array().expect("items").iter().map(|item| item["id"].clone()).collect();
        assert_eq!(list["object"], "list");
        assert_eq!((ids.first(), ids.last()), (list.get("first_id"), list.get("last_id")));
        (json!(ids), list["has_more"] == true)
    };
    let page = |limit, after: Option<&str>| PageQuery { limit, after: after.map(Into::into), before: None };
    assert_eq!(ids(page(None, None), false), (json!([own, "3", "2", "1"]), false));
    assert_eq!(ids(page(Some(2), None), true), (json!(["1", "2"]), true));
    assert_eq!(ids(page(Some(2), Some("2")), true), (json!(["3", own]), false));
    assert_eq!(OpenAiResponses::input_items(&kept, &page(None, Some("?")), true)["data"], json!([]));
    let deleted = json!({ "id": "resp_1", "object": "response", "deleted": true });
    assert_eq!(OpenAiResponses::deleted("resp_1"), deleted);
}

#[test]
fn a_compaction_stands_for_the_conversation() {
    let body = json!({ "model": "m", "instructions": "Be kind.", "stream": true, "input": [
        { "role": "user", "content": "Hello", "id": "1" },
        { "type": "message", "role": "assistant", "content": [{ "type": "output_text", "text": "Hi" }] },
        { "role": "user", "content": [{ "type": "input_text", "text": "Go on" }] },
    ] });
    let inbound = OpenAiCompaction::decode(&head(None), body.to_string().as_bytes()).expect("decoded");
    assert_eq!((inbound.delivery, &inbound.keep), (Delivery::Whole, &None));
    assert_eq!(inbound.conversation.messages.len(), 4, "the wish for a summary comes last");
    let reply = Reply { blocks: vec![ReplyBlock::Text("We met.".into())], ..Reply::default() };
    let compacted = OpenAiCompaction::encode(&reply, &Echo { input_tokens: Some(9), ..inbound.echo });
    assert_eq!(compacted["object"], "response.compaction");
    assert_eq!(compacted["usage"]["total_tokens"], 9);
    let kinds: Vec<_> = compacted["output"].as_array().expect("items").iter().map(|item| &item["type"]).collect();
    assert_eq!(kinds, ["message", "message", "compaction"]);

    let next = json!({ "model": "m", "input": compacted["output"] });
    let inbound = OpenAiResponses::decode(&head(None), next.to_string().as_bytes()).expect("decoded");
    let shown = support::view::decoded_json(&Ok(inbound));
    let last = &shown["conversation"]["messages"][2]["content"][0]["text"];
    assert!(last.as_str().is_some_and(|text| text.ends_with("We met.")), "{last}");
}

/// What the decoder passes over is not checked by it; what is kept must be whole or not be there.
#[test]
fn a_body_that_is_broken_where_it_does_not_matter_is_kept_whole_or_not_at_all() {
    let body =
        |value: &[u8]| [&br#"{"model":"m","input":[{"role":"user","content":"x","odd":"#[..], value, b"}]}"].concat();
    let decoded = |value: &[u8]| OpenAiResponses::decode(&head(None), &body(value)).expect("decoded");
    let text = decoded(b"\"\x94\"");
    assert_eq!(text.keep.map(|items| items[0]["content"][0]["text"].clone()), Some(json!("x")));
    let number = decoded(b"1e999");
    assert_eq!(number.keep, None);
    assert_eq!(number.echo.repeat.get("store"), Some(&json!(false)));
    assert!(number.notices.iter().any(|notice| notice.code == "answer_not_kept"));
}

#[test]
fn a_continued_compaction_is_not_asked_for_again_and_stands_for_what_came_before() {
    let trigger =
        json!({ "model": "m", "input": [{ "role": "user", "content": "Old" }, { "type": "compaction_trigger" }] });
    let kept = answered(&trigger, None, vec![ReplyBlock::Text("We met.".into())]);
    let body = json!({ "model": "m", "input": "Go on", "previous_response_id": kept["response"]["id"] }).to_string();
    let inbound = OpenAiResponses::decode(&head(Some(kept)), body.as_bytes()).expect("decoded");
    assert!(!inbound.echo.repeat.contains_key("compaction"));
    let shown = support::view::decoded_json(&Ok(inbound));
    let texts: Vec<_> = shown["conversation"]["messages"].as_array().expect("messages").iter().collect();
    assert_eq!(texts.len(), 2);
    assert_eq!(texts[1]["content"][0]["text"], "Go on");
    assert!(texts[0]["content"][0]["text"].as_str().is_some_and(|text| text.ends_with("We met.")));
}

#[test]
fn a_tool_that_an_item_carries_never_refuses_a_request() {
    let odd = json!([{ "type": "image_generation" }, { "type": "function" }, { "type": "function", "name": 7 }, 7]);
    let body = json!({ "model": "m", "input": [
        { "type": "additional_tools", "tools": odd }, { "role": "user", "content": "x" },
    ] });
    let inbound = OpenAiResponses::decode(&head(None), body.to_string().as_bytes()).expect("decoded");
    assert!(inbound.conversation.tools.is_empty());
    assert!(inbound.notices.iter().any(|notice| notice.code == "tool_unreadable"));
}
