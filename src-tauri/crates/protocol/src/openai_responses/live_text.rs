//! The text of a custom tool while its call is still being written: the string value of `input` in an object of which only
//! the beginning is known, its escapes taken away.

/// Reads the JSON text of a call piece by piece.
#[derive(Debug, Default)]
pub(super) struct LiveText {
    state: State,
    /// The key that is being read, as written.
    key: String,
    /// An escape whose end has not come.
    escape: String,
    /// Bytes of text given out.
    sent: usize,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before a key, or before the object.
    #[default]
    Between,
    Key {
        escaped: bool,
    },
    /// After a key.
    Value {
        wanted: bool,
    },
    /// In the text that is looked for.
    Text,
    /// In another value.
    Other {
        depth: u32,
        quoted: bool,
        escaped: bool,
    },
    Done,
}

impl LiveText {
    /// Appends to `out` what `piece` adds to the text.
    pub(super) fn push(&mut self, piece: &str, out: &mut String) {
        let before = out.len();
        let mut rest = piece;
        while let Some(c) = rest.chars().next() {
            // Whole runs of plain text are copied at once.
            if self.state == State::Text && self.escape.is_empty() {
                let run = rest.find(['"', '\\']).unwrap_or(rest.len());
                if run > 0 {
                    out.push_str(&rest[..run]);
                    rest = &rest[run..];
                    continue;
                }
            }
            self.step(c, out);
            rest = &rest[c.len_utf8()..];
        }
        self.sent += out.len() - before;
    }

    /// The part of the final text that was not given out.
    pub(super) fn rest<'a>(&self, text: &'a str) -> &'a str {
        text.get(self.sent..).unwrap_or_default()
    }

    fn step(&mut self, c: char, out: &mut String) {
        self.state = match self.state {
            State::Between if c == '"' => {
                self.key.clear();
                State::Key { escaped: false }
            }
            State::Between => State::Between,
            State::Key { escaped: false } if c == '"' => State::Value { wanted: self.key == "input" },
            State::Key { escaped } => {
                self.key.push(c);
                State::Key { escaped: c == '\\' && !escaped }
            }
            State::Value { wanted } => match c {
                ':' | ' ' | '\t' | '\r' | '\n' => State::Value { wanted },
                '"' if wanted => State::Text,
                '"' => State::Other { depth: 0, quoted: true, escaped: false },
                '{' | '[' => State::Other { depth: 1, quoted: false, escaped: false },
                _ => State::Other { depth: 0, quoted: false, escaped: false },
            },
            State::Text if self.escape.is_empty() && c == '"' => State::Done,
            State::Text => {
                self.escape.push(c);
                self.unescape(out);
                State::Text
            }
            State::Other { depth, quoted: true, escaped } => match c {
                _ if escaped => State::Other { depth, quoted: true, escaped: false },
                '\\' => State::Other { depth, quoted: true, escaped: true },
                '"' if depth == 0 => State::Between,
                '"' => State::Other { depth, quoted: false, escaped: false },
                _ => State::Other { depth, quoted: true, escaped: false },
            },
            State::Other { depth, quoted: false, escaped } => match c {
                '"' => State::Other { depth, quoted: true, escaped },
                '{' | '[' => State::Other { depth: depth + 1, quoted: false, escaped },
                '}' | ']' if depth <= 1 => State::Between,
                '}' | ']' => State::Other { depth: depth - 1, quoted: false, escaped },
                ',' if depth == 0 => State::Between,
                _ => State::Other { depth, quoted: false, escaped },
            },
            State::Done => State::Done,
        };
    }

    /// Gives out the escape once it is whole; characters outside of the basic plane are written as two.
    fn unescape(&mut self, out: &mut String) {
        let bytes = self.escape.as_bytes();
        let unit = |at: usize| u16::from_str_radix(self.escape.get(at + 2..at + 6).unwrap_or_default(), 16).ok();
        let length = match bytes.get(1) {
            None => return,
            Some(b'u') if unit(0).is_some_and(|unit| (0xd800..0xdc00).contains(&unit)) => 12,
            Some(b'u') => 6,
            Some(_) => 2,
        };
        if bytes.len() < length {
            return;
        }
        let text = serde_json::from_str::<String>(&format!("\"{}\"", self.escape));
        out.push_str(text.as_deref().unwrap_or("\u{fffd}"));
        self.escape.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::LiveText;
    use crate::openai::freeform;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn split(json: &str, step: usize) -> (String, LiveText) {
        let (mut live, mut out) = (LiveText::default(), String::new());
        let characters: Vec<char> = json.chars().collect();
        for piece in characters.chunks(step) {
            live.push(&piece.iter().collect::<String>(), &mut out);
        }
        (out, live)
    }

    #[test]
    fn the_text_is_found_behind_other_arguments() {
        let json = r#" { "a\"input\"" : [1, {"input":"no"}, "]"], "b":"x\\", "c":true, "input" : "y\u00e9\ud83d\udc4b\n\"" , "d":1}"#;
        for step in 1..json.len() {
            assert_eq!(split(json, step).0, "yé\u{1f44b}\n\"");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn pieces_and_rest_are_the_whole_text(
            text in "(\\PC|[\"\\\\\n\u{1f44b}]){0,12}",
            other in prop::option::of("[a-z\"{}]{0,4}"),
            key in prop::sample::select(vec!["input", "patch"]),
            step in 1_usize..9,
        ) {
            let mut arguments = serde_json::Map::new();
            if let Some(other) = other {
                arguments.insert("other".into(), json!({ "input": [other] }));
            }
            arguments.insert(key.into(), Value::String(text));
            let (sent, live) = split(&Value::Object(arguments.clone()).to_string(), step);
            let whole = freeform::text(arguments);
            prop_assert_eq!(format!("{sent}{}", live.rest(&whole)), whole);
        }
    }
}
