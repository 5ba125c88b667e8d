//! One answer of the upstream, from the first attempt to its end. What it means for the client is decided in
//! [`super::rounds`]; here it is got, measured, and its lease settled on every way out.

use super::charges::Till;
use super::usage::Meter;
use crate::account::{Lease, Outcome};
use crate::dispatch::{Connected, Dispatcher, Order, backoff, outcome};
use crate::flow::{Flow, Trail};
use crate::tokens::Yardstick;
use crate::upstream::answer::{Answer, Patience, Progress};
use crate::upstream::classify::{Kind, UpstreamError};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use kiro_protocol::codec::Notice;
use kiro_protocol::event::{Event, Usage};
use kiro_protocol::failure::Failure;
use kiro_protocol::kiro::event::{DecodeOptions, EventDecoder};
use std::sync::Arc;
use std::time::Duration;

/// What an exchange needs besides its order.
#[derive(Clone)]
pub(super) struct Means {
    pub(super) dispatcher: Arc<Dispatcher>,
    pub(super) patience: Patience,
    /// How tokens of this model are counted.
    pub(super) yardstick: Yardstick,
    /// Where answers are paid.
    pub(super) till: Till,
}

/// Why there is no more to come.
#[derive(Debug)]
pub(super) enum Broken {
    /// Nobody accepted the request.
    Refused(Failure),
    /// The answer broke off.
    Cut(UpstreamError),
}

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

/// A whole answer's remains: what the next round goes on with.
pub(super) struct Finished {
    pub(super) order: Order,
    /// Still to be settled.
    pub(super) lease: Lease,
    pub(super) notices: Vec<Notice>,
}

/// One answer under way.
pub(super) struct Exchange {
    means: Means,
    stage: Stage,
    meter: Meter,
    trail: Trail,
    /// A rough count of the request.
    rough: u64,
    input_estimate: u64,
}

impl Exchange {
    /// Begins to dial with the first poll.
    pub(super) fn new(means: Means, order: Order, flow: &Flow) -> Self {
        let rough = order.built.estimate_tokens();
        let input_estimate = means.yardstick.estimate(rough);
        let meter = Meter::new(rough, means.yardstick.clone());
        let stage = dial(&means.dispatcher, order, flow, Duration::ZERO);
        Self { means, stage, meter, trail: flow.trail(), rough, input_estimate }
    }

    /// Estimate of the input tokens.
    pub(super) fn input_estimate(&self) -> u64 {
        self.input_estimate
    }

    /// Waits until somebody answers. Safe to drop and call again.
    pub(super) async fn connect(&mut self, flow: &Flow) -> Result<(), Failure> {
        let Stage::Dialling(dialling) = &mut self.stage else { return Ok(()) };
        let (order, dialled) = dialling.await;
        match dialled {
            Ok(Connected { lease, bytes }) => {
                flow.answering(&lease.account);
                self.means.till.accepted(&lease.account, &order.context.model_id);
                let options =
                    DecodeOptions { inline_thinking: order.built.inline_thinking, ..DecodeOptions::default() };
                let events = EventDecoder::new(order.built.names.clone(), options);
                let answer = Answer::new(bytes, events, self.means.patience);
                self.stage = Stage::Answering(Box::new(Answering { order, lease, answer }));
                Ok(())
            }
            Err(failure) => {
                self.stage = Stage::Over;
                Err(failure)
            }
        }
    }

    /// Waits for events and appends them, figures apart ([`Self::spent`]). What came before a break is appended, too. Safe
    /// to drop and call again.
    pub(super) async fn next(&mut self, flow: &Flow, out: &mut Vec<Event>) -> Result<Progress, Broken> {
        self.connect(flow).await.map_err(Broken::Refused)?;
        let Stage::Answering(answering) = &mut self.stage else { return Ok(Progress::Complete) };
        let before = out.len();
        let progress = answering.answer.next(out).await;
        for event in &out[before..] {
            self.meter.note(event);
        }
        out.retain(|event| !matches!(event, Event::Usage(_)));
        progress.map_err(Broken::Cut)
    }

    /// True when a complete answer held no text, thinking or tool call.
    pub(super) fn is_empty(&self) -> bool {
        match &self.stage {
            Stage::Answering(answering) => answering.answer.is_empty(),
            Stage::Dialling(_) | Stage::Over => true,
        }
    }

    /// How often this request may still be tried again.
    pub(super) fn retries(&self) -> u32 {
        match &self.stage {
            Stage::Answering(answering) => answering.order.retries.min(answering.order.spare),
            Stage::Dialling(_) | Stage::Over => 0,
        }
    }

    /// What this answer cost so far, complete as far as anything is known.
    pub(super) fn spent(&self) -> Usage {
        self.meter.total()
    }

    /// Asks the same again. The caller made sure that nobody saw anything of this answer. Tells what it cost, if anything of it
    /// was made.
    pub(super) fn repeat(&mut self, error: &UpstreamError, flow: &Flow) -> Option<Usage> {
        self.pay();
        let Stage::Answering(answering) = std::mem::replace(&mut self.stage, Stage::Over) else { return None };
        let Answering { mut order, lease, answer } = *answering;
        let spent = (!answer.is_empty() || self.spent().credits.is_some()).then(|| self.spent());
        self.meter = Meter::new(self.rough, self.means.yardstick.clone());
        tracing::warn!(account = %lease.account.id, kind = ?error.kind, %error, "an answer broke off before it was delivered; asking again");
        // A model that has no room is asked once more before it pauses.
        let verdict = if error.kind == Kind::ModelBusy { Outcome::NoVerdict } else { outcome(error) };
        lease.settle(verdict);
        order.retries = order.retries.saturating_sub(1);
        let pause = error.retry_after.unwrap_or_else(|| backoff(&order));
        order.last = Some(error.clone());
        self.stage = dial(&self.means.dispatcher, order, flow, pause);
        spent
    }

    /// What this complete answer teaches about counting.
    pub(super) fn learn(&self) {
        self.meter.learn();
    }

    /// Ends the answer, whole or not, and hands over what is left of it. `None` when nobody had accepted the request.
    pub(super) fn finish(&mut self) -> Option<Finished> {
        self.pay();
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Answering(answering) => {
                let Answering { order, lease, answer } = *answering;
                Some(Finished { order, lease, notices: answer.notices() })
            }
            Stage::Dialling(_) | Stage::Over => None,
        }
    }
}

impl Exchange {
    /// Tells what the answer under way cost. Done once for each answer, before it is left.
    fn pay(&mut self) {
        let Stage::Answering(answering) = &self.stage else { return };
        let spent = self.meter.total();
        if let Some(credits) = spent.credits {
            self.trail.metered(credits);
        }
        if spent.credits.is_some() || !answering.answer.is_empty() {
            self.means.till.paid(&answering.lease.account, &answering.order.context.model_id, &spent);
        }
    }
}

impl Drop for Exchange {
    /// The client left in the middle: what came so far was paid for.
    fn drop(&mut self) {
        self.pay();
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
