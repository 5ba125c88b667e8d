//! One login, two programs, and a service that takes every refresh token once only.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use http::{Method, StatusCode};
use kiro_simulator::{AccountSeed, Config, Family, Simulator};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{client, fresh_login};
use crate::program::{Home, Program, in_memory};

const ROUNDS: usize = 10_000;
/// Rounds of the owner that does not know our lock.
const OWNER_ROUNDS: usize = 1_500;

/// The service and the owner's file.
struct Shared {
    simulator: Simulator,
    folder: TempDir,
}

impl Shared {
    async fn start() -> Self {
        let seed = AccountSeed::new("shared", Family::Social);
        let config = Config { accounts: vec![seed.clone()], journal_entries: 64, ..Config::default() };
        let simulator = Simulator::start(config).await.expect("the stand-in starts");
        let shared = Self { simulator, folder: in_memory("kp-owner-") };
        let login = json!({
            "accessToken": seed.access_token,
            "refreshToken": seed.refresh_token,
            "profileArn": seed.profile_arn,
            "expiresAt": "2099-01-01T00:00:00.000Z",
            "authMethod": "social",
            "provider": "Google",
        });
        replace(&shared.file(), &login);
        shared
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("kiro-auth-token.json")
    }

    fn login(&self) -> Value {
        read(&self.file())
    }

    /// A gateway that shares the login and writes back.
    async fn gateway(&self, home: &Home) -> (Program, String) {
        let program = home.serve().await;
        let mut admin = program.admin().await;
        let body = json!({"content": fresh_login("shared", Family::Social).to_string()});
        let added = admin.ok(Method::POST, "/api/accounts/import", Some(body)).await;
        let id = added["imported"][0]["id"].as_str().expect("an id").to_owned();
        program.stop().await;
        let list = home.data().join("accounts.json");
        let mut accounts = read(&list);
        accounts["accounts"][0]["origin"] = "linked".into();
        accounts["accounts"][0]["link"] = json!({"owner": "kiroIde", "path": self.file()});
        replace(&list, &accounts);
        let program = home.serve().await;
        let path = format!("/api/accounts/{id}/link");
        program.admin().await.ok(Method::PATCH, &path, Some(json!({"writeBack": true}))).await;
        (program, id)
    }

    /// Nobody is logged out: the token in the owner's file is the one that the service takes.
    fn assert_whole(&self) {
        let alive = self.simulator.control().accounts()[0].refresh_token.clone().expect("a living token");
        assert_eq!(self.login()["refreshToken"], alive, "the owner is logged out");
    }
}

fn read(path: &Path) -> Value {
    loop {
        // A reader of a file that is replaced in place can meet half of it.
        if let Some(value) = std::fs::read(path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()) {
            return value;
        }
        std::thread::yield_now();
    }
}

fn replace(path: &Path, value: &Value) {
    use std::os::unix::fs::PermissionsExt as _;
    let new = path.with_extension("new");
    std::fs::write(&new, value.to_string()).unwrap();
    std::fs::set_permissions(&new, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::rename(new, path).unwrap();
}

async fn refresh(program: &Program, id: &str, rounds: usize) {
    let mut admin = program.admin().await;
    for round in 0..rounds {
        let (status, answer) =
            admin.call(Method::POST, &format!("/api/accounts/{id}/refresh"), None).await.expect("an answer");
        assert_eq!(status, StatusCode::OK, "round {round}: {answer}");
    }
}

async fn assert_ready(program: &Program) {
    let list = program.admin().await.ok(Method::GET, "/api/accounts", None).await;
    let account = &list["accounts"][0];
    assert_eq!(account["state"]["kind"], "ready", "{account}");
    assert_eq!(account["link"]["divergedAt"], Value::Null, "{account}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_gateways_that_share_a_login_lose_it_in_none_of_ten_thousand_rounds() {
    let (shared, begun) = (Shared::start().await, Instant::now());
    let control = shared.simulator.control();
    let homes = [Home::fast(&shared.simulator.url()), Home::fast(&shared.simulator.url())];
    let (one, id_one) = shared.gateway(&homes[0]).await;
    let (two, id_two) = shared.gateway(&homes[1]).await;
    tokio::join!(refresh(&one, &id_one, ROUNDS / 2), refresh(&two, &id_two, ROUNDS / 2));
    let counters = control.counters();
    println!(
        "{ROUNDS} rounds of two gateways on one login: 0 log-ins lost, {} rotations, {} refused; {:.0} s",
        counters.refreshes,
        counters.refreshes_refused,
        begun.elapsed().as_secs_f64()
    );
    assert_eq!(counters.refreshes_refused, 0, "under the lock nobody sends a used token");
    assert!(counters.refreshes > 1_000, "they did rotate: {counters:?}");
    shared.assert_whole();
    assert_ready(&one).await;
    assert_ready(&two).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_that_does_not_know_the_lock_and_a_gateway_both_stay_logged_in() {
    let (shared, begun) = (Arc::new(Shared::start().await), Instant::now());
    let home = Home::fast(&shared.simulator.url());
    let (program, id) = shared.gateway(&home).await;
    let owner = {
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let http = client();
            let mut refused = 0;
            for _ in 0..OWNER_ROUNDS {
                refused += owner_refresh(&shared, &http).await;
            }
            refused
        })
    };
    refresh(&program, &id, OWNER_ROUNDS).await;
    let refused = owner.await.expect("the owner stays logged in");
    let counters = shared.simulator.control().counters();
    println!(
        "{OWNER_ROUNDS} rounds each of a gateway and an owner without a lock: 0 log-ins lost, {} rotations, {} lost races ({refused} of them the owner's); {:.0} s",
        counters.refreshes - counters.refreshes_refused,
        counters.refreshes_refused,
        begun.elapsed().as_secs_f64()
    );
    shared.assert_whole();
    assert_ready(&program).await;
}

/// What the owner does: read its file, refresh, write its file; after a refusal read once more. Answers how often it was
/// refused.
async fn owner_refresh(shared: &Shared, http: &reqwest::Client) -> usize {
    let mut refused = 0;
    loop {
        let login = shared.login();
        let answer = http
            .post(format!("{}/refreshToken", shared.simulator.url()))
            .header("host", "prod.us-east-1.auth.desktop.kiro.dev")
            .json(&json!({"refreshToken": login["refreshToken"]}))
            .send()
            .await
            .expect("the service answers");
        if answer.status().is_success() {
            let new: Value = answer.json().await.expect("tokens");
            let mut login = login;
            login["accessToken"] = new["accessToken"].clone();
            login["refreshToken"] = new["refreshToken"].clone();
            replace(&shared.file(), &login);
            return refused;
        }
        refused += 1;
        assert!(refused < 200, "the owner is logged out");
        // Its file changes once the other one has written.
        while shared.login()["refreshToken"] == login["refreshToken"] {
            tokio::task::yield_now().await;
        }
    }
}
