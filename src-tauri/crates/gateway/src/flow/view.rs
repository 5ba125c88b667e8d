//! What is known of a request: metadata only. What was asked and answered has no place here.

use crate::catalog::ModelTrace;
use crate::clock::Timestamp;
use kiro_protocol::codec::Delivery;
use kiro_protocol::event::{Usage, UsageSource};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

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
    /// It is still under way; the figures are those of now.
    Running,
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
    /// Credits that the service metered for its answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credits: Option<f64>,
}

impl FlowAttempt {
    /// True when an answer of the model came of it.
    pub(super) fn is_accepted_answer(&self) -> bool {
        self.code.is_none() && self.operation == FlowOperation::Answer
    }
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
    /// Credits that the service metered; nothing when it metered none.
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
