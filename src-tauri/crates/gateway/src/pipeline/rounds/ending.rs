//! What a complete answer of the upstream leads to: the end, searches, or asking once more.

use super::super::exchange::Finished;
use super::turn::{Before, Turn};
use super::{Fallback, Rounds, Stage, words};
use crate::account::Lease;
use crate::dispatch::Order;
use crate::upstream::answer::Progress;
use crate::upstream::classify::{Kind, UpstreamError};
use kiro_protocol::event::{Event, StopReason};
use kiro_protocol::failure::{Failure, FailureClass};

impl Rounds {
    /// An answer came to its end.
    pub(super) fn answered(&mut self, out: &mut Vec<Event>) -> Result<Progress, Failure> {
        let Stage::Answering(exchange) = &mut self.stage else { return Ok(Progress::Complete) };
        // An empty answer that stays empty is still a complete one.
        if exchange.is_empty() && !self.turn.delivered() && exchange.retries() > 0 {
            self.ask_the_same(&UpstreamError::local(Kind::Empty, ""));
            return Ok(Progress::More);
        }
        exchange.learn();
        self.tally.add(exchange.spent());
        let Some(Finished { order, lease, notices }) = exchange.finish() else { return Ok(Progress::Complete) };
        self.flow.notices(&notices);
        self.finished(order, lease, out)
    }

    /// Asks the same again, since nobody saw anything of the answer.
    pub(super) fn ask_the_same(&mut self, error: &UpstreamError) {
        if let Stage::Answering(exchange) = &mut self.stage {
            self.turn = Turn::new(&self.plan, self.forced, self.turn.before());
            if let Some(spent) = exchange.repeat(error, &self.flow) {
                self.tally.add(spent);
            }
        }
    }

    /// Decides what follows a turn that is complete, as far as it goes.
    pub(super) fn finished(&mut self, order: Order, lease: Lease, out: &mut Vec<Event>) -> Result<Progress, Failure> {
        if !self.turn.searches.is_empty() {
            return Ok(self.search(order, lease, out));
        }
        let reason = self.turn.stop.clone().unwrap_or_default();
        let natural = matches!(reason, StopReason::EndTurn | StopReason::StopSequence(_));
        let answer_only = self.turn.calls.is_empty() && !self.called && natural;
        if self.forced && answer_only {
            return Ok(self.call_missing(order, lease, reason, out));
        }
        if answer_only && self.plan.form.is_some() {
            return self.form_checked(order, lease, reason, out);
        }
        Ok(self.release(lease, reason, out))
    }

    /// Everything that waited goes out, and the answer is over.
    fn release(&mut self, lease: Lease, reason: StopReason, out: &mut Vec<Event>) -> Progress {
        self.fallback = None;
        self.turn.release(&mut self.sorted);
        self.deliver(out);
        self.end(Some(lease), reason, out)
    }

    fn call_missing(&mut self, mut order: Order, lease: Lease, reason: StopReason, out: &mut Vec<Event>) -> Progress {
        if !self.once.missing && order.retries > 0 {
            self.once.missing = true;
            order.retries -= 1;
            let events = self.turn.take_held();
            self.fallback = Some(Fallback { events, reason });
            self.notice(
                "forced_call_asked_again",
                "the model answered without the call that must come; it was asked again",
            );
            let tool = self.plan.forced.clone().flatten();
            let said = std::mem::take(&mut self.turn.said);
            return self.again(order, lease, Before::default(), move |conversation| {
                words::call_is_missing(conversation, said, tool.as_deref());
            });
        }
        self.notice("forced_call_missing", "the model did not make the call that must come; its answer was delivered");
        match self.fallback.take() {
            // The first answer is one to what was asked; the second only to being asked again.
            Some(fallback) => self.fall_back(fallback, Some(lease), out),
            None => self.release(lease, reason, out),
        }
    }

    fn form_checked(
        &mut self,
        mut order: Order,
        lease: Lease,
        reason: StopReason,
        out: &mut Vec<Event>,
    ) -> Result<Progress, Failure> {
        let text = self.turn.text();
        let Some(form) = &self.plan.form else { return Ok(self.release(lease, reason, out)) };
        let strict = form.strict;
        let problem = match form.check(&text) {
            Ok(answer) => {
                self.fallback = None;
                self.turn.release_as(answer.to_owned(), &mut self.sorted);
                self.deliver(out);
                return Ok(self.end(Some(lease), reason, out));
            }
            Err(problem) => problem,
        };
        if !self.once.form && order.retries > 0 {
            self.once.form = true;
            order.retries -= 1;
            let events = self.turn.take_held();
            self.fallback = (!strict).then_some(Fallback { events, reason });
            self.notice("format_asked_again", "the answer did not have the required form; the model was asked again");
            let said = std::mem::take(&mut self.turn.said);
            return Ok(self.again(order, lease, Before::default(), move |conversation| {
                words::form_is_wrong(conversation, said, &problem);
            }));
        }
        if strict {
            lease.settle(crate::account::Outcome::Succeeded);
            let message = format!(
                "the model's answer does not have the form that the request demands, also after it was asked again: {problem}"
            );
            return Err(self.failed(Failure::new(FailureClass::Upstream, "output_format_failed", message)));
        }
        self.notice(
            "format_not_met",
            "the answer does not have the form that was asked for; it was delivered as it is",
        );
        Ok(self.release(lease, reason, out))
    }
}
