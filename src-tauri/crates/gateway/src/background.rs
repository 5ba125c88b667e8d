//! Work ahead of need while clients can connect. Each task runs until the door closes and is waited for when the gateway stops.

use crate::health::Health;
use crate::pipeline::Pipeline;
use crate::quota::Quotas;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

const ROUND: Duration = Duration::from_secs(60);

/// What looks ahead.
pub(crate) struct Tasks {
    pub(crate) pipeline: Arc<Pipeline>,
    pub(crate) quotas: Arc<Quotas>,
    pub(crate) health: Arc<Health>,
}

impl Tasks {
    /// Starts all of them.
    pub(crate) fn start(self, tracker: &TaskTracker, stop: &CancellationToken) {
        tracker.spawn(keep_lists(self.pipeline, stop.clone()));
        tracker.spawn(Arc::clone(&self.quotas).run(stop.clone()));
        tracker.spawn(self.health.run(stop.clone()));
    }
}

/// Lists of models before they are old.
async fn keep_lists(pipeline: Arc<Pipeline>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = pipeline.learn_models() => {}
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(ROUND) => {}
        }
    }
}
