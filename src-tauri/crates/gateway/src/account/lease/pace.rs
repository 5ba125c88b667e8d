//! How quickly requests may follow each other, for one account or for all together: the generic cell rate algorithm
//! (ITU-T I.371), with ten seconds' worth at once. A request that comes too early waits; none is refused for it.

use crate::account::selection::{LONGEST_PACE, PaceRules};
use crate::clock::Timestamp;

/// What was used of a pace.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Pace {
    /// When the whole allowance is there again, in milliseconds since the epoch.
    whole_at: i64,
}

impl Pace {
    /// Counts a request that begins now. Answers from when on the next one may begin (milliseconds since the epoch; 0: at
    /// once). `per_minute`: how many in a minute; 0 has no limit. `gap`: least milliseconds between two.
    pub(super) fn count(&mut self, per_minute: u32, gap: u32, now: Timestamp) -> i64 {
        let now = now.unix_ms();
        let after_gap = if gap == 0 { 0 } else { now + i64::from(gap) };
        if per_minute == 0 {
            return after_gap;
        }
        let each = 60_000_i64.div_euclid(i64::from(per_minute)).max(1);
        let at_once = i64::from((per_minute / 6).max(1));
        let before = if self.whole_at - now > LONGEST_PACE { now } else { self.whole_at.max(now) };
        self.whole_at = before + each;
        let next = self.whole_at - (at_once - 1) * each;
        if next > now { next.max(after_gap) } else { after_gap }
    }
}

impl PaceRules {
    pub(super) fn account(self, pace: &mut Pace, now: Timestamp) -> i64 {
        pace.count(self.account_per_minute, self.gap_ms, now)
    }

    pub(super) fn total(self, pace: &mut Pace, now: Timestamp) -> i64 {
        pace.count(self.total_per_minute, 0, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::selection::pace_lets;
    use proptest::prelude::*;

    /// Begins as early as the pace allows, `count` times; when each began.
    fn begun(per_minute: u32, gap: u32, count: usize) -> Vec<i64> {
        let (mut pace, mut now) = (Pace::default(), 1_000_000);
        (0..count)
            .map(|_| {
                let at = now;
                now = now.max(pace.count(per_minute, gap, Timestamp(at)));
                at - 1_000_000
            })
            .collect()
    }

    #[test]
    fn ten_seconds_worth_begins_at_once_and_the_rest_evenly() {
        let at = begun(60, 0, 14);
        assert_eq!(at[..10], [0; 10]);
        assert_eq!(at[10..], [1000, 2000, 3000, 4000]);
        assert_eq!(begun(0, 0, 500), [0; 500]);
        assert_eq!(begun(0, 500, 3), [0, 500, 1000]);
        assert_eq!(begun(1, 0, 3), [0, 60_000, 120_000]);
    }

    #[test]
    fn a_clock_that_is_set_back_holds_nobody_up() {
        let mut pace = Pace::default();
        let from = pace.count(1, 0, Timestamp(10_000_000));
        assert!(!pace_lets(from, 10_000_000));
        assert!(pace_lets(from, 10_000_000 - 3_600_000));
        let from = pace.count(1, 0, Timestamp(10_000_000 - 3_600_000));
        assert_eq!(from, 10_000_000 - 3_600_000 + 60_000);
    }

    proptest! {
        #[test]
        fn no_minute_holds_more_than_the_pace_and_what_may_come_at_once(
            per_minute in 1_u32..600, gap in 0_u32..200, waits in prop::collection::vec(0_i64..2_000, 1..400),
        ) {
            let (mut pace, mut now, mut from) = (Pace::default(), 5_000_000_i64, 0_i64);
            let mut begun: Vec<i64> = Vec::new();
            for wait in waits {
                now = (now + wait).max(from);
                begun.push(now);
                from = pace.count(per_minute, gap, Timestamp(now));
                prop_assert!(from - now <= 60_000);
            }
            let most = (per_minute + (per_minute / 6).max(1)) as usize;
            for (at, start) in begun.iter().enumerate() {
                let inside = begun[at..].iter().take_while(|moment| **moment < start + 60_000).count();
                // Whole milliseconds are rounded in favour of the request.
                prop_assert!(inside <= most + most / 50 + 1, "{inside} of {most}");
            }
            prop_assert!(begun.windows(2).all(|two| two[1] - two[0] >= i64::from(gap)));
        }
    }
}
