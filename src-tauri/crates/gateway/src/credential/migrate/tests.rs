use std::path::Path;

use super::super::choice::open_with;
use super::super::contract_tests::{fresh, key, refresh, shown};
use super::super::files::Files;
use super::super::keychain::tests::FakeKeychain;
use super::super::power::MemoryFiles;
use super::super::{Credentials, KeychainStore, StoreChoice, VaultStore};
use super::*;

/// A data directory and a keychain on the same cable.
#[derive(Clone)]
struct House {
    root: Arc<tempfile::TempDir>,
    files: MemoryFiles,
    keychain: FakeKeychain,
}

impl House {
    fn new() -> Self {
        let files = MemoryFiles::default();
        let keychain = FakeKeychain::on(files.power.clone());
        Self { root: Arc::new(tempfile::tempdir().expect("temp dir")), files, keychain }
    }

    fn places(&self) -> Places {
        let dir = crate::data_dir::DataDir::open(Some(self.root.path().join("state"))).expect("opens");
        let keychain = self.keychain.clone();
        Places::new(
            &dir,
            Arc::new(self.files.clone()),
            Box::new(move || Arc::new(KeychainStore::new(keychain.clone()))),
        )
    }

    fn folder(&self) -> std::path::PathBuf {
        self.places().vault
    }

    /// The store that is named, as after a restart.
    fn reopen(&self) -> (StoreKind, Arc<dyn CredentialStore>) {
        let places = self.places();
        let recorded = places.recorded().expect("reads").expect("recorded");
        let store: Arc<dyn CredentialStore> = match recorded.store {
            StoreKind::Keychain => (places.keychain)(),
            StoreKind::Vault => {
                let vault = VaultStore::find(&places.vault, Arc::new(self.files.clone())).expect("finds");
                let vault = vault.expect("a vault");
                vault.unlock(key(1)).expect("unlocks");
                Arc::new(vault)
            }
            StoreKind::Memory => unreachable!(),
        };
        (recorded.store, store)
    }
}

fn ids() -> BTreeSet<SecretId> {
    (0..3).map(|n| SecretId::from_text(&format!("account/{n}"))).collect()
}

fn to_vault() -> MoveTo {
    MoveTo::Vault(VaultKeySource::Key(secrecy::SecretString::from(key(1).to_base64().as_str())))
}

/// Three records, one with a save that was not confirmed, one of many parts.
fn fill(store: &dyn CredentialStore) {
    for (n, id) in ids().iter().enumerate() {
        store.save(id, &refresh(&format!("first {n}"))).expect("saves");
        store.confirm(id).expect("confirms");
    }
    store.save(&SecretId::from_text("account/1"), &refresh("second")).expect("saves");
    store.save(&SecretId::from_text("account/2"), &refresh(&"x".repeat(6_000))).expect("saves");
    store.confirm(&SecretId::from_text("account/2")).expect("confirms");
}

fn is_whole(store: &dyn CredentialStore, when: &str) {
    let now = |n: usize| shown(store.load(&SecretId::from_text(&format!("account/{n}"))).expect("loads"));
    assert_eq!(now(0).as_deref(), Some("first 0"), "{when}");
    assert_eq!(now(1).as_deref(), Some("second"), "{when}");
    assert_eq!(now(2).map(|text| text.len()), Some(6_000), "{when}");
    let before = shown(store.load_previous(&SecretId::from_text("account/1")).expect("loads"));
    assert_eq!(before.as_deref(), Some("first 1"), "{when}");
}

