use super::*;
use crate::media::picture::{Fitted, Unusable, fit};
use crate::media::raw::decode;
use image::GenericImageView as _;

const SIZE: Size = Size { edge: 1568, bytes: 400 * 1024 };

fn rewritten(bytes: &[u8]) -> (&'static str, DynamicImage) {
    match fit(bytes, SIZE).expect("usable") {
        Fitted::Rewritten { media_type, bytes, .. } => {
            assert!(bytes.len() <= SIZE.bytes, "{} bytes", bytes.len());
            let picture = image::load_from_memory(&bytes).expect("a picture");
            assert!(picture.width().max(picture.height()) <= SIZE.edge);
            (media_type, picture)
        }
        Fitted::AsIs { .. } => panic!("left as it is"),
    }
}

#[test]
fn what_fits_is_left_byte_for_byte() {
    for (format, media_type) in [
        (ImageFormat::Png, "image/png"),
        (ImageFormat::Jpeg, "image/jpeg"),
        (ImageFormat::Gif, "image/gif"),
        (ImageFormat::WebP, "image/webp"),
    ] {
        assert_eq!(fit(&stripes(320, 200, 1, format), SIZE), Ok(Fitted::AsIs { media_type }));
    }
}

#[test]
fn formats_that_the_service_does_not_take_are_written_anew() {
    for format in [ImageFormat::Bmp, ImageFormat::Tiff] {
        let (_, picture) = rewritten(&stripes(64, 48, 1, format));
        assert_eq!(picture.dimensions(), (64, 48));
    }
}

#[test]
fn a_large_screenshot_becomes_smaller_and_stays_sharp() {
    let (media_type, picture) = rewritten(&stripes(3840, 2160, 1, ImageFormat::Png));
    assert_eq!((media_type, picture.dimensions()), ("image/png", (1568, 882)));
}

#[test]
fn a_heavy_photograph_is_compressed() {
    let (media_type, _) = rewritten(&noise(2000, 1500, ImageFormat::Jpeg));
    assert_eq!(media_type, "image/jpeg");
}

#[test]
fn what_is_see_through_is_not_made_black() {
    let (_, picture) = rewritten(&transparent(2000, 10));
    let corner = picture.get_pixel(0, 0).0;
    assert!(corner[3] == 0 || corner[..3] == [255, 255, 255], "{corner:?}");
}

/// A JPEG of two halves, red on the left, whose EXIF says that it must be turned a quarter clockwise.
fn turned() -> Vec<u8> {
    let picture = RgbImage::from_fn(32, 16, |x, _| if x < 16 { Rgb([255, 0, 0]) } else { Rgb([0, 0, 255]) });
    let file = written(DynamicImage::ImageRgb8(picture), ImageFormat::Jpeg);
    let exif = b"\xFF\xE1\x00\x22Exif\0\0MM\0\x2A\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
    [&file[..2], exif, &file[2..]].concat()
}

#[test]
fn a_picture_taken_sideways_is_sent_upright() {
    let (_, picture) = rewritten(&turned());
    assert_eq!(picture.dimensions(), (16, 32));
    let (top, bottom) = (picture.get_pixel(8, 4).0, picture.get_pixel(8, 28).0);
    assert!(top[0] > 200 && bottom[2] > 200, "the left half came on top: {top:?} {bottom:?}");
}

#[test]
fn a_small_file_that_claims_to_be_huge_is_refused_before_it_is_decoded() {
    let mut file = stripes(4, 4, 1, ImageFormat::Png);
    file[16..24].copy_from_slice(&[0, 0, 0xFF, 0xFF, 0, 0, 0xFF, 0xFF]);
    let crc = crc32fast::hash(&file[12..29]);
    file[29..33].copy_from_slice(&crc.to_be_bytes());
    assert_eq!(fit(&file, SIZE), Err(Unusable::TooLarge(65_535, 65_535)));
}

#[test]
fn damaged_files_are_told() {
    let whole = noise(64, 64, ImageFormat::Png);
    assert_eq!(fit(&whole[..whole.len() / 2], SIZE), Err(Unusable::Damaged));
    assert_eq!(fit(b"<svg></svg>", SIZE), Err(Unusable::Format));
}

#[tokio::test]
async fn a_broken_picture_in_the_history_becomes_a_note() {
    let good = stripes(20, 20, 1, ImageFormat::Png);
    let result = Block::ToolResult {
        tool_use_id: "t".into(),
        content: vec![picture(b"garbage"), text("beside")],
        is_error: false,
        cache: false,
    };
    let messages = vec![user(vec![picture(b"broken"), text("old")]), model("ok"), user(vec![result, picture(&good)])];
    let prepared = Media::default().prepare(talk(messages), wishes()).await;
    assert_eq!(prepared.refused, None);
    assert_eq!(codes(&prepared), ["image_dropped", "image_dropped"]);
    assert_eq!(pictures(&prepared.conversation).len(), 1);
    assert_eq!(prepared.notices[1].path, "messages[0].content[0]");
    assert!(words(&prepared.conversation).contains("[an image could not be sent: the format is none of"));
}

