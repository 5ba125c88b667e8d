//! The output limit, emulated on the event stream: the upstream has none (kiro-upstream §2.1).
//!
//! Text and thinking are counted while they pass, by [`rough_quarters`]: fast and rough, since nobody outside has the model's own
//! tokenizer. Tool calls pass whole or not at all and use nothing up: half a call is worth nothing to a client, and their JSON
//! is what such an estimate knows least about. Text is never cut inside a character.

use crate::event::{Event, StopReason};

/// Quarters of a token in a text: an ASCII character is one, any other character four. Good to about a third either way.
pub fn rough_quarters(text: &str) -> u64 {
    if text.is_ascii() { text.len() as u64 } else { text.chars().map(quarters).sum() }
}

fn quarters(c: char) -> u64 {
    if c.is_ascii() { 1 } else { 4 }
}

/// Filters an event stream.
#[derive(Debug)]
pub struct OutputLimit {
    /// `None` without a limit.
    left: Option<u64>,
    spent: u64,
    in_call: bool,
    hit: bool,
}

impl OutputLimit {
    /// A filter that lets this many tokens of text and thinking pass; all of them without a limit.
    pub fn new(max_tokens: Option<u32>) -> Self {
        Self { left: max_tokens.map(|tokens| u64::from(tokens) * 4), spent: 0, in_call: false, hit: false }
    }

    /// True once the limit cut something off: nothing but usage and the end will follow, so the upstream can be left.
    pub fn is_hit(&self) -> bool {
        self.hit
    }

    /// Tokens of text, thinking and the input of calls that passed.
    pub fn passed(&self) -> u64 {
        self.spent.div_ceil(4)
    }

    /// Passes one event on, or as much of it as fits.
    pub fn push(&mut self, event: Event, out: &mut Vec<Event>) {
        match event {
            event @ Event::Usage(_) => out.push(event),
            Event::Stop(reason) => out.push(Event::Stop(if self.hit { StopReason::MaxTokens } else { reason })),
            _ if self.hit => {}
            Event::Text(text) => out.extend(self.fit(text).map(Event::Text)),
            Event::Thinking(text) => out.extend(self.fit(text).map(Event::Thinking)),
            Event::ToolUseStart { id, name } => {
                // With nothing left the limit is reached between calls.
                self.hit = self.left == Some(0);
                if !self.hit {
                    self.in_call = true;
                    out.push(Event::ToolUseStart { id, name });
                }
            }
            event @ (Event::ToolUseEnd | Event::ToolUseCut) => {
                self.in_call = false;
                out.push(event);
            }
            Event::ToolInput(piece) => {
                self.spent += rough_quarters(&piece);
                out.push(Event::ToolInput(piece));
            }
            event @ (Event::ThinkingSignature(_)
            | Event::RedactedThinking(_)
            | Event::SearchStart { .. }
            | Event::SearchDone { .. }) => out.push(event),
        }
    }

