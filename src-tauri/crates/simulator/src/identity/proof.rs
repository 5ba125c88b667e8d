//! What ties a code to the one who asked for it: PKCE, state, single use, a short life (RFC 7636, RFC 6749 §4.1.2).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::router::Call;
use crate::state::{CodeGrant, Memory};

/// A code that nobody exchanges for this long is worth nothing.
const CODE_LIFE_MS: i64 = 300_000;
/// Shorter states can be guessed.
const SHORTEST_STATE: usize = 16;

/// Checks the part of an authorization request that guards the code. False: refuse.
pub(super) fn asked_well(call: &Call, rule: &str) -> bool {
    let get = |name: &str| call.query.get(name).map_or("", String::as_str);
    let (state, challenge) = (get("state"), get("code_challenge"));
    if get("code_challenge_method") != "S256" || challenge.len() != 43 || !unreserved(challenge) {
        call.record(rule, "an S256 code_challenge is needed");
        return false;
    }
    if state.len() < SHORTEST_STATE {
        call.record("login.state", "a state that can be guessed");
        return false;
    }
    let mut memory = call.state.memory();
    let known = memory.challenges.entry(challenge.to_owned()).or_insert_with(|| state.to_owned()).clone();
    let elsewhere = memory.challenges.iter().any(|(other, theirs)| other != challenge && theirs == state);
    drop(memory);
    if known != state || elsewhere {
        call.record("pkce.reused", "every request has a state and a challenge of its own");
    }
    true
}

/// Makes a code that belongs to this request.
pub(super) fn grant(call: &Call, memory: &mut Memory, account: String, redirect_uri: &str) -> String {
    let get = |name: &str| call.query.get(name).cloned().unwrap_or_default();
    let code = memory.uuid();
    let grant = CodeGrant {
        account,
        challenge: get("code_challenge"),
        redirect_uri: redirect_uri.to_owned(),
        client_id: get("client_id"),
        expires_ms: call.state.clock.now_ms() + CODE_LIFE_MS,
    };
    memory.codes.insert(code.clone(), grant);
    code
}

/// Takes a code that is good: known, in time, with its verifier, and accepted by `fits`. A wrong verifier uses it up; `fits` does not.
pub(super) fn redeem(call: &Call, code: &str, verifier: &str, fits: impl Fn(&CodeGrant) -> bool) -> Redeemed {
    let now = call.state.clock.now_ms();
    let mut memory = call.state.memory();
    let Some(grant) = memory.codes.get(code).cloned() else {
        let spent = memory.spent_codes.contains(code);
        drop(memory);
        if spent {
            call.record("code.reused", "a code is good once");
        }
        return Redeemed::Invalid;
    };
    let well_formed = (43..=128).contains(&verifier.len()) && unreserved(verifier);
    if grant.expires_ms <= now || !well_formed || challenge_of(verifier) != grant.challenge {
        memory.codes.remove(code);
        memory.spent_codes.insert(code.to_owned());
        drop(memory);
        call.record("pkce.verifier", "the verifier does not belong to the code, or the code is too old");
        return Redeemed::Invalid;
    }
    if !fits(&grant) {
        return Redeemed::Unfit;
    }
    memory.codes.remove(code);
    memory.spent_codes.insert(code.to_owned());
    Redeemed::Good(grant)
}

/// What became of a code.
pub(super) enum Redeemed {
    Good(CodeGrant),
    /// Good as such, and what came with it is not.
    Unfit,
    Invalid,
}

fn unreserved(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
}

/// PKCE S256: the challenge that belongs to a verifier.
fn challenge_of(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()))
}
