//! One answer from the first attempt to its end. Pulled by whoever writes to the client; dropping it leaves the upstream.
//!
//! Promises: nothing is repeated once an event was handed out; an answer without its end is a failure; the lease is settled
//! and the flow closed on every way out.

use super::usage::Meter;
use crate::account::{Lease, Outcome};
use crate::dispatch::{Connected, Dispatcher, Order, backoff, outcome};
use crate::flow::Flow;
use crate::upstream::answer::{Answer, Patience, Progress};
use crate::upstream::classify::{Disposition, Kind, UpstreamError};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use kiro_protocol::event::Event;
use kiro_protocol::failure::Failure;
use kiro_protocol::kiro::event::{DecodeOptions, EventDecoder};
use kiro_protocol::stop::StopSequences;
use std::sync::Arc;
use std::time::Duration;

type Dialled = (Order, Result<Connected, Failure>);

enum Stage {
    Dialling(BoxFuture<'static, Dialled>),
    Answering(Box<Answering>),
    Over,
}

struct Answering {
    order: Order,
    lease: Lease,
    answer: Answer,
}

/// One answer under way.
pub(crate) struct Exchange {
    dispatcher: Arc<Dispatcher>,
    stage: Stage,
    patience: Patience,
    meter: Meter,
    stop: StopSequences,
    decoded: Vec<Event>,
    /// True once anything but usage was handed out.
    delivered: bool,
    input_estimate: u64,
    flow: Flow,
}

impl Exchange {
    pub(super) fn new(
        dispatcher: Arc<Dispatcher>,
        order: Order,
        flow: Flow,
        window: Option<u64>,
        patience: Patience,
    ) -> Self {
        let input_estimate = order.built.estimate_tokens();
        let stop = StopSequences::new(order.conversation.sampling.stop_sequences.clone());
        let stage = dial(&dispatcher, order, &flow, Duration::ZERO);
        Self {
            dispatcher,
            stage,
            patience,
            meter: Meter::new(input_estimate, window),
            stop,
            decoded: Vec::with_capacity(16),
            delivered: false,
            input_estimate,
            flow,
        }
    }

    /// Estimate of the input tokens, for protocols that must name a figure first.
    pub(crate) fn input_estimate(&self) -> u64 {
        self.input_estimate
    }

    /// The record of this request.
    pub(crate) fn flow(&self) -> &Flow {
        &self.flow
    }

    /// Waits until somebody answers. Safe to drop and call again.
    pub(crate) async fn connect(&mut self) -> Result<(), Failure> {
        let Stage::Dialling(dialling) = &mut self.stage else { return Ok(()) };
        let (order, dialled) = dialling.await;
        match dialled {
            Ok(Connected { lease, bytes }) => {
                self.flow.answering(&lease.account);
                let options =
                    DecodeOptions { inline_thinking: order.built.inline_thinking, ..DecodeOptions::default() };
                let events = EventDecoder::new(order.built.names.clone(), options);
                let answer = Answer::new(bytes, events, self.patience);
                self.stage = Stage::Answering(Box::new(Answering { order, lease, answer }));
                Ok(())
            }
            Err(failure) => {
                self.stage = Stage::Over;
                Err(self.fail(failure))
            }
        }
    }

    /// Waits for events and appends them. Safe to drop and call again.
    pub(crate) async fn next(&mut self, out: &mut Vec<Event>) -> Result<Progress, Failure> {
        let before = out.len();
        loop {
            self.connect().await?;
            let Stage::Answering(answering) = &mut self.stage else { return Ok(Progress::Complete) };
            let progress = answering.answer.next(&mut self.decoded).await;
            let empty = progress == Ok(Progress::Complete) && answering.answer.is_empty();
            let result = if empty { Err(UpstreamError::local(Kind::Empty, "")) } else { progress };
            match result {
                Ok(progress) => {
                    self.hand_out(out);
                    if progress == Progress::Complete {
                        self.complete();
                        return Ok(Progress::Complete);
                    }
                    if self.stop.is_hit() {
                        return Ok(self.stopped_early(out));
                    }
                    if out.len() > before {
                        return Ok(Progress::More);
                    }
                }
                Err(error) if self.may_repeat(&error) => self.repeat(&error),
                // An empty answer that stays empty is still a complete one.
                Err(error) if error.kind == Kind::Empty => {
                    self.hand_out(out);
                    self.complete();
                    return Ok(Progress::Complete);
                }
                Err(error) => {
                    // What came before the break is the client's, as far as it is whole.
                    self.hand_out(out);
                    return Err(self.broken(&error));
                }
            }
        }
    }

