//! Work ahead of need, while clients can connect: tokens before they expire, lists of models before they are old.

use crate::pipeline::Pipeline;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const ROUND: Duration = Duration::from_secs(60);

/// Runs until it is cancelled.
pub(crate) async fn run(pipeline: Arc<Pipeline>, stop: CancellationToken) {
    loop {
        let round = async {
            for account in pipeline.pool() {
                if !pipeline.dispatcher.leases.state(&account).admits(0) {
                    continue;
                }
                // A token that is merely due is bought on the side; trouble is in the log and in the account's state.
                if let Err(error) = pipeline.dispatcher.token(&account).await {
                    tracing::debug!(account = %account.id, %error, "no token ahead of need");
                }
            }
            pipeline.learn_models().await;
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = round => {}
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(ROUND) => {}
        }
    }
}
