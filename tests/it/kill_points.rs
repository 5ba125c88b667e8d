//! kill -9 of the real program at every step of the commit protocol (`docs/reliability.md` §2). The program has no switch for
//! it: the stand-in holds its answer back, a proxy says nothing, a folder is moved away, or the kernel tells of a file that
//! was just made. What the kill hit is read from the disk afterwards; a kill that came too late is tried again.
#![cfg(target_os = "linux")]

use std::collections::BTreeSet;
use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use kiro_simulator::{AccountSeed, Config, Family, Faults, Script, Simulator, Target};
use rustix::fs::inotify::{self, CreateFlags, Reader, WatchFlags};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Child;

use crate::harness::{PATIENCE, eventually};
use crate::home::{Home, Serving, text};

/// How often a kill may come too late.
const TRIES: usize = 25;
const OWNER: &str = "kiro-auth-token.json";

/// The program with one account that has a good token, and a service that takes every refresh token once.
struct House {
    simulator: Simulator,
    home: Home,
    serving: Serving,
    id: String,
    /// The other program's folder, when the login is shared.
    owner: Option<TempDir>,
    /// Sealed records before the refresh.
    before: BTreeSet<String>,
}

impl House {
    async fn new(shared: bool) -> Self {
        let seed = AccountSeed::new("social", Family::Social);
        let config = Config { accounts: vec![seed.clone()], ..Config::default() };
        let simulator = Simulator::start(config).await.expect("the stand-in starts");
        let home = Home::new().upstream(&simulator.url());
        let import = ["accounts", "import", &home.login("social", Family::Social), "--json"];
        let (owner, id, serving) = if shared {
            let id = imported(&home.json(&import).await);
            let folder = TempDir::with_prefix("kp-owner-").unwrap();
            share(&home, &folder.path().join(OWNER), &seed);
            (Some(folder), id, home.serve(&[]).await)
        } else {
            let serving = home.serve(&[]).await;
            (None, imported(&home.json(&import).await), serving)
        };
        let mut house = Self { simulator, home, serving, id, owner, before: BTreeSet::new() };
        if shared {
            // The owner's token is taken over first; nothing is traded for that.
            house.told(|account| account["tokenExpiresAt"].is_i64()).await;
        }
        house.before = names(&house.sealed(), ".sealed");
        house
    }

    /// A person asks for a new token; nobody waits for the answer.
    fn refresh(&self) -> Child {
        self.home.command(&["accounts", "refresh", &self.id]).spawn().expect("the program starts")
    }

