//! Pictures and documents. What the models behind this door cannot take is refused with words that say so.

use super::wire::{Blob, FileData};
use crate::conversation::{Block, Document, Image};
use crate::reading::media::base64;
use crate::reading::notes::{Fault, Notes};

/// Endings of addresses that name a picture.
const PICTURES: [&str; 5] = [".png", ".jpg", ".jpeg", ".gif", ".webp"];

pub(super) fn inline(blob: Blob, at: &str, notes: &mut Notes) -> Result<Block, Fault> {
    notes.unknown(format_args!("{at}.inlineData"), &blob.unknown);
    let media_type = media_type(blob.mime_type).ok_or_else(|| Fault::missing(".inlineData.mimeType"))?;
    refuse_sound(&media_type, ".inlineData.mimeType")?;
    let data = blob.data.ok_or_else(|| Fault::missing(".inlineData.data"))?;
    let data = base64(data);
    Ok(if media_type.starts_with("image/") {
        Block::Image(Image { media_type, data })
    } else {
        Block::Document(Document { name: blob.name.filter(|name| !name.is_empty()), media_type, data })
    })
}

pub(super) fn file(file: FileData, at: &str, notes: &mut Notes) -> Result<Block, Fault> {
    notes.unknown(format_args!("{at}.fileData"), &file.unknown);
    let uri = file.uri.ok_or_else(|| Fault::missing(".fileData.fileUri"))?;
    let media_type = media_type(file.mime_type);
    if let Some(media_type) = &media_type {
        refuse_sound(media_type, ".fileData.mimeType")?;
    }
    let lower = uri.to_ascii_lowercase();
    let address = lower.strip_prefix("https://").or_else(|| lower.strip_prefix("http://"));
    let Some(address) = address.filter(|address| !address.starts_with("generativelanguage.googleapis.com/")) else {
        let words = "Uploaded files are not available here; send the content as inlineData";
        return Err(Fault::unsupported(".fileData.fileUri", words));
    };
    let path = address.split(['?', '#']).next().unwrap_or_default();
    let picture = match &media_type {
        Some(media_type) => media_type.starts_with("image/"),
        None => PICTURES.iter().any(|ending| path.ends_with(ending)),
    };
    if picture {
        Ok(Block::RemoteImage { url: uri })
    } else {
        let words = "Only pictures can be given by their address; send other files as inlineData";
        Err(Fault::unsupported(".fileData", words))
    }
}

/// Lower case, without parameters.
fn media_type(value: Option<String>) -> Option<String> {
    let value = value?;
    let bare = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    (!bare.is_empty()).then_some(bare)
}

fn refuse_sound(media_type: &str, path: &str) -> Result<(), Fault> {
    let kind = if media_type.starts_with("audio/") {
        "Audio"
    } else if media_type.starts_with("video/") {
        "Video"
    } else {
        return Ok(());
    };
    Err(Fault::unsupported(
        path,
        format!("{kind} input is not supported: the models here take text, pictures and documents"),
    ))
}
