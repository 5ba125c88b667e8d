//! Work ahead of need, while clients can connect: lists of models before they are old. Tokens have their own schedule.

use crate::pipeline::Pipeline;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const ROUND: Duration = Duration::from_secs(60);

/// Runs until it is cancelled.
pub(crate) async fn run(pipeline: Arc<Pipeline>, stop: CancellationToken) {
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
