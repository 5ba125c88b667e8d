//! The request as it is written, read in one pass.
//!
//! Every object is a struct of optional fields that also lists the keys it does not know. Whether a field is required is
//! decided where its meaning is known, so that errors can name the rule. Unknown values are skipped without being built.

use super::blocks::Content;
use super::loose::{Capped, Loose, otherwise};
use super::notes::dotted;
use super::{MAX_MESSAGES, MAX_TOOLS, MAX_VALUES};
use crate::codec::DecodeError;
use crate::conversation::JsonObject;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use std::fmt;

/// Unknown keys remembered per object, and bytes remembered per key.
const UNKNOWN_KEYS: usize = 16;
const UNKNOWN_KEY_BYTES: usize = 64;

/// Declares a struct that reads a JSON object: known keys into options (`null` is absence), unknown keys into a list.
macro_rules! object {
    ($(#[$doc:meta])* $name:ident { $($key:literal => $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Default)]
        pub(super) struct $name {
            $(pub(super) $field: Option<$type>,)*
            pub(super) unknown: Vec<Box<str>>,
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                #[allow(non_camel_case_types, reason = "variants are the field names")]
                enum Key { $($field,)* Unknown(Box<str>) }

                impl<'de> Deserialize<'de> for Key {
                    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                        struct Keys;
                        impl Visitor<'_> for Keys {
                            type Value = Key;
                            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str("a key") }
                            fn visit_str<E>(self, key: &str) -> Result<Key, E> {
                                Ok(match key { $($key => Key::$field,)* other => Key::Unknown(shorten(other)) })
                            }
                        }
                        deserializer.deserialize_identifier(Keys)
                    }
                }

                struct Object;
                impl<'de> Visitor<'de> for Object {
                    type Value = $name;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str("an object") }
                    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<$name, A::Error> {
                        let mut object = $name::default();
                        while let Some(key) = map.next_key::<Key>()? {
                            match key {
                                $(Key::$field => object.$field = map.next_value()?,)*
                                Key::Unknown(key) => {
                                    map.next_value::<IgnoredAny>()?;
                                    if object.unknown.len() < UNKNOWN_KEYS && !object.unknown.contains(&key) {
                                        object.unknown.push(key);
                                    }
                                }
                            }
                        }
                        Ok(object)
                    }
                }
                deserializer.deserialize_map(Object)
            }
        }
    };
}

object! {
    /// The body of `/v1/messages` and of `/v1/messages/count_tokens`.
    Request {
        "model" => model: String,
        "messages" => messages: Capped<WireMessage, MAX_MESSAGES>,
        "system" => system: Content,
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
        "context_management" => context_management: IgnoredAny,
        "safeguards" => safeguards: IgnoredAny,
        "mcp_servers" => mcp_servers: IgnoredAny,
        "container" => container: IgnoredAny,
        "service_tier" => service_tier: IgnoredAny,
        "inference_geo" => inference_geo: IgnoredAny,
        "speed" => speed: IgnoredAny,
        "cache_control" => cache_control: IgnoredAny,
        "betas" => betas: IgnoredAny,
    }
}

object! {
    /// One item of `messages`.
    WireMessage {
        "role" => role: String,
        "content" => content: Content,
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
        "eager_input_streaming" => eager_input_streaming: IgnoredAny,
        "input_examples" => input_examples: IgnoredAny,
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
        "content" => content: Content,
        "is_error" => is_error: Loose<bool>,
        "tool_name" => tool_name: Loose<String>,
        "thinking" => thinking: Loose<String>,
        "signature" => signature: Loose<String>,
        "data" => data: Loose<String>,
        "url" => url: Loose<String>,
        "page_age" => page_age: IgnoredAny,
        "encrypted_content" => encrypted_content: IgnoredAny,
        "caller" => caller: IgnoredAny,
    }
}

object! {
    /// `source` of an image or a document.
    SourceObject {
        "type" => kind: Loose<String>,
        "media_type" => media_type: Loose<String>,
        "data" => data: Loose<String>,
        "content" => content: Content,
        "url" => url: IgnoredAny,
        "file_id" => file_id: IgnoredAny,
    }
}

