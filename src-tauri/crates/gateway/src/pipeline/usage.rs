//! Token counts for an answer: the upstream's own where it gives them, else from the context fill, else estimated.

use kiro_protocol::event::{Event, Usage, UsageSource};

/// Gathers what is known of one answer's cost.
#[derive(Debug)]
pub(super) struct Meter {
    input_estimate: u64,
    window: Option<u64>,
    /// Quarter tokens, so that many small pieces do not round away.
    output_quarters: u64,
    seen: Usage,
}

impl Meter {
    pub(super) fn new(input_estimate: u64, window: Option<u64>) -> Self {
        Self { input_estimate, window, output_quarters: 0, seen: Usage::default() }
    }

    /// Looks at an event that goes by.
    pub(super) fn note(&mut self, event: &Event) {
        match event {
            Event::Text(text) | Event::Thinking(text) | Event::ToolInput(text) => {
                self.output_quarters += quarters(text)
            }
            Event::ToolUseStart { name, .. } => self.output_quarters += quarters(name) + 16,
            Event::Usage(usage) => self.seen.merge(usage),
            Event::ThinkingSignature(_)
            | Event::RedactedThinking(_)
            | Event::ToolUseEnd
            | Event::ToolUseCut
            | Event::SearchStart { .. }
            | Event::SearchDone { .. }
            | Event::Stop(_) => {}
        }
    }

    /// The figures to report, complete as far as anything is known.
    pub(super) fn total(&self) -> Usage {
        let mut usage = self.seen;
        if usage.input_source == UsageSource::Upstream && usage.output_source == UsageSource::Upstream {
            return usage;
        }
        let output = usage.output_tokens.unwrap_or(self.output_quarters.div_ceil(4));
        let filled = match (usage.context_percentage, self.window) {
            // The fill is of the whole context after the turn, this answer included.
            (Some(percent), Some(window)) if percent > 0.0 => Some((percent / 100.0 * window as f64).round() as u64),
            (Some(_) | None, Some(_) | None) => None,
        };
        let source = if filled.is_some() { UsageSource::ContextPercentage } else { UsageSource::Estimate };
        let input = filled.map_or(self.input_estimate, |filled| filled.saturating_sub(output).max(1));
        usage.merge(&Usage {
            input_tokens: Some(input),
            output_tokens: Some(output),
            input_source: source,
            output_source: UsageSource::Estimate,
            ..Usage::default()
        });
        usage
    }
}

/// Four ASCII characters or one other character are a token.
fn quarters(text: &str) -> u64 {
    if text.is_ascii() {
        return text.len() as u64;
    }
    text.chars().map(|c| if c.is_ascii() { 1 } else { 4 }).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_upstreams_own_counts_win() {
        let mut meter = Meter::new(1000, Some(200_000));
        meter.note(&Event::Text("hello".into()));
        meter.note(&Event::Usage(Usage { context_percentage: Some(50.0), ..Usage::default() }));
        meter.note(&Event::Usage(Usage {
            input_tokens: Some(7),
            output_tokens: Some(3),
            input_source: UsageSource::Upstream,
            output_source: UsageSource::Upstream,
            ..Usage::default()
        }));
        let total = meter.total();
        assert_eq!((total.input_tokens, total.output_tokens), (Some(7), Some(3)));
    }

    #[test]
    fn the_context_fill_gives_the_input_when_nothing_better_is_known() {
        let mut meter = Meter::new(1000, Some(200_000));
        meter.note(&Event::Text("x".repeat(400)));
        meter.note(&Event::Usage(Usage { context_percentage: Some(10.0), ..Usage::default() }));
        let total = meter.total();
        assert_eq!((total.input_tokens, total.output_tokens), (Some(19_900), Some(100)));
        assert_eq!(total.input_source, UsageSource::ContextPercentage);
    }

    #[test]
    fn without_any_figure_both_counts_are_estimated() {
        let mut meter = Meter::new(1000, None);
        for _ in 0..10 {
            meter.note(&Event::Text("a".into()));
        }
        meter.note(&Event::Text("你好".into()));
        let total = meter.total();
        assert_eq!((total.input_tokens, total.output_tokens), (Some(1000), Some(5)));
    }
}
