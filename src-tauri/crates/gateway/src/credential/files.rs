//! What stores do to the file system, behind one small door: a test cuts the power there, at any step.

use std::path::Path;
use std::{fs, io};

use crate::data_dir::{ensure_folder, read_file, remove_synced, write_synced};

/// Whole files in folders of ours. Every change is on disk when the call returns.
pub(super) trait Files: Send + Sync {
    /// The content; `None` when there is no such file.
    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>>;
    /// Names in a folder, sorted; none when there is no such folder.
    fn names(&self, folder: &Path) -> io::Result<Vec<String>>;
    /// Makes an owner-only folder; fine when it is there.
    fn make_folder(&self, path: &Path) -> io::Result<()>;
    /// Makes or replaces a file as one step.
    fn write(&self, path: &Path, content: &[u8]) -> io::Result<()>;
    /// Removes a file; fine when it is not there.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Removes a folder if it is empty; fine when it is not there, or not empty.
    fn remove_folder(&self, path: &Path) -> io::Result<()>;
}

/// The real ones.
#[derive(Debug, Clone, Copy)]
pub(super) struct Disk;

impl Files for Disk {
    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        read_file(path)
    }

    fn names(&self, folder: &Path) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut names = Vec::new();
        for entry in entries {
            names.extend(entry?.file_name().into_string());
        }
        names.sort_unstable();
        Ok(names)
    }

    fn make_folder(&self, path: &Path) -> io::Result<()> {
        ensure_folder(path)
    }

    fn write(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        write_synced(path, content)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        remove_synced(path)
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        match fs::remove_dir(path) {
            Ok(()) => Ok(()),
            Err(error) => match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::DirectoryNotEmpty => Ok(()),
                _ => Err(error),
            },
        }
    }
}
