//! A key out of a passphrase: Argon2id (RFC 9106), with its parameters written as in the PHC string format. What is too much or too
//! little, its users decide: a vault of our own is trusted further than a file from elsewhere.

use std::fmt;

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

/// Bytes of a salt.
pub(crate) const SALT: usize = 16;

/// What one derivation costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Costs {
    /// Memory, in KiB.
    pub(crate) memory_kib: u32,
    /// Passes over it.
    pub(crate) passes: u32,
    /// Lanes.
    pub(crate) lanes: u32,
}

impl Costs {
    /// 64 MiB, three passes, one lane: RFC 9106's second recommendation but for the lanes, which we compute one after another.
    pub(crate) const USUAL: Self = Self { memory_kib: 64 * 1024, passes: 3, lanes: 1 };

    /// Whether every number is between those of `least` and `most`.
    pub(crate) fn between(&self, least: &Self, most: &Self) -> bool {
        (least.memory_kib..=most.memory_kib).contains(&self.memory_kib)
            && (least.passes..=most.passes).contains(&self.passes)
            && (least.lanes..=most.lanes).contains(&self.lanes)
    }
}

/// The parameters of one derivation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Argon2id {
    /// What it costs.
    pub(crate) costs: Costs,
    /// The salt.
    pub(crate) salt: [u8; SALT],
}

impl Argon2id {
    /// The usual parameters with a random salt.
    pub(crate) fn fresh() -> Self {
        let mut salt = [0_u8; SALT];
        rand::fill(&mut salt[..]);
        Self { costs: Costs::USUAL, salt }
    }

    /// Reads `$argon2id$v=19$m=65536,t=3,p=1$<salt>`; `None` for every other spelling.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (costs, salt) = text.strip_prefix("$argon2id$v=19$")?.split_once('$')?;
        let mut numbers =
            costs.split(',').zip(["m=", "t=", "p="]).map(|(cost, name)| cost.strip_prefix(name)?.parse().ok());
        let mut next = || numbers.next().flatten();
        let costs = Costs { memory_kib: next()?, passes: next()?, lanes: next()? };
        let salt = <[u8; SALT]>::try_from(STANDARD_NO_PAD.decode(salt).ok()?).ok()?;
        let read = Self { costs, salt };
        (read.to_string() == text).then_some(read)
    }

    /// Computes the key. Takes a moment and `memory_kib` of memory, by intention.
    pub(crate) fn derive(&self, passphrase: &SecretString) -> Result<Zeroizing<[u8; 32]>, argon2::Error> {
        let Costs { memory_kib, passes, lanes } = self.costs;
        let params = Params::new(memory_kib, passes, lanes, Some(32))?;
        let mut key = Zeroizing::new([0_u8; 32]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params).hash_password_into(
            passphrase.expose_secret().as_bytes(),
            &self.salt,
            &mut key[..],
        )?;
        Ok(key)
    }
}

impl fmt::Display for Argon2id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Costs { memory_kib, passes, lanes } = self.costs;
        write!(f, "$argon2id$v=19$m={memory_kib},t={passes},p={lanes}${}", STANDARD_NO_PAD.encode(self.salt))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_survive_as_text_and_only_one_spelling_is_read() {
        let fresh = Argon2id::fresh();
        assert_eq!(Argon2id::parse(&fresh.to_string()).as_ref(), Some(&fresh));
        assert!(fresh.to_string().starts_with("$argon2id$v=19$m=65536,t=3,p=1$"), "{fresh}");
        let salt = "AAAAAAAAAAAAAAAAAAAAAA";
        for bad in [
            String::new(),
            "none".into(),
            format!("$argon2i$v=19$m=65536,t=3,p=1${salt}"),
            format!("$argon2id$v=16$m=65536,t=3,p=1${salt}"),
            format!("$argon2id$v=19$t=3,m=65536,p=1${salt}"),
            format!("$argon2id$v=19$m=65536,t=3${salt}"),
            format!("$argon2id$v=19$m=065536,t=3,p=1${salt}"),
            format!("$argon2id$v=19$m=65536,t=3,p=1,x=1${salt}"),
            format!("$argon2id$v=19$m=99999999999,t=3,p=1${salt}"),
            "$argon2id$v=19$m=65536,t=3,p=1$AAAA".into(),
        ] {
            assert_eq!(Argon2id::parse(&bad), None, "{bad}");
        }
    }

    /// Computed with the reference implementation (libsodium's argon2id, 64 MiB, three passes).
    #[test]
    fn the_known_answer_of_argon2id() {
        let kdf = Argon2id { costs: Costs::USUAL, salt: std::array::from_fn(|at| at as u8) };
        let key = kdf.derive(&SecretString::from("correct horse battery staple")).expect("derives");
        assert_eq!(crate::account::hex(&key[..]), KNOWN);
    }

    const KNOWN: &str = "0d1a3c6523c8f06e4e0af9c515aa5b5448cfebd6838f2d52c3d8b6ef8ddc3c2e";
}
