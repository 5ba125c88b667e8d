//! Cut, damaged and hostile files.

use super::*;

#[test]
fn a_token_file_cut_at_every_length_is_an_error_and_never_a_panic() {
    let folder = tempfile::tempdir().expect("a folder");
    let token = cases("files").remove(0)["content"]["kiro-auth-token.json"].to_string();
    // A reader waits for an owner in the middle of writing: many at once, or this takes a minute.
    std::thread::scope(|scope| {
        for worker in 0..64 {
            let (folder, token) = (folder.path(), token.as_bytes());
            scope.spawn(move || {
                let cut = folder.join(format!("{worker}.json"));
                for length in (worker..token.len()).step_by(64) {
                    std::fs::write(&cut, token.get(..length).expect("shorter")).expect("writes");
                    let found = read(&link(LinkOwner::KiroIde, &cut));
                    assert!(matches!(found, Err(OwnerError::Malformed { .. })), "cut at {length}: {found:?}");
                }
            });
        }
    });
}

/// The bytes of a database as small as SQLite makes one.
fn small(journal: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("whole.sqlite3");
    let first = Connection::open(&path).expect("opens");
    first.execute_batch("PRAGMA page_size=512; CREATE TABLE first (a); DROP TABLE first").expect("small pages");
    drop(first);
    drop(database(&path, &social("refresh", "access"), journal));
    std::fs::read(&path).expect("reads")
}

/// Reads a file of these bytes, and makes sure that it is all there is afterwards.
fn read_alone(folder: &Path, bytes: &[u8], what: &str) -> Result<Option<OwnerLogin>, OwnerError> {
    let path = folder.join("cut.sqlite3");
    std::fs::write(&path, bytes).expect("writes");
    let found = read(&link(LinkOwner::KiroCli, &path));
    assert!(std::fs::read(&path).expect("reads") == bytes, "{what}: it was changed");
    let names: Vec<_> =
        std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").file_name()).collect();
    assert_eq!(names, ["cut.sqlite3"], "{what}: something was left behind");
    found
}

#[test]
fn a_database_cut_at_every_length_is_an_error_or_nothing_and_leaves_no_trace() {
    for journal in ["DELETE", "WAL"] {
        let bytes = small(journal);
        assert!(bytes.len() < 8 * 1024, "small enough to be cut everywhere: {}", bytes.len());
        std::thread::scope(|scope| {
            for worker in 0..8 {
                let bytes = &bytes;
                scope.spawn(move || {
                    let folder = tempfile::tempdir().expect("a folder");
                    for length in (worker..bytes.len()).step_by(8) {
                        let what = format!("{journal}: cut at {length}");
                        match read_alone(folder.path(), &bytes[..length], &what) {
                            Ok(None) | Err(OwnerError::Malformed { .. }) => {}
                            Ok(Some(login)) => assert!(login.refresh_token.is_some(), "{what}"),
                            Err(error) => panic!("{what}: {error:?}"),
                        }
                    }
                });
            }
        });
        let whole = read_alone(tempfile::tempdir().expect("a folder").path(), &bytes, "whole");
        assert_eq!(exposed(&whole.expect("reads").expect("a login").refresh_token), Some("refresh"), "{journal}");
    }
}

#[test]
fn a_database_damaged_at_any_byte_is_an_answer_and_leaves_no_trace() {
    for journal in ["DELETE", "WAL"] {
        let bytes = small(journal);
        let folder = tempfile::tempdir().expect("a folder");
        // The header byte by byte, the rest in steps that meet every part of a page.
        for at in (0..100).chain((100..bytes.len()).step_by(13)) {
            let mut flipped = bytes.clone();
            *flipped.get_mut(at).expect("inside") ^= 0xff;
            // Any answer is fine as long as there is one.
            let _ = read_alone(folder.path(), &flipped, &format!("{journal}: byte {at}"));
        }
    }
}

#[test]
fn hostile_databases_are_refused_in_bounded_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("data.sqlite3");
    let endless = "CREATE VIEW auth_kv AS WITH RECURSIVE n(key) AS (SELECT 1 UNION ALL SELECT key + 1 FROM n)
         SELECT key, key AS value FROM n";
    Connection::open(&path).expect("opens").execute_batch(endless).expect("a view");
    let found = read(&link(LinkOwner::KiroCli, &path));
    assert!(matches!(found, Err(OwnerError::Malformed { .. })), "{found:?}");

    std::fs::remove_file(&path).expect("removes");
    let huge = social(&"x".repeat(3 * 1024 * 1024), "a");
    drop(database(&path, &huge, "DELETE"));
    let found = read(&link(LinkOwner::KiroCli, &path));
    assert_eq!(found.err().map(|error| error.code()), Some("owner_too_large"));

    for value in ["", "{", "[]", "null", "{\"refresh_token\": \"a\\nb\"}", "{\"refresh_token\": 5}"] {
        std::fs::remove_file(&path).expect("removes");
        let case = json!({"content": {"auth_kv": [{"key": "kirocli:social:token", "value": value}], "state": []}});
        drop(database(&path, &case, "DELETE"));
        let found = read(&link(LinkOwner::KiroCli, &path));
        assert!(matches!(found, Err(OwnerError::Malformed { .. }) | Ok(None)), "{value}: {found:?}");
    }
}
