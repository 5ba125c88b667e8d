use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::contract_tests::{refresh, shown};
use super::super::power::{Fate, MemoryFiles, Power};
use super::*;

#[derive(Clone, Default)]
struct Inside {
    items: BTreeMap<String, Vec<u8>>,
    longest: usize,
}

/// Windows' Credential Manager: at most 2,560 bytes per item and 513 characters per name; its values are UTF-16 to others, so
/// that text set as a password has half of that. Ours are bytes.
#[derive(Clone, Default)]
pub(crate) struct FakeKeychain {
    inside: Arc<Mutex<Inside>>,
    pub(crate) power: Power,
}

impl FakeKeychain {
    /// On the same cable as something else.
    pub(crate) fn on(power: Power) -> Self {
        Self { power, ..Self::default() }
    }

    /// What a process that starts after a kill finds: the same items, and nobody who still writes.
    pub(crate) fn copy(&self) -> Self {
        Self { inside: Arc::new(Mutex::new(self.lock().clone())), power: Power::default() }
    }

    pub(crate) fn longest(&self) -> usize {
        self.lock().longest
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inside> {
        self.inside.lock().expect("lock")
    }

    fn change(&self, work: impl FnOnce(&mut Inside)) -> Result<(), StoreError> {
        let cut = || StoreError::Failed(StoreKind::Keychain, "power cut".into());
        match self.power.change() {
            Fate::Done => work(&mut self.lock()),
            Fate::DoneUnheard => {
                work(&mut self.lock());
                return Err(cut());
            }
            Fate::NotDone => return Err(cut()),
        }
        Ok(())
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.lock().items.keys().cloned().collect()
    }
}

impl KeychainBackend for FakeKeychain {
    fn get(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        Ok(self.lock().items.get(name).cloned().map(Zeroizing::new))
    }

    fn set(&self, name: &str, value: &[u8]) -> Result<(), StoreError> {
        if value.len() > 2_560 || name.len() > 513 {
            return Err(StoreError::Failed(StoreKind::Keychain, "TooLong".into()));
        }
        self.change(|inside| {
            inside.longest = inside.longest.max(value.len());
            inside.items.insert(name.to_owned(), value.to_vec());
        })
    }

