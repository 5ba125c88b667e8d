#![allow(clippy::disallowed_methods, reason = "these tests plant broken files on purpose")]

use std::fs;

use super::super::contract_tests::{fresh, key, memory_vault, refresh, shown};
use super::super::power::MemoryFiles;
use super::*;

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

/// Every single bit turned, every length, and one byte more.
fn damaged(good: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    let flipped = (0..good.len()).flat_map(move |at| {
        (0..8).map(move |bit| {
            let mut bad = good.to_vec();
            bad[at] ^= 1 << bit;
            bad
        })
    });
    let cut = (0..good.len()).map(|length| good[..length].to_vec());
    flipped.chain(cut).chain([[good, b"x"].concat()])
}

#[test]
fn every_flipped_bit_and_every_truncation_is_recovered_or_refused() {
    let (files, vault) = memory_vault();
    vault.save(&id("a"), &refresh("one")).expect("saves");
    vault.save(&id("a"), &refresh("two")).expect("saves");
    drop(vault);
    let (mut recovered, mut refused) = (0, 0);
    for path in files.all() {
        let good = files.get(&path);
        for bad in damaged(&good) {
            files.put(&path, bad.clone());
            match reload(&files) {
                Ok(found) => {
                    assert!(matches!(found.as_deref(), Some("one" | "two")), "{}: {found:?}", path.display());
                    recovered += 1;
                }
                Err(error) => {
                    assert!(["store_corrupt", "vault_key_wrong"].contains(&error.code()), "{error}");
                    refused += 1;
                }
            }
            let kept = files.get(&path);
            // A damaged copy of the header is made like the header again; nothing else is touched.
            assert!(kept == bad || (path.ends_with("header.copy") && kept == good), "{}", path.display());
        }
        files.put(&path, good);
    }
    assert!(recovered > 5_000, "{recovered} recovered, {refused} refused");
    assert_eq!(reload(&files).expect("whole again").as_deref(), Some("two"));
}

#[test]
fn with_one_generation_alone_every_flipped_bit_is_refused() {
    let (files, vault) = memory_vault();
    vault.save(&id("a"), &refresh("one")).expect("saves");
    let path = path(&vault, &id("a"), 1);
    let good = files.get(&path);
    for bad in damaged(&good) {
        files.put(&path, bad.clone());
        assert_eq!(reload(&files).expect_err("refused").code(), "store_corrupt");
        assert_eq!(files.get(&path), bad, "kept as it is");
    }
}

#[test]
fn every_flipped_bit_of_a_recovery_copy_is_refused() {
    let (files, vault) = memory_vault();
    let passphrase = SecretString::from("the way back home");
    recovery::store(&files, folder(), &key(1), &Argon2id::for_tests(8, [3; 16]), &passphrase).expect("stores");
    let path = folder().join(key(1).id()).join("recovery");
    let good = files.get(&path);
    assert_eq!(vault.recover(&passphrase).expect("opens").id(), key(1).id());
    for bad in damaged(&good) {
        files.put(&path, bad);
        match vault.recover(&passphrase) {
            // Space at the end of JSON means nothing.
            Ok(key) => assert_eq!(key.id(), super::super::contract_tests::key(1).id()),
            Err(error) => assert_eq!(error.code(), "store_corrupt", "{error}"),
        }
    }
}

