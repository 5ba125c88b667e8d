use super::*;
use lopdf::content::{Content, Operation};
use lopdf::{Stream, dictionary};
use std::io::Write as _;

/// A PDF with a text on each page; an empty text is a page without any, as of a scan.
fn pdf(pages: &[&str]) -> Vec<u8> {
    let mut file = lopdf::Document::with_version("1.5");
    let tree = file.new_object_id();
    let font = file.add_object(dictionary! {"Type" => "Font", "Subtype" => "Type1", "BaseFont" => "Courier"});
    let resources = file.add_object(dictionary! {"Font" => dictionary! {"F1" => font}});
    let mut kids = Vec::new();
    for page in pages {
        let operations = if page.is_empty() {
            Vec::new()
        } else {
            vec![
                Operation::new("BT", vec![]),
                Operation::new("Tf", vec!["F1".into(), 12.into()]),
                Operation::new("Td", vec![100.into(), 600.into()]),
                Operation::new("Tj", vec![lopdf::Object::string_literal(*page)]),
                Operation::new("ET", vec![]),
            ]
        };
        let content = file.add_object(Stream::new(dictionary! {}, Content { operations }.encode().expect("encoded")));
        kids.push(file.add_object(dictionary! {"Type" => "Page", "Parent" => tree, "Contents" => content}).into());
    }
    let count = kids.len() as i64;
    let pages = dictionary! {"Type" => "Pages", "Kids" => kids, "Count" => count, "Resources" => resources,
    "MediaBox" => vec![0.into(), 0.into(), 595.into(), 842.into()]};
    file.objects.insert(tree, lopdf::Object::Dictionary(pages));
    let root = file.add_object(dictionary! {"Type" => "Catalog", "Pages" => tree});
    file.trailer.set("Root", root);
    file.compress();
    let mut bytes = Vec::new();
    file.save_to(&mut bytes).expect("saved");
    bytes
}

