//! Which account answers: what a person changes about accounts takes effect at once, is saved, and is told.

use http::{Method, StatusCode};
use kiro_simulator::{Answer, Family, Script, Target};
use serde_json::{Value, json};

use crate::harness::{Plan, World, ask, fresh_login};

async fn three() -> World {
    let accounts = [("social", Family::Social), ("idc", Family::Idc), ("builderid", Family::BuilderId)];
    Plan::default().accounts(accounts.map(|(id, family)| fresh_login(id, family)).to_vec()).start().await
}

/// Id of the account at this place of the list.
async fn nth(world: &World, at: usize) -> String {
    let accounts = world.admin_ok(Method::GET, "/api/accounts", None).await;
    accounts["accounts"][at]["id"].as_str().expect("an id").to_owned()
}

async fn change(world: &World, id: &str, change: Value) -> Value {
    world.admin_ok(Method::PATCH, &format!("/api/accounts/{id}"), Some(change)).await
}

/// The account that answered the newest request.
async fn answered(world: &World) -> String {
    let (status, reply) = world.send(&ask("SAY: hello")).await;
    assert_eq!(status, StatusCode::OK, "{reply}");
    world.flows().await[0]["account"].as_str().expect("an account").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_account_can_be_chosen_for_everything_and_the_choice_outlives_a_restart() {
    let mut world = three().await;
    let second = nth(&world, 1).await;
    world.admin_ok(Method::PUT, "/api/accounts/only", Some(json!({"account": second}))).await;
    assert_eq!(world.admin_ok(Method::GET, "/api/accounts", None).await["only"], json!(second));
    for _ in 0..3 {
        assert_eq!(answered(&world).await, second);
    }
    world.restart(|_| {}).await.expect("opens");
    world.listen().await;
    // Memory is this world's store of secrets: what matters is who would be asked.
    assert_eq!(world.admin_ok(Method::GET, "/api/accounts", None).await["only"], json!(second));
    world.admin_ok(Method::PUT, "/api/accounts/only", Some(json!({"account": null}))).await;
    assert_eq!(world.admin_ok(Method::GET, "/api/accounts", None).await["only"], Value::Null);
    let (status, _) = world.admin(Method::PUT, "/api/accounts/only", Some(json!({"account": "nobody"}))).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_choice_of_one_account_ends_with_it_and_not_while_its_removal_can_be_undone() {
    let world = three().await;
    let chosen = async || world.admin_ok(Method::GET, "/api/accounts", None).await["only"].clone();
    let [first, second] = [nth(&world, 0).await, nth(&world, 1).await];
    world.admin_ok(Method::PUT, "/api/accounts/only", Some(json!({"account": second}))).await;
    world.admin_ok(Method::DELETE, &format!("/api/accounts/{first}"), None).await;
    assert_eq!(chosen().await, json!(second), "another one was removed");

    let path = format!("/api/accounts/{second}");
    world.admin_ok(Method::DELETE, &format!("{path}?undoSeconds=60"), None).await;
    let (status, reply) = world.send(&ask("SAY: hello")).await;
    assert!(status.is_server_error() && reply.to_string().contains("accounts.only"), "{reply}");
    world.admin_ok(Method::POST, &format!("{path}/undo-removal"), None).await;
    assert_eq!(answered(&world).await, second);
    world.admin_ok(Method::DELETE, &path, None).await;
    assert_eq!(chosen().await, Value::Null);
    assert_ne!(answered(&world).await, second);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_stays_with_the_account_that_answered_it() {
    let world = three().await;
    let request = |session: &str| world.request(&ask("SAY: hello")).header("x-claude-code-session-id", session);
    for session in ["s1", "s2", "s3"] {
        let mut accounts = Vec::new();
        for _ in 0..4 {
            assert_eq!(request(session).send().await.expect("an answer").status(), StatusCode::OK);
            accounts.push(world.flows().await[0]["account"].clone());
        }
        accounts.dedup();
        assert_eq!(accounts.len(), 1, "{session}");
    }
    world.assert_no_violations();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_keys_groups_hold_for_its_requests_alone() {
    let world = three().await;
    let third = nth(&world, 2).await;
    change(&world, &third, json!({"tags": ["night"]})).await;
    let keys = world.admin_ok(Method::GET, "/api/keys", None).await;
    let key = keys["keys"][0]["id"].as_str().expect("a key").to_owned();
    let restrict = json!({"options": {"accountTags": ["night"]}});
    world.admin_ok(Method::PATCH, &format!("/api/keys/{key}"), Some(restrict)).await;
    for _ in 0..3 {
        assert_eq!(answered(&world).await, third);
    }
    change(&world, &third, json!({"tags": null})).await;
    let (status, reply) = world.send(&ask("SAY: hello")).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "{reply}");
    assert_eq!(world.flows().await[0]["failureCode"], "accounts_not_permitted");
}

#[tokio::test(flavor = "multi_thread")]
async fn switching_off_and_restoring_take_effect_at_once() {
    let world = Plan::default().accounts(vec![fresh_login("social", Family::Social)]).start().await;
    let only = nth(&world, 0).await;
    let off = change(&world, &only, json!({"enabled": false})).await;
    assert_eq!((&off["enabled"], &off["state"]["kind"]), (&json!(false), &json!("disabled")));
    assert_eq!(world.send(&ask("SAY: hello")).await.0, StatusCode::FORBIDDEN);
    assert_eq!(change(&world, &only, json!({"enabled": true})).await["state"]["kind"], "ready");
    answered(&world).await;

    world.control.suspend("social", true);
    assert_eq!(world.send(&ask("SAY: hello")).await.0, StatusCode::FORBIDDEN);
    let calls = world.upstream_calls();
    for _ in 0..5 {
        let (status, reply) = world.send(&ask("SAY: hello")).await;
        assert_eq!(status, StatusCode::FORBIDDEN);
        assert!(reply.to_string().contains("kiro-proxy accounts restore"), "what really ends it is named: {reply}");
    }
    assert_eq!(world.upstream_calls(), calls, "a suspended account is not asked");
    let shown = world.admin_ok(Method::GET, &format!("/api/accounts/{only}"), None).await;
    assert_eq!(shown["state"]["kind"], "suspended");
    assert_eq!(shown["lastFailure"]["code"], "TEMPORARILY_SUSPENDED");

    world.control.suspend("social", false);
    let restored = world.admin_ok(Method::POST, &format!("/api/accounts/{only}/restore"), None).await;
    assert_eq!(restored["state"]["kind"], "ready");
    answered(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_is_shown_with_its_end_and_ends_with_a_persons_word() {
    let world = Plan::default().accounts(vec![fresh_login("social", Family::Social)]).start().await;
    let only = nth(&world, 0).await;
    answered(&world).await;
    for _ in 0..3 {
        world.control.enqueue(
            Target::Any,
            Script { answer: Answer::Error("throttled-retry-after".into()), ..Script::default() },
        );
    }
    let (status, _) = world.send(&ask("SAY: hello")).await;
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
    let shown = world.admin_ok(Method::GET, &format!("/api/accounts/{only}"), None).await;
    assert_eq!(shown["state"]["kind"], "coolingDown");
    assert!(shown["state"]["until"].is_string() || shown["state"]["until"].is_number(), "{shown}");
    world.admin_ok(Method::POST, &format!("/api/accounts/{only}/restore"), None).await;
    answered(&world).await;
}

/// The host that answered the account, once it is written down.
async fn learned(world: &World, id: &str) -> String {
    let learning = async {
        loop {
            let shown = world.admin_ok(Method::GET, &format!("/api/accounts/{id}"), None).await;
            if let Some(host) = shown["learnedHost"].as_str() {
                return host.to_owned();
            }
        }
    };
    tokio::time::timeout(crate::harness::PATIENCE, learning).await.expect("learned")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_host_that_answered_is_shown_and_asked_first() {
    let world = Plan::default().accounts(vec![fresh_login("builderid", Family::BuilderId)]).start().await;
    let only = nth(&world, 0).await;
    answered(&world).await;
    let learned = learned(&world, &only).await;
    let host = world.flows().await[0]["attempts"].as_array().expect("a list").last().expect("one")["host"].clone();
    assert_eq!(host, json!(learned));
    let (status, problem) =
        world.admin(Method::PATCH, &format!("/api/accounts/{only}"), Some(json!({"host": "evil.example"}))).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        problem["fields"]["host"]["message"].as_str().is_some_and(|words| words.contains("q.us-east-1")),
        "{problem}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_account_finds_its_host_without_being_called_dead() {
    let families = [
        ("social", Family::Social),
        ("builderid", Family::BuilderId),
        ("idc", Family::Idc),
        ("entra", Family::ExternalIdp),
        ("apikey", Family::ApiKey),
    ];
    for (name, family) in families {
        let world = Plan::default().accounts(vec![fresh_login(name, family)]).start().await;
        answered(&world).await;
        let id = nth(&world, 0).await;
        let shown = world.admin_ok(Method::GET, &format!("/api/accounts/{id}"), None).await;
        assert_eq!(shown["state"]["kind"], "ready", "{name}: {shown}");
        learned(&world, &id).await;
        world.assert_no_violations();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn more_requests_than_places_wait_in_line_and_are_all_answered() {
    let world = Plan::default().set("accounts.concurrency", 2).start().await;
    let answers =
        futures_util::future::join_all((0..40).map(|_| async { world.send(&ask("SAY: hello")).await.0 })).await;
    assert!(answers.iter().all(|status| *status == StatusCode::OK), "{answers:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_that_an_older_version_saved_still_holds() {
    let mut world = Plan { listen: false, ..Plan::default() }.start().await;
    world.gateway.stop().await;
    let file = world.data_dir().join("settings.json");
    let old = json!({"schema": 1, "revision": 3, "settings": {"limits": {"accountConcurrency": 77, "retries": 1}}});
    std::fs::write(&file, old.to_string()).unwrap();
    world.restart(|options| options.overrides.truncate(1)).await.expect("opens");
    let now = world.admin_ok(Method::GET, "/api/settings", None).await;
    assert_eq!(now["settings"]["accounts"]["concurrency"], 77);
    assert_eq!(now["settings"]["limits"]["retries"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_certificates_that_cannot_be_used_is_refused_in_plain_words() {
    let world = Plan { listen: false, ..Plan::default() }.start().await;
    let broken = world.dir.path().join("roots.pem");
    std::fs::write(&broken, "not a certificate").unwrap();
    for path in ["/nowhere/roots.pem", broken.to_str().unwrap(), "relative.pem"] {
        let revision = world.admin_ok(Method::GET, "/api/settings", None).await["revision"].clone();
        let patch = json!({"revision": revision, "patch": {"network": {"extraCaFile": path}}});
        let (status, problem) = world.admin(Method::PATCH, "/api/settings", Some(patch)).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{path}: {problem}");
        assert!(problem["fields"]["network.extraCaFile"]["message"].is_string(), "{problem}");
    }
}
