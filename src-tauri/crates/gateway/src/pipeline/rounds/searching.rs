//! Searches between two answers: run one after the other, shown to the client, told to the model.

use super::turn::{Before, SearchCall};
use super::{Rounds, Stage, search_tool, words};
use crate::account::Lease;
use crate::dispatch::Order;
use crate::upstream::answer::Progress;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use kiro_protocol::conversation::ToolChoice;
use kiro_protocol::event::{Event, SearchHit, StopReason};
use serde_json::Value;
use std::collections::VecDeque;
use std::sync::Arc;

pub(super) type Found = Result<Vec<SearchHit>, &'static str>;

/// A search that was done.
pub(super) struct Done {
    pub(super) call: SearchCall,
    /// What the model reads.
    pub(super) words: String,
    pub(super) failed: bool,
}

/// Searches under way.
pub(super) struct Searching {
    order: Order,
    lease: Lease,
    queue: VecDeque<SearchCall>,
    done: Vec<Done>,
    current: Option<Running>,
}

struct Running {
    call: SearchCall,
    id: String,
    query: String,
    found: BoxFuture<'static, Found>,
}

/// What waiting for a search brought.
pub(super) enum Searched {
    Found(SearchCall, String, String, Found),
    /// Nothing is being searched for.
    Idle,
}

impl Searching {
    /// Waits for the search under way. Safe to drop and call again.
    pub(super) async fn next(&mut self) -> Searched {
        let Some(running) = &mut self.current else { return Searched::Idle };
        let found = (&mut running.found).await;
        match self.current.take() {
            Some(Running { call, id, query, .. }) => Searched::Found(call, id, query, found),
            None => Searched::Idle,
        }
    }
}

impl Rounds {
    /// The model wants to search.
    pub(super) fn search(&mut self, order: Order, lease: Lease, out: &mut Vec<Event>) -> Progress {
        self.fallback = None;
        let queue = std::mem::take(&mut self.turn.searches).into();
        let searching = Searching { order, lease, queue, done: Vec::new(), current: None };
        self.stage = Stage::Searching(Box::new(searching));
        self.next_search(out)
    }

    /// A search is over.
    pub(super) fn searched(&mut self, searched: Searched, out: &mut Vec<Event>) -> Progress {
        if let Searched::Found(call, id, query, found) = searched {
            let found = match &self.plan.search {
                Some(tool) => found.map(|hits| tool.filter(hits)),
                None => found,
            };
            if found.is_ok() {
                self.tally.searched();
            }
            self.search_done(call, id, &query, found);
        }
        self.next_search(out)
    }

    fn search_done(&mut self, call: SearchCall, id: String, query: &str, found: Found) {
        let words = search_tool::words(query, &found);
        let failed = found.is_err();
        if let Stage::Searching(searching) = &mut self.stage {
            searching.done.push(Done { call, words, failed });
        }
        self.sorted.push(Event::SearchDone { id, outcome: found });
    }

    /// Goes on until there is something to wait for.
    fn next_search(&mut self, out: &mut Vec<Event>) -> Progress {
        loop {
            let Stage::Searching(searching) = &mut self.stage else { return Progress::Complete };
            let Some(call) = searching.queue.pop_front() else { break };
            let query = call.input.get("query").and_then(Value::as_str).unwrap_or_default().trim().to_owned();
            if query.is_empty() {
                // Nothing that a client could be shown.
                let words = "The call needs the argument `query`, a text.".to_owned();
                searching.done.push(Done { call, words, failed: true });
                continue;
            }
            self.searches += 1;
            // Calls of later rounds may bear the same id.
            let id = if self.searches == 1 { call.id.clone() } else { format!("{}_{}", call.id, self.searches) };
            self.sorted.push(Event::SearchStart { id: id.clone(), query: query.clone() });
            let most = self.plan.search.as_ref().and_then(|search| search.max_uses).unwrap_or(u32::MAX);
            let refusal = if query.chars().count() > search_tool::MAX_QUERY {
                Some("query_too_long")
            } else if self.searches > most || self.search_rounds >= self.plan.search_rounds {
                Some("max_uses_exceeded")
            } else {
                None
            };
            if let Some(code) = refusal {
                self.search_done(call, id, &query, Err(code));
                continue;
            }
            let (dispatcher, trail) = (Arc::clone(&self.means.dispatcher), self.flow.trail());
            let account = Arc::clone(&searching.lease.account);
            let wanted = query.clone();
            let found = async move { dispatcher.search(&account, &wanted, &trail).await }.boxed();
            searching.current = Some(Running { call, id, query, found });
            self.deliver(out);
            return Progress::More;
        }
        self.deliver(out);
        self.searches_over(out)
    }

    fn searches_over(&mut self, out: &mut Vec<Event>) -> Progress {
        let Stage::Searching(searching) = std::mem::replace(&mut self.stage, Stage::Over) else {
            return Progress::Complete;
        };
        let Searching { order, lease, done, .. } = *searching;
        if !self.turn.calls.is_empty() {
            // The client runs its calls first; what was found is in the answer it continues from.
            self.turn.release(&mut self.sorted);
            self.deliver(out);
            return self.end(Some(lease), StopReason::ToolUse, out);
        }
        if self.plan.form.is_none() {
            self.turn.release(&mut self.sorted);
            self.deliver(out);
        }
        if self.outlet.is_over() {
            return self.end(Some(lease), StopReason::EndTurn, out);
        }
        let told = self.search_rounds >= self.plan.search_rounds;
        self.search_rounds += 1;
        if told && std::mem::replace(&mut self.once.refused, true) {
            self.notice("search_rounds_used_up", "the model kept searching after its last round; the answer ends here");
            return self.end(Some(lease), StopReason::EndTurn, out);
        }
        self.forced = false;
        let most = self.plan.search.as_ref().and_then(|search| search.max_uses).unwrap_or(u32::MAX);
        let last = self.search_rounds >= self.plan.search_rounds || self.searches >= most;
        let name = self.plan.search.as_ref().map(|search| search.name.clone()).unwrap_or_default();
        let said = std::mem::take(&mut self.turn.said);
        self.again(order, lease, Before::default(), move |conversation| {
            words::searches_are_done(conversation, said, done, &name);
            conversation.tool_choice = ToolChoice::Auto;
            if last {
                // What is left is a placeholder that says it is not there any more.
                conversation.tools.retain(|tool| tool.name != name);
            }
        })
    }
}