/// Runs a move with a cut at every step, from `kind` to the other store.
fn cut_everywhere(kind: StoreKind, to: &MoveTo) {
    let mut outcomes = BTreeSet::new();
    for (step, late) in (0..200).flat_map(|step| [(step, false), (step, true)]) {
        let house = House::new();
        let places = house.places();
        let mut store: Arc<dyn CredentialStore> = match kind {
            StoreKind::Keychain => (places.keychain)(),
            StoreKind::Vault => {
                Arc::new(VaultStore::create(&places.vault, Arc::new(house.files.clone()), fresh(1)).expect("makes"))
            }
            StoreKind::Memory => unreachable!(),
        };
        fill(&*store);
        places.record(Recorded::new(kind, None)).expect("records");
        house.files.power.cut_after(step, late);
        let result = run(&mut store, &places, to, &ids());
        let cut = house.files.power.mend();
        let when = format!("cut at {step}, late {late}");

        // The process may live on: what it saves from here on must be there after the restart.
        let later = SecretId::from_text("account/later");
        let saved = store.save(&later, &refresh("later")).is_ok();
        let (now, store) = house.reopen();
        is_whole(&*store, &when);
        assert_eq!(shown(store.load(&later).expect("loads")).is_some(), saved, "{when}");
        if result.is_ok() {
            assert_eq!(now, to.kind(), "{when}");
        }
        outcomes.insert(format!("{now:?}"));

        // The next start removes what is superfluous, and a second try succeeds.
        let mut all = ids();
        all.insert(later);
        finish(&places, &all).expect("cleans up");
        is_whole(&*store, &when);
        // The random record of a probe that was cut off is nobody's secret.
        let leftover: Vec<String> = match now {
            StoreKind::Vault => house.keychain.names().into_iter().filter(|name| !name.starts_with("probe/")).collect(),
            StoreKind::Keychain | StoreKind::Memory => house.files.names(&house.folder()).expect("lists"),
        };
        assert_eq!(leftover, Vec::<String>::new(), "{when}");
        let mut store = store;
        if now == kind {
            run(&mut store, &places, to, &all).expect("moves");
            is_whole(&*house.reopen().1, &when);
        }
        if !cut {
            assert_eq!(outcomes.len(), 2, "both outcomes were seen");
            return;
        }
    }
    panic!("the move has more steps than were tried");
}

#[test]
fn a_move_from_the_keychain_into_a_vault_is_cut_at_every_step() {
    cut_everywhere(StoreKind::Keychain, &to_vault());
}

#[test]
fn a_move_from_a_vault_into_the_keychain_is_cut_at_every_step() {
    cut_everywhere(StoreKind::Vault, &MoveTo::Keychain);
}

#[test]
fn a_copy_that_does_not_come_back_the_same_keeps_the_old_store() {
    /// Forgets half of what it is told.
    struct Forgetful(FakeKeychain);
    impl super::super::KeychainBackend for Forgetful {
        fn get(&self, name: &str) -> Result<Option<zeroize::Zeroizing<Vec<u8>>>, StoreError> {
            self.0.get(name)
        }
        fn set(&self, name: &str, value: &[u8]) -> Result<(), StoreError> {
            let shorter = if name.contains("account/2") && !name.ends_with("#index") { &value[1..] } else { value };
            self.0.set(name, shorter)
        }
        fn delete(&self, name: &str) -> Result<(), StoreError> {
            self.0.delete(name)
        }
    }
    let house = House::new();
    let mut places = house.places();
    let mut store: Arc<dyn CredentialStore> =
        Arc::new(VaultStore::create(&places.vault, Arc::new(house.files.clone()), fresh(1)).expect("makes"));
    fill(&*store);
    places.record(Recorded::new(StoreKind::Vault, None)).expect("records");
    let keychain = house.keychain.clone();
    places.keychain = Box::new(move || Arc::new(KeychainStore::new(Forgetful(keychain.clone()))));
    let error = run(&mut store, &places, &MoveTo::Keychain, &ids()).expect_err("noticed");
    assert_eq!(error.code(), "store_corrupt");
    assert_eq!(house.keychain.names(), Vec::<String>::new(), "the copies are gone");
    assert_eq!(house.reopen().0, StoreKind::Vault);
    is_whole(&*store, "afterwards");
}

#[test]
fn a_vault_that_is_there_already_is_not_overwritten_by_a_move() {
    let house = House::new();
    let places = house.places();
    VaultStore::create(&places.vault, Arc::new(house.files.clone()), fresh(7)).expect("makes");
    let before = house.files.get(&places.vault.join("header"));
    let mut store = (places.keychain)();
    fill(&*store);
    places.record(Recorded::new(StoreKind::Keychain, None)).expect("records");
    run(&mut store, &places, &to_vault(), &ids()).expect_err("refuses");
    assert_eq!(house.files.get(&places.vault.join("header")), before);
    assert_eq!(run(&mut store, &places, &MoveTo::Keychain, &ids()).expect_err("refuses").code(), "store_in_use");
}

