//! Which upstream errors are tried again, where, and what the client is told when nothing helps.

use http::{Method, StatusCode};
use kiro_simulator::{Answer, Family, Faults, Script, Target};

use crate::harness::{Plan, World, ask, fresh_login};

fn error(id: &str) -> Script {
    Script { answer: Answer::Error(id.to_owned()), ..Script::default() }
}

async fn two_accounts() -> World {
    Plan::default().accounts(vec![fresh_login("social", Family::Social), fresh_login("idc", Family::Idc)]).start().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_connection_before_the_answer_is_tried_again() {
    let world = World::start().await;
    world
        .control
        .enqueue(Target::Any, Script { faults: Faults { refuse: true, ..Faults::default() }, ..Script::default() });
    let (status, reply) = world.send(&ask("SAY: second time")).await;
    assert_eq!(status, StatusCode::OK, "{reply}");
    assert_eq!(reply["content"][0]["text"], "second time");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_error_is_tried_again() {
    let world = World::start().await;
    world.control.enqueue(
        Target::Any,
        Script {
            answer: Answer::Http { status: 503, headers: vec![], body: r#"{"message":"busy","reason":null}"#.into() },
            ..Script::default()
        },
    );
    let (status, reply) = world.send(&ask("SAY: second time")).await;
    assert_eq!(status, StatusCode::OK, "{reply}");
    let flow = world.flows().await.remove(0);
    assert_eq!(flow["attempts"].as_array().map(Vec::len), Some(2), "{flow}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_answer_is_asked_again() {
    let world = World::start().await;
    world
        .control
        .enqueue(Target::Any, Script { answer: Answer::Scenario("empty-success".into()), ..Script::default() });
    let stream = world.stream(&ask("SAY: now with words")).await;
    assert_eq!(stream.text(), "now with words", "{}", stream.body);
    assert!(stream.complete());
    assert_eq!(world.upstream_calls(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_over_its_quota_is_left_for_another() {
    let world = two_accounts().await;
    world.control.set_credits_used("social", 1000.0);
    for _ in 0..4 {
        let (status, reply) = world.send(&ask("SAY: hello")).await;
        assert_eq!(status, StatusCode::OK, "{reply}");
    }
    let refused =
        world.control.journal().iter().filter(|e| e.account.as_deref() == Some("social") && e.status == 402).count();
    assert!(refused <= 1, "an exhausted account is not asked again: {refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_account_is_left_for_another_and_shown_as_suspended() {
    let world = two_accounts().await;
    world.control.suspend("social", true);
    for _ in 0..4 {
        let (status, reply) = world.send(&ask("SAY: hello")).await;
        assert_eq!(status, StatusCode::OK, "{reply}");
    }
    let calls: Vec<_> = world
        .control
        .journal()
        .into_iter()
        .filter(|e| e.account.as_deref() == Some("social") && e.status == 403)
        .collect();
    assert!(calls.len() <= 1, "a suspended account is not asked again");
    if !calls.is_empty() {
        let accounts = world.admin_ok(Method::GET, "/api/accounts", None).await;
        let states: Vec<&str> =
            accounts["accounts"].as_array().unwrap().iter().filter_map(|a| a["state"]["kind"].as_str()).collect();
        assert!(states.contains(&"suspended"), "{states:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_request_is_not_tried_on_another_account() {
    let world = two_accounts().await;
    world.control.enqueue(Target::Any, error("improperly-formed"));
    let (status, reply) = world.send(&ask("hello")).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{reply}");
    assert_eq!(reply["error"]["type"], "invalid_request_error");
    assert_eq!(world.upstream_calls(), 1, "the fault is the request's");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prompt_that_is_too_long_is_told_in_the_words_that_make_clients_compact() {
    let world = World::start().await;
    for id in ["content-length", "prompt-too-long", "input-too-long-no-reason"] {
        world.control.enqueue(Target::Any, error(id));
        let (status, reply) = world.send(&ask("hello")).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{id}: {reply}");
        assert_eq!(reply["error"]["type"], "invalid_request_error", "{id}");
        assert!(
            reply["error"]["message"].as_str().is_some_and(|m| m.starts_with("prompt is too long")),
            "{id}: {reply}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn throttling_everywhere_becomes_a_rate_limit_with_a_time_clients_obey() {
    let world = World::start().await;
    for _ in 0..8 {
        world.control.enqueue(
            Target::Any,
            Script {
                answer: Answer::Http {
                    status: 429,
                    headers: vec![("x-amzn-errortype".into(), "ThrottlingException".into())],
                    body: r#"{"message":"Too many requests.","reason":null}"#.into(),
                },
                ..Script::default()
            },
        );
    }
    let answer = world.request(&ask("hello")).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
    let wait: u64 = answer.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}: Claude Code gives up above 60");
    let body: serde_json::Value = answer.json().await.unwrap();
    assert_eq!(body["error"]["type"], "rate_limit_error");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_known_upstream_error_becomes_an_error_of_the_clients_protocol() {
    let ids = World::start().await.control.error_ids();
    assert!(ids.len() > 20, "the catalogue is there");
    for id in ids {
        let world = Plan::default().set("limits.retries", 0).start().await;
        // As many as one request may meet: on every host, with the first token and with another one.
        for _ in 0..8 {
            world.control.enqueue(Target::Any, error(&id));
        }
        let (status, reply) = world.send(&ask("hello")).await;
        assert_eq!(reply["type"], "error", "{id}: {status} {reply}");
        assert!(status.is_client_error() || status.is_server_error(), "{id}: {status}");
        assert!(reply["error"]["message"].as_str().is_some_and(|m| !m.is_empty()), "{id}: {reply}");
        assert!(!reply.to_string().contains("EXAMPLE-"), "{id} shows a credential: {reply}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_is_not_there_is_an_error_and_not_a_hang() {
    let world = Plan::default().set("limits.retries", 0).start().await;
    world.control.refuse_connections(true);
    let (status, reply) = world.send(&ask("hello")).await;
    assert!(matches!(status.as_u16(), 502 | 503 | 529), "{status} {reply}");
    assert_eq!(reply["type"], "error");
    world.control.refuse_connections(false);
}
