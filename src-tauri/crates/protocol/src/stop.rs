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
