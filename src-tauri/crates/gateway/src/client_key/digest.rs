//! What is kept of a key's text, and how a candidate is compared with it.
//!
//! Promises: time tells neither which key a candidate is nor how close it came.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use crate::account::hex;

/// The SHA-256 of a key's text; 64 hex digits in the file.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(super) struct KeyDigest([u8; 32]);

impl KeyDigest {
    pub(super) fn of(text: &[u8]) -> Self {
        Self(Sha256::digest(text).into())
    }

    /// The place of this digest among `all`. Every one is compared, and the hit is kept without a branch.
    pub(super) fn place_among<'a>(&self, all: impl Iterator<Item = &'a Self>) -> Option<usize> {
        let mut found = Choice::from(0);
        let mut at = 0_u64;
        for (index, known) in (0_u64..).zip(all) {
            let hit = known.0.ct_eq(&self.0);
            at.conditional_assign(&index, hit);
            found |= hit;
        }
        if bool::from(found) { usize::try_from(at).ok() } else { None }
    }
}

impl From<KeyDigest> for String {
    fn from(digest: KeyDigest) -> Self {
        hex(&digest.0)
    }
}

impl TryFrom<String> for KeyDigest {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let wrong = "the digest of a key is not 64 hex digits";
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(wrong);
        }
        let mut digest = [0_u8; 32];
        for (byte, at) in digest.iter_mut().zip((0..).step_by(2)) {
            *byte = text.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok()).ok_or(wrong)?;
        }
        Ok(Self(digest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_found_in_its_place_and_nothing_else_is() {
        let all = [b"a", b"b", b"c"].map(|text| KeyDigest::of(text));
        for (place, text) in [b"a", b"b", b"c"].into_iter().enumerate() {
            assert_eq!(KeyDigest::of(text).place_among(all.iter()), Some(place));
        }
        assert_eq!(KeyDigest::of(b"d").place_among(all.iter()), None);
        assert_eq!(KeyDigest::of(b"a").place_among(std::iter::empty()), None);
    }

    #[test]
    fn only_64_hex_digits_are_a_digest() {
        let text = String::from(KeyDigest::of(b"a"));
        assert_eq!(text, "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb");
        let read = KeyDigest::try_from(text.clone()).expect("reads");
        assert_eq!(read.place_among([KeyDigest::of(b"a")].iter()), Some(0));
        for wrong in
            [String::new(), text[1..].to_owned(), format!("{text}0"), format!("+{}", &text[1..]), "é".repeat(32)]
        {
            assert!(KeyDigest::try_from(wrong.clone()).is_err(), "{wrong}");
        }
    }
}
