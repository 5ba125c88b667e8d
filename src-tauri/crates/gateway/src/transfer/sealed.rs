//! An export under a passphrase (`docs/export-format.md`): one line of JSON whose head is what the seal is bound to.
//!
//! Promises: without the passphrase nothing of the accounts can be learned but the size; a changed byte anywhere is refused;
//! opening costs a bounded amount of memory and time whatever the file says.

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use zeroize::Zeroizing;

/// What `format` says.
const FORMAT: &str = "kiro-proxy-accounts-sealed";
const CIPHER: &str = "xchacha20-poly1305";
const SALT: usize = 16;
const NONCE: usize = 24;
/// 64 MiB, three passes, one lane: RFC 9106's second recommendation but for the lanes, which we compute one after another.
const COSTS: Costs = Costs { memory_kib: 64 * 1024, passes: 3, lanes: 1 };
/// A file from elsewhere must not make us fill the memory or compute for minutes.
const MOST: Costs = Costs { memory_kib: 256 * 1024, passes: 10, lanes: 4 };
/// Cheaper parameters than these are not ours and protect nothing.
const LEAST_MEMORY_KIB: u32 = 8 * 1024;
/// A thousand accounts take about one megabyte.
const LARGEST: usize = 16 * 1024 * 1024;
/// Shortest passphrase for a new export.
pub const SHORTEST_PASSPHRASE: usize = 12;

#[derive(Clone, Copy)]
struct Costs {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

/// Why a sealed export could not be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Not in this form at all, or of a later version.
    #[error("this is not a sealed export that Kiro Proxy knows ({0})")]
    NotSealed(&'static str),
    /// Its parameters would cost too much, or protect nothing.
    #[error("the file asks for a computation outside of what exports use; it was not made by Kiro Proxy")]
    Costs,
    /// The two cannot be told apart.
    #[error("the passphrase is wrong, or the file was changed")]
    WrongOrChanged,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope<'a> {
    format: &'a str,
    version: u32,
    kdf: &'a str,
    cipher: &'a str,
    nonce: &'a str,
    sealed: &'a str,
}

/// Whether the text says that it is a sealed export, so that a face can ask for the passphrase.
pub fn is_sealed(content: &str) -> bool {
    content.trim_start_matches('\u{feff}').trim_start().starts_with(&head_start())
}

/// Seals `plain`. Takes a moment and 64 MiB, by intention: call it off the async threads.
pub(crate) fn seal(plain: &[u8], passphrase: &SecretString) -> Result<String, SealError> {
    let (mut salt, mut nonce) = ([0_u8; SALT], [0_u8; NONCE]);
    rand::fill(&mut salt[..]);
    rand::fill(&mut nonce[..]);
    seal_with(plain, passphrase, &salt, &nonce)
}

fn seal_with(
    plain: &[u8],
    passphrase: &SecretString,
    salt: &[u8; SALT],
    nonce: &[u8; NONCE],
) -> Result<String, SealError> {
    let head = head(&kdf_text(COSTS, salt), nonce);
    let sealed = cipher(COSTS, salt, passphrase)?
        .encrypt(&XNonce::from(*nonce), Payload { msg: plain, aad: head.as_bytes() })
        .map_err(|_| SealError::NotSealed("there is too much to seal"))?;
    Ok(format!("{head}{}\"}}", STANDARD.encode(sealed)))
}

/// Opens a sealed export. White space around it does not count.
pub(crate) fn open(content: &str, passphrase: &SecretString) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let content = content.trim_start_matches('\u{feff}').trim();
    if content.len() > LARGEST {
        return Err(SealError::NotSealed("it is too large"));
    }
    let envelope: Envelope<'_> =
        serde_json::from_str(content).map_err(|_| SealError::NotSealed("it is not one complete JSON object"))?;
    if envelope.format != FORMAT || envelope.cipher != CIPHER {
        return Err(SealError::NotSealed("it says that it is something else"));
    }
    if envelope.version != 1 {
        return Err(SealError::NotSealed("it is of a newer version"));
    }
    let nonce = STANDARD.decode(envelope.nonce).ok().and_then(|nonce| <[u8; NONCE]>::try_from(nonce).ok());
    let nonce = nonce.ok_or(SealError::NotSealed("its nonce is damaged"))?;
    let head = head(envelope.kdf, &nonce);
    // One form only: what was not written exactly so was changed.
    if content.strip_prefix(&head).and_then(|rest| rest.strip_suffix("\"}")) != Some(envelope.sealed) {
        return Err(SealError::WrongOrChanged);
    }
    let (costs, salt) = parse_kdf(envelope.kdf)?;
    let sealed = STANDARD.decode(envelope.sealed).map_err(|_| SealError::WrongOrChanged)?;
    cipher(costs, &salt, passphrase)?
        .decrypt(&XNonce::from(nonce), Payload { msg: &sealed, aad: head.as_bytes() })
        .map(Zeroizing::new)
        .map_err(|_| SealError::WrongOrChanged)
}

fn head_start() -> String {
    format!("{{\"format\":\"{FORMAT}\"")
}

/// Everything before the sealed bytes; the associated data of the seal.
fn head(kdf: &str, nonce: &[u8; NONCE]) -> String {
    let nonce = STANDARD.encode(nonce);
    format!(
        "{},\"version\":1,\"kdf\":\"{kdf}\",\"cipher\":\"{CIPHER}\",\"nonce\":\"{nonce}\",\"sealed\":\"",
        head_start()
    )
}

/// As in the PHC string format.
fn kdf_text(costs: Costs, salt: &[u8; SALT]) -> String {
    let Costs { memory_kib, passes, lanes } = costs;
    format!("$argon2id$v=19$m={memory_kib},t={passes},p={lanes}${}", STANDARD_NO_PAD.encode(salt))
}

fn parse_kdf(text: &str) -> Result<(Costs, [u8; SALT]), SealError> {
    let unknown = SealError::NotSealed("its key derivation is not known");
    let parts = || {
        let (costs, salt) = text.strip_prefix("$argon2id$v=19$")?.split_once('$')?;
        let mut costs =
            costs.split(',').zip(["m=", "t=", "p="]).map(|(cost, name)| cost.strip_prefix(name)?.parse().ok());
        let mut next = || costs.next().flatten();
        let costs = Costs { memory_kib: next()?, passes: next()?, lanes: next()? };
        let salt = STANDARD_NO_PAD.decode(salt).ok()?;
        Some((costs, <[u8; SALT]>::try_from(salt).ok()?))
    };
    let (costs, salt) = parts().ok_or(unknown.clone())?;
    if kdf_text(costs, &salt) != text {
        return Err(unknown);
    }
    let fair = (LEAST_MEMORY_KIB..=MOST.memory_kib).contains(&costs.memory_kib)
        && (1..=MOST.passes).contains(&costs.passes)
        && (1..=MOST.lanes).contains(&costs.lanes);
    if fair { Ok((costs, salt)) } else { Err(SealError::Costs) }
}

fn cipher(costs: Costs, salt: &[u8; SALT], passphrase: &SecretString) -> Result<XChaCha20Poly1305, SealError> {
    let params = Params::new(costs.memory_kib, costs.passes, costs.lanes, Some(32)).map_err(|_| SealError::Costs)?;
    let mut key = Zeroizing::new([0_u8; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase.expose_secret().as_bytes(), salt, &mut key[..])
        .map_err(|_| SealError::Costs)?;
    Ok(XChaCha20Poly1305::new((&*key).into()))
}

#[cfg(test)]
mod tests;
