//! Reading request bodies, the same for every client protocol: one pass, known keys, caps, tolerance, repairs, and words
//! for what is wrong.
//!
//! - [`content`]: lists of content, turned into blocks while they are read; [`media`]: base64 and data URLs.
//! - [`object`]: declares a struct for a JSON object; `null` is absence, unknown keys are listed.
//! - [`loose`]: values that may have any type, and lists with a cap.
//! - [`notes`]: notices and faults with paths.
//! - [`schema`]: schemas of tools that have a name only.
//! - [`surrogate`]: the repair of texts that were cut inside a character.

pub(crate) mod content;
pub(crate) mod loose;
pub(crate) mod media;
pub(crate) mod notes;
pub(crate) mod number;
pub(crate) mod schema;
pub(crate) mod surrogate;

use crate::codec::DecodeError;
use notes::dotted;
use serde::de::DeserializeOwned;

/// Most JSON values a request may hold, counted by the commas between them: this bounds memory.
pub(crate) const MAX_VALUES: usize = 1_000_000;
/// Unknown keys remembered per object, and bytes remembered per key.
pub(crate) const UNKNOWN_KEYS: usize = 16;
const UNKNOWN_KEY_BYTES: usize = 64;

/// Declares a struct that reads a JSON object: known keys into options (`null` is absence), unknown keys into a list.
/// A field may have several spellings: `"maxTokens" | "max_tokens" => …`.
macro_rules! object {
    ($(#[$doc:meta])* $name:ident { $($($key:literal)|+ => $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Default)]
        pub(super) struct $name {
            $(pub(super) $field: Option<$type>,)*
            pub(super) unknown: Vec<Box<str>>,
        }

        impl<'de> serde::de::Deserialize<'de> for $name {
            fn deserialize<D: serde::de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                #[allow(non_camel_case_types, reason = "variants are the field names")]
                enum Key { $($field,)* Unknown(Box<str>) }

                impl<'de> serde::de::Deserialize<'de> for Key {
                    fn deserialize<D: serde::de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                        struct Keys;
                        impl serde::de::Visitor<'_> for Keys {
                            type Value = Key;
                            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str("a key") }
                            fn visit_str<E>(self, key: &str) -> Result<Key, E> {
                                Ok(match key { $($($key)|+ => Key::$field,)* other => Key::Unknown($crate::reading::shorten(other)) })
                            }
                        }
                        deserializer.deserialize_identifier(Keys)
                    }
                }

                struct Object;
                impl<'de> serde::de::Visitor<'de> for Object {
                    type Value = $name;
                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str("an object") }
                    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<$name, A::Error> {
                        let mut object = $name::default();
                        while let Some(key) = map.next_key::<Key>()? {
                            match key {
                                $(Key::$field => object.$field = map.next_value()?,)*
                                Key::Unknown(key) => {
                                    map.next_value::<serde::de::IgnoredAny>()?;
                                    if object.unknown.len() < $crate::reading::UNKNOWN_KEYS && !object.unknown.contains(&key) {
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
pub(crate) use object;

/// Reads a body, and says whether it had to be repaired. Only when reading fails is it read again, to find where.
pub(crate) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<(T, bool), DecodeError> {
    if has_too_many_values(body) {
        let message = format!("The request body holds too many values (at most {MAX_VALUES})");
        return Err(DecodeError { code: "too_many", path: String::new(), message });
    }
    let error = match serde_json::from_slice(body) {
        Ok(request) => return Ok((request, false)),
        Err(error) => error,
    };
    if let Some(repaired) = surrogate::repair(body)
        && let Ok(request) = serde_json::from_slice(&repaired)
    {
        return Ok((request, true));
    }
    Err(explain::<T>(body, &error))
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

fn explain<T: DeserializeOwned>(body: &[u8], error: &serde_json::Error) -> DecodeError {
    use serde_json::error::Category;
    match error.classify() {
        Category::Data => {
            let mut reader = serde_json::Deserializer::from_slice(body);
            let path = match serde_path_to_error::deserialize::<_, T>(&mut reader) {
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

pub(crate) fn shorten(key: &str) -> Box<str> {
    let mut end = key.len().min(UNKNOWN_KEY_BYTES);
    while !key.is_char_boundary(end) {
        end -= 1;
    }
    key[..end].chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect::<String>().into()
}