    /// As much of a text as fits; `None` when that is nothing.
    fn fit(&mut self, mut text: String) -> Option<String> {
        debug_assert!(!self.in_call, "calls are never interleaved with text");
        let needed = rough_quarters(&text);
        match self.left {
            None => self.spent += needed,
            Some(left) if needed <= left => {
                self.left = Some(left - needed);
                self.spent += needed;
            }
            Some(left) => {
                self.hit = true;
                self.left = Some(0);
                let mut room = left;
                let end = text.char_indices().find(|(_, c)| match room.checked_sub(quarters(*c)) {
                    Some(rest) => {
                        room = rest;
                        false
                    }
                    None => true,
                });
                self.spent += left - room;
                text.truncate(end.map_or(text.len(), |(at, _)| at));
            }
        }
        (!text.is_empty()).then_some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Usage;
    use proptest::prelude::*;

    fn run(limit: Option<u32>, events: Vec<Event>) -> (Vec<Event>, OutputLimit) {
        let mut filter = OutputLimit::new(limit);
        let mut out = Vec::new();
        for event in events {
            filter.push(event, &mut out);
        }
        (out, filter)
    }

    fn text(text: &str) -> Event {
        Event::Text(text.to_owned())
    }

    fn call() -> [Event; 3] {
        [
            Event::ToolUseStart { id: "1".into(), name: "Write".into() },
            Event::ToolInput(r#"{"content":"a long text that is longer than any limit here"}"#.into()),
            Event::ToolUseEnd,
        ]
    }

    #[test]
    fn text_beyond_the_limit_is_cut_and_only_usage_and_the_end_follow() {
        let usage = Event::Usage(Usage { output_tokens: Some(3), ..Usage::default() });
        let events =
            vec![text("12345678"), text("9abcdefg"), text("h"), usage.clone(), Event::Stop(StopReason::EndTurn)];
        let (out, filter) = run(Some(3), events);
        assert_eq!(out, [text("12345678"), text("9abc"), usage, Event::Stop(StopReason::MaxTokens)]);
        assert!(filter.is_hit());
        assert_eq!(filter.passed(), 3);
    }

    #[test]
    fn an_answer_that_fits_exactly_ends_as_it_does() {
        let (out, filter) = run(Some(2), vec![text("12345678"), Event::Stop(StopReason::EndTurn)]);
        assert_eq!(out, [text("12345678"), Event::Stop(StopReason::EndTurn)]);
        assert!(!filter.is_hit());
    }

    #[test]
    fn thinking_counts_too() {
        let (out, _) =
            run(Some(2), vec![Event::Thinking("1234".into()), text("56789"), Event::Stop(StopReason::EndTurn)]);
        assert_eq!(out, [Event::Thinking("1234".into()), text("5678"), Event::Stop(StopReason::MaxTokens)]);
    }

    #[test]
    fn a_character_is_never_cut() {
        let (out, _) = run(Some(1), vec![text("ab😀"), Event::Stop(StopReason::EndTurn)]);
        assert_eq!(out, [text("ab"), Event::Stop(StopReason::MaxTokens)]);
        let (out, _) = run(Some(2), vec![text("你好吗"), Event::Stop(StopReason::EndTurn)]);
        assert_eq!(out, [text("你好"), Event::Stop(StopReason::MaxTokens)]);
    }

    #[test]
    fn a_call_passes_whole_and_the_limit_stands_between_calls() {
        let mut events = vec![text("123")];
        events.extend(call());
        events.extend([text("4567"), Event::ToolUseStart { id: "2".into(), name: "Write".into() }]);
        events.extend([Event::ToolInput("{}".into()), Event::ToolUseEnd, Event::Stop(StopReason::ToolUse)]);
        let (out, _) = run(Some(1), events);
        let mut expected = vec![text("123")];
        expected.extend(call());
        expected.extend([text("4"), Event::Stop(StopReason::MaxTokens)]);
        assert_eq!(out, expected);
    }

    proptest! {
        #[test]
        fn any_split_of_a_text_is_cut_at_the_same_place(
            pieces in prop::collection::vec("[a-z😀é ]{0,12}", 0..12),
            limit in 0_u32..12,
        ) {
            let whole: String = pieces.concat();
            let said = |out: Vec<Event>| -> String {
                out.into_iter().filter_map(|event| match event { Event::Text(text) => Some(text), _ => None }).collect()
            };
            let (split, one) = run(Some(limit), pieces.iter().map(|piece| text(piece)).collect());
            let (together, two) = run(Some(limit), vec![text(&whole)]);
            let split = said(split);
            prop_assert_eq!(&split, &said(together));
            prop_assert_eq!(one.passed(), two.passed());
            prop_assert!(whole.starts_with(&split));
            prop_assert!(rough_quarters(&split) <= u64::from(limit) * 4);
            prop_assert_eq!(one.is_hit(), split.len() < whole.len());
        }
    }
}
