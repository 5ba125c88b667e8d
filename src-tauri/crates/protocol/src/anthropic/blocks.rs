//! Content blocks, turned into [`Block`]s one by one while the list is read, so that the raw form of a long history is
//! never held as a whole.
//!
//! What the upstream has no place for is kept as text where text can carry it (tool references, search results, plain
//! text inside documents); block kinds that nothing here knows are left out with a notice, because refusing them would
//! end a session for good: the client sends its history again with every request.

use super::media::{document, image};
use super::wire::{Source, WireBlock};
use crate::conversation::{Block, JsonObject};
use crate::reading::loose::{Loose, otherwise};
use crate::reading::notes::{Fault, Notes};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use std::fmt;

/// Content as clients write it: a text, or a list of blocks.
#[derive(Debug)]
pub(super) enum Content {
    Text(String),
    Blocks(BlockList),
    /// Something else; some results of server tools are objects.
    Other,
}

/// Blocks with what was noticed on the way. Paths begin with the index, `[3].source`.
#[derive(Debug, Default)]
pub(super) struct BlockList {
    pub(super) blocks: Vec<Block>,
    pub(super) notes: Notes,
    /// The first broken rule; nothing was read after it.
    pub(super) fault: Option<Fault>,
}

/// The place of a block in its list; written out only when there is something to say.
#[derive(Debug, Clone, Copy)]
pub(super) struct At(usize);

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}]", self.0)
    }
}

impl From<At> for String {
    fn from(at: At) -> String {
        at.to_string()
    }
}

impl Content {
    /// The blocks; a text becomes one block. Notices and faults get `path` in front.
    pub(super) fn into_blocks(self, path: &str, notes: &mut Notes) -> Result<Vec<Block>, Fault> {
        match self {
            Content::Text(text) if text.is_empty() => {
                notes.add("empty_text", path, "empty text was left out");
                Ok(Vec::new())
            }
            Content::Text(text) => Ok(vec![Block::Text { text, cache: false }]),
            Content::Blocks(list) => {
                notes.absorb(path, list.notes);
                match list.fault {
                    Some(fault) => Err(fault.under(path)),
                    None => Ok(list.blocks),
                }
            }
            Content::Other => Err(Fault::new("wrong_type", path, "Input should be a text or a list of blocks")),
        }
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Content;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a list of blocks")
            }
            fn visit_str<E>(self, text: &str) -> Result<Content, E> {
                Ok(Content::Text(text.to_owned()))
            }
            fn visit_string<E>(self, text: String) -> Result<Content, E> {
                Ok(Content::Text(text))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Content, A::Error> {
                let mut list = BlockList::default();
                let mut index = 0;
                while list.fault.is_none() {
                    let Some(element) = seq.next_element::<Element>()? else { return Ok(Content::Blocks(list)) };
                    let at = At(index);
                    let converted = match element {
                        Element::Block(block) => convert(*block, at, &mut list),
                        Element::Other => Err(Fault::new("wrong_type", "", "Input should be an object")),
                    };
                    if let Err(fault) = converted {
                        list.fault = Some(fault.under(&at.to_string()));
                    }
                    index += 1;
                }
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Content::Blocks(list))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Content, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Content::Other)
            }
            otherwise!(Content::Other; visit_bool(bool) visit_i64(i64) visit_u64(u64) visit_f64(f64));
        }
        deserializer.deserialize_any(Any)
    }
}

/// An item of a list of blocks.
enum Element {
    Block(Box<WireBlock>),
    Other,
}

impl<'de> Deserialize<'de> for Element {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Item;
        impl<'de> Visitor<'de> for Item {
            type Value = Element;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Element, A::Error> {
                let map = serde::de::value::MapAccessDeserializer::new(map);
                Ok(Element::Block(Box::new(WireBlock::deserialize(map)?)))
            }
            otherwise!(Element::Other; visit_str(&str) visit_bool(bool) visit_i64(i64) visit_u64(u64) visit_f64(f64); seq);
        }
        deserializer.deserialize_any(Item)
    }
}

impl BlockList {
    pub(super) fn text(&mut self, text: String, cache: bool) {
        self.blocks.push(Block::Text { text, cache });
    }
}