#[test]
fn a_header_changed_by_somebody_without_the_key_is_refused() {
    let (files, vault) = memory_vault();
    vault.save(&id("a"), &refresh("one")).expect("saves");
    let text = String::from_utf8(files.get(&folder().join("header"))).expect("text");
    // With the sum put right, which needs no key.
    let mut header: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    header["keySource"] = "autoKeyFile".into();
    let field = |name: &str| match &header[name] {
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let names = ["format", "version", "keyId", "keySource", "kdf", "check"];
    let lines: String = names.map(|name| format!("{}\n", field(name))).concat();
    header["sum"] = crate::account::hex(&<sha2::Sha256 as sha2::Digest>::digest(lines.as_bytes())).into();
    let forged = header.to_string().into_bytes();
    files.put(&folder().join("header"), forged.clone());
    files.put(&folder().join("header.copy"), forged);
    let error = reload(&files).expect_err("refused");
    assert!(error.code() == "store_corrupt" && error.to_string().contains("does not have the key"), "{error}");
}

#[test]
fn a_damaged_generation_is_never_overwritten_or_removed_by_saves() {
    let (files, vault) = memory_vault();
    vault.save(&id("a"), &refresh("one")).expect("saves");
    vault.save(&id("a"), &refresh("two")).expect("saves");
    let damaged = path(&vault, &id("a"), 2);
    files.put(&damaged, b"rubbish");
    for n in 0..5 {
        vault.save(&id("a"), &refresh(&format!("later {n}"))).expect("saves");
        vault.confirm(&id("a")).expect("confirms");
    }
    assert_eq!(files.get(&damaged), b"rubbish");
    assert_eq!(reload(&files).expect("loads").as_deref(), Some("later 4"));
}

#[test]
fn files_swapped_between_records_generations_or_vaults_do_not_open() {
    let (files, vault) = memory_vault();
    vault.save(&id("a"), &refresh("of a")).expect("saves");
    vault.save(&id("b"), &refresh("of b")).expect("saves");
    let (a, b) = (path(&vault, &id("a"), 1), path(&vault, &id("b"), 1));
    let (of_a, of_b) = (files.get(&a), files.get(&b));
    files.put(&a, of_b.clone());
    files.put(&b, of_a.clone());
    for name in ["a", "b"] {
        assert_eq!(vault.load(&id(name)).expect_err("refused").code(), "store_corrupt");
    }
    // An old generation put in as a newer one is not believed either.
    files.put(&a, of_a.clone());
    files.put(&path(&vault, &id("a"), 9), of_a.clone());
    assert_eq!(reload(&files).expect("the true one").as_deref(), Some("of a"));
    // The same record out of a vault with another key, and that vault's header.
    let other = MemoryFiles::default();
    let stranger = VaultStore::create(folder(), Arc::new(other.clone()), fresh(2)).expect("makes");
    stranger.save(&id("a"), &refresh("foreign")).expect("saves");
    files.lose(&path(&vault, &id("a"), 9));
    files.put(&a, other.get(&path(&stranger, &id("a"), 1)));
    assert_eq!(reload(&files).expect_err("refused").code(), "store_corrupt");
    files.put(&a, of_a);
    files.put(&folder().join("header"), other.get(&folder().join("header")));
    assert_eq!(reload(&files).expect_err("refused").code(), "vault_key_wrong");
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
fn a_damaged_newest_generation_is_not_confirmed() {
    let (files, vault) = memory_vault();
    vault.save(&id("a"), &refresh("one")).expect("saves");
    vault.save(&id("a"), &refresh("two")).expect("saves");
    files.put(&path(&vault, &id("a"), 2), b"rubbish");
    assert_eq!(vault.confirm(&id("a")).expect_err("refuses").code(), "store_corrupt");
    assert_eq!(reload(&files).expect("loads").as_deref(), Some("one"));
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

/// What a known vault is made of: everything random is fixed.
fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/vault").join(name)
}

/// Compares with the committed vault, or writes it.
fn is_committed(files: &MemoryFiles, folder: &Path) {
    for path in files.all() {
        let at = folder.join(path.strip_prefix(FOLDER).expect("inside"));
        if std::env::var_os("UPDATE_GOLDEN").is_some() && !at.exists() {
            fs::create_dir_all(at.parent().expect("a folder")).expect("creates");
            fs::write(&at, files.get(&path)).expect("writes");
        }
    }
}

/// The committed vault in memory.
fn committed(folder: &Path) -> MemoryFiles {
    let files = MemoryFiles::default();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        files.make_folder(&Path::new(FOLDER).join(next.strip_prefix(folder).expect("inside"))).expect("makes");
        for entry in fs::read_dir(&next).expect("lists") {
            let path = entry.expect("entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let at = Path::new(FOLDER).join(path.strip_prefix(folder).expect("inside"));
                files.put(&at, fs::read(&path).expect("reads"));
            }
        }
    }
    files
}

#[test]
fn a_known_vault_opens_and_seals_to_the_same_bytes() {
    let folder = golden("golden");
    let plain = super::super::record::encode(&refresh("golden-refresh-token"));
    let nonce = std::array::from_fn(|at| at as u8);
    let sealed = seal::seal_with(&key(0x10), &id("golden"), 7, 1, &plain, &nonce);
    let made = MemoryFiles::default();
    VaultStore::create(Path::new(FOLDER), Arc::new(made.clone()), fresh(0x10)).expect("makes");
    let shelf = Shelf::new(&made, Path::new(FOLDER), &key(0x10)).path(&id("golden"), 7);
    made.put(&shelf, sealed.clone());
    is_committed(&made, &folder);

    let files = committed(&folder);
    assert_eq!(files.get(&shelf), sealed);
    let vault = reopen(&files, key(0x10)).expect("opens");
    assert_eq!(shown(vault.load(&id("golden")).expect("loads")).as_deref(), Some("golden-refresh-token"));
}

#[test]
fn a_known_vault_of_a_passphrase_opens_by_it_and_by_its_recovery_passphrase() {
    let folder = golden("golden-passphrase");
    let passphrase = SecretString::from("correct horse battery staple");
    let recovery = SecretString::from("the long way back home");
    if std::env::var_os("UPDATE_GOLDEN").is_some() && !folder.exists() {
        let kdf = Argon2id::for_tests(65_536, std::array::from_fn(|at| at as u8));
        let made = MemoryFiles::default();
        let fresh = FreshKey {
            key: kdf.derive(&passphrase).expect("derives"),
            source: KeySource::Passphrase,
            kdf: Some(kdf.clone()),
        };
        let key = fresh.key.clone();
        let vault = VaultStore::create(Path::new(FOLDER), Arc::new(made.clone()), fresh).expect("makes");
        vault.save(&id("golden"), &refresh("golden-refresh-token")).expect("saves");
        let outer = Argon2id::for_tests(65_536, std::array::from_fn(|at| 0x80 + at as u8));
        recovery::store(&made, Path::new(FOLDER), &key, &outer, &recovery).expect("stores");
        is_committed(&made, &folder);
    }
    let files = committed(&folder);
    let vault = VaultStore::find(Path::new(FOLDER), Arc::new(files)).expect("finds").expect("a vault");
    let header = vault.header().expect("reads");
    let kdf = header.kdf().expect("known").expect("a passphrase");
    let key = kdf.derive(&passphrase).expect("derives");
    assert_eq!(vault.recover(&recovery).expect("opens").id(), key.id());
    assert_eq!((header.key_source(), header.key_id()), (KeySource::Passphrase, key.id().as_str()));
    vault.unlock(key).expect("unlocks");
    assert_eq!(shown(vault.load(&id("golden")).expect("loads")).as_deref(), Some("golden-refresh-token"));
    let wrong = kdf.derive(&SecretString::from("correct horse battery stable")).expect("derives");
    vault.lock();
    assert_eq!(vault.unlock(wrong).expect_err("wrong").code(), "vault_key_wrong");
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
    let root = tempfile::tempdir().expect("temp dir");
    let folder = root.path().join("vault");
    VaultStore::open(&folder, key(1)).expect("opens");
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
