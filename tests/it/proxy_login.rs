//! The login at the proxy of the settings: kept where secrets are, for one address, and nothing goes past the proxy without it.

use http::{Method, StatusCode};
use kiro_simulator::{Config, Family, Simulator};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

use crate::harness::{PATIENCE, Plan, World, ask, fresh_login};
use crate::home::{Home, text};
use crate::recorder::Recorder;
use crate::refresh::vault_key;

const LOGIN: &str = "/api/network/proxy/login";

/// A world whose every call goes through this proxy.
async fn behind(proxy: &Recorder) -> World {
    let plan = Plan { listen: false, ..Plan::default() }.accounts(vec![fresh_login("social", Family::Social)]);
    let world = plan.options(|options| options.store = vault_key()).start().await;
    point(&world, &format!("http://{}", proxy.address)).await;
    world
}

/// Changes the setting, as the window does.
async fn point(world: &World, address: &str) {
    let revision = world.admin_ok(Method::GET, "/api/settings", None).await["revision"].clone();
    let body = json!({"revision": revision, "patch": {"network": {"proxy": address}}});
    world.admin_ok(Method::PATCH, "/api/settings", Some(body)).await;
    crate::harness::eventually_async("the proxy is taken over", async || {
        let shown = world.admin_ok(Method::GET, "/api/network/proxy", None).await;
        shown["address"].as_str() == Some(address)
    })
    .await;
}

async fn test(world: &World) -> Value {
    world.admin_ok(Method::POST, "/api/network/proxy/test", None).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_is_kept_in_the_store_used_for_every_call_and_never_shown() {
    let proxy = Recorder::http(Some("alice:pass:wo rd")).await;
    let mut world = behind(&proxy).await;
    let shown = world.admin_ok(Method::GET, "/api/network/proxy", None).await;
    assert_eq!(shown["login"], "none", "{shown}");
    let refused = test(&world).await;
    assert_eq!(refused["ok"], false, "{refused}");
    assert_eq!(proxy.passed(), Vec::<String>::new(), "nothing goes past it");

    let body = json!({"user": "alice", "password": "pass:wo rd"});
    let shown = world.admin_ok(Method::PUT, LOGIN, Some(body)).await;
    assert_eq!(shown["login"], "stored", "{shown}");
    assert!(!shown.to_string().contains("alice") && !shown.to_string().contains("wo rd"), "{shown}");
    let tried = test(&world).await;
    assert_eq!(tried["ok"], true, "{tried}");
    world.listen().await;
    let (status, reply) = world.send(&ask("SAY: through it")).await;
    assert_eq!(status, StatusCode::OK, "{reply}");
    assert!(proxy.passed().len() > 1, "{:?}", proxy.passed());
    let settings = std::fs::read_to_string(world.data_dir().join("settings.json")).expect("reads");
    assert!(!settings.contains("alice") && !settings.contains("wo rd"), "{settings}");

    world.restart(|_| {}).await.expect("opens");
    assert_eq!(test(&world).await["ok"], true, "it is there after a restart");
    let shown = world.admin_ok(Method::DELETE, LOGIN, None).await;
    assert_eq!(shown["login"], "none", "{shown}");
    assert_eq!(test(&world).await["ok"], false, "and gone when it is forgotten");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_does_not_go_along_to_another_proxy() {
    let first = Recorder::http(Some("alice:secret")).await;
    let other = Recorder::http(Some("alice:secret")).await;
    let world = behind(&first).await;
    world.admin_ok(Method::PUT, LOGIN, Some(json!({"user": "alice", "password": "secret"}))).await;
    assert_eq!(test(&world).await["ok"], true);
    point(&world, &format!("http://{}", other.address)).await;
    let shown = world.admin_ok(Method::GET, "/api/network/proxy", None).await;
    assert_eq!(shown["login"], "none", "{shown}");
    crate::harness::eventually_async("the other proxy asks for a login", async || {
        test(&world).await["problem"]["message"].to_string().contains("user name and password")
    })
    .await;
    assert_eq!(other.passed(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_store_cannot_be_read_nothing_is_sent() {
    let proxy = Recorder::http(None).await;
    let world = behind(&proxy).await;
    world.admin_ok(Method::PUT, LOGIN, Some(json!({"user": "alice", "password": "secret"}))).await;
    world.admin_ok(Method::POST, "/api/vault/lock", None).await;
    let shown = world.admin_ok(Method::GET, "/api/network/proxy", None).await;
    assert_eq!(shown["login"], "unreadable", "{shown}");
    let tried = test(&world).await;
    assert!(tried["problem"]["message"].to_string().contains("cannot be read"), "{tried}");
    assert_eq!(proxy.passed(), Vec::<String>::new(), "not even without a login");
    let (status, problem) = world.admin(Method::PUT, LOGIN, Some(json!({"user": "a", "password": "b"}))).await;
    assert_eq!((status, &problem["code"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("store_unavailable")), "{problem}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_without_a_proxy_or_with_a_wrong_user_name_is_refused() {
    let world = Plan { listen: false, ..Plan::default() }.start().await;
    let (status, problem) = world.admin(Method::PUT, LOGIN, Some(json!({"user": "a", "password": "planted"}))).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
    assert!(problem["fields"]["network.proxy"].is_object() && !problem.to_string().contains("planted"), "{problem}");
    let proxy = Recorder::http(None).await;
    point(&world, &format!("http://{}", proxy.address)).await;
    for user in ["", "a:b", &"x".repeat(256)] {
        let body = json!({"user": user, "password": "planted"});
        let (status, problem) = world.admin(Method::PUT, LOGIN, Some(body)).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
        assert!(problem["fields"]["user"].is_object() && !problem.to_string().contains("planted"), "{problem}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_asks_for_the_login_and_says_whether_there_is_one() {
    let simulator = Simulator::start(Config::default()).await.expect("starts");
    let proxy = Recorder::http(Some("alice:secret")).await;
    let home = Home::new().upstream(&simulator.url());
    let run = async |action: &str, input: &str| {
        let mut command = home.command(&["proxy", action, "--json"]);
        command.env("KIRO_PROXY__NETWORK__PROXY", format!("http://{}", proxy.address));
        let mut child = command.stdin(std::process::Stdio::piped()).spawn().expect("starts");
        let mut stdin = child.stdin.take().expect("piped");
        let _ = stdin.write_all(input.as_bytes()).await;
        drop(stdin);
        let output = tokio::time::timeout(PATIENCE, child.wait_with_output()).await.expect("ends").expect("ends");
        let said = format!("{}{}", text(&output.stdout), text(&output.stderr));
        assert!(!said.contains("secret"), "{said}");
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("no JSON: {said}"));
        (output.status.success(), answer)
    };
    assert_eq!(run("show", "").await.1["login"], "none");
    assert!(!run("test", "").await.0, "the proxy asks for a login");
    let (done, shown) = run("login", "alice:secret\n").await;
    assert!(done && shown["login"] == "stored", "{shown}");
    let (done, tried) = run("test", "").await;
    assert!(done && tried["ok"] == true, "{tried}");
    assert_eq!(run("logout", "").await.1["login"], "none");
}
