//! What holds for every file: nothing panics, and preparing twice changes nothing more.

use super::*;
use crate::media::picture::fit;
use proptest::collection::vec;
use proptest::prelude::*;

fn seeds() -> Vec<Vec<u8>> {
    let formats =
        [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::Gif, ImageFormat::WebP, ImageFormat::Bmp, ImageFormat::Tiff];
    formats.into_iter().map(|format| stripes(40, 30, 3, format)).collect()
}

/// A real file with some bytes changed and its end cut off.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let changes = vec((any::<prop::sample::Index>(), any::<u8>()), 0..8);
    (prop::sample::select(seeds()), changes, any::<prop::sample::Index>(), any::<bool>()).prop_map(
        |(mut file, changes, end, cut)| {
            for (at, byte) in changes {
                let at = at.index(file.len());
                file[at] = byte;
            }
            if cut {
                file.truncate(end.index(file.len()));
            }
            file
        },
    )
}

fn block() -> impl Strategy<Value = Block> {
    let name = prop::sample::select(vec!["a.pdf", "a.docx", "a.xlsx", "a.html", "a.txt", "a"]);
    let head = prop::sample::select(vec![&b"%PDF-1.7\n"[..], b"PK\x03\x04", b"", b"\xFF\xFE"]);
    prop_oneof![
        mutated().prop_map(|bytes| picture(&bytes)),
        (name, head, vec(any::<u8>(), 0..200)).prop_map(|(name, head, rest)| file(name, "", &[head, &rest].concat())),
        "[a-z ]{0,8}".prop_map(|words| text(&words)),
        "[A-Za-z0-9+/= \n]{0,40}".prop_map(|data| Block::Image(Image { media_type: "image/png".to_owned(), data })),
        "https?://[a-z.:/@]{0,20}".prop_map(|url| Block::RemoteImage { url }),
    ]
}

fn turn() -> impl Strategy<Value = Message> {
    let result = vec(block(), 0..3).prop_map(|content| Block::ToolResult {
        tool_use_id: "t".into(),
        content,
        is_error: false,
        cache: false,
    });
    let content = vec(prop_oneof![4 => block(), 1 => result], 0..4);
    (any::<bool>(), content)
        .prop_map(|(mine, content)| Message { role: if mine { Role::User } else { Role::Assistant }, content })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_file_makes_the_decoders_panic(bytes in prop_oneof![mutated(), vec(any::<u8>(), 0..300)]) {
        let size = Size { edge: 32, bytes: 600 };
        let _ = fit(&bytes, size);
    }

    #[test]
    fn preparing_twice_changes_nothing_more(messages in vec(turn(), 0..5), documents in any::<bool>()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        let media = Media::default();
        let settings = MediaSettings { max_image_edge: 32, max_images: 3, ..MediaSettings::default() };
        let wishes = Wishes { documents, settings, ..wishes() };
        let once = runtime.block_on(media.prepare(talk(messages), wishes.clone()));
        let twice = runtime.block_on(media.prepare(once.conversation.clone(), wishes));
        prop_assert_eq!(once.conversation, twice.conversation);
        prop_assert_eq!(twice.notices, Vec::new());
    }
}
