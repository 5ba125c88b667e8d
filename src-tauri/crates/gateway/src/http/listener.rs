//! The door for clients: HTTP/1 on 127.0.0.1 and ::1, with bounds on everything a stranger could hold open.

use super::client_api::ClientApi;
use super::connection::{IDLE, Phase, Watched};
use super::holder;
use crate::error::{Problem, ProblemCode};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioTimer;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Heads larger than this are refused.
const MAX_HEAD: usize = 64 * 1024;
const MAX_HEADERS: usize = 100;
/// How long cut-off answers get to say so before their connections are closed.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Both sockets, bound and not yet served.
pub(crate) struct Bound {
    sockets: Vec<TcpListener>,
    port: u16,
}

impl Bound {
    /// Binds what `host` names: for `localhost` both families or none. A machine without IPv6 has one.
    pub(crate) async fn new(host: &str, port: u16) -> Result<Self, Problem> {
        // With port 0 the first family chooses; the other one may not get the same, so some more are tried.
        let tries = if port == 0 { 16 } else { 1 };
        let mut last = None;
        for _ in 0..tries {
            match Self::bind(host, port).await {
                Ok(bound) => return Ok(bound),
                Err(error) => last = Some(error),
            }
        }
        Err(last.map_or_else(|| Problem::new(ProblemCode::Internal, "no try was made"), |error| problem(port, &error)))
    }

    async fn bind(host: &str, port: u16) -> io::Result<Self> {
        match host.parse::<IpAddr>() {
            Ok(address) => {
                let socket = TcpListener::bind((address, port)).await?;
                let port = socket.local_addr()?.port();
                Ok(Self { sockets: vec![socket], port })
            }
            Err(_) => Self::both(port).await,
        }
    }

    async fn both(port: u16) -> io::Result<Self> {
        let first = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let port = first.local_addr()?.port();
        let mut sockets = vec![first];
        match TcpListener::bind((Ipv6Addr::LOCALHOST, port)).await {
            Ok(second) => sockets.push(second),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => return Err(error),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Err(error),
            Err(error) => tracing::info!(%error, "this machine has no ::1; serving 127.0.0.1 only"),
        }
        Ok(Self { sockets, port })
    }
}

fn problem(port: u16, error: &io::Error) -> Problem {
    if error.kind() != io::ErrorKind::AddrInUse {
        return Problem::new(ProblemCode::PortUnavailable, format!("port {port} cannot be opened: {error}"))
            .action("Choose a port above 1023 in the settings, or with --port.")
            .param("port", port);
    }
    let holder = holder::holder(port);
    let who = holder
        .as_ref()
        .map_or_else(|| "another program".to_owned(), |holder| format!("{} (process {})", holder.name, holder.pid));
    let mut problem = Problem::new(ProblemCode::PortInUse, format!("port {port} is taken by {who}"))
        .action("Stop that program, or choose another port in the settings or with --port.")
        .param("port", port);
    if let Some(holder) = holder {
        problem = problem.param("holder", holder.name).param("pid", holder.pid);
    }
    problem
}

/// The open door.
pub(crate) struct Server {
    stop: CancellationToken,
    cut: CancellationToken,
    kill: CancellationToken,
    tasks: TaskTracker,
    addresses: Vec<SocketAddr>,
}

impl Server {
    /// Begins to accept.
    pub(crate) fn start(
        bound: Bound,
        max_connections: usize,
        api: impl FnOnce(u16, CancellationToken) -> ClientApi,
    ) -> Self {
        let server = Self {
            stop: CancellationToken::new(),
            cut: CancellationToken::new(),
            kill: CancellationToken::new(),
            tasks: TaskTracker::new(),
            addresses: bound.sockets.iter().filter_map(|socket| socket.local_addr().ok()).collect(),
        };
        let api = Arc::new(api(bound.port, server.cut.clone()));
        let room = Arc::new(Semaphore::new(max_connections));
        for socket in bound.sockets {
            let door = Door {
                api: Arc::clone(&api),
                room: Arc::clone(&room),
                stop: server.stop.clone(),
                kill: server.kill.clone(),
                tasks: server.tasks.clone(),
            };
            server.tasks.spawn(door.accept(socket));
        }
        server
    }

    /// Base URLs for clients.
    pub(crate) fn addresses(&self) -> Vec<String> {
        self.addresses.iter().map(|address| format!("http://{address}")).collect()
    }

    /// The port.
    pub(crate) fn port(&self) -> u16 {
        self.addresses.first().map_or(0, SocketAddr::port)
    }

    /// Closes the door; open answers get `drain` to finish and are then ended with an error.
    pub(crate) async fn shut(self, drain: Duration) {
        self.stop.cancel();
        self.tasks.close();
        if tokio::time::timeout(drain, self.tasks.wait()).await.is_ok() {
            return;
        }
        self.cut.cancel();
        if tokio::time::timeout(LAST_WORDS, self.tasks.wait()).await.is_err() {
            self.kill.cancel();
            self.tasks.wait().await;
        }
    }
}

#[derive(Clone)]
struct Door {
    api: Arc<ClientApi>,
    room: Arc<Semaphore>,
    stop: CancellationToken,
    kill: CancellationToken,
    tasks: TaskTracker,
}

impl Door {
    async fn accept(self, socket: TcpListener) {
        let mut pause = Duration::from_millis(50);
        loop {
            let place = tokio::select! {
                () = self.stop.cancelled() => return,
                place = Arc::clone(&self.room).acquire_owned() => match place {
                    Ok(place) => place,
                    Err(_) => return,
                },
            };
            let accepted = tokio::select! {
                () = self.stop.cancelled() => return,
                accepted = socket.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => {
                    pause = Duration::from_millis(50);
                    if is_loopback(peer.ip()) {
                        self.tasks.spawn(self.clone().serve(stream, place));
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(1));
                }
            }
        }
    }

    async fn serve(self, stream: TcpStream, _place: OwnedSemaphorePermit) {
        let _ = stream.set_nodelay(true);
        let phase = Phase::default();
        let io = Watched::new(stream, phase.clone());
        let api = Arc::clone(&self.api);
        let service = service_fn(move |request| {
            phase.request();
            let (api, phase) = (Arc::clone(&api), phase.clone());
            async move { Ok::<_, std::convert::Infallible>(api.answer(request, phase).await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(IDLE)
            .max_buf_size(MAX_HEAD)
            .max_headers(MAX_HEADERS)
            .keep_alive(true)
            .serve_connection(io, service);
        let mut connection = pin!(connection);
        let mut stopping = false;
        loop {
            tokio::select! {
                result = connection.as_mut() => {
                    if let Err(error) = result {
                        tracing::debug!(%error, "a connection ended");
                    }
                    return;
                }
                () = self.stop.cancelled(), if !stopping => {
                    stopping = true;
                    connection.as_mut().graceful_shutdown();
                }
                () = self.kill.cancelled() => return,
            }
        }
    }
}

fn is_loopback(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_loopback(),
        IpAddr::V6(ip) => ip.is_loopback(),
    }
}