    /// The service exchanges the token and holds its answer back.
    async fn exchanged(&self) -> Child {
        let control = self.simulator.control();
        let faults = Faults { hold_after: true, ..Faults::default() };
        let script = Script { operation: "RefreshToken".into(), faults, ..Script::default() };
        control.enqueue(Target::Any, script);
        let asking = self.refresh();
        eventually("the token is exchanged", || control.counters().refreshes == 1).await;
        asking
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.serving.id()).unwrap()).unwrap()
    }

    async fn dead(&mut self) {
        tokio::time::timeout(PATIENCE, self.serving.child.wait()).await.expect("killed").unwrap();
    }

    async fn kill(&mut self) {
        kill_process(self.pid(), Signal::KILL).unwrap();
        self.dead().await;
    }

    fn refreshes(&self) -> PathBuf {
        self.home.data().join("refresh")
    }

    /// The folder of sealed records.
    fn sealed(&self) -> PathBuf {
        let mut folders = std::fs::read_dir(self.home.data().join("vault")).unwrap().map(|entry| entry.unwrap().path());
        folders.find(|path| path.is_dir()).expect("the vault's records")
    }

    /// Whether the record of the refresh says that its answer is not safe yet.
    fn intent_is_open(&self) -> bool {
        let Ok(entries) = std::fs::read_dir(self.refreshes()) else { return false };
        let mut records =
            entries.map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some_and(|e| e == "json"));
        records.any(|path| serde_json::from_slice::<Value>(&std::fs::read(path).unwrap()).unwrap()["open"] == true)
    }

    fn is_saved(&self) -> bool {
        names(&self.sealed(), ".sealed").difference(&self.before).count() > 0
    }

    /// The refresh token in the other program's file.
    fn owners(&self) -> String {
        let path = self.owner.as_ref().expect("a shared login").path().join(OWNER);
        let login: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        login["refreshToken"].as_str().expect("a token").to_owned()
    }

    /// The refresh token that the service takes.
    fn alive(&self) -> String {
        self.simulator.control().accounts()[0].refresh_token.clone().expect("a token")
    }

    async fn status(&self) -> Value {
        self.home.json(&["status", "--json"]).await["refreshes"].clone()
    }

    /// The account, once `holds`.
    async fn told(&self, holds: impl Fn(&Value) -> bool) -> Value {
        let waiting = async {
            loop {
                let list = self.home.json(&["accounts", "list", "--json"]).await;
                let account = list["accounts"][0].clone();
                if holds(&account) {
                    return account;
                }
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.expect("told in time")
    }

    /// After a restart the login works as if nothing had happened, and no used token was ever sent.
    async fn works_again(mut self, cut_short: u64) -> Self {
        self.serving = self.home.serve(&[]).await;
        let refreshed = self.home.run(&["accounts", "refresh", &self.id]).await;
        assert!(refreshed.status.success(), "{}", text(&refreshed.stderr));
        self.told(|account| account["state"]["kind"] == "ready").await;
        assert_eq!(self.status().await, json!({"unsaved": 0, "cutShort": cut_short, "loginsLost": 0}));
        assert_eq!(self.simulator.control().counters().refreshes_refused, 0, "a used token was sent");
        assert_eq!(self.simulator.control().violations(), []);
        self
    }

    /// After a restart the account is there with everything but its token, and says why.
    async fn asks_for_a_sign_in(mut self) {
        self.serving = self.home.serve(&[]).await;
        let refreshed = self.home.run(&["accounts", "refresh", &self.id]).await;
        assert!(!refreshed.status.success());
        let account = self.told(|account| account["state"]["kind"] == "needsLogin").await;
        let reason = account["state"]["reason"].as_str().unwrap_or_default();
        assert!(reason.contains("before its answer was safe"), "{reason}");
        assert_eq!(account["email"], "social@example.com");
        assert_eq!(self.status().await, json!({"unsaved": 0, "cutShort": 1, "loginsLost": 1}));
        // A new sign-in makes it whole.
        let control = self.simulator.control();
        control.kill_refresh_tokens("social");
        control.add_account(AccountSeed::new("social", Family::Social));
        self.home.json(&["accounts", "import", &self.home.login("social", Family::Social), "--json"]).await;
        let refreshed = self.home.run(&["accounts", "refresh", &self.id]).await;
        assert!(refreshed.status.success(), "{}", text(&refreshed.stderr));
    }
}

fn imported(answer: &Value) -> String {
    answer["imported"][0]["id"].as_str().expect("an id").to_owned()
}

/// Makes the only account one that is shared with a file, which is written back.
fn share(home: &Home, file: &Path, seed: &AccountSeed) {
    let login = json!({
        "accessToken": seed.access_token, "refreshToken": seed.refresh_token, "profileArn": seed.profile_arn,
        "expiresAt": "2099-01-01T00:00:00.000Z", "authMethod": "social", "provider": "Google",
    });
    std::fs::write(file, login.to_string()).unwrap();
    let list = home.data().join("accounts.json");
    let mut accounts: Value = serde_json::from_slice(&std::fs::read(&list).unwrap()).unwrap();
    accounts["accounts"][0]["origin"] = "linked".into();
    accounts["accounts"][0]["userId"] = "d-xxxxxxxxxx.social".into();
    accounts["accounts"][0]["link"] = json!({"owner": "kiroIde", "path": file, "writeBack": true});
    std::fs::write(&list, accounts.to_string()).unwrap();
}

fn names(folder: &Path, ending: &str) -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    entries.filter(|name| name.ends_with(ending)).collect()
}

