//! One sealed file: a plain head, a nonce and the sealed bytes. The head is what the seal is bound to, so a file moved to
//! another record, generation or purpose does not open.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use super::super::SecretId;
use super::VaultKey;

/// Format and version.
const MAGIC: &[u8; 8] = b"KPVAULT1";
const NONCE: usize = 24;

/// The associated data, and the start of the file: magic, length of the id, id, generation, purpose.
fn head(id: &SecretId, generation: u64, purpose: u8) -> Vec<u8> {
    let id = id.as_str().as_bytes();
    let length = u16::try_from(id.len()).unwrap_or(u16::MAX);
    let mut head = Vec::with_capacity(MAGIC.len() + 2 + id.len() + 9);
    head.extend_from_slice(MAGIC);
    head.extend_from_slice(&length.to_be_bytes());
    head.extend_from_slice(&id[..usize::from(length)]);
    head.extend_from_slice(&generation.to_be_bytes());
    head.push(purpose);
    head
}

/// The id that a sealed file claims; the seal tells whether it is true.
pub(super) fn id_in(file: &[u8]) -> Option<SecretId> {
    let (length, rest) = file.strip_prefix(MAGIC)?.split_first_chunk::<2>()?;
    let id = rest.get(..usize::from(u16::from_be_bytes(*length)))?;
    std::str::from_utf8(id).ok().map(SecretId::from_text)
}

pub(super) fn seal(key: &VaultKey, id: &SecretId, generation: u64, purpose: u8, plain: &[u8]) -> Vec<u8> {
    let mut nonce = [0_u8; NONCE];
    rand::fill(&mut nonce[..]);
    seal_with(key, id, generation, purpose, plain, &nonce)
}

/// With a given nonce; apart from tests only [`seal`] calls it, with a random one.
pub(super) fn seal_with(
    key: &VaultKey,
    id: &SecretId,
    generation: u64,
    purpose: u8,
    plain: &[u8],
    nonce: &[u8; NONCE],
) -> Vec<u8> {
    let mut file = head(id, generation, purpose);
    let sealed = cipher(key)
        .encrypt(&XNonce::from(*nonce), Payload { msg: plain, aad: &file })
        .expect("a record is far below the cipher's limit of 256 GiB");
    file.extend_from_slice(nonce);
    file.extend_from_slice(&sealed);
    file
}

pub(super) fn open(
    key: &VaultKey,
    id: &SecretId,
    generation: u64,
    purpose: u8,
    file: &[u8],
) -> Result<Zeroizing<Vec<u8>>, String> {
    let head = head(id, generation, purpose);
    if !file.starts_with(MAGIC) {
        return Err("it does not begin like a sealed file of this version".into());
    }
    let rest = file.strip_prefix(&head[..]).ok_or("it belongs to another record or generation")?;
    let (nonce, sealed) = rest.split_first_chunk::<NONCE>().ok_or("it is cut short")?;
    cipher(key)
        .decrypt(&XNonce::from(*nonce), Payload { msg: sealed, aad: &head })
        .map(Zeroizing::new)
        .map_err(|_| "its seal is broken".into())
}

fn cipher(key: &VaultKey) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(key.bytes().into())
}
