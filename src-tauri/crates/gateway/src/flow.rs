//! What happened to each request: metadata only, never contents. The newest are kept in memory.

use crate::admin_event::{AdminEvent, Announcer};
use crate::catalog::ModelTrace;
use crate::clock::{Clock, Timestamp};
use kiro_protocol::codec::{Delivery, Notice};
use kiro_protocol::event::{Usage, UsageSource};
use kiro_protocol::failure::Failure;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;
use tokio::time::Instant;
use utoipa::ToSchema;

/// How many flows are kept.
const KEPT: usize = 500;
/// Notices beyond this are counted, not kept.
const NOTICES: usize = 32;

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum FlowOutcome {
    /// A complete answer was delivered.
    Complete,
    /// It failed; see `failureCode`.
    Failed,
    /// The client left before the end.
    ClientLeft,
}

/// How the client wanted the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum FlowDelivery {
    /// As a stream of events.
    Stream,
    /// As one body.
    Whole,
}

impl From<Delivery> for FlowDelivery {
    fn from(delivery: Delivery) -> Self {
        match delivery {
            Delivery::Stream | Delivery::JsonArray => Self::Stream,
            Delivery::Whole => Self::Whole,
        }
    }
}

/// What was asked of the upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum FlowOperation {
    /// An answer of the model.
    #[default]
    Answer,
    /// A search on the web.
    Search,
}

/// Why an attempt was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum AttemptReason {
    /// It is the first one.
    #[default]
    First,
    /// The host before refused it or had trouble.
    OtherHost,
    /// The account before could not answer.
    OtherAccount,
    /// The token was renewed.
    Renewed,
    /// The same again after a pause.
    Repeated,
    /// The request was changed as the upstream wants it.
    Repaired,
    /// An answer broke off before anything of it was delivered.
    Again,
}

/// One attempt at the upstream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FlowAttempt {
    /// What was asked for.
    #[serde(default)]
    pub operation: FlowOperation,
    /// Why it was made.
    #[serde(default)]
    pub reason: AttemptReason,
    /// Id of the account.
    pub account: String,
    /// Host that was asked.
    pub host: String,
    /// HTTP status, when there was one.
    pub status: Option<u16>,
    /// What went wrong, in the upstream's or our own code; nothing when it was accepted.
    pub code: Option<String>,
    /// Milliseconds until the upstream accepted or refused.
    pub ms: u64,
}

/// Where a token count comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum FlowTokenSource {
    /// Estimated from the length of the text.
    Estimate,
    /// Counted by a tokenizer on this machine, which is not the model's own.
    Tokenizer,
    /// Derived from the fill of the context window.
    ContextPercentage,
    /// Counted by the upstream.
    Upstream,
}

impl From<UsageSource> for FlowTokenSource {
    fn from(source: UsageSource) -> Self {
        match source {
            UsageSource::Estimate => Self::Estimate,
            UsageSource::Tokenizer => Self::Tokenizer,
            UsageSource::ContextPercentage => Self::ContextPercentage,
            UsageSource::Upstream => Self::Upstream,
        }
    }
}

/// What an answer cost.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FlowUsage {
    /// Input tokens outside any cache.
    pub input_tokens: Option<u64>,
    /// Output tokens.
    pub output_tokens: Option<u64>,
    /// Where the input tokens come from.
    pub input_source: Option<FlowTokenSource>,
    /// Where the output tokens come from.
    pub output_source: Option<FlowTokenSource>,
    /// Input tokens read from a cache.
    pub cache_read_tokens: Option<u64>,
    /// Input tokens written to a cache.
    pub cache_write_tokens: Option<u64>,
    /// Credits charged.
    pub credits: Option<f64>,
    /// Fill of the context window in percent.
    pub context_percentage: Option<f64>,
    /// Web searches that the gateway ran.
    pub web_searches: Option<u32>,
}

