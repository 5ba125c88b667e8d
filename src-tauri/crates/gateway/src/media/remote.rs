//! Pictures that a client names by a link. Refused unless a person allows it: fetching tells a stranger's site about this
//! machine, and lets whoever wrote the conversation make this machine ask for things.

mod address;
mod fetch;

pub(super) use fetch::Fetcher;
#[cfg(test)]
pub(super) use fetch::Lookup;

use super::Wishes;
use super::place::newest_first;
use super::raw::encode;
use super::report::Report;
use fetch::Refusal;
use kiro_protocol::conversation::{Block, Conversation, Image};
use kiro_protocol::failure::{Failure, FailureClass};
use std::time::Duration;

/// All fetches of one request together.
const PATIENCE: Duration = Duration::from_secs(30);

/// Fetches or refuses the linked pictures of one conversation.
pub(super) struct Remote<'a> {
    pub(super) fetcher: &'a Fetcher,
    pub(super) wishes: &'a Wishes,
}

impl Remote<'_> {
    pub(super) async fn settle(&self, conversation: &mut Conversation, report: &mut Report) {
        let settings = &self.wishes.settings;
        let hosts: Vec<String> = settings.hosts().collect();
        let deadline = tokio::time::Instant::now() + PATIENCE;
        let places = newest_first(conversation, |block| matches!(block, Block::RemoteImage { .. }));
        for (number, place) in places.into_iter().enumerate() {
            let Block::RemoteImage { url } = place.block(conversation) else { continue };
            let url = std::mem::take(url);
            let newest = report.is_newest(place);
            if !settings.remote_images {
                if newest {
                    report.refuse(not_allowed(&place.path()));
                }
                report.add("remote_image_dropped", place.path(), "pictures behind links are not fetched");
                place.note(conversation, "[A picture behind a link was left out: links are not followed.]");
                continue;
            }
            // What is over the limit would be fetched for nothing.
            let over = !self.wishes.images || number >= settings.max_images as usize;
            let fetching =
                async { if over { Err(Refusal::TooMany) } else { self.fetcher.picture(&url, &hosts, !newest).await } };
            let fetched = tokio::time::timeout_at(deadline, fetching).await.unwrap_or(Err(Refusal::TimedOut));
            match fetched {
                Ok(bytes) => {
                    // The true kind is read from the bytes later on.
                    let image = Image { media_type: "image/*".to_owned(), data: encode(&bytes) };
                    *place.block(conversation) = Block::Image(image);
                }
                Err(refusal) => {
                    place.note(conversation, format!("[A picture behind a link was left out: {refusal}.]"));
                    let words = format!("a picture behind a link was not fetched: {refusal}");
                    report.failed(place, "remote_image_dropped", refusal.code(), words);
                }
            }
        }
    }
}

fn not_allowed(path: &str) -> Failure {
    Failure::new(
        FailureClass::InvalidRequest,
        "remote_image_not_allowed",
        format!(
            "{path}: this gateway does not fetch pictures behind links. Send the picture itself as base64, or allow links in \
             the gateway's settings (media.remoteImages)."
        ),
    )
}
