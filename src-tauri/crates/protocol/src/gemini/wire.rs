//! The request as it is written. Google's JSON mapping accepts every field in camel case and in snake case.

use super::parts::PartList;
use super::values::{Content, Contents, Present, Real, Whole};
use super::{MAX_CONTENTS, MAX_TOOLS};
use crate::reading::loose::Capped;
use crate::reading::object;
use serde::de::IgnoredAny;
use serde_json::Value;

object! {
    /// The body of every method.
    Request {
        "contents" => contents: Contents<MAX_CONTENTS>,
        "systemInstruction" | "system_instruction" => system: Content,
        "tools" => tools: Capped<WireTool, MAX_TOOLS>,
        "toolConfig" | "tool_config" => tool_config: ToolConfig,
        "generationConfig" | "generation_config" => config: Box<Config>,
        "safetySettings" | "safety_settings" => safety_settings: Present,
        "cachedContent" | "cached_content" => cached_content: String,
        "labels" => labels: Present,
        "serviceTier" | "service_tier" => service_tier: Present,
        "store" => store: Present,
        "model" => model: IgnoredAny,
        "generateContentRequest" | "generate_content_request" => generate: Box<Request>,
    }
}

object! {
    /// One item of `contents`, or `systemInstruction`. `text` is no field of Google's; some clients write a part there.
    WireContent {
        "role" => role: String,
        "parts" => parts: PartList,
        "text" => text: String,
    }
}

object! {
    /// One item of `parts`: exactly one kind of data, with remarks.
    WirePart {
        "text" => text: String,
        "thought" => thought: bool,
        "thoughtSignature" | "thought_signature" => signature: String,
        "inlineData" | "inline_data" => inline: Box<Blob>,
        "fileData" | "file_data" => file: Box<FileData>,
        "functionCall" | "function_call" => call: Box<FunctionCall>,
        "functionResponse" | "function_response" => response: Box<FunctionResponse>,
        "executableCode" | "executable_code" => code: Box<Code>,
        "codeExecutionResult" | "code_execution_result" => outcome: Box<CodeResult>,
        "videoMetadata" | "video_metadata" => video_metadata: IgnoredAny,
        "mediaResolution" | "media_resolution" => media_resolution: IgnoredAny,
        "partMetadata" | "part_metadata" => part_metadata: IgnoredAny,
    }
}

object! {
    /// `inlineData`.
    Blob {
        "mimeType" | "mime_type" => mime_type: String,
        "data" => data: String,
        "displayName" | "display_name" => name: String,
    }
}

object! {
    /// `fileData`.
    FileData {
        "mimeType" | "mime_type" => mime_type: String,
        "fileUri" | "file_uri" => uri: String,
        "displayName" | "display_name" => name: String,
    }
}

object! {
    /// `functionCall`.
    FunctionCall {
        "id" => id: String,
        "name" => name: String,
        "args" => args: Value,
    }
}

object! {
    /// `functionResponse`.
    FunctionResponse {
        "id" => id: String,
        "name" => name: String,
        "response" => response: Value,
        "parts" => parts: PartList,
        "willContinue" | "will_continue" => will_continue: IgnoredAny,
        "scheduling" => scheduling: IgnoredAny,
    }
}

object! {
    /// `executableCode`.
    Code {
        "id" => id: IgnoredAny,
        "language" => language: String,
        "code" => code: String,
    }
}

object! {
    /// `codeExecutionResult`.
    CodeResult {
        "id" => id: IgnoredAny,
        "outcome" => outcome: String,
        "output" => output: String,
    }
}

