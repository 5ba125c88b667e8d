#![allow(clippy::disallowed_methods, reason = "these tests plant broken files on purpose")]

use std::fs;

use super::super::contract_tests::{fresh, key, memory_vault, refresh, shown};
use super::super::power::MemoryFiles;
use super::*;

mod damage;
mod keys;
mod known;

const FOLDER: &str = "/data/vault";

fn id(name: &str) -> SecretId {
    SecretId::from_text(&format!("account/{name}"))
}

fn folder() -> &'static Path {
    Path::new(FOLDER)
}

/// The vault as after a restart.
fn reopen(files: &MemoryFiles, key: VaultKey) -> Result<VaultStore, StoreError> {
    let vault = VaultStore::find(folder(), Arc::new(files.clone()))?.expect("a vault");
    vault.unlock(key).map(|()| vault)
}

fn reload(files: &MemoryFiles) -> Result<Option<String>, StoreError> {
    reopen(files, key(1))?.load(&id("a")).map(shown)
}

fn path(vault: &VaultStore, id: &SecretId, generation: u64) -> PathBuf {
    vault.with(|shelf| Ok(shelf.path(id, generation))).expect("unlocked")
}

fn generations(vault: &VaultStore, id: &SecretId) -> Vec<u64> {
    vault.with(|shelf| shelf.generations(id)).expect("lists")
}

#[test]
fn a_wrong_key_a_missing_header_and_a_damaged_one_are_told_apart() {
    let (files, vault) = memory_vault();
    vault.save(&id("a"), &refresh("one")).expect("saves");
    let before: Vec<Vec<u8>> = files.all().iter().map(|path| files.get(path)).collect();
    let error = reopen(&files, key(2)).expect_err("wrong key");
    assert_eq!((error.code(), error.state()), ("vault_key_wrong", StoreState::KeyWrong));
    let after: Vec<Vec<u8>> = files.all().iter().map(|path| files.get(path)).collect();
    assert_eq!(before, after, "a wrong key changes nothing");
    let (header, copy) = (folder().join("header"), folder().join("header.copy"));
    files.put(&header, b"{}");
    files.put(&copy, b"{}");
    assert_eq!(reload(&files).expect_err("damaged").code(), "store_corrupt");
    files.put(&header, r#"{"format":"kiro-proxy-vault","version":9,"future":true}"#);
    assert!(reload(&files).expect_err("unknown").to_string().contains("version 9 is not known here"));
    files.lose(&header);
    files.lose(&copy);
    let error = VaultStore::find(folder(), Arc::new(files.clone())).expect_err("never a new vault over sealed files");
    assert_eq!(error.code(), "store_corrupt");
    VaultStore::create(folder(), Arc::new(files.clone()), fresh(1)).expect_err("never");
    assert!(!files.all().contains(&header));
}

#[test]
fn the_last_confirmed_generation_and_the_one_before_the_newest_are_kept_until_a_confirmation() {
    let (files, vault) = memory_vault();
    for n in 1..=5 {
        vault.save(&id("a"), &refresh(&n.to_string())).expect("saves");
    }
    assert_eq!(generations(&vault, &id("a")), [5, 4, 1]);
    vault.confirm(&id("a")).expect("confirms");
    assert_eq!(generations(&vault, &id("a")), [5]);
    for n in 6..=8 {
        vault.save(&id("a"), &refresh(&n.to_string())).expect("saves");
    }
    assert_eq!(generations(&vault, &id("a")), [8, 7, 5]);
    vault.delete(&id("a")).expect("deletes");
    assert_eq!(files.all().len(), 2, "only the header and its copy");
}

#[test]
fn a_locked_vault_tells_about_itself_and_gives_nothing_away() {
    let (_files, vault) = memory_vault();
    vault.save(&id("a"), &refresh("one")).expect("saves");
    vault.lock();
    assert_eq!(vault.state(), StoreState::Locked);
    for result in [
        vault.load(&id("a")).map(|_| ()),
        vault.load_previous(&id("a")).map(|_| ()),
        vault.save(&id("a"), &refresh("two")),
        vault.confirm(&id("a")),
        vault.delete(&id("a")),
        vault.rekey(fresh(2), None).map(|_| ()),
    ] {
        assert_eq!(result.expect_err("locked").code(), "vault_locked");
    }
    let facts = vault.facts().expect("tells");
    assert_eq!((facts.records, facts.key_id.as_str()), (1, key(1).id().as_str()));
    assert_eq!(vault.unlock(key(2)).expect_err("wrong").code(), "vault_key_wrong");
    assert_eq!(vault.state(), StoreState::Locked);
    vault.unlock(key(1)).expect("unlocks");
    assert_eq!(shown(vault.load(&id("a")).expect("loads")).as_deref(), Some("one"));
}

#[test]
fn nothing_on_disk_shows_a_secret_and_files_are_for_their_owner_only() {
    let root = tempfile::tempdir().expect("temp dir");
    let folder = root.path().join("vault");
    let vault = VaultStore::open(&folder, key(1)).expect("opens");
    vault.save(&id("a"), &refresh("planted-secret")).expect("saves");
    let mut seen = 0;
    for folder in [folder.clone(), folder.join(key(1).id())] {
        for entry in fs::read_dir(folder).expect("lists") {
            let path = entry.expect("entry").path();
            #[cfg(unix)]
            {
                use std::os::unix::fs::PermissionsExt;
                assert_eq!(fs::metadata(&path).expect("reads").permissions().mode() & 0o077, 0, "{}", path.display());
            }
            if path.is_file() {
                let text = String::from_utf8_lossy(&fs::read(&path).expect("reads")).into_owned();
                assert!(!text.contains("planted"), "{}", path.display());
                seen += 1;
            }
        }
    }
    assert_eq!(seen, 3);
}

#[test]
fn a_record_in_the_second_place_is_sealed_and_changes_nothing_in_the_vault() {
    let root = tempfile::tempdir().expect("temp dir");
    let folder = root.path().join("vault");
    let vault = VaultStore::open(&folder, key(1)).expect("opens");
    vault.save(&id("a"), &refresh("planted-first")).expect("saves");
    vault.save_aside(&id("a"), &refresh("planted-second")).expect("saves");
    assert_eq!(shown(vault.load(&id("a")).expect("loads")).as_deref(), Some("planted-first"));
    for entry in fs::read_dir(root.path().join("vault.aside").join(key(1).id())).expect("a folder") {
        let bytes = fs::read(entry.expect("an entry").path()).expect("reads");
        assert!(!bytes.windows(7).any(|window| window == b"planted"));
    }
    let vault = VaultStore::open(&folder, key(1)).expect("opens again");
    assert_eq!(shown(vault.load_aside(&id("a")).expect("loads")).as_deref(), Some("planted-second"));
    vault.drop_aside(&id("a")).expect("removes");
    assert!(vault.load_aside(&id("a")).expect("loads").is_none());
    assert_eq!(shown(vault.load(&id("a")).expect("loads")).as_deref(), Some("planted-first"));
}
