//! Removing accounts. Nothing uses them from the first moment on; what is kept of them goes when that can no longer be undone:
//! after the time for it, when the program stops, or at the next start.

use super::Gateway;
use crate::account::{Account, AccountId, BookError, RosterError};
use crate::admin_event::AdminEvent;
use crate::clock::Timestamp;
use crate::disk::off_thread;
use std::sync::Arc;
use std::time::Duration;

impl Gateway {
    /// Removes an account for good. `false` when there is no such account.
    pub(crate) async fn remove_account(&self, id: &AccountId) -> Result<bool, BookError> {
        if self.take_out(id, None).await?.is_none() {
            return Ok(false);
        }
        self.finish_removal(id).await?;
        Ok(true)
    }

    /// Removes an account so that it can be taken back for a while; `None` when there is no such account.
    pub(crate) async fn remove_account_later(
        &self,
        id: &AccountId,
        wait: Duration,
    ) -> Result<Option<(Arc<Account>, Timestamp)>, BookError> {
        let undo_until = self.parts.clock.now().plus(wait);
        let Some(account) = self.take_out(id, Some(undo_until)).await? else { return Ok(None) };
        let (gateway, id) = (self.clone(), id.clone());
        self.parts.tasks.spawn(async move {
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = gateway.parts.stop.cancelled() => {}
            }
            gateway.finish_if_due(&id, undo_until).await;
        });
        Ok(Some((account, undo_until)))
    }

    /// Drops what is left of removed accounts that cannot be taken back: a kill or a locked store may have kept it.
    pub(crate) async fn finish_removals(&self) {
        for one in self.parts.book.roster.leaving().iter().filter(|one| one.undo_until.is_none()) {
            self.finish_or_warn(&one.account.id).await;
        }
    }

    /// An account that was taken back and removed once more has another end.
    async fn finish_if_due(&self, id: &AccountId, undo_until: Timestamp) {
        let leaving = self.parts.book.roster.leaving();
        if leaving.iter().any(|one| one.account.id == *id && one.undo_until == Some(undo_until)) {
            self.finish_or_warn(id).await;
            self.parts.announcer.tell(AdminEvent::Accounts);
        }
    }

    async fn finish_or_warn(&self, id: &AccountId) {
        if let Err(error) = self.finish_removal(id).await {
            tracing::warn!(account = %id, %error, "the secrets of a removed account are still in the store; the next start tries again");
        }
    }

    async fn take_out(&self, id: &AccountId, undo_until: Option<Timestamp>) -> Result<Option<Arc<Account>>, BookError> {
        let (book, wanted) = (self.parts.book.clone(), id.clone());
        let removed = tokio::task::spawn_blocking(move || book.begin_removal(&wanted, undo_until)).await;
        let removed = removed.map_err(|fault| RosterError::Io(std::io::Error::other(fault)))??;
        self.parts.pipeline.catalog.forget(id);
        self.parts.pipeline.dispatcher.upstream.forget(id);
        self.parts.health.forget(id);
        self.parts.http.forget(id);
        Ok(removed)
    }

    /// An account that is gone serves alone no more: the strategy chooses again.
    async fn end_choice(&self, id: &AccountId) {
        if self.settings().accounts.only().as_ref() != Some(id) {
            return;
        }
        let store = Arc::clone(&self.parts.settings);
        let patch = serde_json::json!({ "accounts": { "only": null } });
        let saved = off_thread(move || store.patch(store.snapshot().revision, &patch)).await;
        match saved {
            Ok(Ok(snapshot)) => self.parts.book.leases.follow(snapshot.settings.selection()),
            Ok(Err(problem)) => {
                tracing::warn!(account = %id, reason = %problem.message, "a removed account is still the only one that may serve: change the setting accounts.only");
            }
            Err(error) => tracing::error!(%error, "ending the choice of one account met a fault"),
        }
    }

    async fn finish_removal(&self, id: &AccountId) -> Result<(), BookError> {
        self.parts.quotas.forget(id);
        self.parts.notifier.forget(id);
        self.end_choice(id).await;
        self.parts.book.finish_removal(id).await
    }
}
