//! One client connection: a deadline for each request's head, and one for a client that stops reading.
//!
//! Hyper has one deadline for "no complete head yet", idle connections included. Here an idle connection may stay longer
//! than a half-sent head.

use hyper_util::rt::TokioIo;
use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, Sleep};

/// A request's head must be complete this long after its first byte.
const HEAD: Duration = Duration::from_secs(10);
/// A connection without a request may stay open this long.
pub(crate) const IDLE: Duration = Duration::from_secs(75);
/// A client that takes nothing for this long is gone.
const STALL: Duration = Duration::from_secs(60);

const WAITING: u8 = 0;
const HEAD_BEGUN: u8 = 1;
const IN_REQUEST: u8 = 2;

/// Where the connection is; told by the service, asked by the socket, and the other way round.
#[derive(Clone, Default)]
pub(crate) struct Phase(Arc<State>);

#[derive(Default)]
struct State {
    step: AtomicU8,
    /// How often everything that was written has left for the system.
    flushes: watch::Sender<u64>,
    /// The connection must not end as if all were well.
    broken: AtomicBool,
}

impl Phase {
    /// A request's head is complete.
    pub(crate) fn request(&self) {
        self.set(IN_REQUEST);
    }

    /// Its answer has been handed over.
    pub(crate) fn answered(&self) {
        self.set(WAITING);
    }

    /// Waits until everything that was handed over before has left for the system.
    pub(crate) async fn flushed(&self) {
        let mut flushes = self.0.flushes.subscribe();
        flushes.mark_unchanged();
        // The sender lives in `self`, so this ends with a flush or with the connection.
        let _ = flushes.changed().await;
    }

    /// From now on the connection ends with a reset, so that nobody takes its end for an answer's.
    pub(crate) fn break_off(&self) {
        self.0.broken.store(true, Ordering::Relaxed);
    }

    fn set(&self, step: u8) {
        self.0.step.store(step, Ordering::Relaxed);
    }

    fn step(&self) -> u8 {
        self.0.step.load(Ordering::Relaxed)
    }
}

/// A socket that can end with a reset.
pub(crate) trait Breakable {
    /// The next close is a reset.
    fn break_at_close(&self);
}

impl Breakable for TcpStream {
    fn break_at_close(&self) {
        let _ = self.set_zero_linger();
    }
}

/// A socket with the two deadlines.
pub(crate) struct Watched<S: Breakable> {
    socket: S,
    phase: Phase,
    head: Pin<Box<Sleep>>,
    stall: Option<Pin<Box<Sleep>>>,
}

impl<S: Breakable> Watched<S> {
    /// A new connection must send its first head at once.
    pub(crate) fn new(socket: S, phase: Phase) -> TokioIo<Self> {
        phase.set(HEAD_BEGUN);
        TokioIo::new(Self { socket, phase, head: Box::pin(tokio::time::sleep(HEAD)), stall: None })
    }

    fn written<T>(&mut self, cx: &mut Context<'_>, result: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if result.is_ready() {
            self.stall = None;
            return result;
        }
        let stall = self.stall.get_or_insert_with(|| Box::pin(tokio::time::sleep(STALL)));
        match stall.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client takes nothing"))),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S: Breakable> Drop for Watched<S> {
    fn drop(&mut self) {
        if self.phase.0.broken.load(Ordering::Relaxed) {
            self.socket.break_at_close();
        }
    }
}

impl<S: Breakable + AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let result = Pin::new(&mut self.socket).poll_read(cx, buf);
        match self.phase.step() {
            WAITING if result.is_ready() && buf.filled().len() > before => {
                self.phase.set(HEAD_BEGUN);
                self.head.as_mut().reset(Instant::now() + HEAD);
                result
            }
            HEAD_BEGUN if result.is_pending() => match self.head.as_mut().poll(cx) {
                Poll::Ready(()) => {
                    Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the request's head takes too long")))
                }
                Poll::Pending => Poll::Pending,
            },
            _ => result,
        }
    }
}

impl<S: Breakable + AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.socket).poll_write(cx, data);
        self.written(cx, result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.socket).poll_write_vectored(cx, data);
        self.written(cx, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.socket).poll_flush(cx);
        if result.is_ready() {
            self.phase.0.flushes.send_modify(|count| *count += 1);
        }
        result
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
