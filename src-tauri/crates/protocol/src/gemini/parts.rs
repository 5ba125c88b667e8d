//! Parts of a content, turned into [`Piece`]s one by one while the list is read, so that the raw form of a long history is
//! never held as a whole.
//!
//! What has no counterpart is kept as text where text can carry it (code that was run elsewhere); parts that nothing here
//! knows are left out with a notice, because refusing them would end a session for good.

use super::media;
use super::signature;
use super::wire::{Code, CodeResult, FunctionCall, FunctionResponse, WirePart};
use crate::conversation::{Block, JsonObject};
use crate::reading::loose::otherwise;
use crate::reading::notes::{Fault, Notes};
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use std::fmt;

/// What a part stands for. Whether it may stand there is decided where the role is known.
#[derive(Debug)]
pub(super) enum Piece {
    /// Text, picture or document.
    Block(Block),
    /// Visible reasoning, unsigned.
    Thought(String),
    /// Reasoning to be replayed, from a signature of ours, with that signature.
    Sealed(String, Vec<signature::Thought>),
    /// A call.
    Call { id: Option<String>, name: String, input: JsonObject },
    /// The answer to a call.
    Response { id: Option<String>, name: Option<String>, content: Vec<Block>, is_error: bool },
}

/// The parts, with what was noticed on the way. Paths begin with the index, `[3].text`.
#[derive(Debug, Default)]
pub(super) struct PartList {
    pub(super) pieces: Vec<Piece>,
    pub(super) notes: Notes,
    /// The first broken rule; nothing was read after it.
    pub(super) fault: Option<Fault>,
    index: usize,
}

impl PartList {
    pub(super) fn text(text: &str) -> Self {
        let mut list = PartList::default();
        list.push_text(text.to_owned());
        list
    }

    fn push_text(&mut self, text: String) {
        let at = self.at();
        if text.is_empty() {
            self.notes.add("empty_text", at, "empty text was left out");
        } else {
            self.block(Block::Text { text, cache: false });
        }
    }

    fn block(&mut self, block: Block) {
        self.pieces.push(Piece::Block(block));
    }

    fn at(&self) -> String {
        format!("[{}]", self.index)
    }

    fn add(&mut self, part: Element) {
        let converted = match part {
            Element::Part(part) => convert(*part, self),
            Element::Text(text) => {
                self.push_text(text);
                Ok(())
            }
            Element::Other => Err(Fault::new("wrong_type", "", "Input should be a part")),
        };
        if let Err(fault) = converted {
            let at = self.at();
            self.fault = Some(fault.under(&at));
        }
        self.index += 1;
    }
}

