//! What a choice looks at first, side by side: whether a position is open, and how good it is. A thousand of them are 24 KB, so
//! that the scan stays in the nearest cache; only a position that would win is looked at closely.

#[cfg(test)]
use super::has_room;
use super::{Candidate, Question, Strategy, UNKNOWN, rank};

/// Not open, for as long as nothing changes.
const SHUT: i64 = i64::MAX;

/// Kept in step with the candidates by whoever changes them.
#[derive(Debug, Default)]
pub(in crate::account) struct Lanes {
    /// From when on the position can take a request, in milliseconds since the epoch, as far as it alone is concerned.
    opens: Vec<i64>,
    /// How good it is, smallest first: the first number, and among equals the second one.
    first: Vec<u64>,
    second: Vec<u64>,
}

impl Lanes {
    /// Empty, with room for so many positions.
    pub(in crate::account) fn reset(&mut self, positions: usize) {
        for lane in [&mut self.first, &mut self.second] {
            lane.clear();
            lane.resize(positions, 0);
        }
        self.opens.clear();
        self.opens.resize(positions, SHUT);
    }

    /// Follows a candidate.
    pub(in crate::account) fn follow(&mut self, at: usize, candidate: &Candidate, strategy: Strategy) {
        let shut = candidate.is_busy() || !candidate.pooled;
        self.opens[at] = if shut { SHUT } else { candidate.open_at.max(candidate.paced_until) };
        (self.first[at], self.second[at]) = merit(candidate, strategy);
    }

    /// The best position, or `None` when no one can serve now. `pausing`: see [`Question::is_served_by`].
    pub(super) fn best(
        &self,
        candidates: &[Candidate],
        question: &Question<'_>,
        pausing: impl Fn(usize) -> bool,
    ) -> Option<usize> {
        // What stands for an unknown quota is known only now.
        let unknown = match question.strategy {
            Strategy::MostQuota => high(u32::MAX - question.neutral),
            Strategy::FillFirst => high(used_up_last(question.neutral)),
            Strategy::RoundRobin
            | Strategy::FewestRequests
            | Strategy::Priority
            | Strategy::Single
            | Strategy::Weighted
            | Strategy::SoonestReset => 0,
        };
        let mut found: Option<(usize, u64, u64)> = None;
        for (at, (opens, first)) in self.opens.iter().zip(&self.first).enumerate() {
            if *opens > question.now {
                continue;
            }
            let first = if first >> 32 == 0 { first | unknown } else { *first };
            if found.is_some_and(|(_, least, then)| first > least || (first == least && self.second[at] >= then)) {
                continue;
            }
            if question.is_served_by(at, &candidates[at], &pausing) {
                found = Some((at, first, self.second[at]));
            }
        }
        found.map(|(at, ..)| at)
    }

    /// Whether any position of the pool could take one more request now.
    pub(in crate::account) fn is_any_open(&self, now: i64) -> bool {
        self.opens.iter().any(|opens| *opens <= now)
    }
}

/// The strategy's order as two numbers. Quotas stand in the upper half of the first one, which is 0 where a quota is unknown.
fn merit(candidate: &Candidate, strategy: Strategy) -> (u64, u64) {
    let served = u64::from(u32::try_from(candidate.served).unwrap_or(u32::MAX));
    let priority = rank(candidate.priority);
    match strategy {
        Strategy::MostQuota => (high(u32::MAX - candidate.left) | served, candidate.turn),
        Strategy::RoundRobin => (candidate.turn, 0),
        Strategy::FewestRequests => (candidate.served, candidate.turn),
        Strategy::Priority => (priority << 32 | served, candidate.turn),
        Strategy::Single => (priority, 0),
        Strategy::Weighted => (candidate.served.saturating_mul(SHARES) / u64::from(candidate.weight), candidate.turn),
        Strategy::SoonestReset => (high(candidate.resets) | served, candidate.turn),
        Strategy::FillFirst if candidate.left == UNKNOWN => (priority, 0),
        Strategy::FillFirst => (high(used_up_last(candidate.left)) | priority, 0),
    }
}

/// Divides by every small weight, so that shares are compared without rounding.
const SHARES: u64 = 2520;

fn high(number: u32) -> u64 {
    u64::from(number) << 32
}

/// The least that is left comes first, and nothing left comes last.
fn used_up_last(left: u32) -> u32 {
    if left == 0 { u32::MAX } else { left }
}

