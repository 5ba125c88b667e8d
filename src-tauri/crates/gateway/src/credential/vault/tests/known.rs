//! Committed vaults, in which everything random is fixed: the format stays what the documents say.

use super::*;

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
    let plain = super::super::super::record::encode(&refresh("golden-refresh-token"));
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
