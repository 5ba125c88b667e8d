//! What is asked for, and the attempts that are left for it.

use crate::account::{Account, AccountId, Lease, StickyKey};
use crate::upstream::classify::{Repair, UpstreamError};
use kiro_protocol::conversation::Conversation;
use kiro_protocol::kiro::request::{BuildContext, Built};
use rand::RngExt as _;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// Longest pause between attempts that we choose ourselves.
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// What is to be answered, and what has been learned about sending it.
pub(crate) struct Order {
    /// The conversation, kept for the repairs that need another body.
    pub(crate) conversation: Arc<Conversation>,
    /// How the body is built.
    pub(crate) context: BuildContext,
    /// The body.
    pub(crate) built: Built,
    /// The same for all attempts.
    pub(crate) invocation: String,
    /// How many repeats after trouble of the service are left.
    pub(crate) retries: u32,
    /// Longest first pause before a repeat; it doubles.
    pub(crate) retry_delay: Duration,
    /// How many attempts beyond the first of a round are left, whatever they are for.
    pub(crate) spare: u32,
    /// Only this account, when a person chose one.
    pub(crate) only: Option<AccountId>,
    /// Only accounts with one of these tags, when there are any: the key's groups.
    pub(crate) tags: Arc<[String]>,
    /// What keeps the conversation on one account.
    pub(crate) sticky: Option<StickyKey>,
    /// What the ids of the conversation on each account are made from.
    pub(crate) thread: Uuid,
    /// Accounts that were tried and do not help.
    pub(crate) tried: Vec<AccountId>,
    /// Attempts so far.
    pub(crate) attempts: u32,
    /// The last refusal, told to the client when nothing is left to try.
    pub(crate) last: Option<UpstreamError>,
    /// Repairs done; each is done once.
    pub(crate) repairs: Vec<Repair>,
    /// The account that answered the round before: it is asked first.
    pub(crate) lease: Option<Lease>,
}

impl Order {
    /// The conversation's id on this account: stable for both, so that what one account knows never meets another.
    pub(super) fn address(&mut self, account: &Account) {
        let id = Uuid::new_v5(&self.thread, account.id.as_str().as_bytes()).to_string();
        self.built.set_conversation_id(&id);
        self.context.conversation_id = id;
    }

    /// Whether one more attempt may be made; it counts as made. The first one of a round always may.
    pub(super) fn afford(&mut self) -> bool {
        if self.attempts > 0 {
            let Some(rest) = self.spare.checked_sub(1) else { return false };
            self.spare = rest;
        }
        self.attempts += 1;
        true
    }
}

/// The pause before the next attempt: it doubles, with full jitter.
pub(crate) fn backoff(order: &Order) -> Duration {
    longest_pause(order.retry_delay, order.attempts).mul_f64(rand::rng().random_range(0.0..1.0))
}

fn longest_pause(first: Duration, attempts: u32) -> Duration {
    first.saturating_mul(1 << attempts.min(8)).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_begin_as_the_setting_says_double_and_end_at_eight_seconds() {
        let pauses = |first: u64| {
            [0, 1, 2, 5, 60].map(|attempts| longest_pause(Duration::from_millis(first), attempts).as_millis())
        };
        assert_eq!(pauses(400), [400, 800, 1600, 8000, 8000]);
        assert_eq!(pauses(10_000), [8000; 5]);
    }
}
