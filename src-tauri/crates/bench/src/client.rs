//! One worker: a keep-alive connection that sends a request, reads the stream and times its events.

#![expect(clippy::disallowed_methods, reason = "a load program measures wall time")]

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;

/// What to send and how to recognise events in the answer.
#[derive(Clone)]
pub(crate) struct Shot {
    /// `host:port`.
    pub(crate) address: String,
    /// Path.
    pub(crate) path: &'static str,
    /// Headers beside `host`.
    pub(crate) headers: Vec<(&'static str, String)>,
    /// Body.
    pub(crate) body: Bytes,
    /// Bytes that each text event has exactly once.
    pub(crate) marker: &'static [u8],
    /// Text events the answer must have at least.
    pub(crate) events: usize,
}

/// Times of one answer.
#[derive(Clone)]
pub(crate) struct Timing {
    /// From sending to the first text event.
    pub(crate) first: Duration,
    /// From sending to the end.
    pub(crate) total: Duration,
    /// Largest pause between reads that carried text events.
    pub(crate) gap: Duration,
}

/// A connection that is opened once and used for many requests.
pub(crate) struct Worker {
    sender: SendRequest<Full<Bytes>>,
}

impl Worker {
    /// Connects.
    pub(crate) async fn connect(address: &str) -> Result<Self> {
        let stream = TcpStream::connect(address).await.with_context(|| format!("connect to {address}"))?;
        stream.set_nodelay(true)?;
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self { sender })
    }

    /// Sends one request and reads its answer to the end.
    pub(crate) async fn fire(&mut self, shot: &Shot) -> Result<Timing> {
        let mut request = Request::post(shot.path).header("host", &shot.address);
        for (name, value) in &shot.headers {
            request = request.header(*name, value);
        }
        self.sender.ready().await?;
        let begin = Instant::now();
        let response = self.sender.send_request(request.body(Full::new(shot.body.clone()))?).await?;
        let status = response.status();
        let mut body = response.into_body();
        if !status.is_success() {
            let text = body.collect().await?.to_bytes();
            bail!("{status}: {}", String::from_utf8_lossy(&text[..text.len().min(400)]));
        }
        let mut counter = Counter::new(shot.marker);
        let (mut first, mut last, mut gap) = (None, begin, Duration::ZERO);
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame?.into_data() else { continue };
            if counter.count(&data) > 0 {
                let now = Instant::now();
                if first.is_some() {
                    gap = gap.max(now - last);
                } else {
                    first = Some(now - begin);
                }
                last = now;
            }
        }
        if counter.total < shot.events {
            bail!("{} events where {} were due", counter.total, shot.events);
        }
        Ok(Timing { first: first.context("no event")?, total: begin.elapsed(), gap })
    }
}

/// Counts a marker in a byte stream, also across reads.
struct Counter {
    marker: &'static [u8],
    tail: Vec<u8>,
    total: usize,
}

impl Counter {
    fn new(marker: &'static [u8]) -> Self {
        Self { marker, tail: Vec::new(), total: 0 }
    }

    fn count(&mut self, data: &[u8]) -> usize {
        let keep = self.marker.len() - 1;
        let mut found = 0;
        if !self.tail.is_empty() {
            // Only matches that straddle the border: what lies whole in `data` is counted below.
            let border = self.tail.len();
            self.tail.extend_from_slice(&data[..data.len().min(keep)]);
            found += self
                .tail
                .windows(self.marker.len())
                .enumerate()
                .filter(|(at, window)| *at < border && at + self.marker.len() > border && window == &self.marker)
                .count();
        }
        found += data.windows(self.marker.len()).filter(|window| window == &self.marker).count();
        self.tail.clear();
        self.tail.extend_from_slice(&data[data.len().saturating_sub(keep)..]);
        self.total += found;
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_are_counted_once_at_any_split() {
        let text = b"..event..eventevent..even..t.event";
        for split in 0..text.len() {
            let mut counter = Counter::new(b"event");
            counter.count(&text[..split]);
            counter.count(&text[split..]);
            assert_eq!(counter.total, 4, "split at {split}");
        }
    }
}