    fn delete(&self, name: &str) -> Result<(), StoreError> {
        self.change(|inside| {
            inside.items.remove(name);
        })
    }
}

fn id() -> SecretId {
    SecretId::from_text("account/a")
}

#[test]
fn a_save_cut_at_any_step_leaves_the_old_or_the_new_record_whole() {
    let (old, new) = ("old".repeat(3_000), "new".repeat(2_000));
    let mut seen = [false; 2];
    for (steps, late) in (0..20).flat_map(|steps| [(steps, false), (steps, true)]) {
        let fake = FakeKeychain::default();
        let store = KeychainStore::new(fake.clone());
        store.save(&id(), &refresh("first")).expect("saves");
        store.save(&id(), &refresh(&old)).expect("saves");
        fake.power.cut_after(steps, late);
        let cut = store.save(&id(), &refresh(&new)).is_err();
        fake.power.mend();
        let found = shown(store.load(&id()).expect("loads")).expect("there");
        assert!(found == old || found == new, "after {steps} steps");
        assert!(cut || found == new);
        seen[usize::from(found == new)] = true;
        // The next save works whatever was left behind.
        store.save(&id(), &refresh("next")).expect("saves");
        assert_eq!(shown(store.load(&id()).expect("loads")).as_deref(), Some("next"));
    }
    assert_eq!(seen, [true, true]);
}

#[test]
fn the_previous_generation_stands_in_for_damaged_parts() {
    let fake = FakeKeychain::default();
    let store = KeychainStore::new(fake.clone());
    store.save(&id(), &refresh("one")).expect("saves");
    store.save(&id(), &refresh("two")).expect("saves");
    fake.lock().items.remove("account/a#2.0");
    assert_eq!(shown(store.load(&id()).expect("recovers")).as_deref(), Some("one"));
    fake.lock().items.insert("account/a#1.0".into(), b"x".to_vec());
    assert_eq!(store.load(&id()).expect_err("refuses").code(), "store_corrupt");
}

#[test]
fn every_flipped_byte_of_every_item_is_recovered_or_refused() {
    let fake = FakeKeychain::default();
    let store = KeychainStore::new(fake.clone());
    store.save(&id(), &refresh("one")).expect("saves");
    store.save(&id(), &refresh("two")).expect("saves");
    for name in fake.names() {
        let good = fake.lock().items[&name].clone();
        for at in 0..good.len() {
            for bit in [1, 0x20, 0x80] {
                let mut bad = good.clone();
                bad[at] ^= bit;
                fake.lock().items.insert(name.clone(), bad);
                match store.load(&id()) {
                    Ok(found) => {
                        let found = shown(found);
                        assert!(matches!(found.as_deref(), Some("one" | "two")), "{name} byte {at}: {found:?}");
                    }
                    Err(error) => assert_eq!(error.code(), "store_corrupt", "{name} byte {at}"),
                }
            }
        }
        fake.lock().items.insert(name, good);
    }
}

#[test]
fn old_generations_and_deleted_records_leave_no_items() {
    let fake = FakeKeychain::default();
    let store = KeychainStore::new(fake.clone());
    for n in 0..6 {
        store.save(&id(), &refresh(&"x".repeat(n * 2_000))).expect("saves");
    }
    let generations = |fake: &FakeKeychain| -> std::collections::BTreeSet<String> {
        fake.names().iter().filter_map(|name| Some(name.split_once('#')?.1.split_once('.')?.0.to_owned())).collect()
    };
    assert_eq!(generations(&fake).into_iter().collect::<Vec<_>>(), ["1", "5", "6"]);
    store.confirm(&id()).expect("confirms");
    assert_eq!(generations(&fake).into_iter().collect::<Vec<_>>(), ["6"]);
    store.save(&id(), &refresh("next")).expect("saves");
    store.save(&id(), &refresh("last")).expect("saves");
    store.delete(&id()).expect("deletes");
    assert_eq!(fake.names(), Vec::<String>::new());
}

#[test]
fn a_confirmation_cut_at_any_step_keeps_the_newest_record() {
    for steps in 0..12 {
        let fake = FakeKeychain::default();
        let store = KeychainStore::new(fake.clone());
        for n in 0..4 {
            store.save(&id(), &refresh(&format!("{n}{}", "x".repeat(5_000)))).expect("saves");
        }
        fake.power.cut_after(steps, false);
        let _ = store.confirm(&id());
        fake.power.mend();
        assert!(shown(store.load(&id()).expect("loads")).expect("there").starts_with('3'), "after {steps} steps");
        store.confirm(&id()).expect("confirms");
        assert_eq!(shown(store.load_previous(&id()).expect("loads")), None);
    }
}

#[test]
fn a_long_save_that_was_cut_leaves_no_parts_behind_a_short_one() {
    let fake = FakeKeychain::default();
    let store = KeychainStore::new(fake.clone());
    fake.power.cut_after(4, false);
    store.save(&id(), &refresh(&"x".repeat(20_000))).expect_err("cut");
    fake.power.mend();
    store.save(&id(), &refresh("short")).expect("saves");
    assert_eq!(fake.names(), ["account/a#1.0", "account/a#index"]);
}

#[test]
fn a_keychain_that_takes_nothing_any_more_has_a_second_place_that_outlives_the_process() {
    let (fake, files) = (FakeKeychain::default(), MemoryFiles::default());
    let open = |fake: &FakeKeychain| {
        KeychainStore::new(fake.clone()).with_aside(Arc::new(files.clone()), "/data/keychain.aside".into(), "here")
    };
    let store = open(&fake);
    store.save_aside(&id(), &refresh("early")).expect_err("nothing protects it before the keychain was used");
    store.save(&id(), &refresh("first")).expect("saves");
    assert!(store.waiting().expect("looks").is_empty());
    // Locked while the program runs.
    fake.power.cut_after(0, false);
    store.save(&id(), &refresh("a-rotated-token")).expect_err("locked");
    store.save_aside(&id(), &refresh("a-rotated-token")).expect("kept");
    for file in files.all() {
        assert!(!String::from_utf8_lossy(&files.get(&file)).contains("a-rotated-token"), "{}", file.display());
    }
    // Another process, unlocked again.
    let fake = fake.copy();
    let store = open(&fake);
    assert!(store.waiting().expect("looks") == [id()]);
    assert_eq!(shown(store.load_aside(&id()).expect("opens")).as_deref(), Some("a-rotated-token"));
    assert_eq!(shown(store.load(&id()).expect("loads")).as_deref(), Some("first"));
    store.drop_aside(&id()).expect("dropped");
    assert!(store.waiting().expect("looks").is_empty() && store.load_aside(&id()).expect("nothing").is_none());
    // Whoever has the files and not the keychain has nothing.
    store.save_aside(&id(), &refresh("again")).expect("kept");
    let stranger = open(&FakeKeychain::default());
    assert!(matches!(stranger.load_aside(&id()), Err(StoreError::Corrupt { .. })));
}