    /// The gateway is stopping: the upstream is left and the record says why.
    pub(crate) fn abandon(&mut self, failure: &Failure) {
        if let Stage::Answering(answering) = std::mem::replace(&mut self.stage, Stage::Over) {
            answering.lease.settle(Outcome::NoVerdict);
        }
        self.flow.failed(failure);
    }

    fn hand_out(&mut self, out: &mut Vec<Event>) {
        for event in self.decoded.drain(..) {
            self.meter.note(&event);
            match &event {
                Event::Usage(_) => {
                    // Reported once, complete, before the end.
                    continue;
                }
                Event::Stop(_) => out.push(Event::Usage(self.meter.total())),
                Event::Text(_)
                | Event::Thinking(_)
                | Event::ThinkingSignature(_)
                | Event::RedactedThinking(_)
                | Event::ToolUseStart { .. }
                | Event::ToolInput(_)
                | Event::ToolUseEnd
                | Event::ToolUseCut
                | Event::SearchStart { .. }
                | Event::SearchDone { .. } => {
                    if !self.delivered {
                        self.delivered = true;
                        self.flow.first_event();
                    }
                }
            }
            self.stop.push(event, out);
        }
    }

    /// A stop sequence was found: the rest of the answer is not waited for.
    fn stopped_early(&mut self, out: &mut Vec<Event>) -> Progress {
        out.push(Event::Usage(self.meter.total()));
        self.stop.push(Event::Stop(kiro_protocol::event::StopReason::EndTurn), out);
        self.complete();
        Progress::Complete
    }

    fn may_repeat(&self, error: &UpstreamError) -> bool {
        let Stage::Answering(answering) = &self.stage else { return false };
        let nothing_yet =
            !self.delivered && self.decoded.iter().all(|event| matches!(event, Event::Usage(_) | Event::Stop(_)));
        nothing_yet && answering.order.retries > 0 && error.disposition() != Disposition::GiveUp
    }

    fn repeat(&mut self, error: &UpstreamError) {
        self.decoded.clear();
        let Stage::Answering(answering) = std::mem::replace(&mut self.stage, Stage::Over) else { return };
        let Answering { mut order, lease, answer: _ } = *answering;
        tracing::warn!(account = %lease.account.id, kind = ?error.kind, %error, "an answer broke off before it began; asking again");
        lease.settle(outcome(error));
        order.retries -= 1;
        let pause = error.retry_after.unwrap_or_else(|| backoff(order.attempts));
        order.last = Some(error.clone());
        self.stage = dial(&self.dispatcher, order, &self.flow, pause);
    }

    fn broken(&mut self, error: &UpstreamError) -> Failure {
        if let Stage::Answering(answering) = std::mem::replace(&mut self.stage, Stage::Over) {
            answering.lease.settle(outcome(error));
        }
        self.fail(error.failure())
    }

    fn fail(&mut self, failure: Failure) -> Failure {
        self.flow.failed(&failure);
        failure
    }

    fn complete(&mut self) {
        if let Stage::Answering(answering) = std::mem::replace(&mut self.stage, Stage::Over) {
            self.flow.complete(&self.meter.total(), &answering.answer.notices());
            answering.lease.settle(Outcome::Succeeded);
        }
    }
}

fn dial(dispatcher: &Arc<Dispatcher>, mut order: Order, flow: &Flow, pause: Duration) -> Stage {
    let (dispatcher, trail) = (Arc::clone(dispatcher), flow.trail());
    Stage::Dialling(
        async move {
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
            let dialled = dispatcher.dial(&mut order, &trail).await;
            (order, dialled)
        }
        .boxed(),
    )
}
