//! Accounts that end with their client registration (about 90 days, kiro-upstream §5.7): a refresh fails from then on, and only a new
//! sign-in helps. It is told ahead of time.

use std::sync::Arc;
use std::time::Duration;

use super::Parts;
use crate::account::{Account, Roster};
use crate::clock::Timestamp;
use crate::notify::{NotificationKind, Notifier};

/// How long ahead.
const AHEAD: Duration = Duration::from_secs(14 * 86_400);
const LOOK: Duration = Duration::from_secs(6 * 3_600);

/// Whether the account needs a new sign-in soon, because its registration ends.
pub(crate) fn ends_soon(account: &Account, now: Timestamp) -> bool {
    account.client_expires_at.is_some_and(|end| end <= now.plus(AHEAD))
}

/// Tells, once for each account and each end, that its sign-in ends soon.
pub(super) async fn watch(parts: Arc<Parts>) {
    loop {
        look(&parts.book.roster, &parts.notifier, parts.clock.now());
        tokio::select! {
            () = parts.stop.cancelled() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

fn look(roster: &Roster, notifier: &Notifier, now: Timestamp) {
    for account in roster.list().iter() {
        let end = account.client_expires_at.filter(|_| ends_soon(account, now));
        match end {
            Some(end) => notifier.tell(NotificationKind::SignInEnds, Some(account), &end.to_rfc3339()),
            // A new sign-in moved the end.
            None => notifier.over(NotificationKind::SignInEnds, Some(&account.id)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin_event::{AdminEvent, Announcer};
    use crate::clock::{Clock, ManualClock};
    use crate::data_dir::DataDir;

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

    #[tokio::test(start_paused = true)]
    async fn an_end_that_comes_near_is_told_once_and_again_only_after_a_new_sign_in() {
        let folder = tempfile::tempdir().expect("a folder");
        let dir = Arc::new(DataDir::open(Some(folder.path().join("data"))).expect("opens"));
        let clock = Arc::new(ManualClock::new(Timestamp::from_unix_seconds(1_800_000_000)));
        let announcer = Announcer::new();
        let mut events = announcer.subscribe();
        let notifier = Notifier::open(Arc::clone(&dir), Arc::clone(&clock) as Arc<dyn Clock>, announcer);
        let roster = Roster::open(dir).expect("opens");
        let day = Duration::from_secs(86_400);
        let mut account = crate::account::test_account("Alice");
        account.client_expires_at = Some(clock.now().plus(day * 20));
        let account = roster.add(account).expect("added");
        let mut told = |days: u32| {
            clock.advance(day * days);
            look(&roster, &notifier, clock.now());
            let mut told = Vec::new();
            while let Ok(event) = events.try_recv() {
                if let AdminEvent::Notification { kind, label, .. } = event {
                    told.push((kind, label.unwrap_or_default()));
                }
            }
            told
        };
        // Nothing is told in the first moments.
        tokio::time::advance(Duration::from_secs(60)).await;
        let alice = (NotificationKind::SignInEnds, "Alice".to_owned());
        assert_eq!(told(0), []);
        assert_eq!(told(7), std::slice::from_ref(&alice));
        assert_eq!(told(1), [], "told already");
        let again = Some(clock.now().plus(day * 90));
        roster.update(&account.id, |account| account.client_expires_at = again).expect("updates");
        assert_eq!(told(1), []);
        assert_eq!(told(80), [alice], "another end");
    }
}
