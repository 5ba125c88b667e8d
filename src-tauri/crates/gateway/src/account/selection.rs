//! Which account serves a request. A pure choice over what is known now; `Leases` does the bookkeeping.
//!
//! The demo account is no member of the pool: it is considered only while no real account is present at all.

use std::sync::Arc;

use super::{Account, AccountId, AccountState};
use crate::clock::Timestamp;

/// What a request asks of an account.
#[derive(Debug, Clone, Default)]
pub struct LeaseRequest {
    /// Accounts that this request has already tried.
    pub exclude: Vec<AccountId>,
    /// Only this account, when set.
    pub only: Option<AccountId>,
    /// Only these accounts, when set: those that are offered the model. Says nothing when `only` does.
    pub among: Option<Vec<AccountId>>,
}

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
    /// All quotas are used up; the earliest is back then.
    #[error("the quota of every account is used up")]
    Exhausted {
        /// When the first one is back.
        until: Timestamp,
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
            Self::Exhausted { .. } => "accounts_exhausted",
            Self::NeedsLogin => "accounts_need_login",
            Self::Suspended => "accounts_suspended",
            Self::Disabled => "accounts_disabled",
            Self::AllTried => "accounts_all_tried",
            Self::NotOffered => "accounts_without_model",
            Self::Unknown => "account_unknown",
        }
    }

    /// When it is worth trying again, where that is known.
    pub fn retry_at(&self) -> Option<Timestamp> {
        match self {
            Self::CoolingDown { until } | Self::Exhausted { until } => Some(*until),
            Self::Empty
            | Self::Busy
            | Self::NeedsLogin
            | Self::Suspended
            | Self::Disabled
            | Self::AllTried
            | Self::NotOffered
            | Self::Unknown => None,
        }
    }
}

/// An account as the choice sees it.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub(super) account: Arc<Account>,
    pub(super) state: AccountState,
    pub(super) in_flight: usize,
    pub(super) last_success: Option<Timestamp>,
}

/// Picks the fewest in flight; among equals the one that worked most recently, then the order they were added.
pub(super) fn choose(candidates: &[Candidate], request: &LeaseRequest, limit: usize) -> Result<usize, NoAccount> {
    if candidates.is_empty() {
        return Err(NoAccount::Empty);
    }
    let any_real = candidates.iter().any(|candidate| !candidate.account.is_demo());
    let pool: Vec<usize> = match &request.only {
        Some(id) => (0..candidates.len()).filter(|at| candidates[*at].account.id == *id).collect(),
        None => (0..candidates.len()).filter(|at| candidates[*at].account.is_demo() != any_real).collect(),
    };
    if pool.is_empty() {
        return Err(NoAccount::Unknown);
    }
    let pool: Vec<usize> = match (&request.only, &request.among) {
        (None, Some(among)) => pool.into_iter().filter(|at| among.contains(&candidates[*at].account.id)).collect(),
        (Some(_), _) | (None, None) => pool,
    };
    if pool.is_empty() {
        return Err(NoAccount::NotOffered);
    }
    let untried: Vec<usize> =
        pool.iter().copied().filter(|at| !request.exclude.contains(&candidates[*at].account.id)).collect();
    if untried.is_empty() {
        return Err(NoAccount::AllTried);
    }
    let usable = untried.iter().copied().filter(|at| {
        let candidate = &candidates[*at];
        candidate.in_flight < limit && candidate.state.admits(candidate.in_flight)
    });
    usable
        .min_by_key(|at| {
            let candidate = &candidates[*at];
            (candidate.in_flight, std::cmp::Reverse(candidate.last_success), *at)
        })
        .ok_or_else(|| why_none(untried.iter().map(|at| &candidates[*at])))
}

/// The most hopeful reason: one that passes by itself before one that needs a person.
fn why_none<'a>(candidates: impl Iterator<Item = &'a Candidate>) -> NoAccount {
    let mut reasons: Vec<NoAccount> = candidates
        .map(|candidate| match &candidate.state {
            AccountState::Ready { .. } | AccountState::Probing { .. } => NoAccount::Busy,
            AccountState::CoolingDown { until, .. } => NoAccount::CoolingDown { until: *until },
            AccountState::Exhausted { until } => NoAccount::Exhausted { until: *until },
            AccountState::NeedsLogin { .. } | AccountState::OwnerSwitched { .. } => NoAccount::NeedsLogin,
            AccountState::Suspended { .. } => NoAccount::Suspended,
            AccountState::Disabled => NoAccount::Disabled,
        })
        .collect();
    reasons.sort_by_key(|reason| match reason {
        NoAccount::Busy => (0, Timestamp(0)),
        NoAccount::CoolingDown { until } => (1, *until),
        NoAccount::Exhausted { until } => (2, *until),
        NoAccount::NeedsLogin => (3, Timestamp(0)),
        NoAccount::Suspended => (4, Timestamp(0)),
        NoAccount::Disabled => (5, Timestamp(0)),
        NoAccount::Empty | NoAccount::AllTried | NoAccount::NotOffered | NoAccount::Unknown => (6, Timestamp(0)),
    });
    reasons.into_iter().next().unwrap_or(NoAccount::Empty)
}
