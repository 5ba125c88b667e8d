//! Why keys could not be read or changed, and what a person can do about it.

use std::collections::BTreeMap;

use super::stored::SCHEMA;
use crate::credential::StoreError;
use crate::error::FieldProblem;

/// Why keys could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Neither the file nor its previous generation can be read.
    #[error("{file} cannot be read ({detail}), nor can its previous generation")]
    Damaged {
        /// Full path.
        file: String,
        /// What is wrong.
        detail: String,
    },
    /// Written by a later version.
    #[error("{file} was written by a newer Kiro Proxy (schema {found}, this one knows {SCHEMA})")]
    Newer {
        /// Full path.
        file: String,
        /// Its schema.
        found: u32,
    },
    /// Names are for people: something to read, not too long.
    #[error("a key needs a name of 1 to 100 characters")]
    Name,
    /// Some options are not acceptable, by path.
    #[error("{}", words(.0))]
    Options(BTreeMap<String, FieldProblem>),
    /// The disk said no; nothing changed.
    #[error("cannot save the list of keys: {0}")]
    Io(#[from] std::io::Error),
    /// The text could not be stored or read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl KeyError {
    /// Stable code for the admin API and the command line.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Damaged { .. } => "keys_file_damaged",
            Self::Newer { .. } => "keys_file_newer",
            Self::Name => "key_name_invalid",
            Self::Options(_) => "key_options_invalid",
            Self::Io(_) => "keys_file_io",
            Self::Store(error) => error.code(),
        }
    }

    /// What a person can do about it.
    pub fn action(&self) -> String {
        match self {
            Self::Damaged { file, .. } => {
                format!(
                    "Restore {file} from a backup. To start with a new key, move {file} and {file}.prev away yourself."
                )
            }
            Self::Newer { .. } => "Start the newer Kiro Proxy, or use another --data-dir.".into(),
            Self::Name => "Give a shorter name, or one at all.".into(),
            Self::Options(_) => "Correct these fields. Nothing was changed.".into(),
            Self::Io(_) => "Free some space and check that the data directory can be written.".into(),
            Self::Store(error) => error.action(),
        }
    }
}

fn words(fields: &BTreeMap<String, FieldProblem>) -> String {
    fields.iter().map(|(path, problem)| format!("{path}: {}", problem.message)).collect::<Vec<_>>().join("; ")
}
