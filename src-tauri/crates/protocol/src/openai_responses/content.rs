//! Parts of messages, of tool outputs and of summaries, turned into blocks one by one while the list is read, so that the
//! raw form of a long history is never held as a whole.

use super::wire::{WirePart, shown, text};
use crate::conversation::Block;
use crate::openai::media;
use crate::reading::loose::Loose;
use crate::reading::notes::{Fault, Notes};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::fmt;

/// Stands for a picture that could not be read. The history comes again with every request, so refusing it would end the
/// session.
const BAD_IMAGE: &str = "[An image was here; it could not be read and was left out.]";

/// Content as clients write it: a text, a list of parts, or something else, which only tool outputs may be.
#[derive(Debug)]
pub(super) enum Content {
    Text(String),
    Parts(PartList),
    Other(Value),
}

/// Blocks with what was noticed on the way. Paths begin with the index, `[3].image_url`.
#[derive(Debug, Default)]
pub(super) struct PartList {
    pub(super) blocks: Vec<Block>,
    notes: Notes,
    /// The first broken rule; nothing was read after it.
    fault: Option<Fault>,
}

impl Content {
    /// The blocks; a text becomes one block. Notices and faults get `path` in front.
    pub(super) fn into_blocks(self, path: &str, notes: &mut Notes) -> Result<Vec<Block>, Fault> {
        match self {
            Content::Text(text) if text.is_empty() => Ok(Vec::new()),
            Content::Text(text) => Ok(vec![plain(text)]),
            Content::Parts(list) => {
                notes.absorb(path, list.notes);
                match list.fault {
                    Some(fault) => Err(fault.under(path)),
                    None => Ok(list.blocks),
                }
            }
            Content::Other(_) => Err(Fault::new("wrong_type", path, "Expected a string or a list of content parts")),
        }
    }

    /// The output of a tool, where everything is welcome: what is neither text nor parts is shown as JSON.
    pub(super) fn into_output(self, path: &str, notes: &mut Notes) -> Result<Vec<Block>, Fault> {
        match self {
            Content::Other(value) => Ok(vec![plain(value.to_string())]),
            content @ (Content::Text(_) | Content::Parts(_)) => content.into_blocks(path, notes),
        }
    }
}

