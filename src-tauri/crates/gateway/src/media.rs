//! Pictures and documents on their way to the upstream: fetched, decoded, made to fit, or replaced by words.
//!
//! Promises: one broken picture never ends a session, because clients send their history again with every request; only when
//! the turn to be answered has nothing else to say does the request fail, in plain words. Running it twice changes nothing
//! more. The heavy work never runs on the async threads, and of it only a few pieces at once.

mod documents;
mod images;
mod picture;
mod place;
mod raw;
mod remembered;
mod remote;
mod report;
#[cfg(test)]
mod tests;

use crate::settings::MediaSettings;
use documents::Library;
use images::{Allowance, Gallery};
use kiro_protocol::codec::Notice;
use kiro_protocol::conversation::{Block, Conversation};
use kiro_protocol::failure::Failure;
use picture::Size;
use remote::{Fetcher, Remote};
use report::Report;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Conversations whose pictures and documents are worked on at once. Decoding takes memory: up to 256 MiB for one picture.
const AT_ONCE: usize = 2;

/// What the model takes, and what the person allows.
#[derive(Debug, Clone)]
pub(crate) struct Wishes {
    /// The model takes pictures.
    pub(crate) images: bool,
    /// The model takes documents.
    pub(crate) documents: bool,
    /// Limits and permissions.
    pub(crate) settings: MediaSettings,
    /// Only the size of the conversation is wanted: nothing is fetched.
    pub(crate) counting: bool,
}

/// A conversation whose pictures and documents can be sent.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) conversation: Conversation,
    pub(crate) notices: Vec<Notice>,
    /// Why it cannot be answered, when it cannot.
    pub(crate) refused: Option<Failure>,
}

/// Prepares conversations, and remembers what it found out about their pictures and documents.
pub(crate) struct Media {
    works: Arc<Works>,
    fetcher: Fetcher,
    slots: Semaphore,
}

#[derive(Default)]
struct Works {
    gallery: Gallery,
    library: Library,
}

impl Default for Media {
    fn default() -> Self {
        Self::new(Fetcher::default())
    }
}

impl Media {
    fn new(fetcher: Fetcher) -> Self {
        Self { works: Arc::default(), fetcher, slots: Semaphore::new(AT_ONCE) }
    }

    /// Prepares one conversation. Costs nothing for a conversation of text.
    pub(crate) async fn prepare(&self, mut conversation: Conversation, wishes: Wishes) -> Prepared {
        let carried = Carried::by(&conversation);
        if !carried.remote && !carried.inline {
            return Prepared { conversation, notices: Vec::new(), refused: None };
        }
        let mut report = Report::new(place::newest_turn(&conversation), place::newest_turn_speaks(&conversation));
        if carried.remote && !wishes.counting {
            let remote = Remote { fetcher: &self.fetcher, wishes: &wishes };
            remote.settle(&mut conversation, &mut report).await;
        }
        let _slot = self.slots.acquire().await;
        let works = Arc::clone(&self.works);
        // A few bytes can be a picture of millions of pixels.
        crate::pipeline::heavy(usize::MAX, move || works.settle(conversation, &wishes, report)).await
    }
}

impl Works {
    fn settle(&self, mut conversation: Conversation, wishes: &Wishes, mut report: Report) -> Prepared {
        let settings = &wishes.settings;
        documents::settle(
            &mut conversation,
            &self.library,
            wishes.documents,
            settings.max_document_kibibytes as usize * 1024,
            &mut report,
        );
        // For a model that sees nothing the upstream edge leaves notes; decoding would be for nothing.
        if wishes.images {
            let size = Size { edge: settings.max_image_edge, bytes: settings.max_image_kibibytes as usize * 1024 };
            let total = settings.max_images_mebibytes as usize * 1024 * 1024;
            let allowed = Allowance { size, count: settings.max_images as usize, total };
            images::settle(&mut conversation, &self.gallery, allowed, &mut report);
        }
        let (notices, refused) = report.finish();
        Prepared { conversation, notices, refused }
    }
}

/// What there is to do in a conversation.
#[derive(Debug, Default)]
struct Carried {
    remote: bool,
    inline: bool,
}

impl Carried {
    fn by(conversation: &Conversation) -> Self {
        let mut carried = Self::default();
        for block in conversation.messages.iter().flat_map(|message| &message.content) {
            carried.add(block);
        }
        carried
    }

    fn add(&mut self, block: &Block) {
        match block {
            Block::Image(_) | Block::Document(_) => self.inline = true,
            Block::RemoteImage { .. } => self.remote = true,
            Block::ToolResult { content, .. } => content.iter().for_each(|block| self.add(block)),
            Block::Text { .. } | Block::Thinking { .. } | Block::RedactedThinking { .. } | Block::ToolUse { .. } => {}
        }
    }
}
