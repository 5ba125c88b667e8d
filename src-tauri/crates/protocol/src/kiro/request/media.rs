//! Images and documents (kiro-upstream §2.3 V20, V21).
//!
//! The format comes from the bytes, never from what the client declared: the service compares. What cannot be sent leaves
//! a note in the text, so that the model knows that something was there.

use super::BuildContext;
use super::ledger::{Turn, UserTurn, join};
use super::notices::Notices;
use crate::conversation::{Document, Image};
use crate::kiro::wire;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::collections::HashSet;

/// Most images in one request; AWS's own clients stop at 10 or 20. The newest are kept.
pub(super) const MAX_IMAGES: usize = 20;
/// Base64 characters above which the service was seen to refuse an image.
const LARGE_IMAGE: usize = 700_000;
/// Base64 characters that hold the size of almost every picture; JPEGs may carry a long preface.
const SIZED_HEAD: usize = 4 * 1024;
const SIZED_JPEG_HEAD: usize = 88 * 1024;
/// Base64 characters that are enough to tell the format.
const HEAD: usize = 32;

/// Collects the attachments of one conversation.
#[derive(Debug)]
pub(super) struct Attachments<'a> {
    context: &'a BuildContext,
    names: HashSet<String>,
    large: usize,
}

impl<'a> Attachments<'a> {
    pub(super) fn new(context: &'a BuildContext) -> Self {
        Self { context, names: HashSet::new(), large: 0 }
    }

    /// An image of a user turn.
    pub(super) fn image(&mut self, image: &Image, turn: &mut UserTurn, at: usize, notices: &mut Notices) {
        match self.wire_image(image, at, notices) {
            Ok(image) => turn.images.push(image),
            Err(note) => join(&mut turn.text, note),
        }
    }

    /// An image inside a tool result; results have no place for images. Returns the text that stands for it.
    pub(super) fn lifted_image(
        &mut self,
        image: &Image,
        turn: &mut UserTurn,
        at: usize,
        notices: &mut Notices,
    ) -> String {
        match self.wire_image(image, at, notices) {
            Ok(image) => {
                turn.images.push(image);
                notices.turn("tool_image_lifted", at, "an image in a tool result was attached to the message instead");
                "[image attached to this message]".to_owned()
            }
            Err(note) => note.to_owned(),
        }
    }

