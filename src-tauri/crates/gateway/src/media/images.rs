//! The pictures of a conversation: each made to fit, no more than the service takes, the same one once.

use super::picture::{Fitted, Size, Unusable, fit};
use super::place::newest_first;
use super::raw::{ContentId, content_id, decode, encode};
use super::remembered::{Finding, Remembered};
use super::report::Report;
use kiro_protocol::conversation::{Block, Conversation, Image};
use std::collections::HashSet;
use std::sync::Arc;

/// Bytes of rewritten pictures that are remembered.
const REMEMBERED: u64 = 64 * 1024 * 1024;

/// What a request may carry.
#[derive(Debug, Clone, Copy)]
pub(super) struct Allowance {
    pub(super) size: Size,
    /// Most pictures.
    pub(super) count: usize,
    /// Bytes of base64 of all of them.
    pub(super) total: usize,
}

/// What was found out about one picture.
#[derive(Debug)]
enum Verdict {
    AsIs { media_type: &'static str, id: ContentId },
    Rewritten { image: Image, id: ContentId, how: String },
    Unusable(String),
}

type Key = (ContentId, Size);

impl Finding for Verdict {
    fn held(&self) -> usize {
        match self {
            Self::Rewritten { image, .. } => image.data.len(),
            Self::AsIs { .. } | Self::Unusable(_) => 0,
        }
    }
}

/// Remembers pictures by content.
pub(super) struct Gallery {
    known: Remembered<Key, Verdict>,
}

impl Default for Gallery {
    fn default() -> Self {
        Self { known: Remembered::new(512, REMEMBERED) }
    }
}

impl Gallery {
    fn judge(&self, data: &str, size: Size) -> Arc<Verdict> {
        let id = content_id(data);
        self.known.get((id, size), || judge(data, id, size))
    }
}

#[cfg(test)]
impl Gallery {
    /// How many pictures are remembered.
    pub(super) fn judged(&self) -> usize {
        self.known.len()
    }
}

fn judge(data: &str, id: ContentId, size: Size) -> Verdict {
    let Some(bytes) = decode(data) else { return Verdict::Unusable("its data is not valid base64".to_owned()) };
    match fit(&bytes, size) {
        Ok(Fitted::AsIs { media_type }) => Verdict::AsIs { media_type, id },
        Ok(Fitted::Rewritten { media_type, bytes, how }) => {
            let image = Image { media_type: media_type.to_owned(), data: encode(&bytes) };
            Verdict::Rewritten { id: content_id(&image.data), image, how }
        }
        Err(unusable @ (Unusable::Format | Unusable::TooLarge(..) | Unusable::Damaged | Unusable::Stubborn)) => {
            Verdict::Unusable(unusable.to_string())
        }
    }
}

/// Goes through all pictures, the newest first.
pub(super) fn settle(conversation: &mut Conversation, gallery: &Gallery, allowed: Allowance, report: &mut Report) {
    let mut seen: HashSet<ContentId> = HashSet::new();
    let (mut count, mut total, mut over, mut again) = (0, 0, 0, 0);
    let mut full = false;
    for place in newest_first(conversation, |block| matches!(block, Block::Image(_))) {
        full |= count == allowed.count;
        if full {
            over += 1;
            place.note(conversation, "[An older image was left out here: too many images.]");
            continue;
        }
        let Block::Image(image) = place.block(conversation) else { continue };
        let verdict = gallery.judge(&image.data, allowed.size);
        let (id, length) = match &*verdict {
            Verdict::AsIs { id, .. } => (*id, image.data.len()),
            Verdict::Rewritten { id, image, .. } => (*id, image.data.len()),
            Verdict::Unusable(why) => {
                let why = format!("an image could not be sent: {why}");
                place.note(conversation, format!("[{why}]"));
                report.failed(place, "image_dropped", "image_unreadable", why);
                continue;
            }
        };
        if !seen.insert(id) {
            again += 1;
            place.note(conversation, "[The same image as one further on in this conversation.]");
            continue;
        }
        if count > 0 && total + length > allowed.total {
            full = true;
            over += 1;
            place.note(conversation, "[An older image was left out here: too many images.]");
            continue;
        }
        (count, total) = (count + 1, total + length);
        match &*verdict {
            Verdict::AsIs { media_type, .. } => image.media_type = (*media_type).to_owned(),
            Verdict::Rewritten { image: fitted, how, .. } => {
                image.clone_from(fitted);
                report.add("image_fitted", place.path(), how);
            }
            Verdict::Unusable(_) => {}
        }
        report.sent(place);
    }
    if over > 0 {
        let detail = format!("{over} older image(s) left out: {count} image(s) with {} KiB are sent", total / 1024);
        report.add("images_over_limit", "messages", detail);
    }
    if again > 0 {
        report.add("images_repeated", "messages", format!("{again} image(s) that come again later are sent once"));
    }
}
