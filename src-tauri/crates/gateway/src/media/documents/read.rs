//! One document, read by its format. Files come from strangers and the readers are other people's: a reader that panics has
//! found a damaged file.

use super::{Read, Unreadable, office, pdf};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Larger files are not read.
const MOST_BYTES: usize = 32 * 1024 * 1024;

/// The text of a document, at most `most` bytes.
pub(super) fn read(bytes: &[u8], format: &str, most: usize) -> Result<Read, Unreadable> {
    if bytes.len() > MOST_BYTES {
        return Err(Unreadable::TooLarge);
    }
    let work = AssertUnwindSafe(|| match format {
        "pdf" => pdf::read(bytes, most),
        "docx" => office::document(bytes, most).map(|text| plain(text, most)),
        "xlsx" => office::sheets(bytes, most).map(|text| plain(text, most)),
        "html" | "csv" | "md" | "txt" => Ok(plain(text(bytes), most)),
        _ => Err(Unreadable::Format),
    });
    let read = catch_unwind(work).unwrap_or(Err(Unreadable::Damaged))?;
    if read.text.trim().is_empty() { Err(Unreadable::NoText) } else { Ok(read) }
}

fn plain(text: String, most: usize) -> Read {
    let (text, cut) = shorten(text, most);
    Read { text, pages: None, cut }
}

/// Cuts a text at its end.
pub(super) fn shorten(mut text: String, most: usize) -> (String, bool) {
    let cut = text.len() > most;
    if cut {
        let end = (0..=most).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
    }
    (text, cut)
}

/// UTF-8 or UTF-16 by its mark, else UTF-8 as far as it is.
fn text(bytes: &[u8]) -> String {
    let wide = |read: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes[2..].chunks_exact(2).map(|pair| read([pair[0], pair[1]])).collect();
        String::from_utf16_lossy(&units)
    };
    match bytes {
        [0xEF, 0xBB, 0xBF, rest @ ..] => String::from_utf8_lossy(rest).into_owned(),
        [0xFF, 0xFE, ..] => wide(u16::from_le_bytes),
        [0xFE, 0xFF, ..] => wide(u16::from_be_bytes),
        _ => String::from_utf8_lossy(bytes).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_read_by_their_mark_and_cut_between_characters() {
        assert_eq!(text(b"\xEF\xBB\xBFa"), "a");
        assert_eq!(text(b"\xFF\xFEa\0\x60\x4F"), "a你");
        assert_eq!(text(b"\xFE\xFF\0a"), "a");
        assert_eq!(shorten("aä你".to_owned(), 5), ("aä".to_owned(), true));
        assert_eq!(shorten("aä".to_owned(), 3), ("aä".to_owned(), false));
    }
}
