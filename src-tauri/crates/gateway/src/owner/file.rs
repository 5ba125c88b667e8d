//! Reading and replacing files of other programs with care.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;

use super::OwnerError;
use crate::data_dir::owned_by_us;

/// Whether other users of this machine can read the file. Always `false` on Windows, where a user's own folder is closed to
/// others by its access list.
#[cfg(unix)]
pub fn others_can_read(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o077 != 0)
}

/// Whether other users of this machine can read the file.
#[cfg(not(unix))]
pub fn others_can_read(_path: &Path) -> bool {
    false
}

/// The whole content as text; `None` when there is no such file.
pub(super) fn read(path: &Path, most: u64) -> Result<Option<String>, OwnerError> {
    let Some((file, found)) = open(path)? else { return Ok(None) };
    if found.len() > most {
        return Err(OwnerError::TooLarge(path.to_path_buf()));
    }
    let mut bytes = Vec::new();
    // It may grow while we read.
    file.take(most + 1).read_to_end(&mut bytes).map_err(|error| unreadable(path, &error))?;
    if bytes.len() as u64 > most {
        return Err(OwnerError::TooLarge(path.to_path_buf()));
    }
    let text = String::from_utf8(bytes);
    text.map(Some).map_err(|_| OwnerError::Malformed { path: path.to_path_buf(), detail: "it is not UTF-8 text" })
}

/// Opens a regular file of this user. Judged after opening, so that nobody can exchange it in between; a pipe does not
/// block.
pub(super) fn open(path: &Path) -> Result<Option<(File, Metadata)>, OwnerError> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        if let Ok(flag) = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()) {
            options.custom_flags(flag);
        }
    }
    let file = match options.open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        // Windows does not open folders.
        Err(_) if path.is_dir() => return Err(OwnerError::NotAFile(path.to_path_buf())),
        Err(error) => return Err(unreadable(path, &error)),
    };
    let found = file.metadata().map_err(|error| unreadable(path, &error))?;
    if !found.is_file() {
        return Err(OwnerError::NotAFile(path.to_path_buf()));
    }
    if !owned_by_us(&found) {
        return Err(OwnerError::NotOurs(path.to_path_buf()));
    }
    Ok(Some((file, found)))
}

/// Replaces the content as one step and keeps the access mode. A link is refused: the step would replace the link.
pub(super) fn replace(path: &Path, content: &[u8]) -> Result<(), OwnerError> {
    let unwritable =
        |error: &std::io::Error| OwnerError::Unwritable { path: path.to_path_buf(), reason: error.to_string() };
    let found = regular(path)?;
    let folder = path.parent().ok_or_else(|| OwnerError::NotAFile(path.to_path_buf()))?;
    let mut temp =
        tempfile::Builder::new().prefix(".kiro-proxy-").tempfile_in(folder).map_err(|error| unwritable(&error))?;
    temp.write_all(content).map_err(|error| unwritable(&error))?;
    temp.as_file().set_permissions(found.permissions()).map_err(|error| unwritable(&error))?;
    temp.as_file().sync_all().map_err(|error| unwritable(&error))?;
    temp.persist(path).map_err(|failed| unwritable(&failed.error))?;
    #[cfg(unix)]
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| unwritable(&error))?;
    Ok(())
}

/// A regular file of this user that is no link.
pub(super) fn regular(path: &Path) -> Result<Metadata, OwnerError> {
    let found = path.symlink_metadata().map_err(|error| unreadable(path, &error))?;
    if found.is_symlink() {
        return Err(OwnerError::IsLink(path.to_path_buf()));
    }
    if !found.is_file() {
        return Err(OwnerError::NotAFile(path.to_path_buf()));
    }
    if !owned_by_us(&found) {
        return Err(OwnerError::NotOurs(path.to_path_buf()));
    }
    Ok(found)
}

pub(super) fn unreadable(path: &Path, error: &std::io::Error) -> OwnerError {
    OwnerError::Unreadable { path: path.to_path_buf(), reason: error.to_string() }
}
