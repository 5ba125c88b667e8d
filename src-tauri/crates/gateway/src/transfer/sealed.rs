//! An export under a passphrase (`docs/export-format.md`): one line of JSON whose head is what the seal is bound to.
//!
//! Promises: without the passphrase nothing of the accounts can be learned but the size; a changed byte anywhere is refused;
//! opening costs a bounded amount of memory and time whatever the file says.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use secrecy::SecretString;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::argon2id::{Argon2id, Costs};

/// What `format` says.
const FORMAT: &str = "kiro-proxy-accounts-sealed";
const CIPHER: &str = "xchacha20-poly1305";
const NONCE: usize = 24;
/// A file from elsewhere must not make us fill the memory or compute for minutes.
const MOST: Costs = Costs { memory_kib: 256 * 1024, passes: 10, lanes: 4 };
/// Cheaper parameters than these are not ours and protect nothing.
const LEAST: Costs = Costs { memory_kib: 8 * 1024, passes: 1, lanes: 1 };
/// A thousand accounts take about one megabyte.
const LARGEST: usize = 16 * 1024 * 1024;
/// Shortest passphrase for a new export.
pub const SHORTEST_PASSPHRASE: usize = 12;

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
    let mut nonce = [0_u8; NONCE];
    rand::fill(&mut nonce[..]);
    seal_with(plain, passphrase, &Argon2id::fresh(), &nonce)
}

fn seal_with(
    plain: &[u8],
    passphrase: &SecretString,
    kdf: &Argon2id,
    nonce: &[u8; NONCE],
) -> Result<String, SealError> {
    let head = head(&kdf.to_string(), nonce);
    let sealed = cipher(kdf, passphrase)?
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
    let kdf = Argon2id::parse(envelope.kdf).ok_or(SealError::NotSealed("its key derivation is not known"))?;
    if !kdf.costs.between(&LEAST, &MOST) {
        return Err(SealError::Costs);
    }
    let sealed = STANDARD.decode(envelope.sealed).map_err(|_| SealError::WrongOrChanged)?;
    cipher(&kdf, passphrase)?
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

fn cipher(kdf: &Argon2id, passphrase: &SecretString) -> Result<XChaCha20Poly1305, SealError> {
    let key = kdf.derive(passphrase).map_err(|_| SealError::Costs)?;
    Ok(XChaCha20Poly1305::new((&*key).into()))
}

#[cfg(test)]
mod tests;
