//! Inline media: base64 as clients write it, and data URLs.

use super::notes::Fault;

/// Base64 in the standard alphabet, padded. Spaces, the URL-safe alphabet and missing padding are put right; anything else
/// is refused, because the upstream would answer it with an error that names nothing.
pub(crate) fn base64(mut data: String, path: &str) -> Result<String, Fault> {
    if data.bytes().any(|byte| byte.is_ascii_whitespace()) {
        data.retain(|c| !c.is_ascii_whitespace());
    }
    if data.bytes().any(|byte| byte == b'-' || byte == b'_') {
        data = data.replace('-', "+").replace('_', "/");
    }
    let digits = data.trim_end_matches('=').len();
    let padding = data.len() - digits;
    let right = match digits % 4 {
        0 => padding == 0,
        2 => padding == 2 || padding == 0,
        3 => padding <= 1,
        _ => false,
    };
    if digits == 0 || !right || !data.as_bytes()[..digits].iter().all(is_digit) {
        return Err(Fault::invalid(path, "Invalid base64 data"));
    }
    while !data.len().is_multiple_of(4) {
        data.push('=');
    }
    Ok(data)
}

fn is_digit(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || *byte == b'+' || *byte == b'/'
}

/// What a `data:` URL holds: its media type, empty when it names none, and base64. Nothing for other URLs.
pub(crate) fn data_url(url: &str, path: &str) -> Option<Result<(String, String), Fault>> {
    let scheme = url.get(..5)?;
    if !scheme.eq_ignore_ascii_case("data:") {
        return None;
    }
    let inner = url[5..].split_once(',').and_then(|(head, data)| {
        let (head, encoding) = head.rsplit_once(';')?;
        let media_type = head.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        encoding.trim().eq_ignore_ascii_case("base64").then_some((media_type, data))
    });
    Some(match inner {
        Some((media_type, data)) => base64(data.to_owned(), path).map(|data| (media_type, data)),
        None => Err(Fault::invalid(path, "Expected a base64-encoded data URL, such as 'data:image/png;base64,…'")),
    })
}
