//! Parts of messages, of tool outputs and of summaries into blocks.

use super::wire::{WirePart, text};
use crate::conversation::Block;
use crate::openai::media;
use crate::reading::content::{self, At, BlockList, ContentOf, Part, required, shown};
use crate::reading::notes::{Fault, Notes};
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserialize, Deserializer, Error, IntoDeserializer as _, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use std::fmt;

/// Stands for a picture that could not be read. The history comes again with every request, so refusing it would end the
/// session.
const BAD_IMAGE: &str = "[An image was here; it could not be read and was left out.]";

/// Content of a message or a summary.
pub(super) type Content = ContentOf<WirePart>;

/// The output of a tool, where everything is welcome: what is neither text nor parts is shown as JSON.
#[derive(Debug)]
pub(super) enum Output {
    Content(Content),
    Other(Value),
}

impl Output {
    pub(super) fn into_blocks(self, path: &str, notes: &mut Notes) -> Result<Vec<Block>, Fault> {
        match self {
            // An empty output is an output.
            Output::Content(ContentOf { content: content::Content::Text(text), .. }) if text.is_empty() => {
                Ok(Vec::new())
            }
            Output::Content(content) => content.into_blocks(path, notes),
            Output::Other(value) => Ok(vec![plain(value.to_string())]),
        }
    }
}

impl<'de> Deserialize<'de> for Output {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Output;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("anything")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Output, E> {
                Content::deserialize(text.into_deserializer()).map(Output::Content)
            }
            fn visit_string<E: Error>(self, text: String) -> Result<Output, E> {
                Content::deserialize(text.into_deserializer()).map(Output::Content)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Output, A::Error> {
                Content::deserialize(SeqAccessDeserializer::new(seq)).map(Output::Content)
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Output, A::Error> {
                Value::deserialize(MapAccessDeserializer::new(map)).map(Output::Other)
            }
            fn visit_bool<E>(self, value: bool) -> Result<Output, E> {
                Ok(Output::Other(value.into()))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Output, E> {
                Ok(Output::Other(value.into()))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Output, E> {
                Ok(Output::Other(value.into()))
            }
            fn visit_f64<E>(self, value: f64) -> Result<Output, E> {
                Ok(Output::Other(value.into()))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

pub(super) fn plain(text: String) -> Block {
    Block::Text { text, cache: false }
}

impl Part for WirePart {
    fn convert(self, at: At, list: &mut BlockList) -> Result<(), Fault> {
        convert(self, at, list)
    }
}

fn convert(mut part: WirePart, at: At, list: &mut BlockList) -> Result<(), Fault> {
    let kind = text(part.kind.take());
    let cache = part.cache.is_some() || part.cache_control.is_some();
    let unknown = std::mem::take(&mut part.unknown);
    match kind.as_deref() {
        Some("input_text" | "output_text" | "text" | "summary_text" | "reasoning_text") => {
            let text = required(part.text, "text")?;
            if !text.is_empty() {
                list.text(text, cache);
            }
        }
        Some("refusal") => list.blocks.extend(text(part.refusal).map(plain)),
        Some("input_image" | "image_url" | "computer_screenshot") => image(part, at, list)?,
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
            list.notes.add("unknown_part", at, format!("a part of type `{kind}` was left out"));
            return Ok(());
        }
    }
    list.notes.unknown(at, &unknown);
    Ok(())
}

/// The URL is a text, or an object as Chat Completions has it.
fn image(part: WirePart, at: At, list: &mut BlockList) -> Result<(), Fault> {
    let url = match part.image_url {
        Some(Value::String(url)) => url,
        Some(Value::Object(mut object)) => match object.remove("url") {
            Some(Value::String(url)) => url,
            _ => return Err(Fault::missing(".image_url.url")),
        },
        Some(_) => return Err(Fault::new("wrong_type", ".image_url", "Expected a string")),
        None if part.file_id.is_some() => {
            let message = "The Files API is not available here; send the image as a data URL in `image_url`";
            return Err(Fault::unsupported(".file_id", message));
        }
        None => return Err(Fault::missing(".image_url")),
    };
    match media::image(url, ".image_url") {
        Ok(block) => list.blocks.push(block),
        Err(fault) => {
            list.notes.add("image_unreadable", format!("{at}.image_url"), fault.message);
            list.blocks.push(plain(BAD_IMAGE.to_owned()));
        }
    }
    Ok(())
}

fn file(part: WirePart) -> Result<Block, Fault> {
    if let Some(data) = text(part.file_data) {
        return Ok(media::file(text(part.filename), data));
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
