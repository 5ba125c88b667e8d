//! Why no account can serve now.

use super::Question;
use crate::account::AccountState;
use crate::clock::Timestamp;

/// Why no account can serve now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoAccount {
    /// There is none at all.
    #[error("no account has been added yet")]
    Empty,
    /// Every account that could serve is at its limit of concurrent requests.
    #[error("every usable account is busy")]
    Busy,
    /// All are pausing; the earliest is back then.
    #[error("every account is pausing")]
    CoolingDown {
        /// When the first one is back.
        until: Timestamp,
    },
    /// The model has no capacity for any of them; the earliest is tried again then.
    #[error("the model has no free capacity now")]
    ModelPausing {
        /// When it is tried again.
        until: Timestamp,
    },
    /// All quotas are used up; the earliest is back then.
    #[error("the quota of every account is used up")]
    Exhausted {
        /// When the first one is back.
        until: Timestamp,
    },
    /// What is left of the quotas is kept back, as the person wished.
    #[error("every account rests to keep the rest of its quota")]
    Resting {
        /// When the first quota comes back, where known.
        until: Option<Timestamp>,
    },
    /// They need a person to sign in again.
    #[error("every account needs a new sign-in")]
    NeedsLogin,
    /// The upstream suspended them.
    #[error("every account was suspended by the upstream")]
    Suspended,
    /// A person switched all of them off.
    #[error("every account is switched off")]
    Disabled,
    /// This request has tried all of them.
    #[error("every usable account has been tried")]
    AllTried,
    /// None of the accounts that are offered the model is there any more.
    #[error("no account is offered this model")]
    NotOffered,
    /// The key may use certain groups of accounts only, and none is in them.
    #[error("no account is in a group that this key may use")]
    NotPermitted,
    /// The account asked for is not there.
    #[error("there is no such account")]
    Unknown,
}

impl NoAccount {
    /// Stable code for the admin API and the flow record.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Empty => "no_account",
            Self::Busy => "accounts_busy",
            Self::CoolingDown { .. } => "accounts_cooling_down",
            Self::ModelPausing { .. } => "model_busy",
            Self::Exhausted { .. } => "accounts_exhausted",
            Self::Resting { .. } => "accounts_resting",
            Self::NeedsLogin => "accounts_need_login",
            Self::Suspended => "accounts_suspended",
            Self::Disabled => "accounts_disabled",
            Self::AllTried => "accounts_all_tried",
            Self::NotOffered => "accounts_without_model",
            Self::NotPermitted => "accounts_not_permitted",
            Self::Unknown => "account_unknown",
        }
    }

    /// When it is worth trying again, where that is known.
    pub fn retry_at(&self) -> Option<Timestamp> {
        match self {
            Self::CoolingDown { until } | Self::ModelPausing { until } | Self::Exhausted { until } => Some(*until),
            Self::Resting { until } => *until,
            Self::Empty
            | Self::Busy
            | Self::NeedsLogin
            | Self::Suspended
            | Self::Disabled
            | Self::AllTried
            | Self::NotOffered
            | Self::NotPermitted
            | Self::Unknown => None,
        }
    }

    /// What passes by itself comes before what needs a person; then what passes sooner.
    fn hope(&self) -> (u8, Timestamp) {
        match self {
            Self::Busy => (0, Timestamp(0)),
            Self::CoolingDown { until } | Self::ModelPausing { until } => (1, *until),
            Self::Exhausted { until } => (2, *until),
            Self::Resting { until } => (3, until.unwrap_or(Timestamp(i64::MAX))),
            Self::NeedsLogin => (4, Timestamp(0)),
            Self::Suspended => (5, Timestamp(0)),
            Self::Disabled => (6, Timestamp(0)),
            Self::Empty | Self::AllTried | Self::NotOffered | Self::NotPermitted | Self::Unknown => (7, Timestamp(0)),
        }
    }
}

/// What the reason is looked for in.
pub(in crate::account) struct Standing<'a> {
    pub(in crate::account) candidate: &'a super::Candidate,
    pub(in crate::account) state: &'a AccountState,
    /// Until when it keeps the rest of its quota, if it does: `Some(None)` is until nobody knows.
    pub(in crate::account) resting: Option<Option<Timestamp>>,
    /// Until when the model of the request pauses on it.
    pub(in crate::account) model_until: Option<Timestamp>,
}

/// The most hopeful reason why nobody can serve.
pub(in crate::account) fn why_none<'a>(question: &Question<'_>, all: impl Iterator<Item = Standing<'a>>) -> NoAccount {
    let (mut pooled, mut allowed, mut permitted) = (false, false, false);
    let mut reason: Option<NoAccount> = None;
    let mut any = false;
    for (at, standing) in all.enumerate() {
        any = true;
        let member = question.only.map_or(standing.candidate.pooled, |only| only == at);
        pooled |= member;
        if !question.allows(at, standing.candidate) {
            continue;
        }
        allowed = true;
        if !question.permits(at) {
            continue;
        }
        permitted = true;
        if question.excluded.contains(&at) {
            continue;
        }
        let this = of(&standing);
        if reason.as_ref().is_none_or(|best| this.hope() < best.hope()) {
            reason = Some(this);
        }
    }
    match (any, pooled, allowed, permitted) {
        (false, ..) => NoAccount::Empty,
        (true, false, ..) => NoAccount::Unknown,
        (true, true, false, _) => NoAccount::NotOffered,
        (true, true, true, false) => NoAccount::NotPermitted,
        (true, true, true, true) => reason.unwrap_or(NoAccount::AllTried),
    }
}

fn of(standing: &Standing<'_>) -> NoAccount {
    match standing.state {
        AccountState::CoolingDown { until, .. } => NoAccount::CoolingDown { until: *until },
        AccountState::Exhausted { until, .. } => NoAccount::Exhausted { until: *until },
        AccountState::NeedsLogin { .. } | AccountState::OwnerSwitched { .. } => NoAccount::NeedsLogin,
        AccountState::Suspended { .. } => NoAccount::Suspended,
        AccountState::Disabled { .. } => NoAccount::Disabled,
        AccountState::Ready { .. } | AccountState::Probing { .. } => match (standing.resting, standing.model_until) {
            (Some(until), _) => NoAccount::Resting { until },
            (None, Some(until)) => NoAccount::ModelPausing { until },
            (None, None) => NoAccount::Busy,
        },
    }
}