    fn wire_image(&mut self, image: &Image, at: usize, notices: &mut Notices) -> Result<wire::Image, &'static str> {
        if !self.context.images_allowed {
            notices.turn("image_dropped", at, "the model takes no images");
            return Err("[an image was left out: this model takes no images]");
        }
        let Some(bytes) = clean_base64(&image.data) else {
            notices.turn("image_dropped", at, "the image is not valid base64");
            return Err("[an image was left out: it could not be read]");
        };
        let Some(format) = image_format(&bytes) else {
            notices.turn("image_dropped", at, "the format is none of png, jpeg, gif and webp");
            return Err("[an image was left out: its format is not supported]");
        };
        if image.media_type.strip_prefix("image/") != Some(format) {
            notices.turn("image_format_corrected", at, format!("the bytes are {format}"));
        }
        if bytes.len() > LARGE_IMAGE {
            self.large += 1;
        }
        Ok(wire::Image { format, source: wire::Source { bytes } })
    }

    /// A document of a user turn.
    pub(super) fn document(&mut self, document: &Document, turn: &mut UserTurn, at: usize, notices: &mut Notices) {
        match self.wire_document(document, at, notices) {
            Ok(document) => turn.documents.push(document),
            Err(note) => join(&mut turn.text, &note),
        }
    }

    /// A document inside a tool result. Returns the text that stands for it.
    pub(super) fn lifted_document(
        &mut self,
        document: &Document,
        turn: &mut UserTurn,
        at: usize,
        notices: &mut Notices,
    ) -> String {
        match self.wire_document(document, at, notices) {
            Ok(document) => {
                let note = format!("[document {} attached to this message]", document.name);
                turn.documents.push(document);
                note
            }
            Err(note) => note,
        }
    }

    fn wire_document(
        &mut self,
        document: &Document,
        at: usize,
        notices: &mut Notices,
    ) -> Result<wire::Document, String> {
        let name = self.document_name(document);
        let Some(bytes) = clean_base64(&document.data) else {
            notices.turn("document_dropped", at, "the document is not valid base64");
            return Err(format!("[the document {name} was left out: it could not be read]"));
        };
        let format = format_of(document, &bytes);
        match format {
            Some(format) if self.context.documents_allowed => {
                Ok(wire::Document { name, format, source: wire::Source { bytes } })
            }
            Some("csv" | "html" | "md" | "txt") => {
                notices.turn("document_inlined", at, "the model takes no documents; its text was put into the message");
                let text = STANDARD.decode(bytes.as_bytes()).unwrap_or_default();
                Err(format!("[document {name}]\n{}", String::from_utf8_lossy(&text)))
            }
            Some(_) => {
                notices.turn("document_dropped", at, "the model takes no documents");
                Err(format!("[the document {name} was left out: this model takes no documents]"))
            }
            None => {
                notices.turn("document_dropped", at, "the format is not supported");
                Err(format!("[the document {name} was left out: its format is not supported]"))
            }
        }
    }

    /// A name that is unique in the request, made of what the service takes: letters, digits, single spaces, `-()[]`.
    fn document_name(&mut self, document: &Document) -> String {
        let stem = document.name.as_deref().unwrap_or("document");
        let stem = stem.rsplit(['/', '\\']).next().unwrap_or(stem);
        let stem = stem.rsplit_once('.').map_or(stem, |(stem, _)| stem);
        let keep = |c: char| if c.is_ascii_alphanumeric() || "-()[] ".contains(c) { c } else { '-' };
        let clean: String = stem.chars().map(keep).take(180).collect();
        let clean = clean.split_whitespace().collect::<Vec<_>>().join(" ");
        let base = if clean.trim_matches('-').is_empty() { "document".to_owned() } else { clean };
        let mut name = base.clone();
        let mut count = 1;
        while !self.names.insert(name.to_ascii_lowercase()) {
            count += 1;
            name = format!("{base}-{count}");
        }
        name
    }

    pub(super) fn report(&self, notices: &mut Notices) {
        if self.large > 0 {
            let detail = format!("{} image(s) are so large that the service may refuse them", self.large);
            notices.add("image_large", "messages", detail);
        }
    }
}

/// Drops the oldest images above the limit.
pub(super) fn keep_newest_images(turns: &mut [Turn], notices: &mut Notices) {
    let mut room = MAX_IMAGES;
    let mut dropped = 0;
    for turn in turns.iter_mut().rev() {
        let Turn::User(turn) = turn else { continue };
        let over = turn.images.len().saturating_sub(room);
        if over > 0 {
            turn.images.drain(..over);
            dropped += over;
            if turn.results.is_empty() || !turn.text.is_empty() {
                join(&mut turn.text, &format!("[{over} older image(s) were left out: too many images]"));
            }
        }
        room -= turn.images.len();
    }
    if dropped > 0 {
        notices.add("images_over_limit", "messages", format!("{dropped} older image(s) left out, {MAX_IMAGES} kept"));
    }
}

/// Standard base64 without line breaks; `None` when it is something else.
fn clean_base64(data: &str) -> Option<String> {
    let mut clean: String = data.split_ascii_whitespace().collect();
    while !clean.len().is_multiple_of(4) && !clean.ends_with("==") {
        clean.push('=');
    }
    let body = clean.trim_end_matches('=');
    let padding = clean.len() - body.len();
    let valid = body.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'/');
    (valid && !body.is_empty() && padding <= 2 && clean.len().is_multiple_of(4)).then_some(clean)
}

fn head(base64: &str) -> Vec<u8> {
    first(base64, HEAD)
}

/// The bytes of the first `characters` (a multiple of four).
fn first(base64: &str, characters: usize) -> Vec<u8> {
    STANDARD.decode(&base64.as_bytes()[..base64.len().min(characters)]).unwrap_or_default()
}

