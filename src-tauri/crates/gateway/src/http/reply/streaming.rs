//! An answer piece by piece: server-sent events with signs of life.
//!
//! Pulled by the connection: a slow client slows the upstream, and a client that leaves drops everything behind it. What
//! arrived together leaves together, in one write.

use super::super::answer::paced;
use super::super::connection::Phase;
use super::stopping;
use crate::kept::Keeping;
use crate::pipeline::rounds::Rounds;
use crate::upstream::answer::Progress;
use axum::body::Body;
use bytes::Bytes;
use futures_util::{FutureExt as _, stream};
use kiro_protocol::codec::{Echo, Protocol, StreamEncoder};
use kiro_protocol::event::{Event, ReplyBuilder, Usage, UsageSource};
use kiro_protocol::failure::Failure;
use kiro_protocol::sse::SseWriter;
use std::pin::Pin;
use std::time::Duration;
use tokio::time::{Instant, Sleep};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// How a stream is written.
#[derive(Default)]
pub(crate) struct Manner {
    /// Time between signs of life.
    pub(crate) keep_alive: Duration,
    /// The beginning waits for the true number of input tokens.
    pub(crate) hold: bool,
    /// What to do with the complete answer.
    pub(crate) keeping: Option<Keeping>,
    /// The connection, for answers that must not seem to end well.
    pub(crate) phase: Phase,
}

/// An answer piece by piece. `writer` may hold what goes out before the answer.
pub(crate) fn stream<P: Protocol>(
    rounds: Rounds,
    echo: Echo,
    manner: Manner,
    cut: &CancellationToken,
    writer: SseWriter,
) -> Body {
    let Manner { keep_alive, hold, keeping, phase } = manner;
    let streaming = Streaming::<P> {
        rounds,
        record: keeping.map(|keeping| Record { keeping, builder: ReplyBuilder::default(), echo: echo.clone() }),
        held: hold.then(|| Held { echo: echo.clone(), events: Vec::new() }),
        encoder: P::encoder(echo),
        writer,
        events: Vec::with_capacity(32),
        keep_alive,
        written: Instant::now(),
        alarm: Box::pin(tokio::time::sleep(keep_alive)),
        cut: Box::pin(cut.clone().cancelled_owned()),
        begun: false,
        phase,
    };
    let chunks = stream::unfold(Some(Part::Answer(Box::new(streaming))), |part| async move {
        match part? {
            Part::Answer(streaming) => {
                let (bytes, rest) = streaming.next().await;
                Some((Ok(bytes), rest))
            }
            Part::BreakOff(phase) => {
                // What was said must be on its way first: a reset takes with it what still waits here.
                phase.flushed().await;
                phase.break_off();
                Some((Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset)), None))
            }
        }
    });
    Body::from_stream(chunks)
}

enum Part<P: Protocol> {
    Answer(Box<Streaming<P>>),
    BreakOff(Phase),
}

/// A stream that has not begun: its events wait for the number of input tokens.
struct Held {
    echo: Echo,
    events: Vec<Event>,
}

/// The answer once more, whole, for keeping.
struct Record {
    keeping: Keeping,
    builder: ReplyBuilder,
    echo: Echo,
}

struct Streaming<P: Protocol> {
    rounds: Rounds,
    held: Option<Held>,
    encoder: P::Encoder,
    record: Option<Record>,
    writer: SseWriter,
    events: Vec<Event>,
    keep_alive: Duration,
    written: Instant,
    alarm: Pin<Box<Sleep>>,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
    begun: bool,
    phase: Phase,
}

enum Step {
    Progress(Result<Progress, Failure>),
    Silence,
    Cut,
}

