//! What all rounds of one answer cost together. Every round was paid for, also one whose answer nobody saw.

use kiro_protocol::event::Usage;

/// Sums the rounds' figures.
#[derive(Debug, Default)]
pub(super) struct Tally {
    sum: Option<Usage>,
    searches: u32,
}

impl Tally {
    /// Adds a round. Sums are as good as the worst of their parts; the context is as full as after the last round.
    pub(super) fn add(&mut self, round: Usage) {
        let Some(sum) = &mut self.sum else {
            self.sum = Some(round);
            return;
        };
        for (mine, theirs) in [
            (&mut sum.input_tokens, round.input_tokens),
            (&mut sum.output_tokens, round.output_tokens),
            (&mut sum.cache_read_tokens, round.cache_read_tokens),
            (&mut sum.cache_write_tokens, round.cache_write_tokens),
        ] {
            *mine = both(*mine, theirs, u64::saturating_add);
        }
        sum.credits = both(sum.credits, round.credits, |a, b| a + b);
        sum.context_percentage = round.context_percentage.or(sum.context_percentage);
        sum.input_source = sum.input_source.min(round.input_source);
        sum.output_source = sum.output_source.min(round.output_source);
    }

    /// Counts a search that was run.
    pub(super) fn searched(&mut self) {
        self.searches += 1;
    }

    /// All rounds together.
    pub(super) fn total(&self) -> Usage {
        let mut total = self.sum.unwrap_or_default();
        if self.searches > 0 {
            total.web_searches = Some(self.searches);
        }
        total
    }
}

fn both<T: Copy>(mine: Option<T>, theirs: Option<T>, sum: impl Fn(T, T) -> T) -> Option<T> {
    match (mine, theirs) {
        (Some(mine), Some(theirs)) => Some(sum(mine, theirs)),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kiro_protocol::event::UsageSource;

    #[test]
    fn rounds_add_up_and_are_as_good_as_the_worst_of_them() {
        let mut tally = Tally::default();
        let round = |tokens: u64, credits: Option<f64>, source: UsageSource| Usage {
            input_tokens: Some(tokens),
            output_tokens: Some(1),
            credits,
            context_percentage: Some(tokens as f64),
            input_source: source,
            output_source: UsageSource::Upstream,
            ..Usage::default()
        };
        tally.add(round(10, Some(0.5), UsageSource::Upstream));
        tally.add(round(20, None, UsageSource::ContextPercentage));
        tally.add(round(30, Some(0.25), UsageSource::Upstream));
        tally.searched();
        let total = tally.total();
        assert_eq!((total.input_tokens, total.output_tokens, total.credits), (Some(60), Some(3), Some(0.75)));
        assert_eq!((total.input_source, total.output_source), (UsageSource::ContextPercentage, UsageSource::Upstream));
        assert_eq!((total.context_percentage, total.web_searches), (Some(30.0), Some(1)));
    }
}
