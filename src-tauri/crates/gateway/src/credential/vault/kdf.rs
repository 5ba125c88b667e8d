//! The vault's key out of a passphrase: which parameters a vault may ask for, and how long a new passphrase is.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

use super::super::StoreError;
use super::VaultKey;
use crate::argon2id::{self, Costs};

/// Anything less is no parameter.
const LEAST: Costs = Costs { memory_kib: 1, passes: 1, lanes: 1 };
/// A header from elsewhere must not make us fill the memory or compute for an hour.
const MOST: Costs = Costs { memory_kib: 1024 * 1024, passes: 16, lanes: 8 };
/// Shortest passphrase for something new. Old ones are taken as they are.
const SHORTEST: usize = 12;

/// The parameters of one derivation, within bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Argon2id(argon2id::Argon2id);

impl Argon2id {
    /// Today's parameters with a random salt.
    pub(in super::super) fn fresh() -> Self {
        Self(argon2id::Argon2id::fresh())
    }

    #[cfg(test)]
    pub(in super::super) fn for_tests(memory_kib: u32, salt: [u8; argon2id::SALT]) -> Self {
        Self(argon2id::Argon2id { costs: Costs { memory_kib, ..Costs::USUAL }, salt })
    }

    /// Reads `$argon2id$v=19$m=65536,t=3,p=1$<salt>`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let read = argon2id::Argon2id::parse(text).filter(|read| read.costs.between(&LEAST, &MOST));
        read.map(Self).ok_or_else(|| format!("the key derivation {text:?} is not known here"))
    }

    /// Computes the key. Takes a moment and much memory, by intention.
    pub(in super::super) fn derive(&self, passphrase: &SecretString) -> Result<VaultKey, StoreError> {
        let key = self.0.derive(passphrase);
        let key = key.map_err(|error| StoreError::KeyRefused(format!("the passphrase cannot be used: {error}")))?;
        VaultKey::from_bytes(*key)
    }
}

impl fmt::Display for Argon2id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
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
        let salt = "AAAAAAAAAAAAAAAAAAAAAA";
        for bad in [
            "none".to_owned(),
            format!("$argon2id$v=19$m=4294967295,t=3,p=1${salt}"),
            format!("$argon2id$v=19$m=65536,t=1000000,p=1${salt}"),
            format!("$argon2id$v=19$m=65536,t=3,p=9${salt}"),
            format!("$argon2id$v=19$m=65536,t=0,p=1${salt}"),
            format!("$argon2id$v=19$m=0,t=3,p=1${salt}"),
        ] {
            Argon2id::parse(&bad).expect_err(&bad);
        }
    }
}
