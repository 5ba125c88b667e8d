//! What an answer that breaks off leads to. A call that was cut is asked for again in smaller pieces, as long as nothing of it
//! went out; else the client gets its protocol's own sign of a cut answer. It never gets half a call as a whole one.

use super::super::exchange::Finished;
use super::turn::Before;
use super::{Fallback, Rounds, Stage, words};
use crate::dispatch::outcome;
use crate::upstream::answer::Progress;
use crate::upstream::classify::{Disposition, Kind, UpstreamError};
use kiro_protocol::event::{Event, StopReason};
use kiro_protocol::failure::Failure;

impl Rounds {
    /// An answer broke off.
    pub(super) fn cut(&mut self, error: &UpstreamError, out: &mut Vec<Event>) -> Result<Progress, Failure> {
        let Stage::Answering(exchange) = &mut self.stage else { return Ok(Progress::Complete) };
        let retries = exchange.retries();
        let open = self.turn.open_call().map(|(name, live)| (name.to_owned(), live));
        // The decoder knows a call that was cut by the model's own limit. A connection that breaks inside a call usually does so
        // because the call takes too long, so that the same question would only break again.
        let limit = error.kind == Kind::BrokenToolCall;
        let inside = open.is_some() && matches!(error.kind, Kind::Truncated | Kind::TimedOut);
        if !limit && !inside {
            let worthwhile = retries > 0 && error.disposition() != Disposition::GiveUp;
            if worthwhile && !self.turn.delivered() && self.means.dispatcher.repeats.allow() {
                self.ask_the_same(error);
                return Ok(Progress::More);
            }
            self.leave(outcome(error));
            return self.fail(error.failure(), out);
        }
        tracing::warn!(kind = ?error.kind, %error, "an answer was cut inside a tool call");
        let live = open.as_ref().is_some_and(|(_, live)| *live);
        let superfluous = self.plan.one_call && !self.turn.calls.is_empty();
        let may_ask = !live && !self.once.cut && retries > 0 && self.turn.searches.is_empty() && !superfluous;
        if !may_ask && !limit && !superfluous && self.turn.searches.is_empty() {
            self.leave(outcome(error));
            return self.fail(error.failure(), out);
        }
        self.tally.add(exchange.spent());
        let Some(Finished { mut order, lease, notices }) = exchange.finish() else { return Ok(Progress::Complete) };
        self.flow.notices(&notices);
        if may_ask {
            self.once.cut = true;
            order.retries -= 1;
            self.notice(
                "cut_call_asked_again",
                "a tool call was cut off; the model was asked to make it again in smaller pieces",
            );
            // What was said stands, also what waited: the call it waited for has come, if not whole.
            self.turn.release(&mut self.sorted);
            self.deliver(out);
            if self.outlet.is_over() {
                return Ok(self.end(Some(lease), StopReason::EndTurn, out));
            }
            self.fallback = Some(Fallback { events: Vec::new(), reason: StopReason::MaxTokens });
            let said = std::mem::take(&mut self.turn.said);
            let before = Before { text: super::turn::text_of(&said), calls: self.turn.calls.clone() };
            let calls = before.calls.clone();
            return Ok(self.again(order, lease, before, move |conversation| {
                words::call_was_cut(conversation, said, &calls, open.as_ref().map(|(name, _)| name.as_str()));
            }));
        }
        self.notice("call_cut", "a tool call was cut off and left out");
        if superfluous || !self.turn.searches.is_empty() {
            self.turn.drop_open_call();
            return self.finished(order, lease, out);
        }
        if live {
            self.sorted.push(Event::ToolUseCut);
        }
        self.turn.release(&mut self.sorted);
        self.deliver(out);
        self.fallback = None;
        Ok(self.end(Some(lease), StopReason::MaxTokens, out))
    }
}
