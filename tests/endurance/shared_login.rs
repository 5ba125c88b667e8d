//! One login, two programs, and a service that takes every refresh token once only.

use std::sync::Arc;
use std::time::Instant;

use http::{Method, StatusCode};
use kiro_simulator::{AccountSeed, Config, Family, Simulator};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{PATIENCE, client, fresh_login};
use crate::owner::{Kind, Owner, read, replace};
use crate::program::{Home, Program, in_memory};

/// Rounds of two gateways.
const ROUNDS: usize = 10_000;
/// The same where the login is a row of a database, which takes longer to read and to write.
const DATABASE_ROUNDS: usize = 2_000;
/// Rounds of the owner that does not know our lock.
const OWNER_ROUNDS: usize = 1_500;
const DATABASE_OWNER_ROUNDS: usize = 500;
/// Rounds of a gateway that keeps what it buys to itself.
const LONE_ROUNDS: usize = 500;

/// The service and the owner's place for the login.
struct Shared {
    simulator: Simulator,
    owner: Owner,
    _folder: TempDir,
}

impl Shared {
    async fn start(kind: Kind) -> Self {
        let seed = AccountSeed::new("shared", Family::Social);
        let config = Config { accounts: vec![seed.clone()], journal_entries: 64, ..Config::default() };
        let simulator = Simulator::start(config).await.expect("the stand-in starts");
        let folder = in_memory("kp-owner-");
        let owner = Owner::signed_in(kind, folder.path(), &seed);
        Self { simulator, owner, _folder: folder }
    }

    /// A gateway that shares the login.
    async fn gateway(&self, home: &Home, write_back: bool) -> (Program, String) {
        let program = home.serve().await;
        let mut admin = program.admin().await;
        let body = json!({"content": fresh_login("shared", Family::Social).to_string()});
        let added = admin.ok(Method::POST, "/api/accounts/import", Some(body)).await;
        let id = added["imported"][0]["id"].as_str().expect("an id").to_owned();
        program.stop().await;
        let list = home.data().join("accounts.json");
        let mut accounts = read(&list);
        accounts["accounts"][0]["origin"] = "linked".into();
        accounts["accounts"][0]["link"] = json!({"owner": self.owner.kind.name(), "path": self.owner.path});
        replace(&list, &accounts);
        let program = home.serve().await;
        let path = format!("/api/accounts/{id}/link");
        program.admin().await.ok(Method::PATCH, &path, Some(json!({"writeBack": write_back}))).await;
        (program, id)
    }

    /// The refresh token that the service takes.
    fn alive(&self) -> String {
        self.simulator.control().accounts()[0].refresh_token.clone().expect("a living token")
    }

    /// Nobody is logged out: the token that the owner has is the one that the service takes.
    fn assert_whole(&self) {
        assert_eq!(self.owner.token(), self.alive(), "the owner is logged out");
    }
}

async fn refresh(program: &Program, id: &str, rounds: usize) {
    let mut admin = program.admin().await;
    for round in 0..rounds {
        let (status, answer) =
            admin.call(Method::POST, &format!("/api/accounts/{id}/refresh"), None).await.expect("an answer");
        assert_eq!(status, StatusCode::OK, "round {round}: {answer}");
    }
}

async fn account(program: &Program) -> Value {
    program.admin().await.ok(Method::GET, "/api/accounts", None).await["accounts"][0].clone()
}

async fn assert_ready(program: &Program) {
    let account = account(program).await;
    assert_eq!(account["state"]["kind"], "ready", "{account}");
    assert_eq!(account["link"]["divergedAt"], Value::Null, "{account}");
}

/// Two gateways, writing back, as fast as they can.
async fn two_gateways(kind: Kind, rounds: usize) {
    let (shared, begun) = (Shared::start(kind).await, Instant::now());
    let control = shared.simulator.control();
    let homes = [Home::fast(&shared.simulator.url()), Home::fast(&shared.simulator.url())];
    let (one, id_one) = shared.gateway(&homes[0], true).await;
    let (two, id_two) = shared.gateway(&homes[1], true).await;
    tokio::join!(refresh(&one, &id_one, rounds / 2), refresh(&two, &id_two, rounds / 2));
    let counters = control.counters();
    println!(
        "{rounds} rounds of two gateways on one login ({}): 0 log-ins lost, {} rotations, {} refused; {:.0} s",
        kind.name(),
        counters.refreshes,
        counters.refreshes_refused,
        begun.elapsed().as_secs_f64()
    );
    assert_eq!(counters.refreshes_refused, 0, "under the lock nobody sends a used token");
    assert!(counters.refreshes as usize > rounds / 10, "they did rotate: {counters:?}");
    shared.assert_whole();
    assert_ready(&one).await;
    assert_ready(&two).await;
}

