//! A small HTTP/1 server that lives as long as one sign-in waits.
//!
//! Promises: one request per connection, heads within bounds and in time, few connections at once; closed within a second of being told so,
//! at once when dropped.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

const HEAD: Duration = Duration::from_secs(10);
const MAX_HEAD: usize = 32 * 1024;
const MAX_HEADERS: usize = 64;
const MAX_CONNECTIONS: usize = 64;
/// How long answers under way may take once the door closes.
const LAST_WORDS: Duration = Duration::from_millis(700);
const PAUSE: Duration = Duration::from_millis(100);

/// The open door. Dropping it cuts everything.
pub(super) struct Doorway {
    stop: CancellationToken,
    kill: CancellationToken,
    tasks: TaskTracker,
}

impl Doorway {
    /// Answers every request on `listeners` with `handler`. The door's own tasks are waited for through `owner` as well.
    pub(super) fn open<H, F>(listeners: Vec<TcpListener>, owner: &TaskTracker, handler: H) -> Self
    where
        H: Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Response<Full<Bytes>>> + Send + 'static,
    {
        let door = Self { stop: CancellationToken::new(), kill: CancellationToken::new(), tasks: TaskTracker::new() };
        let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        for listener in listeners {
            let (stop, kill, tasks) = (door.stop.clone(), door.kill.clone(), door.tasks.clone());
            let accept = accept(listener, Arc::clone(&room), stop, kill, tasks, handler.clone());
            owner.spawn(door.tasks.track_future(accept));
        }
        door
    }

    /// Takes no more connections, lets answers under way go out, and is closed then.
    pub(super) async fn close(self) {
        self.stop.cancel();
        self.tasks.close();
        let _ = tokio::time::timeout(LAST_WORDS, self.tasks.wait()).await;
        self.kill.cancel();
        self.tasks.wait().await;
    }
}

impl Drop for Doorway {
    fn drop(&mut self) {
        self.stop.cancel();
        self.kill.cancel();
    }
}

/// Both families on one port, or none. A machine without IPv6 has one.
pub(super) async fn loopback(port: u16) -> io::Result<(u16, Vec<TcpListener>)> {
    let first = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    let port = first.local_addr()?.port();
    match TcpListener::bind((Ipv6Addr::LOCALHOST, port)).await {
        Ok(second) => Ok((port, vec![first, second])),
        Err(error) if matches!(error.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied) => Err(error),
        Err(error) => {
            tracing::debug!(%error, "this machine has no ::1; the page is served on 127.0.0.1 only");
            Ok((port, vec![first]))
        }
    }
}

/// Whether the request names the one host that this door was made for, once: a page that plays tricks with names, such as one whose name
/// leads to this machine since a moment ago, does not get through.
pub(super) fn is_meant_for(request: &Request<Incoming>, authority: &str) -> bool {
    let headers: &HeaderMap = request.headers();
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
    let absolute = request.uri().authority().map(http::uri::Authority::as_str);
    host.as_bytes().eq_ignore_ascii_case(authority.as_bytes()) && absolute.is_none_or(|named| named == authority)
}

async fn accept<H, F>(
    listener: TcpListener,
    room: Arc<Semaphore>,
    stop: CancellationToken,
    kill: CancellationToken,
    tasks: TaskTracker,
    handler: H,
) where
    H: Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<Full<Bytes>>> + Send + 'static,
{
    loop {
        let next = async {
            let place = Arc::clone(&room).acquire_owned().await.ok()?;
            Some((listener.accept().await, place))
        };
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = next => accepted,
        };
        match accepted {
            Some((Ok((stream, _)), place)) => {
                let (stop, kill, handler) = (stop.clone(), kill.clone(), handler.clone());
                tasks.spawn(async move {
                    let _place = place;
                    tokio::select! {
                        () = kill.cancelled() => {}
                        () = connection(stream, stop, handler) => {}
                    }
                });
            }
            Some((Err(error), _)) => {
                tracing::debug!(%error, "a connection of a sign-in could not be accepted");
                tokio::time::sleep(PAUSE).await;
            }
            None => return,
        }
    }
}

async fn connection<H, F>(stream: TcpStream, stop: CancellationToken, handler: H)
where
    H: Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<Full<Bytes>>> + Send + 'static,
{
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let answer = handler(request);
        async move { Ok::<_, Infallible>(answer.await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(MAX_HEAD)
        .max_headers(MAX_HEADERS)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => return,
        () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    // What ends a connection early is the other side's business.
    let _ = connection.await;
}
