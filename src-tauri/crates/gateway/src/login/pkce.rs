//! Proof Key for Code Exchange (RFC 7636, S256) and the state of an authorization request.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// What ties a code to the one who asked for it.
pub(super) struct Pkce {
    /// Sent with the code, to the token endpoint only.
    pub(super) verifier: SecretString,
    /// Sent ahead, through the browser.
    pub(super) challenge: String,
}

impl Pkce {
    /// A fresh pair; 86 characters of verifier, of at most 128.
    pub(super) fn random() -> Self {
        let mut bytes = [0_u8; 64];
        rand::fill(&mut bytes[..]);
        let verifier = SecretString::from(URL_SAFE_NO_PAD.encode(bytes));
        let challenge = challenge(&verifier);
        Self { verifier, challenge }
    }
}

fn challenge(verifier: &SecretString) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.expose_secret().as_bytes()))
}

/// 256 random bits that an answer must repeat.
pub(super) struct StateToken(String);

impl StateToken {
    pub(super) fn random() -> Self {
        Self(token())
    }

    /// For the address of the page.
    pub(super) fn text(&self) -> &str {
        &self.0
    }

    /// Whether an answer carries it. The time taken tells nothing about how much of it was right.
    pub(super) fn matches(&self, text: &str) -> bool {
        self.0.as_bytes().ct_eq(text.as_bytes()).into()
    }
}

/// 256 random bits as text.
pub(super) fn token() -> String {
    let mut bytes = [0_u8; 32];
    rand::fill(&mut bytes[..]);
    URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_challenge_is_that_of_the_fixture() {
        let flows: serde_json::Value =
            serde_json::from_str(include_str!("../../../../../tests/fixtures/upstream/auth-flows.json")).expect("JSON");
        let vector = &flows["pkce_vector"];
        let verifier = SecretString::from(vector["verifier"].as_str().expect("text"));
        assert_eq!(challenge(&verifier), vector["challenge_S256"]);
    }

    #[test]
    fn every_pair_and_state_is_new_and_of_the_right_form() {
        let (a, b) = (Pkce::random(), Pkce::random());
        assert_ne!(a.challenge, b.challenge);
        assert_eq!(a.verifier.expose_secret().len(), 86);
        assert_eq!(a.challenge.len(), 43);
        let (a, b) = (StateToken::random(), StateToken::random());
        assert!(a.matches(a.text()) && !a.matches(b.text()) && !a.matches("") && !a.matches(&a.text()[1..]));
        assert_eq!(a.text().len(), 43);
    }
}
