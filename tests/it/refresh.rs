//! Tokens: one refresh however many wait, a rotated token is saved before it is used, and one forced refresh when the service forgot one.

use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode};
use kiro_gateway::StoreChoice;
use kiro_gateway::clock::{Clock as _, ManualClock, SystemClock};
use kiro_simulator::{AccountSeed, Family, Faults, Script, Target};
use serde_json::json;
use tokio::io::AsyncWriteExt as _;

use crate::harness::{Plan, World, ask, eventually, expired_login, fresh_login, login};

fn refreshes(world: &World) -> usize {
    world.control.journal().iter().filter(|e| matches!(e.operation.as_str(), "RefreshToken" | "CreateToken")).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_requests_on_an_expired_token_make_one_refresh() {
    let world = Arc::new(Plan::default().accounts(vec![expired_login("social", Family::Social)]).start().await);
    let mut running = tokio::task::JoinSet::new();
    for n in 0..1_000 {
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
async fn a_refresh_that_takes_long_holds_up_no_other_account() {
    let clock = Arc::new(ManualClock::new(SystemClock.now()));
    let (ours, ends) = (Arc::clone(&clock), clock.now().plus(Duration::from_secs(1800)).to_rfc3339());
    let soon = login(&AccountSeed::new("social", Family::Social), &ends);
    let mut plan = Plan::default()
        .accounts(vec![soon, fresh_login("second", Family::Social)])
        .options(move |options| options.clock = ours);
    plan.simulator.accounts.push(AccountSeed::new("second", Family::Social));
    let world = Arc::new(plan.start().await);
    // What the accounts are offered is known before it matters how long anything takes.
    let (status, reply) = world.send(&ask("SAY: first")).await;
    assert_eq!(status, StatusCode::OK, "{reply}");
    let held = Faults { hold_after: true, ..Faults::default() };
    world.control.enqueue(
        Target::Account("social".into()),
        Script { operation: "RefreshToken".into(), faults: held, ..Script::default() },
    );
    clock.advance(Duration::from_secs(1800));
    let mut running = tokio::task::JoinSet::new();
    for n in 0..20 {
        let world = Arc::clone(&world);
        running.spawn(async move { (n, world.send(&ask(&format!("SAY: number {n}"))).await) });
    }
    let mut answered = 0;
    while let Some(done) = running.join_next().await {
        let (n, (status, reply)) = done.unwrap_or_else(|error| panic!("{answered} answered before: {error}"));
        assert_eq!(status, StatusCode::OK, "{reply}");
        assert_eq!(reply["content"][0]["text"], format!("number {n}"));
        answered += 1;
        if answered == 5 {
            // Answered by the other account, while half of the requests wait for the one whose refresh is held.
            assert_eq!(refreshes(&world), 1);
            world.control.release();
        }
    }
    assert_eq!(refreshes(&world), 1);
    world.assert_no_violations();
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_hang_up_at_any_moment_of_a_refresh_lose_no_token() {
    let world = Plan::default().accounts(vec![expired_login("social", Family::Social)]).start().await;
    let authority = world.url.strip_prefix("http://").expect("a URL").to_owned();
    let body = ask("SAY: never read").to_string();
    let request = format!(
        "POST /v1/messages HTTP/1.1\r\nhost: {authority}\r\nx-api-key: {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        world.key,
        body.len()
    );
    for round in 0..45 {
        world.control.expire_tokens();
        let before = refreshes(&world);
        let mut socket = tokio::net::TcpStream::connect(&authority).await.expect("connects");
        socket.write_all(request.as_bytes()).await.expect("sent");
        match round % 3 {
            // At once.
            0 => {}
            // While the refresh is on its way.
            1 => eventually("a refresh", || refreshes(&world) > before).await,
            // After a number of turns of the scheduler.
            _ => {
                for _ in 0..round * 7 {
                    tokio::task::yield_now().await;
                }
            }
        }
        drop(socket);
        let (status, reply) = world.send(&ask("SAY: still here")).await;
        assert_eq!(status, StatusCode::OK, "round {round}: {reply}");
    }
    let refused = world.control.counters().refreshes_refused;
    assert_eq!(refused, 0, "a used token was sent");
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
async fn a_refresh_by_hand_that_works_ends_a_lost_login() {
    let world = Plan::default().accounts(vec![]).start().await;
    let refused = kiro_simulator::Answer::Http { status: 401, headers: vec![], body: "{}".into() };
    world
        .control
        .enqueue(Target::Any, Script { operation: "RefreshToken".into(), answer: refused, ..Script::default() });
    world.import(&expired_login("social", Family::Social)).await;
    let (status, _) = world.send(&ask("hello")).await;
    assert!(!status.is_success());
    let id = {
        let accounts = world.admin_ok(Method::GET, "/api/accounts", None).await;
        assert_eq!(accounts["accounts"][0]["state"]["kind"], "needsLogin", "{accounts}");
        accounts["accounts"][0]["id"].as_str().expect("an id").to_owned()
    };
    let account = world.admin_ok(Method::POST, &format!("/api/accounts/{id}/refresh"), None).await;
    assert_eq!(account["state"]["kind"], "ready", "{account}");
    let (status, reply) = world.send(&ask("hello")).await;
    assert_eq!(status, StatusCode::OK, "{reply}");
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
