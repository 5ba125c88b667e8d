//! Conversations as short JSON, for golden files. Knows no client protocol.

use kiro_protocol::conversation::{
    Block, Conversation, Document, Effort, Image, JsonObject, Message, Role, Sampling, Thinking, ToolChoice, ToolSpec,
};
use kiro_protocol::kiro::request::BuildContext;
use serde::Deserialize;
use serde_json::Value;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[derive(Default)]
pub(super) struct Input {
    system: Vec<Piece>,
    messages: Vec<Turn>,
    tools: Vec<Tool>,
    tool_choice: Choice,
    parallel_tools: Option<bool>,
    thinking: Wish,
    effort: Option<String>,
    max_tokens: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
enum Turn {
    User(Vec<Piece>),
    Assistant(Vec<Piece>),
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
enum Piece {
    Text(String),
    Cached(String),
    Thinking {
        text: String,
        signature: Option<String>,
    },
    Redacted(String),
    Image {
        media_type: String,
        data: String,
    },
    Document {
        name: Option<String>,
        media_type: String,
        data: String,
    },
    Call {
        id: String,
        name: String,
        input: JsonObject,
    },
    Result {
        id: String,
        content: Vec<Piece>,
        #[serde(default)]
        error: bool,
    },
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Tool {
    name: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    schema: JsonObject,
    #[serde(default)]
    cache: bool,
}

#[derive(Debug, Deserialize, Default)]
#[serde(rename_all = "camelCase")]
enum Choice {
    #[default]
    Auto,
    Any,
    None,
    Tool(String),
}

#[derive(Debug, Deserialize, Default)]
#[serde(rename_all = "camelCase")]
enum Wish {
    #[default]
    Unspecified,
    Off,
    Adaptive,
    Budget(u32),
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Context {
    model_id: String,
    conversation_id: String,
    continuation_id: Option<String>,
    origin: String,
    fields_schema: Option<Value>,
    images: bool,
    documents: bool,
    cache_points: usize,
    prompt_thinking: bool,
    strip_reasoning: bool,
}

impl Default for Context {
    fn default() -> Self {
        Self {
            model_id: "claude-sonnet-4.5".to_owned(),
            conversation_id: "00000000-0000-4000-8000-000000000101".to_owned(),
            continuation_id: Some("00000000-0000-4000-8000-000000000201".to_owned()),
            origin: "AI_EDITOR".to_owned(),
            fields_schema: None,
            images: true,
            documents: true,
            cache_points: 0,
            prompt_thinking: false,
            strip_reasoning: false,
        }
    }
}

impl Context {
    pub(super) fn build(self) -> BuildContext {
        BuildContext {
            model_id: self.model_id,
            conversation_id: self.conversation_id,
            continuation_id: self.continuation_id,
            origin: if self.origin == "KIRO_CLI" { "KIRO_CLI" } else { "AI_EDITOR" },
            max_body_bytes: 600_000,
            fields_schema: self.fields_schema,
            images_allowed: self.images,
            documents_allowed: self.documents,
            cache_points: self.cache_points,
            prompt_thinking: self.prompt_thinking,
            strip_reasoning: self.strip_reasoning,
            cache_minimum: 0,
            cache_unmarked: false,
        }
    }
}

impl Input {
    pub(super) fn build(self) -> Conversation {
        let tool = |tool: Tool| ToolSpec {
            name: tool.name,
            description: tool.description,
            schema: tool.schema,
            cache: tool.cache,
        };
        Conversation {
            model: "model".to_owned(),
            system: self.system.into_iter().map(block).collect(),
            messages: self.messages.into_iter().map(message).collect(),
            tools: self.tools.into_iter().map(tool).collect(),
            tool_choice: match self.tool_choice {
                Choice::Auto => ToolChoice::Auto,
                Choice::Any => ToolChoice::Any,
                Choice::None => ToolChoice::None,
                Choice::Tool(name) => ToolChoice::Tool(name),
            },
            parallel_tools: self.parallel_tools,
            thinking: match self.thinking {
                Wish::Unspecified => Thinking::Unspecified,
                Wish::Off => Thinking::Off,
                Wish::Adaptive => Thinking::Adaptive,
                Wish::Budget(tokens) => Thinking::Budget(tokens),
            },
            sampling: Sampling {
                max_tokens: self.max_tokens,
                effort: self.effort.map(|effort| match effort.as_str() {
                    "low" => Effort::Low,
                    "medium" => Effort::Medium,
                    "high" => Effort::High,
                    other => panic!("unknown effort {other}"),
                }),
                ..Sampling::default()
            },
            ..Conversation::default()
        }
    }
}

fn message(turn: Turn) -> Message {
    let (role, pieces) = match turn {
        Turn::User(pieces) => (Role::User, pieces),
        Turn::Assistant(pieces) => (Role::Assistant, pieces),
    };
    Message { role, content: pieces.into_iter().map(block).collect() }
}

fn block(piece: Piece) -> Block {
    match piece {
        Piece::Text(text) => Block::Text { text, cache: false },
        Piece::Cached(text) => Block::Text { text, cache: true },
        Piece::Thinking { text, signature } => Block::Thinking { text, signature },
        Piece::Redacted(data) => Block::RedactedThinking { data },
        Piece::Image { media_type, data } => Block::Image(Image { media_type, data }),
        Piece::Document { name, media_type, data } => Block::Document(Document { name, media_type, data }),
        Piece::Call { id, name, input } => Block::ToolUse { id, name, input, cache: false },
        Piece::Result { id, content, error } => Block::ToolResult {
            tool_use_id: id,
            content: content.into_iter().map(block).collect(),
            is_error: error,
            cache: false,
        },
    }
}
