//! Images and documents: inline sources, and images behind an address. What else is not inline is refused with words that
//! say what to send instead.

use super::wire::{Source, SourceObject, WireBlock};
use crate::conversation::{Block, Document, Image};
use crate::reading::content::{At, BlockList, loose, optional, required, shown};
use crate::reading::media::base64;
use crate::reading::notes::Fault;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

pub(super) fn image(source: Option<Source>) -> Result<Block, Fault> {
    let source = object_source(source, "image")?;
    match optional(source.kind, "image.source.type")?.as_deref() {
        Some("base64") => {
            let media_type = required(source.media_type, "image.source.base64.media_type")?;
            let data = required(source.data, "image.source.base64.data")?;
            Ok(Block::Image(Image { media_type, data: base64(data) }))
        }
        Some("url") => {
            let url = required(source.url, "image.source.url.url")?;
            let scheme = url.split_once("://").map_or("", |(scheme, _)| scheme);
            if scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("http") {
                Ok(Block::RemoteImage { url })
            } else {
                Err(Fault::invalid(".image.source.url.url", "Only http and https URLs are supported"))
            }
        }
        other => Err(unreadable_source("image", other)),
    }
}

pub(super) fn document(block: WireBlock, at: At, list: &mut BlockList) -> Result<(), Fault> {
    let source = object_source(block.source, "document")?;
    if block.citations.is_some() {
        list.notes.add("citations_dropped", format!("{at}.citations"), "citations are not available");
    }
    let context = loose(block.context);
    if !context.is_empty() {
        list.text(context, false);
    }
    let name = Some(loose(block.title)).filter(|title| !title.is_empty());
    let media_type = optional(source.media_type, "document.source.media_type")?;
    match optional(source.kind, "document.source.type")?.as_deref() {
        Some("base64") => {
            let media_type = media_type.unwrap_or_else(|| "application/pdf".to_owned());
            let data = required(source.data, "document.source.base64.data")?;
            let data = base64(data);
            list.blocks.push(Block::Document(Document { name, media_type, data }));
        }
        Some("text") => {
            let media_type = media_type.unwrap_or_else(|| "text/plain".to_owned());
            let data = required(source.data, "document.source.text.data")?;
            list.blocks.push(Block::Document(Document { name, media_type, data: STANDARD.encode(data) }));
        }
        Some("content") => {
            let content = source.content.ok_or_else(|| Fault::missing(".document.source.content.content"))?;
            if let Some(name) = name {
                list.text(name, false);
            }
            list.append(content.content, ".source.content", at)?;
        }
        other => return Err(unreadable_source("document", other)),
    }
    Ok(())
}

fn object_source(source: Option<Source>, kind: &str) -> Result<Box<SourceObject>, Fault> {
    match source {
        Some(Source::Object(source)) => Ok(source),
        Some(Source::Text(_) | Source::Other) => {
            Err(Fault::new("wrong_type", format!(".{kind}.source"), "Input should be an object"))
        }
        None => Err(Fault::missing(format!(".{kind}.source"))),
    }
}

fn unreadable_source(kind: &str, source: Option<&str>) -> Fault {
    match source {
        Some("url") => Fault::unsupported(
            format!(".{kind}.source.url"),
            "URL sources are not fetched by this gateway; send the content as base64",
        ),
        Some("file") => Fault::unsupported(
            format!(".{kind}.source.file_id"),
            "The Files API is not available here; send the content as base64",
        ),
        Some(other) => Fault::invalid(
            format!(".{kind}.source.type"),
            format!(
                "Input tag '{}' does not match any of the expected tags: 'base64', 'text', 'content'",
                shown(other)
            ),
        ),
        None => Fault::missing(format!(".{kind}.source.type")),
    }
}
