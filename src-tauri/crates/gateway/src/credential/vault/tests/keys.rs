//! What may be a key, and where its file may lie.

use super::*;

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
