//! Thinking that models driven by prompt tags write into their text: `<thinking>…</thinking>` (kiro-upstream §10 P).
//!
//! Tags inside code are text: somebody may be asking about the tags themselves. What could still become a tag is held
//! back, nothing else, and the result does not depend on how the text was split.

const OPEN: &str = "<thinking>";
const CLOSE: &str = "</thinking>";

/// A piece of text after the split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Visible text.
    Text(String),
    /// Thinking.
    Thinking(String),
}

/// Separates tagged thinking from text.
#[derive(Debug, Default)]
pub struct ThinkingTags {
    pending: String,
    thinking: bool,
    /// Line breaks right after a tag belong to the tag.
    trim: bool,
    before: Option<char>,
    code: CodeState,
}

/// Where in Markdown code the text is.
#[derive(Debug)]
struct CodeState {
    /// Only white space since the line began.
    line_start: bool,
    /// Nothing at all but white space since the last line break; a blank line ends inline code.
    fence: Option<(char, usize)>,
    span: Option<usize>,
}

impl Default for CodeState {
    fn default() -> Self {
        Self { line_start: true, fence: None, span: None }
    }
}

impl ThinkingTags {
    /// Adds text and hands out what is certain.
    pub fn push(&mut self, text: &str, out: &mut Vec<Piece>) {
        self.pending.push_str(text);
        self.run(false, out);
    }

    /// Hands out what was held back: no tag can span what comes next.
    pub fn flush(&mut self, out: &mut Vec<Piece>) {
        self.run(true, out);
    }

    fn run(&mut self, last: bool, out: &mut Vec<Piece>) {
        loop {
            if self.trim {
                let kept = self.pending.trim_start_matches(['\n', '\r']).len();
                self.pending.drain(..self.pending.len() - kept);
                if self.pending.is_empty() {
                    return;
                }
                self.trim = false;
            }
            let again = if self.thinking { self.inside(last, out) } else { self.outside(last, out) };
            if !again {
                return;
            }
        }
    }

    /// Text up to an opening tag. True when a tag was found and more may follow.
    fn outside(&mut self, last: bool, out: &mut Vec<Piece>) -> bool {
        let mut at = 0;
        while let Some(c) = self.pending[at..].chars().next() {
            let rest = &self.pending[at..];
            if c == '`' || (c == '~' && self.code.line_start) {
                let run = rest.len() - rest.trim_start_matches(c).len();
                if at + run == self.pending.len() && !last {
                    break;
                }
                self.code.marks(c, run);
                at += run;
                continue;
            }
            if c == '<' && self.code.is_prose() {
                if rest.starts_with(OPEN) {
                    let before = self.take(at);
                    emit(before, Piece::Text, out);
                    self.pending.drain(..OPEN.len());
                    (self.thinking, self.trim, self.before) = (true, true, None);
                    return true;
                }
                if OPEN.starts_with(rest) && !last {
                    break;
                }
            }
            self.code.step(c);
            at += c.len_utf8();
        }
        let ready = self.take(at);
        emit(ready, Piece::Text, out);
        false
    }

    /// Thinking up to its closing tag, unless that is quoted. True when the tag was found.
    fn inside(&mut self, last: bool, out: &mut Vec<Piece>) -> bool {
        let mut at = 0;
        while let Some(offset) = self.pending[at..].find('<') {
            let start = at + offset;
            let rest = &self.pending[start..];
            let before = self.pending[..start].chars().next_back().or(self.before);
            let quoted = matches!(before, Some('`' | '"' | '\''));
            if rest.starts_with(CLOSE) && !quoted {
                let thought = self.take(start);
                emit(thought.trim_end_matches(['\n', '\r']).to_owned(), Piece::Thinking, out);
                self.pending.drain(..CLOSE.len());
                (self.thinking, self.trim) = (false, true);
                self.code = CodeState::default();
                return true;
            }
            if CLOSE.starts_with(rest) && !last {
                at = start;
                let kept = self.pending[..at].trim_end_matches(['\n', '\r']).len();
                self.hand_out_thinking(kept, out);
                return false;
            }
            at = start + 1;
        }
        let kept = if last { self.pending.len() } else { self.pending.trim_end_matches(['\n', '\r']).len() };
        self.hand_out_thinking(kept, out);
        false
    }

