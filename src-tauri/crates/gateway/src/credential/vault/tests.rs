#![allow(clippy::disallowed_methods, reason = "these tests plant broken files on purpose")]

use super::super::contract_tests::{key, refresh, shown};
use super::*;

fn id(name: &str) -> SecretId {
    SecretId::from_text(&format!("account/{name}"))
}

fn vault() -> (tempfile::TempDir, PathBuf, VaultStore) {
    let root = tempfile::tempdir().expect("temp dir");
    let folder = root.path().join("vault");
    let store = VaultStore::open(&folder, key(1)).expect("opens");
    (root, folder, store)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder).expect("lists").map(|entry| entry.expect("entry").path()).collect();
    files.sort();
    files
}

/// Loads through a vault opened anew, as after a restart.
fn reload(folder: &Path) -> Result<Option<String>, StoreError> {
    VaultStore::open(folder, key(1))?.load(&id("a")).map(shown)
}

#[test]
fn every_flipped_byte_and_every_truncation_is_recovered_or_refused() {
    let (_root, folder, store) = vault();
    store.save(&id("a"), &refresh("one")).expect("saves");
    store.save(&id("a"), &refresh("two")).expect("saves");
    drop(store);
    let mut recovered = 0;
    for path in files(&folder) {
        let good = fs::read(&path).expect("reads");
        let flipped = (0..good.len()).map(|at| {
            let mut bad = good.clone();
            bad[at] ^= 0x41;
            bad
        });
        let cut = (0..good.len()).map(|length| good[..length].to_vec());
        let longer = [[&good[..], b"x"].concat()];
        for bad in flipped.chain(cut).chain(longer) {
            fs::write(&path, &bad).expect("damages");
            match reload(&folder) {
                Ok(found) => {
                    assert!(matches!(found.as_deref(), Some("one" | "two")), "{}: {found:?}", path.display());
                    recovered += 1;
                }
                Err(error) => assert!(["store_corrupt", "vault_key_wrong"].contains(&error.code()), "{error}"),
            }
            assert_eq!(fs::read(&path).expect("kept"), bad, "a damaged file is kept as it is");
        }
        fs::write(&path, &good).expect("repairs");
    }
    assert!(recovered > 100);
    assert_eq!(reload(&folder).expect("whole again").as_deref(), Some("two"));
}

#[test]
fn a_damaged_generation_is_never_overwritten_or_removed_by_saves() {
    let (_root, folder, store) = vault();
    store.save(&id("a"), &refresh("one")).expect("saves");
    store.save(&id("a"), &refresh("two")).expect("saves");
    let damaged = store.path(&id("a"), 2);
    fs::write(&damaged, b"rubbish").expect("damages");
    for n in 0..5 {
        store.save(&id("a"), &refresh(&format!("later {n}"))).expect("saves");
    }
    assert_eq!(fs::read(&damaged).expect("kept"), b"rubbish");
    assert_eq!(reload(&folder).expect("loads").as_deref(), Some("later 4"));
}

#[test]
fn files_swapped_between_records_or_generations_do_not_open() {
    let (_root, folder, store) = vault();
    store.save(&id("a"), &refresh("of a")).expect("saves");
    store.save(&id("b"), &refresh("of b")).expect("saves");
    let (a, b) = (store.path(&id("a"), 1), store.path(&id("b"), 1));
    let of_b = fs::read(&b).expect("reads");
    let of_a = fs::read(&a).expect("reads");
    fs::write(&a, &of_b).expect("swaps");
    fs::write(&b, &of_a).expect("swaps");
    for name in ["a", "b"] {
        assert_eq!(store.load(&id(name)).expect_err("refused").code(), "store_corrupt");
    }
    // An old generation put in as a newer one is not believed either.
    fs::write(&a, &of_a).expect("repairs");
    fs::write(store.path(&id("a"), 9), &of_a).expect("replays");
    assert_eq!(reload(&folder).expect("the true one").as_deref(), Some("of a"));
}

#[test]
fn a_wrong_key_a_missing_header_and_a_damaged_one_are_told_apart() {
    let (_root, folder, store) = vault();
    store.save(&id("a"), &refresh("one")).expect("saves");
    let before: Vec<Vec<u8>> = files(&folder).iter().map(|path| fs::read(path).expect("reads")).collect();
    let error = VaultStore::open(&folder, key(2)).expect_err("wrong key");
    assert_eq!((error.code(), error.state()), ("vault_key_wrong", StoreState::KeyWrong));
    let after: Vec<Vec<u8>> = files(&folder).iter().map(|path| fs::read(path).expect("reads")).collect();
    assert_eq!(before, after, "a wrong key changes nothing");
    fs::write(folder.join("header"), b"{}").expect("damages");
    fs::write(folder.join("header.copy"), b"{}").expect("damages");
    assert_eq!(VaultStore::open(&folder, key(1)).expect_err("damaged").code(), "store_corrupt");
    fs::remove_file(folder.join("header")).expect("removes");
    fs::remove_file(folder.join("header.copy")).expect("removes");
    let error = VaultStore::open(&folder, key(2)).expect_err("never a new vault over sealed files");
    assert_eq!(error.code(), "store_corrupt");
    assert!(!folder.join("header").exists());
}

