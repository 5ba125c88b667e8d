//! The frame decoder: golden frames, any split, any flipped bit, any cut.

use super::support::{decode, encode_frame, encode_raw, event_frame, sample};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kiro_protocol::kiro::event::{DecodeOptions, Ending, StreamFailureKind};
use kiro_protocol::kiro::frame::{Frame, FrameDecoder, FrameError, HeaderValue};
use proptest::prelude::*;
use serde_json::{Value, json};

fn bytes_of(entry: &Value) -> Vec<u8> {
    STANDARD.decode(entry["base64"].as_str().expect("base64")).expect("valid base64")
}

/// All frames, and how the bytes ended.
fn frames<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Frame>, Result<(), FrameError>) {
    let mut decoder = FrameDecoder::new();
    let mut found = Vec::new();
    for piece in pieces {
        decoder.push(piece);
        loop {
            match decoder.next_frame() {
                Ok(Some(frame)) => found.push(frame),
                Ok(None) => break,
                Err(error) => {
                    decoder.push(b"bytes after an error change nothing");
                    assert_eq!(decoder.next_frame(), Err(error));
                    assert_eq!(decoder.finish(), Err(error));
                    return (found, Err(error));
                }
            }
        }
    }
    (found, decoder.finish())
}

fn error_name(error: FrameError) -> &'static str {
    match error {
        FrameError::PreludeChecksum => "prelude_crc",
        FrameError::FrameChecksum => "message_crc",
        FrameError::Length(_) => "length",
        FrameError::HeadersLength(_) => "headers_length",
        FrameError::HeaderType(_) => "header_type",
        FrameError::HeaderName => "header_name",
        FrameError::HeaderBounds => "header_bounds",
        FrameError::HeaderText => "header_text",
        FrameError::Truncated(_) => "incomplete",
    }
}

fn header_json(value: &HeaderValue) -> Value {
    match value {
        HeaderValue::Bool(value) => json!(value),
        HeaderValue::Int8(value) => json!(value),
        HeaderValue::Int16(value) => json!(value),
        HeaderValue::Int32(value) => json!(value),
        HeaderValue::Int64(value) | HeaderValue::Timestamp(value) => json!(value),
        HeaderValue::Bytes(value) => json!(STANDARD.encode(value)),
        HeaderValue::String(value) => json!(value.as_str()),
        HeaderValue::Uuid(value) => {
            let hex: String = value.iter().map(|byte| format!("{byte:02x}")).collect();
            json!(format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]))
        }
    }
}

#[test]
fn recorded_frames_decode_as_recorded() {
    let sample = sample("eventstream-frames.json");
    let entries = sample["frames"].as_array().expect("frames");
    assert!(entries.len() >= 28);
    for entry in entries {
        let (name, expect, bytes) = (&entry["name"], &entry["expect"], bytes_of(entry));
        for chunk in [1, 3, bytes.len()] {
            let (found, end) = frames(bytes.chunks(chunk));
            if expect["ok"] == json!(false) {
                assert!(found.is_empty(), "{name}");
                assert_eq!(json!(error_name(end.expect_err("an error"))), expect["error"], "{name}");
                continue;
            }
            assert_eq!(end, Ok(()), "{name}");
            let [frame] = found.as_slice() else { panic!("{name}: one frame") };
            for (key, header) in [
                ("message_type", ":message-type"),
                ("event_type", ":event-type"),
                ("exception_type", ":exception-type"),
                ("error_code", ":error-code"),
                ("error_message", ":error-message"),
            ] {
                if let Some(value) = expect[key].as_str() {
                    assert_eq!(frame.header(header), Some(value), "{name}");
                }
            }
            if let Some(headers) = expect["headers"].as_object() {
                let got: Vec<(String, Value)> = frame
                    .headers
                    .iter()
                    .map(|header| (header.name.as_str().to_owned(), header_json(&header.value)))
                    .collect();
                assert_eq!(got.len(), headers.len(), "{name}");
                for (key, value) in headers {
                    let bare = key.trim_end_matches("_base64").trim_end_matches("_ms");
                    let found = got.iter().find(|(name, _)| name == key || name == bare).map(|(_, value)| value);
                    assert_eq!(found, Some(value), "{name} {key}");
                }
            }
            if expect["payload"].is_object() {
                let payload: Value = serde_json::from_slice(&frame.payload).expect("JSON");
                assert_eq!(payload, expect["payload"], "{name}");
            }
        }
    }
}

#[test]
fn the_prelude_checksum_is_checked_before_the_length_is_believed() {
    let mut bytes = event_frame("assistantResponseEvent", &json!({ "content": "x" }));
    bytes[1] ^= 1;
    let mut decoder = FrameDecoder::new();
    decoder.push(&bytes[..11]);
    assert_eq!(decoder.next_frame(), Ok(None));
    decoder.push(&bytes[11..12]);
    assert_eq!(decoder.next_frame(), Err(FrameError::PreludeChecksum));
}

#[test]
fn a_header_that_is_not_utf8_is_an_error() {
    let (_, end) = frames([encode_raw(&[1, 0xff, 0], b"").as_slice()]);
    assert_eq!(end, Err(FrameError::HeaderText));
}

