//! Lone surrogates: JavaScript clients that cut a text between the halves of a character write `\ud83d` alone, which is
//! no Unicode text. Because the history is sent again with every request, one such cut would end the session; so the
//! half is replaced by U+FFFD. This runs only on bodies that could not be read.

/// A copy with every lone surrogate escape replaced, or nothing when there is none.
pub(crate) fn repair(body: &[u8]) -> Option<Vec<u8>> {
    let mut repaired: Option<Vec<u8>> = None;
    let mut at = 0;
    while let Some(step) = memchr::memchr(b'\\', &body[at..]) {
        at += step;
        match (escape(body, at), escape(body, at + 6)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => at += 12,
            (Some(0xd800..=0xdfff), _) => {
                repaired.get_or_insert_with(|| body.to_vec())[at..at + 6].copy_from_slice(b"\\ufffd");
                at += 6;
            }
            // Past the escaped character, which may be a backslash itself.
            _ => at += 2,
        }
        if at >= body.len() {
            break;
        }
    }
    repaired
}

/// The code of a `\uXXXX` at this place.
fn escape(body: &[u8], at: usize) -> Option<u16> {
    let digits = body.get(at..at + 6)?.strip_prefix(b"\\u")?;
    let digits = std::str::from_utf8(digits).ok().filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))?;
    u16::from_str_radix(digits, 16).ok()
}
