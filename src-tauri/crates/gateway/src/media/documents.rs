//! The documents of a conversation: sent as they are where the model takes them, else as the text that is read out of them.

mod office;
mod pdf;
mod read;

use super::place::{Place, newest_first};
use super::raw::{ContentId, content_id, decode};
use super::remembered::{Finding, Remembered};
use super::report::Report;
use kiro_protocol::conversation::{Block, Conversation, Document};
use kiro_protocol::kiro::request::document_format;
use std::sync::Arc;

/// Most documents that are sent as they are; the provider's own API takes five.
const MOST_NATIVE: usize = 5;
/// Largest document that is sent as it is; the provider's own API takes 4.5 MB.
const MOST_NATIVE_BYTES: usize = 4_500_000;
/// Longest PDF that is sent as it is, in pages.
const MOST_NATIVE_PAGES: usize = 100;
/// Bytes of text that are remembered.
const REMEMBERED: u64 = 16 * 1024 * 1024;

/// Why a document cannot be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unreadable {
    #[error("its data is not valid base64")]
    Base64,
    #[error("its format is not supported; PDF, DOCX, XLSX, HTML, CSV, Markdown and plain text are")]
    Format,
    #[error("it is protected by a password")]
    Password,
    #[error("the file is damaged and cannot be read")]
    Damaged,
    #[error("it holds no text; pages that were scanned must be sent as pictures")]
    NoText,
    #[error("reading it would take too much memory or time")]
    TooLarge,
}

/// What was read out of a document.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Read {
    /// Its text, within the limit.
    pub(super) text: String,
    /// Pages of a PDF.
    pub(super) pages: Option<usize>,
    /// True when there was more.
    pub(super) cut: bool,
}

type Key = (ContentId, &'static str, usize);
type Reading = Result<Read, Unreadable>;

impl Finding for Reading {
    fn held(&self) -> usize {
        self.as_ref().map_or(0, |read| read.text.len())
    }
}

/// Remembers documents by content.
pub(super) struct Library {
    known: Remembered<Key, Reading>,
}

impl Default for Library {
    fn default() -> Self {
        Self { known: Remembered::new(256, REMEMBERED) }
    }
}

impl Library {
    fn read(&self, document: &Document, most: usize) -> Arc<Reading> {
        let format = document_format(document).unwrap_or_default();
        self.known.get((content_id(&document.data), format, most), || match decode(&document.data) {
            Some(bytes) => read::read(&bytes, format, most),
            None => Err(Unreadable::Base64),
        })
    }
}

/// Goes through all documents, the newest first. `most`: bytes of text of one document.
pub(super) fn settle(
    conversation: &mut Conversation,
    library: &Library,
    native_allowed: bool,
    most: usize,
    report: &mut Report,
) {
    let mut native = 0;
    for place in newest_first(conversation, |block| matches!(block, Block::Document(_))) {
        let Block::Document(document) = place.block(conversation) else { continue };
        let reading = library.read(document, most);
        if native_allowed && native < MOST_NATIVE && fits(document, &reading) {
            native += 1;
            report.sent(place);
            continue;
        }
        let name = title(document);
        match &*reading {
            Ok(read) => {
                report.sent(place);
                as_text(conversation, place, &name, read, report);
            }
            Err(why) => {
                let words = format!("the document {name} could not be sent: {why}");
                place.note(conversation, format!("[{words}]"));
                let code = match why {
                    Unreadable::NoText => "document_without_text",
                    Unreadable::Password => "document_password_protected",
                    Unreadable::Format => "document_unsupported",
                    Unreadable::Base64 | Unreadable::Damaged | Unreadable::TooLarge => "document_unreadable",
                };
                report.failed(place, "document_dropped", code, words);
            }
        }
    }
}

/// Whether a model that takes documents takes this one. A scan has no text for us, but pages for the model.
fn fits(document: &Document, reading: &Reading) -> bool {
    let small = document.data.len() / 4 * 3 <= MOST_NATIVE_BYTES;
    let readable = match reading {
        Ok(read) => read.pages.is_none_or(|pages| pages <= MOST_NATIVE_PAGES),
        Err(Unreadable::NoText | Unreadable::TooLarge) => true,
        // Formats that only the service reads.
        Err(Unreadable::Format) => matches!(document_format(document), Some("doc" | "xls")),
        Err(Unreadable::Base64 | Unreadable::Password | Unreadable::Damaged) => false,
    };
    small && readable
}

fn as_text(conversation: &mut Conversation, place: Place, name: &str, read: &Read, report: &mut Report) {
    let pages = read.pages.map_or(String::new(), |pages| format!(", {pages} page(s)"));
    let end = if read.cut { "\n[The document goes on; the rest was left out.]" } else { "" };
    place.note(conversation, format!("[Text of the document {name}{pages}]\n{}{end}\n[End of {name}]", read.text));
    let kibibytes = read.text.len().div_ceil(1024);
    let cut = if read.cut { ", the rest left out" } else { "" };
    report.add("document_as_text", place.path(), format!("sent as {kibibytes} KiB of text{cut}"));
}

fn title(document: &Document) -> String {
    let name: String =
        document.name.as_deref().unwrap_or_default().chars().filter(|c| !c.is_control()).take(120).collect();
    if name.trim().is_empty() { "without a name".to_owned() } else { format!("\"{}\"", name.trim()) }
}
