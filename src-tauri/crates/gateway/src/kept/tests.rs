use super::*;
use crate::clock::{ManualClock, Timestamp};
use serde_json::json;

struct House {
    folder: tempfile::TempDir,
    clock: Arc<ManualClock>,
    credentials: Credentials,
}

impl House {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a folder"),
            clock: Arc::new(ManualClock::new(Timestamp::from_unix_seconds(1_800_000_000))),
            credentials: Credentials::in_memory(),
        }
    }

    async fn open(&self, settings: &ResponseSettings) -> (Arc<DataDir>, Kept) {
        let dir = Arc::new(DataDir::open(Some(self.folder.path().join("data"))).expect("opened"));
        let clock: Arc<dyn Clock> = Arc::<ManualClock>::clone(&self.clock);
        let kept = Kept::new(Arc::clone(&dir), self.credentials.clone(), clock, "this installation");
        kept.follow(settings).await;
        (dir, kept)
    }

    /// The bytes of every file in the folder of kept answers.
    fn files(&self) -> Vec<Vec<u8>> {
        let Ok(entries) = std::fs::read_dir(self.folder.path().join("data/responses")) else { return Vec::new() };
        entries.map(|entry| std::fs::read(entry.expect("entry").path()).expect("read")).collect()
    }
}

fn settings(store: AnswerStore) -> ResponseSettings {
    ResponseSettings { store, ..ResponseSettings::default() }
}

fn key(name: &str) -> KeyId {
    KeyId::from_text(name)
}

async fn ids(kept: &Kept, who: &KeyId, count: usize) -> Vec<usize> {
    let mut found = Vec::new();
    for n in 0..count {
        if kept.get(who, &format!("resp_{n}")).await.is_some() {
            found.push(n);
        }
    }
    found
}

#[tokio::test]
async fn an_answer_belongs_to_its_key_and_deleting_deletes_it() {
    for store in [AnswerStore::Memory, AnswerStore::Disk] {
        let house = House::new();
        let (_dir, kept) = house.open(&settings(store)).await;
        let value = json!({"input": ["secret words"], "response": {"id": "resp_1"}});
        kept.put(&key("a"), "resp_1", &value).await;
        assert_eq!(kept.get(&key("a"), "resp_1").await.as_deref(), Some(&value), "{store:?}");
        assert!(kept.get(&key("b"), "resp_1").await.is_none());
        assert!(!kept.remove(&key("b"), "resp_1").await);
        assert!(kept.remove(&key("a"), "resp_1").await);
        assert!(kept.get(&key("a"), "resp_1").await.is_none());
        assert!(!kept.remove(&key("a"), "resp_1").await);
        assert!(house.files().is_empty());
    }
}

#[tokio::test]
async fn on_disk_answers_survive_a_restart_and_are_not_readable_there() {
    let house = House::new();
    let (dir, kept) = house.open(&settings(AnswerStore::Disk)).await;
    kept.put(&key("a"), "resp_1", &json!("secret words")).await;
    let files = house.files();
    assert_eq!(files.len(), 1);
    let text = String::from_utf8_lossy(&files[0]).into_owned();
    assert!(!text.contains("secret words") && !text.contains("resp_1"));
    drop((dir, kept));

    let (dir, kept) = house.open(&settings(AnswerStore::Disk)).await;
    assert_eq!(kept.get(&key("a"), "resp_1").await.as_deref(), Some(&json!("secret words")));
    assert!(kept.get(&key("b"), "resp_1").await.is_none());
    drop((dir, kept));

    // Another key in the store of secrets opens nothing.
    let stranger = House { credentials: Credentials::in_memory(), ..house };
    let (_dir, kept) = stranger.open(&settings(AnswerStore::Disk)).await;
    assert!(kept.get(&key("a"), "resp_1").await.is_none());
}

#[tokio::test]
async fn a_file_under_another_name_does_not_open() {
    let house = House::new();
    let (dir, kept) = house.open(&settings(AnswerStore::Disk)).await;
    kept.put(&key("a"), "resp_1", &json!(1)).await;
    kept.put(&key("b"), "resp_1", &json!(2)).await;
    let at = house.clock.now();
    let path =
        |who: &str| dir.file("responses").join(format!("{}.{}.kept", Slot::new(&key(who), "resp_1").0, at.unix_ms()));
    std::fs::copy(path("a"), path("b")).expect("copied");
    assert!(kept.get(&key("b"), "resp_1").await.is_none());
    assert!(kept.get(&key("a"), "resp_1").await.is_some());
}

