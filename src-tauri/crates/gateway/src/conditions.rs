//! Follows the accounts' conditions: what of them a person should be told, and which of them the quota keeper must know.

use crate::account::{Account, AccountId, AccountState, Leases, Roster};
use crate::clock::Clock;
use crate::notify::{NotificationKind, Notifier};
use crate::quota::Quotas;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

/// All accounts out for longer than this is news; before, it is a pause like many.
const SOON: Duration = Duration::from_secs(60);

/// Who is told.
pub(crate) struct Conditions {
    pub(crate) roster: Arc<Roster>,
    pub(crate) leases: Arc<Leases>,
    pub(crate) quotas: Arc<Quotas>,
    pub(crate) notifier: Arc<Notifier>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Conditions {
    /// Runs until it is cancelled.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let mut changes = self.leases.changes();
        self.look_at_all();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                change = changes.recv() => match change {
                    Ok((id, state)) => {
                        if let Some(account) = self.roster.get(&id) {
                            self.became(&account, &state);
                        }
                        self.availability();
                    }
                    Err(RecvError::Lagged(_)) => self.look_at_all(),
                    Err(RecvError::Closed) => return,
                },
                // Pauses end, and last, without anybody telling.
                () = tokio::time::sleep(SOON / 2) => self.availability(),
            }
        }
    }

    fn look_at_all(&self) {
        for account in self.roster.list().iter() {
            let state = self.leases.state(account);
            self.became(account, &state);
        }
        self.availability();
    }

    fn became(&self, account: &Account, state: &AccountState) {
        let id = &account.id;
        match state {
            AccountState::NeedsLogin { reason } => {
                self.notifier.tell(NotificationKind::NeedsLogin, Some(account), reason);
            }
            AccountState::Suspended { reason } => {
                self.notifier.tell(NotificationKind::Suspended, Some(account), reason);
            }
            AccountState::Exhausted { until, .. } => {
                if !self.quotas.put_to_rest(id, *until) {
                    self.quotas.refused(account);
                }
            }
            AccountState::Ready { .. } | AccountState::Probing { .. } => self.well(id),
            AccountState::OwnerSwitched { reason } => {
                self.notifier.tell(NotificationKind::OwnerSwitched, Some(account), reason);
            }
            AccountState::CoolingDown { .. } | AccountState::Disabled { .. } => {}
        }
    }

    fn well(&self, id: &AccountId) {
        for kind in [NotificationKind::NeedsLogin, NotificationKind::Suspended, NotificationKind::OwnerSwitched] {
            self.notifier.over(kind, Some(id));
        }
    }

    /// Whether anybody can serve now or soon.
    fn availability(&self) {
        let soon = self.clock.now().plus(SOON);
        let pool = self.roster.pool();
        let serves = |account: &Arc<Account>| match self.leases.state(account) {
            AccountState::Ready { .. } | AccountState::Probing { .. } => true,
            AccountState::CoolingDown { until, .. } | AccountState::Exhausted { until, .. } => until <= soon,
            AccountState::NeedsLogin { .. }
            | AccountState::Suspended { .. }
            | AccountState::OwnerSwitched { .. }
            | AccountState::Disabled { .. } => false,
        };
        if pool.is_empty() || pool.iter().any(serves) {
            self.notifier.over(NotificationKind::AllUnavailable, None);
        } else {
            self.notifier.tell(NotificationKind::AllUnavailable, None, "no account can serve");
        }
    }
}
