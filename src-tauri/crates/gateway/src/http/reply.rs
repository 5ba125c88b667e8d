//! Events to bytes: a stream of them, or one JSON body.

mod answered;
mod streaming;

use crate::pipeline::rounds::Rounds;
use crate::upstream::answer::Progress;
pub(crate) use answered::Answered;
use kiro_protocol::event::{Reply, ReplyBuilder};
use kiro_protocol::failure::{Failure, FailureClass};
use std::time::Duration;
pub(crate) use streaming::{Manner, stream};
use tokio_util::sync::CancellationToken;

/// The gateway stops and the answer is not complete.
pub(crate) fn stopping() -> Failure {
    let mut failure = Failure::new(
        FailureClass::Overloaded,
        "gateway_stopping",
        "Kiro Proxy is stopping; the answer is not complete",
    );
    failure.retry_after = Some(Duration::from_secs(5));
    failure
}

/// Waits for the whole answer.
pub(crate) async fn whole(exchange: &mut Rounds, cut: &CancellationToken) -> Result<Reply, Failure> {
    let mut builder = ReplyBuilder::default();
    let mut events = Vec::with_capacity(16);
    loop {
        let progress = tokio::select! {
            biased;
            progress = exchange.next(&mut events) => progress?,
            () = cut.cancelled() => {
                let failure = stopping();
                exchange.abandon(&failure);
                return Err(failure);
            }
        };
        for event in events.drain(..) {
            builder.push(&event).map_err(|error| incomplete(&error.to_string()))?;
        }
        if progress == Progress::Complete {
            return builder.finish().map_err(|error| incomplete(&error.to_string()));
        }
    }
}

fn incomplete(detail: &str) -> Failure {
    Failure::new(FailureClass::Upstream, "upstream_incomplete", format!("Kiro's answer is not complete: {detail}"))
}