pub(super) fn plain(text: String) -> Block {
    Block::Text { text, cache: false }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Content;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a list of parts")
            }
            fn visit_str<E>(self, text: &str) -> Result<Content, E> {
                Ok(Content::Text(text.to_owned()))
            }
            fn visit_string<E>(self, text: String) -> Result<Content, E> {
                Ok(Content::Text(text))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Content, A::Error> {
                let mut list = PartList::default();
                let mut index = 0_usize;
                while list.fault.is_none() {
                    let Some(part) = seq.next_element::<Part>()? else { return Ok(Content::Parts(list)) };
                    let converted = match part {
                        Part::Object(part) => convert(*part, index, &mut list),
                        Part::Text(text) => {
                            list.blocks.push(plain(text));
                            Ok(())
                        }
                        Part::Other => Err(Fault::new("wrong_type", "", "Expected an object")),
                    };
                    if let Err(fault) = converted {
                        list.fault = Some(fault.under(&format!("[{index}]")));
                    }
                    index += 1;
                }
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Content::Parts(list))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Content, A::Error> {
                let mut object = Map::new();
                while let Some((key, value)) = map.next_entry()? {
                    object.insert(key, value);
                }
                Ok(Content::Other(Value::Object(object)))
            }
            fn visit_bool<E>(self, value: bool) -> Result<Content, E> {
                Ok(Content::Other(value.into()))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Content, E> {
                Ok(Content::Other(value.into()))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Content, E> {
                Ok(Content::Other(value.into()))
            }
            fn visit_f64<E>(self, value: f64) -> Result<Content, E> {
                Ok(Content::Other(value.into()))
            }
            fn visit_unit<E>(self) -> Result<Content, E> {
                Ok(Content::Other(Value::Null))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

/// An item of a list of parts. A bare text is tolerated.
enum Part {
    Object(Box<WirePart>),
    Text(String),
    Other,
}

impl<'de> Deserialize<'de> for Part {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use crate::reading::loose::otherwise;
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Part;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Part, A::Error> {
                let map = serde::de::value::MapAccessDeserializer::new(map);
                Ok(Part::Object(Box::new(WirePart::deserialize(map)?)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Part, E> {
                Ok(Part::Text(text.to_owned()))
            }
            fn visit_string<E>(self, text: String) -> Result<Part, E> {
                Ok(Part::Text(text))
            }
            otherwise!(Part::Other; visit_bool(bool) visit_i64(i64) visit_u64(u64) visit_f64(f64); seq);
        }
        deserializer.deserialize_any(Any)
    }
}

/// Appends what `part` stands for. Faults are relative to the part.
fn convert(mut part: WirePart, index: usize, list: &mut PartList) -> Result<(), Fault> {
    let kind = text(part.kind.take());
    let cache = part.cache.is_some() || part.cache_control.is_some();
    let unknown = std::mem::take(&mut part.unknown);
    match kind.as_deref() {
        Some("input_text" | "output_text" | "text" | "summary_text" | "reasoning_text") => {
            let text = required(part.text, "text")?;
            if !text.is_empty() {
                list.blocks.push(Block::Text { text, cache });
            }
        }
        Some("refusal") => list.blocks.extend(text(part.refusal).map(plain)),
        Some("input_image" | "image_url" | "computer_screenshot") => image(part, index, list)?,
        Some("input_file" | "file") => list.blocks.push(file(part)?),
        Some("input_audio") => {
            return Err(Fault::unsupported(".input_audio", "Audio input is not available here; send text"));
        }
        None if part.stdout.is_some() || part.stderr.is_some() => {
            list.blocks.extend(shell_output(part).map(plain));
            return Ok(());
        }
        None => return Err(Fault::missing(".type")),
        Some(other) => {
            let kind = shown(other);
            list.notes.add("unknown_part", format!("[{index}]"), format!("a part of type `{kind}` was left out"));
            return Ok(());
        }
    }
    list.notes.unknown(format!("[{index}]"), &unknown);
    Ok(())
}

fn required(value: Option<Loose<String>>, key: &str) -> Result<String, Fault> {
    match value {
        Some(Loose::Is(text)) => Ok(text),
        Some(Loose::Other) => Err(Fault::new("wrong_type", format!(".{key}"), "Expected a string")),
        None => Err(Fault::missing(format!(".{key}"))),
    }
}

/// The URL is a text, or an object as Chat Completions has it.
fn image(part: WirePart, index: usize, list: &mut PartList) -> Result<(), Fault> {
    let url = match part.image_url {
        Some(Value::String(url)) => url,
        Some(Value::Object(mut object)) => match object.remove("url") {
            Some(Value::String(url)) => url,
            _ => return Err(Fault::missing(".image_url.url")),
        },
        Some(_) => return Err(Fault::new("wrong_type", ".image_url", "Expected a string")),
        None if part.file_id.is_some() => return Err(media::uploaded_file(".file_id")),
        None => return Err(Fault::missing(".image_url")),
    };
    match media::image(url, ".image_url") {
        Ok(block) => list.blocks.push(block),
        Err(fault) => {
            list.notes.add("image_unreadable", format!("[{index}].image_url"), fault.message);
            list.blocks.push(plain(BAD_IMAGE.to_owned()));
        }
    }
    Ok(())
}

fn file(part: WirePart) -> Result<Block, Fault> {
    if let Some(data) = text(part.file_data) {
        return media::file(text(part.filename), data, ".file_data");
    }
    if part.file_url.is_some() {
        let message = "File URLs are not fetched here; send the content inline as `file_data`";
        return Err(Fault::unsupported(".file_url", message));
    }
    if part.file_id.is_some() {
        return Err(media::uploaded_file(".file_id"));
    }
    Err(Fault::missing(".file_data"))
}

/// What a command wrote, and how it ended.
fn shell_output(part: WirePart) -> Option<String> {
    let mut written = text(part.stdout).unwrap_or_default();
    if let Some(stderr) = text(part.stderr) {
        if !written.is_empty() && !written.ends_with('\n') {
            written.push('\n');
        }
        written.push_str(&stderr);
    }
    let outcome = part.outcome.as_ref().and_then(Value::as_object);
    let end = match outcome.and_then(|outcome| outcome.get("type")).and_then(Value::as_str) {
        Some("timeout") => Some("[timed out]".to_owned()),
        Some("exit") => outcome
            .and_then(|outcome| outcome.get("exit_code"))
            .and_then(Value::as_i64)
            .filter(|code| *code != 0)
            .map(|code| format!("[exit code {code}]")),
        Some(_) | None => None,
    };
    if let Some(end) = end {
        if !written.is_empty() && !written.ends_with('\n') {
            written.push('\n');
        }
        written.push_str(&end);
    }
    Some(written).filter(|written| !written.is_empty())
}
