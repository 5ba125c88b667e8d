//! What is known of one account now.

use super::model_pause::ModelPauses;
use super::pace::Pace;
use crate::account::selection::QuotaGlance;
use crate::account::{Account, AccountState, StoppedKind};
use crate::clock::Timestamp;
use std::sync::Arc;

/// One account.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) account: Arc<Account>,
    pub(super) state: AccountState,
    pub(super) pauses: ModelPauses,
    pub(super) quota: Option<QuotaGlance>,
    pub(super) pace: Pace,
    pub(super) requests: u64,
    pub(super) errors: u64,
    pub(super) last_success: Option<Timestamp>,
    pub(super) last_failure: Option<LastFailure>,
}

impl Row {
    /// Whether the roster says what it should about a stop.
    pub(super) fn is_stop_saved(&self) -> bool {
        stop_of(&self.state) == self.account.stopped.as_ref().map(|stopped| (stopped.kind, &stopped.reason))
    }
}

/// What last went wrong with an account.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LastFailure {
    /// When.
    pub at: Timestamp,
    /// The upstream's code, or ours.
    pub code: String,
    /// Plain words, without secrets.
    pub message: String,
}

pub(super) fn believed(quota: &QuotaGlance, now: Timestamp) -> bool {
    quota.resets_at.is_none_or(|reset| now < reset)
}

/// Until when the account keeps the rest of its quota, if it does.
pub(super) fn resting(row: &Row, floor_for_all: u32, now: Timestamp) -> Option<Option<Timestamp>> {
    let quota = row.quota.as_ref().filter(|quota| believed(quota, now))?;
    let floor = row.account.wishes.quota_floor_percent.map_or(floor_for_all, u32::from);
    let below = floor > 0 && quota.left_percent < f64::from(floor);
    (below || quota.blocked).then_some(quota.resets_at)
}

/// The condition that the roster remembers.
pub(super) fn initial(account: &Account) -> AccountState {
    let state = match &account.stopped {
        Some(stopped) => match stopped.kind {
            StoppedKind::NeedsLogin => AccountState::NeedsLogin { reason: stopped.reason.clone() },
            StoppedKind::Suspended => AccountState::Suspended { reason: stopped.reason.clone() },
            StoppedKind::OwnerSwitched => AccountState::OwnerSwitched { reason: stopped.reason.clone() },
        },
        None => AccountState::READY,
    };
    if account.enabled { state } else { AccountState::Disabled { beneath: Box::new(state) } }
}

/// What the roster has to remember of a condition, with its reason: a stop that only a person ends, switched off or not.
pub(super) fn stop_of(state: &AccountState) -> Option<(StoppedKind, &String)> {
    match state {
        AccountState::NeedsLogin { reason } => Some((StoppedKind::NeedsLogin, reason)),
        AccountState::Suspended { reason } => Some((StoppedKind::Suspended, reason)),
        AccountState::OwnerSwitched { reason } => Some((StoppedKind::OwnerSwitched, reason)),
        AccountState::Ready { .. }
        | AccountState::CoolingDown { .. }
        | AccountState::Probing { .. }
        | AccountState::Exhausted { .. } => None,
        AccountState::Disabled { beneath } => stop_of(beneath),
    }
}
