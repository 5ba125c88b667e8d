#![expect(
    clippy::disallowed_methods,
    reason = "the owner is this program once more, told by its environment and a file when to end"
)]

use super::*;

const WANTED: Wanted<'_> = Wanted { auth: &["a"], state: &[] };

/// A closed database in WAL mode.
fn closed(path: &Path) {
    let owner = Connection::open(path).expect("opens");
    owner.query_row("PRAGMA journal_mode=WAL", [], |_| Ok(())).expect("journal mode");
    owner
        .execute_batch("CREATE TABLE auth_kv (key TEXT PRIMARY KEY, value TEXT); INSERT INTO auth_kv VALUES ('a', 'b')")
        .expect("a table");
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("text")).collect();
    names.sort();
    names
}

#[test]
fn an_owner_that_goes_between_the_look_and_the_reading_finds_no_log_of_ours() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("data.sqlite3");
    closed(&path);
    let before = std::fs::read(&path).expect("reads");
    for way in [Way::Index, Way::Locked] {
        // What the look said a moment ago is not true any more: log and index are gone.
        assert!(look(&path, &way, WANTED).is_err(), "without an index there is no reading");
        assert_eq!(names(folder.path()), ["data.sqlite3"]);
        assert!(std::fs::read(&path).expect("reads") == before, "the database is what it was");
    }
    let (auth, _) = read(&path, WANTED).ok().flatten().expect("the next look finds it");
    assert_eq!(auth.get("a").map(String::as_str), Some("b"));
    assert_eq!(names(folder.path()), ["data.sqlite3"]);
}

#[test]
fn the_log_of_an_owner_that_comes_back_meanwhile_stays_his() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("data.sqlite3");
    closed(&path);
    let owner = Connection::open(&path).expect("opens");
    owner.execute("UPDATE auth_kv SET value = 'c'", []).expect("updates");
    let before = names(folder.path());
    assert_eq!(before.len(), 3, "he has a log and an index: {before:?}");
    remove_log(&path);
    assert_eq!(names(folder.path()), before);
    owner.execute("UPDATE auth_kv SET value = 'd'", []).expect("he goes on");
    drop(owner);
    let (auth, _) = read(&path, WANTED).ok().flatten().expect("there");
    assert_eq!(auth.get("a").map(String::as_str), Some("d"));
}

/// Not a test of its own: the next one runs it in another process, where it plays kiro-cli, which has one connection for each write,
/// so that log and index come and go all the time. It ends when its database is told to.
#[test]
fn plays_an_owner_who_never_rests() {
    let Ok(path) = std::env::var("KIRO_PROXY_TEST_RESTLESS_OWNER") else { return };
    let stop = beside(Path::new(&path), ".stop");
    while !stop.exists() {
        let owner = Connection::open(&path).expect("opens");
        owner.busy_timeout(BUSY).expect("waits");
        owner.execute("UPDATE auth_kv SET value = value || 'b'", []).expect("updates");
        owner.execute("UPDATE auth_kv SET value = 'b' WHERE length(value) > 20", []).expect("updates");
    }
}

#[test]
fn a_database_that_is_opened_and_closed_without_a_pause_is_read_or_busy_and_never_anything_else() {
    // In memory where there is such a folder: the faster the files come and go, the more often a look meets them half-way.
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.expect("a folder");
    let path = folder.path().join("data.sqlite3");
    closed(&path);
    // Another process: inside one, SQLite shares what it knows of a file among all connections.
    let mut owner = std::process::Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "owner::database::tests::plays_an_owner_who_never_rests"])
        .env("KIRO_PROXY_TEST_RESTLESS_OWNER", &path)
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("starts");
    let value = || read(&path, WANTED).map(|found| found.and_then(|(mut auth, _)| auth.remove("a")));
    while value().is_ok_and(|value| value.as_deref() == Some("b")) {
        assert!(owner.try_wait().expect("a child").is_none(), "the owner ended early");
    }
    let reads: Vec<_> = (0..60).map(|_| value()).collect();
    std::fs::write(beside(&path, ".stop"), "").expect("tells");
    assert!(owner.wait().expect("ends").success(), "the owner is never in trouble for our sake");
    let mut busy = 0;
    for read in reads {
        match read {
            Ok(Some(value)) => assert!(value.trim_matches('b').is_empty(), "{value}"),
            Ok(None) => panic!("it is always there"),
            Err(OwnerError::Busy(_)) => busy += 1,
            Err(other) => panic!("{other:?}"),
        }
    }
    assert!(busy < 30, "{busy} of 60 reads never met it at rest");
}