#[tokio::test]
async fn a_record_saved_a_moment_ago_that_no_list_names_yet_moves_too() {
    let house = House::new();
    let credentials: Credentials = open_with(&StoreChoice::Auto, house.places()).await.expect("opens");
    let id = SecretId::from_text("account/new");
    credentials.save(&id, &refresh("new")).await.expect("saves");
    assert_eq!(credentials.move_to(to_vault(), Vec::new()).await.expect("moves"), 1);
    assert_eq!(credentials.kind(), StoreKind::Vault);
    assert_eq!(shown(credentials.load(&id).await.expect("loads")).as_deref(), Some("new"));
    assert_eq!(credentials.move_to(MoveTo::Keychain, Vec::new()).await.expect("moves back"), 1);
    assert_eq!(shown(credentials.load(&id).await.expect("loads")).as_deref(), Some("new"));
    assert!(house.files.all().iter().all(|path| path.file_name() == Some(Path::new("store.json").as_os_str())));
}

#[tokio::test]
async fn what_waits_in_the_second_place_is_saved_before_a_move_or_a_new_key() {
    let house = House::new();
    let places = house.places();
    let vault = VaultStore::create(&places.vault, Arc::new(house.files.clone()), fresh(1)).expect("made");
    let id = SecretId::from_text("account/0");
    vault.save(&id, &refresh("old")).expect("saves");
    vault.save_aside(&id, &refresh("rotated")).expect("kept");
    places.record(Recorded::new(StoreKind::Vault, None)).expect("recorded");
    let key = VaultKeySource::Key(secrecy::SecretString::from(key(1).to_base64().as_str()));
    let credentials = open_with(&StoreChoice::Vault(key), house.places()).await.expect("opens");
    let ids: Vec<SecretId> = ids().into_iter().collect();
    let other = VaultKeySource::Key(secrecy::SecretString::from(super::super::VaultKey::random().to_base64().as_str()));
    assert_eq!(credentials.rekey(other, None).await.expect("a new key"), 1);
    assert_eq!(shown(credentials.load(&id).await.expect("loads")).as_deref(), Some("rotated"));
    assert!(credentials.load_aside(&id).await.expect("loads").is_none(), "nothing waits any more");
    assert_eq!(credentials.move_to(MoveTo::Keychain, ids).await.expect("moved"), 1);
    assert_eq!(shown(credentials.load(&id).await.expect("loads")).as_deref(), Some("rotated"));
}

#[tokio::test]
async fn a_move_is_refused_while_the_store_still_does_not_take_what_waits() {
    let house = House { keychain: FakeKeychain::default(), ..House::new() };
    let (keychain, files) = (house.keychain.clone(), house.files.clone());
    let dir = crate::data_dir::DataDir::open(Some(house.root.path().join("state"))).expect("opens");
    let open = Box::new(move || -> Arc<dyn CredentialStore> {
        let store = KeychainStore::new(keychain.clone());
        Arc::new(store.with_aside(Arc::new(files.clone()), "/data/keychain.aside".into(), "here"))
    });
    let places = Places::new(&dir, Arc::new(house.files.clone()), open);
    let credentials = open_with(&StoreChoice::Auto, places).await.expect("opens");
    let id = SecretId::from_text("account/0");
    credentials.save(&id, &refresh("old")).await.expect("saves");
    // The keychain takes nothing any more while the program runs.
    house.keychain.power.cut_after(0, false);
    credentials.save(&id, &refresh("rotated")).await.expect_err("refused");
    credentials.save_aside(&id, &refresh("rotated")).await.expect("kept");
    let refused = credentials.move_to(to_vault(), vec![id.clone()]).await.expect_err("something waits");
    assert!(refused.to_string().contains("waits to be saved"), "{refused}");
    assert_eq!(credentials.kind(), StoreKind::Keychain, "nothing was moved");
    house.keychain.power.mend();
    assert_eq!(credentials.move_to(to_vault(), Vec::new()).await.expect("moves"), 1);
    assert_eq!(shown(credentials.load(&id).await.expect("loads")).as_deref(), Some("rotated"));
}