/// `source`: an object, the plain text that search results carry, or something else.
#[derive(Debug)]
pub(super) enum Source {
    Object(Box<SourceObject>),
    Text(String),
    Other,
}

impl<'de> Deserialize<'de> for Source {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Source;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_str<E>(self, text: &str) -> Result<Source, E> {
                Ok(Source::Text(text.to_owned()))
            }
            fn visit_string<E>(self, text: String) -> Result<Source, E> {
                Ok(Source::Text(text))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Source, A::Error> {
                let map = serde::de::value::MapAccessDeserializer::new(map);
                Ok(Source::Object(Box::new(SourceObject::deserialize(map)?)))
            }
            otherwise!(Source::Other; visit_bool(bool) visit_i64(i64) visit_u64(u64) visit_f64(f64); seq);
        }
        deserializer.deserialize_any(Either)
    }
}

/// Reads a body, and says whether it had to be repaired. Only when reading fails is it read again, to find where.
pub(super) fn parse(body: &[u8]) -> Result<(Request, bool), DecodeError> {
    if has_too_many_values(body) {
        let message = format!("The request body holds too many values (at most {MAX_VALUES})");
        return Err(DecodeError { code: "too_many", path: String::new(), message });
    }
    let error = match serde_json::from_slice(body) {
        Ok(request) => return Ok((request, false)),
        Err(error) => error,
    };
    if let Some(repaired) = super::surrogate::repair(body)
        && let Ok(request) = serde_json::from_slice(&repaired)
    {
        return Ok((request, true));
    }
    Err(explain(body, &error))
}

/// True when more than [`MAX_VALUES`] commas stand outside of texts. A tiny value costs many times its size once it is
/// read; texts do not. Small bodies cannot hold that many.
fn has_too_many_values(body: &[u8]) -> bool {
    let (mut commas, mut rest) = (0, body);
    if body.len() <= 2 * MAX_VALUES {
        return false;
    }
    while let Some(at) = memchr::memchr2(b',', b'"', rest) {
        let comma = rest[at] == b',';
        rest = &rest[at + 1..];
        if comma {
            commas += 1;
        } else {
            while let Some(end) = memchr::memchr2(b'\\', b'"', rest) {
                let escape = rest[end] == b'\\';
                rest = rest.get(end + 1 + usize::from(escape)..).unwrap_or_default();
                if !escape {
                    break;
                }
            }
        }
    }
    commas > MAX_VALUES
}

fn explain(body: &[u8], error: &serde_json::Error) -> DecodeError {
    use serde_json::error::Category;
    match error.classify() {
        Category::Data => {
            let mut reader = serde_json::Deserializer::from_slice(body);
            let path = match serde_path_to_error::deserialize::<_, Request>(&mut reader) {
                Err(error) => dotted(&error.path().to_string()),
                Ok(_) => String::new(),
            };
            let path = if path == "." || path == "?" { String::new() } else { path };
            DecodeError { code: "wrong_type", path, message: expectation(&error.to_string()) }
        }
        Category::Syntax | Category::Eof | Category::Io => {
            let text = error.to_string();
            let (code, message) = if text.starts_with("recursion limit") {
                ("too_deep", "The request body is nested too deeply (at most 127 levels)".to_owned())
            } else if body.iter().all(u8::is_ascii_whitespace) {
                ("invalid_json", "The request body is empty; it must be a JSON object".to_owned())
            } else {
                ("invalid_json", format!("The request body is not valid JSON: {text}"))
            };
            DecodeError { code, path: String::new(), message }
        }
    }
}

/// Says what was expected; what was found may be a piece of the conversation and is left out.
fn expectation(text: &str) -> String {
    let expected = text.split_once(", expected ").map_or("of another type", |(_, rest)| rest);
    let expected = expected.split(" at line ").next().unwrap_or(expected);
    let expected = match expected {
        "u64" | "u32" => "a whole number that is not negative",
        "f64" => "a number",
        "a map" => "an object",
        "a sequence" => "a list",
        other => other,
    };
    format!("Input should be {expected}")
}

fn shorten(key: &str) -> Box<str> {
    let mut end = key.len().min(UNKNOWN_KEY_BYTES);
    while !key.is_char_boundary(end) {
        end -= 1;
    }
    key[..end].chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect::<String>().into()
}