fn archive(parts: &[(&str, &str)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in parts {
        zip.start_file(*name, zip::write::SimpleFileOptions::default()).expect("begun");
        zip.write_all(content.as_bytes()).expect("written");
    }
    zip.finish().expect("finished").into_inner()
}

fn docx(body: &str) -> Vec<u8> {
    archive(&[("word/document.xml", &format!(r#"<w:document xmlns:w="w"><w:body>{body}</w:body></w:document>"#))])
}

fn xlsx(cells: &str) -> Vec<u8> {
    let sheet = format!(
        r#"<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>{cells}</sheetData></worksheet>"#
    );
    archive(&[
        (
            "_rels/.rels",
            r#"<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>"#,
        ),
        (
            "xl/workbook.xml",
            r#"<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="Costs" sheetId="1" r:id="rId1"/></sheets></workbook>"#,
        ),
        (
            "xl/_rels/workbook.xml.rels",
            r#"<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/></Relationships>"#,
        ),
        ("xl/worksheets/sheet1.xml", &sheet),
    ])
}

async fn alone(block: Block, documents: bool) -> Prepared {
    let wishes = Wishes { documents, ..wishes() };
    Media::default().prepare(talk(vec![user(vec![block])]), wishes).await
}

#[tokio::test]
async fn a_pdf_becomes_its_text_for_a_model_that_takes_none() {
    let prepared = alone(file("Plan.pdf", "application/pdf", &pdf(&["first page", "second page"])), false).await;
    assert_eq!((&prepared.refused, codes(&prepared)), (&None, vec!["document_as_text"]));
    let words = words(&prepared.conversation);
    assert!(words.starts_with("[Text of the document \"Plan.pdf\", 2 page(s)]\nfirst page\n\nsecond page"), "{words}");
}

#[tokio::test]
async fn a_pdf_is_sent_as_it_is_where_the_model_takes_it() {
    let block = file("Plan.pdf", "application/pdf", &pdf(&["text"]));
    let prepared = alone(block.clone(), true).await;
    assert_eq!(prepared.conversation.messages[0].content, [block]);
    // A model that takes documents sees the pages of a scan.
    let scan = file("scan.pdf", "application/pdf", &pdf(&[""]));
    assert_eq!(alone(scan.clone(), true).await.conversation.messages[0].content, [scan]);
}

#[tokio::test]
async fn what_a_model_would_refuse_is_not_sent_as_it_is() {
    let long = pdf(&vec!["page"; 101]);
    let prepared = alone(file("long.pdf", "application/pdf", &long), true).await;
    assert_eq!(codes(&prepared), ["document_as_text"]);
    let six = (0..6).map(|n| file("a.txt", "text/plain", format!("text {n}").as_bytes())).collect();
    let wishes = Wishes { documents: true, ..wishes() };
    let prepared = Media::default().prepare(talk(vec![user(six)]), wishes).await;
    assert!(
        words(&prepared.conversation).starts_with("[Text of the document \"a.txt\"]\ntext 0"),
        "the oldest as text"
    );
    assert_eq!(words(&prepared.conversation).matches("<document>").count(), 5);
}

#[tokio::test]
async fn scans_and_broken_files_are_refused_in_plain_words() {
    for (block, code) in [
        (file("scan.pdf", "application/pdf", &pdf(&["", ""])), "document_without_text"),
        (file("cut.pdf", "application/pdf", b"%PDF-1.7 and nothing"), "document_unreadable"),
        (file("a.bin", "application/octet-stream", b"\0\x01"), "document_unsupported"),
        (file("a.docx", "application/octet-stream", b"PK nothing"), "document_unreadable"),
        (file("empty.txt", "text/plain", b"  \n"), "document_without_text"),
    ] {
        let refused = alone(block, false).await.refused.expect("refused");
        assert_eq!(refused.code, code, "{}", refused.message);
    }
}

#[tokio::test]
async fn a_broken_document_beside_words_becomes_a_note() {
    let block = file("cut.pdf", "application/pdf", b"%PDF-1.7 and nothing");
    let messages = vec![user(vec![block, text("Summarise this.")])];
    let prepared = Media::default().prepare(talk(messages), wishes()).await;
    assert_eq!(prepared.refused, None);
    assert!(
        words(&prepared.conversation).starts_with("[the document \"cut.pdf\" could not be sent: the file is damaged")
    );
}

#[tokio::test]
async fn office_files_become_text() {
    let body = "<w:p><w:r><w:t>One &amp; two</w:t></w:r></w:p><w:tbl><w:tr><w:tc><w:p><w:r><w:t>a</w:t></w:r></w:p></w:tc>\
        <w:tc><w:p><w:r><w:t>b</w:t></w:r></w:p></w:tc></w:tr></w:tbl>";
    let read = words(&alone(file("a.docx", "", &docx(body)), false).await.conversation);
    assert!(read.contains("\nOne & two\na\tb\t\n"), "{read:?}");

    let cells = r#"<row r="1"><c r="A1" t="inlineStr"><is><t>Rent</t></is></c><c r="C1"><v>12.5</v></c></row><row r="3"><c r="B3"><v>7</v></c></row>"#;
    let read = words(&alone(file("a.xlsx", "", &xlsx(cells)), false).await.conversation);
    assert!(read.contains("# Costs\nRent\t\t12.5\n\t7"), "{read:?}");
}

#[tokio::test]
async fn two_far_cells_are_no_table_of_billions() {
    let cells = r#"<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>2</v></c></row>"#;
    let prepared = alone(file("a.xlsx", "", &xlsx(cells)), false).await;
    assert!(prepared.refused.is_none() && words(&prepared.conversation).len() < 200);
}

#[tokio::test]
async fn an_archive_that_unpacks_to_too_much_is_refused() {
    let bomb = archive(&[("word/document.xml", &" ".repeat(130 * 1024 * 1024))]);
    assert!(bomb.len() < 1024 * 1024);
    let refused = alone(file("bomb.docx", "", &bomb), false).await.refused.expect("refused");
    assert_eq!(refused.code, "document_unreadable");
}

#[tokio::test]
async fn a_pdf_page_that_inflates_to_too_much_costs_no_memory() {
    let mut file_of = lopdf::Document::load_mem(&pdf(&["x"])).expect("loaded");
    let content = file_of.page_iter().next().map(|page| file_of.get_page_contents(page)[0]).expect("a page");
    let mut stream = Stream::new(dictionary! {}, vec![b' '; 100 * 1024 * 1024]);
    stream.compress().expect("compressed");
    file_of.objects.insert(content, lopdf::Object::Stream(stream));
    let mut bytes = Vec::new();
    file_of.save_to(&mut bytes).expect("saved");
    assert!(bytes.len() < 1024 * 1024);
    let refused = alone(file("bomb.pdf", "application/pdf", &bytes), false).await.refused.expect("refused");
    assert_eq!(refused.code, "document_without_text");
}

#[tokio::test]
async fn a_long_text_is_cut_and_says_so() {
    let prepared = alone(file("long.txt", "text/plain", "ä".repeat(300 * 1024).as_bytes()), false).await;
    let words = words(&prepared.conversation);
    assert!(words.len() < 257 * 1024 && words.contains("[The document goes on; the rest was left out.]"));
}
