//! What a client protocol implements: decode a request, encode an answer, whole or as a stream.

use crate::conversation::{Conversation, JsonObject};
use crate::event::{Event, Reply};
use crate::failure::Failure;
use crate::sse::SseWriter;
use http::{HeaderMap, StatusCode};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a decoder may know of a request besides its body.
#[derive(Debug, Clone, Default)]
pub struct RequestHead {
    /// Path without query, e.g. `/v1/messages`.
    pub path: String,
    /// Raw query without `?`; secrets already removed.
    pub query: String,
    /// Headers; credentials already removed.
    pub headers: HeaderMap,
    /// A unique lower-case hex id (32 characters) made by the caller; answer ids are derived from it.
    pub request_id: String,
    /// Now, in seconds since the Unix epoch, chosen by the caller.
    pub now: u64,
    /// What [`Inbound::keep`] kept of the answer that this request continues ([`Protocol::continues`]).
    pub kept: Option<Arc<Value>>,
}

/// How the client wants the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// As server-sent events.
    Stream,
    /// As one JSON array whose elements arrive one by one (Gemini without `alt=sse`).
    JsonArray,
    /// As one JSON body.
    Whole,
}

impl Delivery {
    /// True when the answer is sent piece by piece.
    pub fn is_stream(self) -> bool {
        match self {
            Delivery::Stream | Delivery::JsonArray => true,
            Delivery::Whole => false,
        }
    }
}

/// A decoded request.
#[derive(Debug, Clone)]
pub struct Inbound {
    /// What to answer.
    pub conversation: Conversation,
    /// How to answer.
    pub delivery: Delivery,
    /// What the answer repeats.
    pub echo: Echo,
    /// What was ignored or changed while decoding.
    pub notices: Vec<Notice>,
    /// What must be kept, together with the encoded answer, so that a later request can continue here; `None` keeps nothing.
    pub keep: Option<Value>,
    /// True when the protocol has no place for the signatures of reasoning: whoever serves it has to remember them, or the
    /// model loses what it thought between its call and the result.
    pub forgets_signatures: bool,
}

/// What an answer repeats of its request, with ids and times already chosen, so that encoding is pure.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Echo {
    /// The caller's request id; answer ids are derived from it.
    pub request_id: String,
    /// The model name the client used.
    pub model: String,
    /// Unix seconds.
    pub created: u64,
    /// Estimate of the input tokens, for protocols that must name a figure before the answer begins. The pipeline sets it.
    pub input_tokens: Option<u64>,
    /// True when the client asked for thinking to be shown; otherwise thinking events are not encoded as thinking.
    pub show_thinking: bool,
    /// How the answer is delivered.
    pub delivery: Option<Delivery>,
    /// How reasoning is written where the protocol leaves it open. The gateway's setting decides.
    pub reasoning: ReasoningStyle,
    /// Tools that the client declared in another form than a function, by the name the model knows.
    pub tools: Arc<BTreeMap<String, ToolForm>>,
    /// Fields of the request that the answer repeats word for word; the protocol's own business.
    pub repeat: Arc<JsonObject>,
}

impl Echo {
    /// With the request's id and time, its model and its delivery; nothing else is repeated yet.
    pub(crate) fn new(head: &RequestHead, conversation: &Conversation, delivery: Delivery) -> Self {
        Self {
            request_id: head.request_id.clone(),
            model: conversation.model.clone(),
            created: head.now,
            delivery: Some(delivery),
            ..Self::default()
        }
    }
}

/// How reasoning is written in a protocol that has no field of its own for it (OpenAI Chat Completions).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ReasoningStyle {
    /// In `reasoning_content`, beside the text.
    #[default]
    Content,
    /// Left out.
    Removed,
    /// In the text, between `<thinking>` tags.
    Tagged,
    /// In the text, without tags.
    Plain,
}

/// A tool that is not a plain function for the client, although it is one for the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolForm {
    /// Its form.
    pub kind: ToolKind,
    /// Its name for the client.
    pub name: String,
    /// The namespace it was declared in.
    pub namespace: Option<String>,
}

/// Forms of tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToolKind {
    /// Arguments as a JSON object.
    Function,
    /// One text; the model writes it as the only argument, `input`.
    Freeform,
    /// The client's shell (`local_shell`).
    LocalShell,
    /// The client's search for more tools (`tool_search`).
    ToolSearch,
}

