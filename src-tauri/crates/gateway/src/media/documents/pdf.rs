//! The text of a PDF, page by page. The library bounds what compressed parts may become; time and text are bounded here.

use super::read::shorten;
use super::{Read, Unreadable};
use lopdf::{Document, LoadOptions};
use std::time::Duration;
use tokio::time::Instant;

/// What one compressed part may become.
const INFLATED: usize = 64 * 1024 * 1024;
/// Pages after this are not read.
const PAGES: usize = 1000;
/// No page is begun after this long.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) fn read(bytes: &[u8], most: usize) -> Result<Read, Unreadable> {
    let options = LoadOptions { max_decompressed_size: Some(INFLATED), ..LoadOptions::default() };
    let document = Document::load_mem_with_options(bytes, options).map_err(unreadable)?;
    if document.is_encrypted() {
        return Err(Unreadable::Password);
    }
    let numbers: Vec<u32> = document.get_pages().into_keys().collect();
    if numbers.is_empty() {
        return Err(Unreadable::Damaged);
    }
    let since = Instant::now();
    let mut text = String::new();
    let mut cut = numbers.len() > PAGES;
    for number in numbers.iter().take(PAGES) {
        if since.elapsed() > PATIENCE || text.len() > most {
            cut = true;
            break;
        }
        // One page that cannot be read does not take the others with it.
        if let Ok(page) = document.extract_text_with_limit(&[*number], INFLATED)
            && !page.trim().is_empty()
        {
            if !text.is_empty() {
                text.push_str("\n\n");
            }
            text.push_str(page.trim_end());
        }
    }
    let (text, shortened) = shorten(text, most);
    Ok(Read { text, pages: Some(numbers.len()), cut: cut || shortened })
}

fn unreadable(error: lopdf::Error) -> Unreadable {
    match error {
        lopdf::Error::Decryption(_) | lopdf::Error::InvalidPassword => Unreadable::Password,
        lopdf::Error::Decompress(lopdf::DecompressError::MemoryLimitExceeded { .. }) => Unreadable::TooLarge,
        _ => Unreadable::Damaged,
    }
}
