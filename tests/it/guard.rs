//! The client door: Host, Origin, keys, encodings, sizes and patience, on real sockets.

use http::StatusCode;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

use crate::harness::{Plan, World, ask, connect, raw, raw_status, read_to_end};

/// Method, path, whether a key is needed.
const ROUTES: [(&str, &str, bool); 6] = [
    ("GET", "/health", false),
    ("HEAD", "/api/hello", false),
    ("GET", "/v1/models", true),
    ("GET", "/v1/models/auto", true),
    ("POST", "/v1/messages", true),
    ("POST", "/v1/messages/count_tokens", true),
];

fn port(world: &World) -> &str {
    world.url.rsplit(':').next().unwrap()
}

/// A request by hand: `head` holds further header lines, each with its line end.
fn by_hand(world: &World, method: &str, path: &str, head: &str) -> String {
    let body = if method == "POST" {
        r#"{"model":"auto","max_tokens":9,"messages":[{"role":"user","content":"SAY: x"}]}"#
    } else {
        ""
    };
    let kind = if method == "POST" { "content-type: application/json\r\n" } else { "" };
    format!(
        "{method} {path} HTTP/1.1\r\n{head}x-api-key: {}\r\n{kind}content-length: {}\r\nconnection: close\r\n\r\n{body}",
        world.key,
        body.len()
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn only_our_own_names_are_accepted_as_host_on_every_route() {
    let world = World::start().await;
    let port = port(&world);
    let own = ["127.0.0.1", "localhost", "[::1]", "LOCALHOST"].map(|name| format!("{name}:{port}"));
    let foreign = [
        "evil.example".to_owned(),
        format!("evil.example:{port}"),
        format!("localhost.evil.example:{port}"),
        format!("127.0.0.1.evil.example:{port}"),
        format!("evil-localhost:{port}"),
        format!("localhost.:{port}x"),
        "127.0.0.1:1".to_owned(),
        "localhost:1".to_owned(),
        "[::1]:1".to_owned(),
        format!("127.0.0.2:{port}"),
        format!("0.0.0.0:{port}"),
        format!("[::]:{port}"),
        format!("192.168.0.1:{port}"),
        format!("10.0.0.1:{port}"),
        format!("user@127.0.0.1:{port}"),
        format!("127.0.0.1:{port}@evil.example"),
        format!("127.1:{port}"),
        format!("0x7f000001:{port}"),
        format!("2130706433:{port}"),
        format!("[::ffff:127.0.0.1]:{port}"),
        format!("localhost:{port}:{port}"),
        format!("127.0.0.1:{port}/"),
        format!("127.0.0.1:0{port}0"),
        "localhost:".to_owned(),
        "*".to_owned(),
        "null".to_owned(),
    ];
    for (method, path, _) in ROUTES {
        for host in &own {
            let answer = raw(&world.url, by_hand(&world, method, path, &format!("host: {host}\r\n")).as_bytes()).await;
            assert!(
                !matches!(raw_status(&answer), 0 | 400 | 403 | 421),
                "{method} {path} with own host {host}: {answer}"
            );
        }
        for host in &foreign {
            let answer = raw(&world.url, by_hand(&world, method, path, &format!("host: {host}\r\n")).as_bytes()).await;
            assert!(matches!(raw_status(&answer), 400 | 421), "{method} {path} with host {host}: {answer}");
        }
    }
    assert_eq!(world.upstream_calls(), own.len(), "only requests with an own host came through");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_doubled_or_contradicting_host_is_refused() {
    let world = World::start().await;
    let authority = format!("127.0.0.1:{}", port(&world));
    for head in [
        String::new(),
        "host: \r\n".into(),
        format!("host: {authority}\r\nhost: {authority}\r\n"),
        format!("host: {authority}\r\nhost: evil.example\r\n"),
    ] {
        let answer = raw(&world.url, by_hand(&world, "GET", "/v1/models", &head).as_bytes()).await;
        assert!(matches!(raw_status(&answer), 400 | 421), "{head:?}: {answer}");
    }
    let absolute = by_hand(&world, "GET", "http://evil.example/v1/models", &format!("host: {authority}\r\n"));
    let answer = raw(&world.url, absolute.as_bytes()).await;
    assert!(matches!(raw_status(&answer), 400 | 421), "absolute form with a foreign authority: {answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn web_pages_of_other_origins_have_no_effect_on_any_route() {
    let world = World::start().await;
    let host = format!("host: 127.0.0.1:{}\r\n", port(&world));
    let foreign = [
        "origin: https://evil.example\r\n".to_owned(),
        "origin: null\r\n".to_owned(),
        "origin: http://localhost.evil.example\r\n".to_owned(),
        "origin: file://\r\n".to_owned(),
        "origin: http://127.0.0.1:1\r\n".to_owned(),
        "sec-fetch-site: cross-site\r\n".to_owned(),
        "sec-fetch-site: same-site\r\norigin: http://localhost:3000\r\n".to_owned(),
        "origin: chrome-extension://abcdef\r\n".to_owned(),
    ];
    for (method, path, _) in ROUTES {
        for origin in &foreign {
            let answer = raw(&world.url, by_hand(&world, method, path, &format!("{host}{origin}")).as_bytes()).await;
            assert_eq!(raw_status(&answer), 403, "{method} {path} {origin}: {answer}");
            assert!(!answer.to_lowercase().contains("access-control-"), "{answer}");
        }
        let plain = raw(&world.url, by_hand(&world, method, path, &host).as_bytes()).await;
        assert!(!plain.to_lowercase().contains("access-control-"), "{method} {path}: {plain}");
        let preflight = format!(
            "OPTIONS {path} HTTP/1.1\r\n{host}origin: https://evil.example\r\naccess-control-request-method: POST\r\nconnection: close\r\n\r\n"
        );
        let answer = raw(&world.url, preflight.as_bytes()).await;
        assert!(raw_status(&answer) >= 400, "{answer}");
        assert!(!answer.to_lowercase().contains("access-control-allow"), "{answer}");
    }
    assert_eq!(world.upstream_calls(), 1, "only the request without an origin came through");
}

#[tokio::test(flavor = "multi_thread")]
async fn simple_content_types_are_refused() {
    let world = World::start().await;
    for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""] {
        let request = world.http.post(format!("{}/v1/messages", world.url)).header("x-api-key", &world.key);
        let request = if kind.is_empty() { request } else { request.header("content-type", kind) };
        let answer = request.body(ask("SAY: x").to_string()).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE, "{kind:?}");
        let body: Value = answer.json().await.unwrap();
        assert_eq!(body["type"], "error", "{body}");
    }
    assert_eq!(world.upstream_calls(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_is_taken_from_each_header_a_client_uses() {
    let world = World::start().await;
    let get = || world.http.get(format!("{}/v1/models", world.url));
    let key = &world.key;
    for request in [
        get().header("x-api-key", key),
        get().header("authorization", format!("Bearer {key}")),
        get().header("authorization", format!("bearer {key}")),
        get().header("x-goog-api-key", key),
        get().header("authorization", format!("Bearer {key}")).header("x-goog-api-key", key),
    ] {
        assert_eq!(request.send().await.unwrap().status(), StatusCode::OK);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_or_missing_key_is_401_in_the_protocols_own_shape_on_every_guarded_route() {
    let world = World::start().await;
    let nearly = {
        let mut key = world.key.clone();
        let last = key.pop().unwrap();
        key.push(if last == 'A' { 'B' } else { 'A' });
        key
    };
    let wrong = ["", "x", "kp-", &nearly, &format!("{} ", world.key)[..0], "Bearer", "sk-ant-api03-anything"];
    for (method, path, guarded) in ROUTES.into_iter().filter(|route| route.2) {
        assert!(guarded);
        for key in wrong {
            let method = method.parse::<http::Method>().unwrap();
            let request = world
                .http
                .request(method.clone(), format!("{}{path}", world.url))
                .header("anthropic-version", "2023-06-01");
            let request = if key.is_empty() { request } else { request.header("x-api-key", key) };
            let request = if method == http::Method::POST { request.json(&ask("SAY: x")) } else { request };
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{method} {path} with {key:?}");
            let body: Value = answer.json().await.unwrap();
            assert_eq!(body["type"], "error");
            assert_eq!(body["error"]["type"], "authentication_error", "{body}");
        }
    }
    assert_eq!(world.upstream_calls(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_in_the_address_is_refused_on_anthropic_paths() {
    let world = World::start().await;
    for name in ["key", "api_key", "auth_token", "x-api-key"] {
        let url = format!("{}/v1/messages?{name}={}", world.url, world.key);
        let answer = world.http.post(url).json(&ask("SAY: x")).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{name}");
    }
    assert_eq!(world.upstream_calls(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_key_is_refused_at_once() {
    let world = World::start().await;
    let made = world.admin_ok(http::Method::POST, "/api/keys", Some(json!({"name": "second"}))).await;
    let secret = made["secret"].as_str().unwrap().to_owned();
    let get = || world.http.get(format!("{}/v1/models", world.url)).header("x-api-key", &secret).send();
    assert_eq!(get().await.unwrap().status(), StatusCode::OK);
    let id = made["key"]["id"].as_str().unwrap();
    let (status, _) = world.admin(http::Method::DELETE, &format!("/api/keys/{id}"), None).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    assert_eq!(get().await.unwrap().status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admin_api_is_not_on_the_client_port() {
    let world = World::start().await;
    for path in [
        "/api/status",
        "/api/settings",
        "/api/accounts",
        "/api/keys",
        "/api/flows",
        "/api/events",
        "/api/openapi.json",
        "/api/ports/1",
    ] {
        let answer =
            world.http.get(format!("{}{path}", world.url)).header("x-api-key", &world.key).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn encoded_bodies_are_refused() {
    let world = World::start().await;
    for encoding in ["gzip", "br", "zstd", "deflate", "gzip, identity"] {
        let answer = world.request(&ask("SAY: x")).header("content-encoding", encoding).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE, "{encoding}");
    }
    let answer = world.request(&ask("SAY: x")).header("content-encoding", "identity").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_body_limit_holds_for_declared_and_for_chunked_bodies() {
    let world = Plan::default().set("listener.maxBodyMebibytes", 1).start().await;
    let big = "x".repeat(1024 * 1024 + 1);
    let answer = world.request(&ask(&big)).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body["error"]["type"], "request_too_large", "{body}");

    let mut stream = connect(&world.url).await;
    let head = format!(
        "POST /v1/messages HTTP/1.1\r\nhost: 127.0.0.1:{}\r\nx-api-key: {}\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n",
        port(&world),
        world.key
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    for _ in 0..32 {
        if stream.write_all(chunk.as_bytes()).await.is_err() {
            break;
        }
    }
    let answer = read_to_end(&mut stream).await;
    assert_eq!(raw_status(&answer), 413, "{}", answer.chars().take(300).collect::<String>());

    let (status, _) = world.send(&ask("SAY: small")).await;
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_read_before_host_and_key_are_right() {
    let world = World::start().await;
    // A gigabyte is announced; the refusal must come although not one byte of it does.
    let port = port(&world);
    for (host, key) in [("evil.example".to_owned(), world.key.as_str()), (format!("127.0.0.1:{port}"), "wrong")] {
        let head = format!(
            "POST /v1/messages HTTP/1.1\r\nhost: {host}\r\nx-api-key: {key}\r\ncontent-type: application/json\r\ncontent-length: 1073741824\r\n\r\n"
        );
        let answer = raw(&world.url, head.as_bytes()).await;
        assert!(matches!(raw_status(&answer), 400 | 401 | 421), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_never_ends_is_dropped() {
    let world = World::start().await;
    let mut silent = connect(&world.url).await;
    let mut half = connect(&world.url).await;
    half.write_all(b"POST /v1/messages HTTP/1.1\r\nhost: 127.0.0.1\r\nx-half").await.unwrap();
    // Both are closed by the header deadline (10 s), within the harness's patience.
    let (first, second) = tokio::join!(read_to_end(&mut silent), read_to_end(&mut half));
    assert!(matches!(raw_status(&first), 0 | 408), "{first}");
    assert!(matches!(raw_status(&second), 0 | 408), "{second}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ambiguous_framing_is_refused_and_nothing_after_it_is_served() {
    let world = World::start().await;
    let port = port(&world);
    let smuggled = format!("GET /v1/models HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nx-api-key: {}\r\n\r\n", world.key);
    let head = format!(
        "POST /v1/messages HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nx-api-key: {}\r\ncontent-type: application/json\r\n",
        world.key
    );
    let cases = [
        format!("{head}content-length: 5\r\ncontent-length: 6\r\n\r\nhello{smuggled}"),
        format!("{head}content-length: abc\r\n\r\n{smuggled}"),
        format!("{head}content-length: -1\r\n\r\n{smuggled}"),
        format!("{head}transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n{smuggled}"),
        format!("{head}transfer-encoding: chunked\r\n\r\nZZ\r\nhello\r\n0\r\n\r\n{smuggled}"),
        format!("{head} x-folded: yes\r\n\r\n{smuggled}"),
        format!("GET /v1/models HTTP/9.9\r\nhost: 127.0.0.1:{port}\r\n\r\n{smuggled}"),
    ];
    for case in cases {
        let answer = raw(&world.url, case.as_bytes()).await;
        assert!(!answer.contains("\"data\""), "a smuggled request was served: {case}\n{answer}");
        assert!(raw_status(&answer) == 0 || raw_status(&answer) >= 400, "{case}\n{answer}");
    }
    assert_eq!(world.upstream_calls(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_door_is_on_loopback_only_and_on_both_families() {
    let world = World::start().await;
    let status = world.gateway.status();
    assert!(
        status
            .addresses
            .iter()
            .all(|address| address.starts_with("http://127.0.0.1:") || address.starts_with("http://[::1]:")),
        "{:?}",
        status.addresses
    );
    let port: u16 = port(&world).parse().unwrap();
    for line in std::fs::read_to_string("/proc/net/tcp").unwrap_or_default().lines().skip(1) {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (local, state) = (fields[1], fields[3]);
        if state == "0A" && local.ends_with(&format!(":{port:04X}")) {
            assert!(local.starts_with("0100007F:"), "listening on {local}");
        }
    }
}
