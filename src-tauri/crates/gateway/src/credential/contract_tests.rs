//! What every store must do, run over each of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use super::keychain::tests::FakeKeychain;
use super::*;

pub(super) fn refresh(text: &str) -> Secrets {
    Secrets { refresh_token: Some(SecretString::from(text)), ..Secrets::default() }
}

pub(super) fn shown(found: Option<Secrets>) -> Option<String> {
    found.and_then(|found| found.refresh_token).map(|token| token.expose_secret().to_owned())
}

pub(super) fn key(byte: u8) -> VaultKey {
    VaultKey::from_bytes(std::array::from_fn(|at| byte.wrapping_add(u8::try_from(at).expect("small"))))
        .expect("random enough")
}

/// The promises of the trait.
fn keeps_the_contract(store: &dyn CredentialStore) {
    let (a, b) = (SecretId::from_text("account/a"), SecretId::from_text("account/b"));
    assert!(store.load(&a).expect("loads").is_none());
    store.delete(&a).expect("nothing to delete is fine");

    let all = Secrets {
        refresh_token: Some(SecretString::from("r")),
        client_secret: Some(SecretString::from("c")),
        api_key: Some(SecretString::from("k")),
        client_key: Some(SecretString::from("p")),
        data_key: Some(SecretString::from("d")),
        proxy_credentials: Some(SecretString::from("u:w")),
    };
    store.save(&a, &all).expect("saves");
    let back = store.load(&a).expect("loads").expect("there");
    let text = |secret: &Option<SecretString>| secret.as_ref().map(|s| s.expose_secret().to_owned());
    assert_eq!(text(&back.refresh_token).as_deref(), Some("r"));
    assert_eq!(text(&back.client_secret).as_deref(), Some("c"));
    assert_eq!(text(&back.api_key).as_deref(), Some("k"));
    assert_eq!(text(&back.client_key).as_deref(), Some("p"));
    assert_eq!(text(&back.data_key).as_deref(), Some("d"));
    assert_eq!(text(&back.proxy_credentials).as_deref(), Some("u:w"));

    // A later save replaces the whole record, not single fields.
    store.save(&a, &refresh("only")).expect("saves");
    let back = store.load(&a).expect("loads").expect("there");
    assert!(back.client_secret.is_none() && back.api_key.is_none());

    // Records do not touch each other.
    store.save(&b, &refresh("other")).expect("saves");
    store.delete(&a).expect("deletes");
    assert!(store.load(&a).expect("loads").is_none());
    assert_eq!(shown(store.load(&b).expect("loads")).as_deref(), Some("other"));

    // After a delete the record can come back.
    store.save(&a, &refresh("again")).expect("saves");
    assert_eq!(shown(store.load(&a).expect("loads")).as_deref(), Some("again"));

    // What was saved last stays provisional until it is confirmed: the record before it and the last confirmed one are kept.
    let previous = |store: &dyn CredentialStore| shown(store.load_previous(&a).expect("loads"));
    store.confirm(&a).expect("confirms");
    assert_eq!(previous(store), None);
    store.save(&a, &refresh("second")).expect("saves");
    assert_eq!(previous(store).as_deref(), Some("again"));
    store.save(&a, &refresh("third")).expect("saves");
    assert_eq!(previous(store).as_deref(), Some("second"));
    assert_eq!(shown(store.load(&a).expect("loads")).as_deref(), Some("third"));
    store.confirm(&a).expect("confirms");
    store.confirm(&a).expect("a second time is fine");
    assert_eq!(previous(store), None);
    assert_eq!(shown(store.load(&a).expect("loads")).as_deref(), Some("third"));
    store.confirm(&SecretId::from_text("account/unknown")).expect("nothing to confirm is fine");
    assert!(store.load_previous(&SecretId::from_text("account/unknown")).expect("loads").is_none());

    // Any size, growing and shrinking, around the limits of parts and any text.
    for size in [0, 1, 2_300, 2_399, 2_400, 2_401, 4_800, 10_000, 1 << 20, 3, 2_560, 64] {
        let long = "ü\u{1F600}\"\\\n".chars().cycle().take(size).collect::<String>();
        store.save(&a, &refresh(&long)).expect("saves");
        assert!(shown(store.load(&a).expect("loads")).as_deref() == Some(&long), "{size} characters");
    }
    store.probe().expect("works");
    assert_eq!(store.state(), StoreState::Ready);
}

