//! The text of office files. Both are ZIP archives of XML: what an archive may become is bounded before anything is read.

use super::Unreadable;
use calamine::{Data, DataRef, Reader as _, Xlsx, XlsxError};
use quick_xml::events::Event;
use std::io::{Cursor, Read as _};
use zip::ZipArchive;

/// What all parts of an archive together may become.
const UNPACKED: u64 = 128 * 1024 * 1024;
/// The text of a document inside its archive.
const BODY: &str = "word/document.xml";
/// Most tabs for empty cells in a row.
const WIDEST_GAP: u32 = 16;

/// Paragraphs of a Word document, one per line; cells of a table are parted by tabs.
pub(super) fn document(bytes: &[u8], most: usize) -> Result<String, Unreadable> {
    let mut archive = open(bytes)?;
    let body = archive.by_name(BODY).map_err(|_| Unreadable::Damaged)?;
    let mut xml = Vec::new();
    body.take(UNPACKED).read_to_end(&mut xml).map_err(|_| Unreadable::Damaged)?;
    let mut reader = quick_xml::Reader::from_reader(xml.as_slice());
    let (mut text, mut inside) = (String::new(), false);
    let mut buffer = Vec::new();
    loop {
        buffer.clear();
        match reader.read_event_into(&mut buffer).map_err(|_| Unreadable::Damaged)? {
            Event::Start(tag) => inside |= tag.local_name().as_ref() == "t",
            Event::Text(piece) if inside => {
                text.push_str(&piece);
            }
            Event::GeneralRef(name) if inside => {
                if let Ok(Some(c)) = name.resolve_char_ref() {
                    text.push(c);
                } else if let Some(meant) = quick_xml::escape::resolve_predefined_entity(&name) {
                    text.push_str(meant);
                }
            }
            Event::End(tag) => match tag.local_name().as_ref() {
                "t" => inside = false,
                "p" => text.push('\n'),
                "tc" => {
                    // A cell ends with a paragraph; the tab takes its place.
                    if text.ends_with('\n') {
                        text.pop();
                    }
                    text.push('\t');
                }
                "tr" => text.push('\n'),
                _ => {}
            },
            Event::Empty(tag) => match tag.local_name().as_ref() {
                "tab" => text.push('\t'),
                "br" | "cr" => text.push('\n'),
                _ => {}
            },
            Event::Eof => return Ok(text),
            Event::Text(_)
            | Event::GeneralRef(_)
            | Event::CData(_)
            | Event::Comment(_)
            | Event::Decl(_)
            | Event::PI(_)
            | Event::DocType(_) => {}
        }
        if text.len() > most {
            return Ok(text);
        }
    }
}

/// Every sheet with its name; cells parted by tabs. Cells are read as they come: two cells at far corners must not become
/// a table of billions.
pub(super) fn sheets(bytes: &[u8], most: usize) -> Result<String, Unreadable> {
    open(bytes)?;
    let mut book: Xlsx<_> = calamine::open_workbook_from_rs(Cursor::new(bytes)).map_err(unreadable)?;
    let mut text = String::new();
    for name in book.sheet_names() {
        let Ok(mut cells) = book.worksheet_cells_reader(&name) else { continue };
        text.push_str(&format!("# {name}"));
        let mut at = None;
        while let Some(cell) = cells.next_cell().map_err(unreadable)? {
            let (row, column) = cell.get_position();
            let value = written(cell.get_value());
            if value.is_empty() {
                continue;
            }
            match at {
                Some((line, before)) if line == row => {
                    text.extend(std::iter::repeat_n('\t', column.saturating_sub(before).clamp(1, WIDEST_GAP) as usize));
                }
                Some(_) | None => {
                    text.push('\n');
                    text.extend(std::iter::repeat_n('\t', column.min(WIDEST_GAP) as usize));
                }
            }
            at = Some((row, column));
            text.push_str(&value);
            if text.len() > most {
                return Ok(text);
            }
        }
        text.push_str("\n\n");
    }
    Ok(text)
}

fn written(value: &DataRef<'_>) -> String {
    Data::from(value.clone()).to_string().replace(['\t', '\n', '\r'], " ")
}

fn unreadable(error: XlsxError) -> Unreadable {
    match error {
        XlsxError::Password => Unreadable::Password,
        _ => Unreadable::Damaged,
    }
}

/// Opens an archive after unpacking it once to nowhere: what it says of its parts' sizes may be a lie.
fn open(bytes: &[u8]) -> Result<ZipArchive<Cursor<&[u8]>>, Unreadable> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|_| Unreadable::Damaged)?;
    let mut room = UNPACKED;
    for index in 0..archive.len() {
        let part = archive.by_index(index).map_err(|_| Unreadable::Damaged)?;
        let unpacked =
            std::io::copy(&mut part.take(room + 1), &mut std::io::sink()).map_err(|_| Unreadable::Damaged)?;
        room = room.checked_sub(unpacked).ok_or(Unreadable::TooLarge)?;
    }
    Ok(archive)
}
