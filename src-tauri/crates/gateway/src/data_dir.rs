//! The folder that holds all state: where it is, that only one process uses it, and that a write is whole or not at all.
//!
//! Promises: folders are 0700 and files 0600; a symbolic link inside the folder is refused, never followed; `replace` leaves
//! either the old or the new content after a power cut, and the old content stays readable as `<name>.prev`.
//! Leaves out: what the files mean. Their owners parse them and decide what a damaged one costs.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

const LOCK: &str = "lock";
const HOLDER: &str = "lock.pid";

/// Why the data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// The platform names no home to put it in.
    #[error("no place for the data directory: this user has no home directory")]
    NoHome,
    /// The folder, or something in it that we own, is a symbolic link.
    #[error("{path} is a symbolic link; Kiro Proxy does not follow links in its data directory")]
    Symlink {
        /// What is a link.
        path: PathBuf,
    },
    /// Something else has the name.
    #[error("{path} is not a directory")]
    NotADirectory {
        /// What is in the way.
        path: PathBuf,
    },
    /// Another user owns it.
    #[error("{path} belongs to another user")]
    NotOurs {
        /// Whose it is not.
        path: PathBuf,
    },
    /// It cannot be created or written.
    #[error("cannot write in the data directory {path}: {source}")]
    Unwritable {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another process holds it.
    #[error("the data directory {path} is in use by another Kiro Proxy{}", holder.map(|pid| format!(" (process {pid})")).unwrap_or_default())]
    Locked {
        /// The folder.
        path: PathBuf,
        /// Process id of the holder, when it left a hint.
        holder: Option<u32>,
    },
}

impl DataDirError {
    /// Stable code for the admin API and the command line.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoHome => "data_dir_no_home",
            Self::Symlink { .. } => "data_dir_symlink",
            Self::NotADirectory { .. } => "data_dir_not_a_directory",
            Self::NotOurs { .. } => "data_dir_not_ours",
            Self::Unwritable { .. } => "data_dir_unwritable",
            Self::Locked { .. } => "data_dir_locked",
        }
    }

    /// What a person can do about it.
    pub fn action(&self) -> String {
        match self {
            Self::NoHome => "Name a folder with --data-dir or KIRO_PROXY_DATA_DIR.".into(),
            Self::Symlink { .. } => "Name the real folder with --data-dir, or remove the link.".into(),
            Self::NotADirectory { .. } => "Move that file away, or name another folder with --data-dir.".into(),
            Self::NotOurs { .. } => {
                "Start Kiro Proxy as the owner of the folder, or name another folder with --data-dir.".into()
            }
            Self::Unwritable { .. } => {
                "Give this user write access to the folder, free some space, or name another folder with --data-dir."
                    .into()
            }
            Self::Locked { holder, .. } => match holder {
                Some(pid) => format!(
                    "Use the running one, or stop process {pid} first. A second instance needs its own --data-dir."
                ),
                None => "Use the running one, or stop it first. A second instance needs its own --data-dir.".into(),
            },
        }
    }
}

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

fn refused_link(path: &Path) -> io::Error {
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
fn create_folder(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

#[cfg(not(unix))]
fn create_folder(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)
}

#[cfg(unix)]
fn make_private(path: &Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let now = fs::metadata(path)?.permissions().mode() & 0o777;
    if now == mode {
        return Ok(());
    }
    tracing::warn!(path = %path.display(), from = format!("{now:o}"), to = format!("{mode:o}"), "tightened the access mode");
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn make_private(_path: &Path, _mode: u32) -> io::Result<()> {
    // Windows: the folder lies below the user's profile, whose access list names no other user.
    Ok(())
}

/// Open options that create owner-only files and never follow a link in the last component.
#[cfg(unix)]
fn private_options() -> OpenOptions {
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
fn private_options() -> OpenOptions {
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

#[cfg(test)]
mod tests;
