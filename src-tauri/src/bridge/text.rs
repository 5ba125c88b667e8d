//! Bytes that arrive in pieces, as text: a character that is split between two pieces waits for its rest.

/// Holds back at most three bytes.
#[derive(Debug, Default)]
pub(super) struct TextPieces {
    held: Vec<u8>,
}

impl TextPieces {
    /// The text that is complete now. Bytes that are no UTF-8 become replacement characters.
    pub(super) fn push(&mut self, bytes: &[u8]) -> String {
        self.held.extend_from_slice(bytes);
        let mut text = String::with_capacity(self.held.len());
        let mut rest = self.held.as_slice();
        loop {
            match std::str::from_utf8(rest) {
                Ok(valid) => {
                    text.push_str(valid);
                    rest = &[];
                    break;
                }
                Err(error) => {
                    let (valid, bad) = rest.split_at(error.valid_up_to());
                    text.push_str(&String::from_utf8_lossy(valid));
                    let Some(length) = error.error_len() else {
                        rest = bad;
                        break;
                    };
                    text.push(char::REPLACEMENT_CHARACTER);
                    rest = &bad[length..];
                }
            }
        }
        self.held = rest.to_vec();
        text
    }

    /// What is left when nothing more comes: one replacement character for a character that was cut.
    pub(super) fn finish(self) -> String {
        String::from_utf8_lossy(&self.held).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_split_gives_the_same_text() {
        let whole = "a é 中文 🙂 z";
        for size in 1..=whole.len() {
            let mut pieces = TextPieces::default();
            let mut text: String = whole.as_bytes().chunks(size).map(|piece| pieces.push(piece)).collect();
            text.push_str(&pieces.finish());
            assert_eq!(text, whole, "pieces of {size}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_replaced_and_the_rest_goes_on() {
        let mut pieces = TextPieces::default();
        assert_eq!(pieces.push(b"a\xffb"), "a\u{fffd}b");
        assert_eq!(pieces.push(b"\xe4\xb8"), "");
        assert_eq!(pieces.finish(), "\u{fffd}");
    }
}
