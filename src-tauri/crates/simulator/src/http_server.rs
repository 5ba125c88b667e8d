//! The listener: plain HTTP/1.1 on loopback, with sockets that can be cut into small writes or reset.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::router;
use crate::state::State;

/// Body of every answer.
pub(crate) type ResponseBody = UnsyncBoxBody<Bytes, io::Error>;

/// A body that is there at once.
pub(crate) fn full(bytes: Bytes) -> ResponseBody {
    Full::new(bytes).map_err(|never: Infallible| match never {}).boxed_unsync()
}

/// What a handler knows about the connection it answers on.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    pub(crate) number: u64,
    /// Set before the body fails: the socket then closes with a TCP reset.
    pub(crate) reset: Arc<AtomicBool>,
}

/// Accepts until stopped; every connection ends with this future.
pub(crate) async fn serve(
    mut listener: Option<TcpListener>,
    address: SocketAddr,
    state: Arc<State>,
    stop: CancellationToken,
) {
    let mut connections = JoinSet::new();
    let mut refusing = state.refusing.subscribe();
    loop {
        let refuse = *refusing.borrow_and_update();
        if refuse {
            listener = None;
            connections.shutdown().await;
        } else if listener.is_none() {
            listener = TcpListener::bind(address).await.ok();
        }
        tokio::select! {
            () = stop.cancelled() => break,
            Ok(()) = refusing.changed() => {}
            accepted = accept(listener.as_ref(), refuse) => {
                let Ok((stream, _)) = accepted else { continue };
                let number = {
                    let mut memory = state.memory();
                    memory.counters.connections += 1;
                    memory.counters.connections
                };
                connections.spawn(connection(stream, number, state.clone()));
            }
            Some(_) = connections.join_next() => {}
        }
    }
    connections.shutdown().await;
}

async fn accept(listener: Option<&TcpListener>, refuse: bool) -> io::Result<(TcpStream, SocketAddr)> {
    match listener {
        Some(listener) => listener.accept().await,
        None if refuse => std::future::pending().await,
        None => {
            // Somebody else holds the port for the moment; it is tried again.
            tokio::time::sleep(Duration::from_millis(20)).await;
            Err(io::ErrorKind::NotConnected.into())
        }
    }
}

async fn connection(stream: TcpStream, number: u64, state: Arc<State>) {
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let reset = Arc::new(AtomicBool::new(false));
    let about = Connection { number, reset: reset.clone() };
    let wire = Wire { stream, most: state.config.chunk.map(|n| n.max(1)), reset };
    let service = service_fn(move |request| {
        let (state, about) = (state.clone(), about.clone());
        async move { router::answer(state, about, request).await }
    });
    // A failed connection is either a scripted fault or the caller's business.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(wire), service).await;
}

/// A socket that writes at most `most` bytes at a time and closes with RST when `reset` is set.
struct Wire {
    stream: TcpStream,
    most: Option<usize>,
    reset: Arc<AtomicBool>,
}

impl Drop for Wire {
    fn drop(&mut self) {
        if self.reset.load(Ordering::SeqCst) {
            // Without the option the close is an orderly one, which the caller notices as well.
            let _ = socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let buf = self.most.and_then(|most| buf.get(..most)).unwrap_or(buf);
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.most.is_none() {
            return Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        }
        let first = bufs.iter().find(|b| !b.is_empty()).map_or(&[][..], |b| b);
        self.poll_write(cx, first)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.reset.load(Ordering::SeqCst) {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
