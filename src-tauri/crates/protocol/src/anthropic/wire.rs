//! The request as it is written, read in one pass.
//!
//! Every object is a struct of optional fields that also lists the keys it does not know. Whether a field is required is
//! decided where its meaning is known, so that errors can name the rule. Unknown values are skipped without being built.

use super::{MAX_MESSAGES, MAX_TOOLS};
use crate::conversation::JsonObject;
use crate::reading::content::ContentOf;
use crate::reading::loose::{Capped, Either, Loose};
use crate::reading::object;
use serde::de::IgnoredAny;
use serde_json::Value;

object! {
    /// The body of `/v1/messages` and of `/v1/messages/count_tokens`.
    Request {
        "model" => model: String,
        "messages" => messages: Capped<WireMessage, MAX_MESSAGES>,
        "system" => system: ContentOf<WireBlock>,
        "max_tokens" => max_tokens: u64,
        "stream" => stream: bool,
        "tools" => tools: Capped<WireTool, MAX_TOOLS>,
        "tool_choice" => tool_choice: WireToolChoice,
        "thinking" => thinking: WireThinking,
        "output_config" => output_config: OutputConfig,
        "output_format" => output_format: OutputFormat,
        "metadata" => metadata: Metadata,
        "stop_sequences" => stop_sequences: Vec<String>,
        "temperature" => temperature: f64,
        "top_p" => top_p: f64,
        "top_k" => top_k: IgnoredAny,
        "context_management" => context_management: ContextManagement,
        "safeguards" => safeguards: IgnoredAny,
        "mcp_servers" => mcp_servers: IgnoredAny,
        "container" => container: IgnoredAny,
        "service_tier" => service_tier: IgnoredAny,
        "inference_geo" => inference_geo: IgnoredAny,
        "speed" => speed: IgnoredAny,
        "cache_control" => cache_control: IgnoredAny,
        "betas" => betas: Vec<String>,
    }
}

object! {
    /// One item of `messages`.
    WireMessage {
        "role" => role: String,
        "content" => content: ContentOf<WireBlock>,
        "output_config" => output_config: OutputConfig,
    }
}

object! {
    /// One item of `tools`: client tools and every kind of server tool.
    WireTool {
        "type" => kind: String,
        "name" => name: String,
        "description" => description: String,
        "input_schema" => input_schema: JsonObject,
        "cache_control" => cache_control: IgnoredAny,
        "defer_loading" => defer_loading: bool,
        "max_uses" => max_uses: u32,
        "allowed_domains" => allowed_domains: Vec<String>,
        "blocked_domains" => blocked_domains: Vec<String>,
        "user_location" => user_location: IgnoredAny,
        "strict" => strict: IgnoredAny,
        "eager_input_streaming" => eager_input_streaming: Loose<bool>,
        "input_examples" => input_examples: Vec<Value>,
        "display_width_px" => display_width: u32,
        "display_height_px" => display_height: u32,
        "allowed_callers" => allowed_callers: IgnoredAny,
    }
}

object! {
    /// `tool_choice`.
    WireToolChoice {
        "type" => kind: String,
        "name" => name: String,
        "disable_parallel_tool_use" => disable_parallel: bool,
    }
}

object! {
    /// `thinking`.
    WireThinking {
        "type" => kind: String,
        "budget_tokens" => budget_tokens: u64,
        "display" => display: String,
    }
}

object! {
    /// `output_config`, for the request or for one turn.
    OutputConfig {
        "effort" => effort: String,
        "format" => format: OutputFormat,
        "task_budget" => task_budget: IgnoredAny,
    }
}

object! {
    /// A wished form of the answer.
    OutputFormat {
        "type" => kind: String,
        "schema" => schema: Value,
        "name" => name: IgnoredAny,
    }
}

object! {
    /// `context_management`.
    ContextManagement {
        "edits" => edits: Vec<Edit>,
    }
}

object! {
    /// One edit of the history: the union of all kinds.
    Edit {
        "type" => kind: String,
        "keep" => keep: Value,
        "trigger" => trigger: Amount,
        "clear_at_least" => clear_at_least: Amount,
        "exclude_tools" => exclude_tools: Vec<String>,
        "clear_tool_inputs" => clear_tool_inputs: Value,
    }
}

object! {
    /// So many of something.
    Amount {
        "type" => kind: String,
        "value" => value: u64,
    }
}

object! {
    /// `metadata`.
    Metadata {
        "user_id" => user_id: String,
    }
}

object! {
    /// One content block: the union of all kinds, so that `type` may stand anywhere in it. A kind that nothing here knows
    /// may use the same keys for other things, so types are checked only when the kind is known.
    WireBlock {
        "type" => kind: Loose<String>,
        "text" => text: Loose<String>,
        "cache_control" => cache_control: IgnoredAny,
        "citations" => citations: IgnoredAny,
        "source" => source: Source,
        "title" => title: Loose<String>,
        "context" => context: Loose<String>,
        "id" => id: Loose<String>,
        "name" => name: Loose<String>,
        "input" => input: Value,
        "tool_use_id" => tool_use_id: Loose<String>,
        "content" => content: ContentOf<WireBlock>,
        "is_error" => is_error: Loose<bool>,
        "tool_name" => tool_name: Loose<String>,
        "thinking" => thinking: Loose<String>,
        "signature" => signature: Loose<String>,
        "data" => data: Loose<String>,
        "url" => url: Loose<String>,
        "page_age" => page_age: IgnoredAny,
        "encrypted_content" => encrypted_content: Loose<String>,
        "caller" => caller: IgnoredAny,
    }
}

object! {
    /// `source` of an image or a document.
    SourceObject {
        "type" => kind: Loose<String>,
        "media_type" => media_type: Loose<String>,
        "data" => data: Loose<String>,
        "content" => content: ContentOf<WireBlock>,
        "url" => url: Loose<String>,
        "file_id" => file_id: IgnoredAny,
    }
}

/// `source`: an object, the plain text that search results carry, or something else.
pub(super) type Source = Either<SourceObject>;
