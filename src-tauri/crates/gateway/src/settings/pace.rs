//! How quickly requests follow each other.

use super::check::FieldErrors;
use crate::account::PaceRules;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How quickly requests follow each other. A request that comes too early waits in line, as long as `accounts.queueSeconds`
/// says, or goes to another account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct PaceSettings {
    /// How many requests one account begins in a minute; ten seconds' worth of them may begin at once. 0: no limit.
    #[schema(minimum = 0, maximum = 6000, default = 60)]
    pub account_per_minute: u32,
    /// How many requests all accounts together begin in a minute. 0: no limit.
    #[schema(minimum = 0, maximum = 60000, default = 0)]
    pub total_per_minute: u32,
    /// Least milliseconds between two requests of one account. 0: none.
    #[schema(minimum = 0, maximum = 60000, default = 0)]
    pub gap_milliseconds: u32,
}

impl Default for PaceSettings {
    fn default() -> Self {
        Self { account_per_minute: 60, total_per_minute: 0, gap_milliseconds: 0 }
    }
}

impl PaceSettings {
    /// The same as the choice takes it.
    pub(crate) fn rules(&self) -> PaceRules {
        PaceRules {
            account_per_minute: self.account_per_minute,
            total_per_minute: self.total_per_minute,
            gap_ms: self.gap_milliseconds,
        }
    }

    pub(super) fn check(&self, errors: &mut FieldErrors) {
        errors.range("pace.accountPerMinute", self.account_per_minute.into(), 0, 6000);
        errors.range("pace.totalPerMinute", self.total_per_minute.into(), 0, 60_000);
        errors.range("pace.gapMilliseconds", self.gap_milliseconds.into(), 0, 60_000);
    }
}
