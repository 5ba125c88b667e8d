//! Web search that the gateway runs: through the real tool server of the stand-in, shown as each protocol shows searches.

use http::StatusCode;
use kiro_simulator::{Answer, Family, Script, Target};
use serde_json::{Value, json};

use crate::harness::{Plan, World, ask, fresh_login};

const QUESTION: &str = "Search the web for rust news. Then answer.";

fn with_search(more: &Value) -> Value {
    let mut tool = json!({"type": "web_search_20250305", "name": "web_search"});
    for (key, value) in more.as_object().expect("an object") {
        tool[key] = value.clone();
    }
    let mut body = ask(QUESTION);
    body["tools"] = json!([tool]);
    body
}

/// What the tool server was asked: each call's query.
fn searched(world: &World) -> Vec<String> {
    let calls = world.control.journal().into_iter().filter(|entry| entry.operation == "InvokeMCP");
    calls.map(|entry| entry.body["params"]["arguments"]["query"].as_str().unwrap_or_default().to_owned()).collect()
}

fn kinds(reply: &Value) -> Vec<&str> {
    reply["content"].as_array().expect("blocks").iter().filter_map(|block| block["type"].as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_is_run_and_shown_in_a_reply_and_in_a_stream() {
    let world = World::start().await;
    let (status, reply) = world.send(&with_search(&json!({}))).await;
    assert_eq!(status, StatusCode::OK, "{reply}");
    assert_eq!(kinds(&reply), ["server_tool_use", "web_search_tool_result", "text"], "{reply}");
    assert_eq!(reply["content"][0]["input"]["query"], "rust news");
    assert_eq!(reply["content"][1]["tool_use_id"], reply["content"][0]["id"]);
    assert_eq!(reply["content"][1]["content"][0]["url"], "https://example.com/a");
    assert_eq!(reply["stop_reason"], "end_turn");
    assert_eq!(reply["usage"]["server_tool_use"]["web_search_requests"], 1);
    let text = reply["content"][2]["text"].as_str().expect("text");
    assert!(text.contains("Simulated result for rust news"), "the model read what was found: {text}");

    let stream = world.stream(&with_search(&json!({}))).await;
    assert!(stream.complete(), "{}", stream.body);
    assert_eq!((stream.text().as_str(), stream.stop_reason()), (text, Some("end_turn")));
    assert_eq!(stream.tool_calls(), []);
    assert_eq!(searched(&world), ["rust news", "rust news"]);
    world.assert_no_violations();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_record_tells_the_searches_and_what_all_rounds_cost() {
    let world = World::start().await;
    world.send(&with_search(&json!({}))).await;
    let flow = world.flows().await.remove(0);
    let operations: Vec<_> = flow["attempts"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|attempt| attempt["operation"].as_str().expect("one"))
        .collect();
    assert_eq!(operations, ["answer", "search", "answer"], "{flow}");
    assert_eq!((&flow["usage"]["webSearches"], &flow["outcome"]), (&json!(1), &json!("complete")));
    let account =
        world.control.accounts().into_iter().find(|account| account.requests > 0).expect("the account that answered");
    let told = flow["usage"]["credits"].as_f64().expect("credits");
    assert!((told - account.credits_used).abs() < 1e-9, "{told} told, {} charged", account.credits_used);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_account_searches_by_its_own_profile_and_host() {
    let families = [
        ("social", Family::Social),
        ("builderid", Family::BuilderId),
        ("idc", Family::Idc),
        ("entra", Family::ExternalIdp),
        ("apikey", Family::ApiKey),
    ];
    for (id, family) in families {
        let world = Plan::default().accounts(vec![fresh_login(id, family)]).start().await;
        let (status, reply) = world.send(&with_search(&json!({}))).await;
        assert_eq!(status, StatusCode::OK, "{id}: {reply}");
        assert_eq!(kinds(&reply), ["server_tool_use", "web_search_tool_result", "text"], "{id}: {reply}");
        assert_eq!(reply["usage"]["server_tool_use"]["web_search_requests"], 1, "{id}: {reply}");
        world.assert_no_violations();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_that_fails_is_told_and_never_ends_the_answer() {
    let world = World::start().await;
    let http = |status: u16, body: &str| Answer::Http { status, headers: Vec::new(), body: body.to_owned() };
    for (answers, code) in [
        (vec![Answer::ToolFailed("not in this region".into()); 3], "unavailable"),
        (vec![Answer::RpcError(-32000); 3], "unavailable"),
        (vec![http(403, r#"{"message":"User is not authorized to make this call."}"#); 3], "unavailable"),
        (vec![http(429, r#"{"message":"Too many requests","__type":"ThrottlingException"}"#); 1], "too_many_requests"),
        (vec![http(200, "<html>"); 4], "unavailable"),
    ] {
        for answer in answers.clone() {
            let script = Script { operation: "InvokeMCP".to_owned(), answer, ..Script::default() };
            world.control.enqueue(Target::Any, script);
        }
        let (status, reply) = world.send(&with_search(&json!({}))).await;
        assert_eq!(status, StatusCode::OK, "{answers:?}: {reply}");
        assert_eq!(reply["content"][1]["content"]["error_code"], code, "{answers:?}: {reply}");
        assert_eq!(reply["stop_reason"], "end_turn");
        assert!(reply["content"][2]["text"].as_str().is_some_and(|text| !text.is_empty()), "{reply}");
        world.control.reset();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn domains_that_the_client_does_not_want_are_not_shown() {
    let world = World::start().await;
    for (lists, urls) in [
        (json!({"allowed_domains": ["example.org"]}), vec!["https://example.org/b"]),
        (json!({"blocked_domains": ["example.org"]}), vec!["https://example.com/a"]),
    ] {
        let (_, reply) = world.send(&with_search(&lists)).await;
        let found: Vec<_> = reply["content"][1]["content"]
            .as_array()
            .expect("results")
            .iter()
            .map(|hit| hit["url"].as_str().expect("one"))
            .collect();
        assert_eq!(found, urls, "{reply}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn switched_off_the_search_is_not_offered() {
    let world = Plan::default().set("tools.webSearch", false).start().await;
    let (status, reply) = world.send(&with_search(&json!({}))).await;
    assert_eq!((status, kinds(&reply)), (StatusCode::OK, vec!["text"]), "{reply}");
    assert_eq!(searched(&world), Vec::<String>::new());
    let flow = world.flows().await.remove(0);
    assert!(
        flow["notices"].as_array().expect("a list").iter().any(|notice| notice["code"] == "web_search_off"),
        "{flow}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_of_the_client_that_bears_the_name_stays_the_clients() {
    let world = World::start().await;
    let mut body = with_search(&json!({}));
    let own = json!({"name": "web_search", "description": "the client's own", "input_schema": {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}});
    body["tools"] = json!([own]);
    let (_, reply) = world.send(&body).await;
    assert_eq!((kinds(&reply), &reply["stop_reason"]), (vec!["tool_use"], &json!("tool_use")), "{reply}");
    assert_eq!(searched(&world), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_other_protocols_show_the_search_in_their_own_way() {
    let world = World::start().await;
    let post = async |path: &str, body: Value| -> Value {
        let request = world.http.post(format!("{}{path}", world.url)).bearer_auth(&world.key).json(&body);
        let answer = request.send().await.expect("an answer");
        let status = answer.status();
        let body: Value = answer.json().await.expect("JSON");
        assert!(status.is_success(), "{path}: {body}");
        body
    };
    let model = "claude-sonnet-4-5";

    let reply =
        post("/v1/responses", json!({"model": model, "input": QUESTION, "tools": [{"type": "web_search"}]})).await;
    let kinds: Vec<_> =
        reply["output"].as_array().expect("items").iter().filter_map(|item| item["type"].as_str()).collect();
    assert_eq!(kinds, ["web_search_call", "message"], "{reply}");

    let contents = json!([{"role": "user", "parts": [{"text": QUESTION}]}]);
    let path = format!("/v1beta/models/{model}:generateContent");
    let reply = post(&path, json!({"contents": contents, "tools": [{"googleSearch": {}}]})).await;
    let grounding = &reply["candidates"][0]["groundingMetadata"];
    assert_eq!(grounding["webSearchQueries"], json!(["rust news"]), "{reply}");

    let messages = json!([{"role": "user", "content": QUESTION}]);
    let reply =
        post("/v1/chat/completions", json!({"model": model, "messages": messages, "web_search_options": {}})).await;
    let message = &reply["choices"][0]["message"];
    assert!(message["content"].as_str().is_some_and(|text| text.contains("Simulated result")), "{reply}");
    assert_eq!(reply["choices"][0]["finish_reason"], "stop", "{reply}");
    assert_eq!(searched(&world).len(), 3);
    world.assert_no_violations();
}