#[test]
fn memory_keeps_the_contract() {
    keeps_the_contract(&MemoryStore::default());
}

#[test]
fn the_vault_keeps_the_contract() {
    let root = tempfile::tempdir().expect("temp dir");
    keeps_the_contract(&VaultStore::open(&root.path().join("vault"), key(1)).expect("opens"));
}

#[test]
fn the_keychain_keeps_the_contract_within_the_limits_of_windows() {
    let fake = FakeKeychain::default();
    keeps_the_contract(&KeychainStore::new(fake.clone()));
    assert!(fake.longest() <= 2_560, "an item of {} bytes", fake.longest());
}

#[test]
fn no_store_shows_a_secret_in_its_debug_output() {
    let store = MemoryStore::default();
    store.save(&SecretId::from_text("account/a"), &refresh("planted-secret")).expect("saves");
    let secrets = refresh("planted-secret");
    assert!(!format!("{store:?} {secrets:?} {:?}", key(1)).contains("planted"));
}

/// A keychain that says no, or that asks a person who is not there.
struct Unwilling {
    error: StoreError,
    hang: Option<std::sync::mpsc::Receiver<()>>,
    calls: AtomicUsize,
}

struct Shared(std::sync::Mutex<Unwilling>);

impl KeychainBackend for Shared {
    fn get(&self, _name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        let inside = self.0.lock().expect("lock");
        inside.calls.fetch_add(1, Ordering::SeqCst);
        if let Some(hang) = &inside.hang {
            // Until the test ends: its sender is dropped then.
            let _ = hang.recv();
        }
        Err(inside.error.clone())
    }
    fn set(&self, name: &str, _value: &[u8]) -> Result<(), StoreError> {
        self.get(name).map(|_| ())
    }
    fn delete(&self, name: &str) -> Result<(), StoreError> {
        self.get(name).map(|_| ())
    }
}

fn unwilling(error: StoreError, hang: Option<std::sync::mpsc::Receiver<()>>) -> Credentials {
    let backend = Shared(std::sync::Mutex::new(Unwilling { error, hang, calls: AtomicUsize::new(0) }));
    Credentials::new(Arc::new(KeychainStore::new(backend)))
}

#[tokio::test]
async fn absent_locked_and_denied_are_different_states_with_words_of_their_own() {
    let kind = StoreKind::Keychain;
    let mut words = std::collections::HashSet::new();
    for (error, state) in [
        (StoreError::Absent(kind, "no bus".into()), StoreState::Absent),
        (StoreError::Locked(kind), StoreState::Locked),
        (StoreError::Denied(kind), StoreState::Denied),
        (StoreError::TimedOut(kind), StoreState::TimedOut),
    ] {
        let credentials = unwilling(error.clone(), None);
        let found = credentials.probe().await.expect_err("unwilling");
        assert_eq!((found.state(), credentials.state()), (state, state));
        assert!(words.insert(found.to_string()) && words.insert(found.action()) && words.insert(found.code().into()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_keychain_that_asks_nobody_times_out_and_so_do_later_calls() {
    let (_end, hang) = std::sync::mpsc::channel();
    let credentials = unwilling(StoreError::Denied(StoreKind::Keychain), Some(hang));
    let before = tokio::time::Instant::now();
    let error = credentials.probe().await.expect_err("hangs");
    assert_eq!(before.elapsed(), Duration::from_secs(5));
    assert_eq!((error.code(), credentials.state()), ("store_timed_out", StoreState::TimedOut));
    let error = credentials.load(&SecretId::from_text("account/a")).await.expect_err("still hangs");
    assert_eq!(error.code(), "store_timed_out");
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_from_many_tasks_are_done_one_by_one_in_order() {
    let credentials = Credentials::new(Arc::new(KeychainStore::new(FakeKeychain::default())));
    let id = SecretId::from_text("account/a");
    let calls = (0..500).map(|n| {
        let (credentials, id) = (credentials.clone(), id.clone());
        async move {
            credentials.save(&id, &refresh(&n.to_string())).await.expect("saves");
            credentials.load(&id).await.expect("loads").expect("there");
        }
    });
    futures_util::future::join_all(calls).await;
    assert_eq!(credentials.state(), StoreState::Ready);
}
