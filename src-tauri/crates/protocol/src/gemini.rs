//! Gemini generateContent: `POST /v1beta/models/{model}:generateContent`, `:streamGenerateContent`, `:countTokens`, and
//! `GET /v1beta/models`; the same under `/v1`.
//!
//! - `path`: model and method are part of the path.
//! - `wire`: the request as it is written, in camel case or snake case, read in one pass; `values`: its tolerant values.
//! - `parts`, `media`: parts of a content into pieces of the conversation while they are read.
//! - `contents`: contents into turns; calls and responses without ids are matched here.
//! - `config`, `tools`, `schema`: wishes, tool declarations, and Google's schema dialect.
//! - `decode`: the whole request into an [`Inbound`].
//! - `assemble`: events or blocks into parts, the same for both kinds of delivery; `signature`: thoughts as an opaque text.
//! - `encode`, `stream`: the answer, whole and piece by piece; `failure`, `models`: the rest of the replies.

mod assemble;
mod config;
mod contents;
mod decode;
mod encode;
mod failure;
mod media;
mod models;
mod parts;
mod path;
mod schema;
mod signature;
mod stream;
mod tools;
mod values;
mod wire;

use crate::codec::{DecodeError, Echo, Inbound, ModelCard, PageQuery, Protocol, RequestHead};
use crate::event::Reply;
use crate::failure::Failure;
use http::StatusCode;
use serde_json::Value;

pub use path::{Call, Method};
pub use stream::GeminiEncoder;

/// The Gemini protocol.
#[derive(Debug, Clone, Copy, Default)]
pub struct Gemini;

/// Most contents a request may carry (the upstream's own window is far smaller; this bounds memory).
pub const MAX_CONTENTS: usize = 20_000;
/// Most tools, and most functions of one tool, a request may declare.
pub const MAX_TOOLS: usize = 512;
/// Most stop sequences a request may carry.
pub const MAX_STOP_SEQUENCES: usize = 1_024;

impl Protocol for Gemini {
    type Encoder = GeminiEncoder;

    /// Gemini CLI takes an answer to a tool result for complete when its stream ends cleanly, whatever it ends with.
    const RESETS_AFTER_FAILURE: bool = true;

    fn decode(head: &RequestHead, body: &[u8]) -> Result<Inbound, DecodeError> {
        decode::decode(head, body, decode::Purpose::Answer)
    }

    fn decode_count(head: &RequestHead, body: &[u8]) -> Result<Inbound, DecodeError> {
        decode::decode(head, body, decode::Purpose::Count)
    }

    fn encode(reply: &Reply, echo: &Echo) -> Value {
        encode::response(reply, echo)
    }

    fn encoder(echo: Echo) -> GeminiEncoder {
        GeminiEncoder::new(echo)
    }

    fn encode_failure(failure: &Failure, request_id: &str) -> (StatusCode, Value) {
        (failure.class.status(), failure::body(failure, request_id))
    }

    fn encode_count(input_tokens: u64) -> Value {
        serde_json::json!({ "totalTokens": input_tokens })
    }

    fn encode_models(models: &[ModelCard], page: &PageQuery) -> Value {
        models::list(models, page)
    }

    fn encode_model(model: &ModelCard) -> Value {
        models::card(model)
    }
}
