//! The real program over the real keychain of this session, killed where its logins are most at risk. Runs only with
//! `KIRO_TEST_KEYCHAIN=1`, in a private session: see `gateway/tests/keychain_real.rs`, whose step in `make test` runs this, too.
#![cfg(target_os = "linux")]
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::print_stderr,
    unreachable_pub,
    reason = "tests start tasks, read the environment and say what they skip; nobody outside uses this program"
)]

#[allow(dead_code, reason = "shared with the integration tests, which use all of it")]
#[path = "../it/harness.rs"]
mod harness;
#[allow(dead_code, reason = "shared with the integration tests, which use all of it")]
#[path = "../it/home.rs"]
mod home;
#[allow(dead_code, reason = "shared with the integration tests, which use all of it")]
#[path = "../it/recorder.rs"]
mod recorder;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::StatusCode;
use kiro_gateway::account::AccountId;
use kiro_gateway::credential::{Credentials, KeychainStore, SecretId, SystemKeychain};
use kiro_simulator::{AccountSeed, Config, Family, Faults, Script, Simulator, Target};
use rustix::fs::inotify::{self, CreateFlags, Reader, WatchFlags};
use rustix::process::{Pid, Signal, kill_process};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use tokio::process::Child;

use harness::{PATIENCE, eventually};
use home::{Home, Serving, question, text};
use recorder::Recorder;

const BUS: &str = "DBUS_SESSION_BUS_ADDRESS";

fn wanted(test: &str) -> bool {
    let on = std::env::var_os("KIRO_TEST_KEYCHAIN").is_some_and(|value| value == "1");
    if !on {
        eprintln!("SKIPPED {test}: set KIRO_TEST_KEYCHAIN=1 in a private session with an unlocked keyring to run it");
    }
    on
}

/// The process that keeps the secrets of this session.
struct Keyring(Pid);

impl Keyring {
    fn of_this_session() -> Self {
        let bus = std::env::var(BUS).expect("a session bus");
        let here = format!("{BUS}={bus}");
        let is_it = |process: &PathBuf| {
            let name = std::fs::read_to_string(process.join("comm")).unwrap_or_default();
            let environment = std::fs::read(process.join("environ")).unwrap_or_default();
            name.starts_with("gnome-keyring-d")
                && environment.split(|byte| *byte == 0).any(|one| one == here.as_bytes())
        };
        let process = std::fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path()).find(is_it);
        let id = process.and_then(|path| path.file_name()?.to_str()?.parse().ok()).and_then(Pid::from_raw);
        Self(id.expect("the keyring of this session runs"))
    }

    /// It answers nobody until [`Self::wake`].
    fn freeze(&self) {
        kill_process(self.0, Signal::STOP).unwrap();
    }

    fn wake(&self) {
        kill_process(self.0, Signal::CONT).unwrap();
    }
}

impl Drop for Keyring {
    fn drop(&mut self) {
        // A failed test leaves the other tests of the session a keyring that answers.
        let _ = kill_process(self.0, Signal::CONT);
    }
}

/// The program with one account whose secrets are in the keychain, and a service that takes every refresh token once.
struct House {
    simulator: Simulator,
    home: Home,
    serving: Serving,
    id: String,
}

impl House {
    async fn new() -> Self {
        let config = Config { accounts: vec![AccountSeed::new("social", Family::Social)], ..Config::default() };
        let simulator = Simulator::start(config).await.expect("the stand-in starts");
        let mut home = Home::new().upstream(&simulator.url());
        home.vault = false;
        home.environment.push((BUS, std::env::var(BUS).expect("a session bus")));
        let serving = home.serve(&[]).await;
        let status = home.json(&["status", "--json"]).await;
        assert_eq!(status["store"]["kind"], "keychain", "{status}");
        let added = home.json(&["accounts", "import", &home.login("social", Family::Social), "--json"]).await;
        let id = added["imported"][0]["id"].as_str().expect("an id").to_owned();
        Self { simulator, home, serving, id }
    }

