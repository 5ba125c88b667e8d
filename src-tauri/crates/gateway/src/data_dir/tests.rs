#![allow(clippy::disallowed_methods, reason = "these tests plant broken files on purpose")]

use super::*;

fn fresh() -> (tempfile::TempDir, PathBuf) {
    let root = tempfile::tempdir().expect("temp dir");
    let path = root.path().join("state");
    (root, path)
}

#[test]
fn replace_keeps_the_previous_generation() {
    let (_root, path) = fresh();
    let dir = DataDir::open(Some(path)).expect("opens");
    assert_eq!(dir.read("a.json").expect("reads"), None);
    dir.replace("a.json", b"one").expect("writes");
    assert_eq!(dir.read_previous("a.json").expect("reads"), None);
    dir.replace("a.json", b"two").expect("writes");
    assert_eq!(dir.read("a.json").expect("reads").as_deref(), Some(&b"two"[..]));
    assert_eq!(dir.read_previous("a.json").expect("reads").as_deref(), Some(&b"one"[..]));
}

#[test]
fn a_damaged_file_set_aside_never_becomes_the_previous_generation() {
    let (_root, path) = fresh();
    let dir = DataDir::open(Some(path)).expect("opens");
    dir.replace("a.json", b"good").expect("writes");
    dir.replace("a.json", b"bad").expect("writes");
    let aside = dir.set_aside("a.json").expect("moves");
    dir.replace("a.json", b"new").expect("writes");
    assert_eq!(fs::read(aside).expect("kept"), b"bad");
    assert_eq!(dir.read_previous("a.json").expect("reads").as_deref(), Some(&b"good"[..]));
}

#[test]
fn a_second_opener_is_told_who_holds_the_folder() {
    let (_root, path) = fresh();
    let first = DataDir::open(Some(path.clone())).expect("opens");
    let error = DataDir::open(Some(path.clone())).expect_err("locked");
    assert_eq!(error.code(), "data_dir_locked");
    assert!(matches!(error, DataDirError::Locked { holder: Some(pid), .. } if pid == std::process::id()), "{error}");
    assert!(error.action().contains(&std::process::id().to_string()));
    drop(first);
    DataDir::open(Some(path)).expect("free again");
}

#[test]
fn a_folder_that_cannot_be_made_is_a_typed_error() {
    let root = tempfile::tempdir().expect("temp dir");
    let file = root.path().join("file");
    fs::write(&file, b"x").expect("writes");
    let error = DataDir::open(Some(file.join("below"))).expect_err("below a file");
    assert_eq!(error.code(), "data_dir_unwritable");
    assert_eq!(DataDir::open(Some(file)).expect_err("a file").code(), "data_dir_not_a_directory");
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("exists").permissions().mode() & 0o777
    }

    #[test]
    fn folders_and_files_are_for_the_owner_only() {
        let (_root, path) = fresh();
        let dir = DataDir::open(Some(path.clone())).expect("opens");
        dir.replace("a.json", b"one").expect("writes");
        dir.replace("a.json", b"two").expect("writes");
        let vault = dir.folder("vault").expect("creates");
        assert_eq!(mode(&path), 0o700);
        assert_eq!(mode(&vault), 0o700);
        for name in ["a.json", "a.json.prev", "lock", "lock.pid"] {
            assert_eq!(mode(&path.join(name)), 0o600, "{name}");
        }
    }

    #[test]
    fn a_folder_open_to_others_is_tightened() {
        let (_root, path) = fresh();
        fs::create_dir(&path).expect("creates");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("sets");
        let _dir = DataDir::open(Some(path.clone())).expect("opens");
        assert_eq!(mode(&path), 0o700);
    }

    #[test]
    fn links_are_refused_and_their_targets_untouched() {
        let (root, path) = fresh();
        let victim = root.path().join("victim");
        fs::write(&victim, b"mine").expect("writes");
        let dir = DataDir::open(Some(path.clone())).expect("opens");
        symlink(&victim, path.join("a.json")).expect("links");
        assert!(dir.read("a.json").is_err());
        assert!(dir.replace("a.json", b"theirs").is_err());
        symlink(&victim, path.join("b.json.prev")).expect("links");
        dir.replace("b.json", b"one").expect("nothing to keep yet");
        assert!(dir.replace("b.json", b"two").is_err());
        symlink(root.path(), path.join("vault")).expect("links");
        assert!(dir.folder("vault").is_err());
        assert_eq!(fs::read(&victim).expect("reads"), b"mine");
    }

    #[test]
    fn a_linked_data_directory_or_lock_is_refused() {
        let (root, path) = fresh();
        let real = root.path().join("real");
        fs::create_dir(&real).expect("creates");
        symlink(&real, &path).expect("links");
        assert_eq!(DataDir::open(Some(path)).expect_err("link").code(), "data_dir_symlink");
        let victim = root.path().join("victim");
        fs::write(&victim, b"mine").expect("writes");
        symlink(&victim, real.join("lock")).expect("links");
        assert_eq!(DataDir::open(Some(real)).expect_err("linked lock").code(), "data_dir_symlink");
        assert_eq!(fs::read(&victim).expect("reads"), b"mine");
    }
}
