//! The request as the service's schema types it (kiro-upstream §2.1). What does not fit is rule V25.

use serde::Deserialize;
use serde_json::{Map, Value};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Request {
    pub(super) conversation_state: ConversationState,
    pub(super) profile_arn: Option<String>,
    pub(super) additional_model_request_fields: Option<Value>,
    #[serde(flatten)]
    pub(super) rest: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConversationState {
    pub(super) current_message: Turn,
    pub(super) chat_trigger_type: String,
    #[serde(rename = "conversationId")]
    _conversation_id: Option<String>,
    #[serde(default)]
    pub(super) history: Vec<Turn>,
    #[serde(rename = "agentTaskType")]
    _agent_task_type: Option<AgentTask>,
    pub(super) agent_continuation_id: Option<String>,
    #[serde(flatten)]
    pub(super) rest: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum AgentTask {
    Vibe,
    Spectask,
}

/// One side's turn; exactly one member is there.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Turn {
    pub(super) user_input_message: Option<User>,
    pub(super) assistant_response_message: Option<Assistant>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct User {
    pub(super) content: String,
    pub(super) model_id: Option<String>,
    pub(super) origin: Option<String>,
    #[serde(default)]
    pub(super) images: Vec<Media>,
    #[serde(default)]
    pub(super) documents: Vec<Media>,
    pub(super) user_input_message_context: Option<Context>,
    #[serde(flatten)]
    pub(super) rest: Map<String, Value>,
}

impl User {
    pub(super) fn results(&self) -> &[ToolResult] {
        self.user_input_message_context.as_ref().and_then(|c| c.tool_results.as_deref()).unwrap_or_default()
    }

    pub(super) fn tools(&self) -> &[ToolEntry] {
        self.user_input_message_context.as_ref().and_then(|c| c.tools.as_deref()).unwrap_or_default()
    }
}

/// An image or a document.
#[derive(Debug, Deserialize)]
pub(super) struct Media {
    pub(super) name: Option<String>,
    pub(super) format: String,
    pub(super) source: Source,
}

#[derive(Debug, Deserialize)]
pub(super) struct Source {
    pub(super) bytes: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Context {
    pub(super) tools: Option<Vec<ToolEntry>>,
    pub(super) tool_results: Option<Vec<ToolResult>>,
    #[serde(flatten)]
    pub(super) rest: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ToolEntry {
    pub(super) tool_specification: Option<ToolSpecification>,
    pub(super) cache_point: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ToolSpecification {
    pub(super) name: String,
    pub(super) description: Option<String>,
    pub(super) input_schema: InputSchema,
}

#[derive(Debug, Deserialize)]
pub(super) struct InputSchema {
    #[serde(default)]
    pub(super) json: Value,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ToolResult {
    pub(super) tool_use_id: String,
    pub(super) content: Vec<ResultPart>,
    #[serde(rename = "status")]
    _status: Option<ResultStatus>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ResultPart {
    pub(super) text: Option<String>,
    pub(super) json: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ResultStatus {
    Success,
    Error,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Assistant {
    pub(super) content: Option<String>,
    pub(super) tool_uses: Option<Vec<ToolUse>>,
    pub(super) reasoning_content: Option<Reasoning>,
    #[serde(flatten)]
    pub(super) rest: Map<String, Value>,
}

impl Assistant {
    pub(super) fn calls(&self) -> &[ToolUse] {
        self.tool_uses.as_deref().unwrap_or_default()
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ToolUse {
    pub(super) tool_use_id: String,
    pub(super) name: String,
    #[serde(default)]
    pub(super) input: Value,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Reasoning {
    pub(super) reasoning_text: Option<ReasoningText>,
    pub(super) redacted_content: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ReasoningText {
    pub(super) text: String,
    pub(super) signature: Option<String>,
}
