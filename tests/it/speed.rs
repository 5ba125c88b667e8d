//! The speed test: every host of the service, on the way of everything or of one account, without any credential.

use http::{Method, StatusCode};
use kiro_simulator::Family;
use serde_json::{Value, json};

use crate::harness::{PATIENCE, Plan, World, fresh_login};
use crate::recorder::Recorder;

async fn measured(world: &World, body: Value) -> Vec<Value> {
    let report = world.admin_ok(Method::POST, "/api/speed-test", Some(body)).await;
    assert_eq!(report["rounds"], 3);
    report["hosts"].as_array().expect("hosts").clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_host_of_the_service_is_measured_three_times_without_a_credential_and_nothing_is_spent() {
    let world = World::start().await;
    let before = world.control.journal().len();
    let hosts = measured(&world, json!({})).await;
    let mut names: Vec<&str> = hosts.iter().map(|host| host["host"].as_str().unwrap()).collect();
    names.sort_unstable();
    let known = [
        "codewhisperer.us-east-1.amazonaws.com",
        "q.eu-central-1.amazonaws.com",
        "q.us-east-1.amazonaws.com",
        "runtime.eu-central-1.kiro.dev",
        "runtime.us-east-1.kiro.dev",
    ];
    assert_eq!(names, known);
    for host in &hosts {
        assert_eq!((&host["answered"], &host["problem"]), (&json!(3), &Value::Null), "{host}");
        assert!(["connectMs", "firstByteMs", "totalMs", "status"].iter().all(|name| host[*name].is_u64()), "{host}");
    }
    // A fresh account is asked for its quota meanwhile; that has another path.
    let asked: Vec<_> =
        world.control.journal().split_off(before).into_iter().filter(|entry| entry.path == "/").collect();
    assert_eq!(asked.len(), 15, "{asked:?}");
    let mut connections: Vec<u64> = asked.iter().map(|entry| entry.connection).collect();
    connections.sort_unstable();
    connections.dedup();
    assert_eq!(connections.len(), 15, "every round connects anew");
    for entry in &asked {
        assert_eq!((entry.method.as_str(), &entry.account), ("GET", &None));
        assert!(known.contains(&entry.host.as_str()), "{}", entry.host);
    }
    assert!(world.flows().await.is_empty() && world.upstream_calls() == 0);
    let usage = world.admin_ok(Method::GET, "/api/usage", None).await;
    assert_eq!(usage["rows"], json!([]));
}

/// A fresh account is asked for its quota and its models without being told to; what comes after that is the test's own doing.
async fn settled(world: &World) {
    let asked = |operation: &str| world.control.journal().iter().any(|entry| entry.operation == operation);
    let both = async {
        while !(asked("GetUsageLimits") && asked("ListAvailableModels")) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, both).await.expect("a fresh account is asked for its quota and its models");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_measured_through_its_own_proxy_and_a_dead_proxy_is_told_for_every_host() {
    let recorder = Recorder::http(None).await;
    let world = Plan::default().accounts(vec![fresh_login("social", Family::Social)]).start().await;
    settled(&world).await;
    let accounts = world.admin_ok(Method::GET, "/api/accounts", None).await;
    let id = accounts["accounts"][0]["id"].as_str().unwrap().to_owned();
    let proxy = |url: String| json!({"proxy": {"kind": "through", "url": url}});
    let path = format!("/api/accounts/{id}");
    world.admin_ok(Method::PATCH, &path, Some(proxy(format!("http://{}", recorder.address)))).await;
    let hosts = measured(&world, json!({"account": id})).await;
    assert!(hosts.iter().all(|host| host["answered"] == 3), "{hosts:?}");
    assert_eq!(recorder.passed().iter().filter(|line| *line == "GET /").count(), 15);

    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    world.admin_ok(Method::PATCH, &path, Some(proxy(format!("http://{nobody}")))).await;
    let before = world.control.journal().len();
    for host in measured(&world, json!({"account": id})).await {
        assert_eq!((&host["answered"], &host["totalMs"]), (&json!(0), &Value::Null), "{host}");
        assert!(host["problem"].as_str().is_some_and(|words| words.contains("cannot be reached")), "{host}");
        assert_eq!(host["problemCode"], "unreachable", "{host}");
    }
    assert_eq!(world.control.journal().len(), before, "nothing went past the proxy");
    let (status, _) = world.admin(Method::POST, "/api/speed-test", Some(json!({"account": "nobody"}))).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let (status, _) = world.admin(Method::POST, "/api/speed-test", Some(json!({"host": "example.com"}))).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "no host of the caller's choice");
}
