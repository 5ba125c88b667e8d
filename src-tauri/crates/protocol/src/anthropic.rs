//! Anthropic Messages: `POST /v1/messages`, `/v1/messages/count_tokens`, `GET /v1/models`.
//!
//! - `wire`: the request as it is written, read in one pass; unknown keys are collected, values are moved, not copied.
//!   Tolerant and capped values come from `reading`.
//! - `blocks`, `media`, `found`: content blocks into blocks of the conversation while they are read.
//! - `tools`, `well_known`: tool declarations and the tool choice; `edits`: `context_management` applied to the history.
//! - `decode`, with `session` and `wishes`: the whole request into an [`Inbound`].
//! - `encode`, `stream`: the answer, whole and as a stream; `failure`, `models`: the rest of the replies.

mod blocks;
mod decode;
mod edits;
mod encode;
mod failure;
mod found;
mod media;
mod models;
mod session;
mod stream;
mod tools;
mod well_known;
mod wire;
mod wishes;

use crate::codec::{DecodeError, Echo, Inbound, ModelCard, PageQuery, Protocol, RequestHead};
use crate::event::Reply;
use crate::failure::Failure;
use http::StatusCode;
use serde_json::Value;

pub use stream::AnthropicEncoder;

/// The Anthropic Messages protocol.
#[derive(Debug, Clone, Copy, Default)]
pub struct AnthropicMessages;

/// Most messages a request may carry (the upstream's own window is far smaller; this bounds memory).
pub const MAX_MESSAGES: usize = 20_000;
/// Most tools a request may declare.
pub const MAX_TOOLS: usize = 512;
/// Most JSON values a request may hold, counted by the commas between them: this, too, bounds memory.
pub const MAX_VALUES: usize = crate::reading::MAX_VALUES;
/// Most stop sequences a request may carry.
pub const MAX_STOP_SEQUENCES: usize = 1_024;

impl Protocol for AnthropicMessages {
    type Encoder = AnthropicEncoder;

    fn decode(head: &RequestHead, body: &[u8]) -> Result<Inbound, DecodeError> {
        decode::decode(head, body, decode::Purpose::Answer)
    }

    fn decode_count(head: &RequestHead, body: &[u8]) -> Result<Inbound, DecodeError> {
        decode::decode(head, body, decode::Purpose::Count)
    }

    fn encode(reply: &Reply, echo: &Echo) -> Value {
        encode::message(reply, echo)
    }

    fn encoder(echo: Echo) -> AnthropicEncoder {
        AnthropicEncoder::new(echo)
    }

    fn encode_failure(failure: &Failure, request_id: &str) -> (StatusCode, Value) {
        (failure::status(failure.class), failure::body(failure, request_id))
    }

    fn encode_count(input_tokens: u64) -> Value {
        serde_json::json!({ "input_tokens": input_tokens })
    }

    fn encode_models(models: &[ModelCard], page: &PageQuery) -> Value {
        models::list(models, page)
    }

    fn encode_model(model: &ModelCard) -> Value {
        models::card(model)
    }
}

/// The id of the answer to a request: the same in a stream and in a whole reply.
fn message_id(echo: &Echo) -> String {
    format!("msg_{}", echo.request_id)
}
