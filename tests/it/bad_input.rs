//! Bad input gets a clear error with a stable code and loses nothing.

use http::{Method, StatusCode};
use kiro_gateway::{Gateway, StoreChoice, VaultKeySource};
use kiro_simulator::Family;
use serde_json::{Value, json};

use crate::harness::{Plan, World, ask, fresh_login, options};

async fn post(world: &World, body: impl Into<reqwest::Body>) -> (StatusCode, Value) {
    let answer = world
        .http
        .post(format!("{}/v1/messages", world.url))
        .header("x-api-key", &world.key)
        .header("content-type", "application/json")
        .body(body)
        .send()
        .await
        .expect("an answer");
    let status = answer.status();
    (status, answer.json().await.expect("an error is JSON too"))
}

fn assert_invalid(what: &str, (status, body): &(StatusCode, Value)) {
    assert_eq!(*status, StatusCode::BAD_REQUEST, "{what}: {body}");
    assert_eq!(body["type"], "error", "{what}: {body}");
    assert_eq!(body["error"]["type"], "invalid_request_error", "{what}: {body}");
    assert!(body["error"]["message"].as_str().is_some_and(|message| !message.is_empty()), "{what}: {body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_json_is_an_invalid_request() {
    let world = World::start().await;
    for body in [
        "",
        "{",
        "nonsense",
        "[]",
        "null",
        "\"text\"",
        "{\"model\":}",
        "{\"model\":\"a\"",
        "\u{feff}{}",
        "{\"a\":\"\\ud800\"}",
    ] {
        assert_invalid(body, &post(&world, body.to_owned()).await);
    }
    assert_invalid("not UTF-8", &post(&world, b"{\"model\":\"\xff\xfe\"}".to_vec()).await);
    let (status, _) = world.send(&ask("SAY: still fine")).await;
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_types_are_an_invalid_request_that_names_the_place() {
    let world = World::start().await;
    let good = ask("hello");
    let wrong = [
        ("/model", json!(5)),
        ("/model", Value::Null),
        ("/max_tokens", json!("many")),
        ("/max_tokens", json!(-1)),
        ("/messages", json!("hello")),
        ("/messages", json!([])),
        ("/messages/0", json!("hello")),
        ("/messages/0/role", json!("robot")),
        ("/messages/0/role", json!(1)),
        ("/messages/0/content", json!(5)),
        (
            "/messages/0/content",
            json!([{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "%%%"}}]),
        ),
        ("/messages/0/content", json!([{"type": "image"}])),
        ("/messages/0/content", json!([{"type": "tool_result"}])),
    ];
    for (place, value) in wrong {
        let mut body = good.clone();
        *body.pointer_mut(place).expect("a place") = value.clone();
        let answer = post(&world, body.to_string()).await;
        assert_invalid(&format!("{place} = {value}"), &answer);
    }
    for (field, value) in [
        ("tools", json!("none")),
        ("tools", json!([{}])),
        ("tool_choice", json!(3)),
        ("system", json!(3)),
        ("stream", json!("yes")),
        ("thinking", json!("deep")),
        ("stop_sequences", json!("x")),
    ] {
        let mut body = good.clone();
        body[field] = value.clone();
        assert_invalid(&format!("{field} = {value}"), &post(&world, body.to_string()).await);
    }
    assert_eq!(world.upstream_calls(), 0, "none of it reached the upstream");
}

#[tokio::test(flavor = "multi_thread")]
async fn deep_nesting_is_refused_without_a_crash() {
    let world = World::start().await;
    for depth in [200, 10_000, 1_000_000] {
        let body = format!(
            r#"{{"model":"auto","max_tokens":9,"messages":[{{"role":"user","content":[{{"type":"tool_use","id":"a","name":"b","input":{}{}}}]}}]}}"#,
            "[".repeat(depth),
            "]".repeat(depth)
        );
        assert_invalid(&format!("depth {depth}"), &post(&world, body).await);
    }
    let (status, _) = world.send(&ask("SAY: alive")).await;
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_forty_megabytes_is_too_large() {
    let world = World::start().await;
    let (status, body) = post(&world, ask(&"x".repeat(40 * 1024 * 1024)).to_string()).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(body["error"]["type"], "request_too_large");
    assert_eq!(world.upstream_calls(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_model_is_not_found() {
    let world = World::start().await;
    let mut body = ask("hello");
    body["model"] = "no-such-model-9000".into();
    let (status, reply) = world.send(&body).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "{reply}");
    assert_eq!(reply["error"]["type"], "not_found_error");
    assert!(reply["error"]["message"].as_str().is_some_and(|m| m.contains("no-such-model-9000")), "{reply}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_account_the_client_is_told_what_is_missing() {
    let world = Plan::default().accounts(vec![]).start().await;
    let (status, reply) = world.send(&ask("hello")).await;
    assert!(status.is_client_error() || status.is_server_error(), "{reply}");
    assert_eq!(reply["type"], "error");
    assert!(reply["error"]["message"].as_str().is_some_and(|m| m.to_lowercase().contains("account")), "{reply}");
    let flow = world.flows().await.remove(0);
    assert_eq!(flow["failureCode"], "no_account", "{flow}");
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_fields_are_told_about_and_never_break_a_request() {
    let world = World::start().await;
    let mut body = ask("SAY: fine");
    body["brand_new_field"] = json!({"a": [1, 2, 3]});
    body["top_k"] = json!(5);
    body["service_tier"] = json!("auto");
    let (status, reply) = world.send(&body).await;
    assert_eq!(status, StatusCode::OK, "{reply}");
    let notices = world.flows().await[0]["notices"].to_string();
    assert!(notices.contains("brand_new_field"), "{notices}");
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_paths_and_methods_are_errors_with_words() {
    let world = World::start().await;
    for (method, path, expected) in [
        (Method::GET, "/v1/nothing", StatusCode::NOT_FOUND),
        (Method::GET, "/", StatusCode::NOT_FOUND),
        (Method::GET, "/../../etc/passwd", StatusCode::NOT_FOUND),
        (Method::GET, "/v1/messages", StatusCode::METHOD_NOT_ALLOWED),
        (Method::DELETE, "/v1/models", StatusCode::METHOD_NOT_ALLOWED),
    ] {
        let answer = world
            .http
            .request(method.clone(), format!("{}{path}", world.url))
            .header("x-api-key", &world.key)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), expected, "{method} {path}");
        let body: Value = answer.json().await.unwrap_or(Value::Null);
        assert!(body["error"]["message"].is_string(), "{method} {path}: {body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_imports_are_refused_entry_by_entry_and_good_ones_stay() {
    let world = Plan::default().accounts(vec![]).start().await;
    for content in ["", "{", "[]", "{}", "null", "hello", "{\"accounts\":[]}"] {
        let (status, problem) =
            world.admin(Method::POST, "/api/accounts/import", Some(json!({"content": content}))).await;
        assert!(status.is_client_error() || problem["imported"] == json!([]), "{content:?}: {status} {problem}");
    }
    let mixed = json!([
        fresh_login("social", Family::Social),
        {"refreshToken": "short", "authMethod": "social"},
        {"refreshToken": "x".repeat(120), "authMethod": "carrier-pigeon"}
    ]);
    let answer =
        world.admin_ok(Method::POST, "/api/accounts/import", Some(json!({"content": mixed.to_string()}))).await;
    assert_eq!(answer["imported"].as_array().map(Vec::len), Some(1), "{answer}");
    let rejected = answer["rejected"].as_array().unwrap();
    assert_eq!(rejected.iter().map(|r| r["index"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 2], "{answer}");
    assert!(rejected.iter().all(|r| r["code"].as_str().is_some_and(|code| !code.is_empty())), "{answer}");
    assert!(!answer.to_string().contains(&"x".repeat(20)), "a token is shown in the answer");
}

#[tokio::test(flavor = "multi_thread")]
async fn admin_calls_with_bad_bodies_are_problems_with_codes() {
    let world = Plan { listen: false, ..Plan::default() }.start().await;
    for (method, path, body) in [
        (Method::POST, "/api/listener", json!({"listening": "yes"})),
        (Method::POST, "/api/listener", json!({})),
        (Method::PATCH, "/api/settings", json!({"patch": {}})),
        (Method::POST, "/api/keys", json!({"name": 5})),
        (Method::POST, "/api/keys", json!({"name": ""})),
        (Method::POST, "/api/accounts/import", json!({"content": 5})),
        (Method::POST, "/api/try", json!({})),
    ] {
        let (status, problem) = world.admin(method.clone(), path, Some(body.clone())).await;
        assert!(matches!(status.as_u16(), 400 | 422), "{method} {path} {body}: {status} {problem}");
        assert!(problem["code"].is_string() && problem["message"].is_string(), "{method} {path} {body}: {problem}");
    }
    for (method, path) in [
        (Method::DELETE, "/api/accounts/none"),
        (Method::DELETE, "/api/keys/none"),
        (Method::POST, "/api/keys/none/reveal"),
        (Method::GET, "/api/nothing"),
    ] {
        let (status, problem) = world.admin(method.clone(), path, None).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{method} {path}: {problem}");
        assert_eq!(problem["code"], "not_found", "{method} {path}: {problem}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_is_a_problem_that_names_it_and_the_gateway_stays_usable() {
    let holder = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = holder.local_addr().unwrap().port();
    let mut world = Plan { listen: false, ..Plan::default() }.set("listener.port", port).start().await;
    let problem = world.gateway.set_listening(true).await.expect_err("taken");
    let problem = serde_json::to_value(problem).unwrap();
    assert_eq!(problem["code"], "port_in_use", "{problem}");
    assert!(problem["message"].as_str().unwrap().contains(&port.to_string()), "{problem}");
    let status = world.gateway.status();
    assert!(status.addresses.is_empty());
    let check = world.admin_ok(Method::GET, &format!("/api/ports/{port}"), None).await;
    assert_eq!((&check["free"], &check["ours"]), (&json!(false), &json!(false)), "{check}");
    drop(holder);
    world.listen().await;
    let (code, _) = world.send(&ask("SAY: freed")).await;
    assert_eq!(code, StatusCode::OK);
    let check = world.admin_ok(Method::GET, &format!("/api/ports/{port}"), None).await;
    assert_eq!(check["ours"], true, "{check}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_taken_only_on_the_other_family_is_taken_too() {
    let Ok(holder) = std::net::TcpListener::bind("[::1]:0") else { return };
    let port = holder.local_addr().unwrap().port();
    let world = Plan { listen: false, ..Plan::default() }.set("listener.port", port).start().await;
    let problem = world.gateway.set_listening(true).await.expect_err("a stranger answers on ::1");
    assert_eq!(serde_json::to_value(problem).unwrap()["code"], "port_in_use");
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err(), "half a door stayed open");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unusable_data_directory_is_refused_with_a_code() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "mine").unwrap();
    for path in [file.clone(), file.join("below")] {
        let error = Gateway::open(options(&path, "http://127.0.0.1:9")).await.expect_err("refused");
        assert_eq!(error.code(), "data_dir_unusable", "{error}");
        assert!(!error.action().is_empty());
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");
    #[cfg(unix)]
    {
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(dir.path(), &link).unwrap();
        let error = Gateway::open(options(&link, "http://127.0.0.1:9")).await.expect_err("refused");
        assert_eq!(error.code(), "data_dir_unusable", "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_gateway_on_the_same_directory_is_refused() {
    let world = World::start().await;
    let error = Gateway::open(options(&world.data_dir(), "http://127.0.0.1:9")).await.expect_err("refused");
    assert_eq!(error.code(), "data_dir_locked", "{error}");
    let (code, _) = world.send(&ask("SAY: undisturbed")).await;
    assert_eq!(code, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_vault_key_is_refused_and_the_right_one_still_opens() {
    let right = crate::refresh::vault_key();
    let kept = right.clone();
    let mut world = Plan::default().options(move |options| options.store = kept).start().await;
    let wrong = world.restart(|options| options.store = crate::refresh::vault_key()).await.expect_err("wrong key");
    assert_eq!(wrong.code(), "store_unavailable", "{wrong}");
    let none = world.restart(|options| options.store = StoreChoice::Auto).await.expect_err("no key");
    assert_eq!(none.code(), "store_unavailable", "{none}");
    for bad in ["", "short", "not base64 !!!"] {
        let store = StoreChoice::Vault(VaultKeySource::Key(bad.to_owned().into()));
        let error = world.restart(|options| options.store = store).await.expect_err("bad key");
        assert_eq!(error.code(), "store_unavailable", "{bad:?}: {error}");
    }
    world.restart(|options| options.store = right).await.expect("the right key opens");
    world.listen().await;
    let (code, reply) = world.send(&ask("SAY: nothing lost")).await;
    assert_eq!(code, StatusCode::OK, "{reply}");
}

#[tokio::test(flavor = "multi_thread")]
async fn saved_accounts_that_cannot_be_read_are_never_replaced_by_nothing() {
    let store = crate::refresh::vault_key();
    let mut world = Plan::default().options(move |options| options.store = store).start().await;
    world.import(&fresh_login("idc", Family::Idc)).await;
    world.gateway.stop().await;
    let path = world.data_dir().join("accounts.json");
    let before = std::fs::read(&path).unwrap();
    for damage in [&before[..before.len() / 2], b"", b"{}garbage", b"\0\0\0"] {
        std::fs::write(&path, damage).unwrap();
        match world.restart(|_| {}).await {
            Err(error) => {
                assert_eq!(error.code(), "saved_state_unreadable", "{error}");
                assert_eq!(std::fs::read(&path).unwrap(), damage, "left as it is");
            }
            Ok(()) => {
                let accounts = world.admin_ok(Method::GET, "/api/accounts", None).await;
                assert!(!accounts["accounts"].as_array().unwrap().is_empty(), "started empty over a damaged file");
                world.gateway.stop().await;
            }
        }
        std::fs::write(&path, &before).unwrap();
    }
    world.restart(|_| {}).await.expect("opens");
    let accounts = world.admin_ok(Method::GET, "/api/accounts", None).await;
    assert_eq!(accounts["accounts"].as_array().map(Vec::len), Some(2));
}

/// Names that have led out of a folder somewhere.
fn escapes() -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let dots = ["..", "%2e%2e", "%252e%252e", "..%00", "..;", "%c0%ae%c0%ae", "....", "%2e."];
    let slashes = ["/", "%2f", "%252f", "%5c", "%c0%af", "%ef%bc%8f", "//", "/./"];
    for dot in dots {
        for slash in slashes {
            for target in ["accounts.json", "vault", "etc/passwd"] {
                names.push(format!("{dot}{slash}{target}"));
                names.push(format!("{dot}{slash}{dot}{slash}{dot}{slash}{target}"));
            }
        }
    }
    names.extend(
        [
            "%2fetc%2fpasswd",
            "C:%5CWindows",
            "%5C%5Chost%5Cshare",
            "accounts.json%00.txt",
            "CON",
            "%0d%0aX:%20y",
            "%ff",
            "~",
            "$HOME",
        ]
        .map(str::to_owned),
    );
    assert!(names.len() >= 300, "{}", names.len());
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn no_name_in_a_path_leads_to_a_file() {
    let world = World::start().await;
    std::fs::write(world.data_dir().join("canary.txt"), "canary-in-a-file").unwrap();
    // What is learned of an account meanwhile may be written; who there is may not change.
    let listed = || -> Vec<Value> {
        let text = std::fs::read(world.data_dir().join("accounts.json")).unwrap();
        let stored: Value = serde_json::from_slice(&text).unwrap();
        stored["accounts"].as_array().unwrap().iter().map(|account| account["id"].clone()).collect()
    };
    let before = listed();
    let document = world.admin_ok(Method::GET, "/api/openapi.json", None).await;
    let places: Vec<(Method, String)> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .filter(|(path, _)| path.contains('{'))
        .flat_map(|(path, methods)| {
            let methods = methods.as_object().unwrap().keys();
            methods.map(|method| (method.to_uppercase().parse().unwrap(), path.clone())).collect::<Vec<_>>()
        })
        .collect();
    assert!(places.len() >= 4, "{places:?}");
    for (number, name) in escapes().into_iter().enumerate() {
        let (method, path) = &places[number % places.len()];
        let parts: Vec<&str> =
            path.split('/').map(|part| if part.starts_with('{') { name.as_str() } else { part }).collect();
        let (status, answer) = crate::secret_crawl::answer(&world, method, &parts.join("/"), Some(&json!({}))).await;
        let answer = String::from_utf8_lossy(&answer);
        assert!((400..500).contains(&status), "{method} {path} with {name}: {status} {answer}");
        assert!(!answer.contains("canary-in-a-file"), "{name}");
        let asked = world.http.get(format!("{}/v1/models/{name}", world.url)).header("x-api-key", &world.key);
        let answer = asked.send().await.unwrap();
        assert!(answer.status().is_client_error(), "{name}: {}", answer.status());
        assert!(!answer.text().await.unwrap().contains("canary-in-a-file"), "{name}");
    }
    assert_eq!(listed(), before);
}
