//! Compaction: a long conversation becomes one opaque item that stands for it.
//!
//! Clients ask for it with `POST /v1/responses/compact` (the answer is a `response.compaction`: the user's messages, then
//! the item) or with a `compaction_trigger` as an item of an ordinary request (the answer's only item is the compaction).
//! OpenAI's own compaction is opaque; here the model writes a summary, which is sealed as [`Opaque::Summary`].

use super::opaque::Opaque;
use super::response::WireUsage;
use super::{ResponsesEncoder, decode, response_id};
use crate::codec::{DecodeError, Echo, Inbound, ModelCard, PageQuery, Protocol, RequestHead};
use crate::conversation::{Block, Conversation, JsonObject, Message, Role, ToolChoice};
use crate::event::{Reply, ReplyBlock};
use crate::failure::Failure;
use http::StatusCode;
use serde_json::{Value, json};

/// In the echo: this is a compaction; the value holds the messages that stay as they are. Never repeated.
pub(super) const COMPACTION: &str = "compaction";

const WISH: &str = "Write a summary of this conversation now. It will replace everything above: whoever goes on from here will see \
nothing but your summary. Say what the user wants and what was agreed, what was done and found out (with the paths, names, \
commands, figures and error messages that are still needed, word for word), what is open, and what the next step is. Call no \
tools, and write the summary only.";

/// `POST /v1/responses/compact`, seen as a protocol of its own: the same requests, another answer. It has no stream.
#[derive(Debug, Clone, Copy, Default)]
pub struct OpenAiCompaction;

impl Protocol for OpenAiCompaction {
    type Encoder = ResponsesEncoder;

    fn continues(body: &[u8]) -> Option<String> {
        super::kept::continues(body)
    }

    fn decode(head: &RequestHead, body: &[u8]) -> Result<Inbound, DecodeError> {
        let mut inbound = decode::decode(head, body, decode::Purpose::Compact)?;
        inbound.delivery = crate::codec::Delivery::Whole;
        Ok(inbound)
    }

    fn decode_count(head: &RequestHead, body: &[u8]) -> Result<Inbound, DecodeError> {
        decode::decode(head, body, decode::Purpose::Count)
    }

    fn encode(reply: &Reply, echo: &Echo) -> Value {
        let mut output = match echo.repeat.get(COMPACTION) {
            Some(Value::Array(kept)) => kept.clone(),
            Some(_) | None => Vec::new(),
        };
        output.push(item(echo, output.len(), &summary(reply)));
        json!({
            "id": response_id(echo),
            "object": "response.compaction",
            "created_at": echo.created,
            "output": output,
            "usage": WireUsage::new(&reply.usage, echo),
        })
    }

    fn encoder(echo: Echo) -> ResponsesEncoder {
        ResponsesEncoder::new(echo)
    }

    fn encode_failure(failure: &Failure, request_id: &str) -> (StatusCode, Value) {
        super::OpenAiResponses::encode_failure(failure, request_id)
    }

    fn encode_count(input_tokens: u64) -> Value {
        super::OpenAiResponses::encode_count(input_tokens)
    }

    fn encode_models(models: &[ModelCard], page: &PageQuery) -> Value {
        super::OpenAiResponses::encode_models(models, page)
    }

    fn encode_model(model: &ModelCard) -> Value {
        super::OpenAiResponses::encode_model(model)
    }
}

/// Turns a conversation into the request for its summary. The items are those that a compacted conversation keeps as they
/// are, as far as the user said them.
pub(super) fn ask(conversation: &mut Conversation, repeat: &mut JsonObject, items: Vec<Value>) {
    let user = |item: &Value| item.get("type") == Some(&json!("message")) && item.get("role") == Some(&json!("user"));
    let stays: Vec<Value> = items.into_iter().filter(user).collect();
    repeat.insert(COMPACTION.to_owned(), Value::Array(stays));
    let content = vec![Block::Text { text: WISH.to_owned(), cache: false }];
    conversation.messages.push(Message { role: Role::User, content });
    conversation.tool_choice = ToolChoice::None;
    conversation.output_format = None;
}

/// True when the answer to this request is a compaction.
pub(super) fn is_asked(echo: &Echo) -> bool {
    echo.repeat.contains_key(COMPACTION)
}

/// All visible text of an answer.
pub(super) fn summary(reply: &Reply) -> String {
    let text = |block: &ReplyBlock| match block {
        ReplyBlock::Text(text) => Some(text.clone()),
        ReplyBlock::Thinking { .. }
        | ReplyBlock::RedactedThinking(_)
        | ReplyBlock::ToolUse { .. }
        | ReplyBlock::Search { .. } => None,
    };
    reply.blocks.iter().filter_map(text).collect()
}

/// The item that stands for the conversation.
pub(super) fn item(echo: &Echo, index: usize, summary: &str) -> Value {
    json!({
        "id": format!("cmp_{}_{index}", echo.request_id),
        "type": "compaction",
        "encrypted_content": Opaque::Summary { summary: summary.to_owned() }.seal(),
    })
}