impl From<&Usage> for FlowUsage {
    fn from(usage: &Usage) -> Self {
        Self {
            input_tokens: usage.input_tokens,
            output_tokens: usage.output_tokens,
            input_source: usage.input_tokens.map(|_| usage.input_source.into()),
            output_source: usage.output_tokens.map(|_| usage.output_source.into()),
            cache_read_tokens: usage.cache_read_tokens,
            cache_write_tokens: usage.cache_write_tokens,
            credits: usage.credits,
            context_percentage: usage.context_percentage,
            web_searches: usage.web_searches,
        }
    }
}

/// Something that was ignored, changed or repaired.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FlowNotice {
    /// Stable code.
    pub code: String,
    /// Where in the request.
    pub path: String,
    /// Plain words.
    pub detail: String,
}

/// One request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FlowView {
    /// Its id, also in the answer's `request-id` header and in the log.
    pub id: String,
    /// When it arrived.
    pub at: Timestamp,
    /// Client protocol.
    pub protocol: String,
    /// The client's program, as it names itself.
    pub client: Option<String>,
    /// The model the client named.
    pub model: Option<String>,
    /// The model the upstream was asked for.
    pub upstream_model: Option<String>,
    /// How the client's name became that model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_trace: Option<ModelTrace>,
    /// Id of the account that answered.
    pub account: Option<String>,
    /// True when the answer was made up on this machine.
    pub simulated: bool,
    /// How the client wanted the answer.
    pub delivery: Option<FlowDelivery>,
    /// HTTP status of the answer.
    pub status: u16,
    /// From arrival to end.
    pub duration_ms: u64,
    /// From arrival to the first event of the answer.
    pub first_event_ms: Option<u64>,
    /// What it cost.
    pub usage: FlowUsage,
    /// What was ignored, changed or repaired.
    pub notices: Vec<FlowNotice>,
    /// Every attempt at the upstream.
    pub attempts: Vec<FlowAttempt>,
    /// How it ended.
    pub outcome: FlowOutcome,
    /// Code of the failure, when it failed.
    pub failure_code: Option<String>,
}

/// Sums over all flows since the start.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Totals {
    /// When the gateway was opened.
    pub(crate) since: Timestamp,
    pub(crate) complete: u64,
    pub(crate) failed: u64,
    pub(crate) client_left: u64,
    pub(crate) input_tokens: u64,
    pub(crate) output_tokens: u64,
    pub(crate) cache_read_tokens: u64,
    pub(crate) cache_write_tokens: u64,
    pub(crate) credits: f64,
}

impl Totals {
    fn add(&mut self, view: &FlowView) {
        match view.outcome {
            FlowOutcome::Complete => self.complete += 1,
            FlowOutcome::Failed => self.failed += 1,
            FlowOutcome::ClientLeft => self.client_left += 1,
        }
        let usage = &view.usage;
        self.input_tokens += usage.input_tokens.unwrap_or(0);
        self.output_tokens += usage.output_tokens.unwrap_or(0);
        self.cache_read_tokens += usage.cache_read_tokens.unwrap_or(0);
        self.cache_write_tokens += usage.cache_write_tokens.unwrap_or(0);
        self.credits += usage.credits.unwrap_or(0.0);
    }
}

/// The newest flows, and the number of those under way.
pub(crate) struct Flows {
    clock: Arc<dyn Clock>,
    announcer: Announcer,
    ring: Mutex<VecDeque<Arc<FlowView>>>,
    totals: Mutex<Totals>,
    /// How many are under way; watched by whoever shows it.
    in_flight: watch::Sender<usize>,
}

impl Flows {
    pub(crate) fn new(clock: Arc<dyn Clock>, announcer: Announcer) -> Self {
        let totals = Totals { since: clock.now(), ..Totals::default() };
        Self {
            clock,
            announcer,
            ring: Mutex::new(VecDeque::with_capacity(KEPT)),
            totals: Mutex::new(totals),
            in_flight: watch::channel(0).0,
        }
    }

