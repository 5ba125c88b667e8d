//! Models that have no capacity for an account now. The account itself is fine and serves other models.

use crate::clock::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// First pause; doubles each round.
const FIRST: Duration = Duration::from_secs(5);
/// Longest pause that we choose ourselves.
const LONGEST: Duration = Duration::from_secs(15 * 60);
/// A `retry-after` beyond this is taken for a mistake.
const LONGEST_ASKED: Duration = Duration::from_secs(24 * 60 * 60);
/// A pause that ended this long ago says nothing about the next one.
const FORGOTTEN: Duration = Duration::from_secs(60 * 60);
/// More models than this are never paused on one account; the oldest pause goes.
const MOST: usize = 64;

/// A model that is not asked for until a time.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ModelPause {
    /// The upstream's id of the model.
    #[schema(value_type = String)]
    pub model: Arc<str>,
    /// When it is tried again.
    pub until: Timestamp,
    /// How many pauses in a row, from 1.
    #[serde(skip)]
    round: u32,
}

impl ModelPause {
    /// Whether it holds now. One that is longer than any we make comes from a clock that was set back.
    fn holds(&self, now: Timestamp) -> bool {
        self.until > now && self.until.since(now) <= LONGEST_ASKED
    }
}

/// The pauses of one account.
#[derive(Debug, Default)]
pub(super) struct ModelPauses(Vec<ModelPause>);

impl ModelPauses {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Until when the model pauses.
    pub(super) fn until(&self, model: &str, now: Timestamp) -> Option<Timestamp> {
        self.0.iter().find(|pause| *pause.model == *model && pause.holds(now)).map(|pause| pause.until)
    }

    /// The model was refused for want of capacity.
    pub(super) fn pause(&mut self, model: &Arc<str>, asked: Option<Duration>, now: Timestamp) {
        let known = self.0.iter().position(|pause| pause.model == *model);
        let round = match known {
            // Requests that were under way together are refused together: one round.
            Some(at) if self.0[at].holds(now) => self.0[at].round,
            Some(at) => self.0[at].round.saturating_add(1),
            None => 1,
        };
        let own = FIRST.saturating_mul(1 << round.saturating_sub(1).min(16)).min(LONGEST);
        let mut until = now.plus(asked.map_or(own, |asked| asked.min(LONGEST_ASKED).max(own)));
        if let Some(at) = known {
            if self.0[at].holds(now) {
                until = until.max(self.0[at].until);
            }
            self.0.remove(at);
        } else if self.0.len() >= MOST {
            self.0.remove(0);
        }
        self.0.push(ModelPause { model: Arc::clone(model), until, round });
    }

    /// The model answered.
    pub(super) fn end(&mut self, model: &str) {
        self.0.retain(|pause| *pause.model != *model);
    }

    pub(super) fn prune(&mut self, now: Timestamp) {
        self.0.retain(|pause| pause.until.plus(FORGOTTEN) > now);
    }

    /// The pauses that hold now.
    pub(super) fn list(&self, now: Timestamp) -> Vec<ModelPause> {
        self.0.iter().filter(|pause| pause.holds(now)).cloned().collect()
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_of_a_model_grow_until_it_answers_and_never_beyond_a_quarter_of_an_hour() {
        let model: Arc<str> = "m".into();
        let mut pauses = ModelPauses::default();
        let mut now = Timestamp(0);
        let mut last = Duration::ZERO;
        for _ in 0..12 {
            pauses.pause(&model, None, now);
            let until = pauses.until("m", now).expect("pausing");
            assert!(until.since(now) >= last, "never shorter than before");
            last = until.since(now);
            assert!(pauses.until("other", now).is_none());
            now = until;
            assert!(pauses.until("m", now).is_none(), "over");
        }
        assert_eq!(last, LONGEST);
        pauses.end("m");
        pauses.pause(&model, None, now);
        assert_eq!(pauses.until("m", now), Some(now.plus(FIRST)));
    }

    #[test]
    fn a_clock_that_is_set_back_by_days_ends_the_pause() {
        let model: Arc<str> = "m".into();
        let mut pauses = ModelPauses::default();
        let now = Timestamp(1_000_000_000);
        pauses.pause(&model, None, now);
        let earlier = now.minus(Duration::from_secs(3 * 24 * 3600));
        assert!(pauses.until("m", earlier).is_none() && pauses.list(earlier).is_empty());
        pauses.pause(&model, None, earlier);
        assert_eq!(pauses.until("m", earlier), Some(earlier.plus(FIRST * 2)));
    }

    #[test]
    fn what_the_service_asks_for_holds_and_refusals_at_once_count_once() {
        let model: Arc<str> = "m".into();
        let mut pauses = ModelPauses::default();
        let now = Timestamp(0);
        pauses.pause(&model, Some(Duration::from_secs(40)), now);
        pauses.pause(&model, None, now);
        assert_eq!(pauses.until("m", now), Some(now.plus(Duration::from_secs(40))));
        let later = now.plus(Duration::from_secs(41));
        pauses.pause(&model, None, later);
        assert_eq!(pauses.until("m", later), Some(later.plus(FIRST * 2)), "the second round, not the third");
    }
}
