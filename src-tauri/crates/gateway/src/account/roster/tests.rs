#![allow(clippy::disallowed_methods, reason = "these tests plant broken files on purpose")]

use super::*;
use crate::account::test_account;

fn dir() -> (tempfile::TempDir, Arc<DataDir>) {
    let root = tempfile::tempdir().expect("temp dir");
    let dir = Arc::new(DataDir::open(Some(root.path().join("state"))).expect("opens"));
    (root, dir)
}

fn names(roster: &Roster) -> Vec<String> {
    roster.list().iter().map(|account| account.label.clone()).collect()
}

#[test]
fn accounts_survive_a_restart_in_their_order() {
    let (_root, dir) = dir();
    let roster = Roster::open(Arc::clone(&dir)).expect("opens");
    let first = roster.add(test_account("one")).expect("adds");
    roster.add(test_account("two")).expect("adds");
    roster.update(&first.id, |account| account.label = "uno".into()).expect("updates");
    let again = Roster::open(dir).expect("opens");
    assert_eq!(names(&again), ["uno", "two"]);
    again.remove(&first.id, None).expect("removes");
    assert_eq!(names(&again), ["two"]);
    assert_eq!(again.remove(&first.id, None).expect("nothing to do"), None);
}

#[test]
fn a_damaged_file_falls_back_to_the_previous_generation_and_is_kept() {
    let (_root, dir) = dir();
    let roster = Roster::open(Arc::clone(&dir)).expect("opens");
    roster.add(test_account("one")).expect("adds");
    roster.add(test_account("two")).expect("adds");
    std::fs::write(dir.file(FILE), b"{\"schema\":1,\"acc").expect("damages");
    let again = Roster::open(Arc::clone(&dir)).expect("falls back");
    assert_eq!(names(&again), ["one"]);
    assert_eq!(std::fs::read(dir.file("accounts.json.damaged")).expect("kept"), b"{\"schema\":1,\"acc");
}

#[test]
fn with_both_generations_damaged_it_refuses_and_overwrites_nothing() {
    let (_root, dir) = dir();
    let roster = Roster::open(Arc::clone(&dir)).expect("opens");
    roster.add(test_account("one")).expect("adds");
    roster.add(test_account("two")).expect("adds");
    for damage in [&b""[..], b"null", b"[]", b"{}", b"{\"schema\":1}", b"{\"schema\":1,\"accounts\":[{}]}"] {
        std::fs::write(dir.file(FILE), damage).expect("damages");
        std::fs::write(dir.file("accounts.json.prev"), damage).expect("damages");
        let error = Roster::open(Arc::clone(&dir)).expect_err("refuses");
        assert_eq!(error.code(), "accounts_file_damaged");
        assert!(error.action().contains("backup"));
        assert_eq!(std::fs::read(dir.file(FILE)).expect("untouched"), damage);
    }
}

#[test]
fn a_file_of_a_newer_program_is_refused() {
    let (_root, dir) = dir();
    std::fs::write(dir.file(FILE), b"{\"schema\":2,\"accounts\":{}}").expect("writes");
    assert_eq!(Roster::open(dir).expect_err("refuses").code(), "accounts_file_newer");
}

#[test]
fn an_update_cannot_change_the_id() {
    let (_root, dir) = dir();
    let roster = Roster::open(dir).expect("opens");
    let account = roster.add(test_account("one")).expect("adds");
    roster.update(&account.id, |account| account.id = AccountId::random()).expect("updates");
    assert!(roster.get(&account.id).is_some());
}

#[test]
fn a_removed_account_can_be_taken_back_to_its_place_until_the_time_for_it_is_over() {
    let (_root, dir) = dir();
    let roster = Roster::open(Arc::clone(&dir)).expect("opens");
    let first = roster.add(test_account("one")).expect("adds");
    roster.add(test_account("two")).expect("adds");
    roster.remove(&first.id, Some(Timestamp(1))).expect("removes");
    assert_eq!((names(&roster), roster.pool().len(), roster.get(&first.id)), (vec!["two".to_owned()], 1, None));
    assert!(roster.keeps(&first.id));
    assert_eq!(roster.take_back(&first.id).expect("saves"), Some(Arc::clone(&first)));
    assert_eq!(names(&roster), ["one", "two"]);

    roster.remove(&first.id, Some(Timestamp(1))).expect("removes");
    assert!(roster.end_undo(&first.id) && !roster.keeps(&first.id));
    assert_eq!(roster.take_back(&first.id).expect("nothing to do"), None);
}

#[test]
fn a_removal_that_was_cut_short_is_known_at_the_next_start_and_cannot_be_undone_then() {
    let (_root, dir) = dir();
    let roster = Roster::open(Arc::clone(&dir)).expect("opens");
    let first = roster.add(test_account("one")).expect("adds");
    roster.remove(&first.id, Some(Timestamp(1))).expect("removes");
    let again = Roster::open(Arc::clone(&dir)).expect("opens");
    assert!(names(&again).is_empty());
    let leaving: Vec<_> = again.leaving().iter().map(|one| (one.account.id.clone(), one.undo_until)).collect();
    assert_eq!(leaving, [(first.id.clone(), None)]);
    assert_eq!(again.take_back(&first.id).expect("nothing to do"), None);
    again.forget(&first.id).expect("saves");
    assert!(Roster::open(dir).expect("opens").leaving().is_empty());
}

#[test]
fn from_a_previous_generation_no_account_is_dropped() {
    let (_root, dir) = dir();
    let roster = Roster::open(Arc::clone(&dir)).expect("opens");
    let first = roster.add(test_account("one")).expect("adds");
    roster.remove(&first.id, Some(Timestamp(1))).expect("removes");
    roster.take_back(&first.id).expect("takes back");
    std::fs::write(dir.file(FILE), b"{").expect("damages");
    let again = Roster::open(dir).expect("falls back");
    assert_eq!((names(&again), again.leaving().len()), (vec!["one".to_owned()], 0));
}