/// Something that was ignored, changed or repaired; never silence, never a crash.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Notice {
    /// Stable code, snake case, e.g. `unknown_field`, `tool_name_shortened`.
    pub code: &'static str,
    /// Where, as a JSON path of the request, e.g. `messages[3].content[0]`.
    pub path: String,
    /// Plain words; never contents of the conversation.
    pub detail: String,
}

impl Notice {
    /// A notice.
    pub fn new(code: &'static str, path: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { code, path: path.into(), detail: detail.into() }
    }
}

/// A request that cannot be decoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}{}{message}", if path.is_empty() { "" } else { ": " })]
pub struct DecodeError {
    /// Stable code: `invalid_json`, `too_deep`, `missing_field`, `wrong_type`, `invalid_value`, `unsupported`, `too_many`.
    pub code: &'static str,
    /// Where, as a JSON path; empty for the whole body.
    pub path: String,
    /// Plain words in the style of the protocol.
    pub message: String,
}

/// A model as a model list shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelCard {
    /// Id to use in requests.
    pub id: String,
    /// Display name.
    pub name: String,
    /// Unix seconds.
    pub created: u64,
    /// Context window in tokens, when known.
    pub context_window: Option<u64>,
    /// Output limit in tokens, when known.
    pub max_output: Option<u64>,
    /// True when images are accepted.
    pub images: bool,
    /// Effort levels the model accepts, lowest first.
    pub efforts: Vec<String>,
    /// Credits multiplier, when known.
    pub credit_multiplier: Option<f64>,
    /// True when documents are accepted.
    pub documents: bool,
    /// One line about the model, when known.
    pub description: Option<String>,
    /// The model this name stands for, when it is an alias.
    pub alias_of: Option<String>,
}

/// A page request for a model list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PageQuery {
    /// At most this many.
    pub limit: Option<usize>,
    /// Only entries after this id.
    pub after: Option<String>,
    /// Only entries before this id.
    pub before: Option<String>,
}

/// A client protocol. Implementations are stateless.
pub trait Protocol: 'static {
    /// Holds the bookkeeping of one stream.
    type Encoder: StreamEncoder;
    /// True when a stream that failed must not end cleanly, because clients would take what they have for the whole answer:
    /// the connection is reset after the error event.
    const RESETS_AFTER_FAILURE: bool = false;

    /// The id of the kept answer that a request continues, if any (OpenAI Responses `previous_response_id`).
    fn continues(_body: &[u8]) -> Option<String> {
        None
    }

    /// Decodes a request body.
    fn decode(head: &RequestHead, body: &[u8]) -> Result<Inbound, DecodeError>;
    /// Decodes the body of a token count request; only `conversation` and `notices` matter.
    fn decode_count(head: &RequestHead, body: &[u8]) -> Result<Inbound, DecodeError>;
    /// Encodes a complete answer.
    fn encode(reply: &Reply, echo: &Echo) -> Value;
    /// Begins a stream.
    fn encoder(echo: Echo) -> Self::Encoder;
    /// Status and body of a failure. The caller adds `retry-after` from [`Failure::retry_after`].
    fn encode_failure(failure: &Failure, request_id: &str) -> (StatusCode, Value);
    /// Encodes a token count.
    fn encode_count(input_tokens: u64) -> Value;
    /// Encodes a model list.
    fn encode_models(models: &[ModelCard], page: &PageQuery) -> Value;
    /// Encodes one model.
    fn encode_model(model: &ModelCard) -> Value;
}

/// How far an encoder has come with its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Nothing was written.
    Fresh,
    /// The stream was opened.
    Started,
    /// It has its end, good or bad: nothing follows.
    Ended,
}

/// Turns events into a protocol's server-sent events.
pub trait StreamEncoder: Send {
    /// Opens the stream (before the upstream answered), so that the client sees headers and a first event early.
    fn start(&mut self, out: &mut SseWriter);
    /// Encodes one event. `start` is implied if it was not called.
    fn event(&mut self, event: &Event, out: &mut SseWriter);
    /// A harmless sign of life in the protocol's own form.
    fn keep_alive(&mut self, out: &mut SseWriter);
    /// Ends the stream: `Ok` after [`Event::Stop`], with the protocol's success terminator; `Err` with the protocol's
    /// own error event and **without** the success terminator.
    fn end(&mut self, result: Result<(), &Failure>, out: &mut SseWriter);
}
