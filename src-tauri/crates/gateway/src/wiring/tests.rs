//! The whole gateway, opened and closed: the data directory, the door, the admin API.

use super::*;
use crate::http::holder;
use crate::options::{LogChoice, Override, OverrideSource};
use crate::{FlowOutcome, ListenerState, LocalDoor, OpenError, Options, StoreChoice};
use axum::body::Body;
use axum::http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tower::ServiceExt as _;

fn options(dir: &Path, overrides: &[(&str, &str)]) -> Options {
    let overrides = overrides
        .iter()
        .map(|(path, value)| Override {
            path: (*path).into(),
            value: (*value).into(),
            source: OverrideSource::Flag,
            variable: None,
        })
        .collect();
    Options {
        data_dir: Some(dir.join("data")),
        store: StoreChoice::Memory,
        log: LogChoice::Off,
        // Nothing listens there: what should not be sent cannot be sent.
        endpoints: Some("http://127.0.0.1:9".parse().expect("a URL")),
        overrides,
        ..Options::default()
    }
}

async fn call(gateway: &Gateway, method: &str, path: &str, body: Option<Value>) -> (StatusCode, Value) {
    let mut request = Request::builder().method(method).uri(path);
    if body.is_some() {
        request = request.header("content-type", "application/json");
    }
    let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
    let answer = gateway.admin_router().oneshot(request.body(body).expect("a request")).await.expect("answered");
    let status = answer.status();
    let bytes = answer.into_body().collect().await.expect("whole").to_bytes();
    (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}

/// One request on a connection of its own; the answer as text.
async fn raw(port: u16, request: &str) -> String {
    let mut stream = tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.expect("connected");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = Vec::new();
    // A refused body may end in a reset; what was said before it counts.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).expect("text")
}

async fn key(gateway: &Gateway) -> String {
    let (_, keys) = call(gateway, "GET", "/api/keys", None).await;
    let id = keys["keys"][0]["id"].as_str().expect("a first key").to_owned();
    let (_, revealed) = call(gateway, "POST", &format!("/api/keys/{id}/reveal"), None).await;
    revealed["secret"].as_str().expect("its text").to_owned()
}

#[tokio::test]
async fn a_data_directory_has_one_owner_until_it_stops() {
    let root = tempfile::tempdir().expect("a folder");
    let first = Gateway::open(options(root.path(), &[])).await.expect("opened");
    match Gateway::open(options(root.path(), &[])).await {
        Err(OpenError::Locked { holder, .. }) => assert_eq!(holder, Some(std::process::id())),
        other => panic!("{other:?}"),
    }
    first.stop().await;
    Gateway::open(options(root.path(), &[])).await.expect("opened again").stop().await;
}

#[tokio::test]
async fn a_taken_port_is_named_with_its_holder_and_a_better_one_opens_the_door() {
    let root = tempfile::tempdir().expect("a folder");
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let port = taken.local_addr().expect("bound").port();
    let gateway = Gateway::open(options(root.path(), &[])).await.expect("opened");
    let patch = json!({ "revision": 0, "patch": { "listener": { "port": port } } });
    assert_eq!(call(&gateway, "PATCH", "/api/settings", Some(patch)).await.0, StatusCode::OK);
    let (status, problem) = call(&gateway, "POST", "/api/listener", Some(json!({ "listening": true }))).await;
    assert_eq!((status, problem["code"].as_str()), (StatusCode::CONFLICT, Some("port_in_use")));
    if cfg!(target_os = "linux") {
        assert_eq!(problem["params"]["pid"], std::process::id().to_string());
    }
    assert_eq!(gateway.status().state, ListenerState::Failed);

    let mut events = gateway.events();
    let free = holder::next_free(port.saturating_add(1)).expect("a free port");
    let patch = json!({ "revision": 1, "patch": { "listener": { "port": free } } });
    assert_eq!(call(&gateway, "PATCH", "/api/settings", Some(patch)).await.0, StatusCode::OK);
    loop {
        if let AdminEvent::Status { status } = events.recv().await.expect("told")
            && status.state == ListenerState::Running
        {
            assert_eq!((status.port, status.problem), (free, None));
            break;
        }
    }
    gateway.stop().await;
}

#[tokio::test]
async fn strangers_are_refused_in_the_order_that_costs_least() {
    let root = tempfile::tempdir().expect("a folder");
    let gateway = Gateway::open(options(root.path(), &[("listener.port", "0")])).await.expect("opened");
    let status = gateway.set_listening(true).await.expect("listening");
    let (port, key) = (status.port, key(&gateway).await);
    let post = |head: &str| format!("POST /v1/messages HTTP/1.1\r\n{head}Content-Length: 1000000000\r\n\r\n");
    let own = format!("Host: localhost:{port}\r\n");
    for (head, status, part) in [
        ("Host: evil\r\n".to_owned(), "421", "host_not_allowed"),
        (String::new(), "400", "host_missing"),
        (format!("{own}Origin: http://evil\r\n"), "403", "origin_not_allowed"),
        (own.clone(), "401", "authentication_error"),
        (format!("{own}Authorization: Bearer kp-wrong\r\n"), "401", "authentication_error"),
        (format!("{own}x-api-key: {key}\r\n"), "415", "application/json"),
        (format!("{own}x-api-key: {key}\r\nContent-Type: application/json\r\n"), "413", "request_too_large"),
    ] {
        let answer = raw(port, &post(&head)).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")) && answer.contains(part), "{head}: {answer}");
        assert!(!answer.to_ascii_lowercase().contains("access-control-"), "{answer}");
    }
    // Where the path says nothing, the headers tell whose words the client understands.
    let dialect = "anthropic-version: 2023-06-01\r\n";
    let unknown = raw(port, &format!("GET /api/status HTTP/1.1\r\n{dialect}{own}x-api-key: {key}\r\n\r\n")).await;
    assert!(unknown.starts_with("HTTP/1.1 404"), "the admin API is not on this door: {unknown}");
    let misled = raw(port, &format!("GET /v1/messages HTTP/1.1\r\n{own}x-api-key: {key}\r\n\r\n")).await;
    for (answer, code, kind) in [
        (unknown, "not_found", "not_found_error"),
        (misled, "method_not_allowed", "invalid_request_error"),
        (
            raw(port, &format!("GET / HTTP/1.1\r\n{dialect}Host: evil\r\n\r\n")).await,
            "host_not_allowed",
            "invalid_request_error",
        ),
        (
            raw(port, &format!("GET / HTTP/1.1\r\n{dialect}{own}Origin: null\r\n\r\n")).await,
            "origin_not_allowed",
            "permission_error",
        ),
    ] {
        assert!(answer.contains(&format!("x-kiro-proxy-code: {code}\r\n")), "{answer}");
        let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
        let body: Value = serde_json::from_str(body).expect("JSON");
        assert_eq!((body["type"].as_str(), body["error"]["type"].as_str()), (Some("error"), Some(kind)), "{body}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn a_request_without_an_account_is_answered_and_recorded() {
    let root = tempfile::tempdir().expect("a folder");
    let gateway = Gateway::open(options(root.path(), &[("listener.port", "0")])).await.expect("opened");
    let port = gateway.set_listening(true).await.expect("listening").port;
    let body =
        json!({ "model": "auto", "max_tokens": 9, "messages": [{ "role": "user", "content": "hi" }] }).to_string();
    let request = format!(
        "POST /anthropic/v1/messages?beta=true HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nx-api-key: {}\r\n\
         Content-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        key(&gateway).await,
        body.len()
    );
    let answer = raw(port, &request).await;
    assert!(answer.starts_with("HTTP/1.1 529") && answer.contains("overloaded_error"), "{answer}");
    let (_, flows) = call(&gateway, "GET", "/api/flows?limit=1", None).await;
    assert_eq!(flows["flows"][0]["failureCode"], "no_account");
    assert_eq!(flows["flows"][0]["outcome"], serde_json::to_value(FlowOutcome::Failed).expect("plain"));
    gateway.stop().await;
}

#[cfg(unix)]
#[tokio::test]
async fn the_local_door_is_open_without_a_listener_and_only_for_its_owner() {
    use std::os::unix::fs::PermissionsExt as _;
    let root = tempfile::tempdir().expect("a folder");
    let dir = root.path().join("data");
    assert!(LocalDoor::find(Some(&dir)).is_none());
    let gateway = Gateway::open(options(root.path(), &[])).await.expect("opened");
    for (path, mode) in [("run", 0o700), ("run/admin.sock", 0o600)] {
        let found = std::fs::metadata(dir.join(path)).expect("there").permissions().mode() & 0o777;
        assert_eq!(found, mode, "{path}");
    }
    let (mut stream, _) = LocalDoor::find(Some(&dir)).expect("a door").connect().await.expect("connected");
    stream.write_all(b"GET /api/status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("answered");
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\"state\":\"stopped\""), "{answer}");
    gateway.stop().await;
    assert!(LocalDoor::find(Some(&dir)).is_none());
}

#[tokio::test]
async fn unusable_places_and_settings_refuse_the_start_with_words() {
    let root = tempfile::tempdir().expect("a folder");
    let file = root.path().join("file");
    crate::data_dir::write_synced(&file, b"x").expect("written");
    let error =
        Gateway::open(Options { data_dir: Some(file), ..options(root.path(), &[]) }).await.expect_err("refused");
    assert_eq!(error.code(), "data_dir_unusable");
    let error = Gateway::open(options(root.path(), &[("listener.host", "0.0.0.0")])).await.expect_err("refused");
    assert!(error.code() == "override_invalid" && error.to_string().contains("loopback"), "{error}");
    let foreign = Some("http://example.com".parse().expect("a URL"));
    let error = Gateway::open(Options { endpoints: foreign, ..options(root.path(), &[]) }).await.expect_err("refused");
    assert_eq!(error.code(), "endpoints_not_loopback");
}

/// Reads one frame of `/api/events`: the types of the events in it.
async fn told(body: &mut Body) -> Vec<String> {
    let frame = body.frame().await.expect("more").expect("whole").into_data().expect("data");
    let text = String::from_utf8(frame.to_vec()).expect("text");
    let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
    data.map(|data| serde_json::from_str::<Value>(data).expect("JSON")["type"].as_str().expect("a type").to_owned())
        .collect()
}

#[tokio::test]
async fn a_listener_that_was_too_slow_is_told_to_look_at_everything_again() {
    let root = tempfile::tempdir().expect("a folder");
    let gateway = Gateway::open(options(root.path(), &[])).await.expect("opened");
    drop(gateway.parts.flows.open("a".into(), "test", None));
    let request = Request::builder().uri("/api/events").body(Body::empty()).expect("a request");
    let mut body = gateway.admin_router().oneshot(request).await.expect("answered").into_body();
    assert_eq!(told(&mut body).await, ["status"]);
    for _ in 0..1000 {
        gateway.parts.announcer.tell(AdminEvent::Keys);
    }
    assert_eq!(told(&mut body).await, ["status", "settings", "accounts", "keys", "flows"]);
    gateway.stop().await;
}

#[tokio::test]
async fn the_host_setting_chooses_the_addresses() {
    let families = [("127.0.0.1", [true, false]), ("::1", [false, true]), ("localhost", [true, true])];
    for (host, open) in families {
        if host != "127.0.0.1" && TcpListener::bind(("::1", 0)).is_err() {
            continue;
        }
        let root = tempfile::tempdir().expect("a folder");
        let overrides = [("listener.port", "0"), ("listener.host", host)];
        let gateway = Gateway::open(options(root.path(), &overrides)).await.expect("opened");
        let port = gateway.set_listening(true).await.expect("listening").port;
        let reached = [("127.0.0.1", port), ("::1", port)].map(|place| std::net::TcpStream::connect(place).is_ok());
        assert_eq!(reached, open, "{host}");
        gateway.stop().await;
    }
}

#[tokio::test]
async fn every_record_that_was_saved_is_known_to_a_move_of_all_secrets() {
    let root = tempfile::tempdir().expect("a folder");
    let gateway = Gateway::open(options(root.path(), &[("responses.store", "disk")])).await.expect("opened");
    let login = json!({
        "authMethod": "social", "email": "a@example.com", "accessToken": "EXAMPLE-access", "refreshToken": "EXAMPLE-refresh-".repeat(8),
        "expiresAt": "2099-01-01T00:00:00.000Z",
    });
    let body = json!({ "content": login.to_string() });
    let (_, imported) = call(&gateway, "POST", "/api/accounts/import", Some(body)).await;
    let id = imported["imported"][0]["id"].as_str().expect("imported").to_owned();
    let change = json!({ "proxy": { "kind": "through", "url": "http://me:secret@127.0.0.1:9" } });
    let (status, changed) = call(&gateway, "PATCH", &format!("/api/accounts/{id}"), Some(change)).await;
    assert_eq!(status, StatusCode::OK, "{changed}");
    let keeping = crate::kept::Keeping::new(
        Arc::clone(&gateway.parts.kept),
        crate::client_key::KeyId::from_text("k"),
        json!("a question"),
    );
    keeping.keep(&json!({ "id": "resp_1" })).await;
    let known = gateway.secret_ids();
    let saved = gateway.parts.book.credentials.saved();
    for (what, mark) in
        [("account", "account/"), ("proxy", "proxy/"), ("client key", "client-key/"), ("answers", "responses/")]
    {
        assert!(saved.iter().any(|id| id.as_str().starts_with(mark)), "{what} was saved: {saved:?}");
    }
    for id in saved {
        assert!(known.contains(&id), "{id} would be left behind");
    }
    gateway.stop().await;
}
