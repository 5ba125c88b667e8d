//! Answers that are kept, so that a later request can continue them (OpenAI Responses, `store` and `previous_response_id`).

use super::check::FieldErrors;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use utoipa::ToSchema;

/// Answers that are kept for `previous_response_id`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ResponseSettings {
    /// Where answers are kept.
    #[schema(default = "memory")]
    pub store: AnswerStore,
    /// Most answers kept; the oldest go first.
    #[schema(minimum = 1, maximum = 100000, default = 1000)]
    pub max_entries: u32,
    /// Most MiB of kept answers.
    #[schema(minimum = 1, maximum = 4096, default = 64)]
    pub max_mebibytes: u32,
    /// Hours until a kept answer goes.
    #[schema(minimum = 1, maximum = 720, default = 24)]
    pub max_hours: u32,
}

/// Where answers are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum AnswerStore {
    /// In memory, until the program ends.
    #[default]
    Memory,
    /// Also on disk, encrypted; the key is in the store of secrets.
    Disk,
    /// Nowhere.
    Off,
}

impl Default for ResponseSettings {
    fn default() -> Self {
        Self { store: AnswerStore::Memory, max_entries: 1000, max_mebibytes: 64, max_hours: 24 }
    }
}

impl ResponseSettings {
    /// Most bytes.
    pub fn max_bytes(&self) -> usize {
        self.max_mebibytes as usize * 1024 * 1024
    }

    /// Longest age.
    pub fn max_age(&self) -> Duration {
        Duration::from_secs(u64::from(self.max_hours) * 3600)
    }

    pub(super) fn check(&self, errors: &mut FieldErrors) {
        errors.range("responses.maxEntries", self.max_entries.into(), 1, 100_000);
        errors.range("responses.maxMebibytes", self.max_mebibytes.into(), 1, 4096);
        errors.range("responses.maxHours", self.max_hours.into(), 1, 720);
    }
}
