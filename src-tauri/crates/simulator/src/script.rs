//! What a test can ask for: a certain answer, and faults at exact bytes of it.

use serde::{Deserialize, Serialize};

use crate::frame::StreamMessage;
use crate::scenario::Scenario;

/// Which requests a script waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Target {
    /// The next request of the script's operation.
    Any,
    /// The next request of this account (its id).
    Account(String),
    /// The next request with this `conversationId`.
    Conversation(String),
}

/// One queued answer; used up by the first request that matches.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Script {
    /// Operation it applies to, such as `GenerateAssistantResponse`, `GetUsageLimits`, `RefreshToken`, `CreateToken`.
    pub operation: String,
    /// What is answered.
    pub answer: Answer,
    /// What goes wrong on the way.
    pub faults: Faults,
}

impl Default for Script {
    fn default() -> Self {
        Self { operation: "GenerateAssistantResponse".to_owned(), answer: Answer::Normal, faults: Faults::default() }
    }
}

/// The content of a scripted answer.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Answer {
    /// What the stand-in would answer anyway.
    #[default]
    Normal,
    /// This text, word by word, with the usual trailing events; from the MCP endpoint, as the tool's text.
    Text(String),
    /// What the stand-in would answer anyway, but the input of its tool call ends early.
    CutCall {
        /// Characters of the input's JSON text that are still sent.
        characters: usize,
        /// Whether the event that ends a call comes all the same.
        #[serde(default)]
        stop: bool,
    },
    /// A tool of the MCP endpoint fails with this text (`isError`).
    ToolFailed(String),
    /// The MCP endpoint answers a JSON-RPC error with this code.
    RpcError(i64),
    /// A scenario of `stream-scenarios.json`, by name.
    Scenario(String),
    /// An error of `errors.json`, by id.
    Error(String),
    /// Messages written out.
    Messages(Scenario),
    /// A plain HTTP answer.
    Http {
        /// Status code.
        status: u16,
        /// Headers.
        #[serde(default)]
        headers: Vec<(String, String)>,
        /// Body.
        #[serde(default)]
        body: String,
    },
}

/// Faults, all applied to the finished bytes of the answer. Offsets count from the first byte of the event stream;
/// negative offsets count from its end.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Faults {
    /// Messages put in before the message with this number (0 = first; beyond the end = last).
    pub insert: Vec<Insert>,
    /// Bits to flip.
    pub flip: Vec<Flip>,
    /// Where the stream ends early.
    pub cut: Option<Cut>,
    /// Where the stream stands still.
    pub stall: Vec<Stall>,
    /// Sizes of the pieces, used in turn; empty = one piece per message.
    pub chunks: Vec<usize>,
    /// Wait before the response headers, in milliseconds.
    pub headers_after_ms: u64,
    /// Wait between response headers and first byte, in milliseconds.
    pub first_byte_after_ms: u64,
    /// Wait after every message, in milliseconds.
    pub message_gap_ms: u64,
    /// Everything is sent, but the body is not closed until [`crate::Control::release`].
    pub no_close: bool,
    /// The connection is reset before any byte of an answer.
    pub refuse: bool,
    /// Nothing is done until [`crate::Control::release`]; not for chat answers.
    pub hold_before: bool,
    /// Everything is done, and nothing is answered until [`crate::Control::release`]; not for chat answers.
    pub hold_after: bool,
}

/// A message put into the answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Insert {
    /// Number of the message before which it is put.
    pub before: usize,
    /// The message.
    pub message: StreamMessage,
}

/// One flipped bit.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Flip {
    /// Byte.
    pub at: i64,
    /// Bit 0 (lowest) to 7.
    #[serde(default)]
    pub bit: u8,
}

/// An early end.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cut {
    /// Number of bytes that still arrive.
    pub at: i64,
    /// How the connection ends there.
    pub end: End,
}

/// How a body ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum End {
    /// The body is closed properly.
    #[default]
    Eof,
    /// The TCP connection is reset.
    Reset,
    /// Nothing more comes and nothing is closed, until [`crate::Control::release`].
    Hang,
}

/// A stand-still.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stall {
    /// After this many bytes.
    pub at: i64,
    /// For this long; `None` = until [`crate::Control::release`].
    #[serde(default)]
    pub for_ms: Option<u64>,
}