    /// A person asks for a new token; the service exchanges it and holds its answer back.
    async fn exchanged(&self) -> Child {
        let control = self.simulator.control();
        let faults = Faults { hold_after: true, ..Faults::default() };
        control.enqueue(Target::Any, Script { operation: "RefreshToken".into(), faults, ..Script::default() });
        let asking = self.home.command(&["accounts", "refresh", &self.id]).spawn().expect("the program starts");
        eventually("the token is exchanged", || control.counters().refreshes == 1).await;
        asking
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.serving.id()).unwrap()).unwrap()
    }

    async fn dead(&mut self) {
        tokio::time::timeout(PATIENCE, self.serving.child.wait()).await.expect("killed").unwrap();
    }

    /// Whether the keychain has the token that the service takes.
    async fn is_saved(&self) -> bool {
        let keychain = Credentials::new(Arc::new(KeychainStore::new(SystemKeychain::default())));
        let record = keychain.load(&SecretId::account(&AccountId::from_text(self.id.clone()))).await.expect("readable");
        let token = record.expect("a record").refresh_token.expect("a token");
        self.simulator.control().accounts()[0].refresh_token.as_deref() == Some(token.expose_secret())
    }

    async fn account(&self) -> Value {
        self.home.json(&["accounts", "list", "--json"]).await["accounts"][0].clone()
    }

    /// After a restart: what is saved works, and what is not is told with its reason and made whole by a new sign-in.
    async fn comes_back(mut self, saved: bool) {
        self.serving = self.home.serve(&[]).await;
        let refreshed = self.home.run(&["accounts", "refresh", &self.id]).await;
        assert_eq!(refreshed.status.success(), saved, "{}", text(&refreshed.stderr));
        let (account, status) = (self.account().await, self.home.json(&["status", "--json"]).await);
        let lost = u64::from(!saved);
        assert_eq!(status["refreshes"], json!({"unsaved": 0, "cutShort": lost, "loginsLost": lost}), "{status}");
        assert_eq!(account["email"], "social@example.com");
        if saved {
            assert_eq!(account["state"]["kind"], "ready", "{account}");
        } else {
            let reason = account["state"]["reason"].as_str().unwrap_or_default();
            assert!(reason.contains("before its answer was safe"), "{account}");
            let control = self.simulator.control();
            control.kill_refresh_tokens("social");
            control.add_account(AccountSeed::new("social", Family::Social));
            self.home.json(&["accounts", "import", &self.home.login("social", Family::Social), "--json"]).await;
            let refreshed = self.home.run(&["accounts", "refresh", &self.id]).await;
            assert!(refreshed.status.success(), "{}", text(&refreshed.stderr));
        }
        // Nothing of it stays in the keychain of the session.
        let removed = self.home.run(&["accounts", "remove", &self.id]).await;
        assert!(removed.status.success(), "{}", text(&removed.stderr));
        assert_eq!(self.serving.stop().await, Some(0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keychain_real_killed_between_receiving_and_saving_the_loss_is_told_and_nothing_else_is_missing() {
    if !wanted("keychain_real_killed_between_receiving_and_saving_the_loss_is_told_and_nothing_else_is_missing") {
        return;
    }
    let mut house = House::new().await;
    let mut asking = house.exchanged().await;
    let keyring = Keyring::of_this_session();
    keyring.freeze();
    house.simulator.control().release();
    // The answer is there, and the save waits for the keychain.
    while house.home.json(&["status", "--json"]).await["refreshes"]["unsaved"] != 1 {}
    kill_process(house.pid(), Signal::KILL).unwrap();
    house.dead().await;
    asking.wait().await.unwrap();
    keyring.wake();
    assert!(!house.is_saved().await, "the kill came before the save");
    house.comes_back(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keychain_real_killed_while_the_keyring_writes_the_record_is_the_old_one_or_the_new_one() {
    if !wanted("keychain_real_killed_while_the_keyring_writes_the_record_is_the_old_one_or_the_new_one") {
        return;
    }
    // The keyring rewrites its file for the parts of the record and for its index, sometimes for several at once.
    for writes in 1..=3 {
        let mut house = House::new().await;
        let mut asking = house.exchanged().await;
        let pid = house.pid();
        let folder =
            PathBuf::from(std::env::var_os("XDG_RUNTIME_DIR").expect("a private session")).join("data/keyrings");
        let watch = inotify::init(CreateFlags::CLOEXEC).unwrap();
        inotify::add_watch(&watch, &folder, WatchFlags::MOVED_TO).unwrap();
        let over = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&over);
        std::thread::spawn(move || {
            let mut room = [std::mem::MaybeUninit::uninit(); 4096];
            let mut events = Reader::new(watch, &mut room);
            for _ in 0..writes {
                events.next().unwrap();
            }
            if !seen.load(Ordering::SeqCst) {
                // It may have ended by itself in the meantime.
                let _ = kill_process(pid, Signal::KILL);
            }
        });
        house.simulator.control().release();
        // Killed by then, or answered because there were fewer writes.
        tokio::time::timeout(PATIENCE, asking.wait()).await.expect("ended").unwrap();
        let _ = kill_process(pid, Signal::KILL);
        house.dead().await;
        over.store(true, Ordering::SeqCst);
        let saved = house.is_saved().await;
        eprintln!(
            "killed after write {writes} of the keyring: {}",
            if saved { "the new record" } else { "the old one" }
        );
        house.comes_back(saved).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keychain_real_the_login_at_a_proxy_moves_with_all_secrets_and_is_used_from_there() {
    if !wanted("keychain_real_the_login_at_a_proxy_moves_with_all_secrets_and_is_used_from_there") {
        return;
    }
    let house = House::new().await;
    let proxy = Recorder::http(Some("alice:pass:word")).await;
    let address = format!("http://alice:pass%3Aword@{}", proxy.address);
    house.home.json(&["accounts", "proxy", &house.id, &address, "--json"]).await;
    // What was asked before there was a proxy.
    let before = house.simulator.control().counters().connections;
    let key = text(&house.home.run(&["keys", "reveal"]).await.stdout).trim().to_owned();
    let mut passed = 0;
    let mut asked = async |what: &str| {
        let (status, reply) = question(&house.serving.address, &key, &format!("SAY: {what}")).await;
        assert_eq!(status, StatusCode::OK, "{what}: {reply}");
        let now = proxy.passed().len();
        assert!(now > passed, "{what}: it went past the proxy");
        passed = now;
    };
    asked("from the keychain").await;
    house.home.json(&["vault", "migrate", "vault", "--auto-key", "--json"]).await;
    assert_eq!(house.home.json(&["status", "--json"]).await["store"]["kind"], "vault");
    asked("from the vault").await;
    house.home.json(&["vault", "migrate", "keychain", "--json"]).await;
    assert_eq!(house.home.json(&["status", "--json"]).await["store"]["kind"], "keychain");
    asked("from the keychain again").await;
    let since = house.simulator.control().counters().connections - before;
    assert_eq!(since, proxy.passed().len() as u64, "every connection came through the proxy");
    let removed = house.home.run(&["accounts", "remove", &house.id]).await;
    assert!(removed.status.success(), "{}", text(&removed.stderr));
    assert_eq!(house.serving.stop().await, Some(0));
}
