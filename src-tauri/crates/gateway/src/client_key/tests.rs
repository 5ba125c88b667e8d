#![allow(clippy::disallowed_methods, reason = "these tests plant broken files on purpose")]

use super::*;
use crate::clock::ManualClock;

fn house() -> (tempfile::TempDir, Arc<DataDir>, Arc<ManualClock>) {
    let root = tempfile::tempdir().expect("temp dir");
    let dir = Arc::new(DataDir::open(Some(root.path().join("state"))).expect("opens"));
    (root, dir, Arc::new(ManualClock::new(Timestamp(5_000))))
}

#[tokio::test]
async fn the_first_start_makes_one_random_key_and_later_starts_none() {
    let (_root, dir, clock) = house();
    let credentials = Credentials::in_memory();
    let keys = Keys::open(Arc::clone(&dir), credentials.clone(), clock.clone()).expect("opens");
    let first = keys.ensure_first().await.expect("makes").expect("a key");
    let text = first.secret.expose_secret();
    assert!(text.starts_with("kp-") && text.len() == 3 + 43, "{} characters", text.len());
    assert_eq!(keys.ensure_first().await.expect("nothing to do").map(|key| key.key), None);
    keys.revoke(&first.key.id).await.expect("revokes");
    let again = Keys::open(Arc::clone(&dir), credentials, clock).expect("opens");
    assert_eq!(again.ensure_first().await.expect("respects the revoking").map(|key| key.key), None);
    let (_root, dir, clock) = house();
    let other = Keys::open(dir, Credentials::in_memory(), clock).expect("opens");
    let other = other.ensure_first().await.expect("makes").expect("a key");
    assert_ne!(other.secret.expose_secret(), text);
}

#[tokio::test]
async fn a_key_is_known_until_it_is_revoked_and_across_a_restart() {
    let (_root, dir, clock) = house();
    let credentials = Credentials::in_memory();
    let keys = Keys::open(Arc::clone(&dir), credentials.clone(), clock.clone()).expect("opens");
    let a = keys.create("editor").await.expect("makes");
    let b = keys.create("terminal").await.expect("makes");
    let keys = Keys::open(dir, credentials, clock).expect("opens");
    for key in [&a, &b] {
        assert_eq!(keys.verify(key.secret.expose_secret().as_bytes()), Some(key.key.id.clone()));
        let shown = keys.reveal(&key.key.id).await.expect("reads").expect("there");
        assert_eq!(shown.expose_secret(), key.secret.expose_secret());
    }
    assert!(keys.revoke(&a.key.id).await.expect("revokes"));
    assert!(!keys.revoke(&a.key.id).await.expect("nothing to do"));
    assert_eq!(keys.verify(a.secret.expose_secret().as_bytes()), None);
    assert!(keys.reveal(&a.key.id).await.expect("reads").is_none());
    assert_eq!(keys.verify(b.secret.expose_secret().as_bytes()), Some(b.key.id));
}

#[tokio::test]
async fn what_is_nearly_a_key_is_none() {
    let (_root, dir, clock) = house();
    let keys = Keys::open(dir, Credentials::in_memory(), clock).expect("opens");
    let key = keys.create("editor").await.expect("makes");
    let text = key.secret.expose_secret();
    for at in 0..text.len() {
        let mut wrong = text.as_bytes().to_vec();
        wrong[at] ^= 1;
        assert_eq!(keys.verify(&wrong), None);
        assert_eq!(keys.verify(&text.as_bytes()[..at]), None);
    }
    assert_eq!(keys.verify(format!("{text} ").as_bytes()), None);
    assert_eq!(keys.verify(&vec![b'a'; 1 << 20]), None);
    assert_eq!(keys.verify(key.key.prefix.as_bytes()), None);
}

#[tokio::test]
async fn lists_and_files_hold_no_key_text() {
    let (_root, dir, clock) = house();
    let keys = Keys::open(Arc::clone(&dir), Credentials::in_memory(), clock).expect("opens");
    let key = keys.create("editor").await.expect("makes");
    let text = key.secret.expose_secret();
    let list = serde_json::to_string(&keys.list()).expect("serialises");
    let file = String::from_utf8(dir.read(FILE).expect("reads").expect("there")).expect("text");
    for place in [list, file, format!("{keys:?} {key:?}")] {
        assert!(!place.contains(&text[SHOWN..]), "{place}");
    }
    assert_eq!(key.key.prefix, &text[..SHOWN]);
}

#[tokio::test]
async fn the_last_use_is_noted_and_saved_on_flush() {
    let (_root, dir, clock) = house();
    let credentials = Credentials::in_memory();
    let keys = Keys::open(Arc::clone(&dir), credentials.clone(), clock.clone()).expect("opens");
    let key = keys.create("editor").await.expect("makes");
    assert_eq!(keys.list()[0].last_used_at, None);
    clock.set(Timestamp(9_000));
    keys.verify(key.secret.expose_secret().as_bytes());
    keys.flush().expect("saves");
    let again = Keys::open(dir, credentials, clock).expect("opens");
    assert_eq!(again.list()[0].last_used_at, Some(Timestamp(9_000)));
}

