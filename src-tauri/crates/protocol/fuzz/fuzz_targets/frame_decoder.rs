//! Frames at any split, headers and all: the same frames, the same events, the same error, and never a panic.
#![no_main]

use kiro_protocol::event::Event;
use kiro_protocol::kiro::event::{DecodeOptions, Ending, EventDecoder, StreamFailure};
use kiro_protocol::kiro::frame::{Frame, FrameDecoder, FrameError};
use kiro_protocol::kiro::tools::ToolNames;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((flags, data)) = data.split_first() else { return };
    let mut bytes = data.to_vec();
    if flags & 1 == 1 {
        seal(&mut bytes);
    }
    let whole = frames([bytes.as_slice()]);
    let chunk = usize::from(flags >> 1) + 1;
    assert_eq!(frames(bytes.chunks(chunk)), whole);
    assert_eq!(frames(uneven(&bytes, *flags)), whole);

    for ending in [Ending::Clean, Ending::Reset, Ending::Idle] {
        for inline_thinking in [false, true] {
            let options = DecodeOptions { inline_thinking, drop_referenced_code: inline_thinking };
            let (events, result) = answer(&whole, ending, options);
            let stops = events.iter().filter(|event| matches!(event, Event::Stop(_))).count();
            assert_eq!(stops, usize::from(result.is_ok()), "a stop if and only if the answer is complete");
            assert!(stops == 0 || matches!(events.last(), Some(Event::Stop(_))), "the stop is the last event");
        }
    }
});

type Frames = (Vec<Frame>, Result<(), FrameError>);

fn frames<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Frames {
    let mut decoder = FrameDecoder::new();
    let mut found = Vec::new();
    for piece in pieces {
        decoder.push(piece);
        loop {
            match decoder.next_frame() {
                Ok(Some(frame)) => found.push(frame),
                Ok(None) => break,
                Err(error) => return (found, Err(error)),
            }
        }
    }
    (found, decoder.finish())
}

fn answer((frames, end): &Frames, ending: Ending, options: DecodeOptions) -> (Vec<Event>, Result<(), StreamFailure>) {
    let mut decoder = EventDecoder::new(ToolNames::default(), options);
    let mut out = Vec::new();
    for frame in frames {
        if let Err(failure) = decoder.frame(frame, &mut out) {
            return (out, Err(failure));
        }
    }
    let result = match end {
        Ok(()) => decoder.finish(ending, &mut out),
        Err(error) => Err((*error).into()),
    };
    (out, result)
}

/// Pieces of changing length.
fn uneven(bytes: &[u8], flags: u8) -> Vec<&[u8]> {
    let (mut rest, mut length, mut pieces) = (bytes, usize::from(flags), Vec::new());
    while !rest.is_empty() {
        length = (length * 7 + 3) % 41;
        let (piece, left) = rest.split_at(length.clamp(1, rest.len()));
        pieces.push(piece);
        rest = left;
    }
    pieces
}

/// Puts lengths and checksums right, frame after frame.
fn seal(bytes: &mut [u8]) {
    let mut rest = bytes;
    while rest.len() >= 16 {
        let field = |at: usize| u32::from_be_bytes([rest[at], rest[at + 1], rest[at + 2], rest[at + 3]]) as usize;
        let total = field(0).clamp(16, rest.len());
        let headers = field(4).min(total - 16);
        rest[..4].copy_from_slice(&u32::try_from(total).unwrap_or(u32::MAX).to_be_bytes());
        rest[4..8].copy_from_slice(&u32::try_from(headers).unwrap_or(u32::MAX).to_be_bytes());
        let prelude = crc32fast::hash(&rest[..8]);
        rest[8..12].copy_from_slice(&prelude.to_be_bytes());
        let whole = crc32fast::hash(&rest[..total - 4]);
        rest[total - 4..total].copy_from_slice(&whole.to_be_bytes());
        rest = &mut rest[total..];
    }
}