#[test]
fn the_last_confirmed_generation_and_the_one_before_the_newest_are_kept_until_a_confirmation() {
    let (_root, folder, store) = vault();
    for n in 1..=5 {
        store.save(&id("a"), &refresh(&n.to_string())).expect("saves");
    }
    assert_eq!(store.generations(&id("a")).expect("lists"), [5, 4, 1]);
    store.confirm(&id("a")).expect("confirms");
    assert_eq!(store.generations(&id("a")).expect("lists"), [5]);
    store.save(&id("a"), &refresh("6")).expect("saves");
    store.save(&id("a"), &refresh("7")).expect("saves");
    store.save(&id("a"), &refresh("8")).expect("saves");
    assert_eq!(store.generations(&id("a")).expect("lists"), [8, 7, 5]);
    store.delete(&id("a")).expect("deletes");
    assert_eq!(files(&folder).len(), 2, "only the header and its copy");
}

#[test]
fn a_damaged_newest_generation_is_not_confirmed() {
    let (_root, folder, store) = vault();
    store.save(&id("a"), &refresh("one")).expect("saves");
    store.save(&id("a"), &refresh("two")).expect("saves");
    fs::write(store.path(&id("a"), 2), b"rubbish").expect("damages");
    assert_eq!(store.confirm(&id("a")).expect_err("refuses").code(), "store_corrupt");
    assert_eq!(reload(&folder).expect("loads").as_deref(), Some("one"));
}

#[test]
fn nothing_on_disk_shows_a_secret() {
    let (_root, folder, store) = vault();
    store.save(&id("a"), &refresh("planted-secret")).expect("saves");
    for path in files(&folder) {
        let text = String::from_utf8_lossy(&fs::read(&path).expect("reads")).into_owned();
        assert!(!text.contains("planted"), "{}", path.display());
    }
}

#[test]
fn a_known_vault_opens_and_seals_to_the_same_bytes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/vault/golden");
    let plain = record::encode(&refresh("golden-refresh-token"));
    let sealed =
        seal::seal_with(&key(0x10), &id("golden"), 7, PURPOSE_RECORD, &plain, &std::array::from_fn(|at| at as u8));
    let path = folder.join(format!("{}.7.sealed", slug(&id("golden"))));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::create_dir_all(&folder).expect("creates");
        if !header::present(&folder) {
            header::create(&folder, &key(0x10)).expect("creates");
        }
        fs::write(&path, &sealed).expect("writes");
    }
    assert_eq!(fs::read(&path).expect("reads"), sealed);
    // Opening must not touch the committed folder's modes, so a copy is opened.
    let copy = tempfile::tempdir().expect("temp dir");
    for file in files(&folder) {
        fs::copy(&file, copy.path().join(file.file_name().expect("a name"))).expect("copies");
    }
    let store = VaultStore::open(copy.path(), key(0x10)).expect("opens");
    assert_eq!(shown(store.load(&id("golden")).expect("loads")).as_deref(), Some("golden-refresh-token"));
}

#[test]
fn a_key_is_32_random_bytes_in_base64_and_nothing_else() {
    use base64::Engine;
    let encode = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
    let good = encode(key(3).bytes());
    assert_eq!(VaultKey::from_base64(&format!(" {good}\n")).expect("fine").id(), key(3).id());
    for bad in ["", "short", &encode(&[1; 31]), &encode(&[1; 33]), &encode(&[0; 32]), &"!".repeat(44)] {
        assert_eq!(VaultKey::from_base64(bad).expect_err("refused").code(), "vault_key_refused", "{bad}");
    }
}

#[cfg(unix)]
#[test]
fn a_key_file_must_be_a_private_regular_file_outside_the_vault() {
    use base64::Engine;
    use std::os::unix::fs::{PermissionsExt, symlink};
    let (root, folder, _store) = vault();
    let text = base64::engine::general_purpose::STANDARD.encode(key(1).bytes());
    let write = |path: &Path, content: &[u8], mode: u32| {
        fs::write(path, content).expect("writes");
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("sets");
    };
    let file = root.path().join("key");
    for mode in [0o600, 0o400] {
        write(&file, text.as_bytes(), mode);
        assert_eq!(VaultKey::from_file(&file, &folder).expect("fine").id(), key(1).id());
        fs::remove_file(&file).expect("removes");
    }
    write(&file, key(1).bytes(), 0o600);
    assert_eq!(VaultKey::from_file(&file, &folder).expect("raw bytes").id(), key(1).id());
    for mode in [0o640, 0o604, 0o660, 0o644, 0o700] {
        write(&file, text.as_bytes(), mode);
        let error = VaultKey::from_file(&file, &folder).expect_err("open to others");
        assert!(error.code() == "vault_key_refused" && !error.to_string().contains(&text), "{error}");
    }
    write(&file, text.as_bytes(), 0o600);
    let link = root.path().join("link");
    symlink(&file, &link).expect("links");
    VaultKey::from_file(&link, &folder).expect_err("a link");
    VaultKey::from_file(&folder, &folder).expect_err("a folder");
    VaultKey::from_file(&root.path().join("missing"), &folder).expect_err("missing");
    let inside = folder.join("key");
    write(&inside, text.as_bytes(), 0o600);
    assert!(VaultKey::from_file(&inside, &folder).expect_err("inside").to_string().contains("inside the vault"));
}