/// Appends what `block` stands for. `at` is the block's own path; faults are relative to the block.
fn convert(mut block: WireBlock, at: At, list: &mut BlockList) -> Result<(), Fault> {
    let kind = required(block.kind.take(), "type")?;
    let cache = block.cache_control.is_some();
    let unknown = std::mem::take(&mut block.unknown);
    match kind.as_str() {
        "text" => {
            let text = required(block.text, "text.text")?;
            if block.citations.is_some() {
                list.notes.add("citations_dropped", format!("{at}.citations"), "citations are not passed on");
            }
            if text.is_empty() {
                list.notes.add("empty_text", at, "empty text was left out");
            } else {
                list.text(text, cache);
            }
        }
        "thinking" => {
            let text = required(block.thinking, "thinking.thinking")?;
            let signature = optional(block.signature, "thinking.signature")?.filter(|signature| !signature.is_empty());
            if text.is_empty() && signature.is_none() {
                list.notes.add("empty_thinking", at, "thinking without text and signature was left out");
            } else {
                list.blocks.push(Block::Thinking { text, signature });
            }
        }
        "redacted_thinking" => {
            let data = required(block.data, "redacted_thinking.data")?;
            list.blocks.push(Block::RedactedThinking { data });
        }
        "image" => list.blocks.push(image(block.source)?),
        "document" => document(block, at, list)?,
        "tool_use" => {
            let id = required(block.id, "tool_use.id")?;
            let name = required(block.name, "tool_use.name")?;
            let input = tool_input(block.input, at, &mut list.notes)?;
            list.blocks.push(Block::ToolUse { id, name, input, cache });
        }
        "tool_result" => {
            let tool_use_id = required(block.tool_use_id, "tool_result.tool_use_id")?;
            let content = match block.content {
                Some(content) => {
                    let mut notes = Notes::default();
                    let content = content.into_blocks(".content", &mut notes);
                    list.notes.absorb(at, notes);
                    content?
                }
                None => Vec::new(),
            };
            let is_error = optional(block.is_error, "tool_result.is_error")?.unwrap_or(false);
            list.blocks.push(Block::ToolResult { tool_use_id, content, is_error, cache });
        }
        "tool_reference" => {
            let name = required(block.tool_name, "tool_reference.tool_name")?;
            list.text(format!("Tool loaded: {name}"), cache);
        }
        "search_result" => {
            let source = match block.source {
                Some(Source::Text(source)) => source,
                Some(Source::Object(_) | Source::Other) | None => String::new(),
            };
            list.text(format!("[{}]({source})", loose(block.title)), false);
            if let Some(content) = block.content {
                append(content, ".content", at, list)?;
            }
        }
        "web_search_result" => {
            list.notes.add("search_as_text", at, "a web search result of an earlier turn was written as text");
            let title = loose(block.title);
            list.text(format!("[{title}]({})", loose(block.url)), false);
        }
        // Never as text: a model that reads calls written out in its own turns begins to write them out itself.
        "server_tool_use" => {
            list.notes.add("server_call_dropped", at, "a server tool call of an earlier turn was left out");
        }
        "web_search_tool_result" => match block.content {
            Some(content @ Content::Blocks(_)) => append(content, ".content", at, list)?,
            Some(Content::Text(_) | Content::Other) | None => {
                list.notes.add("server_call_dropped", at, "a failed web search of an earlier turn was left out");
            }
        },
        other => {
            let kind = shown(other);
            list.notes.add("unknown_block", at, format!("a block of type `{kind}` is not supported and was left out"));
            return Ok(());
        }
    }
    list.notes.unknown(at, &unknown);
    Ok(())
}

/// Appends inner content to the list that holds the block at `at`.
pub(super) fn append(content: Content, key: &str, at: At, list: &mut BlockList) -> Result<(), Fault> {
    let mut notes = Notes::default();
    let blocks = content.into_blocks(key, &mut notes);
    list.notes.absorb(at, notes);
    list.blocks.extend(blocks?);
    Ok(())
}

pub(super) fn optional<T>(value: Option<Loose<T>>, path: &str) -> Result<Option<T>, Fault> {
    match value {
        Some(Loose::Is(value)) => Ok(Some(value)),
        Some(Loose::Other) => Err(Fault::new("wrong_type", format!(".{path}"), "Input should be of another type")),
        None => Ok(None),
    }
}

pub(super) fn required(value: Option<Loose<String>>, path: &str) -> Result<String, Fault> {
    match value {
        Some(Loose::Is(value)) => Ok(value),
        Some(Loose::Other) => Err(Fault::new("wrong_type", format!(".{path}"), "Input should be a string")),
        None => Err(Fault::missing(format!(".{path}"))),
    }
}

/// A text that is only shown: anything else counts as nothing.
pub(super) fn loose(value: Option<Loose<String>>) -> String {
    match value {
        Some(Loose::Is(text)) => text,
        Some(Loose::Other) | None => String::new(),
    }
}

/// Arguments of an earlier call. A text that holds an object is taken as that object.
fn tool_input(input: Option<Value>, at: At, notes: &mut Notes) -> Result<JsonObject, Fault> {
    match input {
        Some(Value::Object(input)) => Ok(input),
        None => Ok(JsonObject::new()),
        Some(Value::String(text)) => {
            notes.add("tool_input_text", format!("{at}.input"), "tool input was a text and was read as JSON");
            crate::event::parse_tool_input(&text).ok_or_else(bad_input)
        }
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_)) => Err(bad_input()),
    }
}

fn bad_input() -> Fault {
    Fault::new("wrong_type", ".tool_use.input", "Input should be an object")
}

/// A type name as messages may show it.
pub(super) fn shown(kind: &str) -> String {
    kind.chars().take(48).filter(|c| !c.is_control()).collect()
}
