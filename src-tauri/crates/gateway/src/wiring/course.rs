//! From the opening to the stop: what runs all the time, and what is saved at the end.

use super::Gateway;
use crate::conditions::Conditions;
use crate::disk::off_thread;
use crate::http::local;
use std::sync::Arc;
use std::time::Duration;

/// How long a stop waits for work that is not an answer, such as saving a rotated token.
const LAST_TASKS: Duration = Duration::from_secs(10);

impl Gateway {
    /// What runs as long as the gateway is open.
    pub(super) async fn begin(&self) {
        let parts = &self.parts;
        if let Err(error) = parts.keys.ensure_first().await {
            // A locked store: the key is made once it is unlocked.
            tracing::warn!(%error, "the first client key could not be made yet");
        }
        let router = self.admin_router();
        if let Err(error) = local::start(&parts.dir, router, &parts.tasks, parts.stop.clone()) {
            tracing::warn!(%error, "the local door for the command line could not be opened");
        }
        let finish = self.clone();
        parts.tasks.spawn(async move {
            if let Err(error) = finish.parts.book.credentials.finish_move(finish.secret_ids()).await {
                tracing::warn!(%error, "copies of secrets that an earlier move left could not be removed yet");
            }
            finish.finish_removals().await;
        });
        parts.tasks.spawn(self.clone().follow_settings());
        parts.tasks.spawn(self.clone().tell_status());
        parts.tasks.spawn(self.clone().follow_tokens());
        parts.tasks.spawn(Arc::clone(&parts.book.tokens).watch_owners(parts.stop.clone()));
        parts.tasks.spawn(Arc::clone(&parts.kept).run(parts.stop.clone()));
        parts.tasks.spawn(Arc::clone(&parts.flows).run(parts.stop.clone()));
        parts.tasks.spawn(Arc::clone(&parts.ledger).run(parts.stop.clone()));
        parts.tasks.spawn(Arc::clone(&parts.notifier).run(parts.stop.clone()));
        let conditions = Conditions {
            roster: Arc::clone(&parts.book.roster),
            leases: Arc::clone(&parts.book.leases),
            quotas: Arc::clone(&parts.quotas),
            notifier: Arc::clone(&parts.notifier),
            clock: Arc::clone(&parts.clock),
        };
        parts.tasks.spawn(conditions.run(parts.stop.clone()));
        tracing::info!(version = crate::VERSION, "opened");
    }

    /// Finishes open requests, stops everything and releases the data directory.
    pub async fn stop(&self) {
        let parts = &self.parts;
        {
            let _one = parts.switching.lock().await;
            self.close_door().await;
        }
        parts.cut.cancel();
        parts.stop.cancel();
        parts.tasks.close();
        if tokio::time::timeout(LAST_TASKS, parts.tasks.wait()).await.is_err() {
            tracing::warn!("some work did not end in time");
        }
        // However long the disk takes: what is written after the directory was released could undo what its next owner writes.
        parts.disk.caught_up().await;
        let gateway = self.clone();
        if let Err(error) = off_thread(move || gateway.save()).await {
            tracing::warn!(%error, "saving what is known met a fault");
        }
        tracing::info!("closed");
        parts.dir.release();
    }

    /// Keeps what was not saved yet. Blocks for disk syncs.
    fn save(&self) {
        let parts = &self.parts;
        if let Err(error) = parts.keys.flush() {
            tracing::warn!(%error, "when keys were last used could not be saved");
        }
        for saved in [parts.ledger.save(), parts.quotas.save(), parts.notifier.save()] {
            if let Err(error) = saved {
                tracing::warn!(%error, "what is known of usage and quotas could not be saved");
            }
        }
        if let Err(error) = parts.pipeline.calibration.save(&parts.dir) {
            tracing::warn!(%error, "what was learned of token counts could not be saved");
        }
    }
}
