//! Content as clients write it, turned into [`Block`]s part by part while the list is read, so that the raw form of a long
//! history is never held as a whole. What a part stands for is the protocol's business ([`Part`]).

use super::loose::{Loose, otherwise};
use super::notes::{Fault, Notes};
use crate::conversation::Block;
use serde::de::{Deserialize, DeserializeOwned, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;
use std::marker::PhantomData;

/// One item of a list of content, as it is written.
pub(crate) trait Part: DeserializeOwned {
    /// Appends what the part stands for. `at` is the part's own path; faults are relative to the part.
    fn convert(self, at: At, list: &mut BlockList) -> Result<(), Fault>;
}

/// Content whose list items are `P`.
#[derive(Debug)]
pub(crate) struct ContentOf<P> {
    pub(crate) content: Content,
    part: PhantomData<fn() -> P>,
}

/// Content that was read: a text, or a list of blocks.
#[derive(Debug)]
pub(crate) enum Content {
    Text(String),
    Blocks(BlockList),
    /// Something else; some results of server tools are objects.
    Other,
}

/// Blocks with what was noticed on the way. Paths begin with the index, `[3].source`.
#[derive(Debug, Default)]
pub(crate) struct BlockList {
    pub(crate) blocks: Vec<Block>,
    pub(crate) notes: Notes,
    /// The first broken rule; nothing was read after it.
    pub(crate) fault: Option<Fault>,
}

/// The place of a block in its list; written out only when there is something to say.
#[derive(Debug, Clone, Copy)]
pub(crate) struct At(pub(crate) usize);

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

impl<P> ContentOf<P> {
    /// True for a text of no length, which some clients write where they have nothing to say.
    pub(crate) fn is_empty_text(&self) -> bool {
        matches!(&self.content, Content::Text(text) if text.is_empty())
    }

    /// See [`Content::into_blocks`].
    pub(crate) fn into_blocks(self, path: &str, notes: &mut Notes) -> Result<Vec<Block>, Fault> {
        self.content.into_blocks(path, notes)
    }
}

impl Content {
    /// The blocks; a text becomes one block. Notices and faults get `path` in front.
    pub(crate) fn into_blocks(self, path: &str, notes: &mut Notes) -> Result<Vec<Block>, Fault> {
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

impl<'de, P: Part> Deserialize<'de> for ContentOf<P> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any<P>(PhantomData<P>);
        impl<'de, P: Part> Visitor<'de> for Any<P> {
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
                    let Some(element) = seq.next_element::<Element<P>>()? else { return Ok(Content::Blocks(list)) };
                    let at = At(index);
                    let converted = match element {
                        Element::Part(part) => part.convert(at, &mut list),
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
        let content = deserializer.deserialize_any(Any::<P>(PhantomData))?;
        Ok(Self { content, part: PhantomData })
    }
}

/// An item of a list of parts.
enum Element<P> {
    Part(Box<P>),
    Other,
}

impl<'de, P: Part> Deserialize<'de> for Element<P> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Item<P>(PhantomData<P>);
        impl<'de, P: Part> Visitor<'de> for Item<P> {
            type Value = Element<P>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Element<P>, A::Error> {
                let map = serde::de::value::MapAccessDeserializer::new(map);
                Ok(Element::Part(Box::new(P::deserialize(map)?)))
            }
            otherwise!(Element::Other; visit_str(&str) visit_bool(bool) visit_i64(i64) visit_u64(u64) visit_f64(f64); seq);
        }
        deserializer.deserialize_any(Item::<P>(PhantomData))
    }
}

impl BlockList {
    pub(crate) fn text(&mut self, text: String, cache: bool) {
        self.blocks.push(Block::Text { text, cache });
    }

    /// Appends inner content to this list, which holds the block at `at`.
    pub(crate) fn append(&mut self, content: Content, key: &str, at: At) -> Result<(), Fault> {
        let mut notes = Notes::default();
        let blocks = content.into_blocks(key, &mut notes);
        self.notes.absorb(at, notes);
        self.blocks.extend(blocks?);
        Ok(())
    }
}

/// A later system message becomes user text in these marks: that keeps its place in the story, and leaves the long common
/// beginning of two requests equal, which is what upstream caching lives on.
pub(crate) fn reminder(block: Block) -> Block {
    match block {
        Block::Text { text, cache } if !text.trim_start().starts_with("<system-reminder>") => {
            Block::Text { text: format!("<system-reminder>\n{text}\n</system-reminder>"), cache }
        }
        other => other,
    }
}

pub(crate) fn optional<T>(value: Option<Loose<T>>, path: &str) -> Result<Option<T>, Fault> {
    match value {
        Some(Loose::Is(value)) => Ok(Some(value)),
        Some(Loose::Other) => Err(Fault::new("wrong_type", format!(".{path}"), "Input should be of another type")),
        None => Ok(None),
    }
}

pub(crate) fn required(value: Option<Loose<String>>, path: &str) -> Result<String, Fault> {
    match value {
        Some(Loose::Is(value)) => Ok(value),
        Some(Loose::Other) => Err(Fault::new("wrong_type", format!(".{path}"), "Input should be a string")),
        None => Err(Fault::missing(format!(".{path}"))),
    }
}

/// A text that is only shown: anything else counts as nothing.
pub(crate) fn loose(value: Option<Loose<String>>) -> String {
    match value {
        Some(Loose::Is(text)) => text,
        Some(Loose::Other) | None => String::new(),
    }
}

/// A type name as messages may show it.
pub(crate) fn shown(kind: &str) -> String {
    kind.chars().take(48).filter(|c| !c.is_control()).collect()
}
