#![allow(clippy::disallowed_methods, reason = "these tests plant broken files on purpose")]

use base64::Engine;
use secrecy::SecretString;

use super::super::MemoryStore;
use super::super::contract_tests::{refresh, shown};
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

/// As [`open_store`] does, over any keychain.
async fn open_with(
    choice: &StoreChoice,
    dir: &DataDir,
    keychain: impl Fn() -> Arc<dyn CredentialStore> + Send + Sync + 'static,
) -> Result<Credentials, StoreError> {
    super::open_with(choice, Places::new(dir, Arc::new(Disk), Box::new(keychain))).await
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
    for damage in [
        "",
        "{",
        "{\"schema\":2,\"store\":\"vault\"}",
        "{\"schema\":1,\"store\":\"cloud\"}",
        "{\"schema\":1,\"store\":\"vault\",\"leftover\":\"cloud\"}",
    ] {
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

fn passphrase(text: &str) -> StoreChoice {
    StoreChoice::Vault(VaultKeySource::Passphrase(Arc::new(SecretString::from(text))))
}

#[tokio::test]
async fn a_vault_of_a_passphrase_waits_locked_for_it_and_opens_with_no_other() {
    let (_root, dir) = dir();
    let credentials = open_with(&passphrase("correct horse battery"), &dir, absent).await.expect("makes");
    let id = super::super::SecretId::from_text("account/a");
    let secrets = super::super::contract_tests::refresh("one");
    credentials.save(&id, &secrets).await.expect("saves");
    drop(credentials);
    assert_eq!(recorded_key_source(Some(dir.path())), Some(KeySource::Passphrase));

    let credentials = open_with(&StoreChoice::Auto, &dir, working).await.expect("waits");
    assert_eq!((credentials.kind(), credentials.state()), (StoreKind::Vault, super::super::StoreState::Locked));
    assert_eq!(credentials.load(&id).await.expect_err("locked").code(), "vault_locked");
    assert_eq!(credentials.save(&id, &secrets).await.expect_err("locked").code(), "vault_locked");
    let wrong = VaultKeySource::Passphrase(Arc::new(SecretString::from("correct horse batterx")));
    assert_eq!(credentials.unlock(Some(wrong)).await.expect_err("wrong").code(), "vault_key_wrong");
    assert_eq!(credentials.state(), super::super::StoreState::Locked);
    let right = VaultKeySource::Passphrase(Arc::new(SecretString::from("correct horse battery")));
    credentials.unlock(Some(right)).await.expect("unlocks");
    let found = super::super::contract_tests::shown(credentials.load(&id).await.expect("loads"));
    assert_eq!(found.as_deref(), Some("one"));
    credentials.lock().await.expect("locks");
    assert_eq!(credentials.load(&id).await.expect_err("locked").code(), "vault_locked");
}

#[tokio::test]
async fn a_short_passphrase_makes_no_vault() {
    let (_root, dir) = dir();
    let error = open_with(&passphrase("short"), &dir, absent).await.expect_err("refuses");
    assert_eq!(error.code(), "vault_key_refused");
    assert!(!dir.file(VAULT).join("header").exists());
}

#[tokio::test]
async fn a_key_beside_the_vault_is_made_once_and_never_again_while_sealed_files_exist() {
    let (_root, dir) = dir();
    let auto = StoreChoice::Vault(VaultKeySource::AutoKeyFile);
    let credentials = open_with(&auto, &dir, absent).await.expect("makes");
    credentials.save(&super::super::SecretId::from_text("account/a"), &Default::default()).await.expect("saves");
    let facts = credentials.vault_facts().await.expect("tells").expect("a vault");
    assert_eq!((facts.key_source, facts.records), (KeySource::AutoKeyFile, 1));
    let key = dir.file("vault-auto.key");
    let text = std::fs::read(&key).expect("there");
    drop(credentials);
    // The choice is recorded: from now on it needs no flag.
    open_with(&StoreChoice::Auto, &dir, absent).await.expect("opens");
    std::fs::remove_file(&key).expect("removes");
    for choice in [&auto, &StoreChoice::Auto] {
        let error = open_with(choice, &dir, working).await.expect_err("the key is gone");
        assert_eq!(error.code(), "vault_key_missing");
        assert!(!key.exists(), "no new key");
    }
    std::fs::write(&key, text).expect("puts back");
    open_with(&auto, &dir, absent).await.expect("opens");
}

#[tokio::test]
async fn a_missing_key_names_where_it_comes_from() {
    let (_root, dir) = dir();
    open_with(&vault(1), &dir, absent).await.expect("makes");
    let error = open_with(&StoreChoice::Auto, &dir, absent).await.expect_err("missing");
    assert!(error.to_string().contains("KIRO_PROXY_VAULT_KEY") && error.action().contains("KIRO_PROXY_VAULT_KEY"));
}

#[tokio::test]
async fn another_source_of_the_same_key_opens_the_vault_and_is_not_recorded() {
    let (root, dir) = dir();
    open_with(&vault(1), &dir, absent).await.expect("makes");
    let file = root.path().join("key");
    let StoreChoice::Vault(VaultKeySource::Key(text)) = vault(1) else { unreachable!() };
    crate::data_dir::write_synced(&file, secrecy::ExposeSecret::expose_secret(&text).as_bytes()).expect("writes");
    let from_file = StoreChoice::Vault(VaultKeySource::File(file));
    let credentials = open_with(&from_file, &dir, absent).await.expect("opens");
    let facts = credentials.vault_facts().await.expect("tells").expect("a vault");
    assert_eq!(facts.key_source, KeySource::Environment);
}

#[test]
fn a_data_directory_that_was_moved_finds_what_waits_in_the_keychains_second_place() {
    let (root, dir) = dir();
    let keychain = FakeKeychain::default();
    let open = |dir: &DataDir| {
        let mark = mark(&Disk, &dir.file(MARK), dir.path());
        KeychainStore::new(keychain.clone()).with_aside(Arc::new(Disk), dir.file(ASIDE), &mark)
    };
    let id = crate::credential::SecretId::from_text("account/a");
    let store = open(&dir);
    store.save(&id, &refresh("old")).expect("saves");
    store.save_aside(&id, &refresh("rotated")).expect("kept");
    drop((store, dir));
    let moved = root.path().join("elsewhere");
    std::fs::rename(root.path().join("state"), &moved).expect("moved");
    let dir = DataDir::open(Some(moved)).expect("opens");
    assert_eq!(shown(open(&dir).load_aside(&id).expect("opens")).as_deref(), Some("rotated"));
    // Another directory has items of its own.
    let other = DataDir::open(Some(root.path().join("state"))).expect("opens");
    assert_ne!(
        mark(&Disk, &other.file("another.mark"), &root.path().join("another")),
        mark(&Disk, &dir.file(MARK), dir.path())
    );
}

#[test]
fn a_mark_that_cannot_be_read_now_is_not_written_over() {
    struct Unreadable(Disk);
    impl Files for Unreadable {
        fn read(&self, _: &Path) -> std::io::Result<Option<Vec<u8>>> {
            Err(std::io::ErrorKind::PermissionDenied.into())
        }
        fn write(&self, path: &Path, content: &[u8]) -> std::io::Result<()> {
            self.0.write(path, content)
        }
        fn remove(&self, path: &Path) -> std::io::Result<()> {
            self.0.remove(path)
        }
        fn names(&self, folder: &Path) -> std::io::Result<Vec<String>> {
            self.0.names(folder)
        }
        fn make_folder(&self, path: &Path) -> std::io::Result<()> {
            self.0.make_folder(path)
        }
        fn remove_folder(&self, path: &Path) -> std::io::Result<()> {
            self.0.remove_folder(path)
        }
    }
    let (_root, dir) = dir();
    let file = dir.file(MARK);
    let made = mark(&Disk, &file, Path::new("/first/place"));
    mark(&Unreadable(Disk), &file, Path::new("/second/place"));
    assert_eq!(mark(&Disk, &file, Path::new("/second/place")), made);
}

#[test]
fn a_damaged_mark_is_made_anew_from_the_path() {
    let (_root, dir) = dir();
    let made = mark(&Disk, &dir.file(MARK), dir.path());
    std::fs::write(dir.file(MARK), b"half").expect("damaged");
    assert_eq!(mark(&Disk, &dir.file(MARK), dir.path()), made);
}
