//! The request as it is written, read in one pass.
//!
//! Every object is a struct of optional fields that also lists the keys it does not know. Whether a field is required is
//! decided where its meaning is known. Many clients of other services speak this API with their own additions, which are
//! known here, too, so that they mean something or are noticed.

use super::texts::Texts;
use super::{MAX_CALLS, MAX_MESSAGES, MAX_TOOLS};
use crate::reading::content::ContentOf;
use crate::reading::loose::{Capped, Either, Loose};
use crate::reading::object;
use serde::de::IgnoredAny;
use serde_json::Value;

object! {
    /// The body of `/v1/chat/completions`.
    Request {
        "model" => model: String,
        "messages" => messages: Capped<WireMessage, MAX_MESSAGES>,
        "stream" => stream: bool,
        "stream_options" => stream_options: StreamOptions,
        "max_tokens" => max_tokens: u64,
        "max_completion_tokens" => max_completion_tokens: u64,
        "temperature" => temperature: f64,
        "top_p" => top_p: f64,
        "n" => n: u64,
        "stop" => stop: Texts,
        "tools" => tools: Capped<WireTool, MAX_TOOLS>,
        "tool_choice" => tool_choice: Either<WireChoice>,
        "parallel_tool_calls" => parallel_tool_calls: bool,
        "functions" => functions: Capped<WireFunction, MAX_TOOLS>,
        "function_call" => function_call: Either<WireChoice>,
        "reasoning_effort" => reasoning_effort: String,
        "reasoning" => reasoning: Either<WireReasoning>,
        "thinking" => thinking: Either<WireThinking>,
        "enable_thinking" => enable_thinking: Loose<bool>,
        "chat_template_kwargs" => chat_template_kwargs: Either<TemplateArguments>,
        "include_reasoning" => include_reasoning: Loose<bool>,
        "response_format" => response_format: ResponseFormat,
        "modalities" => modalities: Vec<String>,
        "web_search_options" => web_search_options: WebSearchOptions,
        "prompt_cache_key" => prompt_cache_key: String,
        "logprobs" => logprobs: Loose<bool>,
        "top_logprobs" => top_logprobs: IgnoredAny,
        "logit_bias" => logit_bias: IgnoredAny,
        "presence_penalty" => presence_penalty: IgnoredAny,
        "frequency_penalty" => frequency_penalty: IgnoredAny,
        "repetition_penalty" => repetition_penalty: IgnoredAny,
        "top_k" => top_k: IgnoredAny,
        "min_p" => min_p: IgnoredAny,
        "seed" => seed: IgnoredAny,
        "user" => user: IgnoredAny,
        "safety_identifier" => safety_identifier: IgnoredAny,
        "store" => store: Loose<bool>,
        "metadata" => metadata: IgnoredAny,
        "service_tier" => service_tier: IgnoredAny,
        "verbosity" => verbosity: IgnoredAny,
        "prediction" => prediction: IgnoredAny,
        "audio" => audio: IgnoredAny,
        "prompt_cache_retention" => prompt_cache_retention: IgnoredAny,
        "moderation" => moderation: IgnoredAny,
        "cache_control" => cache_control: IgnoredAny,
    }
}

object! {
    /// `stream_options`.
    StreamOptions {
        "include_usage" => include_usage: bool,
        "include_obfuscation" => include_obfuscation: IgnoredAny,
    }
}

object! {
    /// One item of `messages`.
    WireMessage {
        "role" => role: String,
        "content" => content: ContentOf<WirePart>,
        "name" => name: Loose<String>,
        "tool_calls" => tool_calls: Capped<WireCall, MAX_CALLS>,
        "tool_call_id" => tool_call_id: String,
        "function_call" => function_call: CalledFunction,
        "refusal" => refusal: Loose<String>,
        "reasoning_content" => reasoning_content: Loose<String>,
        "reasoning" => reasoning: Loose<String>,
        "cache_control" => cache_control: IgnoredAny,
        // What other services add to their answers, and clients send back.
        "reasoning_details" => reasoning_details: IgnoredAny,
        "thinking_blocks" => thinking_blocks: IgnoredAny,
        "provider_specific_fields" => provider_specific_fields: IgnoredAny,
        "annotations" => annotations: IgnoredAny,
        "audio" => audio: IgnoredAny,
        "id" => id: IgnoredAny,
    }
}

object! {
    /// One content part: the union of all kinds, so that `type` may stand anywhere in it. A kind that nothing here knows
    /// may use the same keys for other things, so types are checked only when the kind is known.
    WirePart {
        "type" => kind: Loose<String>,
        "text" => text: Loose<String>,
        "cache_control" => cache_control: IgnoredAny,
        "image_url" => image_url: Either<ImageUrl>,
        "file" => file: Either<FileObject>,
        "refusal" => refusal: Loose<String>,
        "thinking" => thinking: Loose<String>,
        "input_audio" => input_audio: IgnoredAny,
        "annotations" => annotations: IgnoredAny,
    }
}

