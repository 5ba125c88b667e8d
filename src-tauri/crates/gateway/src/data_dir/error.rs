//! Why the data directory cannot be used, and what a person can do about it.

use std::io;
use std::path::PathBuf;

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
