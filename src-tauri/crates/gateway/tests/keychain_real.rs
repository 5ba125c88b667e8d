//! The real keychain of this machine, with a real service behind it. Runs only with `KIRO_TEST_KEYCHAIN=1`, because it
//! writes into the keychain of whoever runs it: start it in a private session with a fresh `XDG_DATA_HOME`,
//! `dbus-run-session -- sh -c 'printf pw | gnome-keyring-daemon --unlock --components=secrets && cargo test --test keychain_real'`.

#![allow(clippy::disallowed_methods, reason = "a test reads its own switch from the environment")]
#![allow(clippy::print_stderr, reason = "a skipped test must be loud")]

use std::sync::Arc;

use kiro_gateway::account::AccountId;
use kiro_gateway::credential::{
    CredentialStore, Credentials, KeychainStore, MoveTo, SecretId, Secrets, StoreChoice, StoreKind, StoreState,
    SystemKeychain, VaultKeySource, open_store,
};
use kiro_gateway::data_dir::DataDir;
use secrecy::{ExposeSecret, SecretString};

#[path = "../src/credential/contract.rs"]
mod contract;

/// Whether the session is the one that a test needs: `1` (unlocked), `locked` or `absent`.
fn session_is(session: &str, test: &str) -> bool {
    let on = std::env::var_os("KIRO_TEST_KEYCHAIN").is_some_and(|value| value == session);
    if !on {
        eprintln!("SKIPPED {test}: set KIRO_TEST_KEYCHAIN={session} in such a session to run it");
    }
    on
}

fn wanted(test: &str) -> bool {
    session_is("1", test)
}

fn keychain() -> Credentials {
    Credentials::new(Arc::new(KeychainStore::new(SystemKeychain::default())))
}

#[tokio::test]
async fn keychain_real_keeps_records_of_any_size_across_connections() {
    if !wanted("keychain_real_keeps_records_of_any_size_across_connections") {
        return;
    }
    let id = SecretId::account(&AccountId::random());
    for size in [1, 2_400, 2_401, 12_000] {
        let token = "t".repeat(size);
        let secrets = Secrets { refresh_token: Some(SecretString::from(token.clone())), ..Secrets::default() };
        keychain().save(&id, &secrets).await.expect("saves");
        let found = keychain().load(&id).await.expect("loads").expect("there");
        assert!(found.refresh_token.expect("a token").expose_secret() == token, "{size} bytes");
    }
    keychain().delete(&id).await.expect("deletes");
    assert!(keychain().load(&id).await.expect("loads").is_none());
}

#[test]
fn keychain_real_keeps_the_contract_of_every_store() {
    if !wanted("keychain_real_keeps_the_contract_of_every_store") {
        return;
    }
    // Every part is a call over the bus: a mebibyte is left to the fake.
    let sizes: Vec<usize> = contract::ALL_SIZES.into_iter().filter(|size| *size <= 10_000).collect();
    contract::keeps_the_contract(&KeychainStore::new(SystemKeychain::default()), &sizes);
}

#[tokio::test]
async fn keychain_real_gives_everything_to_a_vault_and_takes_it_back() {
    if !wanted("keychain_real_gives_everything_to_a_vault_and_takes_it_back") {
        return;
    }
    let root = tempfile::tempdir().expect("temp dir");
    let dir = DataDir::open(Some(root.path().join("state"))).expect("opens");
    let credentials = open_store(&StoreChoice::Auto, &dir).await.expect("opens");
    let ids: Vec<SecretId> = (0..3).map(|_| SecretId::account(&AccountId::random())).collect();
    for (n, id) in ids.iter().enumerate() {
        let token = Some(SecretString::from(n.to_string().repeat(4_000)));
        credentials.save(id, &Secrets { refresh_token: token, ..Secrets::default() }).await.expect("saves");
    }
    let to = MoveTo::Vault(VaultKeySource::AutoKeyFile);
    assert_eq!(credentials.move_to(to, ids.clone()).await.expect("moves"), 3);
    assert_eq!(credentials.kind(), StoreKind::Vault);
    for id in &ids {
        assert!(keychain().load(id).await.expect("loads").is_none(), "the old copy is gone");
        assert!(credentials.load(id).await.expect("loads").is_some());
    }
    assert_eq!(credentials.move_to(MoveTo::Keychain, Vec::new()).await.expect("moves back"), 3);
    for (n, id) in ids.iter().enumerate() {
        let found = keychain().load(id).await.expect("loads").expect("there").refresh_token.expect("a token");
        assert!(found.expose_secret() == n.to_string().repeat(4_000));
        credentials.delete(id).await.expect("deletes");
    }
    assert!(!dir.file("vault").exists() && !dir.file("vault-auto.key").exists());
}

#[tokio::test]
async fn keychain_real_is_chosen_and_recorded_at_the_first_start() {
    if !wanted("keychain_real_is_chosen_and_recorded_at_the_first_start") {
        return;
    }
    let root = tempfile::tempdir().expect("temp dir");
    let dir = DataDir::open(Some(root.path().join("state"))).expect("opens");
    for _ in 0..2 {
        let credentials = open_store(&StoreChoice::Auto, &dir).await.expect("opens");
        assert_eq!((credentials.kind(), credentials.state()), (StoreKind::Keychain, StoreState::Ready));
    }
    assert!(dir.read("store.json").expect("reads").is_some());
}

#[tokio::test]
async fn keychain_real_without_a_bus_is_absent_and_the_refusal_names_the_way_out() {
    if !session_is("absent", "keychain_real_without_a_bus_is_absent_and_the_refusal_names_the_way_out") {
        return;
    }
    assert_eq!(keychain().probe().await.expect_err("no bus").state(), StoreState::Absent);
    let root = tempfile::tempdir().expect("temp dir");
    let dir = DataDir::open(Some(root.path().join("state"))).expect("opens");
    let error = open_store(&StoreChoice::Auto, &dir).await.expect_err("nowhere to keep secrets");
    assert_eq!(error.code(), "no_credential_store");
    assert!(error.action().contains("--vault-key-file"));
}

#[tokio::test]
async fn keychain_real_that_nobody_unlocked_is_locked() {
    if !session_is("locked", "keychain_real_that_nobody_unlocked_is_locked") {
        return;
    }
    let error = keychain().probe().await.expect_err("locked");
    assert!(matches!(error.state(), StoreState::Locked | StoreState::TimedOut), "{error}");
    // It answers "no entry" for everything; an account must not look as if it had no secrets.
    let id = SecretId::account(&AccountId::random());
    let error = keychain().load(&id).await.expect_err("locked");
    assert!(matches!(error.state(), StoreState::Locked | StoreState::TimedOut), "{error}");
}
