//! A client that leaves takes its upstream call with it, and leaves the account free.

use http::StatusCode;
use kiro_simulator::{Answer, Ended, Faults, Script, Stall, Target};

use crate::harness::{World, ask, eventually};

/// An answer that stands still after its first words.
fn stalled(at: i64) -> Script {
    let faults = Faults { stall: vec![Stall { at, for_ms: None }], ..Faults::default() };
    Script { answer: Answer::Text("some words and then nothing for a long time".into()), faults, ..Script::default() }
}

fn left(world: &World) -> bool {
    world
        .control
        .journal()
        .iter()
        .any(|entry| entry.operation == "GenerateAssistantResponse" && entry.ended == Ended::CallerLeft)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_a_stream_ends_the_upstream_call() {
    use futures_util::StreamExt as _;
    let world = World::start().await;
    world.control.enqueue(Target::Any, stalled(400));
    let mut body = ask("go");
    body["stream"] = true.into();
    let answer = world.request(&body).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let mut pieces = answer.bytes_stream();
    pieces.next().await.expect("the answer began").unwrap();
    drop(pieces);
    eventually("the upstream sees the caller leave", || left(&world)).await;
    eventually("the request is over", || world.gateway.status().in_flight == 0).await;
    let (status, _) = world.send(&ask("SAY: the account is free")).await;
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_before_the_reply_ends_the_upstream_call() {
    let world = World::start().await;
    world.control.enqueue(Target::Any, stalled(400));
    let waiting = tokio::spawn(world.request(&ask("go")).send());
    eventually("the upstream is asked", || world.upstream_calls() == 1).await;
    waiting.abort();
    eventually("the upstream sees the caller leave", || left(&world)).await;
    eventually("the request is over", || world.gateway.status().in_flight == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_while_the_upstream_has_not_answered_ends_the_call() {
    let world = World::start().await;
    let faults = Faults { first_byte_after_ms: 60_000, ..Faults::default() };
    world.control.enqueue(Target::Any, Script { faults, ..Script::default() });
    let mut body = ask("go");
    body["stream"] = true.into();
    let waiting = tokio::spawn(world.request(&body).send());
    eventually("the upstream is asked", || world.upstream_calls() == 1).await;
    waiting.abort();
    // Headers may have come already, then the answer is in the aborted task's hands; both ways it is dropped.
    let _ = waiting.await;
    eventually("the upstream sees the caller leave", || left(&world)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_left_request_is_on_record_as_such() {
    let world = World::start().await;
    world.control.enqueue(Target::Any, stalled(400));
    let waiting = tokio::spawn(world.request(&ask("go")).send());
    eventually("the upstream is asked", || world.upstream_calls() == 1).await;
    waiting.abort();
    eventually("the upstream sees the caller leave", || left(&world)).await;
    let mut flow = None;
    for _ in 0..100 {
        flow = world.flows().await.into_iter().next();
        if flow.is_some() {
            break;
        }
        tokio::task::yield_now().await;
    }
    let flow = flow.expect("a record");
    assert_ne!(flow["outcome"], "completed", "{flow}");
}
