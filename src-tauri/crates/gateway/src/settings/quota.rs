//! What is watched of the accounts' quotas, and how often they are looked after.

use super::check::FieldErrors;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use utoipa::ToSchema;

/// Quotas.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct QuotaSettings {
    /// From this share of an account's quota on, in percent, a person is told once per period.
    #[schema(minimum = 1, maximum = 100, default = 80)]
    pub warn_percent: u32,
    /// From this share on, in percent, a person is told again, more urgently.
    #[schema(minimum = 1, maximum = 100, default = 95)]
    pub alert_percent: u32,
    /// Never use what costs money beyond a plan, even where its owner switched that on at Kiro.
    #[schema(default = true)]
    pub never_overage: bool,
    /// Minutes between two health checks of an account that nobody uses; 0 switches them off.
    #[schema(minimum = 0, maximum = 1440, default = 10)]
    pub health_check_minutes: u32,
}

impl Default for QuotaSettings {
    fn default() -> Self {
        Self { warn_percent: 80, alert_percent: 95, never_overage: true, health_check_minutes: 10 }
    }
}

impl QuotaSettings {
    /// Time between two health checks of an idle account; `None` when there are none.
    pub fn health_check(&self) -> Option<Duration> {
        (self.health_check_minutes > 0).then(|| Duration::from_secs(u64::from(self.health_check_minutes) * 60))
    }

    pub(super) fn check(&self, errors: &mut FieldErrors) {
        errors.range("quota.warnPercent", self.warn_percent.into(), 1, 100);
        errors.range("quota.alertPercent", self.alert_percent.into(), 1, 100);
        errors.range("quota.healthCheckMinutes", self.health_check_minutes.into(), 0, 1440);
        if self.alert_percent < self.warn_percent {
            let message = "must not be lower than quota.warnPercent".to_owned();
            errors.refuse("quota.alertPercent", "out_of_range", message);
        }
    }
}
