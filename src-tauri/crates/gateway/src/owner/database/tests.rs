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
