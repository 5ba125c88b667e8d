//! Which account serves a request: a pure choice over what is known now, without locks, clock or allocation. `Leases` keeps
//! the books.
//!
//! The demo account is no member of the pool: it is considered only while no real account is present at all.

mod lanes;
mod reason;

pub(super) use lanes::Lanes;
pub use reason::NoAccount;
pub(super) use reason::{Standing, why_none};

use super::AccountId;
use super::sticky::StickyKey;
use crate::clock::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

/// How an account is chosen among those that can serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Strategy {
    /// The one with the most quota left; among equals the one with the fewest requests.
    #[default]
    MostQuota,
    /// One after the other.
    RoundRobin,
    /// The one that served the fewest requests.
    FewestRequests,
    /// The one with the lowest priority number; the next one while it cannot serve.
    Priority,
    /// Always the first one by priority and age; no other while it cannot serve.
    Single,
    /// As many requests as its weight says, compared with the others.
    Weighted,
    /// The one whose credits end soonest: they would be lost unused.
    SoonestReset,
    /// The one with the least quota left, until it is used up; then the next.
    FillFirst,
}

/// How quickly requests may follow each other; 0 is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PaceRules {
    /// Requests that one account begins in a minute.
    pub account_per_minute: u32,
    /// Requests that all accounts together begin in a minute.
    pub total_per_minute: u32,
    /// Least milliseconds between two requests of one account.
    pub gap_ms: u32,
}

/// What the settings say about the choice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelectionRules {
    /// How an account is chosen.
    pub strategy: Strategy,
    /// Only this one, when a person chose it.
    pub only: Option<AccountId>,
    /// How many requests may use one account at once (at least 1), where the account itself says nothing else.
    pub concurrency: u32,
    /// How long a request waits while every account that could serve is busy.
    pub patience: Duration,
    /// How long a client's session stays with an account.
    pub sticky: Duration,
    /// The same for a conversation whose client names no session.
    pub sticky_hash: Duration,
    /// Accounts rest when less of their quota is left, in percent.
    pub floor_percent: u32,
    /// How quickly requests may follow each other.
    pub pace: PaceRules,
}

impl Default for SelectionRules {
    fn default() -> Self {
        Self {
            strategy: Strategy::MostQuota,
            only: None,
            concurrency: 2,
            patience: Duration::from_secs(30),
            sticky: Duration::from_secs(60 * 60),
            sticky_hash: Duration::from_secs(60),
            floor_percent: 0,
            pace: PaceRules::default(),
        }
    }
}

/// What is known of an account's quota, as far as the choice cares.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QuotaGlance {
    /// Credits left, 0 or more.
    pub left: f64,
    /// The same in percent of all, 0 to 100.
    pub left_percent: f64,
    /// When the quota comes back; what is known is not believed after that.
    pub resets_at: Option<Timestamp>,
    /// True when further requests are paid extra and the person does not want that.
    pub blocked: bool,
}

/// What a request asks of an account.
#[derive(Debug, Clone, Default)]
pub struct LeaseRequest {
    /// Accounts that this request has already tried.
    pub exclude: Vec<AccountId>,
    /// Only this account, when set: a person tries it out. Wins over the settings and over `among`.
    pub only: Option<AccountId>,
    /// Only these accounts, when set: those that are offered the model.
    pub among: Option<Arc<HashSet<AccountId>>>,
    /// The model, for accounts on which it is pausing.
    pub model: Option<Arc<str>>,
    /// Only accounts with one of these tags; empty allows all.
    pub tags: Arc<[String]>,
    /// The session or conversation that should stay with one account.
    pub sticky: Option<StickyKey>,
}

/// An account as the choice sees it. Small and without pointers: a thousand of them fit into the nearest cache.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Candidate {
    /// Not usable before this moment (milliseconds since the epoch); `i64::MAX` when a person has to act.
    pub(super) open_at: i64,
    /// Its pace lets no request begin before this moment (milliseconds since the epoch).
    pub(super) paced_until: i64,
    /// When it was chosen last, as a running number.
    pub(super) turn: u64,
    /// Requests it served, or was credited with when it joined.
    pub(super) served: u64,
    pub(super) priority: i32,
    /// Whole credits left; [`UNKNOWN`] where nothing is known.
    pub(super) left: u32,
    pub(super) in_flight: u32,
    /// When its quota comes back, in whole minutes since the epoch; [`UNKNOWN`] where nothing is known.
    pub(super) resets: u32,
    /// Its share of the requests, at least 1.
    pub(super) weight: u16,
    /// How many requests may use it at once, at least 1.
    pub(super) limit: u16,
    /// Member of the pool: real, or demo while there is no real one.
    pub(super) pooled: bool,
    /// One request at a time: it is tried out after a pause.
    pub(super) probing: bool,
    /// Some model is pausing on it.
    pub(super) paused_models: bool,
}

