//! OpenAI Responses: `POST /v1/responses`, `/v1/responses/input_tokens`, `/v1/responses/compact`, and what
//! `/v1/responses/{id}` shows of kept answers.
//!
//! - `wire`, `content`: the request as it is written, read in one pass; parts become blocks while they are read.
//! - `tools`, `choice`: tool declarations and the tool choice.
//! - `items`: items of `input` into turns; `options`: everything else; `decode`: the whole request into an [`Inbound`].
//! - `output`, `response`: items and the response object, the same in a stream and in a whole reply.
//! - `stream`, `live_text`: the ladder of events.
//! - `opaque`: what goes out as `encrypted_content` and comes back.
//! - `kept`: answers that a later request continues; `compact`: conversations that become one item.

mod choice;
mod compact;
mod content;
mod decode;
mod items;
mod kept;
mod live_text;
mod opaque;
mod options;
mod output;
mod response;
mod stream;
mod tools;
mod wire;

use crate::codec::{DecodeError, Echo, Inbound, ModelCard, PageQuery, Protocol, RequestHead};
use crate::event::Reply;
use crate::failure::Failure;
use crate::openai::{failure, models};
use http::StatusCode;
use serde_json::{Value, json};

pub use compact::OpenAiCompaction;
pub use stream::ResponsesEncoder;

/// The OpenAI Responses protocol.
#[derive(Debug, Clone, Copy, Default)]
pub struct OpenAiResponses;

/// Most items a request may carry (the upstream's own window is far smaller; this bounds memory).
pub const MAX_ITEMS: usize = 20_000;
/// Most tools a request may declare.
pub const MAX_TOOLS: usize = 512;

impl Protocol for OpenAiResponses {
    type Encoder = ResponsesEncoder;

    fn continues(body: &[u8]) -> Option<String> {
        kept::continues(body)
    }

    fn decode(head: &RequestHead, body: &[u8]) -> Result<Inbound, DecodeError> {
        decode::decode(head, body, decode::Purpose::Answer)
    }

    fn decode_count(head: &RequestHead, body: &[u8]) -> Result<Inbound, DecodeError> {
        decode::decode(head, body, decode::Purpose::Count)
    }

    fn encode(reply: &Reply, echo: &Echo) -> Value {
        let output = output::items(reply, echo);
        let state = response::State::Ended { stop: &reply.stop, usage: &reply.usage };
        serde_json::to_value(response::Response { echo, state, output: &output }).expect("responses always serialize")
    }

    fn encoder(echo: Echo) -> ResponsesEncoder {
        ResponsesEncoder::new(echo)
    }

    fn encode_failure(failure: &Failure, _request_id: &str) -> (StatusCode, Value) {
        (failure.class.status(), failure::body(failure))
    }

    fn encode_count(input_tokens: u64) -> Value {
        json!({ "object": "response.input_tokens", "input_tokens": input_tokens })
    }

    fn encode_models(models: &[ModelCard], _page: &PageQuery) -> Value {
        models::list(models)
    }

    fn encode_model(model: &ModelCard) -> Value {
        models::card(model)
    }
}

/// What the routes below `/v1/responses/{id}` show. Kept is `{"input": [...], "response": {...}}`: [`Inbound::keep`], which
/// is the list of items, and the encoded answer.
impl OpenAiResponses {
    /// `GET /v1/responses/{id}`.
    pub fn stored_response(kept: &Value) -> Value {
        kept::response(kept)
    }

    /// `GET /v1/responses/{id}/input_items`. The API's default order is the newest first.
    pub fn input_items(kept: &Value, page: &PageQuery, oldest_first: bool) -> Value {
        kept::page(kept, page, oldest_first)
    }

    /// `DELETE /v1/responses/{id}`.
    pub fn deleted(id: &str) -> Value {
        kept::deleted(id)
    }

    /// The id under which the answer to a request is kept.
    pub fn response_id(request_id: &str) -> String {
        format!("resp_{request_id}")
    }
}

fn response_id(echo: &Echo) -> String {
    OpenAiResponses::response_id(&echo.request_id)
}