/// A gateway that writes back, and the owner itself, which knows nothing of the lock.
async fn with_an_owner(kind: Kind, rounds: usize) {
    let (shared, begun) = (Arc::new(Shared::start(kind).await), Instant::now());
    let home = Home::fast(&shared.simulator.url());
    let (program, id) = shared.gateway(&home, true).await;
    let owner = {
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let http = client();
            let mut refused = 0;
            for _ in 0..rounds {
                refused += owner_refresh(&shared, &http).await;
            }
            refused
        })
    };
    refresh(&program, &id, rounds).await;
    let refused = owner.await.expect("the owner stays logged in");
    let counters = shared.simulator.control().counters();
    println!(
        "{rounds} rounds each of a gateway and an owner without a lock ({}): 0 log-ins lost, {} rotations, {} lost races ({refused} of them the owner's); {:.0} s",
        kind.name(),
        counters.refreshes - counters.refreshes_refused,
        counters.refreshes_refused,
        begun.elapsed().as_secs_f64()
    );
    shared.assert_whole();
    assert_ready(&program).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_gateways_that_share_a_login_lose_it_in_none_of_ten_thousand_rounds() {
    two_gateways(Kind::KiroIde, ROUNDS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_gateways_that_share_a_database_of_kiro_cli_lose_its_login_in_none_of_two_thousand_rounds() {
    two_gateways(Kind::KiroCli, DATABASE_ROUNDS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_that_does_not_know_the_lock_and_a_gateway_both_stay_logged_in() {
    with_an_owner(Kind::KiroIde, OWNER_ROUNDS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kiro_cli_with_its_database_and_a_gateway_both_stay_logged_in() {
    with_an_owner(Kind::KiroCli, DATABASE_OWNER_ROUNDS).await;
}

/// Writing back is off: what the owner has is used up with the first trade, which is told and never more than that; ours lives
/// on, and the owner's next sign-in is adopted.
#[tokio::test(flavor = "multi_thread")]
async fn without_writing_back_ours_lives_through_every_round_and_the_owners_used_up_copy_is_told() {
    for kind in [Kind::KiroIde, Kind::KiroCli] {
        let (shared, begun) = (Shared::start(kind).await, Instant::now());
        let control = shared.simulator.control();
        let home = Home::fast(&shared.simulator.url());
        let (program, id) = shared.gateway(&home, false).await;
        let before = shared.owner.login();
        let mut admin = program.admin().await;
        let usage = format!("/api/accounts/{id}/usage?fresh=true");
        admin.ok(Method::GET, &usage, None).await;
        assert_eq!(control.counters().refreshes, 0, "the owner's token is good: nothing is traded");
        assert_eq!(account(&program).await["link"]["divergedAt"], Value::Null);
        let mut diverged_at = Value::Null;
        for round in 0..LONE_ROUNDS {
            control.expire_tokens();
            let (status, answer) = admin.call(Method::GET, &usage, None).await.expect("an answer");
            assert_eq!(status, StatusCode::OK, "round {round}: {answer}");
            let account = account(&program).await;
            assert_eq!(account["state"]["kind"], "ready", "round {round}: {account}");
            let told = &account["link"]["divergedAt"];
            assert!(told.is_i64(), "round {round}: not told, {account}");
            assert!(diverged_at.is_null() || diverged_at == *told, "it is told since when, and that does not move");
            diverged_at = told.clone();
        }
        let counters = control.counters();
        println!(
            "{LONE_ROUNDS} rounds without writing back ({}): {} rotations, {} refused, ours alive, the owner's copy used up and told; {:.0} s",
            kind.name(),
            counters.refreshes,
            counters.refreshes_refused,
            begun.elapsed().as_secs_f64()
        );
        assert_eq!((counters.refreshes, counters.refreshes_refused), (LONE_ROUNDS as u64, 0));
        assert_eq!(shared.owner.login(), before, "the owner's place is the owner's");
        assert_ne!(shared.owner.token(), shared.alive());
        // The owner is refused, signs in anew, and its sign-in counts here, too.
        let http = client();
        assert!(trade(&shared, &http, &shared.owner.token()).await.is_none(), "what the owner has is used up");
        control.kill_refresh_tokens("shared");
        control.add_account(AccountSeed::new("shared", Family::Social));
        assert_eq!(owner_refresh(&shared, &http).await, 0);
        let adopted = async { while !account(&program).await["link"]["divergedAt"].is_null() {} };
        tokio::time::timeout(PATIENCE, adopted).await.expect("the owner's sign-in is adopted");
        assert_ready(&program).await;
        admin.ok(Method::GET, &usage, None).await;
        shared.assert_whole();
    }
}

/// What the owner does: read what it has, refresh, write down what it got; after a refusal read once more. Answers how often it
/// was refused.
async fn owner_refresh(shared: &Shared, http: &reqwest::Client) -> usize {
    let mut refused = 0;
    loop {
        let token = shared.owner.token();
        if let Some(new) = trade(shared, http, &token).await {
            shared.owner.write(&new["accessToken"], &new["refreshToken"]);
            return refused;
        }
        refused += 1;
        assert!(refused < 200, "the owner is logged out");
        // What it reads changes once the other one has written.
        while shared.owner.token() == token {
            tokio::task::yield_now().await;
        }
    }
}

/// Sends a refresh token to the service; nothing when it is refused.
async fn trade(shared: &Shared, http: &reqwest::Client, token: &str) -> Option<Value> {
    let answer = http
        .post(format!("{}/refreshToken", shared.simulator.url()))
        .header("host", "prod.us-east-1.auth.desktop.kiro.dev")
        .json(&json!({"refreshToken": token}))
        .send()
        .await
        .expect("the service answers");
    if answer.status().is_success() { Some(answer.json().await.expect("tokens")) } else { None }
}
