//! The bytes behind a base64 text, and the digest by which work on them is remembered.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use sha2::{Digest as _, Sha256};

/// Identifies content.
pub(super) type ContentId = [u8; 32];

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);

pub(super) fn content_id(text: &str) -> ContentId {
    Sha256::digest(text.as_bytes()).into()
}

/// Standard base64; line breaks and missing padding are forgiven.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    if text.bytes().any(|byte| byte.is_ascii_whitespace()) {
        let clean: String = text.split_ascii_whitespace().collect();
        return STANDARD.decode(clean).ok();
    }
    STANDARD.decode(text).ok()
}

pub(super) fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}
