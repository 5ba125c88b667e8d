//! The folder that holds all state: where it is, that only one process uses it, and that a write is whole or not at all.
//!
//! Promises: folders are 0700 and files 0600; a symbolic link inside the folder is refused, never followed; `replace` leaves
//! either the old or the new content after a power cut, and the old content stays readable as `<name>.prev`.
//! Leaves out: what the files mean. Their owners parse them and decide what a damaged one costs.

mod durable;
mod error;
pub(crate) mod versioned;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use durable::{create_folder, make_private, private_options, refused_link};
pub(crate) use durable::{ensure_folder, owned_by_us, read_file, remove_synced, rename_synced, write_synced};
pub use error::DataDirError;

const LOCK: &str = "lock";
const HOLDER: &str = "lock.pid";

/// The opened folder. The lock is held while this lives.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    lock: File,
}

impl DataDir {
    /// Opens `path`, or the platform's own place when `None`; creates it when missing and takes the exclusive lock.
    pub fn open(path: Option<PathBuf>) -> Result<Self, DataDirError> {
        let path = match path {
            Some(path) => path,
            None => default_path().ok_or(DataDirError::NoHome)?,
        };
        let path = prepare(&path)?;
        let lock = lock(&path)?;
        Ok(Self { path, lock })
    }

    /// Lets another process have the folder, before this value is dropped. Nothing may be written afterwards.
    pub fn release(&self) {
        let _ = self.lock.unlock();
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of a file in it. `name` is relative and ours, such as `accounts.json`.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// A folder inside, created with owner-only access when missing.
    pub fn folder(&self, name: &str) -> io::Result<PathBuf> {
        let path = self.path.join(name);
        ensure_folder(&path)?;
        Ok(path)
    }

    /// The current content; `None` when the file does not exist.
    pub fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        read_file(&self.file(name))
    }

    /// The content before the last `replace`.
    pub fn read_previous(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        read_file(&self.file(&previous_name(name)))
    }

    /// Replaces the content as one step, keeping what was there as the previous generation.
    pub fn replace(&self, name: &str, content: &[u8]) -> io::Result<()> {
        let target = self.file(name);
        if let Some(current) = read_file(&target)? {
            write_synced(&self.file(&previous_name(name)), &current)?;
        }
        write_synced(&target, content)
    }

    /// Opens a file for writing at its end, created with owner-only access when missing. What is written is not synced: a
    /// power cut may cost it, a kill does not.
    pub fn append(&self, name: &str) -> io::Result<File> {
        let path = self.file(name);
        match path.symlink_metadata() {
            Ok(found) if found.is_symlink() => return Err(refused_link(&path)),
            Ok(_) => make_private(&path, 0o600)?,
            Err(_) => {}
        }
        private_options().append(true).create(true).open(path)
    }

    /// Moves a damaged file out of the way as `<name>.damaged`, so that the next `replace` cannot make it the previous
    /// generation. Returns the new path.
    pub fn set_aside(&self, name: &str) -> io::Result<PathBuf> {
        let mut aside = self.file(&format!("{name}.damaged"));
        let mut n = 1_u32;
        while aside.symlink_metadata().is_ok() {
            n += 1;
            aside = self.file(&format!("{name}.damaged-{n}"));
        }
        rename_synced(&self.file(name), &aside)?;
        Ok(aside)
    }

    /// Removes a file; fine when it is not there.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        remove_synced(&self.file(name))
    }
}

fn previous_name(name: &str) -> String {
    format!("{name}.prev")
}

/// The platform's own place for application state.
pub(crate) fn default_path() -> Option<PathBuf> {
    directories::ProjectDirs::from("dev", "kiroproxy", "Kiro Proxy").map(|dirs| dirs.data_local_dir().to_path_buf())
}

fn prepare(path: &Path) -> Result<PathBuf, DataDirError> {
    let unwritable = |source| DataDirError::Unwritable { path: path.to_path_buf(), source };
    match path.symlink_metadata() {
        Ok(found) if found.is_symlink() => return Err(DataDirError::Symlink { path: path.to_path_buf() }),
        Ok(found) if !found.is_dir() => return Err(DataDirError::NotADirectory { path: path.to_path_buf() }),
        Ok(found) => {
            if !owned_by_us(&found) {
                return Err(DataDirError::NotOurs { path: path.to_path_buf() });
            }
        }
        Err(_) => create_folder(path).map_err(unwritable)?,
    }
    make_private(path, 0o700).map_err(unwritable)?;
    // Absolute, so that a later change of the working directory moves nothing.
    path.canonicalize().map_err(unwritable)
}

fn lock(folder: &Path) -> Result<File, DataDirError> {
    let path = folder.join(LOCK);
    let unwritable = |source| DataDirError::Unwritable { path: folder.to_path_buf(), source };
    if path.symlink_metadata().is_ok_and(|found| found.is_symlink()) {
        return Err(DataDirError::Symlink { path });
    }
    let file = private_options().read(true).write(true).create(true).truncate(false).open(&path).map_err(unwritable)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(fs::TryLockError::WouldBlock) => {
            // The hint is a file of its own: on Windows a locked file cannot be read by others.
            let holder = read_file(&folder.join(HOLDER))
                .ok()
                .flatten()
                .and_then(|text| String::from_utf8(text).ok()?.trim().parse().ok());
            return Err(DataDirError::Locked { path: folder.to_path_buf(), holder });
        }
        Err(fs::TryLockError::Error(source)) => return Err(unwritable(source)),
    }
    write_synced(&folder.join(HOLDER), format!("{}\n", std::process::id()).as_bytes()).map_err(unwritable)?;
    Ok(file)
}

#[cfg(test)]
mod tests;
