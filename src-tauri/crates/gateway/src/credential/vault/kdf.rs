//! A key out of a passphrase: Argon2id (RFC 9106), with its parameters written as in the PHC string format.

use std::fmt;

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use super::super::StoreError;
use super::VaultKey;

/// 64 MiB, three passes, one lane: what every new vault gets.
const MEMORY_KIB: u32 = 64 * 1024;
const PASSES: u32 = 3;
const LANES: u32 = 1;
/// A header from elsewhere must not make us fill the memory or compute for an hour.
const MOST_MEMORY_KIB: u32 = 1024 * 1024;
const MOST_PASSES: u32 = 16;
const MOST_LANES: u32 = 8;
const SALT: usize = 16;
/// Shortest passphrase for something new. Old ones are taken as they are.
const SHORTEST: usize = 12;

/// The parameters of one derivation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Argon2id {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
    salt: [u8; SALT],
}

impl Argon2id {
    /// Today's parameters with a random salt.
    pub(in super::super) fn fresh() -> Self {
        let mut salt = [0_u8; SALT];
        rand::fill(&mut salt[..]);
        Self { memory_kib: MEMORY_KIB, passes: PASSES, lanes: LANES, salt }
    }

    #[cfg(test)]
    pub(in super::super) fn for_tests(memory_kib: u32, salt: [u8; SALT]) -> Self {
        Self { memory_kib, passes: PASSES, lanes: LANES, salt }
    }

    /// Reads `$argon2id$v=19$m=65536,t=3,p=1$<salt>`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let unknown = || format!("the key derivation {text:?} is not known here");
        let rest = text.strip_prefix("$argon2id$v=19$").ok_or_else(unknown)?;
        let (costs, salt) = rest.split_once('$').ok_or_else(unknown)?;
        let mut numbers = costs
            .split(',')
            .zip(["m=", "t=", "p="])
            .map(|(cost, name)| cost.strip_prefix(name).and_then(|number| number.parse::<u32>().ok()));
        let mut number = |most: u32| numbers.next().flatten().filter(|number| (1..=most).contains(number));
        let (memory_kib, passes, lanes) = (number(MOST_MEMORY_KIB), number(MOST_PASSES), number(MOST_LANES));
        let salt = STANDARD_NO_PAD.decode(salt).ok().and_then(|salt| <[u8; SALT]>::try_from(salt).ok());
        match (memory_kib, passes, lanes, salt) {
            (Some(memory_kib), Some(passes), Some(lanes), Some(salt)) => Ok(Self { memory_kib, passes, lanes, salt }),
            _ => Err(unknown()),
        }
    }

    /// Computes the key. Takes a moment and `memory_kib` of memory, by intention.
    pub(in super::super) fn derive(&self, passphrase: &SecretString) -> Result<VaultKey, StoreError> {
        let refused = |error: argon2::Error| StoreError::KeyRefused(format!("the passphrase cannot be used: {error}"));
        let params = Params::new(self.memory_kib, self.passes, self.lanes, Some(32)).map_err(refused)?;
        let mut key = Zeroizing::new([0_u8; 32]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(passphrase.expose_secret().as_bytes(), &self.salt, &mut key[..])
            .map_err(refused)?;
        VaultKey::from_bytes(*key)
    }
}

impl fmt::Display for Argon2id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let salt = STANDARD_NO_PAD.encode(self.salt);
        write!(f, "$argon2id$v=19$m={},t={},p={}${salt}", self.memory_kib, self.passes, self.lanes)
    }
}

/// Refuses a passphrase that is too short to be chosen anew.
pub(in super::super) fn acceptable(passphrase: &SecretString) -> Result<(), StoreError> {
    if passphrase.expose_secret().chars().count() < SHORTEST {
        return Err(StoreError::KeyRefused(format!("a new passphrase has at least {SHORTEST} characters")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_survive_as_text_and_absurd_ones_are_refused() {
        let fresh = Argon2id::fresh();
        assert_eq!(Argon2id::parse(&fresh.to_string()).expect("reads"), fresh);
        assert!(fresh.to_string().starts_with("$argon2id$v=19$m=65536,t=3,p=1$"), "{fresh}");
        let salt = "AAAAAAAAAAAAAAAAAAAAAA";
        for bad in [
            String::new(),
            "none".into(),
            format!("$argon2i$v=19$m=65536,t=3,p=1${salt}"),
            format!("$argon2id$v=16$m=65536,t=3,p=1${salt}"),
            format!("$argon2id$v=19$m=4294967295,t=3,p=1${salt}"),
            format!("$argon2id$v=19$m=65536,t=1000000,p=1${salt}"),
            format!("$argon2id$v=19$m=65536,t=0,p=1${salt}"),
            format!("$argon2id$v=19$t=3,m=65536,p=1${salt}"),
            "$argon2id$v=19$m=65536,t=3,p=1$AAAA".into(),
        ] {
            Argon2id::parse(&bad).expect_err(&bad);
        }
    }

    /// Computed with the reference implementation (libsodium's argon2id, 64 MiB, three passes).
    #[test]
    fn the_known_answer_of_argon2id() {
        let kdf = Argon2id::for_tests(65_536, std::array::from_fn(|at| at as u8));
        let key = kdf.derive(&SecretString::from("correct horse battery staple")).expect("derives");
        assert_eq!(crate::account::hex(key.bytes()), KNOWN);
    }

    const KNOWN: &str = "0d1a3c6523c8f06e4e0af9c515aa5b5448cfebd6838f2d52c3d8b6ef8ddc3c2e";
}
