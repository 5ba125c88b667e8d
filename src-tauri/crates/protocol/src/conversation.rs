//! The conversation every client protocol decodes into and the upstream edge builds from.
//!
//! Blocks keep what the client said, in order, without repair: the repairs that the upstream needs (alternation, tool
//! pairing, sizes) happen in one place, [`crate::kiro::request`].

use serde_json::{Map, Value};

/// A JSON object: tool input or a JSON Schema.
pub type JsonObject = Map<String, Value>;

/// A whole conversation, ready to be answered.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Conversation {
    /// The model as the client wrote it; the catalogue resolves it.
    pub model: String,
    /// System text in order. Text and cache marks only; other blocks are refused or noticed by the decoder.
    pub system: Vec<Block>,
    /// The turns in order. Roles need not alternate here.
    pub messages: Vec<Message>,
    /// Tools the client offers and runs itself.
    pub tools: Vec<ToolSpec>,
    /// Tools the client asks the server side to run, such as web search.
    pub server_tools: Vec<ServerTool>,
    /// Whether and which tool must be called.
    pub tool_choice: ToolChoice,
    /// `Some(false)` when the client allows at most one tool call per turn.
    pub parallel_tools: Option<bool>,
    /// Requested thinking.
    pub thinking: Thinking,
    /// Limits and sampling wishes.
    pub sampling: Sampling,
    /// Something stable per client session, when the client gave it (used for stickiness and the conversation id).
    pub session: Option<String>,
    /// The form the visible answer must have; the upstream knows none, so it is asked for in words and checked.
    pub output_format: Option<OutputFormat>,
    /// True when the client wants the arguments of tool calls as they are written, at the price of calls that may be cut.
    pub live_tool_input: bool,
}

/// A form of the visible answer.
#[derive(Debug, Clone, PartialEq)]
pub enum OutputFormat {
    /// Any JSON object.
    JsonObject,
    /// JSON that is valid against a schema.
    JsonSchema {
        /// The name the client gave it.
        name: Option<String>,
        /// The schema, as declared.
        schema: Value,
        /// True when an answer of another form is worse than none.
        strict: bool,
    },
    /// Exactly one of these texts and nothing else (Gemini's `text/x.enum`).
    OneOf {
        /// The texts, at least one.
        values: Vec<String>,
    },
}

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The client's side, tool results included.
    User,
    /// The model's side.
    Assistant,
}

/// One turn, or a piece of one.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said, in order.
    pub content: Vec<Block>,
}

/// One piece of content.
#[derive(Debug, Clone, PartialEq)]
pub enum Block {
    /// Plain text.
    Text {
        /// The text.
        text: String,
        /// True when the client asked for a cache point after this block.
        cache: bool,
    },
    /// Visible or hidden reasoning of an earlier assistant turn.
    Thinking {
        /// The reasoning text; may be empty when only the signature is kept.
        text: String,
        /// The opaque signature; must be replayed byte for byte.
        signature: Option<String>,
    },
    /// Reasoning the provider encrypted (base64), replayed byte for byte.
    RedactedThinking {
        /// Base64 data.
        data: String,
    },
    /// A picture.
    Image(Image),
    /// A picture that is somewhere else. Whoever runs the conversation fetches or refuses it; the upstream edge turns what is
    /// left into a note.
    RemoteImage {
        /// `http` or `https`, as the client wrote it.
        url: String,
    },
    /// A document such as a PDF.
    Document(Document),
    /// A tool call by the assistant.
    ToolUse {
        /// Call id, as the client echoes it.
        id: String,
        /// Tool name as the client declared it.
        name: String,
        /// Arguments.
        input: JsonObject,
        /// Cache mark.
        cache: bool,
    },
    /// The answer to a tool call, by the user side.
    ToolResult {
        /// Id of the call that is answered.
        tool_use_id: String,
        /// Text, images, documents.
        content: Vec<Block>,
        /// True when the tool failed.
        is_error: bool,
        /// Cache mark.
        cache: bool,
    },
}

impl Block {
    /// Id and name, when this is a call of a tool.
    pub fn call(&self) -> Option<(&str, &str)> {
        match self {
            Self::ToolUse { id, name, .. } => Some((id, name)),
            Self::Text { .. }
            | Self::Thinking { .. }
            | Self::RedactedThinking { .. }
            | Self::Image(_)
            | Self::RemoteImage { .. }
            | Self::Document(_)
            | Self::ToolResult { .. } => None,
        }
    }
}

/// An inline image.
#[derive(Debug, Clone, PartialEq)]
pub struct Image {
    /// Media type as declared by the client, e.g. `image/png`. The upstream edge trusts the magic bytes instead.
    pub media_type: String,
    /// Base64 (standard alphabet).
    pub data: String,
}

/// An inline document.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// A title or file name, when given.
    pub name: Option<String>,
    /// Media type, e.g. `application/pdf` or `text/plain`.
    pub media_type: String,
    /// Base64 (standard alphabet), for plain text sources too.
    pub data: String,
}

/// A tool the client runs.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolSpec {
    /// Name as declared; any characters, any length.
    pub name: String,
    /// Description; may be empty.
    pub description: String,
    /// JSON Schema of the input, as declared.
    pub schema: JsonObject,
    /// Cache mark.
    pub cache: bool,
}

/// A tool that runs on the server side of the client's protocol.
#[derive(Debug, Clone, PartialEq)]
pub enum ServerTool {
    /// Web search.
    WebSearch {
        /// The name the client gave it, usually `web_search`.
        name: String,
        /// At most this many searches.
        max_uses: Option<u32>,
        /// Only these domains, when not empty.
        allowed_domains: Vec<String>,
        /// Never these domains.
        blocked_domains: Vec<String>,
    },
}

/// Whether a tool must be called.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ToolChoice {
    /// The model decides.
    #[default]
    Auto,
    /// Some tool must be called.
    Any,
    /// This tool must be called.
    Tool(String),
    /// No tool may be called.
    None,
}

/// Requested thinking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Thinking {
    /// The client said nothing.
    #[default]
    Unspecified,
    /// The client does not want thinking.
    Off,
    /// The model decides how much.
    Adaptive,
    /// Thinking with a token budget.
    Budget(u32),
}

/// How hard the model should work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the levels speak for themselves")]
pub enum Effort {
    Minimal,
    Low,
    Medium,
    High,
    XHigh,
    Max,
}

/// Limits and sampling wishes of the client.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Sampling {
    /// Output limit in tokens.
    pub max_tokens: Option<u32>,
    /// Texts that end the answer; the upstream does not know them, [`crate::stop`] applies them.
    pub stop_sequences: Vec<String>,
    /// 0..=2; the upstream has no such field.
    pub temperature: Option<f64>,
    /// 0..=1; the upstream has no such field.
    pub top_p: Option<f64>,
    /// Effort level.
    pub effort: Option<Effort>,
}
