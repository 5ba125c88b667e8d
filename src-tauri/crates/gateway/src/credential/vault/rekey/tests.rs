use std::sync::Arc;

use super::super::super::contract_tests::{fresh, key, memory_vault, refresh, shown};
use super::super::super::power::MemoryFiles;
use super::super::super::{CredentialStore, SecretId};
use super::super::{Argon2id, VaultStore};
use super::*;

fn folder() -> &'static Path {
    Path::new("/data/vault")
}

fn id(name: &str) -> SecretId {
    SecretId::from_text(&format!("account/{name}"))
}

fn open(files: &MemoryFiles, byte: u8) -> Result<VaultStore, StoreError> {
    let vault = VaultStore::find(folder(), Arc::new(files.clone()))?.expect("a vault");
    vault.unlock(key(byte)).map(|()| vault)
}

/// Three records, one with a save that was not confirmed.
fn filled() -> (MemoryFiles, VaultStore) {
    let (files, vault) = memory_vault();
    vault.save(&id("a"), &refresh("a one")).expect("saves");
    vault.save(&id("a"), &refresh("a two")).expect("saves");
    vault.save(&id("b"), &refresh(&"b".repeat(5_000))).expect("saves");
    vault.save(&id("c"), &refresh("c")).expect("saves");
    (files, vault)
}

fn is_whole(vault: &VaultStore, when: &str) {
    let now = |name: &str| shown(vault.load(&id(name)).expect("loads"));
    assert_eq!(now("a").as_deref(), Some("a two"), "{when}");
    assert_eq!(shown(vault.load_previous(&id("a")).expect("loads")).as_deref(), Some("a one"), "{when}");
    assert_eq!(now("b").map(|text| text.len()), Some(5_000), "{when}");
    assert_eq!(now("c").as_deref(), Some("c"), "{when}");
}

/// The vault under whichever of two keys holds; never both, never none.
fn holds(files: &MemoryFiles, when: &str) -> (u8, VaultStore) {
    match (open(files, 1), open(files, 2)) {
        (Ok(vault), Err(error)) | (Err(error), Ok(vault)) => {
            assert_eq!(error.code(), "vault_key_wrong", "{when}");
            let byte = if vault.facts().expect("tells").key_id == key(1).id() { 1 } else { 2 };
            (byte, vault)
        }
        (Ok(_), Ok(_)) => panic!("{when}: both keys open it"),
        (Err(one), Err(two)) => panic!("{when}: no key opens it: {one}; {two}"),
    }
}

/// Nothing but the header, its copy and the folder of the key.
fn is_tidy(files: &MemoryFiles, byte: u8, when: &str) {
    let wanted = key(byte).id();
    let mut names = vec![wanted, "header".to_owned(), "header.copy".to_owned()];
    names.sort_unstable();
    assert_eq!(files.names(folder()).expect("lists"), names, "{when}");
    assert_eq!(files.get(&folder().join("header")), files.get(&folder().join("header.copy")), "{when}");
}

#[test]
fn a_change_of_the_key_is_cut_at_every_step_and_the_cleaning_up_as_well() {
    let mut held = std::collections::BTreeSet::new();
    for (step, late) in (0..100).flat_map(|step| [(step, false), (step, true)]) {
        let (files, vault) = filled();
        files.power.cut_after(step, late);
        let recovery = (&secrecy::SecretString::from("the way back home"), &Argon2id::for_tests(8, [5; 16]));
        let result = vault.rekey(fresh(2), Some(recovery));
        let cut = files.power.mend();
        let when = format!("cut at {step}, late {late}");
        // The process may live on: what it saves from here on must be there after the restart.
        let saved = vault.save(&id("later"), &refresh("later")).is_ok();
        for second in 0..12 {
            let files = files.copy();
            files.power.cut_after(second, late);
            let _ = (open(&files, 1), open(&files, 2));
            files.power.mend();
            let (byte, vault) = holds(&files, &when);
            is_whole(&vault, &when);
            is_tidy(&files, byte, &when);
            assert_eq!(shown(vault.load(&id("later")).expect("loads")).is_some(), saved, "{when}");
            if result.is_ok() {
                assert_eq!(byte, 2, "{when}");
                assert!(vault.facts().expect("tells").recovery, "{when}");
            }
            held.insert(byte);
            vault.rekey(fresh(3), None).expect("changes again");
            is_whole(&open(&files, 3).expect("opens"), &when);
            is_tidy(&files, 3, &when);
        }
        if !cut {
            assert!(result.is_ok() && held.len() == 2, "both keys held at some step");
            return;
        }
    }
    panic!("a change of the key has more steps than were tried");
}

