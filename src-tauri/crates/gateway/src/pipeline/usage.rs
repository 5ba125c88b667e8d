//! Token counts for an answer: the upstream's own where it gives them, else from the context fill, else counted here. Each
//! figure says where it comes from, and the better ones teach how far off the others are.

use crate::tokens::Yardstick;
use kiro_protocol::event::{Event, Usage, UsageSource};
use kiro_protocol::kiro::request::rough_tokens;

/// Text of an answer that is kept for the tokenizer; the rest is taken to be like it.
const KEPT: usize = 16 * 1024;
/// Tokens that a call costs besides its name and arguments.
const CALL: u64 = 4;
/// A lower context fill is too coarse to learn from, in percent.
const COARSE: f64 = 2.0;

/// Gathers what is known of one answer's cost.
pub(super) struct Meter {
    yardstick: Yardstick,
    /// A rough count of the request.
    request: u64,
    /// The beginning of what was said.
    text: String,
    /// Quarter tokens, so that many small pieces do not round away.
    output_quarters: u64,
    seen: Usage,
}

impl Meter {
    /// `request`: what [`kiro_protocol::kiro::request::Built::estimate_tokens`] says.
    pub(super) fn new(request: u64, yardstick: Yardstick) -> Self {
        Self { yardstick, request, text: String::new(), output_quarters: 0, seen: Usage::default() }
    }

    /// Looks at an event that goes by.
    pub(super) fn note(&mut self, event: &Event) {
        match event {
            Event::Text(text) | Event::Thinking(text) | Event::ToolInput(text) => self.said(text),
            Event::ToolUseStart { name, .. } => {
                self.said(name);
                self.output_quarters += 4 * CALL;
            }
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

    fn said(&mut self, text: &str) {
        self.output_quarters += quarters(text);
        if self.text.len() + text.len() <= KEPT {
            self.text.push_str(text);
        }
    }

    /// The figures to report, complete as far as anything is known.
    pub(super) fn total(&self) -> Usage {
        let mut usage = self.seen;
        if usage.output_tokens.is_none() {
            let (output, source) = self.output();
            usage.merge(&Usage { output_tokens: Some(output), output_source: source, ..Usage::default() });
        }
        if usage.input_tokens.is_none() {
            let (input, source) = self.input(usage.output_tokens.unwrap_or(0));
            usage.merge(&Usage { input_tokens: Some(input), input_source: source, ..Usage::default() });
        }
        usage
    }

    fn output(&self) -> (u64, UsageSource) {
        let rough = self.output_quarters.div_ceil(4);
        match self.yardstick.said(&self.text, rough) {
            Some(counted) => (counted, UsageSource::Tokenizer),
            None => (rough, UsageSource::Estimate),
        }
    }

    fn input(&self, output: u64) -> (u64, UsageSource) {
        // The fill is of the whole context after the turn, this answer included.
        if let Some(filled) = self.filled() {
            let cached = self.seen.cache_read_tokens.unwrap_or(0) + self.seen.cache_write_tokens.unwrap_or(0);
            return (filled.saturating_sub(output + cached).max(1), UsageSource::ContextPercentage);
        }
        (self.yardstick.estimate(self.request), UsageSource::Estimate)
    }

    /// Tokens in the context after the turn.
    fn filled(&self) -> Option<u64> {
        let percent = self.seen.context_percentage.filter(|percent| percent.is_finite() && *percent > 0.0)?;
        Some((percent / 100.0 * self.yardstick.window()? as f64).round() as u64)
    }

    /// Learns from a complete answer how far off the figures made here are.
    pub(super) fn learn(&self) {
        let seen = &self.seen;
        let fill = seen.context_percentage.filter(|percent| *percent >= COARSE);
        if seen.input_source == UsageSource::Upstream
            && let Some(uncached) = seen.input_tokens
        {
            let input = uncached + seen.cache_read_tokens.unwrap_or(0) + seen.cache_write_tokens.unwrap_or(0);
            self.yardstick.learn(self.request, input);
            if let (Some(percent), Some(output)) = (fill, seen.output_tokens) {
                self.yardstick.learn_window(input + output, percent);
            }
        } else if fill.is_some()
            && let Some(filled) = self.filled()
        {
            let output = seen.output_tokens.unwrap_or_else(|| self.output().0);
            self.yardstick.learn(self.request, filled.saturating_sub(output));
        }
    }
}

/// Four ASCII characters or one other character are a token.
fn quarters(text: &str) -> u64 {
    if text.is_ascii() { text.len() as u64 } else { rough_tokens(text) * 4 }
}

#[cfg(test)]
mod tests;
