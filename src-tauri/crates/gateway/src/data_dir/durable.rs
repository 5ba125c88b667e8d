//! Single steps on files and folders that hold a power cut and a curious neighbour: synced, owner-only, and never through a link.
//!
//! Leaves out: which folder it is, and what is in the files.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;

/// Makes sure that `path` is a real folder of ours with owner-only access.
pub(crate) fn ensure_folder(path: &Path) -> io::Result<()> {
    match path.symlink_metadata() {
        Ok(found) if found.is_symlink() => Err(refused_link(path)),
        Ok(found) if !found.is_dir() => {
            Err(io::Error::new(io::ErrorKind::NotADirectory, format!("{} is not a directory", path.display())))
        }
        Ok(_) => make_private(path, 0o700),
        Err(_) => create_folder(path),
    }
}

/// Reads a whole file without following a link; `None` when there is none.
pub(crate) fn read_file(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match path.symlink_metadata() {
        Ok(found) if found.is_symlink() => return Err(refused_link(path)),
        Ok(found) if !found.is_file() => {
            return Err(io::Error::other(format!("{} is not a regular file", path.display())));
        }
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    }
    let mut file = private_options().read(true).open(path)?;
    let mut content = Vec::new();
    file.read_to_end(&mut content)?;
    Ok(Some(content))
}

/// Writes beside the target under a random name, syncs, renames over it and syncs the folder.
pub(crate) fn write_synced(target: &Path, content: &[u8]) -> io::Result<()> {
    if target.symlink_metadata().is_ok_and(|found| found.is_symlink()) {
        return Err(refused_link(target));
    }
    let folder = target.parent().ok_or_else(|| io::Error::other("a file needs a folder"))?;
    // Created exclusively and, on Unix, with mode 0600 from the first moment.
    let mut temp = tempfile::Builder::new().prefix(".new-").tempfile_in(folder)?;
    temp.write_all(content)?;
    temp.as_file().sync_all()?;
    temp.persist(target).map_err(|failed| failed.error)?;
    sync_folder(folder)
}

/// Renames within one folder and syncs it.
#[expect(clippy::disallowed_methods, reason = "the one place that renames, and it syncs the folder")]
pub(crate) fn rename_synced(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    match to.parent() {
        Some(folder) => sync_folder(folder),
        None => Ok(()),
    }
}

/// Removes a file and syncs its folder; fine when it is not there.
pub(crate) fn remove_synced(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Ok(()) => path.parent().map_or(Ok(()), sync_folder),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

pub(super) fn refused_link(path: &Path) -> io::Error {
    io::Error::other(format!("{} is a symbolic link and was not followed", path.display()))
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
pub(super) fn create_folder(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

#[cfg(not(unix))]
pub(super) fn create_folder(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)
}

#[cfg(unix)]
pub(super) fn make_private(path: &Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let now = fs::metadata(path)?.permissions().mode() & 0o777;
    if now == mode {
        return Ok(());
    }
    tracing::warn!(path = %path.display(), from = format!("{now:o}"), to = format!("{mode:o}"), "tightened the access mode");
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
pub(super) fn make_private(_path: &Path, _mode: u32) -> io::Result<()> {
    // Windows: the folder lies below the user's profile, whose access list names no other user.
    Ok(())
}

/// Open options that create owner-only files and never follow a link in the last component.
#[cfg(unix)]
pub(super) fn private_options() -> OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = OpenOptions::new();
    options.mode(0o600);
    if let Ok(flag) = i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits()) {
        options.custom_flags(flag);
    }
    options
}

/// The folder decides who may read what is in it.
#[cfg(not(unix))]
pub(super) fn private_options() -> OpenOptions {
    OpenOptions::new()
}

#[cfg(unix)]
pub(crate) fn owned_by_us(found: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    found.uid() == rustix::process::geteuid().as_raw()
}

#[cfg(not(unix))]
pub(crate) fn owned_by_us(_found: &fs::Metadata) -> bool {
    true
}