    /// Opens the record of a request that has just arrived.
    pub(crate) fn open(self: &Arc<Self>, id: String, protocol: &'static str, client: Option<String>) -> Flow {
        self.in_flight.send_modify(|count| *count += 1);
        let view = FlowView {
            id,
            at: self.clock.now(),
            protocol: protocol.to_owned(),
            client,
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
        Flow { record: Arc::new(Record { view: Mutex::new(view), since: Instant::now() }), flows: Arc::clone(self) }
    }

    /// Requests under way.
    pub(crate) fn in_flight(&self) -> usize {
        *self.in_flight.borrow()
    }

    /// Follows the number of requests under way.
    pub(crate) fn watch(&self) -> watch::Receiver<usize> {
        self.in_flight.subscribe()
    }

    /// What all flows since the start came to, those that are no longer kept included.
    pub(crate) fn totals(&self) -> Totals {
        *self.totals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The newest first.
    pub(crate) fn newest(&self, limit: usize) -> Vec<Arc<FlowView>> {
        self.ring().iter().rev().take(limit).cloned().collect()
    }

    fn ring(&self) -> MutexGuard<'_, VecDeque<Arc<FlowView>>> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self, view: FlowView) {
        self.in_flight.send_modify(|count| *count = count.saturating_sub(1));
        self.totals.lock().unwrap_or_else(PoisonError::into_inner).add(&view);
        let id = view.id.clone();
        let mut ring = self.ring();
        if ring.len() == KEPT {
            ring.pop_front();
        }
        ring.push_back(Arc::new(view));
        drop(ring);
        self.announcer.tell(AdminEvent::Flows { id });
    }
}

struct Record {
    view: Mutex<FlowView>,
    since: Instant,
}

/// The open record of one request. Dropped without a verdict, it says that the client left.
pub(crate) struct Flow {
    record: Arc<Record>,
    flows: Arc<Flows>,
}

/// Writes attempts into a record from wherever they happen.
#[derive(Clone)]
pub(crate) struct Trail(Arc<Record>);

impl Trail {
    pub(crate) fn attempt(&self, attempt: FlowAttempt) {
        self.0.view().attempts.push(attempt);
    }

    pub(crate) fn notices(&self, notices: &[Notice]) {
        self.0.notices(notices);
    }
}

impl Record {
    fn view(&self) -> MutexGuard<'_, FlowView> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn notices(&self, notices: &[Notice]) {
        let mut view = self.view();
        let room = NOTICES.saturating_sub(view.notices.len());
        view.notices.extend(notices.iter().take(room).map(|notice| FlowNotice {
            code: notice.code.to_owned(),
            path: notice.path.clone(),
            detail: notice.detail.clone(),
        }));
    }
}

impl Flow {
    pub(crate) fn trail(&self) -> Trail {
        Trail(Arc::clone(&self.record))
    }

    pub(crate) fn asked(&self, model: &str, delivery: Delivery, notices: &[Notice]) {
        {
            let mut view = self.record.view();
            view.model = Some(model.chars().take(128).collect());
            view.delivery = Some(delivery.into());
        }
        self.record.notices(notices);
    }

    pub(crate) fn named(&self, trace: &ModelTrace) {
        self.record.view().model_trace = Some(trace.clone());
    }

    pub(crate) fn resolved(&self, upstream_model: &str, notices: &[Notice]) {
        self.record.view().upstream_model = Some(upstream_model.to_owned());
        self.record.notices(notices);
    }

    pub(crate) fn answering(&self, account: &crate::account::Account) {
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
        let ms = self.elapsed_ms();
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

    fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.record.since.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl Drop for Flow {
    fn drop(&mut self) {
        let mut view = self.record.view().clone();
        view.duration_ms = self.elapsed_ms();
        let outcome = match view.outcome {
            FlowOutcome::Complete => "complete",
            FlowOutcome::Failed => "failed",
            FlowOutcome::ClientLeft => "client left",
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
        self.flows.close(view);
    }
}
