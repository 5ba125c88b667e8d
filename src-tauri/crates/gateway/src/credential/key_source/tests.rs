use std::path::Path;

use super::super::contract_tests::{key, memory_vault, refresh, shown};
use super::super::power::MemoryFiles;
use super::super::{CredentialStore, SecretId};
use super::*;

const FOLDER: &str = "/data/vault";

fn folder() -> &'static Path {
    Path::new(FOLDER)
}

/// Changes the key as `Credentials::rekey` does.
fn change(vault: &VaultStore, to: &VaultKeySource, files: &MemoryFiles) -> Result<usize, StoreError> {
    let old = vault.header()?.key_source();
    let records = vault.rekey(to.for_rekey(folder(), files)?, None)?;
    to.accepted(old, folder(), files)?;
    Ok(records)
}

/// Opens the vault anew, as after a restart, by the key beside it.
fn reopen(files: &MemoryFiles) -> Result<VaultStore, StoreError> {
    let vault = VaultStore::find(folder(), Arc::new(files.clone()))?.expect("a vault");
    vault.unlock(VaultKeySource::AutoKeyFile.for_vault(&vault, folder(), files)?)?;
    Ok(vault)
}

#[test]
fn a_change_to_another_automatic_key_survives_a_cut_at_every_step() {
    let id = SecretId::from_text("account/a");
    let mut complete = false;
    for (step, late) in (0..40).flat_map(|step| [(step, false), (step, true)]) {
        let (files, vault) = memory_vault();
        vault.save(&id, &refresh("one")).expect("saves");
        change(&vault, &VaultKeySource::AutoKeyFile, &files).expect("changes");
        files.power.cut_after(step, late);
        let result = change(&vault, &VaultKeySource::AutoKeyFile, &files);
        let cut = files.power.mend();
        assert!(cut || result.is_ok());
        complete |= !cut;
        let vault = reopen(&files).unwrap_or_else(|error| panic!("cut at {step}, late {late}: {error}"));
        assert_eq!(shown(vault.load(&id).expect("loads")).as_deref(), Some("one"));
        change(&vault, &VaultKeySource::AutoKeyFile, &files).expect("changes again");
        assert_eq!(shown(reopen(&files).expect("opens").load(&id).expect("loads")).as_deref(), Some("one"));
        let left: Vec<_> = files.all().into_iter().filter(|path| path.parent() == Some(Path::new("/data"))).collect();
        assert_eq!(left, [Path::new("/data/vault-auto.key")], "cut at {step}");
    }
    assert!(complete);
}

#[test]
fn the_automatic_key_goes_when_the_vault_gets_a_key_from_elsewhere() {
    let (files, vault) = memory_vault();
    change(&vault, &VaultKeySource::AutoKeyFile, &files).expect("changes");
    let given = VaultKeySource::Key(SecretString::from(key(9).to_base64().as_str()));
    change(&vault, &given, &files).expect("changes");
    assert!(!files.all().contains(&auto_path(folder())));
    assert_eq!(vault.header().expect("reads").key_source(), KeySource::Environment);
}

#[test]
fn a_recovery_passphrase_opens_a_vault_whose_key_is_lost_and_makes_none() {
    let (files, vault) = memory_vault();
    let id = SecretId::from_text("account/a");
    vault.save(&id, &refresh("one")).expect("saves");
    let way = |text: &str| VaultKeySource::Recovery(Arc::new(SecretString::from(text)));
    assert!(way("the way back home").for_new_vault(folder(), &files).is_err());
    let none = way("the way back home").for_vault(&vault, folder(), &files).expect_err("none was set");
    assert_eq!(none.code(), "vault_key_refused");

    let fresh = super::super::contract_tests::fresh(3);
    vault
        .rekey(fresh, Some((&SecretString::from("the way back home"), &Argon2id::for_tests(64, [5; 16]))))
        .expect("changes");
    assert!(vault.facts().expect("tells").recovery);
    drop(vault);
    let vault = VaultStore::find(folder(), Arc::new(files.clone())).expect("finds").expect("a vault");
    let wrong = way("the way back homf").for_vault(&vault, folder(), &files).expect_err("wrong");
    assert_eq!(wrong.code(), "vault_key_wrong");
    vault.unlock(way("the way back home").for_vault(&vault, folder(), &files).expect("opens")).expect("unlocks");
    assert_eq!(shown(vault.load(&id).expect("loads")).as_deref(), Some("one"));
    // Without a new recovery passphrase the next key has none.
    vault.rekey(super::super::contract_tests::fresh(4), None).expect("changes");
    assert!(!vault.facts().expect("tells").recovery);
}

#[cfg(unix)]
#[test]
fn a_systemd_credential_may_be_readable_by_its_group_and_by_nobody_else() {
    use std::os::unix::fs::PermissionsExt;
    let root = tempfile::tempdir().expect("temp dir");
    let path = root.path().join("kiro-proxy-vault-key");
    crate::data_dir::write_synced(&path, key(1).to_base64().as_bytes()).expect("writes");
    let with_mode = |mode: u32| {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("sets");
        VaultKey::from_credential(&path)
    };
    for mode in [0o400, 0o440, 0o600] {
        assert_eq!(with_mode(mode).expect("fine").id(), key(1).id(), "{mode:o}");
    }
    for mode in [0o444, 0o644, 0o620] {
        assert_eq!(with_mode(mode).expect_err("open").code(), "vault_key_refused", "{mode:o}");
    }
}