    fn hand_out_thinking(&mut self, length: usize, out: &mut Vec<Piece>) {
        let ready = self.take(length);
        if let Some(c) = ready.chars().next_back() {
            self.before = Some(c);
        }
        emit(ready, Piece::Thinking, out);
    }

    fn take(&mut self, length: usize) -> String {
        self.pending.drain(..length).collect()
    }
}

fn emit(text: String, piece: fn(String) -> Piece, out: &mut Vec<Piece>) {
    if !text.is_empty() {
        out.push(piece(text));
    }
}

impl CodeState {
    fn is_prose(&self) -> bool {
        self.fence.is_none() && self.span.is_none()
    }

    fn marks(&mut self, mark: char, run: usize) {
        match self.fence {
            Some((open, length)) if self.line_start && mark == open && run >= length => self.fence = None,
            Some(_) => {}
            None if self.line_start && run >= 3 && self.span.is_none() => self.fence = Some((mark, run)),
            None if mark == '`' => {
                self.span = match self.span {
                    None => Some(run),
                    Some(length) if length == run => None,
                    Some(length) => Some(length),
                };
            }
            None => {}
        }
        self.line_start = false;
    }

    fn step(&mut self, c: char) {
        if c == '\n' {
            if self.line_start {
                self.span = None;
            }
            self.line_start = true;
        } else if !c.is_whitespace() {
            self.line_start = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn split(pieces: &[&str]) -> (String, String) {
        let mut tags = ThinkingTags::default();
        let mut out = Vec::new();
        for piece in pieces {
            tags.push(piece, &mut out);
        }
        tags.flush(&mut out);
        let (mut text, mut thinking) = (String::new(), String::new());
        for piece in out {
            match piece {
                Piece::Text(piece) => text.push_str(&piece),
                Piece::Thinking(piece) => thinking.push_str(&piece),
            }
        }
        (text, thinking)
    }

    fn pair(text: &str, thinking: &str) -> (String, String) {
        (text.to_owned(), thinking.to_owned())
    }

    #[test]
    fn tags_are_found_across_pieces_and_their_line_breaks_go_with_them() {
        assert_eq!(
            split(&["<thin", "king>\nCheck 2, 3.\n", "</think", "ing>\n", "\n17 is prime."]),
            pair("17 is prime.", "Check 2, 3.")
        );
    }

    #[test]
    fn tags_in_code_and_quoted_closing_tags_are_text() {
        let fenced = "Use:\n```xml\n<thinking>x</thinking>\n```\n";
        assert_eq!(split(&[fenced]), pair(fenced, ""));
        let inline = "the `<thinking>` tag";
        assert_eq!(split(&[inline]), pair(inline, ""));
        assert_eq!(
            split(&["<thinking>the `</thinking>` tag ends it</thinking>yes"]),
            pair("yes", "the `</thinking>` tag ends it")
        );
    }

    #[test]
    fn a_blank_line_ends_inline_code_and_an_open_tag_at_the_end_stays_thinking() {
        assert_eq!(split(&["a ` tick\n\n<thinking>t</thinking>x"]), pair("a ` tick\n\nx", "t"));
        assert_eq!(split(&["<thinking>never closed\n"]), pair("", "never closed\n"));
        assert_eq!(split(&["a < b <thin"]), pair("a < b <thin", ""));
    }

    proptest! {
        #[test]
        fn the_split_of_the_text_never_matters(
            parts in prop::collection::vec(prop::sample::select(vec![
                "<thinking>", "</thinking>", "<", "`", "```", "\n", "\n\n", "~~~", "a", "ü", " ", "</", "\"",
            ]), 0..24),
            cuts in prop::collection::vec(0_usize..80, 0..8),
        ) {
            let whole: String = parts.concat();
            let mut cuts: Vec<usize> = cuts.into_iter().filter(|at| whole.is_char_boundary(*at)).collect();
            cuts.sort_unstable();
            let mut pieces = Vec::new();
            let mut from = 0;
            for cut in cuts.into_iter().filter(|at| *at <= whole.len()) {
                pieces.push(&whole[from..cut]);
                from = cut;
            }
            pieces.push(&whole[from..]);
            prop_assert_eq!(split(&pieces), split(&[&whole]));
        }
    }
}
