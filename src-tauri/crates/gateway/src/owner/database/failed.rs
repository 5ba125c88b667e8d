//! Why a database could not be read or changed.

use std::path::Path;

use rusqlite::{ErrorCode, ffi};

use crate::owner::{OwnerError, file};

/// What went wrong, before it has a path.
pub(super) enum Failed {
    Owner(OwnerError),
    Io(std::io::Error),
    Because(&'static str),
    Busy,
    TooLarge,
    NeedsRepair,
    CannotOpen,
    Refused(String),
}

impl Failed {
    pub(super) fn at(self, path: &Path) -> OwnerError {
        let path = path.to_path_buf();
        match self {
            Self::Owner(error) => error,
            Self::Io(error) => file::unreadable(&path, &error),
            Self::Because(detail) => OwnerError::Malformed { path, detail },
            Self::Busy => OwnerError::Busy(path),
            Self::TooLarge => OwnerError::TooLarge(path),
            Self::NeedsRepair => {
                OwnerError::Malformed { path, detail: "its owner crashed while writing and it cannot be repaired" }
            }
            Self::CannotOpen => OwnerError::Unreadable { path, reason: "SQLite cannot open it".to_owned() },
            Self::Refused(reason) => OwnerError::Unreadable { path, reason },
        }
    }
}

impl From<std::io::Error> for Failed {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<rusqlite::Error> for Failed {
    fn from(error: rusqlite::Error) -> Self {
        // A page that ends early is no trouble of the disk: the file was cut.
        if error.sqlite_error().is_some_and(|error| error.extended_code == ffi::SQLITE_IOERR_SHORT_READ) {
            return Self::Because("the database is cut short");
        }
        // SQLite's message can quote the schema: only its code is used.
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
            Some(ErrorCode::DatabaseCorrupt) => Self::Because("the database is damaged"),
            Some(ErrorCode::NotADatabase) => Self::Because("it is not an SQLite database"),
            Some(ErrorCode::TooBig) => Self::TooLarge,
            Some(ErrorCode::OperationInterrupted) => Self::Because("reading it took too long"),
            Some(ErrorCode::ReadOnly) => Self::NeedsRepair,
            Some(ErrorCode::CannotOpen) => Self::CannotOpen,
            Some(code @ (ErrorCode::PermissionDenied | ErrorCode::DiskFull | ErrorCode::SystemIoFailure)) => {
                Self::Refused(format!("SQLite says {code:?}"))
            }
            Some(_) | None => Self::Because("its tables are not those of the program"),
        }
    }
}
