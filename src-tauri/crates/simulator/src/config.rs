//! What a caller decides before the stand-in starts: where it listens, how strict it is, whom it knows.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::account::AccountSeed;

/// Settings of one [`crate::Simulator`].
#[derive(Clone, Debug)]
pub struct Config {
    /// Address to listen on; must be a loopback address. Port 0 takes a free one.
    pub bind: SocketAddr,
    /// Seed of everything that looks random: ids, tokens, the random fault mode. Equal seeds give equal answers.
    pub seed: u64,
    /// Refuse what breaks a rule, as the service does. When off, violations are only recorded.
    pub strict: bool,
    /// Largest number of bytes handed to the socket in one write.
    pub chunk: Option<usize>,
    /// Pause between two text pieces of an answer; about 15 ms reads naturally to a person.
    pub word_delay: Duration,
    /// The accounts that exist upstream at start.
    pub accounts: Vec<AccountSeed>,
    /// Newest journal entries that are kept.
    pub journal_entries: usize,
    /// Request bodies up to this many bytes are kept in the journal; larger ones only with their size.
    pub journal_body_bytes: usize,
    /// Answer sign-in addresses with a page and its buttons, as for a real browser, in place of agreeing at once.
    pub sign_in_pages: bool,
    /// Share of chat answers (0.0–1.0) that get random faults, drawn from `seed`.
    pub random_faults: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            bind: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            seed: 1,
            strict: true,
            chunk: None,
            word_delay: Duration::ZERO,
            accounts: AccountSeed::one_of_each(),
            journal_entries: 2_000,
            journal_body_bytes: 256 * 1024,
            sign_in_pages: false,
            random_faults: 0.0,
        }
    }
}
