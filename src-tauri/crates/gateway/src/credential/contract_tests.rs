//! The contract over every store, and what their async door promises.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use super::contract::{ALL_SIZES, keeps_the_contract};
use super::keychain::tests::FakeKeychain;
use super::power::MemoryFiles;
use super::vault::{Argon2id, FreshKey};
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

/// A key file's key.
pub(super) fn fresh(byte: u8) -> FreshKey {
    FreshKey { key: key(byte), source: KeySource::KeyFile, kdf: None }
}

/// A vault in memory.
pub(super) fn memory_vault() -> (MemoryFiles, VaultStore) {
    let files = MemoryFiles::default();
    let vault = VaultStore::create("/data/vault".as_ref(), Arc::new(files.clone()), fresh(1)).expect("makes");
    (files, vault)
}

#[test]
fn memory_keeps_the_contract() {
    keeps_the_contract(&MemoryStore::default(), &ALL_SIZES);
}

#[test]
fn the_vault_keeps_the_contract() {
    let root = tempfile::tempdir().expect("temp dir");
    keeps_the_contract(&VaultStore::open(&root.path().join("vault"), key(1)).expect("opens"), &ALL_SIZES);
}

#[test]
fn the_vault_of_a_passphrase_keeps_the_contract() {
    let kdf = Argon2id::for_tests(64, [7; 16]);
    let key = kdf.derive(&SecretString::from("a passphrase of ours")).expect("derives");
    let fresh = FreshKey { key, source: KeySource::Passphrase, kdf: Some(kdf) };
    let vault = VaultStore::create("/data/vault".as_ref(), Arc::new(MemoryFiles::default()), fresh).expect("makes");
    keeps_the_contract(&vault, &ALL_SIZES);
}

#[test]
fn the_keychain_keeps_the_contract_within_the_limits_of_windows() {
    let fake = FakeKeychain::default();
    keeps_the_contract(&KeychainStore::new(fake.clone()), &ALL_SIZES);
    assert!(fake.longest() <= 2_560, "an item of {} bytes", fake.longest());
}

#[test]
fn a_keychain_that_asks_first_keeps_the_contract_once_a_person_allows_it() {
    let (asked, questions) = mpsc::channel();
    let (person, answers) = mpsc::channel();
    let slow = std::thread::spawn(move || {
        let backend = Prompting::new(asked, answers);
        keeps_the_contract(&KeychainStore::new(backend), &[2_401]);
    });
    // Nothing goes on before the person has seen the question and answered it.
    questions.recv().expect("a question");
    person.send(true).expect("heard");
    slow.join().expect("keeps the contract");
    assert!(questions.recv().is_err(), "asked once");
}

#[test]
fn a_keychain_that_a_person_denies_changes_nothing_and_works_once_it_is_allowed() {
    let (asked, questions) = mpsc::channel();
    let (person, answers) = mpsc::channel();
    let backend = Prompting::new(asked, answers);
    let (inner, store) = (backend.inner.clone(), KeychainStore::new(backend));
    let id = SecretId::from_text("account/a");
    let mut denied = 0;
    let mut deny = |result: Result<(), StoreError>| {
        denied += 1;
        assert_eq!(result.expect_err("denied").code(), "store_denied");
        assert_eq!(store.state(), StoreState::Denied);
    };
    (0..6).for_each(|_| person.send(false).expect("heard"));
    deny(store.load(&id).map(|_| ()));
    deny(store.load_previous(&id).map(|_| ()));
    deny(store.save(&id, &refresh("x")));
    deny(store.confirm(&id));
    deny(store.delete(&id));
    deny(store.probe());
    assert_eq!((denied, questions.try_iter().count()), (6, 6), "each call asks anew");
    assert!(inner.names().is_empty());
    person.send(true).expect("heard");
    keeps_the_contract(&store, &[1]);
}

#[test]
fn no_store_shows_a_secret_in_its_debug_output() {
    let store = MemoryStore::default();
    store.save(&SecretId::from_text("account/a"), &refresh("planted-secret")).expect("saves");
    let secrets = refresh("planted-secret");
    let sources = [
        VaultKeySource::Key(SecretString::from("planted-secret")),
        VaultKeySource::Passphrase(Arc::new(SecretString::from("planted-secret"))),
    ];
    assert!(!format!("{store:?} {secrets:?} {:?} {sources:?}", key(1)).contains("planted"));
}

/// A keychain that asks a person before anything, until it is allowed once.
struct Prompting {
    inner: FakeKeychain,
    state: std::sync::Mutex<Person>,
}

struct Person {
    asked: mpsc::Sender<()>,
    answers: mpsc::Receiver<bool>,
    allowed: bool,
}

impl Prompting {
    fn new(asked: mpsc::Sender<()>, answers: mpsc::Receiver<bool>) -> Self {
        let person = Person { asked, answers, allowed: false };
        Self { inner: FakeKeychain::default(), state: std::sync::Mutex::new(person) }
    }

    fn ask(&self) -> Result<&FakeKeychain, StoreError> {
        let mut person = self.state.lock().expect("lock");
        if !person.allowed {
            person.asked.send(()).expect("somebody looks");
            person.allowed = person.answers.recv().expect("an answer");
        }
        if person.allowed { Ok(&self.inner) } else { Err(StoreError::Denied(StoreKind::Keychain)) }
    }
}

