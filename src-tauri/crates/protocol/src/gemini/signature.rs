//! Thought signatures. For clients a `thoughtSignature` is opaque; they keep it beside the part it came with and send it
//! back. Many of them drop the thoughts themselves, so everything that must be replayed is inside: the reasoning text, the
//! upstream's signature and encrypted reasoning, byte for byte.
//!
//! The bytes are a mark, a checksum and JSON, in base64 because the field is of that type. What has no mark or a wrong
//! checksum was made by somebody else, such as `skip_thought_signature_validator`, and means nothing here.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use serde::{Deserialize, Serialize};

const MARK: &[u8; 4] = b"kpt1";

/// Takes the standard alphabet with or without padding; some clients write back another form than they read.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// One piece of reasoning.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) enum Thought {
    /// Visible reasoning.
    #[serde(rename = "t")]
    Text(String, Option<String>),
    /// Encrypted reasoning.
    #[serde(rename = "r")]
    Redacted(String),
}

impl Thought {
    /// True when the upstream wants it back. Reasoning that nobody signed cannot be replayed.
    fn is_sealed(&self) -> bool {
        match self {
            Thought::Text(_, signature) => signature.as_ref().is_some_and(|signature| !signature.is_empty()),
            Thought::Redacted(_) => true,
        }
    }
}

/// Thoughts as a signature; nothing when none of them has to be replayed. `place` counts the signatures of an answer, so
/// that equal thoughts at two places differ from one signature that a client copied.
pub(super) fn seal(place: u32, thoughts: &[Thought]) -> Option<String> {
    if !thoughts.iter().any(Thought::is_sealed) {
        return None;
    }
    let body = serde_json::to_vec(&(place, thoughts)).expect("texts always serialize");
    let mut bytes = Vec::with_capacity(MARK.len() + 4 + body.len());
    bytes.extend_from_slice(MARK);
    bytes.extend_from_slice(&crc32fast::hash(&body).to_be_bytes());
    bytes.extend_from_slice(&body);
    Some(STANDARD.encode(bytes))
}

/// The thoughts in a signature of ours.
pub(super) fn open(signature: &str) -> Option<Vec<Thought>> {
    let bytes = LENIENT.decode(standard_alphabet(signature)).ok()?;
    let (check, body) = bytes.strip_prefix(MARK)?.split_first_chunk::<4>()?;
    if crc32fast::hash(body) != u32::from_be_bytes(*check) {
        return None;
    }
    let (_, thoughts): (u32, Vec<Thought>) = serde_json::from_slice(body).ok()?;
    Some(thoughts)
}

/// The URL-safe alphabet is the other one that Google's JSON mapping allows.
fn standard_alphabet(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c == '-' {
                '+'
            } else if c == '_' {
                '/'
            } else {
                c
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    fn thoughts() -> Vec<Thought> {
        vec![
            Thought::Text("line\n\"é\" 👋 \u{0}".into(), Some("sig+/=".into())),
            Thought::Redacted("AAEC/w==".into()),
            Thought::Text(String::new(), None),
        ]
    }

    #[test]
    fn what_was_sealed_opens_to_the_same_bytes_in_every_alphabet() {
        let sealed = seal(0, &thoughts()).expect("sealed");
        assert_eq!(open(&sealed), Some(thoughts()));
        let url_safe = URL_SAFE_NO_PAD.encode(STANDARD.decode(&sealed).expect("base64"));
        assert_eq!(open(&url_safe), Some(thoughts()));
        assert_ne!(seal(1, &thoughts()), Some(sealed));
    }

    #[test]
    fn unsigned_reasoning_gets_no_signature() {
        assert_eq!(seal(0, &[]), None);
        assert_eq!(seal(0, &[Thought::Text("x".into(), None), Thought::Text("y".into(), Some(String::new()))]), None);
    }

    #[test]
    fn foreign_and_damaged_signatures_mean_nothing() {
        let sealed = seal(0, &thoughts()).expect("sealed");
        let damaged = format!("{}A{}", &sealed[..20], &sealed[21..]);
        assert_ne!(damaged, sealed);
        for foreign in
            ["", "skip_thought_signature_validator", "context_engineering", "a3B0MQ==", &damaged, &sealed[..40]]
        {
            assert_eq!(open(foreign), None, "{foreign}");
        }
    }
}