/// The best position, found the plain way: every candidate is asked everything.
#[cfg(test)]
pub(super) fn plainly(
    candidates: &[Candidate],
    question: &Question<'_>,
    pausing: impl Fn(usize) -> bool,
) -> Option<usize> {
    let known = |left: u32| if left == UNKNOWN { question.neutral } else { left };
    let key = |candidate: &Candidate| {
        let (served, turn) = (candidate.served, candidate.turn);
        match question.strategy {
            Strategy::MostQuota => (u64::from(u32::MAX - known(candidate.left)), served, turn),
            Strategy::RoundRobin => (turn, 0, 0),
            Strategy::FewestRequests => (served, turn, 0),
            Strategy::Priority => (rank(candidate.priority), served, turn),
            Strategy::Single => (rank(candidate.priority), 0, 0),
            Strategy::Weighted => (served * SHARES / u64::from(candidate.weight), turn, 0),
            Strategy::SoonestReset => (candidate.resets.into(), served, turn),
            Strategy::FillFirst => (used_up_last(known(candidate.left)).into(), rank(candidate.priority), 0),
        }
    };
    let served = |(at, candidate): &(usize, &Candidate)| {
        has_room(candidate, question.now) && question.is_served_by(*at, candidate, &pausing)
    };
    candidates.iter().enumerate().filter(served).min_by_key(|(_, candidate)| key(candidate)).map(|(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{Just, any, prop, prop_assert_eq, prop_oneof, proptest};
    use proptest::strategy::Strategy as Generator;

    const STRATEGIES: [Strategy; 7] = [
        Strategy::MostQuota,
        Strategy::RoundRobin,
        Strategy::FewestRequests,
        Strategy::Priority,
        Strategy::Weighted,
        Strategy::SoonestReset,
        Strategy::FillFirst,
    ];

    fn candidate() -> impl Generator<Value = Candidate> {
        let times = (0_i64..4, 0_i64..4);
        let counts = (0_u64..5, 0_u64..5, -2_i32..2, 0_u32..4);
        let quota = (prop_oneof![Just(UNKNOWN), 0_u32..4], prop_oneof![Just(UNKNOWN), 0_u32..3], 1_u16..4, 1_u16..4);
        (times, counts, quota, any::<[bool; 3]>()).prop_map(
            |((open_at, paced_until), (turn, served, priority, in_flight), (left, resets, weight, limit), flags)| {
                Candidate {
                    open_at,
                    paced_until,
                    turn,
                    served,
                    priority,
                    left,
                    in_flight,
                    resets,
                    weight,
                    limit,
                    pooled: flags[0],
                    probing: flags[1],
                    paused_models: flags[2],
                }
            },
        )
    }

    #[test]
    fn only_positions_that_would_win_are_looked_at_closely() {
        // A thousand in an order that is no order: 611 and 1,000 have no common factor.
        let candidate = |at: u32| Candidate {
            open_at: 0,
            paced_until: 0,
            turn: 0,
            served: 0,
            priority: 0,
            left: at * 611 % 1_000 + 1,
            in_flight: 0,
            resets: UNKNOWN,
            weight: 1,
            limit: 2,
            pooled: true,
            probing: false,
            // So that every close look asks about the model.
            paused_models: true,
        };
        let candidates: Vec<Candidate> = (0..1_000).map(candidate).collect();
        let question = Question {
            now: 0,
            strategy: Strategy::MostQuota,
            neutral: 0,
            only: None,
            excluded: &[],
            among: None,
            tagged: None,
        };
        let mut lanes = Lanes::default();
        lanes.reset(candidates.len());
        candidates.iter().enumerate().for_each(|(at, candidate)| lanes.follow(at, candidate, Strategy::MostQuota));
        let looks = std::cell::Cell::new(0);
        let best = lanes.best(&candidates, &question, |_| {
            looks.set(looks.get() + 1);
            false
        });
        assert_eq!(best.map(|at| candidates[at].left), Some(1_000));
        assert!(looks.get() <= 30, "{} close looks among a thousand", looks.get());
    }

    proptest! {
        #[test]
        fn the_quick_scan_chooses_as_the_plain_one(
            candidates in prop::collection::vec(candidate(), 0..40),
            strategy in prop::sample::select(&STRATEGIES[..]),
            (now, neutral) in (0_i64..4, 0_u32..4),
            among in prop::option::of(any::<u64>()),
            excluded in prop::collection::vec(0_usize..40, 0..3),
            pausing in any::<u64>(),
        ) {
            let bits = among.map(|word| [word]);
            let question = Question {
                now, strategy, neutral, only: None, excluded: &excluded,
                among: bits.as_ref().map(|bits| &bits[..]), tagged: None,
            };
            let mut lanes = Lanes::default();
            lanes.reset(candidates.len());
            for (at, candidate) in candidates.iter().enumerate() {
                lanes.follow(at, candidate, strategy);
            }
            let pauses = |at: usize| pausing & (1 << at) != 0;
            prop_assert_eq!(lanes.best(&candidates, &question, pauses), plainly(&candidates, &question, pauses));
            let open = candidates.iter().any(|candidate| candidate.pooled && has_room(candidate, now));
            prop_assert_eq!(lanes.is_any_open(now), open);
        }
    }
}