impl KeychainBackend for Prompting {
    fn get(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        self.ask()?.get(name)
    }
    fn set(&self, name: &str, value: &[u8]) -> Result<(), StoreError> {
        self.ask()?.set(name, value)
    }
    fn delete(&self, name: &str) -> Result<(), StoreError> {
        self.ask()?.delete(name)
    }
}

/// A keychain that fails, or that asks a person who is not there.
struct Unwilling {
    error: StoreError,
    hang: Option<std::sync::Mutex<mpsc::Receiver<()>>>,
}

impl KeychainBackend for Unwilling {
    fn get(&self, _name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        if let Some(hang) = &self.hang {
            // Until the test ends: its sender is dropped then.
            let _ = hang.lock().expect("lock").recv();
        }
        Err(self.error.clone())
    }
    fn set(&self, name: &str, _value: &[u8]) -> Result<(), StoreError> {
        self.get(name).map(|_| ())
    }
    fn delete(&self, name: &str) -> Result<(), StoreError> {
        self.get(name).map(|_| ())
    }
}

fn unwilling(error: StoreError, hang: Option<mpsc::Receiver<()>>) -> Credentials {
    let hang = hang.map(std::sync::Mutex::new);
    Credentials::new(Arc::new(KeychainStore::new(Unwilling { error, hang })))
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
        (StoreError::Locked(StoreKind::Vault), StoreState::Locked),
        (StoreError::KeyMissing { wants: Some(KeySource::KeyFile) }, StoreState::KeyMissing),
        (StoreError::KeyWrong { expected: "a".into(), given: "b".into() }, StoreState::KeyWrong),
        (StoreError::Corrupt { kind, detail: "x".into() }, StoreState::Corrupt),
    ] {
        let credentials = unwilling(error.clone(), None);
        let found = credentials.probe().await.expect_err("unwilling");
        assert_eq!((found.state(), credentials.state()), (state, state));
        assert!(words.insert(found.to_string()) && words.insert(found.action()), "{found}");
        assert!(words.insert(found.code().into()), "{found}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_keychain_that_asks_nobody_times_out_and_so_do_later_calls() {
    let (_end, hang) = mpsc::channel();
    let credentials = unwilling(StoreError::Denied(StoreKind::Keychain), Some(hang));
    let before = tokio::time::Instant::now();
    let error = credentials.probe().await.expect_err("hangs");
    assert_eq!(before.elapsed(), Duration::from_secs(2));
    assert_eq!((error.code(), credentials.state()), ("store_timed_out", StoreState::TimedOut));
    let error = credentials.load(&SecretId::from_text("account/a")).await.expect_err("still hangs");
    assert_eq!(error.code(), "store_timed_out");
}

/// 10,000 calls from as many tasks on 8 threads: every load sees a whole record of its own id, and the last one is there.
async fn ten_thousand_calls_at_once(credentials: Credentials) {
    const RECORDS: u64 = 20;
    let saved: Arc<Vec<AtomicU64>> = Arc::new((0..RECORDS).map(|_| AtomicU64::new(0)).collect());
    let id = |n: u64| SecretId::from_text(&format!("account/{n}"));
    let mut calls = tokio::task::JoinSet::new();
    for n in 0..10_000_u64 {
        let (credentials, saved, record) = (credentials.clone(), Arc::clone(&saved), n % RECORDS);
        let (id, text) = (id(record), format!("{record}/{}", "x".repeat((n % 3_000) as usize)));
        calls.spawn(async move {
            match n % 3 {
                0 => {
                    credentials.save(&id, &refresh(&text)).await.expect("saves");
                    saved[record as usize].fetch_add(1, Ordering::SeqCst);
                }
                1 => credentials.confirm(&id).await.expect("confirms"),
                _ => {
                    let found = shown(credentials.load(&id).await.expect("loads"));
                    assert!(found.is_none_or(|found| found.starts_with(&format!("{record}/"))));
                }
            }
        });
    }
    while let Some(done) = calls.join_next().await {
        done.expect("no call fails");
    }
    for record in 0..RECORDS {
        let found = shown(credentials.load(&id(record)).await.expect("loads"));
        assert!(saved[record as usize].load(Ordering::SeqCst) > 0 && found.is_some());
    }
    assert_eq!(credentials.state(), StoreState::Ready);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn ten_thousand_calls_at_once_keep_every_store_whole() {
    ten_thousand_calls_at_once(Credentials::in_memory()).await;
    ten_thousand_calls_at_once(Credentials::new(Arc::new(KeychainStore::new(FakeKeychain::default())))).await;
    ten_thousand_calls_at_once(Credentials::new(Arc::new(memory_vault().1))).await;
}

#[test]
fn threads_that_share_a_vault_without_its_door_lose_no_save() {
    let (_, vault) = memory_vault();
    let vault = &vault;
    std::thread::scope(|scope| {
        for thread in 0..8 {
            scope.spawn(move || {
                let id = SecretId::from_text(&format!("account/{thread}"));
                let shared = SecretId::from_text("account/shared");
                for n in 0..200 {
                    vault.save(&id, &refresh(&n.to_string())).expect("saves");
                    vault.save(&shared, &refresh(&format!("{thread}/{n}"))).expect("saves");
                    assert_eq!(shown(vault.load(&id).expect("loads")), Some(n.to_string()));
                }
            });
        }
    });
    let last = shown(vault.load(&SecretId::from_text("account/shared")).expect("loads")).expect("there");
    assert!(last.ends_with("/199"), "the last save of some thread: {last}");
}
