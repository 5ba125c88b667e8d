//! Databases in every state in which their owner can leave them.

use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::ErrorCode;

use super::*;

#[test]
fn databases_are_read_in_every_journal_mode_and_nothing_changes() {
    let cases = cases("sqlite-rows");
    assert!(cases.len() >= 4);
    for case in &cases {
        let owner = if case["format"] == "amazon-q-sqlite" { LinkOwner::AmazonQ } else { LinkOwner::KiroCli };
        for (journal, running) in [("DELETE", false), ("DELETE", true), ("WAL", false), ("TRUNCATE", true)] {
            let name = format!("{} {journal} running: {running}", case["source_path"]);
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join("data.sqlite3");
            let connection = database(&path, case, journal);
            let connection = running.then_some(connection);
            let before = picture(folder.path());
            let login = read(&link(owner, &path)).unwrap_or_else(|error| panic!("{name}: {error}"));
            compare(&name, &login.expect("signed in"), &case["expected"][0]);
            assert_same_picture(&before, &picture(folder.path()));
            drop(connection);
        }
    }
}

/// Not a test of its own: the next one runs it in another process, where it plays an owner that holds its database open.
#[test]
fn plays_the_owner() {
    let Ok(path) = std::env::var("KIRO_PROXY_TEST_OWNER") else { return };
    let owner = database(Path::new(&path), &cases("sqlite-rows")[0], "WAL");
    std::fs::write(format!("{path}.ready"), "").expect("says that it is ready");
    // Ends when the other side goes.
    let _ = std::io::Read::read(&mut std::io::stdin(), &mut [0]);
    drop(owner);
}

#[test]
fn the_log_of_a_running_owner_counts_and_its_shared_index_is_not_touched() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("data.sqlite3");
    let mut owner = std::process::Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "owner::tests::database::plays_the_owner"])
        .env("KIRO_PROXY_TEST_OWNER", &path)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("starts");
    while !folder.path().join("data.sqlite3.ready").exists() {
        assert!(owner.try_wait().expect("a child").is_none(), "the owner ended early");
        std::thread::yield_now();
    }
    let before = picture(folder.path());
    assert!(before.contains_key(&folder.path().join("data.sqlite3-wal")), "it is running");
    assert!(before.contains_key(&folder.path().join("data.sqlite3-shm")), "it is running");
    let login = read(&link(LinkOwner::KiroCli, &path)).expect("reads").expect("signed in");
    compare("running", &login, &cases("sqlite-rows")[0]["expected"][0]);
    assert_same_picture(&before, &picture(folder.path()));
    drop(owner.stdin.take());
    assert!(owner.wait().expect("ends").success());
}

#[test]
fn what_a_crashed_owner_left_is_read_from_a_private_copy() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("data.sqlite3");
    let old = database(&path, &social("old", "a"), "WAL");
    drop(old);
    let running = Connection::open(&path).expect("opens");
    let new = social("new", "b")["content"]["auth_kv"][0]["value"].clone();
    running.execute("UPDATE auth_kv SET value = ?1", [new.as_str()]).expect("updates");
    let crashed = tempfile::tempdir().expect("a folder");
    for ending in ["", "-wal"] {
        let name = format!("data.sqlite3{ending}");
        std::fs::copy(folder.path().join(&name), crashed.path().join(&name)).expect("copies");
    }
    let before = picture(crashed.path());
    let login = read(&link(LinkOwner::KiroCli, &crashed.path().join("data.sqlite3"))).expect("reads").expect("a login");
    assert_eq!(exposed(&login.refresh_token), Some("new"), "the log counts");
    assert_same_picture(&before, &picture(crashed.path()));
}

#[test]
fn a_half_written_transaction_of_a_crashed_owner_does_not_count() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("data.sqlite3");
    let owner = database(&path, &social("old", "a"), "DELETE");
    // A small cache makes SQLite write pages before the transaction ends.
    owner.execute_batch("PRAGMA cache_size=1; PRAGMA cache_spill=1; BEGIN").expect("begins");
    let new = social("half", "b")["content"]["auth_kv"][0]["value"].clone();
    owner.execute("UPDATE auth_kv SET value = ?1", [new.as_str()]).expect("updates");
    for row in 0..200 {
        owner
            .execute("INSERT INTO conversations VALUES (?1, ?2)", (row.to_string(), "x".repeat(4000)))
            .expect("inserts");
    }
    let crashed = tempfile::tempdir().expect("a folder");
    for ending in ["", "-journal"] {
        let name = format!("data.sqlite3{ending}");
        std::fs::copy(folder.path().join(&name), crashed.path().join(&name)).expect("copies");
    }
    let before = picture(crashed.path());
    let login = read(&link(LinkOwner::KiroCli, &crashed.path().join("data.sqlite3"))).expect("reads").expect("a login");
    assert_eq!(exposed(&login.refresh_token), Some("old"));
    assert_same_picture(&before, &picture(crashed.path()));
}

/// A new connection each time: the log is folded into the database and removed in between.
fn update(path: &Path, value: &str) -> rusqlite::Result<()> {
    let owner = Connection::open(path)?;
    owner.busy_timeout(std::time::Duration::from_secs(30))?;
    owner.execute("UPDATE auth_kv SET value = ?1", [value]).map(drop)
}

struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn every_read_beside_a_rotating_owner_is_one_whole_state() {
    for journal in ["WAL", "DELETE"] {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("data.sqlite3");
        drop(database(&path, &social("token-0", "access-0"), journal));
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                // Also when it fails: the reads below would never end.
                let _ends = Ends(&done);
                for round in 1..=200 {
                    let value = social(&format!("token-{round}"), &format!("access-{round}"));
                    let value = value["content"]["auth_kv"][0]["value"].as_str().expect("text").to_owned();
                    // Inside one process SQLite shares a database's index among all connections, also the one that the
                    // reader opened read-only just before. A real owner is another process, with an index of its own.
                    let mut refused = 0;
                    while let Err(error) = update(&path, &value) {
                        assert_eq!(error.sqlite_error_code(), Some(ErrorCode::ReadOnly), "{journal}: {error}");
                        refused += 1;
                        assert!(refused < 10_000, "{journal}: never writable again");
                    }
                }
            });
            let mut last = 0;
            let mut reads = 0;
            while !done.load(Ordering::SeqCst) {
                let login = match read(&link(LinkOwner::KiroCli, &path)) {
                    Ok(login) => login.expect("a login"),
                    Err(OwnerError::Busy(_)) => continue,
                    Err(error) => panic!("{journal}: {error}"),
                };
                let number = |secret: &Option<SecretString>, prefix: &str| -> u32 {
                    let text = exposed(secret).expect("there");
                    text.strip_prefix(prefix).expect("the prefix").parse().expect("a number")
                };
                let (refresh, access) =
                    (number(&login.refresh_token, "token-"), number(&login.access_token, "access-"));
                assert_eq!(refresh, access, "{journal}: half of one state and half of another");
                assert!(refresh >= last, "{journal}: an older state came back");
                last = refresh;
                reads += 1;
            }
            assert!(reads > 0, "{journal}");
        });
        let login = read(&link(LinkOwner::KiroCli, &path)).expect("reads").expect("a login");
        assert_eq!(exposed(&login.refresh_token), Some("token-200"), "{journal}");
    }
}
