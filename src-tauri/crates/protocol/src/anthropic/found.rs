//! What a web search found, in the field that clients take for encrypted and send back: the next turns still have it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const MARK: &[u8] = b"kpf1";

/// The text of a result as an opaque text.
pub(super) fn seal(text: &str) -> String {
    STANDARD.encode([MARK, text.as_bytes()].concat())
}

/// The text in an opaque text of ours, unless it is empty. Those of other servers mean nothing here.
pub(super) fn open(sealed: &str) -> Option<String> {
    let bytes = STANDARD.decode(sealed).ok()?;
    String::from_utf8(bytes.strip_prefix(MARK)?.to_vec()).ok().filter(|text| !text.is_empty())
}
