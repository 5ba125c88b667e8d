//! Pictures and documents of whole conversations.

mod documents;
mod images;
mod properties;
mod remote;

use super::raw::encode;
use super::*;
use image::{DynamicImage, ImageFormat, Rgb, RgbImage, Rgba, RgbaImage};
use kiro_protocol::conversation::{Document, Image, Message, Role};
use kiro_protocol::failure::FailureClass;
use std::io::Cursor;

pub(super) fn wishes() -> Wishes {
    Wishes { images: true, documents: false, settings: MediaSettings::default(), counting: false }
}

pub(super) fn text(text: &str) -> Block {
    Block::Text { text: text.to_owned(), cache: false }
}

pub(super) fn user(content: Vec<Block>) -> Message {
    Message { role: Role::User, content }
}

pub(super) fn model(words: &str) -> Message {
    Message { role: Role::Assistant, content: vec![text(words)] }
}

pub(super) fn talk(messages: Vec<Message>) -> Conversation {
    Conversation { messages, ..Conversation::default() }
}

pub(super) fn picture(bytes: &[u8]) -> Block {
    Block::Image(Image { media_type: "image/png".to_owned(), data: encode(bytes) })
}

pub(super) fn file(name: &str, media_type: &str, bytes: &[u8]) -> Block {
    Block::Document(Document { name: Some(name.to_owned()), media_type: media_type.to_owned(), data: encode(bytes) })
}

/// A picture of stripes; `seed` makes it another one.
pub(super) fn stripes(width: u32, height: u32, seed: u8, format: ImageFormat) -> Vec<u8> {
    let picture = RgbImage::from_fn(width, height, |x, y| Rgb([(x / 8) as u8 ^ seed, (y / 8) as u8, seed]));
    written(DynamicImage::ImageRgb8(picture), format)
}

/// A picture that compresses badly.
pub(super) fn noise(width: u32, height: u32, format: ImageFormat) -> Vec<u8> {
    let mut state = 1_u32;
    let picture = RgbImage::from_fn(width, height, |_, _| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        Rgb([(state >> 24) as u8, (state >> 16) as u8, (state >> 8) as u8])
    });
    written(DynamicImage::ImageRgb8(picture), format)
}

pub(super) fn transparent(width: u32, height: u32) -> Vec<u8> {
    written(DynamicImage::ImageRgba8(RgbaImage::from_pixel(width, height, Rgba([9, 9, 9, 0]))), ImageFormat::Png)
}

fn written(picture: DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    picture.write_to(&mut file, format).expect("written");
    file.into_inner()
}

pub(super) fn codes(prepared: &Prepared) -> Vec<&'static str> {
    prepared.notices.iter().map(|notice| notice.code).collect()
}

/// All texts of the conversation, one per line.
pub(super) fn words(conversation: &Conversation) -> String {
    fn of(block: &Block) -> String {
        match block {
            Block::Text { text, .. } => text.clone(),
            Block::ToolResult { content, .. } => content.iter().map(of).collect::<Vec<_>>().join("\n"),
            Block::Image(_) => "<image>".to_owned(),
            Block::Document(_) => "<document>".to_owned(),
            Block::RemoteImage { .. } => "<link>".to_owned(),
            Block::Thinking { .. } | Block::RedactedThinking { .. } | Block::ToolUse { .. } => String::new(),
        }
    }
    let blocks = conversation.messages.iter().flat_map(|message| &message.content);
    blocks.map(of).collect::<Vec<_>>().join("\n")
}

pub(super) fn pictures(conversation: &Conversation) -> Vec<Image> {
    let blocks = conversation.messages.iter().flat_map(|message| &message.content);
    let flat = blocks.flat_map(|block| match block {
        Block::ToolResult { content, .. } => content.as_slice(),
        other => std::slice::from_ref(other),
    });
    flat.filter_map(|block| match block {
        Block::Image(image) => Some(image.clone()),
        _ => None,
    })
    .collect()
}
