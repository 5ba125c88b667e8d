//! Any bytes as an event stream: the same frames for any split, nothing after an error, at most one end, and that last.
//!
//! The first byte is the length of the pieces. With its high bit set the rest is lines of `<event type> <payload>`, which
//! are sealed into right frames, because no fuzzer guesses checksums.
#![no_main]

use kiro_protocol::event::Event;
use kiro_protocol::kiro::event::{DecodeOptions, Ending, EventDecoder};
use kiro_protocol::kiro::frame::{Frame, FrameDecoder, FrameError};
use kiro_protocol::kiro::tools::ToolNames;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((&mode, rest)) = data.split_first() else { return };
    let stream = if mode & 0x80 == 0 { rest.to_vec() } else { seal(rest) };
    let step = usize::from(mode & 0x7f).max(1);
    let (frames, result) = read(&stream, stream.len().max(1));
    assert_eq!(read(&stream, step), (frames.clone(), result));

    let mut decoder = EventDecoder::new(
        ToolNames::default(),
        DecodeOptions { inline_thinking: step % 2 == 0, ..DecodeOptions::default() },
    );
    let mut events = Vec::new();
    let whole = frames.iter().all(|frame| decoder.frame(frame, &mut events).is_ok());
    assert!(!events.iter().any(is_end), "the end before the stream ended");
    let complete = result.is_ok() && whole && decoder.finish(Ending::Clean, &mut events).is_ok();
    assert_eq!(events.iter().filter(|event| is_end(event)).count(), usize::from(complete));
    assert!(!complete || events.last().is_some_and(is_end));
});

fn is_end(event: &Event) -> bool {
    matches!(event, Event::Stop(_))
}

fn read(stream: &[u8], step: usize) -> (Vec<Frame>, Result<(), FrameError>) {
    let mut decoder = FrameDecoder::new();
    let mut frames = Vec::new();
    for piece in stream.chunks(step) {
        decoder.push(piece);
        loop {
            match decoder.next_frame() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => return (frames, Err(error)),
            }
        }
    }
    (frames, decoder.finish())
}

fn seal(lines: &[u8]) -> Vec<u8> {
    let mut stream = Vec::new();
    for line in lines.split(|&byte| byte == b'\n') {
        let mut parts = line.splitn(2, |&byte| byte == b' ');
        let (event, payload) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let mut headers = Vec::new();
        for (name, value) in [(&b":message-type"[..], &b"event"[..]), (b":event-type", event)] {
            let value = &value[..value.len().min(1_000)];
            headers.push(name.len() as u8);
            headers.extend_from_slice(name);
            headers.push(7);
            headers.extend_from_slice(&(value.len() as u16).to_be_bytes());
            headers.extend_from_slice(value);
        }
        let start = stream.len();
        stream.extend_from_slice(&((headers.len() + payload.len() + 16) as u32).to_be_bytes());
        stream.extend_from_slice(&(headers.len() as u32).to_be_bytes());
        let prelude = crc32fast::hash(&stream[start..]);
        stream.extend_from_slice(&prelude.to_be_bytes());
        stream.extend_from_slice(&headers);
        stream.extend_from_slice(payload);
        let frame = crc32fast::hash(&stream[start..]);
        stream.extend_from_slice(&frame.to_be_bytes());
    }
    stream
}