/// Width and height as the file's head says.
pub(super) fn pixels(image: &wire::Image) -> Option<(u64, u64)> {
    let characters = if image.format == "jpeg" { SIZED_JPEG_HEAD } else { SIZED_HEAD };
    let size = imagesize::blob_size(&first(&image.source.bytes, characters)).ok()?;
    Some((size.width as u64, size.height as u64))
}

fn image_format(base64: &str) -> Option<&'static str> {
    let head = head(base64);
    if head.starts_with(b"\x89PNG\r\n\x1a\n") {
        Some("png")
    } else if head.starts_with(b"\xff\xd8\xff") {
        Some("jpeg")
    } else if head.starts_with(b"GIF87a") || head.starts_with(b"GIF89a") {
        Some("gif")
    } else if head.starts_with(b"RIFF") && head.get(8..12) == Some(b"WEBP") {
        Some("webp")
    } else {
        None
    }
}

/// The service's word for a document's format: by its bytes, its media type, its name.
pub fn document_format(document: &Document) -> Option<&'static str> {
    format_of(document, &document.data)
}

fn format_of(document: &Document, base64: &str) -> Option<&'static str> {
    const FORMATS: [&str; 9] = ["csv", "doc", "docx", "html", "md", "pdf", "txt", "xls", "xlsx"];
    if head(base64).starts_with(b"%PDF") {
        return Some("pdf");
    }
    let media = document.media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let by_media = match media.as_str() {
        "application/pdf" => Some("pdf"),
        "text/csv" => Some("csv"),
        "application/msword" => Some("doc"),
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document" => Some("docx"),
        "text/html" => Some("html"),
        "text/markdown" => Some("md"),
        "application/vnd.ms-excel" => Some("xls"),
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet" => Some("xlsx"),
        _ => None,
    };
    let by_name = || {
        let extension = document.name.as_deref()?.rsplit_once('.')?.1.to_ascii_lowercase();
        FORMATS.into_iter().find(|format| *format == extension)
    };
    let textual = || (media.starts_with("text/") || media.ends_with("json") || media.ends_with("xml")).then_some("txt");
    by_media.or_else(by_name).or_else(textual)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(name: &str, media_type: &str) -> Document {
        Document { name: Some(name.to_owned()), media_type: media_type.to_owned(), data: "YQ==".to_owned() }
    }

    #[test]
    fn formats_come_from_the_bytes() {
        for (bytes, format) in [
            (&b"\x89PNG\r\n\x1a\nxxxx"[..], Some("png")),
            (b"\xff\xd8\xff\xe0xx", Some("jpeg")),
            (b"GIF89axxxxxx", Some("gif")),
            (b"RIFF\x10\0\0\0WEBPVP8 ", Some("webp")),
            (b"BM something", None),
        ] {
            assert_eq!(image_format(&STANDARD.encode(bytes)), format);
        }
    }

    #[test]
    fn base64_is_cleaned_or_refused() {
        assert_eq!(clean_base64("YWJ\nj").as_deref(), Some("YWJj"));
        assert_eq!(clean_base64("YWI").as_deref(), Some("YWI="));
        for bad in ["", "Y", "YW*j", "====", "YQ===", "data:image/png;base64,YWJj"] {
            assert_eq!(clean_base64(bad), None, "{bad}");
        }
    }

    #[test]
    fn document_names_are_clean_and_unique() {
        let context = BuildContext::default();
        let mut media = Attachments::new(&context);
        let mut name = |given: &str| media.document_name(&document(given, "text/plain"));
        assert_eq!(name("same.txt"), "same");
        assert_eq!(name("Same.pdf"), "Same-2");
        assert_eq!(name("/tmp/a_b  c.md"), "a-b c");
        assert_eq!(name("文档.pdf"), "document");
    }

    #[test]
    fn document_formats_are_told_by_type_then_name() {
        assert_eq!(format_of(&document("a", "text/csv; charset=utf-8"), "YQ=="), Some("csv"));
        assert_eq!(format_of(&document("a.docx", "application/octet-stream"), "YQ=="), Some("docx"));
        assert_eq!(format_of(&document("a", "application/json"), "YQ=="), Some("txt"));
        assert_eq!(format_of(&document("a.exe", "application/octet-stream"), "YQ=="), None);
    }
}
