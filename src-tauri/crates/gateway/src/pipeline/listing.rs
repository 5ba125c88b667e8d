//! What accounts are offered, asked of each by itself: no account waits for another one's list, and no request for the list of
//! an account that is slow to answer while others can serve.

use super::Pipeline;
use crate::account::{Account, AccountId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long the first requests wait for a list while none is known.
const FIRST_LIST: Duration = Duration::from_secs(3);
/// How long they wait for the lists of other accounts once one is known.
const OTHER_LISTS: Duration = Duration::from_millis(500);
/// Lists that are asked for at the same time.
const AT_ONCE: usize = 16;

/// Questions for lists that are under way.
pub(crate) struct Listing {
    /// When each was begun: whoever comes later waits no longer because of that.
    begun: Mutex<HashMap<AccountId, Instant>>,
    ended: Notify,
    turns: Semaphore,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Listing {
    /// Questions run on `tasks` and end with `stop`.
    pub(crate) fn new(tasks: TaskTracker, stop: CancellationToken) -> Self {
        Self { begun: Mutex::default(), ended: Notify::new(), turns: Semaphore::new(AT_ONCE), tasks, stop }
    }

    fn begun(&self) -> MutexGuard<'_, HashMap<AccountId, Instant>> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pipeline {
    /// Asks for the lists that are missing or old and waits for all of them; failures are logged and tried again later. The
    /// questions go on when the caller leaves.
    pub(crate) async fn learn_models(self: &Arc<Self>) {
        self.ask_for_lists();
        loop {
            let ended = self.listing.ended.notified();
            tokio::pin!(ended);
            ended.as_mut().enable();
            if self.listing.begun().is_empty() {
                return;
            }
            ended.await;
        }
    }

    /// A request that comes before the first list of an account waits a little, so that it is built from what the upstream
    /// really offers and goes to an account that may use the model.
    pub(crate) async fn first_list(self: &Arc<Self>) {
        if !self.pool().iter().any(|account| self.lacks_list(account)) {
            return;
        }
        self.ask_for_lists();
        loop {
            let ended = self.listing.ended.notified();
            tokio::pin!(ended);
            ended.as_mut().enable();
            let Some(until) = self.worth_waiting() else { return };
            if tokio::time::timeout_at(until, ended).await.is_err() && until <= Instant::now() {
                tracing::warn!("a list of models takes long; going on without it");
                return;
            }
        }
    }

    /// Until when the lists that are still missing are waited for; `None` when none is.
    fn worth_waiting(&self) -> Option<Instant> {
        let pool = self.pool();
        let usable = || pool.iter().filter(|account| account.stopped.is_none());
        let known = usable().any(|account| self.catalog.knows(&account.id));
        let patience = if known { OTHER_LISTS } else { FIRST_LIST };
        let begun = self.listing.begun();
        let missing = usable().filter(|account| !self.catalog.knows(&account.id));
        missing.filter_map(|account| begun.get(&account.id)).map(|at| *at + patience).max()
    }

    fn lacks_list(&self, account: &Account) -> bool {
        account.stopped.is_none() && !self.catalog.knows(&account.id) && self.catalog.wants(&account.id)
    }

    fn ask_for_lists(self: &Arc<Self>) {
        for account in self.pool().iter() {
            if account.stopped.is_some() || !self.catalog.wants(&account.id) {
                continue;
            }
            {
                let mut begun = self.listing.begun();
                if begun.contains_key(&account.id) {
                    continue;
                }
                begun.insert(account.id.clone(), Instant::now());
            }
            let (pipeline, account) = (Arc::clone(self), Arc::clone(account));
            self.listing.tasks.spawn(async move {
                tokio::select! {
                    () = pipeline.listing.stop.cancelled() => {}
                    () = pipeline.ask_for_list(&account) => {}
                }
                pipeline.listing.begun().remove(&account.id);
                pipeline.listing.ended.notify_waiters();
            });
        }
    }

    async fn ask_for_list(&self, account: &Arc<Account>) {
        let Ok(_turn) = self.listing.turns.acquire().await else { return };
        let listed = match self.dispatcher.token(account).await {
            Ok(token) => self.dispatcher.upstream.models(account, &token).await.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        match listed {
            Ok(models) if !models.is_empty() => self.catalog.learned(&account.id, models),
            Ok(_) => self.catalog.missed(&account.id),
            Err(error) => {
                tracing::warn!(account = %account.id, error, "the list of models could not be loaded");
                self.catalog.missed(&account.id);
            }
        }
    }
}
