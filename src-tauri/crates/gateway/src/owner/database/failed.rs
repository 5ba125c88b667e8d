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
    TooLong,
    TooLarge,
    NeedsRepair,
    CannotOpen,
    Refused(String),
}

impl Failed {
    /// Whether another look would say the same. An owner who writes, opens or closes in this moment lets a look fail in many ways;
    /// files that stayed the `same` do not, except that one of them went and came between two looks at them.
    pub(super) fn is_final(&self, same: bool) -> bool {
        match self {
            // Waited for long enough, or not of the moment.
            Self::Owner(_) | Self::Busy | Self::TooLong | Self::TooLarge => true,
            Self::CannotOpen => false,
            Self::Io(_) | Self::Because(_) | Self::NeedsRepair | Self::Refused(_) => same,
        }
    }

    pub(super) fn at(self, path: &Path) -> OwnerError {
        let path = path.to_path_buf();
        match self {
            Self::Owner(error) => error,
            Self::Io(error) => file::unreadable(&path, &error),
            Self::Because(detail) => OwnerError::Malformed { path, detail },
            Self::Busy => OwnerError::Busy(path),
            Self::TooLong => OwnerError::Malformed { path, detail: "reading it took too long" },
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
            Some(ErrorCode::OperationInterrupted) => Self::TooLong,
            Some(ErrorCode::ReadOnly) => Self::NeedsRepair,
            Some(ErrorCode::CannotOpen) => Self::CannotOpen,
            Some(code @ (ErrorCode::PermissionDenied | ErrorCode::DiskFull | ErrorCode::SystemIoFailure)) => {
                Self::Refused(format!("SQLite says {code:?}"))
            }
            Some(_) | None => Self::Because("its tables are not those of the program"),
        }
    }
}
