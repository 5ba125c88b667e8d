//! What is handed to clients as `encrypted_content` and comes back with the next request.
//!
//! `kp1.` and then base64url (no padding) of a JSON object:
//!
//! | object | stands for |
//! |---|---|
//! | `{"text": …, "signature": …}` | reasoning with the provider's signature, byte for byte (`signature` is left out when none came) |
//! | `{"data": …}` | reasoning that the provider encrypted |
//! | `{"summary": …}` | the conversation up to a compaction |
//!
//! Nothing in it is secret from the client, who saw or may see all of it; the form only keeps clients from taking it apart.
//! Content without the mark is another service's: it is never read and never sent upstream.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

const MARK: &str = "kp1.";

/// What an opaque text holds.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub(super) enum Opaque {
    Reasoning {
        text: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        signature: Option<String>,
    },
    Redacted {
        data: String,
    },
    Summary {
        summary: String,
    },
}

impl Opaque {
    pub(super) fn seal(&self) -> String {
        let json = serde_json::to_vec(self).expect("texts always serialize");
        let mut sealed = String::with_capacity(MARK.len() + json.len().div_ceil(3) * 4);
        sealed.push_str(MARK);
        URL_SAFE_NO_PAD.encode_string(json, &mut sealed);
        sealed
    }

    /// `None` for content that was not made here.
    pub(super) fn open(sealed: &str) -> Option<Opaque> {
        let json = URL_SAFE_NO_PAD.decode(sealed.strip_prefix(MARK)?).ok()?;
        serde_json::from_slice(&json).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::Opaque;

    #[test]
    fn what_was_sealed_comes_back_unchanged() {
        for opaque in [
            Opaque::Reasoning { text: "a\n\"é\u{1f44b}".into(), signature: Some("c2ln+/==".into()) },
            Opaque::Reasoning { text: String::new(), signature: Some(String::new()) },
            Opaque::Reasoning { text: "x".into(), signature: None },
            Opaque::Redacted { data: "ZGF0YQ==".into() },
            Opaque::Summary { summary: "so far".into() },
        ] {
            assert_eq!(Opaque::open(&opaque.seal()), Some(opaque));
        }
    }

    #[test]
    fn content_of_others_is_not_read() {
        for foreign in ["", "gAAAAAB", "kp1.", "kp1.!!", "kp1.e30", "kp1.eyJ4IjoxfQ", "kp2.eyJkYXRhIjoiIn0"] {
            assert_eq!(Opaque::open(foreign), None, "{foreign}");
        }
    }
}
