#![allow(clippy::disallowed_methods, reason = "these tests plant broken files on purpose")]

use base64::Engine;

use super::super::MemoryStore;
use super::super::keychain::KeychainBackend;
use super::super::keychain::tests::FakeKeychain;
use super::*;

fn dir() -> (tempfile::TempDir, DataDir) {
    let root = tempfile::tempdir().expect("temp dir");
    let dir = DataDir::open(Some(root.path().join("state"))).expect("opens");
    (root, dir)
}

struct NoBus;

impl KeychainBackend for NoBus {
    fn get(&self, _: &str) -> Result<Option<zeroize::Zeroizing<Vec<u8>>>, StoreError> {
        Err(StoreError::Absent(StoreKind::Keychain, "no bus".into()))
    }
    fn set(&self, name: &str, _: &[u8]) -> Result<(), StoreError> {
        self.get(name).map(|_| ())
    }
    fn delete(&self, name: &str) -> Result<(), StoreError> {
        self.get(name).map(|_| ())
    }
}

fn absent() -> Arc<dyn CredentialStore> {
    Arc::new(KeychainStore::new(NoBus))
}

fn working() -> Arc<dyn CredentialStore> {
    Arc::new(KeychainStore::new(FakeKeychain::default()))
}

fn vault(byte: u8) -> StoreChoice {
    let bytes: [u8; 32] = std::array::from_fn(|at| byte.wrapping_add(u8::try_from(at).expect("small")));
    let text = base64::engine::general_purpose::STANDARD.encode(bytes);
    StoreChoice::Vault(VaultKeySource::Key(SecretString::from(text)))
}

#[tokio::test]
async fn with_neither_keychain_nor_key_it_refuses_and_names_the_two_commands() {
    let (_root, dir) = dir();
    let error = open_with(&StoreChoice::Auto, &dir, absent).await.expect_err("refuses");
    assert_eq!(error.code(), "no_credential_store");
    let action = error.action();
    assert!(action.contains("--vault-key-file") && action.contains("gnome-keyring-daemon --unlock"), "{action}");
    assert_eq!(dir.read(FILE).expect("reads"), None, "nothing is recorded");
}

#[tokio::test]
async fn the_first_choice_is_recorded_and_another_one_is_refused_later() {
    let (_root, dir) = dir();
    assert_eq!(open_with(&vault(1), &dir, absent).await.expect("opens").kind(), StoreKind::Vault);
    // A keychain that appears later does not take over.
    let error = open_with(&StoreChoice::Auto, &dir, working).await.expect_err("the key is missing");
    assert_eq!(error.code(), "vault_key_missing");
    let error = open_with(&StoreChoice::Keychain, &dir, working).await.expect_err("another store");
    assert_eq!(error.code(), "store_mismatch");
    let error = open_with(&vault(2), &dir, working).await.expect_err("another key");
    assert_eq!(error.code(), "vault_key_wrong");
    assert_eq!(open_with(&vault(1), &dir, absent).await.expect("opens").kind(), StoreKind::Vault);
}

#[tokio::test]
async fn a_recorded_keychain_that_is_gone_is_a_state_and_no_reason_for_another_store() {
    let (_root, dir) = dir();
    assert_eq!(open_with(&StoreChoice::Auto, &dir, working).await.expect("opens").kind(), StoreKind::Keychain);
    let error = open_with(&vault(1), &dir, working).await.expect_err("another store");
    assert_eq!(error.code(), "store_mismatch");
    let credentials = open_with(&StoreChoice::Auto, &dir, absent).await.expect("opens with its state");
    assert_eq!((credentials.kind(), credentials.state()), (StoreKind::Keychain, super::super::StoreState::Absent));
}

#[tokio::test]
async fn a_vault_whose_record_was_lost_is_not_passed_over() {
    let (_root, dir) = dir();
    open_with(&vault(1), &dir, absent).await.expect("opens");
    std::fs::remove_file(dir.file(FILE)).expect("removes");
    let error = open_with(&StoreChoice::Auto, &dir, working).await.expect_err("the vault is there");
    assert_eq!(error.code(), "vault_key_missing");
}

#[tokio::test]
async fn an_unreadable_record_is_refused_not_guessed() {
    let (_root, dir) = dir();
    for damage in ["", "{", "{\"schema\":2,\"store\":\"vault\"}", "{\"schema\":1,\"store\":\"cloud\"}"] {
        std::fs::write(dir.file(FILE), damage).expect("damages");
        let error = open_with(&StoreChoice::Auto, &dir, working).await.expect_err("refuses");
        assert_eq!(error.code(), "store_corrupt", "{damage}");
    }
}

#[tokio::test]
async fn memory_is_never_recorded() {
    let (_root, dir) = dir();
    let never = || -> Arc<dyn CredentialStore> { Arc::new(MemoryStore::default()) };
    assert_eq!(open_with(&StoreChoice::Memory, &dir, never).await.expect("opens").kind(), StoreKind::Memory);
    assert_eq!(dir.read(FILE).expect("reads"), None);
}