/// Kills the process as soon as the kernel tells of `what` in `folder`, whose own name is empty. Armed when this returns.
fn trap(pid: Pid, folder: &Path, what: WatchFlags, name: fn(&str) -> bool) -> JoinHandle<()> {
    let watch = inotify::init(CreateFlags::CLOEXEC).unwrap();
    inotify::add_watch(&watch, folder, what).unwrap();
    std::thread::spawn(move || {
        let mut room = [MaybeUninit::uninit(); 4096];
        let mut events = Reader::new(watch, &mut room);
        while let Ok(event) = events.next() {
            if event.file_name().map_or(Ok(""), CStr::to_str).is_ok_and(name) {
                // It may have ended by itself in the meantime.
                let _ = kill_process(pid, Signal::KILL);
                return;
            }
        }
    })
}

fn is_temporary(name: &str) -> bool {
    name.starts_with(".new-")
}

/// Tries until a kill hit the place it was meant for.
async fn hit(
    shared: bool,
    place: impl Fn(&House) -> (PathBuf, WatchFlags, fn(&str) -> bool),
    is: impl Fn(&House) -> bool,
) -> House {
    for _ in 0..TRIES {
        let mut house = House::new(shared).await;
        let (folder, what, name) = place(&house);
        let trap = trap(house.pid(), &folder, what, name);
        let mut asking = house.refresh();
        house.dead().await;
        trap.join().unwrap();
        asking.wait().await.unwrap();
        if is(&house) {
            return house;
        }
    }
    panic!("every one of {TRIES} kills came too late");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_before_the_intent_is_on_disk_nothing_was_sent() {
    let house = hit(
        false,
        |house| (house.refreshes(), WatchFlags::CREATE, is_temporary),
        |house| !house.intent_is_open() && house.simulator.control().counters().refreshes == 0,
    )
    .await;
    house.works_again(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_with_the_intent_on_disk_and_nothing_sent_the_token_is_tried_again() {
    let mut house = House::new(false).await;
    // A proxy that takes the connection and never says a word.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("socks5://{}", silent.local_addr().unwrap());
    house.home.json(&["accounts", "proxy", &house.id, &address, "--json"]).await;
    let mut asking = house.refresh();
    let _held = tokio::time::timeout(PATIENCE, silent.accept()).await.expect("it knocks").unwrap();
    assert!(house.intent_is_open(), "written before anything is sent");
    house.kill().await;
    asking.wait().await.unwrap();
    assert_eq!(house.simulator.control().counters().refreshes, 0);
    // While nothing serves, nothing is refreshed by itself.
    house.home.json(&["accounts", "proxy", &house.id, "default", "--json"]).await;
    house.works_again(1).await;
}

/// Puts a plain file where a folder is, or would be, so that nothing can be made in it.
struct Blocked {
    folder: PathBuf,
    away: Option<PathBuf>,
}

impl Blocked {
    fn new(folder: PathBuf) -> Self {
        let away = folder.is_dir().then(|| folder.with_extension("away"));
        if let Some(away) = &away {
            std::fs::rename(&folder, away).unwrap();
        }
        std::fs::write(&folder, b"in the way").unwrap();
        Self { folder, away }
    }

    fn undo(self) {
        std::fs::remove_file(&self.folder).unwrap();
        if let Some(away) = self.away {
            std::fs::rename(away, self.folder).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_with_the_answer_in_memory_only_the_second_place_decides() {
    for second_place in [true, false] {
        let mut house = House::new(false).await;
        let mut asking = house.exchanged().await;
        let vault = Blocked::new(house.sealed());
        let aside = (!second_place).then(|| Blocked::new(house.home.data().join("vault.aside")));
        house.simulator.control().release();
        while house.status().await["unsaved"] != 1 {}
        house.kill().await;
        asking.wait().await.unwrap();
        vault.undo();
        assert!(house.intent_is_open() && !house.is_saved());
        match aside {
            None => drop(house.works_again(0).await),
            Some(aside) => {
                aside.undo();
                house.asks_for_a_sign_in().await;
            }
        }
    }
}

/// Files that are nobody's record: to look through so many takes long enough for a kill to fall into it.
const CROWD: usize = 20_000;

#[tokio::test(flavor = "multi_thread")]
async fn killed_with_the_answer_received_and_no_byte_of_it_written_the_loss_is_told() {
    for _ in 0..TRIES {
        let mut house = House::new(false).await;
        let sealed = house.sealed();
        (0..CROWD).for_each(|n| std::fs::write(sealed.join(format!("{n}")), b"").unwrap());
        let mut asking = house.exchanged().await;
        // Once the answer is there, the save is the first to look into the folder: for the generation that comes next.
        let trap = trap(house.pid(), &sealed, WatchFlags::OPEN, str::is_empty);
        house.simulator.control().release();
        house.dead().await;
        trap.join().unwrap();
        asking.wait().await.unwrap();
        let begun = std::fs::read_dir(&sealed).unwrap().any(|entry| {
            let name = entry.unwrap().file_name();
            is_temporary(name.to_str().unwrap())
        });
        if !begun && !house.is_saved() {
            assert!(house.intent_is_open());
            return house.asks_for_a_sign_in().await;
        }
    }
    panic!("every one of {TRIES} kills came too late");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_in_the_middle_of_the_save_the_record_before_is_whole_and_the_loss_is_told() {
    let house = hit(
        false,
        |house| (house.sealed(), WatchFlags::CREATE, is_temporary),
        |house| {
            let half = std::fs::read_dir(house.sealed())
                .unwrap()
                .any(|entry| is_temporary(entry.unwrap().file_name().to_str().unwrap()));
            half && !house.is_saved()
        },
    )
    .await;
    assert!(house.intent_is_open());
    house.asks_for_a_sign_in().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_when_the_record_is_saved_and_nobody_knows_yet_the_new_token_is_found() {
    let house = hit(
        false,
        |house| (house.sealed(), WatchFlags::MOVED_TO, |name| name.ends_with(".sealed")),
        |house| house.is_saved() && house.intent_is_open(),
    )
    .await;
    house.works_again(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_when_the_token_is_in_use_and_the_intent_still_open_nothing_is_lost() {
    let mut house = House::new(false).await;
    let mut asking = house.exchanged().await;
    // Closing the intent fails as long as its folder is not there.
    let away = house.refreshes().with_extension("away");
    std::fs::rename(house.refreshes(), &away).unwrap();
    house.simulator.control().release();
    let asked = tokio::time::timeout(PATIENCE, asking.wait()).await.expect("refreshed").unwrap();
    assert!(asked.success(), "the token is published and used");
    house.kill().await;
    std::fs::rename(&away, house.refreshes()).unwrap();
    assert!(house.is_saved() && house.intent_is_open());
    house.works_again(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_before_the_owner_got_the_new_token_it_gets_the_next_one() {
    let used = AccountSeed::new("social", Family::Social).refresh_token;
    let house = hit(
        true,
        |house| (house.sealed(), WatchFlags::MOVED_TO, |name| name.ends_with(".sealed")),
        |house| house.is_saved() && house.owners() == AccountSeed::new("social", Family::Social).refresh_token,
    )
    .await;
    assert_ne!(house.alive(), used, "what the owner has is used up");
    let house = house.works_again(0).await;
    assert_eq!(house.owners(), house.alive());
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_after_the_owner_got_the_new_token_both_go_on_with_it() {
    let house = hit(
        true,
        |house| (house.owner.as_ref().unwrap().path().to_path_buf(), WatchFlags::MOVED_TO, |name| name == OWNER),
        |house| house.is_saved() && house.intent_is_open() && house.owners() == house.alive(),
    )
    .await;
    let house = house.works_again(0).await;
    assert_eq!(house.owners(), house.alive());
}