#[test]
fn recorded_streams_end_where_their_frames_end() {
    let sample = sample("eventstream-frames.json");
    for entry in sample["streams"].as_array().expect("streams") {
        let (name, bytes) = (&entry["scenario"], bytes_of(entry));
        let (whole, end) = frames([bytes.as_slice()]);
        let mut at = 0;
        let mut ends = Vec::new();
        for frame in &whole {
            at += 16 + frame.payload.len() + header_bytes(frame);
            ends.push(json!(at));
        }
        if let Some(expected) = entry["frame_end_offsets"].as_array() {
            assert_eq!(&ends, &expected[..ends.len()], "{name}");
            assert_eq!(end.is_ok(), ends.len() == expected.len() && at == bytes.len(), "{name}");
        } else {
            assert_eq!((whole.len(), end.is_err()), (1, true), "{name}: no resynchronising after garbage");
        }
        for chunk in [1, 2, 7, 13] {
            assert_eq!(frames(bytes.chunks(chunk)), (whole.clone(), end), "{name} in pieces of {chunk}");
        }
    }
}

fn header_bytes(frame: &Frame) -> usize {
    let size = |value: &HeaderValue| match value {
        HeaderValue::Bool(_) => 0,
        HeaderValue::Int8(_) => 1,
        HeaderValue::Int16(_) => 2,
        HeaderValue::Int32(_) => 4,
        HeaderValue::Int64(_) | HeaderValue::Timestamp(_) => 8,
        HeaderValue::Bytes(value) => 2 + value.len(),
        HeaderValue::String(value) => 2 + value.as_str().len(),
        HeaderValue::Uuid(_) => 16,
    };
    frame.headers.iter().map(|header| 2 + header.name.as_str().len() + size(&header.value)).sum()
}

#[test]
fn no_flipped_bit_leaves_a_complete_answer() {
    let sample = sample("eventstream-frames.json");
    for entry in sample["streams"].as_array().expect("streams") {
        if !["plain-text", "tool-call-fragments"].contains(&entry["scenario"].as_str().unwrap_or_default()) {
            continue;
        }
        let good = bytes_of(entry);
        let whole = decode([good.as_slice()], Ending::Clean, DecodeOptions::default());
        assert!(whole.is_complete());
        let mut bytes = good.clone();
        for position in 0..bytes.len() {
            for bit in 0..8 {
                bytes[position] ^= 1 << bit;
                let outcome = decode([bytes.as_slice()], Ending::Clean, DecodeOptions::default());
                assert!(!outcome.is_complete(), "bit {bit} of byte {position}");
                assert!(whole.events.starts_with(&outcome.events), "only what came before the error is handed out");
                bytes[position] ^= 1 << bit;
            }
        }
    }
}

#[test]
fn a_cut_is_complete_only_where_the_service_could_have_ended() {
    let sample = sample("eventstream-frames.json");
    for entry in sample["streams"].as_array().expect("streams") {
        let (name, bytes) = (&entry["scenario"], bytes_of(entry));
        let mut ends = vec![0];
        for frame in frames([bytes.as_slice()]).0 {
            ends.push(ends[ends.len() - 1] + 16 + frame.payload.len() + header_bytes(&frame));
        }
        let whole = decode([bytes.as_slice()], Ending::Clean, DecodeOptions::default());
        assert!(!decode([], Ending::Clean, DecodeOptions::default()).is_complete(), "nothing at all is no answer");
        for cut in 0..bytes.len() {
            let clean = decode([&bytes[..cut]], Ending::Clean, DecodeOptions::default());
            assert!(whole.events.starts_with(&clean.events[..clean.events.len() - usize::from(clean.is_complete())]));
            if !ends.contains(&cut) {
                assert!(!clean.is_complete(), "{name}: complete though cut inside a frame at {cut}");
                continue;
            }
            let reset = decode([&bytes[..cut]], Ending::Reset, DecodeOptions::default());
            assert!(!reset.is_complete(), "{name}: complete though reset at {cut} before metering");
        }
    }
}

#[test]
fn a_cut_inside_a_tool_call_is_never_complete() {
    let sample = sample("eventstream-frames.json");
    let streams = sample["streams"].as_array().expect("streams");
    let entry = streams.iter().find(|entry| entry["scenario"] == "tool-call-fragments").expect("stream");
    let bytes = bytes_of(entry);
    // After the announcement (second frame) nothing is lost; from the first fragment to the last, the call is open.
    for end in [449, 621, 793, 965, 1125] {
        let outcome = decode([&bytes[..end]], Ending::Clean, DecodeOptions::default());
        let failure = outcome.result.clone().expect_err("cut inside a call");
        assert!(matches!(failure.kind, StreamFailureKind::OpenToolCall { .. }), "{end}: {failure:?}");
        assert!(!outcome.is_complete());
    }
}

fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    let headers = prop::collection::vec(("[a-z:]{1,12}", "[a-zü]{0,20}"), 0..4);
    (headers, prop::collection::vec(any::<u8>(), 0..200)).prop_map(|(headers, payload)| {
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        encode_frame(&headers, &payload)
    })
}

proptest! {
    #[test]
    fn any_split_gives_the_same_frames_and_the_same_error(
        parts in prop::collection::vec(any_frame(), 0..6),
        damage in prop::option::of((any::<prop::sample::Index>(), any::<u8>())),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        lost in 0_usize..20,
    ) {
        let mut bytes: Vec<u8> = parts.concat();
        bytes.truncate(bytes.len().saturating_sub(lost));
        if let (Some((index, value)), false) = (damage, bytes.is_empty()) {
            let at = index.index(bytes.len());
            bytes[at] = value;
        }
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.sort_unstable();
        let mut pieces = Vec::new();
        let mut from = 0;
        for cut in cuts {
            pieces.push(&bytes[from..cut]);
            from = cut;
        }
        pieces.push(&bytes[from..]);
        let whole = frames([bytes.as_slice()]);
        prop_assert_eq!(&frames(pieces), &whole);
        prop_assert_eq!(&frames(bytes.chunks(1)), &whole);
    }

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let (found, end) = frames([bytes.as_slice()]);
        prop_assert!(found.is_empty() || end.is_err() || bytes.len() >= 16);
    }
}