object! {
    /// `image_url` of a part.
    ImageUrl {
        "url" => url: Loose<String>,
        "detail" => detail: IgnoredAny,
    }
}

object! {
    /// `file` of a part.
    FileObject {
        "filename" => filename: Loose<String>,
        "file_data" => file_data: Loose<String>,
        "file_id" => file_id: IgnoredAny,
        "format" => format: IgnoredAny,
    }
}

object! {
    /// One item of `tool_calls`.
    WireCall {
        "id" => id: String,
        "type" => kind: String,
        "function" => function: CalledFunction,
        "custom" => custom: CalledCustom,
        "cache_control" => cache_control: IgnoredAny,
        "index" => index: IgnoredAny,
        "extra_content" => extra_content: IgnoredAny,
    }
}

object! {
    /// `function` of a call, and the legacy `function_call`.
    CalledFunction {
        "name" => name: String,
        "arguments" => arguments: Value,
    }
}

object! {
    /// `custom` of a call.
    CalledCustom {
        "name" => name: String,
        "input" => input: String,
    }
}

object! {
    /// One item of `tools`. Besides the form of this API the flat ones of its neighbours are understood: editors that
    /// know only one form of tools send them here.
    WireTool {
        "type" => kind: String,
        "function" => function: WireFunction,
        "custom" => custom: CustomTool,
        "cache_control" => cache_control: IgnoredAny,
        "name" => name: String,
        "description" => description: String,
        "parameters" => parameters: Value,
        "input_schema" => input_schema: Value,
        "format" => format: CustomFormat,
        "strict" => strict: IgnoredAny,
    }
}

object! {
    /// `function` of a tool, and one item of the legacy `functions`.
    WireFunction {
        "name" => name: String,
        "description" => description: String,
        "parameters" => parameters: Value,
        "strict" => strict: IgnoredAny,
        "cache_control" => cache_control: IgnoredAny,
    }
}

object! {
    /// `custom` of a tool.
    CustomTool {
        "name" => name: String,
        "description" => description: String,
        "format" => format: CustomFormat,
    }
}

object! {
    /// `format` of a custom tool.
    CustomFormat {
        "type" => kind: String,
        "grammar" => grammar: WireGrammar,
        "syntax" => syntax: String,
        "definition" => definition: String,
    }
}

object! {
    /// `grammar` of a format.
    WireGrammar {
        "syntax" => syntax: String,
        "definition" => definition: String,
    }
}

object! {
    /// `tool_choice` as an object, the legacy `function_call`, and one item of the allowed tools.
    WireChoice {
        "type" => kind: String,
        "function" => function: Named,
        "custom" => custom: Named,
        "name" => name: String,
        "allowed_tools" => allowed_tools: AllowedTools,
        "mode" => mode: String,
        "tools" => tools: Capped<WireChoice, MAX_TOOLS>,
    }
}

object! {
    /// `allowed_tools` of a tool choice.
    AllowedTools {
        "mode" => mode: String,
        "tools" => tools: Capped<WireChoice, MAX_TOOLS>,
    }
}

object! {
    /// Something with a name.
    Named {
        "name" => name: String,
    }
}

object! {
    /// `reasoning`.
    WireReasoning {
        "effort" => effort: String,
        "max_tokens" => max_tokens: u64,
        "enabled" => enabled: Loose<bool>,
        "exclude" => exclude: Loose<bool>,
        "summary" => summary: IgnoredAny,
    }
}

object! {
    /// `thinking`.
    WireThinking {
        "type" => kind: String,
        "budget_tokens" => budget_tokens: u64,
        "display" => display: IgnoredAny,
        "clear_thinking" => clear_thinking: IgnoredAny,
    }
}

object! {
    /// `chat_template_kwargs`.
    TemplateArguments {
        "enable_thinking" => enable_thinking: Loose<bool>,
        "thinking" => thinking: Loose<bool>,
    }
}

object! {
    /// `response_format`.
    ResponseFormat {
        "type" => kind: String,
        "json_schema" => json_schema: JsonSchema,
    }
}

object! {
    /// `json_schema` of a response format.
    JsonSchema {
        "name" => name: String,
        "description" => description: IgnoredAny,
        "schema" => schema: Value,
        "strict" => strict: bool,
    }
}

object! {
    /// `web_search_options`.
    WebSearchOptions {
        "search_context_size" => search_context_size: IgnoredAny,
        "user_location" => user_location: IgnoredAny,
        "filters" => filters: SearchFilters,
    }
}

object! {
    /// `filters` of a web search.
    SearchFilters {
        "allowed_domains" => allowed_domains: Vec<String>,
        "blocked_domains" => blocked_domains: Vec<String>,
    }
}
