//! The bytes of an answer, decoded as they come: everything that arrived together comes out together.
//!
//! Promises: a cut, damaged or silent answer ends with an error and never with a stop event; after the metering event only
//! a short grace is waited for; dropping an answer drops the connection.

use super::ByteStream;
use super::classify::{Kind, UpstreamError};
use bytes::Bytes;
use kiro_protocol::codec::Notice;
use kiro_protocol::event::Event;
use kiro_protocol::kiro::event::{Ending, EventDecoder};
use kiro_protocol::kiro::frame::FrameDecoder;
use std::future::Future as _;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;
use tokio::time::{Instant, Sleep};

/// After the metering event the service often neither sends more nor closes.
const GRACE: Duration = Duration::from_secs(5);
/// Chunks that are ready at once are taken together, up to this many, before anything is written.
const TOGETHER: usize = 16;

/// How long to wait for what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// Until the first byte.
    pub(crate) first: Duration,
    /// Between bytes.
    pub(crate) idle: Duration,
}

/// Whether more may come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// More may come.
    More,
    /// The answer is complete; its stop event was the last.
    Complete,
}

/// An answer under way.
pub(crate) struct Answer {
    bytes: ByteStream,
    frames: FrameDecoder,
    events: EventDecoder,
    patience: Patience,
    since: Instant,
    alarm: Pin<Box<Sleep>>,
    begun: bool,
    /// The body was closed properly, but without the event that follows every whole answer.
    unconfirmed: bool,
}

enum Arrival {
    Chunk(Bytes),
    End(Ending),
}

impl Answer {
    pub(crate) fn new(bytes: ByteStream, events: EventDecoder, patience: Patience) -> Self {
        let since = Instant::now();
        let alarm = Box::pin(tokio::time::sleep_until(since + patience.first));
        Self { bytes, frames: FrameDecoder::new(), events, patience, since, alarm, begun: false, unconfirmed: false }
    }

    /// Waits for bytes and appends the events they hold, possibly none. Safe to drop and call again.
    pub(crate) async fn next(&mut self, out: &mut Vec<Event>) -> Result<Progress, UpstreamError> {
        let mut arrival = self.wait().await;
        let mut taken = 0;
        loop {
            match arrival {
                Arrival::Chunk(chunk) => self.take(&chunk, out)?,
                Arrival::End(ending) => return self.end(ending, out),
            }
            taken += 1;
            // Asked only while there is room: what was fetched and not taken would be lost.
            if taken == TOGETHER {
                break;
            }
            match self.ready().await {
                Some(next) => arrival = next,
                None => break,
            }
        }
        Ok(Progress::More)
    }

    /// True when no text, thinking or tool call came.
    pub(crate) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// What was skipped, and whether the end is only presumed.
    pub(crate) fn notices(&self) -> Vec<Notice> {
        let mut notices = self.events.notices();
        if self.unconfirmed {
            let detail = "Kiro closed the answer without its usual last event; it may have been cut between two events";
            notices.push(Notice::new("end_unconfirmed", "", detail));
        }
        notices
    }

    fn take(&mut self, chunk: &[u8], out: &mut Vec<Event>) -> Result<(), UpstreamError> {
        self.frames.push(chunk);
        while let Some(frame) = self.frames.next_frame().map_err(|error| UpstreamError::from(kiro_failure(error)))? {
            self.events.frame(&frame, out)?;
        }
        Ok(())
    }

    fn end(&mut self, ending: Ending, out: &mut Vec<Event>) -> Result<Progress, UpstreamError> {
        // A cut frame is no clean end, whatever the transport says.
        let result = match self.frames.finish() {
            Ok(()) => self.events.finish(ending, out).map_err(UpstreamError::from),
            Err(error) => Err(UpstreamError::from(kiro_failure(error))),
        };
        match (result, ending) {
            (Ok(()), _) => {
                self.unconfirmed = !self.events.metered();
                Ok(Progress::Complete)
            }
            (Err(error), Ending::Idle) if error.kind == Kind::Truncated => {
                let waited = if self.begun { self.patience.idle } else { self.patience.first };
                Err(UpstreamError::local(Kind::TimedOut, format!("nothing came for {} seconds", waited.as_secs())))
            }
            (Err(error), Ending::Idle | Ending::Clean | Ending::Reset) => Err(error),
        }
    }

    fn allowed(&self) -> Duration {
        if self.events.metered() {
            GRACE
        } else if self.begun {
            self.patience.idle
        } else {
            self.patience.first
        }
    }

    async fn wait(&mut self) -> Arrival {
        if self.events.metered() {
            // The grace is shorter than what the alarm was set to.
            self.alarm.as_mut().reset(self.since + GRACE);
        }
        std::future::poll_fn(|cx| {
            if let Poll::Ready(arrival) = self.poll_bytes(cx) {
                return Poll::Ready(arrival);
            }
            // The alarm is not moved with every chunk: when it rings, it is set to what is due by then.
            while self.alarm.as_mut().poll(cx).is_ready() {
                let due = self.since + self.allowed();
                if Instant::now() >= due {
                    return Poll::Ready(Arrival::End(Ending::Idle));
                }
                self.alarm.as_mut().reset(due);
            }
            Poll::Pending
        })
        .await
    }

    /// What is there already.
    async fn ready(&mut self) -> Option<Arrival> {
        std::future::poll_fn(|cx| match self.poll_bytes(cx) {
            Poll::Ready(arrival) => Poll::Ready(Some(arrival)),
            Poll::Pending => Poll::Ready(None),
        })
        .await
    }

    fn poll_bytes(&mut self, cx: &mut std::task::Context<'_>) -> Poll<Arrival> {
        self.bytes.as_mut().poll_next(cx).map(|next| match next {
            Some(Ok(chunk)) => {
                self.since = Instant::now();
                if !self.begun {
                    // The first byte may take longer than those that follow.
                    self.begun = true;
                    let due = self.since + self.patience.idle;
                    self.alarm.as_mut().reset(due);
                }
                Arrival::Chunk(chunk)
            }
            Some(Err(_)) => Arrival::End(Ending::Reset),
            None => Arrival::End(Ending::Clean),
        })
    }
}

fn kiro_failure(error: kiro_protocol::kiro::frame::FrameError) -> kiro_protocol::kiro::event::StreamFailure {
    error.into()
}