#[tokio::test]
async fn number_bytes_and_age_are_bounded_and_the_oldest_go_first() {
    for store in [AnswerStore::Memory, AnswerStore::Disk] {
        let house = House::new();
        let few = ResponseSettings { max_entries: 3, max_hours: 2, ..settings(store) };
        let (_dir, kept) = house.open(&few).await;
        for n in 0..5 {
            kept.put(&key("a"), &format!("resp_{n}"), &json!(n)).await;
            house.clock.advance(Duration::from_secs(1800));
        }
        assert_eq!(ids(&kept, &key("a"), 5).await, [2, 3, 4], "{store:?}");
        // Kept at 60, 90 and 120 minutes; now it is 180.
        house.clock.advance(Duration::from_secs(1800));
        assert_eq!(ids(&kept, &key("a"), 5).await, [3, 4], "{store:?}");
        house.clock.advance(Duration::from_secs(7200));
        kept.sweep().await;
        assert!(house.files().is_empty());
        assert!(ids(&kept, &key("a"), 5).await.is_empty());

        kept.follow(&ResponseSettings { max_mebibytes: 1, ..settings(store) }).await;
        let large = json!("x".repeat(400 * 1024));
        for n in 0..4 {
            kept.put(&key("a"), &format!("resp_{n}"), &large).await;
            house.clock.advance(Duration::from_secs(1));
        }
        assert_eq!(ids(&kept, &key("a"), 4).await, [2, 3], "{store:?}");
        kept.put(&key("a"), "resp_0", &json!("x".repeat(2 * 1024 * 1024))).await;
        assert_eq!(ids(&kept, &key("a"), 4).await, [2, 3], "what is too large throws nothing else out");
    }
}

#[tokio::test]
async fn another_place_or_none_is_a_new_beginning() {
    let house = House::new();
    let (_dir, kept) = house.open(&settings(AnswerStore::Disk)).await;
    kept.put(&key("a"), "resp_1", &json!(1)).await;
    kept.follow(&settings(AnswerStore::Off)).await;
    assert!(house.files().is_empty());
    kept.put(&key("a"), "resp_2", &json!(2)).await;
    assert!(kept.get(&key("a"), "resp_2").await.is_none());
    kept.follow(&settings(AnswerStore::Memory)).await;
    kept.put(&key("a"), "resp_3", &json!(3)).await;
    assert!(kept.get(&key("a"), "resp_3").await.is_some());
    assert!(house.files().is_empty());
}

#[tokio::test]
async fn the_same_id_again_replaces_what_was_kept() {
    for store in [AnswerStore::Memory, AnswerStore::Disk] {
        let house = House::new();
        let (_dir, kept) = house.open(&settings(store)).await;
        kept.put(&key("a"), "resp_1", &json!(1)).await;
        house.clock.advance(Duration::from_secs(1));
        kept.put(&key("a"), "resp_1", &json!(2)).await;
        assert_eq!(kept.get(&key("a"), "resp_1").await.as_deref(), Some(&json!(2)));
        assert_eq!(house.files().len(), usize::from(store == AnswerStore::Disk));
    }
}

#[tokio::test]
async fn two_data_directories_on_one_keychain_have_keys_of_their_own_and_an_old_key_is_still_found() {
    let (one, two) = (House::new(), House::new());
    let clock = || -> Arc<dyn Clock> { Arc::<ManualClock>::clone(&one.clock) };
    let open = async |house: &House, installation: &str| {
        let dir = Arc::new(DataDir::open(Some(house.folder.path().join("data"))).expect("opened"));
        // One store of secrets for both.
        let kept = Kept::new(dir, one.credentials.clone(), clock(), installation);
        kept.follow(&settings(AnswerStore::Disk)).await;
        kept
    };
    let value = json!({"response": {"id": "resp_1"}});
    let first = open(&one, "first").await;
    first.put(&key("a"), "resp_1", &value).await;
    let secrets = one.credentials.load(&first.secret_id()).await.expect("loads").expect("a key of its own");
    let second = open(&two, "second").await;
    second.put(&key("a"), "resp_1", &value).await;
    assert_ne!(first.secret_id(), second.secret_id());
    one.credentials.delete(&second.secret_id()).await.expect("deleted");
    drop(first);
    let first = open(&one, "first").await;
    assert_eq!(first.get(&key("a"), "resp_1").await.as_deref(), Some(&value), "whatever the other one does");
    // As it was before: the key under the name that everybody shared.
    one.credentials.delete(&first.secret_id()).await.expect("deleted");
    one.credentials.save(&SecretId::shared_kept_answers(), &secrets).await.expect("saved");
    drop(first);
    let first = open(&one, "first").await;
    first.own_key().await;
    assert!(one.credentials.load(&first.secret_id()).await.expect("loads").is_some(), "under its own name now");
    assert_eq!(first.get(&key("a"), "resp_1").await.as_deref(), Some(&value));
    let shared = one.credentials.load(&SecretId::shared_kept_answers()).await.expect("loads");
    assert!(shared.is_some(), "another directory may still need it");
    // A directory without old answers does not take the shared key over.
    let third = House::new();
    let fresh = open(&third, "third").await;
    fresh.put(&key("a"), "resp_1", &value).await;
    let own = one.credentials.load(&fresh.secret_id()).await.expect("loads").and_then(|secrets| secrets.data_key);
    let text =
        |key: Option<secrecy::SecretString>| key.map(|key| secrecy::ExposeSecret::expose_secret(&key).to_owned());
    assert_ne!(text(own), text(secrets.data_key));
}
