//! Accounts that end with their client registration (about 90 days, kiro-upstream §5.7): a refresh fails from then on, and only a new
//! sign-in helps. It is told ahead of time.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use super::Parts;
use crate::account::Account;
use crate::clock::Timestamp;

/// How long ahead.
const AHEAD: Duration = Duration::from_secs(14 * 86_400);
const LOOK: Duration = Duration::from_secs(6 * 3_600);

/// Whether the account needs a new sign-in soon, because its registration ends.
pub(crate) fn ends_soon(account: &Account, now: Timestamp) -> bool {
    account.client_expires_at.is_some_and(|end| end <= now.plus(AHEAD))
}

/// Says in the log, once for each account, that its sign-in ends soon.
pub(super) async fn watch(parts: Arc<Parts>) {
    let mut told = HashSet::new();
    loop {
        let now = parts.clock.now();
        for account in parts.book.roster.list().iter().filter(|account| ends_soon(account, now)) {
            if told.insert(account.id.clone()) {
                let end = account.client_expires_at.map(Timestamp::to_rfc3339);
                tracing::warn!(account = %account.id, end, "the sign-in of an account ends soon; sign in again before");
            }
        }
        tokio::select! {
            () = parts.stop.cancelled() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_weeks_ahead_is_soon_and_an_account_without_a_registration_never_ends() {
        let day = Duration::from_secs(86_400);
        let now = Timestamp(0);
        let mut account = crate::account::test_account("one");
        assert!(!ends_soon(&account, now));
        for (days, soon) in [(15, false), (14, true), (1, true)] {
            account.client_expires_at = Some(now.plus(day * days));
            assert_eq!(ends_soon(&account, now), soon, "{days}");
        }
        account.client_expires_at = Some(now.minus(day));
        assert!(ends_soon(&account, now), "it has ended already");
    }
}
