//! The request body of `GenerateAssistantResponse`, field by field (kiro-upstream §2.1).
//!
//! What would be empty is left out: the service refuses an empty context object and an empty list of tool calls.

use crate::conversation::JsonObject;
use serde::Serialize;
use serde_json::Value;
use std::sync::Arc;

/// The whole body except `profileArn`, which belongs to the account and is bound per attempt.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GenerateRequest {
    /// The conversation.
    pub conversation_state: ConversationState,
    /// Fields for the model provider; only what the model's own schema lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub additional_model_request_fields: Option<Value>,
}

/// The conversation: earlier turns and the turn to answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConversationState {
    /// `vibe`.
    pub agent_task_type: &'static str,
    /// `MANUAL`; other values are refused or mean something else.
    pub chat_trigger_type: &'static str,
    /// Stable per client conversation.
    pub conversation_id: String,
    /// Sent by the IDE identity only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent_continuation_id: Option<String>,
    /// The turn to answer; always the user's.
    pub current_message: Message,
    /// Earlier turns: user first, alternating, assistant last.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<Message>,
}

/// One turn.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Message {
    /// The user's turn.
    UserInputMessage(Box<UserInputMessage>),
    /// The model's turn.
    AssistantResponseMessage(Box<AssistantResponseMessage>),
}

/// The user's turn, tool results included.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UserInputMessage {
    /// Text; may be empty only next to tool results.
    pub content: String,
    /// The model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_id: Option<Arc<str>>,
    /// Who asks; without it the service takes the request for internal traffic.
    pub origin: &'static str,
    /// Pictures.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<Image>,
    /// Documents.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub documents: Vec<Document>,
    /// A cache point after this message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_point: Option<CachePoint>,
    /// Tools and tool results.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_input_message_context: Option<UserInputMessageContext>,
}

/// Tools and tool results of a user turn; never empty.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UserInputMessageContext {
    /// Tools the model may call; in the current message only.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<Tool>,
    /// Answers to the calls of the assistant turn right before.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tool_results: Vec<ToolResult>,
}

/// The model's turn.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AssistantResponseMessage {
    /// Text; the key is required, an empty string is fine next to tool calls.
    pub content: String,
    /// Calls the model made.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tool_uses: Vec<ToolUse>,
    /// Reasoning, replayed byte for byte.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning_content: Option<ReasoningContent>,
    /// A cache point after this message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_point: Option<CachePoint>,
}

/// An element of the tool list.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Tool {
    /// A tool.
    ToolSpecification(ToolSpecification),
    /// A cache point after the tools before it.
    CachePoint(CachePoint),
}

/// A tool.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ToolSpecification {
    /// At most 63 characters, letter first, then letters, digits, `_`, `-`.
    pub name: String,
    /// Never empty, at most 10,000 characters.
    pub description: String,
    /// The schema of the input.
    pub input_schema: InputSchema,
}

/// The schema of a tool's input.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct InputSchema {
    /// JSON Schema, top level `type: object`.
    pub json: JsonObject,
}

/// A call the model made.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ToolUse {
    /// Id, unique in the conversation.
    pub tool_use_id: String,
    /// Name as declared upstream.
    pub name: String,
    /// Arguments; always an object.
    pub input: JsonObject,
}

/// The answer to a call.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ToolResult {
    /// Id of the call.
    pub tool_use_id: String,
    /// What the tool said.
    pub content: Vec<ToolResultContent>,
    /// `success` or `error`.
    pub status: &'static str,
}

/// A piece of a tool result.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ToolResultContent {
    /// Text.
    Text(String),
}

/// Reasoning of an earlier turn.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ReasoningContent {
    /// Visible reasoning with its signature.
    ReasoningText(ReasoningText),
    /// Encrypted reasoning, base64.
    RedactedContent(String),
}

/// Visible reasoning with its signature.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReasoningText {
    /// The text, byte for byte.
    pub text: String,
    /// The signature, byte for byte.
    pub signature: String,
}

/// A picture.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Image {
    /// `png`, `jpeg`, `gif` or `webp`.
    pub format: &'static str,
    /// The bytes.
    pub source: Source,
}

/// A document.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Document {
    /// Unique in the request.
    pub name: String,
    /// `csv`, `doc`, `docx`, `html`, `md`, `pdf`, `txt`, `xls` or `xlsx`.
    pub format: &'static str,
    /// The bytes.
    pub source: Source,
}

/// Inline bytes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Source {
    /// Base64, standard alphabet.
    pub bytes: String,
}

/// A cache point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct CachePoint {
    /// `default`.
    #[serde(rename = "type")]
    pub kind: &'static str,
}

impl Default for CachePoint {
    fn default() -> Self {
        Self { kind: "default" }
    }
}
