//! The answer to one request of a client: one exchange with the upstream, or several when the gateway itself has something
//! to do in between. Pulled by whoever writes to the client; dropping it leaves the upstream.
//!
//! Promises: what was delivered is never delivered again and never taken back; an answer without its end is a failure; all
//! rounds share one budget of retries, one record and one bill; the record is closed on every way out.
//!
//! - `plan`: what has to be looked after. `turn`: one answer, sorted. `outlet`: limits on the way out. `tally`: the bill.
//! - `ending`: what a complete answer leads to. `cut`: what a broken one does. `searching`: searches between two answers.
//! - `words`: what the model is told. `form`: whether an answer has the form that was asked for.

mod cut;
mod ending;
mod form;
mod outlet;
mod plan;
mod search_tool;
mod searching;
mod tally;
mod turn;
mod words;

pub(super) use plan::{Plan, prepare};

use super::exchange::{Broken, Exchange, Means};
use super::recall::Recall;
use crate::account::{Lease, Outcome};
use crate::dispatch::Order;
use crate::flow::Flow;
use crate::upstream::answer::Progress;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use kiro_protocol::codec::Notice;
use kiro_protocol::conversation::Conversation;
use kiro_protocol::event::{Event, StopReason};
use kiro_protocol::failure::{ContextOverflow, Failure, FailureClass};
use kiro_protocol::kiro::request::build;
use outlet::Outlet;
use searching::{Searched, Searching};
use std::sync::Arc;
use tally::Tally;
use turn::{Before, Turn};

