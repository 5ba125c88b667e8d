//! Records of requests: metadata only, never contents.

use super::check::FieldErrors;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use utoipa::ToSchema;

/// Records of requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct FlowSettings {
    /// Where they are kept. Marked ones are always kept on disk.
    #[schema(default = "disk")]
    pub store: FlowStore,
    /// Most records kept; the oldest go first. Marked ones do not count.
    #[schema(minimum = 10, maximum = 20000, default = 2000)]
    pub max_entries: u32,
    /// Most MiB of records; the oldest go first.
    #[schema(minimum = 1, maximum = 256, default = 16)]
    pub max_mebibytes: u32,
    /// Days until a record goes.
    #[schema(minimum = 1, maximum = 365, default = 30)]
    pub max_days: u32,
}

/// Where records of requests are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum FlowStore {
    /// In memory, and on disk so that they outlive a restart.
    #[default]
    Disk,
    /// In memory, until the program ends.
    Memory,
    /// Nowhere.
    Off,
}

impl Default for FlowSettings {
    fn default() -> Self {
        Self { store: FlowStore::Disk, max_entries: 2000, max_mebibytes: 16, max_days: 30 }
    }
}

impl FlowSettings {
    /// Most records.
    pub fn max_entries(&self) -> usize {
        self.max_entries as usize
    }

    /// Most bytes.
    pub fn max_bytes(&self) -> u64 {
        u64::from(self.max_mebibytes) * 1024 * 1024
    }

    /// Longest age.
    pub fn max_age(&self) -> Duration {
        Duration::from_secs(u64::from(self.max_days) * 24 * 3600)
    }

    pub(super) fn check(&self, errors: &mut FieldErrors) {
        errors.range("flows.maxEntries", self.max_entries.into(), 10, 20_000);
        errors.range("flows.maxMebibytes", self.max_mebibytes.into(), 1, 256);
        errors.range("flows.maxDays", self.max_days.into(), 1, 365);
    }
}