impl<P: Protocol> Streaming<P> {
    /// The next bytes to write, and what is left afterwards.
    async fn next(mut self: Box<Self>) -> (Bytes, Option<Part<P>>) {
        if !self.begun {
            self.begun = true;
            if self.held.is_some() {
                self.writer.comment("the answer is held until its input is counted");
            } else {
                self.encoder.start(&mut self.writer);
            }
            // What the upstream has said already goes out with the start; nothing is waited for.
            if let Some(progress) = self.rounds.next(&mut self.events).now_or_never()
                && let Some(end) = self.write(progress)
            {
                return self.finish(end).await;
            }
            return self.flush();
        }
        loop {
            match self.step().await {
                Step::Progress(progress) => {
                    if let Some(end) = self.write(progress) {
                        return self.finish(end).await;
                    }
                }
                // Before the first event only a comment is harmless.
                Step::Silence if self.held.is_some() => self.writer.comment("still held"),
                Step::Silence => self.encoder.keep_alive(&mut self.writer),
                Step::Cut => {
                    let failure = stopping();
                    self.rounds.abandon(&failure);
                    return self.finish(Err(failure)).await;
                }
            }
            if !self.writer.is_empty() {
                return self.flush();
            }
        }
    }

    async fn step(&mut self) -> Step {
        let Self { rounds, events, alarm, cut, written, keep_alive, .. } = self;
        tokio::select! {
            biased;
            progress = rounds.next(events) => Step::Progress(progress),
            () = cut.as_mut() => Step::Cut,
            () = silence(alarm.as_mut(), *written, *keep_alive) => Step::Silence,
        }
    }

    /// Encodes what came. `Some` when it was the end.
    fn write(&mut self, progress: Result<Progress, Failure>) -> Option<Result<(), Failure>> {
        let mut events = std::mem::take(&mut self.events);
        for event in events.drain(..) {
            if let Some(record) = &mut self.record
                && record.builder.push(&event).is_err()
            {
                // What cannot be a whole answer is not kept.
                self.record = None;
            }
            let Some(held) = &mut self.held else {
                self.encoder.event(&event, &mut self.writer);
                continue;
            };
            let counted = matches!(&event, Event::Usage(usage) if is_counted(usage));
            held.events.push(event);
            if counted {
                self.release();
            }
        }
        self.events = events;
        match progress {
            Ok(Progress::More) => None,
            Ok(Progress::Complete) => Some(Ok(())),
            Err(failure) => Some(Err(failure)),
        }
    }

    /// Begins a held stream, with the best number of input tokens there is, and writes what waited.
    fn release(&mut self) {
        let Some(Held { mut echo, events }) = self.held.take() else { return };
        let told = |event: &Event| if let Event::Usage(usage) = event { usage.input_tokens } else { None };
        echo.input_tokens = events.iter().rev().find_map(told).or(echo.input_tokens);
        self.encoder = P::encoder(echo);
        for event in events {
            self.encoder.event(&event, &mut self.writer);
        }
    }

    fn flush(mut self: Box<Self>) -> (Bytes, Option<Part<P>>) {
        self.written = Instant::now();
        (self.writer.take(), Some(Part::Answer(self)))
    }

    /// The last bytes. A complete answer is kept first, so that the client can continue it as soon as it has its end.
    async fn finish(mut self: Box<Self>, end: Result<(), Failure>) -> (Bytes, Option<Part<P>>) {
        if let (Ok(()), Some(record)) = (&end, self.record.take())
            && let Ok(reply) = record.builder.finish()
        {
            record.keeping.keep(&P::encode(&reply, &record.echo)).await;
        }
        if end.is_ok() {
            self.release();
        }
        match end {
            Ok(()) => {
                self.encoder.end(Ok(()), &mut self.writer);
                (self.writer.take(), None)
            }
            Err(failure) => {
                self.encoder.end(Err(&paced(&failure)), &mut self.writer);
                let rest = P::RESETS_AFTER_FAILURE.then(|| Part::BreakOff(self.phase.clone()));
                (self.writer.take(), rest)
            }
        }
    }
}

/// True for a figure that is not a guess.
fn is_counted(usage: &Usage) -> bool {
    usage.input_tokens.is_some() && usage.input_source >= UsageSource::ContextPercentage
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
