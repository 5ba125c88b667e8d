//! An account's condition as a pure function of signals and time. No clock, no lock, no IO: the whole story is `next`.

use std::time::Duration;

use serde::Serialize;

use crate::clock::Timestamp;

/// Failures in a row that send an account to cool down.
const FAILURES_TO_COOL: u32 = 3;
/// First pause; doubles each round.
const FIRST_PAUSE: Duration = Duration::from_secs(10);
/// Longest pause that we choose ourselves. The upstream may ask for a longer one.
const LONGEST_PAUSE: Duration = Duration::from_secs(15 * 60);
/// Pause after a used-up quota whose reset time is unknown.
const UNKNOWN_RESET: Duration = Duration::from_secs(60 * 60);
/// A `retry-after` beyond this is taken for a mistake.
const LONGEST_ASKED: Duration = Duration::from_secs(24 * 60 * 60);

/// The condition of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum AccountState {
    /// Usable.
    Ready {
        /// Failures in a row so far.
        #[serde(skip)]
        failures: u32,
    },
    /// Not used until a time.
    CoolingDown {
        /// When it may be tried again.
        until: Timestamp,
        /// How many pauses in a row, from 1.
        #[serde(skip)]
        round: u32,
    },
    /// One request may pass to see whether it works again.
    Probing {
        /// Pauses in a row before this.
        #[serde(skip)]
        round: u32,
    },
    /// The quota is used up.
    Exhausted {
        /// When it is expected back.
        until: Timestamp,
        /// Whether it is the limit of a day, which no monthly figure contradicts.
        daily: bool,
    },
    /// The refresh grant was rejected.
    NeedsLogin {
        /// The upstream's words.
        reason: String,
    },
    /// The upstream suspended it.
    Suspended {
        /// The upstream's words.
        reason: String,
    },
    /// The program that shares the login has signed in as somebody else.
    OwnerSwitched {
        /// What is different.
        reason: String,
    },
    /// A person switched it off.
    Disabled {
        /// What it would be otherwise; never this condition once more. A limit does not end by being switched off and on.
        #[serde(skip)]
        beneath: Box<AccountState>,
    },
}

/// What can happen to an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signal {
    /// Time passed.
    Tick,
    /// A request was answered.
    Succeeded,
    /// A request failed in a way that may be the account's or the upstream's fault.
    Failed,
    /// The upstream asked to slow down.
    Throttled {
        /// How long it asked to wait.
        retry_after: Option<Duration>,
    },
    /// The monthly or daily quota is used up.
    QuotaUsedUp {
        /// When it comes back, where known.
        resets_at: Option<Timestamp>,
        /// Whether it is the limit of a day.
        daily: bool,
    },
    /// There is quota again before the time that was expected.
    QuotaBack,
    /// The refresh grant was rejected.
    GrantRejected {
        /// The upstream's words.
        reason: String,
    },
    /// The upstream suspended the account.
    SuspendedUpstream {
        /// The upstream's words.
        reason: String,
    },
    /// The program that shares the login has signed in as somebody else.
    OwnerSwitched {
        /// What is different.
        reason: String,
    },
    /// A person signed in again, or the owner of a shared login did.
    LoggedIn,
    /// A person says that the suspension or the pause is over.
    Restored,
    /// A person switches it off.
    Disable,
    /// A person switches it on.
    Enable,
}

impl AccountState {
    /// A fresh, usable account.
    pub const READY: Self = Self::Ready { failures: 0 };

    /// The state after `signal` at `now`.
    #[must_use]
    pub fn next(self, signal: Signal, now: Timestamp) -> Self {
        // A person's word holds in every state; what happens meanwhile moves what lies beneath.
        let this = match (self, &signal) {
            (Self::Disabled { beneath }, Signal::Disable) => return Self::Disabled { beneath },
            (Self::Disabled { beneath }, Signal::Enable) => return beneath.tick(now),
            (Self::Disabled { beneath }, _) => return Self::Disabled { beneath: Box::new(beneath.next(signal, now)) },
            (other, Signal::Disable) => return Self::Disabled { beneath: Box::new(other) },
            (other, _) => other,
        };
        this.moved(signal, now)
    }

