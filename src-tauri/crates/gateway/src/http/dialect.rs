//! Whose words a caller understands, and what serving a protocol needs besides its codec.

use http::{HeaderMap, StatusCode};
use kiro_protocol::anthropic::AnthropicMessages;
use kiro_protocol::codec::Protocol;
use kiro_protocol::failure::Failure;
use kiro_protocol::gemini::Gemini;
use kiro_protocol::openai_chat::{OpenAiChat, OpenAiCompletions};
use kiro_protocol::openai_responses::{OpenAiCompaction, OpenAiResponses};
use serde_json::Value;

/// How a failure is put into a protocol's words.
pub(crate) type Words = fn(&Failure, &str) -> (StatusCode, Value);

/// The three families of clients. Both APIs of OpenAI speak of failures and models in the same words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Anthropic,
    OpenAi,
    Gemini,
}

impl Dialect {
    /// For paths that several families share (clients.md 1.1): each SDK sends headers of its own, apart from OpenAI's.
    pub(crate) fn by_headers(headers: &HeaderMap) -> Self {
        if headers.contains_key("anthropic-version") {
            Self::Anthropic
        } else if headers.contains_key("x-goog-api-key") || headers.contains_key("x-goog-api-client") {
            Self::Gemini
        } else {
            Self::OpenAi
        }
    }

    /// How this family reads failures.
    pub(crate) fn words(self) -> Words {
        match self {
            Self::Anthropic => AnthropicMessages::encode_failure,
            Self::OpenAi => OpenAiResponses::encode_failure,
            Self::Gemini => Gemini::encode_failure,
        }
    }
}

/// A protocol as it is served here.
pub(crate) trait Served: Protocol {
    /// Its name in flow records.
    const NAME: &'static str;
    /// True when the first event of a stream names the input tokens: a key may ask to wait for the true figure.
    const BEGINS_WITH_USAGE: bool = false;
}

impl Served for AnthropicMessages {
    const NAME: &'static str = "anthropic";
    const BEGINS_WITH_USAGE: bool = true;
}

impl Served for Gemini {
    const NAME: &'static str = "gemini";
}

impl Served for OpenAiResponses {
    const NAME: &'static str = "openai-responses";
}

impl Served for OpenAiCompaction {
    const NAME: &'static str = "openai-compaction";
}

impl Served for OpenAiChat {
    const NAME: &'static str = "openai-chat";
}

impl Served for OpenAiCompletions {
    const NAME: &'static str = "openai-completions";
}
