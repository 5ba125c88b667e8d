//! Stopping: running answers finish, then the door is shut; what does not finish in time ends with an error, never with an end marker.

use http::{Method, StatusCode};
use kiro_simulator::{Answer, Faults, Script, Stall, Target};
use serde_json::json;

use crate::harness::{Plan, Stream, World, ask, eventually};

fn paused(world: &World) {
    let faults = Faults { stall: vec![Stall { at: 400, for_ms: None }], ..Faults::default() };
    let script = Script {
        answer: Answer::Text("begun before the stop and finished after it".into()),
        faults,
        ..Script::default()
    };
    world.control.enqueue(Target::Any, script);
}

/// A streamed request whose answer has begun.
async fn begun(world: &World) -> tokio::task::JoinHandle<Stream> {
    let mut body = ask("go");
    body["stream"] = true.into();
    let answer = world.request(&body).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let reading = tokio::spawn(Stream::read(answer));
    eventually("the upstream is asked", || world.upstream_calls() == 1).await;
    reading
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_lets_a_running_answer_finish_and_refuses_new_connections() {
    let world = World::start().await;
    paused(&world);
    let reading = begun(&world).await;
    let gateway = world.gateway.clone();
    let stopping = tokio::spawn(async move { gateway.stop().await });
    let authority = world.url.strip_prefix("http://").unwrap().to_owned();
    let refused = async {
        while tokio::net::TcpStream::connect(&authority).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(crate::harness::PATIENCE, refused).await.expect("the door is shut while the answer runs");
    assert!(!stopping.is_finished(), "the stop waits for the running answer");
    world.control.release();
    let stream = reading.await.unwrap();
    assert!(stream.complete(), "{}", stream.body);
    assert_eq!(stream.text(), "begun before the stop and finished after it");
    tokio::time::timeout(crate::harness::PATIENCE, stopping).await.expect("stopped").unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_outlives_the_drain_time_ends_with_an_error() {
    let world = Plan::default().set("listener.drainSeconds", 0).start().await;
    paused(&world);
    let reading = begun(&world).await;
    tokio::time::timeout(crate::harness::PATIENCE, world.gateway.stop()).await.expect("stopped");
    let stream = reading.await.unwrap();
    assert!(!stream.complete(), "a cut answer must not look finished: {}", stream.body);
    assert!(stream.error().is_some() || !stream.clean, "{}", stream.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_the_listener_frees_the_port_and_starting_takes_it_again() {
    let mut world = World::start().await;
    let (status, _) = world.admin(Method::POST, "/api/listener", Some(json!({"listening": false}))).await;
    assert_eq!(status, StatusCode::OK);
    assert!(world.http.get(format!("{}/health", world.url)).send().await.is_err(), "nobody listens");
    world.listen().await;
    let (status, _) = world.send(&ask("SAY: again")).await;
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_gateway_releases_the_data_directory() {
    let mut world = World::start().await;
    world.restart(|_| {}).await.expect("the lock is free");
}
