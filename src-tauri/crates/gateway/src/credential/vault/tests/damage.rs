//! Damage of every kind: recovered or refused, never lost silently.

use super::*;

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
            Ok(key) => assert_eq!(key.id(), super::super::super::contract_tests::key(1).id()),
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
fn a_damaged_newest_generation_is_not_confirmed() {
    let (files, vault) = memory_vault();
    vault.save(&id("a"), &refresh("one")).expect("saves");
    vault.save(&id("a"), &refresh("two")).expect("saves");
    files.put(&path(&vault, &id("a"), 2), b"rubbish");
    assert_eq!(vault.confirm(&id("a")).expect_err("refuses").code(), "store_corrupt");
    assert_eq!(reload(&files).expect("loads").as_deref(), Some("one"));
}