object! {
    /// One item of `tools`.
    WireTool {
        "functionDeclarations" | "function_declarations" => functions: Capped<WireFunction, MAX_TOOLS>,
        "googleSearch" | "google_search" => search: Search,
        "googleSearchRetrieval" | "google_search_retrieval" => search_retrieval: Present,
        "enterpriseWebSearch" | "enterprise_web_search" => enterprise_search: Present,
        "codeExecution" | "code_execution" => code_execution: Present,
        "googleMaps" | "google_maps" => maps: Present,
        "urlContext" | "url_context" => url_context: Present,
        "fileSearch" | "file_search" => file_search: Present,
        "computerUse" | "computer_use" => computer_use: Present,
        "retrieval" => retrieval: Present,
        "mcpServers" | "mcp_servers" => mcp_servers: Present,
    }
}

object! {
    /// One function declaration.
    WireFunction {
        "name" => name: String,
        "description" => description: String,
        "parameters" => parameters: Value,
        "parametersJsonSchema" | "parameters_json_schema" => json_schema: Value,
        "response" => response: IgnoredAny,
        "responseJsonSchema" | "response_json_schema" => response_schema: IgnoredAny,
        "behavior" => behavior: IgnoredAny,
    }
}

object! {
    /// `googleSearch`.
    Search {
        "excludeDomains" | "exclude_domains" => exclude_domains: Vec<String>,
        "timeRangeFilter" | "time_range_filter" => time_range: Present,
        "searchTypes" | "search_types" => search_types: Present,
        "blockingConfidence" | "blocking_confidence" => blocking_confidence: Present,
    }
}

object! {
    /// `toolConfig`.
    ToolConfig {
        "functionCallingConfig" | "function_calling_config" => calling: Calling,
        "retrievalConfig" | "retrieval_config" => retrieval: Present,
        "includeServerSideToolInvocations" | "include_server_side_tool_invocations" => invocations: Present,
    }
}

object! {
    /// `functionCallingConfig`.
    Calling {
        "mode" => mode: String,
        "allowedFunctionNames" | "allowed_function_names" => allowed: Vec<String>,
        "streamFunctionCallArguments" | "stream_function_call_arguments" => stream_arguments: Present,
    }
}

object! {
    /// `generationConfig`.
    Config {
        "stopSequences" | "stop_sequences" => stop_sequences: Vec<String>,
        "maxOutputTokens" | "max_output_tokens" => max_tokens: Whole,
        "temperature" => temperature: Real,
        "topP" | "top_p" => top_p: Real,
        "topK" | "top_k" => top_k: Present,
        "candidateCount" | "candidate_count" => candidates: Whole,
        "responseMimeType" | "response_mime_type" => mime_type: String,
        "responseSchema" | "response_schema" => schema: Value,
        "responseJsonSchema" | "response_json_schema" | "_responseJsonSchema" => json_schema: Value,
        "responseModalities" | "response_modalities" => modalities: Vec<String>,
        "thinkingConfig" | "thinking_config" => thinking: ThinkingConfig,
        "seed" => seed: Present,
        "presencePenalty" | "presence_penalty" => presence_penalty: Present,
        "frequencyPenalty" | "frequency_penalty" => frequency_penalty: Present,
        "responseLogprobs" | "response_logprobs" => response_logprobs: Present,
        "logprobs" => logprobs: Present,
        "mediaResolution" | "media_resolution" => media_resolution: Present,
        "speechConfig" | "speech_config" => speech: Present,
        "imageConfig" | "image_config" => image: Present,
        "routingConfig" | "routing_config" => routing: Present,
        "modelSelectionConfig" | "model_selection_config" => model_selection: Present,
        "audioTimestamp" | "audio_timestamp" => audio_timestamp: Present,
        "enableAffectiveDialog" | "enable_affective_dialog" => affective_dialog: Present,
        "enableEnhancedCivicAnswers" | "enable_enhanced_civic_answers" => civic_answers: Present,
    }
}

object! {
    /// `thinkingConfig`.
    ThinkingConfig {
        "includeThoughts" | "include_thoughts" => include: bool,
        "thinkingBudget" | "thinking_budget" => budget: Whole,
        "thinkingLevel" | "thinking_level" => level: String,
    }
}
