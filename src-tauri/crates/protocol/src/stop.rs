//! Stop sequences, emulated on the event stream: the upstream has none (kiro-upstream §2.3 V30).
//!
//! A sequence is looked for in runs of visible text only: thinking and tool calls end a run. The answer stops at the
//! sequence that is complete first; of several that end at the same place the longest counts. Text is held back only
//! while it could still become a sequence, so the result does not depend on how the text was cut into pieces.

use crate::event::{Event, StopReason};
use memchr::memmem::Finder;

/// Filters an event stream.
#[derive(Debug)]
pub struct StopSequences {
    sequences: Vec<Sequence>,
    /// The end of the text so far, as long as it could be the beginning of a sequence.
    held: String,
    hit: Option<usize>,
}

#[derive(Debug)]
struct Sequence {
    text: String,
    finder: Finder<'static>,
}

impl StopSequences {
    /// A filter for these sequences; empty ones are ignored.
    pub fn new(sequences: Vec<String>) -> Self {
        let sequences = sequences
            .into_iter()
            .filter(|text| !text.is_empty())
            .map(|text| Sequence { finder: Finder::new(text.as_bytes()).into_owned(), text })
            .collect();
        Self { sequences, held: String::new(), hit: None }
    }

    /// True once a sequence was found: nothing but usage and the end will follow, so the upstream can be left.
    pub fn is_hit(&self) -> bool {
        self.hit.is_some()
    }

    /// Passes one event on: none, one or two events are appended to `out`.
    pub fn push(&mut self, event: Event, out: &mut Vec<Event>) {
        if self.sequences.is_empty() {
            out.push(event);
            return;
        }
        match (event, self.hit) {
            (event @ Event::Usage(_), _) => out.push(event),
            (Event::Stop(_), Some(hit)) => {
                out.push(Event::Stop(StopReason::StopSequence(self.sequences[hit].text.clone())));
            }
            (_, Some(_)) => {}
            (Event::Text(piece), None) => self.text(piece, out),
            (event, None) => {
                if !self.held.is_empty() {
                    out.push(Event::Text(std::mem::take(&mut self.held)));
                }
                out.push(event);
            }
        }
    }

    fn text(&mut self, piece: String, out: &mut Vec<Event>) {
        let mut text = if self.held.is_empty() {
            piece
        } else {
            let mut text = std::mem::take(&mut self.held);
            text.push_str(&piece);
            text
        };
        if let Some((start, sequence)) = self.find(&text) {
            text.truncate(start);
            self.hit = Some(sequence);
        } else {
            self.held = text.split_off(text.len() - self.undecided(text.as_bytes()));
        }
        if !text.is_empty() {
            out.push(Event::Text(text));
        }
    }

    /// Where the sequence that is complete first begins, and which one it is.
    fn find(&self, text: &str) -> Option<(usize, usize)> {
        self.sequences
            .iter()
            .enumerate()
            .filter_map(|(index, sequence)| {
                let start = sequence.finder.find(text.as_bytes())?;
                Some((start + sequence.text.len(), start, index))
            })
            .min()
            .map(|(_, start, index)| (start, index))
    }

    /// Length of the longest end of `text` that is a beginning of a sequence. It starts at a character, as sequences do.
    fn undecided(&self, text: &[u8]) -> usize {
        self.sequences.iter().map(|sequence| overlap(text, sequence.text.as_bytes())).max().unwrap_or(0)
    }
}

fn overlap(text: &[u8], sequence: &[u8]) -> usize {
    let longest = text.len().min(sequence.len() - 1);
    (1..=longest).rev().find(|&length| text.ends_with(&sequence[..length])).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Usage;

    fn run(sequences: &[&str], events: Vec<Event>) -> Vec<Event> {
        let mut filter = StopSequences::new(sequences.iter().map(|&text| text.to_owned()).collect());
        let mut out = Vec::new();
        for event in events {
            filter.push(event, &mut out);
        }
        out
    }

    fn text(text: &str) -> Event {
        Event::Text(text.to_owned())
    }

    #[test]
    fn only_what_could_become_a_sequence_is_held_back() {
        assert_eq!(run(&["</block>"], vec![text("yes </blo")]), [text("yes ")]);
        assert_eq!(run(&["</block>"], vec![text("yes </blo"), text("om")]), [text("yes "), text("</bloom")]);
        assert_eq!(run(&["aab"], vec![text("aa"), text("a")]), [text("a")]);
        assert_eq!(run(&["👋"], vec![text("a👋")]), [text("a")]);
    }

    #[test]
    fn after_a_hit_only_usage_and_the_end_pass() {
        let call = [
            Event::ToolUseStart { id: "1".into(), name: "t".into() },
            Event::ToolInput("{}".into()),
            Event::ToolUseEnd,
        ];
        let usage = Event::Usage(Usage { output_tokens: Some(3), ..Usage::default() });
        let mut events = vec![text("one STOP two"), text("three"), Event::Thinking("x".into())];
        events.extend(call);
        events.extend([usage.clone(), Event::Stop(StopReason::ToolUse)]);
        let stop = Event::Stop(StopReason::StopSequence("STOP".into()));
        assert_eq!(run(&["STOP"], events), [text("one "), usage, stop]);
    }

    #[test]
    fn a_tool_call_ends_a_run_of_text_and_frees_what_was_held() {
        let start = Event::ToolUseStart { id: "1".into(), name: "t".into() };
        let events = vec![text("ST"), start.clone(), Event::ToolUseEnd, text("OP"), Event::Stop(StopReason::EndTurn)];
        let expected = [text("ST"), start, Event::ToolUseEnd, text("OP"), Event::Stop(StopReason::EndTurn)];
        assert_eq!(run(&["STOP"], events), expected);
    }

    #[test]
    fn usage_does_not_part_a_run_of_text() {
        let usage = Event::Usage(Usage::default());
        let events = vec![text("xST"), usage.clone(), text("OPy"), Event::Stop(StopReason::EndTurn)];
        let stop = Event::Stop(StopReason::StopSequence("STOP".into()));
        assert_eq!(run(&["STOP"], events), [text("x"), usage, stop]);
    }

    #[test]
    fn the_sequence_that_is_complete_first_wins_and_the_longest_of_equals() {
        let stop = |sequence: &str| Event::Stop(StopReason::StopSequence(sequence.into()));
        let end = || Event::Stop(StopReason::EndTurn);
        assert_eq!(run(&["abcd", "bc"], vec![text("abcd"), end()]), [text("a"), stop("bc")]);
        assert_eq!(run(&["c", "abc", "bc"], vec![text("xabc"), end()]), [text("x"), stop("abc")]);
    }

    #[test]
    fn the_end_frees_what_was_held() {
        let end = Event::Stop(StopReason::MaxTokens);
        assert_eq!(run(&["STOP"], vec![text("a ST"), end.clone()]), [text("a "), text("ST"), end]);
    }
}
