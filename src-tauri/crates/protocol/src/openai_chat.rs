//! OpenAI Chat Completions (`POST /v1/chat/completions`) and its predecessor (`POST /v1/completions`).
//!
//! - `wire`: the request as it is written, read in one pass; `parts`: content parts into blocks while they are read.
//! - `messages`, `tools`, `wishes`: the parts of a request; `decode`: the whole request into an [`Inbound`].
//! - `weave`: where reasoning goes, in each of the four styles, the same for streams and whole replies.
//! - `encode`: what both forms of the answer share, and the whole reply; `stream`: the answer as chunks.
//! - `legacy`: `/v1/completions`, one text in and one text out.

mod decode;
mod encode;
mod legacy;
mod messages;
mod parts;
mod stream;
mod texts;
mod tools;
mod weave;
mod wire;
mod wishes;

use crate::codec::{DecodeError, Echo, Inbound, ModelCard, PageQuery, Protocol, RequestHead};
use crate::event::Reply;
use crate::failure::Failure;
use crate::openai;
use http::StatusCode;
use serde_json::{Value, json};

pub use legacy::CompletionEncoder;
pub use stream::ChatEncoder;

/// OpenAI Chat Completions.
#[derive(Debug, Clone, Copy, Default)]
pub struct OpenAiChat;

/// The legacy completions of OpenAI: a prompt and its continuation.
#[derive(Debug, Clone, Copy, Default)]
pub struct OpenAiCompletions;

/// Most messages a request may carry (the upstream's own window is far smaller; this bounds memory).
pub const MAX_MESSAGES: usize = 20_000;
/// Most tools a request may declare.
pub const MAX_TOOLS: usize = 512;
/// Most tool calls one message may carry.
pub const MAX_CALLS: usize = 1_024;
/// Most JSON values a request may hold, counted by the commas between them: this, too, bounds memory.
pub const MAX_VALUES: usize = crate::reading::MAX_VALUES;
/// Most stop sequences a request may carry.
pub const MAX_STOP_SEQUENCES: usize = 1_024;

impl Protocol for OpenAiChat {
    type Encoder = ChatEncoder;

    fn decode(head: &RequestHead, body: &[u8]) -> Result<Inbound, DecodeError> {
        decode::decode(head, body)
    }

    fn decode_count(head: &RequestHead, body: &[u8]) -> Result<Inbound, DecodeError> {
        decode::decode(head, body)
    }

    fn encode(reply: &Reply, echo: &Echo) -> Value {
        encode::completion(reply, echo)
    }

    fn encoder(echo: Echo) -> ChatEncoder {
        ChatEncoder::new(echo)
    }

    fn encode_failure(failure: &Failure, _request_id: &str) -> (StatusCode, Value) {
        (failure.class.status(), openai::failure::body(failure))
    }

    fn encode_count(input_tokens: u64) -> Value {
        json!({ "object": "response.input_tokens", "input_tokens": input_tokens })
    }

    fn encode_models(models: &[ModelCard], _page: &PageQuery) -> Value {
        openai::models::list(models)
    }

    fn encode_model(model: &ModelCard) -> Value {
        openai::models::card(model)
    }
}

impl Protocol for OpenAiCompletions {
    type Encoder = CompletionEncoder;

    fn decode(head: &RequestHead, body: &[u8]) -> Result<Inbound, DecodeError> {
        legacy::decode(head, body)
    }

    fn decode_count(head: &RequestHead, body: &[u8]) -> Result<Inbound, DecodeError> {
        legacy::decode(head, body)
    }

    fn encode(reply: &Reply, echo: &Echo) -> Value {
        legacy::completion(reply, echo)
    }

    fn encoder(echo: Echo) -> CompletionEncoder {
        CompletionEncoder::new(echo)
    }

    fn encode_failure(failure: &Failure, request_id: &str) -> (StatusCode, Value) {
        OpenAiChat::encode_failure(failure, request_id)
    }

    fn encode_count(input_tokens: u64) -> Value {
        OpenAiChat::encode_count(input_tokens)
    }

    fn encode_models(models: &[ModelCard], page: &PageQuery) -> Value {
        OpenAiChat::encode_models(models, page)
    }

    fn encode_model(model: &ModelCard) -> Value {
        OpenAiChat::encode_model(model)
    }
}