enum Stage {
    Answering(Box<Exchange>),
    /// The next round's body is built.
    Preparing(BoxFuture<'static, Box<Order>>),
    Searching(Box<Searching>),
    Over,
}

/// What is delivered when asking again does not help.
struct Fallback {
    events: Vec<Event>,
    reason: StopReason,
}

/// What is done at most once in an answer.
#[derive(Default)]
struct Once {
    /// Asked again for a call that was cut.
    cut: bool,
    /// Asked again for a call that did not come.
    missing: bool,
    /// Asked again for the right form.
    form: bool,
    /// The model was told that there are no more searches.
    refused: bool,
}

/// Where reasoning waits for the results of the calls it led to, and whose it is.
pub(super) struct Remembering {
    pub(super) recall: Arc<Recall>,
    pub(super) model: String,
}

/// An answer under way.
pub(crate) struct Rounds {
    flow: Flow,
    means: Means,
    plan: Arc<Plan>,
    stage: Stage,
    turn: Turn,
    outlet: Outlet,
    tally: Tally,
    /// As the upstream sent them, not sorted yet.
    decoded: Vec<Event>,
    /// Sorted, on the way to the outlet.
    sorted: Vec<Event>,
    input_estimate: u64,
    /// A call must still come.
    forced: bool,
    /// The client has calls to run.
    called: bool,
    once: Once,
    fallback: Option<Fallback>,
    search_rounds: u32,
    searches: u32,
    remembering: Option<Remembering>,
    /// Ids of the calls of this turn that went out.
    sent_calls: Vec<String>,
}

/// What waiting brought.
enum Step {
    Said(Result<Progress, Broken>),
    Prepared(Box<Order>),
    Searched(Searched),
}

impl Rounds {
    pub(super) fn new(means: Means, plan: Plan, order: Order, flow: Flow, remembering: Option<Remembering>) -> Self {
        let plan = Arc::new(plan);
        let outlet = Outlet::new(&order.conversation.sampling);
        let forced = plan.forced.is_some();
        let first = Exchange::new(means.clone(), order, &flow);
        Self {
            turn: Turn::new(&plan, forced, Before::default()),
            input_estimate: first.input_estimate(),
            stage: Stage::Answering(Box::new(first)),
            flow,
            means,
            plan,
            outlet,
            tally: Tally::default(),
            decoded: Vec::with_capacity(16),
            sorted: Vec::with_capacity(16),
            forced,
            called: false,
            once: Once::default(),
            fallback: None,
            search_rounds: 0,
            searches: 0,
            remembering,
            sent_calls: Vec::new(),
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
        match &mut self.stage {
            Stage::Answering(exchange) => match exchange.connect(&self.flow).await {
                Ok(()) => Ok(()),
                Err(failure) => Err(self.failed(failure)),
            },
            Stage::Preparing(_) | Stage::Searching(_) | Stage::Over => Ok(()),
        }
    }

    /// Waits for events and appends them. Safe to drop and call again: whatever was waited for is kept here.
    pub(crate) async fn next(&mut self, out: &mut Vec<Event>) -> Result<Progress, Failure> {
        let before = out.len();
        loop {
            let step = match &mut self.stage {
                Stage::Answering(exchange) => Step::Said(exchange.next(&self.flow, &mut self.decoded).await),
                Stage::Preparing(order) => Step::Prepared(order.await),
                Stage::Searching(searching) => Step::Searched(searching.next().await),
                Stage::Over => return Ok(Progress::Complete),
            };
            // Nothing is waited for from here on.
            let progress = match step {
                Step::Said(result) => self.said(result, out),
                Step::Prepared(order) => {
                    self.stage = Stage::Answering(Box::new(Exchange::new(self.means.clone(), *order, &self.flow)));
                    Ok(Progress::More)
                }
                Step::Searched(searched) => Ok(self.searched(searched, out)),
            };
            if out[before..].iter().any(|event| !matches!(event, Event::Usage(_) | Event::Stop(_))) {
                self.flow.first_event();
            }
            match progress {
                Ok(Progress::More) if out.len() == before => {}
                decided => return decided,
            }
        }
    }

    /// The gateway is stopping: the upstream is left and the record says why.
    pub(crate) fn abandon(&mut self, failure: &Failure) {
        self.leave(Outcome::NoVerdict);
        self.stage = Stage::Over;
        self.flow.spent(&self.tally.total());
        self.flow.failed(failure);
    }

    fn said(&mut self, result: Result<Progress, Broken>, out: &mut Vec<Event>) -> Result<Progress, Failure> {
        for event in self.decoded.drain(..) {
            self.turn.push(event, &mut self.sorted);
        }
        self.deliver(out);
        if self.outlet.is_over() {
            // The rest of the answer is not waited for.
            return Ok(self.stopped_early(out));
        }
        match result {
            Ok(Progress::More) => Ok(Progress::More),
            Ok(Progress::Complete) => self.answered(out),
            Err(Broken::Refused(failure)) => self.fail(failure, out),
            Err(Broken::Cut(error)) => self.cut(&error, out),
        }
    }

    /// Sorted events go out.
    fn deliver(&mut self, out: &mut Vec<Event>) {
        let before = out.len();
        self.outlet.pass(self.sorted.drain(..), out);
        if self.remembering.is_some() {
            let started =
                |event: &Event| if let Event::ToolUseStart { id, .. } = event { Some(id.clone()) } else { None };
            self.sent_calls.extend(out[before..].iter().filter_map(started));
        }
    }

    fn stopped_early(&mut self, out: &mut Vec<Event>) -> Progress {
        let lease = self.bill();
        self.end(lease, StopReason::EndTurn, out)
    }

    /// Leaves an answer and takes its cost. Who answered is still to be told how it went.
    fn bill(&mut self) -> Option<Lease> {
        let Stage::Answering(exchange) = &mut self.stage else { return None };
        let spent = exchange.spent();
        let finished = exchange.finish()?;
        self.tally.add(spent);
        self.flow.notices(&finished.notices);
        Some(finished.lease)
    }

    /// Leaves an answer with a verdict about the account.
    fn leave(&mut self, verdict: Outcome) {
        if let Some(lease) = self.bill() {
            lease.settle(verdict);
        }
    }

    /// The end of the whole answer.
    fn end(&mut self, lease: Option<Lease>, reason: StopReason, out: &mut Vec<Event>) -> Progress {
        self.stage = Stage::Over;
        self.note_turn();
        let reason = match reason {
            StopReason::EndTurn | StopReason::ToolUse if self.called => StopReason::ToolUse,
            StopReason::ToolUse => StopReason::EndTurn,
            other => other,
        };
        let told = self.outlet.end(self.tally.total(), reason, out);
        self.flow.complete(&told, &[]);
        if let Some(lease) = lease {
            lease.settle(Outcome::Succeeded);
        }
        Progress::Complete
    }

    /// No answer, or not the rest of it; unless there is something else to deliver.
    fn fail(&mut self, failure: Failure, out: &mut Vec<Event>) -> Result<Progress, Failure> {
        match self.fallback.take().filter(|_| !self.turn.delivered()) {
            Some(fallback) => {
                self.notice("retry_failed", "asking the model again failed; what it had answered first was delivered");
                Ok(self.fall_back(fallback, None, out))
            }
            None => Err(self.failed(failure)),
        }
    }

    fn fall_back(&mut self, fallback: Fallback, lease: Option<Lease>, out: &mut Vec<Event>) -> Progress {
        self.outlet.pass(fallback.events, out);
        self.end(lease, fallback.reason, out)
    }

    fn failed(&mut self, failure: Failure) -> Failure {
        let failure = self.measured(failure);
        self.leave(Outcome::NoVerdict);
        self.note_turn();
        self.stage = Stage::Over;
        self.flow.spent(&self.tally.total());
        self.flow.failed(&failure);
        failure
    }

    /// Clients compact a conversation when they are told by how much it is too long. The upstream says only that it is: more
    /// than the window, then, however small our own estimate.
    fn measured(&self, mut failure: Failure) -> Failure {
        if let (FailureClass::ContextWindow, None, Some(limit)) =
            (failure.class, failure.context, self.means.yardstick.window())
        {
            failure.context = Some(ContextOverflow { tokens: self.input_estimate.max(limit + 1), limit });
        }
        failure
    }

    fn note_turn(&mut self) {
        self.called |= !self.turn.calls.is_empty();
        if let Some(Remembering { recall, model }) = &self.remembering {
            recall.keep(model, &std::mem::take(&mut self.sent_calls), &self.turn.said);
        }
        self.flow.notices(&std::mem::take(&mut self.turn.notices));
    }

    fn notice(&self, code: &'static str, detail: &str) {
        self.flow.notices(&[Notice::new(code, "", detail)]);
    }

    /// Asks again, with more said. The same account is asked first.
    fn again(
        &mut self,
        mut order: Order,
        lease: Lease,
        before: Before,
        change: impl FnOnce(&mut Conversation),
    ) -> Progress {
        self.note_turn();
        self.turn = Turn::new(&self.plan, self.forced, before);
        let mut conversation = (*order.conversation).clone();
        change(&mut conversation);
        let conversation = Arc::new(conversation);
        order.conversation = Arc::clone(&conversation);
        order.lease = Some(lease);
        order.invocation = uuid::Uuid::new_v4().to_string();
        (order.attempts, order.last) = (0, None);
        let context = order.context.clone();
        let building = async move {
            let weight = super::weight(&conversation);
            order.built = super::heavy(weight, move || build(&conversation, &context)).await;
            Box::new(order)
        };
        self.stage = Stage::Preparing(building.boxed());
        Progress::More
    }
}
