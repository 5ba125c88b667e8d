//! Tokens before they expire: one driver that sleeps until the next account is due, and that notices when the clock jumped.
//!
//! Promises: accounts never refresh all in one second, neither at a start nor after a sleep; a jump of the clock costs every
//! account one refresh at most. Leaves out: requests that find an expired token; they buy at once by themselves.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Tokens, purchase};
use crate::account::{Account, AccountId, AuthMethod};
use crate::clock::{JumpWatch, Timestamp};

/// Longest sleep: a machine that wakes up, or a clock that is set, is noticed this soon. Timers stand still while it sleeps.
const LOOK: Duration = Duration::from_secs(10);
/// Distance between two accounts that would otherwise refresh together.
const APART: Duration = Duration::from_millis(700);
/// All accounts have had their turn after this, however many there are.
const SPREAD: Duration = Duration::from_secs(120);

impl Tokens {
    /// Buys tokens ahead of their expiry until it is cancelled.
    pub(crate) async fn keep_fresh(self: Arc<Self>, stop: CancellationToken) {
        let mut watch = JumpWatch::new(self.parts.clock.now());
        // Turns of accounts that are due together; the first look counts as a jump.
        let mut turns = self.turns();
        loop {
            let changed = self.parts.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let now = self.parts.clock.now();
            if watch.jumped(now) {
                tracing::info!("the clock jumped or the machine slept; looking at every account's token");
                turns = self.turns();
            }
            let wake = self.round(now, &mut turns);
            tokio::select! {
                () = stop.cancelled() => return,
                () = changed => {}
                () = tokio::time::sleep_until(wake) => {}
            }
        }
    }

    /// Begins what is due and answers when to look again.
    fn round(&self, now: Timestamp, turns: &mut HashMap<AccountId, Instant>) -> Instant {
        let moment = Instant::now();
        let mut wake = moment + LOOK;
        for account in self.parts.roster.pool().iter() {
            if !self.is_kept_fresh(account) {
                continue;
            }
            let cell = self.cell(&account.id);
            let Some(due_in) = cell.due_in(now) else { continue };
            let turn = turns.get(&account.id).copied().unwrap_or(moment);
            let at = (moment + due_in.min(LOOK * 2)).max(turn);
            if at > moment {
                wake = wake.min(at);
                continue;
            }
            turns.remove(&account.id);
            // A failure is in the log and in the account's condition.
            let _ = purchase::start(&self.parts, &cell, &account.id);
        }
        wake
    }

    /// Who may refresh when: one after the other, in the order of the list, with a random part.
    fn turns(&self) -> HashMap<AccountId, Instant> {
        let pool = self.parts.roster.pool();
        let count = u32::try_from(pool.len()).unwrap_or(u32::MAX).max(1);
        let apart = APART.min(SPREAD / count);
        let begin = Instant::now();
        (0_u32..)
            .zip(pool.iter())
            .map(|(n, account)| {
                let after = apart.mul_f64(f64::from(n) + if n == 0 { 0.0 } else { rand::random_range(0.0..0.9) });
                (account.id.clone(), begin + after)
            })
            .collect()
    }

    /// Whether the account's token is bought ahead: it has one, it may serve, and it is not the stand-in's.
    fn is_kept_fresh(&self, account: &Account) -> bool {
        let expires = match account.method {
            AuthMethod::Social | AuthMethod::Idc | AuthMethod::ExternalIdp => true,
            AuthMethod::ApiKey => false,
        };
        expires && !account.is_demo() && self.parts.leases.state(account).admits(0)
    }

    /// When the account's token is bought next; `None` when nothing is bought for it: an API key, an account that is
    /// stopped, or a purchase that is under way.
    pub fn next_refresh_at(&self, id: &AccountId) -> Option<Timestamp> {
        let account = self.parts.roster.get(id)?;
        if !account.enabled || !self.is_kept_fresh(&account) {
            return None;
        }
        let now = self.parts.clock.now();
        Some(now.plus(self.cell(id).due_in(now)?))
    }
}

#[cfg(test)]
mod tests;
