//! Image URLs and files.

use crate::conversation::{Block, Document, Image};
use crate::reading::media::{base64, data_url};
use crate::reading::notes::Fault;

/// An image by its URL. Some clients put documents there, too; the media type tells.
pub(crate) fn image(url: String, path: &str) -> Result<Block, Fault> {
    if let Some((media_type, data)) = data_url(&url) {
        return Ok(inline_block(None, media_type, data));
    }
    let scheme = url.split("://").next().unwrap_or_default();
    if scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("http") {
        return Ok(Block::RemoteImage { url });
    }
    Err(Fault::invalid(path, "Expected an image URL: a base64-encoded data URL, or http(s)"))
}

/// A file whose content came with the request: a data URL, or base64 whose type the name tells.
pub(crate) fn file(name: Option<String>, data: String) -> Block {
    let (media_type, data) = data_url(&data).unwrap_or_else(|| (String::new(), base64(data)));
    let media_type = match media_type.as_str() {
        "" | "application/octet-stream" => of_name(name.as_deref()).to_owned(),
        _ => media_type,
    };
    inline_block(name.filter(|name| !name.is_empty()), media_type, data)
}

/// Why an uploaded file is refused.
pub(crate) fn uploaded_file(path: &str) -> Fault {
    Fault::unsupported(path, "The Files API is not available here; send the content inline as `file_data`")
}

fn inline_block(name: Option<String>, media_type: String, data: String) -> Block {
    match media_type.as_str() {
        // Without a type the magic bytes decide later.
        "" => Block::Image(Image { media_type: "application/octet-stream".to_owned(), data }),
        image if image.starts_with("image/") => Block::Image(Image { media_type, data }),
        _ => Block::Document(Document { name, media_type, data }),
    }
}

/// The media type that a file name tells; PDF is what files of this API are without one.
fn of_name(name: Option<&str>) -> &'static str {
    let extension = name.and_then(|name| name.rsplit_once('.')).map(|(_, extension)| extension.to_ascii_lowercase());
    match extension.as_deref() {
        Some("txt" | "log" | "text") => "text/plain",
        Some("md" | "markdown") => "text/markdown",
        Some("csv") => "text/csv",
        Some("html" | "htm") => "text/html",
        Some("json") => "application/json",
        Some("xml") => "text/xml",
        Some("doc") => "application/msword",
        Some("docx") => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        Some("xls") => "application/vnd.ms-excel",
        Some("xlsx") => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        Some("png") => "image/png",
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("gif") => "image/gif",
        Some("webp") => "image/webp",
        Some(_) | None => "application/pdf",
    }
}
