//! A sign-in that is cancelled once its account is there: while the service is asked what the account can do.

use http::{Method, StatusCode};
use kiro_simulator::{Faults, Script, Target};
use serde_json::{Value, json};

use crate::harness::{World, ask};
use crate::login::{begin, end, path, plan, until};
use crate::refresh::vault_key;

/// Begins a sign-in and stops it where the account is saved and the service asked about it.
async fn inspected(world: &World) -> Value {
    let faults = Faults { hold_before: true, ..Faults::default() };
    for operation in ["ListAvailableProfiles", "GetUsageLimits"] {
        let script = Script { operation: operation.into(), faults: faults.clone(), ..Script::default() };
        world.control.enqueue(Target::Any, script);
    }
    let login = begin(world, json!({"kind": "builderId", "form": "device"})).await;
    let now = until(world, &login, "the inspection", |now| now["state"] == "inspecting").await;
    assert!(now["account"]["id"].is_string(), "{now}");
    now
}

async fn accounts(world: &World) -> Vec<Value> {
    let list = world.admin_ok(Method::GET, "/api/accounts", None).await;
    list["accounts"].as_array().expect("a list").clone()
}

async fn records(world: &World) -> Value {
    world.admin_ok(Method::GET, "/api/vault", None).await["records"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_while_the_account_is_looked_at_takes_it_back_with_its_secrets() {
    let mut world = plan().options(|options| options.store = vault_key()).start().await;
    // The registration of the client is kept for the next sign-in.
    let first = begin(&world, json!({"kind": "builderId", "form": "device"})).await;
    let first = end(&world, &first).await;
    let id = first["account"]["id"].as_str().expect("an id");
    world.admin_ok(Method::DELETE, &format!("/api/accounts/{id}"), None).await;
    let before = records(&world).await;
    assert!(before.is_u64(), "the vault counts its records");

    let login = inspected(&world).await;
    assert_ne!(records(&world).await, before, "its secrets are in the vault");
    let cancelled = world.admin_ok(Method::DELETE, &path(&login), None).await;
    assert_eq!((&cancelled["state"], &cancelled["account"]), (&json!("cancelled"), &Value::Null), "{cancelled}");
    assert_eq!(accounts(&world).await, Vec::<Value>::new());
    assert_eq!(records(&world).await, before, "no half record");
    let id = login["account"]["id"].as_str().expect("an id");
    let list = std::fs::read_to_string(world.data_dir().join("accounts.json")).expect("reads");
    assert!(!list.contains(id), "{list}");
    world.control.release();
    world.restart(|_| {}).await.expect("opens");
    assert_eq!(accounts(&world).await, Vec::<Value>::new(), "nothing comes back");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_while_an_account_is_renewed_leaves_it_and_it_answers() {
    let mut world = plan().start().await;
    let first = begin(&world, json!({"kind": "builderId", "form": "device", "label": "mine"})).await;
    let first = end(&world, &first).await;
    let id = first["account"]["id"].clone();
    assert_eq!(first["state"], "done", "{first}");
    // The same person again: that it is the same one shows only when the service was asked.
    let login = inspected(&world).await;
    world.admin_ok(Method::DELETE, &path(&login), None).await;
    world.control.release();
    let left = accounts(&world).await;
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!((&left[0]["id"], &left[0]["label"]), (&id, &json!("mine")));
    world.listen().await;
    assert_eq!(world.send(&ask("SAY: still here")).await.0, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_stops_while_an_account_is_looked_at_keeps_it() {
    let mut world = plan().options(|options| options.store = vault_key()).start().await;
    let login = inspected(&world).await;
    world.control.release();
    world.restart(|_| {}).await.expect("opens");
    let left = accounts(&world).await;
    assert_eq!(left.len(), 1, "nobody took it back: {left:?}");
    assert_eq!(left[0]["id"], login["account"]["id"]);
    world.listen().await;
    assert_eq!(world.send(&ask("SAY: kept")).await.0, StatusCode::OK);
}
