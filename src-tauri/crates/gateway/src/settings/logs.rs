//! Logs.

use super::check::FieldErrors;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How much is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum LogLevel {
    /// Only what broke.
    Error,
    /// Also what looks wrong.
    Warn,
    /// One line per request.
    #[default]
    Info,
    /// For finding faults.
    Debug,
    /// Everything but contents.
    Trace,
}

/// Logs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct LogSettings {
    /// How much is logged.
    #[schema(default = "info")]
    pub level: LogLevel,
    /// Largest log file in MiB before the next one begins.
    #[schema(minimum = 1, maximum = 64, default = 8)]
    pub max_file_mebibytes: u32,
    /// How many log files are kept.
    #[schema(minimum = 1, maximum = 20, default = 5)]
    pub max_files: u32,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self { level: LogLevel::Info, max_file_mebibytes: 8, max_files: 5 }
    }
}

impl LogSettings {
    pub(super) fn check(&self, errors: &mut FieldErrors) {
        errors.range("logs.maxFileMebibytes", self.max_file_mebibytes.into(), 1, 64);
        errors.range("logs.maxFiles", self.max_files.into(), 1, 20);
    }
}
