//! The loopback callback with real sockets: it answers once, closes within a second, and nobody else moves the sign-in.

use std::time::Duration;

use http::Method;
use kiro_simulator::{Faults, Script, Target};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::harness::{World, eventually, raw, raw_status, read_to_end};
use crate::login::{begin, end, look, parameter, path, plan, port, pressing, until, visit};

fn builder() -> serde_json::Value {
    json!({"kind": "builderId", "form": "browser"})
}

fn exchanges(world: &World) -> usize {
    world.control.journal().iter().filter(|entry| entry.operation == "CreateToken").count()
}

/// What a browser sends for this address.
fn request(url: &str) -> String {
    let url = reqwest::Url::parse(url).expect("a URL");
    let query = url.query().expect("a query");
    let host = format!("{}:{}", url.host_str().expect("a host"), url.port().expect("a port"));
    format!("GET {}?{query} HTTP/1.1\r\nhost: {host}\r\n\r\n", url.path())
}

/// The service has the code and does not answer before it is told to.
fn hold_the_exchange(world: &World) {
    let faults = Faults { hold_after: true, ..Faults::default() };
    world.control.enqueue(Target::Any, Script { operation: "CreateToken".into(), faults, ..Script::default() });
}

#[tokio::test(flavor = "multi_thread")]
async fn the_door_closes_within_a_second_of_its_one_answer_whoever_holds_connections_open() {
    let world = plan().start().await;
    let mut slowest = Duration::ZERO;
    for _ in 0..5 {
        let login = begin(&world, builder()).await;
        let back = visit(&pressing(&login, "")).await.location.expect("a redirect");
        let at = ("127.0.0.1", port(&login));
        let mut silent = TcpStream::connect(at).await.expect("connects");
        let mut halfway = TcpStream::connect(at).await.expect("connects");
        halfway.write_all(b"GET /oauth/callb").await.expect("written");
        let answer = raw(&format!("http://127.0.0.1:{}", at.1), request(&back).as_bytes()).await;
        assert_eq!(raw_status(&answer), 200, "{answer}");
        let answered = Instant::now();
        let refused = async {
            let mut tick = tokio::time::interval(Duration::from_millis(2));
            while TcpStream::connect(at).await.is_ok() {
                tick.tick().await;
            }
        };
        refused.await;
        for held in [&mut silent, &mut halfway] {
            let mut rest = [0; 64];
            while held.read(&mut rest).await.is_ok_and(|read| read > 0) {}
        }
        slowest = slowest.max(answered.elapsed());
        assert_eq!(end(&world, &login).await["state"], "done");
    }
    println!("slowest close: {slowest:?}");
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_callback_sent_again_finds_nobody_and_has_no_second_effect() {
    let world = plan().start().await;
    hold_the_exchange(&world);
    let login = begin(&world, builder()).await;
    let back = visit(&pressing(&login, "")).await.location.expect("a redirect");
    let mut streams = Vec::new();
    for _ in 0..8 {
        streams.push(TcpStream::connect(("127.0.0.1", port(&login))).await.expect("connects"));
    }
    // All at once, and once more on a connection that was open before.
    let mut last = streams.pop().expect("one");
    let sent = request(&back);
    let all = streams.iter_mut().map(|stream| async {
        let _ = stream.write_all(sent.as_bytes()).await;
        read_to_end(stream).await
    });
    let answers = futures_util::future::join_all(all).await;
    let _ = last.write_all(sent.as_bytes()).await;
    let late = read_to_end(&mut last).await;
    let received = answers.iter().filter(|answer| raw_status(answer) == 200).count();
    assert_eq!(received, 1, "{answers:?}");
    for answer in answers.iter().chain([&late]).filter(|answer| raw_status(answer) != 200) {
        assert!(matches!(raw_status(answer), 0 | 404), "cut or nobody's: {answer}");
    }
    until(&world, &login, "the exchange", |now| now["state"] == "exchanging").await;
    assert!(TcpStream::connect(("127.0.0.1", port(&login))).await.is_err(), "closed while the exchange is under way");
    world.control.release();
    assert_eq!(end(&world, &login).await["state"], "done");
    assert_eq!(exchanges(&world), 1, "one code, one exchange");
    let accounts = world.admin_ok(Method::GET, "/api/accounts", None).await;
    assert_eq!(accounts["accounts"].as_array().map(Vec::len), Some(1));
    world.assert_no_violations();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callback_with_a_wrong_state_before_the_right_one_cancels_nothing() {
    let world = plan().start().await;
    let login = begin(&world, builder()).await;
    let back = visit(&pressing(&login, "")).await.location.expect("a redirect");
    let state = parameter(&back, "state");
    for (old, new) in [(state.as_str(), "another"), (&state, ""), ("code=", "error=access_denied&was=")] {
        let mut wrong = back.replace(old, new);
        if old == "code=" {
            wrong = wrong.replace(&state, "another");
        }
        assert_eq!(visit(&wrong).await.status, 404, "{new}");
        assert_eq!(look(&world, &login).await["state"], "waiting", "{new}");
    }
    assert_eq!(exchanges(&world), 0, "a foreign code goes nowhere");
    assert_eq!(visit(&back).await.status, 200);
    assert_eq!(end(&world, &login).await["state"], "done");
    world.assert_no_violations();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_between_the_answer_and_the_tokens_adds_no_account() {
    let world = plan().start().await;
    hold_the_exchange(&world);
    let login = begin(&world, builder()).await;
    let back = visit(&pressing(&login, "")).await.location.expect("a redirect");
    assert_eq!(visit(&back).await.status, 200);
    eventually("the service has the code", || exchanges(&world) == 1).await;
    assert_eq!(look(&world, &login).await["state"], "exchanging");
    assert_eq!(world.admin_ok(Method::DELETE, &path(&login), None).await["state"], "cancelled");
    world.control.release();
    let login = begin(&world, json!({"kind": "builderId", "form": "device"})).await;
    assert_eq!(end(&world, &login).await["state"], "done", "the next one is not disturbed");
    let accounts = world.admin_ok(Method::GET, "/api/accounts", None).await;
    assert_eq!(accounts["accounts"].as_array().map(Vec::len), Some(1), "{accounts}");
}
