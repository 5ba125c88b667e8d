//! Patience and retries.

use super::check::FieldErrors;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use utoipa::ToSchema;

/// Patience and retries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct LimitSettings {
    /// Seconds until the first event of an answer.
    #[schema(minimum = 10, maximum = 1800, default = 300)]
    pub first_event_seconds: u32,
    /// Seconds of silence inside an answer before it counts as broken off.
    #[schema(minimum = 10, maximum = 1800, default = 120)]
    pub idle_seconds: u32,
    /// Seconds between signs of life to the client while the upstream is silent.
    #[schema(minimum = 1, maximum = 120, default = 15)]
    pub keep_alive_seconds: u32,
    /// How often one request may be tried again before anything was delivered.
    #[schema(minimum = 0, maximum = 5, default = 2)]
    pub retries: u32,
    /// Most attempts at the upstream for one request, over all hosts, accounts and renewed tokens, before anything was
    /// delivered.
    #[schema(minimum = 1, maximum = 30, default = 8)]
    pub attempts: u32,
    /// Milliseconds before the first repeat after trouble of the service; it doubles with each attempt, up to eight seconds,
    /// and a random share of it is waited.
    #[schema(minimum = 100, maximum = 10000, default = 400)]
    pub retry_delay_milliseconds: u32,
}

impl Default for LimitSettings {
    fn default() -> Self {
        Self {
            first_event_seconds: 300,
            idle_seconds: 120,
            keep_alive_seconds: 15,
            retries: 2,
            attempts: 8,
            retry_delay_milliseconds: 400,
        }
    }
}

impl LimitSettings {
    /// Patience until the first event.
    pub fn first_event(&self) -> Duration {
        Duration::from_secs(self.first_event_seconds.into())
    }

    /// Patience inside an answer.
    pub fn idle(&self) -> Duration {
        Duration::from_secs(self.idle_seconds.into())
    }

    /// Time between signs of life.
    pub fn keep_alive(&self) -> Duration {
        Duration::from_secs(self.keep_alive_seconds.into())
    }

    /// Longest first pause before a repeat.
    pub fn retry_delay(&self) -> Duration {
        Duration::from_millis(self.retry_delay_milliseconds.into())
    }

    pub(super) fn check(&self, errors: &mut FieldErrors) {
        errors.range("limits.firstEventSeconds", self.first_event_seconds.into(), 10, 1800);
        errors.range("limits.idleSeconds", self.idle_seconds.into(), 10, 1800);
        errors.range("limits.keepAliveSeconds", self.keep_alive_seconds.into(), 1, 120);
        errors.range("limits.retries", self.retries.into(), 0, 5);
        errors.range("limits.attempts", self.attempts.into(), 1, 30);
        errors.range("limits.retryDelayMilliseconds", self.retry_delay_milliseconds.into(), 100, 10_000);
    }
}
