//! kill -9 of the real program while a new sign-in is handed over to the account it belongs to (`docs/reliability.md` §3): after each
//! write of the list and of the vault, one after the other, until a sign-in ends without having been hit.
#![cfg(target_os = "linux")]

use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::thread::JoinHandle;

use kiro_simulator::{Config, Simulator};
use rustix::fs::inotify::{self, CreateFlags, Reader, WatchFlags};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::harness::{PATIENCE, eventually};
use crate::home::{Home, text};

const SIGN_IN: [&str; 4] = ["login", "builder-id", "--no-browser", "--json"];
/// More writes than a sign-in makes.
const MOST: usize = 40;

/// Kills the process after the `nth` write of the list or of a sealed record. Armed when this returns; ends with the process, too.
fn trap(home: &Home, pid: Pid, nth: usize) -> JoinHandle<()> {
    let watch = inotify::init(CreateFlags::CLOEXEC).unwrap();
    inotify::add_watch(&watch, home.data(), WatchFlags::MOVED_TO | WatchFlags::CLOSE_WRITE).unwrap();
    for entry in std::fs::read_dir(home.data().join("vault")).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            inotify::add_watch(&watch, entry, WatchFlags::MOVED_TO).unwrap();
        }
    }
    std::thread::spawn(move || {
        let mut room = [MaybeUninit::uninit(); 4096];
        let mut events = Reader::new(watch, &mut room);
        let mut left = nth;
        while let Ok(event) = events.next() {
            let name = event.file_name().map_or(Ok(""), CStr::to_str).unwrap_or("");
            if name == END {
                return;
            }
            left -= usize::from(name == "accounts.json" || name.ends_with(".sealed"));
            if left == 0 {
                // It may have ended by itself in the meantime.
                let _ = kill_process(pid, Signal::KILL);
                return;
            }
        }
    })
}

/// Written by the test when nothing is left to wait for.
const END: &str = "end-of-the-trap";

fn list_on_disk(home: &Home) -> Value {
    serde_json::from_slice(&std::fs::read(home.data().join("accounts.json")).unwrap()).unwrap()
}

fn ids(list: &Value) -> Vec<String> {
    let accounts = list["accounts"].as_array().expect("accounts");
    accounts.iter().map(|account| account["id"].as_str().expect("an id").to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_at_any_write_of_a_sign_in_that_is_handed_over_leaves_old_or_new_and_never_one_login_twice() {
    let (mut apart, mut handed_over) = (0, 0);
    for nth in 1..=MOST {
        let simulator = Simulator::start(Config::default()).await.expect("starts");
        let home = Home::new().upstream(&simulator.url());
        home.run(&[&SIGN_IN[..], &["--label", "mine"]].concat()).await;
        let older = ids(&list_on_disk(&home)).pop().expect("an account");
        let mut serving = home.serve(&[]).await;
        let pid = Pid::from_raw(i32::try_from(serving.id()).unwrap()).unwrap();
        let trap = trap(&home, pid, nth);
        let mut signing_in = home.command(&SIGN_IN).spawn().expect("the program starts");
        let survived = tokio::select! {
            _ = serving.child.wait() => false,
            ended = tokio::time::timeout(PATIENCE, signing_in.wait()) => ended.expect("ends").unwrap().success(),
        };
        std::fs::write(home.data().join(END), b"").unwrap();
        trap.join().unwrap();
        kill_process(pid, Signal::KILL).ok();
        serving.child.wait().await.unwrap();
        let disk = list_on_disk(&home);
        if survived {
            assert_eq!(ids(&disk), std::slice::from_ref(&older), "{disk}");
            assert!(
                apart > 0 && handed_over > 0,
                "{nth} kills: {apart} before and {handed_over} after it was handed over"
            );
            return;
        }
        handed_over += usize::from(disk["leaving"].is_array());

        let _serving = home.serve(&[]).await;
        let listed = ids(&home.json(&["accounts", "list", "--json"]).await);
        assert!(listed.contains(&older), "kill {nth}: the account is there: {disk}");
        for id in &listed {
            let refreshed = home.run(&["accounts", "refresh", id]).await;
            assert!(refreshed.status.success(), "kill {nth}: {}: {disk}", text(&refreshed.stderr));
        }
        let counters = simulator.control().counters();
        assert_eq!(counters.refreshes_refused, 0, "kill {nth}: one login is in two accounts: {disk}");
        assert_eq!(
            home.json(&["status", "--json"]).await["refreshes"],
            json!({"unsaved": 0, "cutShort": 0, "loginsLost": 0})
        );
        eventually("what the kill left is cleared away", || !list_on_disk(&home)["leaving"].is_array()).await;
        if listed.len() == 2 {
            apart += 1;
            // The one that came is removed like any other, and the login of the one that was there goes on.
            let came = listed.iter().find(|id| **id != older).expect("the other one");
            home.run(&["accounts", "remove", came]).await;
            assert_eq!(ids(&home.json(&["accounts", "list", "--json"]).await), std::slice::from_ref(&older));
            let refreshed = home.run(&["accounts", "refresh", &older]).await;
            assert!(refreshed.status.success(), "kill {nth}: {}", text(&refreshed.stderr));
        }
        assert_eq!(simulator.control().violations(), [], "kill {nth}");
    }
    panic!("a sign-in makes more than {MOST} writes");
}