impl<'de> Deserialize<'de> for PartList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = PartList;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of parts")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<PartList, A::Error> {
                let mut list = PartList::default();
                while list.fault.is_none() {
                    match seq.next_element()? {
                        Some(part) => list.add(part),
                        None => return Ok(list),
                    }
                }
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(list)
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<PartList, A::Error> {
                let map = serde::de::value::MapAccessDeserializer::new(map);
                let mut list = PartList::default();
                list.add(Element::Part(Box::new(WirePart::deserialize(map)?)));
                Ok(list)
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<PartList, E> {
                Ok(PartList::text(text))
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// An item of a list of parts.
enum Element {
    Part(Box<WirePart>),
    Text(String),
    Other,
}

impl<'de> Deserialize<'de> for Element {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Item;
        impl<'de> Visitor<'de> for Item {
            type Value = Element;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a part")
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Element, A::Error> {
                let map = serde::de::value::MapAccessDeserializer::new(map);
                Ok(Element::Part(Box::new(WirePart::deserialize(map)?)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Element, E> {
                Ok(Element::Text(text.to_owned()))
            }
            fn visit_string<E>(self, text: String) -> Result<Element, E> {
                Ok(Element::Text(text))
            }
            otherwise!(Element::Other; visit_bool(bool) visit_i64(i64) visit_u64(u64) visit_f64(f64); seq);
        }
        deserializer.deserialize_any(Item)
    }
}

/// Appends what a part stands for. Faults are relative to the part.
fn convert(part: WirePart, list: &mut PartList) -> Result<(), Fault> {
    let at = list.at();
    list.notes.unknown(&at, &part.unknown);
    if part.video_metadata.is_some() || part.media_resolution.is_some() {
        list.notes.add("field_ignored", at.as_str(), "how media is sampled cannot be chosen here");
    }
    let sealed = part.signature.as_deref().and_then(|text| Some((text.to_owned(), signature::open(text)?)));
    let (is_thought, had_signature, is_sealed) =
        (part.thought == Some(true), part.signature.is_some(), sealed.is_some());
    if let Some((signature, thoughts)) = sealed {
        list.pieces.push(Piece::Sealed(signature, thoughts));
    }
    if let Some(text) = part.text {
        if is_thought {
            if !is_sealed && !text.is_empty() {
                list.pieces.push(Piece::Thought(text));
            }
        } else if !(text.is_empty() && had_signature) {
            list.push_text(text);
        }
    } else if let Some(blob) = part.inline {
        let block = media::inline(*blob, &at, &mut list.notes)?;
        list.block(block);
    } else if let Some(file) = part.file {
        let block = media::file(*file, &at, &mut list.notes)?;
        list.block(block);
    } else if let Some(call) = part.call {
        list.pieces.push(function_call(*call, &at, &mut list.notes)?);
    } else if let Some(response) = part.response {
        list.pieces.push(function_response(*response, &at, &mut list.notes)?);
    } else if let Some(code) = part.code {
        list.notes.add("code_as_text", at, "code that was run elsewhere became text");
        list.push_text(fenced(&code));
    } else if let Some(outcome) = part.outcome {
        list.notes.add("code_as_text", at, "the result of code that was run elsewhere became text");
        list.push_text(code_result(*outcome));
    } else if !had_signature {
        list.notes.add("part_dropped", at, "a part without data that is known here was left out");
    }
    Ok(())
}

fn function_call(call: FunctionCall, at: &str, notes: &mut Notes) -> Result<Piece, Fault> {
    notes.unknown(format_args!("{at}.functionCall"), &call.unknown);
    let name = named(call.name, ".functionCall.name")?;
    let input = match call.args {
        None => JsonObject::new(),
        Some(Value::Object(args)) => args,
        Some(Value::String(text)) => {
            notes.add("args_text", format!("{at}.functionCall.args"), "arguments were a text and were read as JSON");
            crate::event::parse_tool_input(&text).ok_or_else(bad_args)?
        }
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_)) => return Err(bad_args()),
    };
    Ok(Piece::Call { id: call.id.filter(|id| !id.is_empty()), name, input })
}

fn bad_args() -> Fault {
    Fault::new("wrong_type", ".functionCall.args", "Input should be an object")
}

fn named(name: Option<String>, path: &str) -> Result<String, Fault> {
    match name {
        Some(name) if !name.is_empty() => Ok(name),
        Some(_) => Err(Fault::invalid(path, "Name cannot be empty.")),
        None => Err(Fault::missing(path)),
    }
}

fn function_response(response: FunctionResponse, at: &str, notes: &mut Notes) -> Result<Piece, Fault> {
    notes.unknown(format_args!("{at}.functionResponse"), &response.unknown);
    let (text, is_error) = response_text(response.response, response.name.as_deref());
    let mut content = Vec::new();
    if !text.is_empty() {
        content.push(Block::Text { text, cache: false });
    }
    if let Some(parts) = response.parts {
        notes.absorb(format_args!("{at}.functionResponse.parts"), parts.notes);
        if let Some(fault) = parts.fault {
            return Err(fault.under(".functionResponse.parts"));
        }
        for piece in parts.pieces {
            match piece {
                Piece::Block(block) => content.push(block),
                Piece::Thought(_) | Piece::Sealed(..) | Piece::Call { .. } | Piece::Response { .. } => {
                    return Err(Fault::invalid(".functionResponse.parts", "Only media can be part of a response."));
                }
            }
        }
    }
    let id = response.id.filter(|id| !id.is_empty());
    let name = response.name.filter(|name| !name.is_empty());
    if id.is_none() && name.is_none() {
        return Err(Fault::missing(".functionResponse.name"));
    }
    Ok(Piece::Response { id, name, content, is_error })
}

/// A response is an object by form. Its only member `output`, `result` or `error` is the response itself, so is `content`
/// beside the function's name (the AI SDK's form); anything else is passed on as JSON.
fn response_text(response: Option<Value>, name: Option<&str>) -> (String, bool) {
    let mut object = match response {
        None | Some(Value::Null) => return (String::new(), false),
        Some(Value::Object(object)) => object,
        Some(other @ (Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_))) => {
            return (plain(other), false);
        }
    };
    let is_error = object.get("error").is_some_and(|error| !error.is_null())
        && !object.contains_key("output")
        && !object.contains_key("result");
    let only = match object.len() {
        1 => ["output", "result", "error"].into_iter().find(|key| object.contains_key(*key)),
        2 if object.contains_key("content") && object.get("name").and_then(Value::as_str) == name => Some("content"),
        _ => None,
    };
    match only.and_then(|key| object.remove(key)) {
        Some(value) => (plain(value), is_error),
        None if object.is_empty() => (String::new(), false),
        None => (Value::Object(object).to_string(), is_error),
    }
}

fn plain(value: Value) -> String {
    match value {
        Value::String(text) => text,
        Value::Null => String::new(),
        other @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => other.to_string(),
    }
}

/// Set apart by line breaks: the model's texts around it are joined as they are.
fn fenced(code: &Code) -> String {
    let language = code.language.as_deref().filter(|language| !language.ends_with("UNSPECIFIED")).unwrap_or_default();
    format!("\n```{}\n{}\n```\n", language.to_ascii_lowercase(), code.code.as_deref().unwrap_or_default())
}

fn code_result(result: CodeResult) -> String {
    let output = result.output.unwrap_or_default();
    match result.outcome.as_deref() {
        None | Some("OUTCOME_OK" | "OUTCOME_UNSPECIFIED") => format!("\nOutput:\n{output}\n"),
        Some(_) => format!("\nOutput (failed):\n{output}\n"),
    }
}
