//! Which account serves a request.

use super::check::FieldErrors;
use crate::account::{AccountId, PaceRules, SelectionRules, Strategy};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use utoipa::ToSchema;

/// Which account serves a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct AccountSettings {
    /// How an account is chosen among those that can serve.
    #[schema(default = "mostQuota")]
    pub strategy: Strategy,
    /// Only this account serves, by its id; nothing lets the strategy choose.
    #[schema(default = "", max_length = 100)]
    pub only: String,
    /// How many requests may use one account at the same time; further ones wait or go to another account.
    #[schema(minimum = 1, maximum = 4096, default = 2)]
    pub concurrency: u32,
    /// How many seconds a request waits while every account that could serve is busy.
    #[schema(minimum = 0, maximum = 600, default = 30)]
    pub queue_seconds: u32,
    /// How many seconds a client's session stays with the account that last answered it. 0: it does not.
    #[schema(minimum = 0, maximum = 86400, default = 3600)]
    pub sticky_seconds: u32,
    /// The same for clients that name no session, which are recognised by the first messages of a conversation.
    #[schema(minimum = 0, maximum = 3600, default = 60)]
    pub sticky_hash_seconds: u32,
    /// An account rests when less than this much of its quota is left, in percent. 0: it is used to the end.
    #[schema(minimum = 0, maximum = 90, default = 0)]
    pub quota_floor_percent: u32,
}

impl Default for AccountSettings {
    fn default() -> Self {
        Self {
            strategy: Strategy::MostQuota,
            only: String::new(),
            concurrency: 2,
            queue_seconds: 30,
            sticky_seconds: 3600,
            sticky_hash_seconds: 60,
            quota_floor_percent: 0,
        }
    }
}

impl AccountSettings {
    /// The only account that serves, when a person chose one.
    pub(crate) fn only(&self) -> Option<AccountId> {
        Some(self.only.trim()).filter(|id| !id.is_empty()).map(AccountId::from_text)
    }

    /// The same as the choice takes it; the pace is a section of its own.
    pub(crate) fn rules(&self) -> SelectionRules {
        SelectionRules {
            strategy: self.strategy,
            only: self.only(),
            concurrency: self.concurrency.max(1),
            patience: Duration::from_secs(self.queue_seconds.into()),
            sticky: Duration::from_secs(self.sticky_seconds.into()),
            sticky_hash: Duration::from_secs(self.sticky_hash_seconds.into()),
            floor_percent: self.quota_floor_percent,
            pace: PaceRules::default(),
        }
    }

    pub(super) fn check(&self, errors: &mut FieldErrors) {
        errors.range("accounts.concurrency", self.concurrency.into(), 1, 4096);
        errors.range("accounts.queueSeconds", self.queue_seconds.into(), 0, 600);
        errors.range("accounts.stickySeconds", self.sticky_seconds.into(), 0, 86_400);
        errors.range("accounts.stickyHashSeconds", self.sticky_hash_seconds.into(), 0, 3600);
        errors.range("accounts.quotaFloorPercent", self.quota_floor_percent.into(), 0, 90);
        if self.only.len() > 100 {
            errors.refuse("accounts.only", "out_of_range", "at most 100 characters".to_owned());
        }
    }
}
