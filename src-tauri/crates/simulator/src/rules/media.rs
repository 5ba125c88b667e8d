//! Images and documents: V20, V21.
//!
//! Of the client limits that are known the larger ones are checked: 20 images per message, 10 MB each, 8000 px a side.
//! A document is refused only for models that take text alone, since the catalogue does not say it reliably.

use std::collections::HashSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::request::{Media, Request, User};
use super::{Findings, at_turn};
use crate::models::Model;
use crate::refusal::Refusal;

const MAX_IMAGES: usize = 20;
const MAX_DOCUMENTS: usize = 20;
const MAX_BYTES: usize = 10_000_000;
const MAX_SIDE: u32 = 8000;
const DOCUMENT_FORMATS: [&str; 9] = ["csv", "doc", "docx", "html", "md", "pdf", "txt", "xls", "xlsx"];

pub(super) fn check(request: &Request, model: Option<&Model>, found: &mut Findings) {
    let state = &request.conversation_state;
    let turns = state.history.iter().enumerate().map(|(n, turn)| (at_turn(n), turn));
    for (place, turn) in turns.chain([("current message".to_owned(), &state.current_message)]) {
        if let Some(user) = &turn.user_input_message {
            images(&place, user, model, found);
            documents(&place, user, model, found);
        }
    }
}

fn images(place: &str, user: &User, model: Option<&Model>, found: &mut Findings) {
    let refuse =
        |reason: &'static str, detail: String| Refusal::malformed("V20", format!("{place}: {detail}")).reason(reason);
    if user.images.len() > MAX_IMAGES {
        found.refuse(refuse("IMAGE_COUNT_EXCEEDED", format!("{} images", user.images.len())));
    }
    if !user.images.is_empty() && model.is_some_and(|m| !m.images) {
        found.refuse(refuse("IMAGE_FORMAT_UNSUPPORTED", "this model takes no images".to_owned()));
    }
    for image in &user.images {
        if !matches!(image.format.as_str(), "png" | "jpeg" | "gif" | "webp") {
            found.refuse(refuse("IMAGE_FORMAT_UNSUPPORTED", format!("format {:?}", image.format)));
            continue;
        }
        let Ok(bytes) = STANDARD.decode(&image.source.bytes) else {
            found.refuse(refuse("REQUEST_BODY_INVALID", "image bytes are not base64".to_owned()));
            continue;
        };
        if kind_of(&bytes) != Some(image.format.as_str()) {
            found.refuse(refuse(
                "IMAGE_MIME_MISMATCH",
                format!("declared {}, bytes say {:?}", image.format, kind_of(&bytes)),
            ));
        } else if bytes.len() > MAX_BYTES {
            found.refuse(refuse("IMAGE_SIZE_EXCEEDED", format!("{} bytes", bytes.len())));
        } else if size_of(&bytes).is_some_and(|(w, h)| w > MAX_SIDE || h > MAX_SIDE) {
            found.refuse(refuse("IMAGE_DIMENSION_EXCEEDED", format!("{:?}", size_of(&bytes))));
        }
    }
}

fn kind_of(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0x89, b'P', b'N', b'G', ..] => Some("png"),
        [0xFF, 0xD8, 0xFF, ..] => Some("jpeg"),
        [b'G', b'I', b'F', b'8', ..] => Some("gif"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("webp"),
        _ => None,
    }
}

/// Width and height where the header tells them at a fixed place (PNG, GIF).
fn size_of(bytes: &[u8]) -> Option<(u32, u32)> {
    let big = |at: usize| Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    let little = |at: usize| Some(u32::from(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?)));
    match kind_of(bytes)? {
        "png" => Some((big(16)?, big(20)?)),
        "gif" => Some((little(6)?, little(8)?)),
        _ => None,
    }
}

fn documents(place: &str, user: &User, model: Option<&Model>, found: &mut Findings) {
    let refuse =
        |reason: &'static str, detail: String| Refusal::malformed("V21", format!("{place}: {detail}")).reason(reason);
    if user.documents.is_empty() {
        return;
    }
    if model.is_some_and(|m| !m.images && !m.documents) {
        found.refuse(refuse("DOCUMENT_MODEL_NOT_SUPPORTED", "this model takes text only".to_owned()));
    }
    if user.documents.len() > MAX_DOCUMENTS {
        found.refuse(refuse("DOCUMENT_COUNT_EXCEEDED", format!("{} documents", user.documents.len())));
    }
    let mut names = HashSet::new();
    for document in &user.documents {
        if !DOCUMENT_FORMATS.contains(&document.format.as_str()) {
            found.refuse(refuse("REQUEST_BODY_INVALID", format!("format {:?}", document.format)));
        }
        match &document.name {
            None => found.refuse(refuse("REQUEST_BODY_INVALID", "a document has no name".to_owned())),
            Some(name) if !names.insert(name) => {
                found.refuse(refuse("DOCUMENT_DUPLICATE_NAME", format!("{name:?}")));
            }
            Some(_) => {}
        }
        match STANDARD.decode(&document.source.bytes) {
            Err(_) => found.refuse(refuse("REQUEST_BODY_INVALID", "document bytes are not base64".to_owned())),
            Ok(bytes) if bytes.len() > MAX_BYTES => {
                found.refuse(refuse("DOCUMENT_SIZE_EXCEEDED", format!("{} bytes", bytes.len())));
            }
            Ok(_) => {}
        }
    }
}

/// Characters of base64 in a request; they are no text and do not count as tokens.
pub(super) fn media_bytes(request: &Request) -> usize {
    let state = &request.conversation_state;
    let users = state.history.iter().chain([&state.current_message]).filter_map(|t| t.user_input_message.as_ref());
    users.flat_map(|u| u.images.iter().chain(&u.documents)).map(|m: &Media| m.source.bytes.len()).sum()
}