#[tokio::test]
async fn a_broken_picture_with_nothing_beside_it_is_refused_in_plain_words() {
    let messages = vec![user(vec![text("old")]), model("ok"), user(vec![picture(b"garbage")])];
    let refused = Media::default().prepare(talk(messages.clone()), wishes()).await.refused.expect("refused");
    assert_eq!(refused.code, "image_unreadable");
    assert!(refused.message.starts_with("messages[2].content[0]: an image could not be sent"), "{}", refused.message);

    let mut beside = messages;
    beside[2].content.push(text("what is this?"));
    assert_eq!(Media::default().prepare(talk(beside), wishes()).await.refused, None);
}

#[tokio::test]
async fn the_same_picture_is_sent_once_where_it_came_last() {
    let shot = stripes(20, 20, 1, ImageFormat::Png);
    let turns = (0..10).flat_map(|_| [user(vec![picture(&shot), text("look")]), model("ok")]);
    let messages = turns.chain([user(vec![picture(&shot), text("and now?")])]).collect();
    let prepared = Media::default().prepare(talk(messages), wishes()).await;
    assert_eq!(codes(&prepared), ["images_repeated"]);
    assert_eq!(pictures(&prepared.conversation).len(), 1);
    assert!(matches!(prepared.conversation.messages[20].content[0], Block::Image(_)));
}

#[tokio::test]
async fn the_newest_pictures_are_sent_within_count_and_bytes() {
    let messages: Vec<_> = (0..30_u8)
        .flat_map(|n| [user(vec![picture(&stripes(20, 20, n, ImageFormat::Png)), text("look")]), model("ok")])
        .chain([user(vec![text("end")])])
        .collect();
    let prepared = Media::default().prepare(talk(messages.clone()), wishes()).await;
    assert_eq!(pictures(&prepared.conversation).len(), 20);
    assert!(matches!(prepared.conversation.messages[18].content[0], Block::Text { .. }));
    assert!(matches!(prepared.conversation.messages[20].content[0], Block::Image(_)));

    let heavy = |seed| {
        let mut file = noise(300, 300, ImageFormat::Png);
        file.push(seed);
        picture(&file)
    };
    let messages = (0..6).map(|seed| user(vec![heavy(seed)])).collect();
    let mut wishes = wishes();
    wishes.settings.max_images_mebibytes = 1;
    let prepared = Media::default().prepare(talk(messages), wishes).await;
    let sent = pictures(&prepared.conversation);
    assert!((1..6).contains(&sent.len()));
    assert!(sent.iter().map(|image| image.data.len()).sum::<usize>() <= 1024 * 1024);
    assert!(matches!(prepared.conversation.messages[5].content[0], Block::Image(_)));
}

#[tokio::test]
async fn the_kind_is_what_the_bytes_are() {
    let jpeg = stripes(20, 20, 1, ImageFormat::Jpeg);
    let prepared = Media::default().prepare(talk(vec![user(vec![picture(&jpeg)])]), wishes()).await;
    let sent = pictures(&prepared.conversation);
    assert_eq!((sent[0].media_type.as_str(), decode(&sent[0].data)), ("image/jpeg", Some(jpeg)));
}

#[tokio::test]
async fn for_a_model_that_sees_nothing_no_picture_is_decoded() {
    let conversation = talk(vec![user(vec![picture(b"garbage")])]);
    let prepared = Media::default().prepare(conversation.clone(), Wishes { images: false, ..wishes() }).await;
    assert_eq!((prepared.conversation, prepared.notices.len()), (conversation, 0));
}

/// Not a measure of speed but of work: what was found out about a picture is not found out again.
#[tokio::test]
async fn a_history_of_pictures_is_decoded_once() {
    let media = Media::default();
    let turns = (0..15_u8)
        .flat_map(|n| [user(vec![picture(&stripes(1800, 900, n, ImageFormat::Png)), text("look")]), model("ok")]);
    let conversation = talk(turns.chain([user(vec![text("end")])]).collect());
    let mut took = Vec::new();
    let mut results = Vec::new();
    for _ in 0..2 {
        let since = tokio::time::Instant::now();
        results.push(media.prepare(conversation.clone(), wishes()).await.conversation);
        took.push(since.elapsed());
    }
    println!("15 pictures of 1800 x 900: {:?} first, {:?} again", took[0], took[1]);
    assert_eq!(results[0], results[1]);
    assert_eq!(media.works.gallery.judged(), 15);
}

fn broken() -> Block {
    Block::Image(Image { media_type: "image/png".to_owned(), data: "not base64 at all!".to_owned() })
}

#[tokio::test]
async fn broken_base64_is_a_note_in_the_history_and_beside_words_and_a_refusal_only_alone() {
    let media = Media::default();
    let history = talk(vec![user(vec![broken()]), model("I cannot see it."), user(vec![text("go on")])]);
    let beside = talk(vec![user(vec![text("what is this?"), broken()])]);
    for conversation in [history, beside] {
        let prepared = media.prepare(conversation, wishes()).await;
        assert!(prepared.refused.is_none(), "{:?}", prepared.refused);
        assert_eq!(codes(&prepared), ["image_dropped"]);
        assert!(words(&prepared.conversation).contains("not valid base64"), "{}", words(&prepared.conversation));
        assert!(pictures(&prepared.conversation).is_empty());
    }
    let alone = media.prepare(talk(vec![user(vec![broken()])]), wishes()).await;
    let refused = alone.refused.expect("there is nothing else to answer");
    assert_eq!((refused.class, refused.code), (FailureClass::InvalidRequest, "image_unreadable"));
}
