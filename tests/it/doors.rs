//! Paths, keys and dialects of the client door, and what is not a conversation.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{Plan, World, raw, raw_status};
use crate::speakers::{ALL, Api, read};

#[tokio::test(flavor = "multi_thread")]
async fn base_urls_as_people_write_them_reach_the_same_conversation() {
    let world = World::start().await;
    for (path, api) in [
        ("/anthropic/v1/messages", Api::Anthropic),
        ("/v1/v1/messages?beta=true", Api::Anthropic),
        ("/messages", Api::Anthropic),
        ("/openai/v1/chat/completions", Api::Chat),
        ("/chat/completions", Api::Chat),
        ("/v1/v1/chat/completions", Api::Chat),
        ("/openai/responses", Api::Responses),
        ("/v1/models/claude-sonnet-4-5:generateContent", Api::Gemini),
        ("/gemini/v1beta/models/claude-sonnet-4-5:generateContent", Api::Gemini),
        ("/v1beta/v1beta/models/claude-sonnet-4-5:generateContent", Api::Gemini),
        ("/models/claude-sonnet-4-5:generateContent", Api::Gemini),
    ] {
        let (status, answer) = read(world.post(path).json(&api.ask("SAY: here", false))).await;
        assert_eq!(status, StatusCode::OK, "{path}: {answer}");
        assert_eq!(api.text(&answer), "here", "{path}: {answer}");
    }
    world.assert_no_violations();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_path_lists_models_in_three_dialects() {
    let world = World::start().await;
    let list = |path: &'static str, header: Option<(&'static str, &'static str)>| {
        let request = world.get(path);
        read(match header {
            Some((name, value)) => request.header(name, value),
            None => request,
        })
    };
    let is_anthropic = |list: &Value| list["has_more"].is_boolean() && list["data"][0]["type"] == "model";
    let is_openai = |list: &Value| list["object"] == "list" && list["data"][0]["object"] == "model";
    let is_gemini = |list: &Value| list["models"][0]["name"].as_str().is_some_and(|name| name.starts_with("models/"));
    let (_, anthropic) = list("/v1/models?limit=1000", Some(("anthropic-version", "2026-10-21"))).await;
    assert!(is_anthropic(&anthropic), "{anthropic}");
    let (_, openai) = list("/v1/models?client_version=0.169.0", None).await;
    assert!(is_openai(&openai) && openai["models"][0]["slug"].is_string(), "{openai}");
    let (_, gemini) = list("/v1/models", Some(("x-goog-api-client", "google-genai-sdk/3.4.0"))).await;
    assert!(is_gemini(&gemini), "{gemini}");
    for path in ["/v1beta/models", "/v1beta/v1beta/models", "/gemini/v1/models"] {
        let (_, gemini) = list(path, Some(("anthropic-version", "2023-06-01"))).await;
        assert!(is_gemini(&gemini), "{path}: {gemini}");
    }
    let (_, prefixed) = list("/anthropic/v1/models", None).await;
    assert!(is_anthropic(&prefixed), "{prefixed}");

    let name = openai["data"][0]["id"].as_str().unwrap();
    let (status, one) = read(world.get(&format!("/v1/models/{name}"))).await;
    assert_eq!((status, &one["id"]), (StatusCode::OK, &json!(name)), "{one}");
    let (status, one) = read(world.get(&format!("/v1beta/models/{name}"))).await;
    assert_eq!((status, &one["name"]), (StatusCode::OK, &json!(format!("models/{name}"))), "{one}");
    for (path, api) in [("/v1/models/no-such", Api::Chat), ("/v1beta/models/no-such", Api::Gemini)] {
        let (status, missing) = read(world.get(path)).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{missing}");
        api.assert_failure_form(path, &missing);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_before_any_protocol_is_read_speak_the_callers_language() {
    let world = World::start().await;
    for api in ALL {
        for stream in [false, true] {
            let url = format!("{}{}", world.url, api.path(stream));
            for key in [None, Some("wrong"), Some("kp-0123456789")] {
                let request = world.http.post(&url).json(&api.ask("SAY: x", stream));
                let request = match key {
                    Some(key) => request.bearer_auth(key),
                    None => request,
                };
                let answer = request.send().await.unwrap();
                assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{api:?}");
                assert_eq!(answer.headers()["x-should-retry"], "false");
                let ids = (answer.headers()["request-id"].clone(), answer.headers()["x-request-id"].clone());
                assert_eq!(ids.0, ids.1);
                api.assert_failure_form("key", &answer.json().await.unwrap());
            }
            let (status, body) = read(world.http.put(&url).bearer_auth(&world.key)).await;
            assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED, "{api:?}");
            api.assert_failure_form("method", &body);
            let (status, body) = read(world.http.post(&url).header("origin", "https://evil.example")).await;
            assert_eq!(status, StatusCode::FORBIDDEN, "{api:?}");
            api.assert_failure_form("origin", &body);
        }
    }
    for (path, header, api) in [
        ("/v1/nothing", Some("anthropic-version"), Api::Anthropic),
        ("/v1/nothing", None, Api::Chat),
        ("/v1beta/nothing", None, Api::Gemini),
        ("/v1/nothing", Some("x-goog-api-client"), Api::Gemini),
        ("/anthropic/nothing", None, Api::Anthropic),
    ] {
        let request = world.get(path);
        let request = match header {
            Some(header) => request.header(header, "x"),
            None => request,
        };
        let (status, body) = read(request).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
        api.assert_failure_form(path, &body);
    }
    assert_eq!(world.upstream_calls(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_form_of_a_key_is_taken_on_every_path_and_one_in_the_address_on_gemini_paths_only() {
    let world = World::start().await;
    for api in ALL {
        let (url, body) = (format!("{}{}", world.url, api.path(false)), api.ask("SAY: x", false));
        for (name, value) in [
            ("authorization", format!("Bearer {}", world.key)),
            ("x-api-key", world.key.clone()),
            ("x-goog-api-key", world.key.clone()),
        ] {
            let answer = world.http.post(&url).header(name, value).json(&body).send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::OK, "{api:?} {name}");
        }
        let answer = world.http.post(format!("{url}?key={}", world.key)).json(&body).send().await.unwrap();
        let expected = if api == Api::Gemini { StatusCode::OK } else { StatusCode::UNAUTHORIZED };
        assert_eq!(answer.status(), expected, "{api:?}");
        let answer = world.http.post(format!("{url}?key=wrong")).json(&body).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{api:?}");
    }
    let models = format!("{}/v1beta/models?key={}", world.url, world.key);
    assert_eq!(world.http.get(models).send().await.unwrap().status(), StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_in_the_address_is_found_in_no_record_no_answer_and_goes_nowhere() {
    let world = World::start().await;
    let key = world.key.clone();
    let ask = Api::Gemini.ask("SAY: x", true);
    let mut seen = Vec::new();
    for path in [
        format!("/v1beta/models/claude-sonnet-4-5:streamGenerateContent?alt=sse&key={key}"),
        format!("/v1beta/models/claude-sonnet-4-5:generateContent?key={key}"),
        format!("/v1beta/models/no-such-model:generateContent?key={key}"),
        format!("/v1beta/models/x:unknownCall?key={key}"),
        format!("/v1beta/files?key={key}"),
        format!("/v1/chat/completions?key={key}"),
    ] {
        let answer = world.http.post(format!("{}{path}", world.url)).json(&ask).send().await.unwrap();
        seen.push(format!("{:?}", answer.headers()));
        seen.push(answer.text().await.unwrap());
    }
    seen.push(Value::Array(world.flows().await).to_string());
    let journal = format!("{:?}", world.control.journal());
    seen.push(journal);
    for text in &seen {
        assert!(!text.contains(&key[3..]), "the key was found in {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_websocket_is_answered_with_426_at_once() {
    let world = World::start().await;
    let host = world.url.strip_prefix("http://").unwrap();
    for path in ["/v1/responses", "/openai/v1/responses"] {
        let request = format!(
            "GET {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {}\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nopenai-beta: responses_websockets=2026-02-06\r\n\r\n",
            world.key
        );
        let answer = raw(&world.url, request.as_bytes()).await;
        assert_eq!(raw_status(&answer), 426, "{answer}");
        assert!(answer.to_lowercase().contains("\r\nupgrade: "), "{answer}");
        assert!(answer.contains("websocket_not_supported"), "{answer}");
    }
    let (status, _) = read(world.get("/v1/responses")).await;
    assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_kiro_has_not_is_said_in_the_callers_words() {
    let world = World::start().await;
    for (method, path, api, word) in [
        (Method::POST, "/v1/embeddings", Api::Chat, "embedding"),
        (Method::POST, "/v1/images/generations", Api::Chat, "images"),
        (Method::POST, "/v1/audio/transcriptions", Api::Chat, "audio"),
        (Method::POST, "/v1/moderations", Api::Chat, "moderation"),
        (Method::GET, "/v1/files", Api::Chat, "files"),
        (Method::POST, "/v1/messages/batches", Api::Anthropic, "batches"),
        (Method::GET, "/v1/messages/batches", Api::Anthropic, "batches"),
        (Method::POST, "/v1beta/models/x:embedContent", Api::Gemini, "embedding"),
        (Method::POST, "/v1beta/cachedContents", Api::Gemini, "caches"),
    ] {
        let url = format!("{}{path}", world.url);
        let (status, body) = read(world.http.request(method, url).bearer_auth(&world.key).body("{}")).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
        api.assert_failure_form(path, &body);
        assert!(body["error"]["message"].as_str().unwrap().contains(word), "{path}: {body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn statistics_of_clients_end_here() {
    let world = World::start().await;
    for path in ["/api/event_logging/batch", "/v1/api/event_logging/batch", "/anthropic/api/event_logging/batch"] {
        let body = "x".repeat(3 * 1024 * 1024);
        let answer = world.http.post(format!("{}{path}", world.url)).body(body).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
    }
    assert!(world.flows().await.is_empty());
    assert!(world.control.journal().iter().all(|entry| entry.operation != "GenerateAssistantResponse"));
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_has_reasons_and_tells_no_secret() {
    let world = World::start().await;
    let ready = |world: &World| read(world.http.get(format!("{}/ready", world.url)));
    let (status, body) = ready(&world).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    assert_eq!(body, json!({"status": "ready", "reasons": [], "simulated": false}));
    let empty = Plan::default().accounts(vec![]).start().await;
    let (status, body) = ready(&empty).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{body}");
    assert_eq!(body["reasons"], json!(["no_account"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_is_told_to_keys_only_and_adds_up() {
    let world = World::start().await;
    let url = format!("{}/usage", world.url);
    assert_eq!(world.http.get(&url).send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    for api in ALL {
        world.whole(api, &api.ask("SAY: some words", false)).await;
    }
    let (status, usage) = read(world.get("/usage")).await;
    assert_eq!(status, StatusCode::OK, "{usage}");
    assert_eq!(usage["requests"]["complete"], 4, "{usage}");
    assert_eq!(usage["accounts"]["states"], json!({"ready": 1}), "{usage}");
    assert!(usage["tokens"]["output"].as_u64().is_some_and(|n| n > 0), "{usage}");
    let credits: f64 = world.flows().await.iter().filter_map(|flow| flow["usage"]["credits"].as_f64()).sum();
    assert!(credits > 0.0 && (usage["credits_used"].as_f64().unwrap() - credits).abs() < 1e-9, "{usage}");
    assert!(!usage.to_string().contains('@'), "no account is named: {usage}");
}
