//! Tokens: one refresh however many wait, a rotated token is saved before it is used, and one forced refresh when the service forgot one.

use std::sync::Arc;

use http::{Method, StatusCode};
use kiro_gateway::StoreChoice;
use kiro_simulator::{Family, Faults, Script, Target};
use serde_json::json;

use crate::harness::{Plan, World, ask, eventually, expired_login, fresh_login};

fn refreshes(world: &World) -> usize {
    world.control.journal().iter().filter(|e| matches!(e.operation.as_str(), "RefreshToken" | "CreateToken")).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_requests_on_an_expired_token_make_one_refresh() {
    let world = Arc::new(Plan::default().accounts(vec![expired_login("social", Family::Social)]).start().await);
    let mut running = tokio::task::JoinSet::new();
    for n in 0..200 {
        let world = Arc::clone(&world);
        running.spawn(async move {
            let (status, reply) = world.send(&ask(&format!("SAY: number {n}"))).await;
            assert_eq!(status, StatusCode::OK, "{reply}");
            assert_eq!(reply["content"][0]["text"], format!("number {n}"));
        });
    }
    while let Some(done) = running.join_next().await {
        done.expect("answered");
    }
    assert_eq!(refreshes(&world), 1);
    world.assert_no_violations();
}

#[tokio::test(flavor = "multi_thread")]
async fn each_login_kind_refreshes_an_expired_token() {
    for (id, family) in [
        ("social", Family::Social),
        ("builderid", Family::BuilderId),
        ("idc", Family::Idc),
        ("entra", Family::ExternalIdp),
    ] {
        let world = Plan::default().accounts(vec![expired_login(id, family)]).start().await;
        let (status, reply) = world.send(&ask("SAY: fresh")).await;
        assert_eq!(status, StatusCode::OK, "{id}: {reply}");
        world.assert_no_violations();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_the_service_forgot_is_refreshed_once_and_the_request_goes_through() {
    let world = World::start().await;
    world.control.expire_tokens();
    let (status, reply) = world.send(&ask("SAY: back again")).await;
    assert_eq!(status, StatusCode::OK, "{reply}");
    assert_eq!(refreshes(&world), 1);
    let (status, _) = world.send(&ask("SAY: and again")).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(refreshes(&world), 1, "the new token is kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_requests_whose_token_was_forgotten_share_one_forced_refresh() {
    let world = Arc::new(World::start().await);
    world.control.expire_tokens();
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let world = Arc::clone(&world);
        running.spawn(async move {
            let (status, reply) = world.send(&ask("SAY: ok")).await;
            assert_eq!(status, StatusCode::OK, "{reply}");
        });
    }
    while let Some(done) = running.join_next().await {
        done.expect("answered");
    }
    assert_eq!(refreshes(&world), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotated_refresh_token_survives_a_restart() {
    let key = vault_key();
    let mut world = Plan::default()
        .accounts(vec![expired_login("social", Family::Social)])
        .options(move |options| options.store = key)
        .start()
        .await;
    let (status, _) = world.send(&ask("SAY: one")).await;
    assert_eq!(status, StatusCode::OK);
    let alive = world.control.accounts().into_iter().find(|a| a.seed.id == "social").unwrap();
    assert_ne!(alive.refresh_token.as_deref(), Some(alive.seed.refresh_token.as_str()), "the stand-in rotated it");

    world.restart(|_| {}).await.expect("opens again");
    world.listen().await;
    world.control.expire_tokens();
    let (status, reply) = world.send(&ask("SAY: two")).await;
    assert_eq!(status, StatusCode::OK, "{reply}");
    world.assert_no_violations();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_during_a_refresh_loses_no_token() {
    let world = Plan::default().accounts(vec![]).start().await;
    let slow = Script {
        operation: "RefreshToken".into(),
        faults: Faults { headers_after_ms: 300, ..Faults::default() },
        ..Script::default()
    };
    world.control.enqueue(Target::Any, slow);
    world.import(&expired_login("social", Family::Social)).await;
    let request = world.request(&ask("SAY: never read")).send();
    let left = tokio::spawn(request);
    eventually("the refresh begins", || refreshes(&world) == 1).await;
    left.abort();
    let (status, reply) = world.send(&ask("SAY: still here")).await;
    assert_eq!(status, StatusCode::OK, "{reply}");
    assert_eq!(refreshes(&world), 1, "the refresh was finished for the one that left");
    world.assert_no_violations();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_refresh_token_asks_for_a_login_and_is_not_tried_again() {
    let world = Plan::default().accounts(vec![]).start().await;
    world.control.kill_refresh_tokens("social");
    world.import(&expired_login("social", Family::Social)).await;
    for _ in 0..3 {
        let (status, reply) = world.send(&ask("hello")).await;
        assert!(!status.is_success(), "{reply}");
        assert_eq!(reply["type"], "error");
    }
    assert_eq!(refreshes(&world), 1);
    let accounts = world.admin_ok(Method::GET, "/api/accounts", None).await;
    assert_eq!(accounts["accounts"][0]["state"]["kind"], "needsLogin", "{accounts}");
}

#[tokio::test(flavor = "multi_thread")]
async fn trouble_at_the_identity_provider_is_not_taken_for_a_dead_login() {
    let world = Plan::default().accounts(vec![]).start().await;
    let broken = kiro_simulator::Answer::Http { status: 500, headers: vec![], body: "{}".into() };
    for _ in 0..6 {
        world.control.enqueue(
            Target::Any,
            Script { operation: "RefreshToken".into(), answer: broken.clone(), ..Script::default() },
        );
    }
    world.import(&expired_login("social", Family::Social)).await;
    let (status, _) = world.send(&ask("hello")).await;
    assert!(!status.is_success());
    let accounts = world.admin_ok(Method::GET, "/api/accounts", None).await;
    assert_ne!(accounts["accounts"][0]["state"]["kind"], "needsLogin", "{accounts}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_login_imported_twice_is_one_account() {
    let world = World::start().await;
    let body = json!({"content": fresh_login("social", Family::Social).to_string()});
    let again = world.admin_ok(Method::POST, "/api/accounts/import", Some(body)).await;
    assert_eq!(again["imported"], json!([]), "{again}");
    assert_eq!(again["duplicates"].as_array().map(Vec::len), Some(1), "{again}");
}

/// A vault with a key of this run.
pub fn vault_key() -> StoreChoice {
    use base64::Engine as _;
    let bytes: Vec<u8> =
        uuid::Uuid::new_v4().into_bytes().into_iter().chain(uuid::Uuid::new_v4().into_bytes()).collect();
    StoreChoice::Vault(kiro_gateway::VaultKeySource::Key(
        base64::engine::general_purpose::STANDARD.encode(bytes).into(),
    ))
}