#[tokio::test]
async fn a_damaged_list_of_keys_is_refused_not_replaced() {
    let (_root, dir, clock) = house();
    let keys = Keys::open(Arc::clone(&dir), Credentials::in_memory(), clock.clone()).expect("opens");
    keys.create("one").await.expect("makes");
    std::fs::write(dir.file(FILE), b"{").expect("damages");
    let error = Keys::open(Arc::clone(&dir), Credentials::in_memory(), clock.clone()).expect_err("refuses");
    assert_eq!(error.code(), "keys_file_damaged");
    assert_eq!(std::fs::read(dir.file(FILE)).expect("untouched"), b"{");
}

#[tokio::test]
async fn a_list_of_a_newer_program_is_refused_and_left_where_it_is() {
    let (_root, dir, clock) = house();
    let keys = Keys::open(Arc::clone(&dir), Credentials::in_memory(), clock.clone()).expect("opens");
    keys.create("one").await.expect("makes");
    keys.create("two").await.expect("makes");
    let newer = br#"{"schema":99,"keys":{"by":"id"}}"#;
    std::fs::write(dir.file(FILE), newer).expect("plants");
    let error = Keys::open(Arc::clone(&dir), Credentials::in_memory(), clock).expect_err("refuses");
    assert_eq!(error.code(), "keys_file_newer");
    assert_eq!(std::fs::read(dir.file(FILE)).expect("untouched"), newer);
}

#[tokio::test]
async fn damage_to_the_list_never_brings_a_revoked_key_back() {
    let (_root, dir, clock) = house();
    let keys = Keys::open(Arc::clone(&dir), Credentials::in_memory(), clock.clone()).expect("opens");
    let kept = keys.create("kept").await.expect("makes");
    let revoked = keys.create("revoked").await.expect("makes");
    keys.revoke(&revoked.key.id).await.expect("revokes");
    std::fs::write(dir.file(FILE), b"{").expect("damages");
    let keys = Keys::open(dir, Credentials::in_memory(), clock).expect("opens with the previous list");
    assert_eq!(keys.verify(kept.secret.expose_secret().as_bytes()), Some(kept.key.id));
    assert_eq!(keys.verify(revoked.secret.expose_secret().as_bytes()), None);
}

#[tokio::test]
async fn a_key_needs_a_readable_name() {
    let (_root, dir, clock) = house();
    let keys = Keys::open(dir, Credentials::in_memory(), clock).expect("opens");
    for bad in ["", "   ", "a\nb", &"x".repeat(101)] {
        assert_eq!(keys.create(bad).await.expect_err("refused").code(), "key_name_invalid");
    }
    assert_eq!(keys.list(), []);
}

#[tokio::test]
async fn options_are_kept_across_a_restart_and_a_file_without_them_is_read() {
    let (_root, dir, clock) = house();
    let credentials = Credentials::in_memory();
    let keys = Keys::open(Arc::clone(&dir), credentials.clone(), clock.clone()).expect("opens");
    let a = keys.create("editor").await.expect("makes").key;
    let plain = String::from_utf8(dir.read(FILE).expect("reads").expect("a file")).expect("text");
    assert!(!plain.contains("options"), "a key without options is written as ever: {plain}");
    assert_eq!(*keys.options(&a.id), KeyOptions::default());
    let rule = serde_json::from_str(r#"{"match": "fast", "targets": ["auto"]}"#).expect("a rule");
    let options = KeyOptions { buffered_start: true, model_rules: vec![rule], account_tags: vec!["work".into()] };
    let changed = keys.set_options(&a.id, options.clone()).expect("saves").expect("known");
    assert_eq!((changed.options, changed.name.as_str()), (options.clone(), "editor"));
    let renamed = keys.update(&a.id, Some(" terminal "), None).expect("saves").expect("known");
    assert_eq!((renamed.name.as_str(), &renamed.options), ("terminal", &options));
    let again = Keys::open(Arc::clone(&dir), credentials, clock).expect("opens");
    assert_eq!(*again.options(&a.id), options);
    assert_eq!(*again.options(&KeyId::from_text("nobody")), KeyOptions::default());
    assert_eq!(again.set_options(&KeyId::from_text("nobody"), options).expect("no fault"), None);
}

#[tokio::test]
async fn a_change_of_a_key_keeps_its_digest_and_its_last_use_and_wrong_options_change_nothing() {
    let (_root, dir, clock) = house();
    let keys = Keys::open(dir, Credentials::in_memory(), clock).expect("opens");
    let made = keys.create("editor").await.expect("makes");
    keys.verify(made.secret.expose_secret().as_bytes()).expect("known");
    let rule = serde_json::from_str(r#"{"match": "a*", "targets": []}"#).expect("a rule");
    let wrong = KeyOptions { buffered_start: true, model_rules: vec![rule], ..KeyOptions::default() };
    let error = keys.set_options(&made.key.id, wrong).expect_err("refused");
    let KeyError::Options(fields) = &error else { panic!("{error}") };
    assert_eq!(fields.keys().collect::<Vec<_>>(), ["options.modelRules.0.match", "options.modelRules.0.targets"]);
    assert_eq!(*keys.options(&made.key.id), KeyOptions::default());
    let good = KeyOptions { buffered_start: true, ..KeyOptions::default() };
    let changed = keys.set_options(&made.key.id, good).expect("saves").expect("known");
    assert_eq!(changed.last_used_at, Some(Timestamp(5_000)));
    assert_eq!(keys.verify(made.secret.expose_secret().as_bytes()), Some(made.key.id));
}
