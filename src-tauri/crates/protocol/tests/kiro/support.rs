//! Fixtures, a frame encoder of our own, and one way to run bytes through both decoders.

use kiro_protocol::event::Event;
use kiro_protocol::kiro::event::{DecodeOptions, Ending, EventDecoder, StreamFailure};
use kiro_protocol::kiro::frame::FrameDecoder;
use kiro_protocol::kiro::tools::ToolNames;
use serde_json::Value;
use std::path::PathBuf;

pub(super) fn fixtures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../tests/fixtures")
}

pub(super) fn sample(name: &str) -> Value {
    let path = fixtures().join("upstream").join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).expect("a sample is JSON")
}

/// A frame with string headers.
pub(super) fn encode_frame(headers: &[(&str, &str)], payload: &[u8]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in headers {
        block.push(u8::try_from(name.len()).expect("short name"));
        block.extend_from_slice(name.as_bytes());
        block.push(7);
        block.extend_from_slice(&u16::try_from(value.len()).expect("short value").to_be_bytes());
        block.extend_from_slice(value.as_bytes());
    }
    encode_raw(&block, payload)
}

/// A frame with a header block as given and correct checksums.
pub(super) fn encode_raw(block: &[u8], payload: &[u8]) -> Vec<u8> {
    let total = u32::try_from(16 + block.len() + payload.len()).expect("small frame");
    let mut frame = total.to_be_bytes().to_vec();
    frame.extend_from_slice(&u32::try_from(block.len()).expect("small block").to_be_bytes());
    frame.extend_from_slice(&crc32fast::hash(&frame).to_be_bytes());
    frame.extend_from_slice(block);
    frame.extend_from_slice(payload);
    frame.extend_from_slice(&crc32fast::hash(&frame).to_be_bytes());
    frame
}

pub(super) fn event_frame(event_type: &str, payload: &Value) -> Vec<u8> {
    let headers = [(":event-type", event_type), (":content-type", "application/json"), (":message-type", "event")];
    encode_frame(&headers, payload.to_string().as_bytes())
}

/// What an answer came to.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Outcome {
    pub(super) events: Vec<Event>,
    pub(super) result: Result<(), StreamFailure>,
    pub(super) empty: bool,
    pub(super) skipped: Vec<String>,
}

impl Outcome {
    pub(super) fn is_complete(&self) -> bool {
        let stops = self.events.iter().filter(|event| matches!(event, Event::Stop(_))).count();
        assert!(stops <= 1, "more than one stop");
        assert_eq!(stops == 1, self.result.is_ok(), "a stop and only a stop means complete");
        stops == 1
    }

    pub(super) fn text(&self) -> String {
        let text = |event: &Event| match event {
            Event::Text(text) => Some(text.clone()),
            _ => None,
        };
        self.events.iter().filter_map(text).collect()
    }
}

/// Runs the pieces of an answer through frame and event decoder, the way the gateway does.
pub(super) fn decode<'a>(
    pieces: impl IntoIterator<Item = &'a [u8]>,
    ending: Ending,
    options: DecodeOptions,
) -> Outcome {
    decode_named(pieces, ending, options, ToolNames::default())
}

pub(super) fn decode_named<'a>(
    pieces: impl IntoIterator<Item = &'a [u8]>,
    ending: Ending,
    options: DecodeOptions,
    names: ToolNames,
) -> Outcome {
    let mut frames = FrameDecoder::new();
    let mut events = EventDecoder::new(names, options);
    let mut out = Vec::new();
    let run = || -> Result<(), StreamFailure> {
        for piece in pieces {
            frames.push(piece);
            while let Some(frame) = frames.next_frame()? {
                events.frame(&frame, &mut out)?;
            }
        }
        frames.finish()?;
        events.finish(ending, &mut out)
    };
    let result = run();
    let skipped = events.notices().into_iter().map(|notice| notice.path).collect();
    Outcome { empty: events.is_empty(), events: out, result, skipped }
}
