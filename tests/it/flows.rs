//! Records of requests through the whole house: found, marked, exported, deleted, kept over restarts and kills, and silent about contents.

use http::{Method, StatusCode};
use kiro_simulator::{Faults, Script, Stall, Target};
use serde_json::{Value, json};

use crate::harness::{Plan, World, ask, eventually};
use crate::speakers::ALL;

impl World {
    async fn list(&self, query: &str) -> Vec<Value> {
        let answer = self.admin_ok(Method::GET, &format!("/api/flows?{query}"), None).await;
        answer["flows"].as_array().expect("a list").clone()
    }
}

/// Waits until everything is written: a stop writes what waits.
async fn restarted(world: &mut World) {
    world.restart(|_| {}).await.expect("opens again");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_of_every_protocol_are_found_by_what_is_known_of_them_and_outlive_a_restart() {
    let mut world = World::start().await;
    for api in ALL {
        let (status, answer) = world.whole(api, &api.ask("SAY: hello", false)).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
    }
    let (status, _) = world.send(&json!({"model": "claude-sonnet-4-5", "messages": "no list"})).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let all = world.list("").await;
    assert_eq!(all.len(), ALL.len() + 1);
    restarted(&mut world).await;
    assert_eq!(world.list("").await, all, "everything is as it was");

    let account = all.last().expect("one")["account"].as_str().expect("an account").to_owned();
    assert_eq!(world.list("outcome=failed").await, all[..1]);
    assert_eq!(world.list(&format!("account={account}&outcome=complete")).await.len(), ALL.len());
    assert_eq!(world.list("search=SOCIAL").await.len(), ALL.len(), "its label");
    for flow in &all {
        let protocol = flow["protocol"].as_str().expect("a protocol");
        let ids: Vec<Value> =
            world.list(&format!("protocol={protocol}")).await.iter().map(|f| f["id"].clone()).collect();
        assert!(ids.contains(&flow["id"]), "{protocol}");
        let one = world.admin_ok(Method::GET, &format!("/api/flows/{}", flow["id"].as_str().unwrap()), None).await;
        assert_eq!(&one, flow);
    }
    let stats = world.admin_ok(Method::GET, "/api/flows/stats", None).await;
    assert_eq!(stats["outcomes"], json!({"complete": ALL.len(), "failed": 1, "clientLeft": 0}));
    assert_eq!((&stats["store"], &stats["unsaved"]), (&json!("disk"), &json!(0)));
    let metered: f64 = all.iter().filter_map(|flow| flow["usage"]["credits"].as_f64()).sum();
    assert!(metered > 0.0 && (stats["credits"].as_f64().unwrap() - metered).abs() < 1e-9, "{stats}");
    let attempts = all.last().unwrap()["attempts"].as_array().unwrap().clone();
    assert_eq!(attempts[0]["credits"], all.last().unwrap()["usage"]["credits"], "metered for that attempt");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_read_in_pages_and_bad_wishes_are_refused_in_words() {
    let world = World::start().await;
    for n in 0..7 {
        world.send(&ask(&format!("SAY: {n}"))).await;
    }
    let first = world.admin_ok(Method::GET, "/api/flows?limit=3", None).await;
    world.send(&ask("SAY: meanwhile")).await;
    let next = format!("/api/flows?limit=3&before={}", first["next"]);
    let second = world.admin_ok(Method::GET, &next, None).await;
    let third = world.admin_ok(Method::GET, &format!("/api/flows?limit=3&before={}", second["next"]), None).await;
    assert_eq!((third["flows"].as_array().unwrap().len(), &third["next"]), (1, &Value::Null));
    let mut ids: Vec<String> = [first, second, third]
        .iter()
        .flat_map(|page| page["flows"].as_array().unwrap().iter().map(|flow| flow["id"].to_string()))
        .collect();
    ids.dedup();
    assert_eq!(ids.len(), 7);
    for wrong in ["limit=x", "outcome=odd", "since=yesterday", "bookmarked=maybe", "before=-1"] {
        let (status, problem) = world.admin(Method::GET, &format!("/api/flows?{wrong}"), None).await;
        assert_eq!((status, &problem["code"]), (StatusCode::BAD_REQUEST, &json!("invalid_request")), "{wrong}");
    }
    let (status, problem) = world.admin(Method::GET, "/api/flows/nobody", None).await;
    assert_eq!((status, &problem["code"]), (StatusCode::NOT_FOUND, &json!("not_found")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_under_way_is_listed_as_such_and_cannot_be_marked_yet() {
    let world = World::start().await;
    let faults = Faults { stall: vec![Stall { at: 0, for_ms: None }], ..Faults::default() };
    world.control.enqueue(Target::Any, Script { faults, ..Script::default() });
    let asking = tokio::spawn(world.request(&ask("SAY: later")).send());
    eventually("the request is under way", || world.upstream_calls() == 1).await;
    let list = world.admin_ok(Method::GET, "/api/flows?outcome=running", None).await;
    assert_eq!((list["flows"].as_array().unwrap().len(), list["running"].as_array().unwrap().len()), (0, 1), "{list}");
    let running = &list["running"][0];
    assert_eq!((&running["outcome"], &running["model"]), (&json!("running"), &json!("claude-sonnet-4-5")));
    let path = format!("/api/flows/{}", running["id"].as_str().unwrap());
    assert_eq!(world.admin_ok(Method::GET, &path, None).await["outcome"], "running");
    let (status, _) = world.admin(Method::PATCH, &path, Some(json!({"bookmarked": true}))).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    asking.abort();
    eventually("the client has left", || world.gateway.status().in_flight == 0).await;
    let one = world.admin_ok(Method::GET, &path, None).await;
    assert_eq!(one["outcome"], "clientLeft");
}

#[tokio::test(flavor = "multi_thread")]
async fn marks_are_saved_found_and_outlive_the_limit_a_restart_and_a_clearing() {
    let mut world = Plan::default().set("flows.maxEntries", 10).start().await;
    world.send(&ask("SAY: remember")).await;
    let id = world.list("").await[0]["id"].as_str().unwrap().to_owned();
    let path = format!("/api/flows/{id}");
    let change = json!({"bookmarked": true, "note": "the odd one", "tags": ["odd", "later"]});
    let marked = world.admin_ok(Method::PATCH, &path, Some(change)).await;
    assert_eq!((&marked["note"], &marked["tags"]), (&json!("the odd one"), &json!(["odd", "later"])));
    for _ in 0..15 {
        world.send(&ask("SAY: more")).await;
    }
    restarted(&mut world).await;
    assert_eq!(world.list("").await.len(), 11);
    for query in ["bookmarked=true", "tag=odd", "search=the%20odd%20one"] {
        let found = world.list(query).await;
        assert_eq!((found.len(), &found[0]["id"]), (1, &json!(id)), "{query}");
    }
    for wrong in [json!({"note": "x".repeat(4001)}), json!({"tags": ["y".repeat(41)]})] {
        let (status, problem) = world.admin(Method::PATCH, &path, Some(wrong.clone())).await;
        assert_eq!((status, &problem["code"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("invalid_fields")));
        assert!(problem["fields"][wrong.as_object().unwrap().keys().next().unwrap()].is_object(), "{problem}");
    }
    let (status, _) = world.admin(Method::PATCH, &path, Some(json!({"bookmark": true}))).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "a misspelt member is told");
    let cleared = world.admin_ok(Method::DELETE, "/api/flows", None).await;
    assert_eq!(cleared["deleted"], 10);
    restarted(&mut world).await;
    assert_eq!(world.list("").await, [marked]);
    assert_eq!(world.admin_ok(Method::DELETE, "/api/flows?marked=true", None).await["deleted"], 1);
    restarted(&mut world).await;
    assert!(world.list("").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_what_was_asked_answered_or_shown_as_a_key_is_in_records_files_or_exports() {
    let mut world = World::start().await;
    let canary = "canary-in-the-coal-mine";
    let mut body = ask(&format!("SAY: {canary}-answer"));
    body["system"] = format!("{canary}-system").into();
    body["metadata"] = json!({"user_id": format!("{canary}-user")});
    let answer =
        world.request(&body).header("user-agent", format!("tool/1 {}", world.key)).send().await.expect("an answer");
    assert!(answer.text().await.expect("text").contains(canary));
    let url = format!("{}/v1beta/models/gemini-pro:generateContent?key={}", world.url, world.key);
    let asked = json!({"contents": [{"role": "user", "parts": [{"text": format!("SAY: {canary}")}]}]});
    world.http.post(url).json(&asked).send().await.expect("an answer");
    world.gateway.stop().await;
    let mut seen = Vec::new();
    for entry in std::fs::read_dir(world.data_dir().join("flows")).expect("a folder") {
        seen.extend(std::fs::read(entry.expect("an entry").path()).expect("read"));
    }
    world.restart(|_| {}).await.expect("opens again");
    assert_eq!(world.list("").await.len(), 2);
    for format in ["json", "jsonl", "markdown"] {
        let export = world.admin_ok(Method::POST, "/api/flows/export", Some(json!({"format": format}))).await;
        assert_eq!(export["flows"], 2);
        seen.extend(export.to_string().into_bytes());
    }
    seen.extend(world.admin_ok(Method::GET, "/api/flows", None).await.to_string().into_bytes());
    let seen = String::from_utf8(seen).expect("text");
    for secret in [canary, &world.key, &world.key[..24]] {
        assert!(!seen.contains(secret), "{secret} in {seen}");
    }
    assert!(seen.contains("tool/1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn exports_take_a_filter_or_ids_and_every_form_is_readable() {
    let world = World::start().await;
    world.send(&ask("SAY: one")).await;
    world.send(&json!({"model": "claude-sonnet-4-5", "messages": 5})).await;
    let failed = world.list("outcome=failed").await[0]["id"].clone();
    let export = |body: Value| world.admin_ok(Method::POST, "/api/flows/export", Some(body));
    let lines = export(json!({"format": "jsonl", "filter": {"outcome": "failed"}})).await;
    assert_eq!((&lines["flows"], &lines["mediaType"]), (&json!(1), &json!("application/jsonl")));
    let line: Value = serde_json::from_str(lines["content"].as_str().unwrap()).expect("a line of JSON");
    assert_eq!(line["id"], failed);
    let whole = export(json!({"format": "json"})).await;
    let document: Value = serde_json::from_str(whole["content"].as_str().unwrap()).expect("JSON");
    assert_eq!(document["flows"].as_array().unwrap().len(), 2);
    let page = export(json!({"format": "markdown", "ids": [failed]})).await;
    assert!(page["fileName"].as_str().unwrap().ends_with(".md"), "{page}");
    assert!(page["content"].as_str().unwrap().contains("1 request."), "{page}");
    let (status, _) =
        world.admin(Method::POST, "/api/flows/export", Some(json!({"format": "json", "ids": ["x"]}))).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let (status, _) = world.admin(Method::POST, "/api/flows/export", Some(json!({"format": "html"}))).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_settings_of_records_take_effect_at_once() {
    let world = World::start().await;
    for _ in 0..12 {
        world.send(&ask("SAY: hello")).await;
    }
    let files = || {
        let found = std::fs::read_dir(world.data_dir().join("flows")).into_iter().flatten().flatten();
        found.filter(|file| file.path().extension().is_some_and(|extension| extension == "jsonl")).count()
    };
    eventually("records are on disk", || files() > 0).await;
    patch(&world, json!({"maxEntries": 10})).await;
    wait_for(&world, 10).await;
    patch(&world, json!({"store": "memory"})).await;
    eventually("the files are gone", || files() == 0).await;
    assert_eq!(world.list("").await.len(), 10);
    patch(&world, json!({"store": "off"})).await;
    wait_for(&world, 0).await;
    world.send(&ask("SAY: unseen")).await;
    assert!(world.list("").await.is_empty());
}

async fn patch(world: &World, settings: Value) {
    let revision = world.admin_ok(Method::GET, "/api/settings", None).await["revision"].clone();
    let body = json!({"revision": revision, "patch": {"flows": settings}});
    world.admin_ok(Method::PATCH, "/api/settings", Some(body)).await;
}

/// Waits until a saved setting is obeyed.
async fn wait_for(world: &World, many: usize) {
    let mut events = world.gateway.events();
    let obeyed = async {
        while world.list("").await.len() != many {
            // Told after every section has followed.
            let _ = events.recv().await;
        }
    };
    assert!(tokio::time::timeout(crate::harness::PATIENCE, obeyed).await.is_ok(), "never {many} records");
}
