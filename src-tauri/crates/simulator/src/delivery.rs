//! From messages to a response body: faults are applied to finished bytes, then the pieces are sent in their time.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::stream;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use tokio::sync::watch;

use crate::http_server::ResponseBody;
use crate::script::{End, Faults};

/// An answer as a list of whole messages with pauses after them.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) parts: Vec<Part>,
    pub(crate) end: End,
}

#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) bytes: Bytes,
    pub(crate) pause: Duration,
}

/// What the sender does next.
#[derive(Debug)]
enum Piece {
    Bytes(Bytes),
    Wait(Duration),
    UntilReleased,
    Reset,
}

/// Told when the body has ended or was dropped.
pub(crate) type Finished = Box<dyn FnOnce(Ended, u64) + Send>;

/// How a body really ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Ended {
    /// Not yet.
    Open,
    /// Closed properly.
    Eof,
    /// Reset by the stand-in.
    Reset,
    /// The caller went away first.
    CallerLeft,
}

struct Sender {
    pieces: VecDeque<Piece>,
    released: watch::Receiver<u64>,
    reset: Arc<AtomicBool>,
    sent: u64,
    finished: Option<Finished>,
}

impl Sender {
    fn finish(&mut self, ended: Ended) {
        if let Some(finished) = self.finished.take() {
            finished(ended, self.sent);
        }
    }

    async fn next(&mut self) -> Option<io::Result<Frame<Bytes>>> {
        while let Some(piece) = self.pieces.pop_front() {
            match piece {
                Piece::Bytes(bytes) => {
                    self.sent += bytes.len() as u64;
                    return Some(Ok(Frame::data(bytes)));
                }
                // Giving way once lets the connection flush what it has, so that pieces stay pieces on the wire.
                Piece::Wait(Duration::ZERO) => tokio::task::yield_now().await,
                Piece::Wait(time) => tokio::time::sleep(time).await,
                Piece::UntilReleased => {
                    // An error means that the stand-in is gone; the stream then simply goes on.
                    let _ = self.released.changed().await;
                }
                Piece::Reset => {
                    self.reset.store(true, Ordering::SeqCst);
                    self.finish(Ended::Reset);
                    return Some(Err(io::Error::new(io::ErrorKind::ConnectionReset, "scripted reset")));
                }
            }
        }
        self.finish(Ended::Eof);
        None
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.finish(Ended::CallerLeft);
    }
}

/// Builds the response body. `reset` belongs to the connection: set, it closes with a TCP reset.
pub(crate) fn body(
    plan: Plan,
    faults: &Faults,
    released: watch::Receiver<u64>,
    reset: Arc<AtomicBool>,
    finished: Finished,
) -> ResponseBody {
    let mut released = released;
    released.mark_unchanged();
    let sender = Sender { pieces: pieces(plan, faults), released, reset, sent: 0, finished: Some(finished) };
    let frames = stream::unfold(sender, |mut sender| async move { sender.next().await.map(|frame| (frame, sender)) });
    StreamBody::new(frames).boxed_unsync()
}

fn pieces(plan: Plan, faults: &Faults) -> VecDeque<Piece> {
    let mut all = BytesMut::new();
    // Offsets after which something other than sending happens.
    let mut pauses: Vec<(usize, Piece)> = Vec::new();
    let mut bounds = Vec::new();
    for part in plan.parts {
        all.extend_from_slice(&part.bytes);
        bounds.push(all.len());
        let pause = part.pause + Duration::from_millis(faults.message_gap_ms);
        pauses.push((all.len(), Piece::Wait(pause)));
    }
    for flip in &faults.flip {
        if let Some(byte) = place(flip.at, all.len()).and_then(|at| all.get_mut(at)) {
            *byte ^= 1 << (flip.bit & 7);
        }
    }
    for stall in &faults.stall {
        let piece = stall.for_ms.map_or(Piece::UntilReleased, |ms| Piece::Wait(Duration::from_millis(ms)));
        if let Some(at) = place(stall.at, all.len()) {
            pauses.push((at, piece));
        }
    }
    let mut end = if faults.no_close { End::Hang } else { plan.end };
    let mut bytes = all.freeze();
    if let Some(cut) = faults.cut {
        bytes.truncate(place(cut.at, bytes.len()).unwrap_or(bytes.len()));
        end = cut.end;
    }
    pauses.retain(|(at, _)| *at <= bytes.len());
    pauses.sort_by_key(|(at, _)| *at);

    let mut out = VecDeque::new();
    if faults.first_byte_after_ms > 0 {
        out.push_back(Piece::Wait(Duration::from_millis(faults.first_byte_after_ms)));
    }
    let mut pauses: VecDeque<_> = pauses.into();
    let mut sizes = faults.chunks.iter().copied().filter(|n| *n > 0).cycle();
    let mut next_chunk = sizes.next().map(|n| n.min(bytes.len()));
    let mut at = 0;
    loop {
        while pauses.front().is_some_and(|(p, _)| *p <= at) {
            out.extend(pauses.pop_front().map(|(_, piece)| piece));
        }
        if at >= bytes.len() {
            break;
        }
        if next_chunk.is_some_and(|n| n <= at) {
            next_chunk = sizes.next().map(|n| at + n);
        }
        let stop_at =
            pauses.front().map_or(bytes.len(), |(p, _)| *p).min(next_chunk.unwrap_or(usize::MAX)).min(bytes.len());
        out.push_back(Piece::Bytes(bytes.slice(at..stop_at)));
        out.push_back(Piece::Wait(Duration::ZERO));
        at = stop_at;
    }
    match end {
        End::Eof => {}
        End::Reset => {
            out.extend([Piece::Wait(Duration::ZERO), Piece::Wait(Duration::ZERO), Piece::Reset]);
        }
        End::Hang => out.push_back(Piece::UntilReleased),
    }
    out
}

/// An offset from the start or, when negative, from the end.
fn place(at: i64, length: usize) -> Option<usize> {
    let length = i64::try_from(length).ok()?;
    let at = if at < 0 { length + at } else { at };
    usize::try_from(at.clamp(0, length)).ok()
}
