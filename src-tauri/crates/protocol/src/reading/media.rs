//! Inline media: base64 as clients write it, and data URLs.
//!
//! What cannot be read is passed on as it is, never refused: clients send their history again with every request, so a
//! refusal would end the session. Further on it becomes a note in its place, or a failure when nothing else was said.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;

/// Base64 in the standard alphabet, padded, as far as it can be put right: spaces, the URL-safe alphabet and missing padding.
/// Anything else comes back unchanged.
pub(crate) fn base64(mut data: String) -> String {
    if data.bytes().any(|byte| byte.is_ascii_whitespace()) {
        data.retain(|c| !c.is_ascii_whitespace());
    }
    let digits = data.trim_end_matches('=').len();
    let padding = data.len() - digits;
    let right = match digits % 4 {
        0 => padding == 0,
        2 => padding == 2 || padding == 0,
        3 => padding <= 1,
        _ => false,
    };
    let url_safe = |byte: &u8| *byte == b'-' || *byte == b'_';
    if !right || !data.as_bytes()[..digits].iter().all(|byte| is_digit(byte) || url_safe(byte)) {
        return data;
    }
    if data.as_bytes().iter().any(url_safe) {
        data = data.replace('-', "+").replace('_', "/");
    }
    while !data.len().is_multiple_of(4) {
        data.push('=');
    }
    data
}

fn is_digit(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || *byte == b'+' || *byte == b'/'
}

/// What a `data:` URL (RFC 2397) holds: its media type, empty when it names none, and base64; percent-encoded content is
/// encoded anew, a URL without content holds nothing. `None` for other URLs.
pub(crate) fn data_url(url: &str) -> Option<(String, String)> {
    let scheme = url.get(..5)?;
    if !scheme.eq_ignore_ascii_case("data:") {
        return None;
    }
    let Some((head, data)) = url[5..].split_once(',') else { return Some((String::new(), String::new())) };
    let media_type = head.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let encoded = head.rsplit_once(';').is_some_and(|(_, encoding)| encoding.trim().eq_ignore_ascii_case("base64"));
    let data =
        if encoded { base64(data.to_owned()) } else { STANDARD.encode(percent_decode_str(data).collect::<Vec<u8>>()) };
    Some((media_type, data))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_put_right_where_it_can_be() {
        for (written, right) in
            [("YWJj", "YWJj"), ("YW\r\nJj ", "YWJj"), ("YWI", "YWI="), ("YQ", "YQ=="), ("_-8=", "/+8="), ("", "")]
        {
            assert_eq!(base64(written.to_owned()), right, "{written}");
        }
        for broken in ["Y", "YW*j", "YQ===", "a-b*", "%%%"] {
            assert_eq!(base64(broken.to_owned()), broken);
        }
    }

    #[test]
    fn a_data_url_always_holds_something_or_nothing() {
        let held = |url: &str| data_url(url).expect("a data URL");
        assert_eq!(held("data:image/PNG;base64,YWJj"), ("image/png".to_owned(), "YWJj".to_owned()));
        assert_eq!(held("DATA:;base64,YWJj").0, "");
        assert_eq!(held("data:image/svg+xml,%3Csvg/%3E"), ("image/svg+xml".to_owned(), STANDARD.encode("<svg/>")));
        assert_eq!(held("data:text/plain;charset=utf-8,a%20b"), ("text/plain".to_owned(), STANDARD.encode("a b")));
        assert_eq!(held("data:image/png"), (String::new(), String::new()));
        for other in ["https://example.com/a.png", "dat", "", "d\u{e4}ta:,"] {
            assert_eq!(data_url(other), None, "{other}");
        }
    }
}