    /// The state after `signal`, which switches nothing, while it is switched on.
    fn moved(self, signal: Signal, now: Timestamp) -> Self {
        match signal {
            Signal::Disable | Signal::Enable => self,
            Signal::SuspendedUpstream { reason } => Self::Suspended { reason },
            Signal::Restored => match self {
                Self::NeedsLogin { .. } | Self::OwnerSwitched { .. } => self,
                Self::Ready { .. }
                | Self::CoolingDown { .. }
                | Self::Probing { .. }
                | Self::Exhausted { .. }
                | Self::Suspended { .. }
                | Self::Disabled { .. } => Self::READY,
            },
            Signal::GrantRejected { reason } => match self {
                // A login does not end a suspension, so the suspension stays in view. So does the first reason of a lost
                // login: it tells what happened, while later tries only find the door closed.
                Self::Suspended { .. } | Self::OwnerSwitched { .. } | Self::NeedsLogin { .. } => self,
                _ => Self::NeedsLogin { reason },
            },
            Signal::OwnerSwitched { reason } => match self {
                Self::Suspended { .. } => self,
                _ => Self::OwnerSwitched { reason },
            },
            Signal::LoggedIn => match self {
                Self::Suspended { .. } => self,
                _ => Self::READY,
            },
            Signal::QuotaBack => match self.tick(now) {
                Self::Exhausted { daily: false, .. } => Self::READY,
                other => other,
            },
            Signal::Tick => self.tick(now),
            Signal::Succeeded => match self.tick(now) {
                // A late answer of an older request does not end a pause, a used-up quota or a rejected grant.
                Self::Ready { .. } | Self::Probing { .. } => Self::READY,
                other => other,
            },
            Signal::Failed => match self.tick(now) {
                Self::Ready { failures } if failures + 1 >= FAILURES_TO_COOL => cool(1, None, now),
                Self::Ready { failures } => Self::Ready { failures: failures + 1 },
                Self::Probing { round } => cool(round.saturating_add(1), None, now),
                other => other,
            },
            Signal::Throttled { retry_after } => match self.tick(now) {
                Self::Ready { .. } => cool(1, retry_after, now),
                Self::Probing { round } => cool(round.saturating_add(1), retry_after, now),
                // Requests that were under way together get their refusals together: one round, the latest end.
                Self::CoolingDown { until, round } => match cool(round, retry_after, now) {
                    Self::CoolingDown { until: asked, .. } => Self::CoolingDown { until: until.max(asked), round },
                    other => other,
                },
                other => other,
            },
            Signal::QuotaUsedUp { resets_at, daily } => {
                let until = resets_at.filter(|at| *at > now).unwrap_or_else(|| now.plus(UNKNOWN_RESET));
                match self.tick(now) {
                    // The limit of the day holds to its end, whatever is said of the month's.
                    Self::Exhausted { until: day, daily: true } if !daily && day >= until => {
                        Self::Exhausted { until: day, daily: true }
                    }
                    Self::Ready { .. } | Self::Probing { .. } | Self::CoolingDown { .. } | Self::Exhausted { .. } => {
                        Self::Exhausted { until, daily }
                    }
                    other => other,
                }
            }
        }
    }

    /// Whether a request may use the account, given how many are using it now.
    pub fn admits(&self, in_flight: usize) -> bool {
        match self {
            Self::Ready { .. } => true,
            Self::Probing { .. } => in_flight == 0,
            Self::CoolingDown { .. }
            | Self::Exhausted { .. }
            | Self::NeedsLogin { .. }
            | Self::Suspended { .. }
            | Self::OwnerSwitched { .. }
            | Self::Disabled { .. } => false,
        }
    }

    fn tick(self, now: Timestamp) -> Self {
        match self {
            // A pause that is longer than any we make comes from a clock that was set back.
            Self::CoolingDown { until, round } if now >= until || until.since(now) > LONGEST_ASKED => {
                Self::Probing { round }
            }
            Self::Exhausted { until, .. } if now >= until => Self::READY,
            other => other,
        }
    }
}

/// A pause of round `round`: doubling, never shorter than what the upstream asked for. Accounts that were refused together do
/// not come back together: up to a fifth is added, by the moment of the refusal.
fn cool(round: u32, asked: Option<Duration>, now: Timestamp) -> AccountState {
    let own = FIRST_PAUSE.saturating_mul(1_u32 << round.saturating_sub(1).min(16)).min(LONGEST_PAUSE);
    let own = (own + own.mul_f64(spread(now, round) / 5.0)).min(LONGEST_PAUSE);
    let pause = asked.map_or(own, |asked| asked.min(LONGEST_ASKED).max(own));
    AccountState::CoolingDown { until: now.plus(pause), round }
}

/// A number from 0 to 1 that looks random and is the same for the same moment and round (SplitMix64's finaliser).
fn spread(now: Timestamp, round: u32) -> f64 {
    let mut bits = now.unix_ms().cast_unsigned() ^ (u64::from(round) << 56);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^= bits >> 31;
    f64::from(u32::try_from(bits >> 32).unwrap_or(0)) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests;
