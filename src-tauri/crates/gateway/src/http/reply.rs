//! Events to bytes: server-sent events with signs of life, or one JSON body.
//!
//! Pulled by the connection: a slow client slows the upstream, and a client that leaves drops everything behind it. What
//! arrived together leaves together, in one write.

use super::connection::Phase;
use crate::pipeline::rounds::Rounds;
use crate::upstream::answer::Progress;
use axum::body::Body;
use bytes::Bytes;
use futures_util::{FutureExt as _, stream};
use http_body::{Frame, SizeHint};
use kiro_protocol::codec::{Echo, Protocol, StreamEncoder};
use kiro_protocol::event::{Event, Reply, ReplyBuilder};
use kiro_protocol::failure::{Failure, FailureClass};
use kiro_protocol::sse::SseWriter;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

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

/// An answer as server-sent events. `writer` may hold what goes out before the answer.
pub(crate) fn stream<P: Protocol>(
    exchange: Rounds,
    echo: Echo,
    keep_alive: Duration,
    cut: &CancellationToken,
    writer: SseWriter,
) -> Body {
    let streaming = Streaming {
        exchange,
        encoder: P::encoder(echo),
        writer,
        events: Vec::with_capacity(32),
        keep_alive,
        written: Instant::now(),
        alarm: Box::pin(tokio::time::sleep(keep_alive)),
        cut: Box::pin(cut.clone().cancelled_owned()),
        begun: false,
    };
    let chunks = stream::unfold(Some(Box::new(streaming)), |streaming| async move {
        let (bytes, rest) = streaming?.next().await;
        Some((Ok::<_, Infallible>(bytes), rest))
    });
    Body::from_stream(chunks)
}

struct Streaming<E> {
    exchange: Rounds,
    encoder: E,
    writer: SseWriter,
    events: Vec<Event>,
    keep_alive: Duration,
    written: Instant,
    alarm: Pin<Box<Sleep>>,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
    begun: bool,
}

enum Step {
    Progress(Result<Progress, Failure>),
    Silence,
    Cut,
}

impl<E: StreamEncoder> Streaming<E> {
    /// The next bytes to write, and what is left afterwards.
    async fn next(mut self: Box<Self>) -> (Bytes, Option<Box<Self>>) {
        if !self.begun {
            self.begun = true;
            self.encoder.start(&mut self.writer);
            // What the upstream has said already goes out with the start; nothing is waited for.
            if let Some(progress) = self.exchange.next(&mut self.events).now_or_never()
                && let Some(end) = self.write(progress)
            {
                return (self.finish(&end), None);
            }
            return self.flush();
        }
        loop {
            match self.step().await {
                Step::Progress(progress) => {
                    if let Some(end) = self.write(progress) {
                        return (self.finish(&end), None);
                    }
                }
                Step::Silence => self.encoder.keep_alive(&mut self.writer),
                Step::Cut => {
                    let failure = stopping();
                    self.exchange.abandon(&failure);
                    return (self.finish(&Err(failure)), None);
                }
            }
            if !self.writer.is_empty() {
                return self.flush();
            }
        }
    }

    async fn step(&mut self) -> Step {
        let Self { exchange, events, alarm, cut, written, keep_alive, .. } = self;
        tokio::select! {
            biased;
            progress = exchange.next(events) => Step::Progress(progress),
            () = cut.as_mut() => Step::Cut,
            () = silence(alarm.as_mut(), *written, *keep_alive) => Step::Silence,
        }
    }

    /// Encodes what came. `Some` when it was the end.
    fn write(&mut self, progress: Result<Progress, Failure>) -> Option<Result<(), Failure>> {
        for event in self.events.drain(..) {
            self.encoder.event(&event, &mut self.writer);
        }
        match progress {
            Ok(Progress::More) => None,
            Ok(Progress::Complete) => Some(Ok(())),
            Err(failure) => Some(Err(failure)),
        }
    }

    fn flush(mut self: Box<Self>) -> (Bytes, Option<Box<Self>>) {
        self.written = Instant::now();
        (self.writer.take(), Some(self))
    }

    fn finish(&mut self, end: &Result<(), Failure>) -> Bytes {
        let result = match end {
            Ok(()) => Ok(()),
            Err(failure) => Err(failure),
        };
        self.encoder.end(result, &mut self.writer);
        self.writer.take()
    }
}

/// Ends once nothing was written for `keep_alive`. The alarm is set anew only when it rings.
async fn silence(mut alarm: Pin<&mut Sleep>, written: Instant, keep_alive: Duration) {
    loop {
        alarm.as_mut().await;
        let due = written + keep_alive;
        let now = Instant::now();
        if now >= due {
            alarm.reset(now + keep_alive);
            return;
        }
        alarm.as_mut().reset(due);
    }
}

/// A body that tells its connection when it is over.
pub(crate) struct Answered {
    body: Body,
    phase: Phase,
}

impl Answered {
    pub(crate) fn new(body: Body, phase: Phase) -> Self {
        Self { body, phase }
    }
}

impl http_body::Body for Answered {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Answered {
    fn drop(&mut self) {
        self.phase.answered();
    }
}