impl Candidate {
    /// Whether as many requests use it as may.
    fn is_busy(&self) -> bool {
        self.in_flight >= if self.probing { 1 } else { self.limit.into() }
    }
}

/// No pace asks for a longer wait than this (milliseconds); a longer one comes from a clock that was set back.
pub(super) const LONGEST_PACE: i64 = 120_000;

/// Whether a pace lets a request begin now; `from` is the moment that it named.
pub(super) fn pace_lets(from: i64, now: i64) -> bool {
    from <= now || from - now > LONGEST_PACE
}

/// The quota of this account is not known.
pub(super) const UNKNOWN: u32 = u32::MAX;

/// A set of positions, one bit each.
pub(super) type Bits = [u64];

fn has(bits: &Bits, at: usize) -> bool {
    bits.get(at / 64).is_some_and(|word| word & (1 << (at % 64)) != 0)
}

/// What a choice goes by.
#[derive(Clone, Copy)]
pub(super) struct Question<'a> {
    /// Milliseconds since the epoch.
    pub(super) now: i64,
    pub(super) strategy: Strategy,
    /// What an unknown quota counts as: what is left on average.
    pub(super) neutral: u32,
    /// Only this position.
    pub(super) only: Option<usize>,
    /// Positions that were tried already.
    pub(super) excluded: &'a [usize],
    /// Only these positions.
    pub(super) among: Option<&'a Bits>,
    /// Only these positions, too.
    pub(super) tagged: Option<&'a Bits>,
}

impl Question<'_> {
    /// Whether the position is one that this request may use at all.
    pub(super) fn allows(&self, at: usize, candidate: &Candidate) -> bool {
        match self.only {
            Some(only) => only == at,
            None => candidate.pooled && self.among.is_none_or(|bits| has(bits, at)),
        }
    }

    /// Whether the key that the request came with may use the position.
    pub(super) fn permits(&self, at: usize) -> bool {
        self.tagged.is_none_or(|bits| has(bits, at))
    }

    /// Whether the position can serve the request now. `pausing` tells whether the model of the request is pausing on it; it is
    /// asked only where some model is.
    pub(super) fn is_served_by(&self, at: usize, candidate: &Candidate, pausing: impl Fn(usize) -> bool) -> bool {
        has_room(candidate, self.now)
            && self.allows(at, candidate)
            && self.permits(at)
            && !(candidate.paused_models && pausing(at))
            && !self.excluded.contains(&at)
    }
}

/// Whether a candidate could take one more request now.
pub(super) fn has_room(candidate: &Candidate, now: i64) -> bool {
    candidate.open_at <= now && !candidate.is_busy() && pace_lets(candidate.paced_until, now)
}

/// The best position, or `None` when no one can serve now. `pausing`: see [`Question::is_served_by`].
pub(super) fn choose(
    lanes: &Lanes,
    candidates: &[Candidate],
    question: &Question<'_>,
    pausing: impl Fn(usize) -> bool,
) -> Option<usize> {
    let usable = |at: &usize| question.is_served_by(*at, &candidates[*at], &pausing);
    match (question.only, question.strategy) {
        (Some(only), _) => Some(only).filter(usable),
        (None, Strategy::Single) => single(candidates, question).filter(usable),
        (
            None,
            Strategy::MostQuota
            | Strategy::RoundRobin
            | Strategy::FewestRequests
            | Strategy::Priority
            | Strategy::Weighted
            | Strategy::SoonestReset
            | Strategy::FillFirst,
        ) => lanes.best(candidates, question, pausing),
    }
}

/// The one position that the strategy [`Strategy::Single`] uses, whatever its condition.
pub(super) fn single(candidates: &[Candidate], question: &Question<'_>) -> Option<usize> {
    let mut found: Option<(usize, i32)> = None;
    for (at, candidate) in candidates.iter().enumerate() {
        let better = found.is_none_or(|(_, least)| candidate.priority < least);
        if better && question.allows(at, candidate) && question.permits(at) {
            found = Some((at, candidate.priority));
        }
    }
    found.map(|(at, _)| at)
}

/// Order-preserving: lower numbers first.
fn rank(priority: i32) -> u64 {
    u64::from(priority.cast_unsigned() ^ (1 << 31))
}
