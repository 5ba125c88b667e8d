//! What an encoder makes of events.

use kiro_protocol::codec::{Echo, Protocol, StreamEncoder};
use kiro_protocol::event::{Event, Reply, ReplyBuilder};
use kiro_protocol::failure::Failure;
use kiro_protocol::sse::SseWriter;

/// What every answer repeats.
pub(crate) fn plain_echo() -> Echo {
    Echo { request_id: "id".into(), model: "m".into(), created: 1, input_tokens: Some(7), ..Echo::default() }
}

/// The whole stream.
pub(crate) fn stream<P: Protocol>(events: &[Event], echo: &Echo, result: Result<(), &Failure>) -> Vec<u8> {
    ended(P::encoder(echo.clone()), events, result)
}

/// The same of a stream that was opened before its first event, if there is one.
pub(crate) fn opened_stream<P: Protocol>(events: &[Event], echo: &Echo, result: Result<(), &Failure>) -> Vec<u8> {
    let mut out = SseWriter::default();
    let mut encoder = P::encoder(echo.clone());
    encoder.start(&mut out);
    [out.take().to_vec(), ended(encoder, events, result)].concat()
}

fn ended(mut encoder: impl StreamEncoder, events: &[Event], result: Result<(), &Failure>) -> Vec<u8> {
    let mut out = SseWriter::default();
    for event in events {
        encoder.event(event, &mut out);
    }
    encoder.end(result, &mut out);
    out.take().to_vec()
}

/// The whole answer.
pub(crate) fn reply(events: &[Event]) -> Reply {
    let mut builder = ReplyBuilder::default();
    for event in events {
        builder.push(event).expect("well formed");
    }
    builder.finish().expect("complete")
}
