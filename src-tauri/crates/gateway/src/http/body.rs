//! Reading request bodies within bounds: a limit that counts what really comes, a deadline, and a budget for all together.

use bytes::{Bytes, BytesMut};
use http_body::Body;
use http_body_util::BodyExt as _;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Bytes of all request bodies that are held at the same time.
const BUDGET: usize = 256 * 1024 * 1024;

/// A client that is still sending reads no answer, and a closed connection takes the answer with it. So that the client learns
/// why, this much more of a refused body is read and thrown away…
const LET_GO: u64 = 64 * 1024 * 1024;
/// …for no longer than this.
const LET_GO_TIME: Duration = Duration::from_secs(5);

/// Why a body was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyError {
    /// Larger than the limit.
    TooLarge,
    /// Other bodies fill the budget.
    NoRoom,
    /// Not complete in time.
    TooSlow,
    /// The connection broke or the framing is wrong.
    Broken,
}

/// The shared budget.
#[derive(Debug, Clone, Default)]
pub(crate) struct Budget(Arc<AtomicUsize>);

/// A part of the budget, given back when dropped.
#[derive(Debug)]
pub(crate) struct Share {
    budget: Budget,
    bytes: usize,
}

impl Budget {
    fn share(&self) -> Share {
        Share { budget: self.clone(), bytes: 0 }
    }
}

impl Share {
    fn grow(&mut self, bytes: usize) -> Result<(), BodyError> {
        let before = self.budget.0.fetch_add(bytes, Ordering::Relaxed);
        self.bytes += bytes;
        if before + bytes > BUDGET { Err(BodyError::NoRoom) } else { Ok(()) }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Reads a whole body. The share lasts as long as the bytes are worked on.
pub(crate) async fn read<B>(
    body: B,
    limit: usize,
    deadline: Duration,
    budget: &Budget,
) -> Result<(Bytes, Share), BodyError>
where
    B: Body<Data = Bytes>,
{
    let mut body = pin!(body);
    match gather(body.as_mut(), limit, deadline, budget).await {
        Err(error @ (BodyError::TooLarge | BodyError::NoRoom)) => {
            let_go(body).await;
            Err(error)
        }
        other => other,
    }
}

/// Reads what is left of a refused body, unless it is announced to be too much for that.
async fn let_go<B: Body<Data = Bytes>>(mut body: Pin<&mut B>) {
    if body.size_hint().lower() > LET_GO {
        return;
    }
    let reading = async {
        let mut left = LET_GO;
        while let Some(Ok(frame)) = body.frame().await {
            let bytes = frame.data_ref().map_or(0, Bytes::len) as u64;
            left = match left.checked_sub(bytes) {
                Some(left) => left,
                None => return,
            };
        }
    };
    // Both ends are fine: the answer follows either way.
    let _ = tokio::time::timeout(LET_GO_TIME, reading).await;
}

async fn gather<B>(
    mut body: Pin<&mut B>,
    limit: usize,
    deadline: Duration,
    budget: &Budget,
) -> Result<(Bytes, Share), BodyError>
where
    B: Body<Data = Bytes>,
{
    let hint = body.size_hint();
    if hint.lower() > limit as u64 {
        return Err(BodyError::TooLarge);
    }
    let mut share = budget.share();
    let announced = hint.exact().map_or(0, |bytes| usize::try_from(bytes).unwrap_or(usize::MAX).min(limit));
    share.grow(announced)?;
    let reading = async {
        let mut first: Option<Bytes> = None;
        let mut rest = BytesMut::new();
        let mut length = 0;
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(|_| BodyError::Broken)?.into_data() else { continue };
            length += data.len();
            if length > limit {
                return Err(BodyError::TooLarge);
            }
            if length > announced {
                share.grow(data.len())?;
            }
            // Most bodies come in one piece and need no copy.
            match (&first, rest.is_empty()) {
                (None, true) => first = Some(data),
                (Some(start), true) => {
                    rest.reserve(announced.max(length));
                    rest.extend_from_slice(start);
                    rest.extend_from_slice(&data);
                }
                (Some(_) | None, false) => rest.extend_from_slice(&data),
            }
        }
        Ok(if rest.is_empty() { first.unwrap_or_default() } else { rest.freeze() })
    };
    let bytes = tokio::time::timeout(deadline, reading).await.map_err(|_| BodyError::TooSlow)??;
    Ok((bytes, share))
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::{StreamExt as _, stream};
    use http_body::Frame;
    use http_body_util::{Full, StreamBody};
    use std::convert::Infallible;

    const LONG: Duration = Duration::from_secs(60);

    fn chunks(chunks: Vec<&'static [u8]>) -> impl Body<Data = Bytes, Error = Infallible> {
        StreamBody::new(stream::iter(chunks).map(|chunk| Ok(Frame::data(Bytes::from_static(chunk)))))
    }

    #[tokio::test]
    async fn the_limit_counts_what_really_comes() {
        let budget = Budget::default();
        let (body, share) = read(chunks(vec![b"ab", b"", b"cd"]), 4, LONG, &budget).await.expect("fits");
        assert_eq!(&body[..], b"abcd");
        assert_eq!(budget.0.load(Ordering::Relaxed), 4);
        drop(share);
        assert_eq!(budget.0.load(Ordering::Relaxed), 0);
        let piece = Bytes::from(vec![0; 1024 * 1024]);
        let endless = StreamBody::new(stream::repeat_with(|| Ok::<_, Infallible>(Frame::data(piece.clone()))));
        assert_eq!(read(endless, 4, LONG, &budget).await.expect_err("too large"), BodyError::TooLarge);
        let announced = Full::new(Bytes::from_static(b"abcde"));
        assert_eq!(read(announced, 4, LONG, &budget).await.expect_err("too large"), BodyError::TooLarge);
        assert_eq!(budget.0.load(Ordering::Relaxed), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_body_is_let_go_of_so_that_its_sender_reads_why() {
        let sent = std::cell::Cell::new(0);
        let pieces = stream::iter(0..40).map(|_| {
            sent.set(sent.get() + 1);
            Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"0123456789")))
        });
        let error = read(StreamBody::new(pieces), 15, LONG, &Budget::default()).await.expect_err("too large");
        assert_eq!((error, sent.get()), (BodyError::TooLarge, 40));
        let stuck = stream::iter([Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"0123456789")))])
            .chain(stream::pending());
        let began = tokio::time::Instant::now();
        let error = read(StreamBody::new(stuck), 5, LONG, &Budget::default()).await.expect_err("too large");
        assert_eq!((error, began.elapsed()), (BodyError::TooLarge, LET_GO_TIME));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_never_ends_is_given_up() {
        let silent = StreamBody::new(stream::pending::<Result<Frame<Bytes>, Infallible>>());
        let error = read(silent, 4, LONG, &Budget::default()).await.expect_err("too slow");
        assert_eq!(error, BodyError::TooSlow);
    }

    #[tokio::test]
    async fn bodies_beyond_the_common_budget_are_refused_before_they_are_read() {
        let budget = Budget::default();
        let mut others = budget.share();
        others.grow(BUDGET - 2).expect("room");
        let body = Full::new(Bytes::from_static(b"abc"));
        assert_eq!(read(body, 10, LONG, &budget).await.expect_err("no room"), BodyError::NoRoom);
        drop(others);
        assert_eq!(budget.0.load(Ordering::Relaxed), 0);
    }
}
