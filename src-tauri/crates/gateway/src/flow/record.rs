//! The open record of one request, written to from wherever something happens to it.
//!
//! Promises: closed on every way out; bounded, whatever a client or the upstream sends; nothing that has the shape of a
//! secret gets in.

use super::Flows;
use super::view::{FlowAttempt, FlowNotice, FlowOutcome, FlowUsage, FlowView};
use crate::account::Account;
use crate::catalog::ModelTrace;
use crate::clock::Timestamp;
use crate::telemetry::scrub;
use kiro_protocol::codec::{Delivery, Notice};
use kiro_protocol::event::Usage;
use kiro_protocol::failure::Failure;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::time::Instant;

/// Notices beyond this are not kept.
const NOTICES: usize = 32;
/// Attempts beyond this are not kept; budgets end long before.
const ATTEMPTS: usize = 64;
/// Longer names are cut.
const NAME: usize = 128;
/// Longer explanations are cut.
const DETAIL: usize = 400;

/// What a client or the upstream calls something, fit to be kept: without secrets, cut to `most` characters.
fn kept(text: &str, most: usize) -> String {
    // Cut after it was looked over: half a secret has no shape.
    scrub(text).chars().take(most).collect()
}

/// A request under way.
pub(super) struct Record {
    /// Counts the requests; the order in which they arrived.
    pub(super) number: u64,
    view: Mutex<FlowView>,
    since: Instant,
}

impl Record {
    pub(super) fn new(number: u64, id: String, at: Timestamp, protocol: &str, client: Option<&str>) -> Self {
        let view = FlowView {
            id,
            at,
            protocol: protocol.to_owned(),
            client: client.map(|client| kept(client, NAME)),
            model: None,
            upstream_model: None,
            model_trace: None,
            account: None,
            simulated: false,
            delivery: None,
            status: 200,
            duration_ms: 0,
            first_event_ms: None,
            usage: FlowUsage::default(),
            notices: Vec::new(),
            attempts: Vec::new(),
            outcome: FlowOutcome::ClientLeft,
            failure_code: None,
        };
        Self { number, view: Mutex::new(view), since: Instant::now() }
    }

    /// As it is now, still under way.
    pub(super) fn running(&self) -> FlowView {
        FlowView { duration_ms: self.elapsed_ms(), outcome: FlowOutcome::Running, ..self.view().clone() }
    }

    fn closed(&self) -> FlowView {
        FlowView { duration_ms: self.elapsed_ms(), ..self.view().clone() }
    }

    fn view(&self) -> MutexGuard<'_, FlowView> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn notices(&self, notices: &[Notice]) {
        let mut view = self.view();
        let room = NOTICES.saturating_sub(view.notices.len());
        view.notices.extend(notices.iter().take(room).map(|notice| FlowNotice {
            code: notice.code.to_owned(),
            path: kept(&notice.path, DETAIL),
            detail: kept(&notice.detail, DETAIL),
        }));
    }

    fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// Writes attempts into a record from wherever they happen.
#[derive(Clone)]
pub(crate) struct Trail(Arc<Record>);

impl Trail {
    pub(crate) fn attempt(&self, mut attempt: FlowAttempt) {
        attempt.code = attempt.code.map(|code| kept(&code, NAME));
        let mut view = self.0.view();
        if view.attempts.len() < ATTEMPTS {
            view.attempts.push(attempt);
        }
    }

    /// What the service metered for the newest accepted attempt.
    pub(crate) fn metered(&self, credits: f64) {
        let mut view = self.0.view();
        if let Some(attempt) = view.attempts.iter_mut().rev().find(|attempt| attempt.is_accepted_answer()) {
            attempt.credits = Some(attempt.credits.unwrap_or(0.0) + credits);
        }
    }

    pub(crate) fn notices(&self, notices: &[Notice]) {
        self.0.notices(notices);
    }
}

/// The open record of one request. Dropped without a verdict, it says that the client left.
pub(crate) struct Flow {
    record: Arc<Record>,
    flows: Arc<Flows>,
}

impl Flow {
    pub(super) fn new(record: Arc<Record>, flows: Arc<Flows>) -> Self {
        Self { record, flows }
    }

    pub(crate) fn trail(&self) -> Trail {
        Trail(Arc::clone(&self.record))
    }

    pub(crate) fn asked(&self, model: &str, delivery: Delivery, notices: &[Notice]) {
        {
            let mut view = self.record.view();
            view.model = Some(kept(model, NAME));
            view.delivery = Some(delivery.into());
        }
        self.record.notices(notices);
    }

    pub(crate) fn named(&self, trace: &ModelTrace) {
        self.record.view().model_trace = Some(trace.clone());
    }

    pub(crate) fn resolved(&self, upstream_model: &str, notices: &[Notice]) {
        self.record.view().upstream_model = Some(kept(upstream_model, NAME));
        self.record.notices(notices);
    }

    pub(crate) fn answering(&self, account: &Account) {
        let mut view = self.record.view();
        view.account = Some(account.id.to_string());
        view.simulated = account.is_demo();
    }

    pub(crate) fn id(&self) -> String {
        self.record.view().id.clone()
    }

    pub(crate) fn account(&self) -> Option<String> {
        self.record.view().account.clone()
    }

    pub(crate) fn simulated(&self) -> bool {
        self.record.view().simulated
    }

    pub(crate) fn first_event(&self) {
        let ms = self.record.elapsed_ms();
        self.record.view().first_event_ms.get_or_insert(ms);
    }

    pub(crate) fn complete(&self, usage: &Usage, notices: &[Notice]) {
        {
            let mut view = self.record.view();
            view.usage = usage.into();
            view.outcome = FlowOutcome::Complete;
        }
        self.record.notices(notices);
    }

    /// What was paid for an answer that failed.
    pub(crate) fn spent(&self, usage: &Usage) {
        self.record.view().usage = usage.into();
    }

    pub(crate) fn notices(&self, notices: &[Notice]) {
        self.record.notices(notices);
    }

    pub(crate) fn failed(&self, failure: &Failure) {
        let mut view = self.record.view();
        view.outcome = FlowOutcome::Failed;
        view.failure_code = Some(failure.code.to_owned());
    }

    pub(crate) fn status(&self, status: u16) {
        self.record.view().status = status;
    }
}

impl Drop for Flow {
    fn drop(&mut self) {
        let view = self.record.closed();
        let outcome = match view.outcome {
            FlowOutcome::Complete => "complete",
            FlowOutcome::Failed => "failed",
            FlowOutcome::ClientLeft | FlowOutcome::Running => "client left",
        };
        tracing::info!(
            request = %view.id,
            protocol = %view.protocol,
            model = view.upstream_model.as_deref().unwrap_or("-"),
            account = view.account.as_deref().unwrap_or("-"),
            status = view.status,
            code = view.failure_code.as_deref().unwrap_or("-"),
            ms = view.duration_ms,
            attempts = view.attempts.len(),
            "{outcome}"
        );
        self.flows.close(self.record.number, view);
    }
}