#[test]
fn a_damaged_journal_removes_nothing() {
    let (files, vault) = filled();
    // Cut after the header named the new key, before the old folder went.
    let mut step = 0;
    loop {
        let files = files.copy();
        let vault = open(&files, 1).expect("opens");
        files.power.cut_after(step, false);
        let result = vault.rekey(fresh(2), None);
        files.power.mend();
        if result.is_ok() && files.all().contains(&folder().join(NAME)) {
            let good = files.get(&folder().join(NAME));
            for at in 0..good.len() {
                let mut bad = good.clone();
                bad[at] ^= 1;
                let files = files.copy();
                files.put(&folder().join(NAME), bad);
                is_whole(&open(&files, 2).expect("opens"), "with a damaged journal");
            }
            break;
        }
        step += 1;
        assert!(step < 100, "never cut there");
    }
    drop(vault);
}

#[test]
fn a_record_of_which_nothing_opens_stops_the_change_and_a_damaged_generation_stays_behind() {
    let (files, vault) = filled();
    let shelf = folder().join(key(1).id());
    let of = |name: &str, generation: u64| Shelf::new(&files, folder(), &key(1)).path(&id(name), generation);
    let good = files.get(&of("c", 1));
    files.put(&of("c", 1), b"rubbish");
    let error = vault.rekey(fresh(2), None).expect_err("refuses");
    assert_eq!(error.code(), "store_corrupt");
    files.put(&of("c", 1), good);
    is_whole(&vault, "afterwards");
    is_tidy(&files, 1, "afterwards");

    files.put(&of("a", 2), b"rubbish");
    assert_eq!(vault.rekey(fresh(2), None).expect("changes"), 3);
    assert_eq!(files.names(&shelf).expect("lists").len(), 1, "only the damaged file stays");
    assert_eq!(files.get(&of("a", 2)), b"rubbish");
    assert_eq!(shown(open(&files, 2).expect("opens").load(&id("a")).expect("loads")).as_deref(), Some("a one"));
}

#[test]
fn the_same_key_from_another_source_changes_the_header_only() {
    let (files, vault) = filled();
    let before: Vec<_> =
        files.all().into_iter().filter(|path| path.extension().is_some_and(|e| e == "sealed")).collect();
    let sealed: Vec<_> = before.iter().map(|path| files.get(path)).collect();
    let mut same = fresh(1);
    same.source = super::super::KeySource::SystemdCredential;
    assert_eq!(vault.rekey(same, None).expect("changes"), 3);
    assert_eq!(before.iter().map(|path| files.get(path)).collect::<Vec<_>>(), sealed);
    let facts = open(&files, 1).expect("opens").facts().expect("tells");
    assert_eq!(facts.key_source, super::super::KeySource::SystemdCredential);
}

#[test]
fn files_that_were_never_finished_go_with_the_next_opening_and_nothing_else_does() {
    let (files, vault) = filled();
    let records = folder().join(key(1).id());
    for unfinished in [folder().join(".new-x1"), records.join(".new-x2")] {
        files.put(&unfinished, b"half");
    }
    files.put(&folder().join("note.txt"), b"a person's");
    drop(vault);
    is_whole(&open(&files, 1).expect("opens"), "with rubbish beside it");
    let left: Vec<_> = files.all().into_iter().filter(|path| path.to_string_lossy().contains(".new-")).collect();
    assert!(left.is_empty(), "{left:?}");
    assert!(files.all().contains(&folder().join("note.txt")));
}
