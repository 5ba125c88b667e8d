//! The owner-only door for the command line: both ends of it.
//!
//! Promises: a Unix socket in a folder only its owner can enter, and the peer's user is checked as well. Where there are no Unix sockets, or
//! the path is too long for one, a loopback port with a token of 256 bits in a file of the same folder. Never the port clients use.
//! Leaves out: what is asked through it; that is the admin router, the same as behind every other door.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use crate::data_dir::{DataDir, default_path, read_file, write_synced};

const FOLDER: &str = "run";
const SOCKET: &str = "admin.sock";
const PORT: &str = "admin.json";
/// `sun_path` holds 104 bytes on macOS and 108 on Linux, the closing zero included.
#[cfg(unix)]
const LONGEST_SOCKET_PATH: usize = 100;
/// How long a peer may take over a request's head.
const HEAD: Duration = Duration::from_secs(10);

/// Either kind of connection.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// A connection through the door.
pub type LocalStream = Box<dyn Duplex>;

/// What the port file says, where a port stands in for a socket.
#[derive(Serialize, Deserialize)]
struct PortFile {
    port: u16,
    token: String,
}

/// The outer end: finds the gateway that runs on a data directory.
#[derive(Debug)]
pub struct LocalDoor {
    folder: PathBuf,
}

impl LocalDoor {
    /// The door of the gateway on `data_dir` (`None`: the platform's own place), if one has been opened there. A killed gateway
    /// leaves its door behind; connecting tells.
    pub fn find(data_dir: Option<&Path>) -> Option<Self> {
        let folder = data_dir.map(Path::to_path_buf).or_else(default_path)?.canonicalize().ok()?.join(FOLDER);
        [SOCKET, PORT].iter().any(|name| folder.join(name).symlink_metadata().is_ok()).then_some(Self { folder })
    }

    /// Connects, and names the headers that every request must carry.
    pub async fn connect(&self) -> io::Result<(LocalStream, HeaderMap)> {
        #[cfg(unix)]
        if let Ok(stream) = tokio::net::UnixStream::connect(self.folder.join(SOCKET)).await {
            return Ok((Box::new(stream), HeaderMap::new()));
        }
        let file = read_file(&self.folder.join(PORT))?.ok_or(io::ErrorKind::NotFound)?;
        let file: PortFile = serde_json::from_slice(&file)?;
        let stream = TcpStream::connect(("127.0.0.1", file.port)).await?;
        let mut headers = HeaderMap::new();
        let mut value = HeaderValue::try_from(format!("Bearer {}", file.token)).map_err(io::Error::other)?;
        value.set_sensitive(true);
        headers.insert(header::AUTHORIZATION, value);
        Ok((Box::new(stream), headers))
    }
}

/// The inner end: opened by the process that holds the data directory.
struct LocalListener {
    inner: Inner,
    leftovers: PathBuf,
}

enum Inner {
    #[cfg(unix)]
    Socket(tokio::net::UnixListener),
    Port(TcpListener, SecretString),
}

impl LocalListener {
    /// Opens the door. What an earlier process left behind is replaced: the lock of the data directory says that it is gone.
    fn bind(data_dir: &DataDir) -> io::Result<Self> {
        let folder = data_dir.folder(FOLDER)?;
        for name in [SOCKET, PORT] {
            match std::fs::remove_file(folder.join(name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        #[cfg(unix)]
        {
            use std::os::unix::ffi::OsStrExt as _;
            use std::os::unix::fs::PermissionsExt as _;
            let path = folder.join(SOCKET);
            if path.as_os_str().as_bytes().len() <= LONGEST_SOCKET_PATH {
                let listener = tokio::net::UnixListener::bind(&path)?;
                std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
                return Ok(Self { inner: Inner::Socket(listener), leftovers: path });
            }
        }
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        let bytes: [u8; 32] = rand::random();
        let token = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes);
        let file = PortFile { port: listener.local_addr()?.port(), token: token.clone() };
        let path = folder.join(PORT);
        write_synced(&path, &serde_json::to_vec(&file)?)?;
        Ok(Self { inner: Inner::Port(listener, token.into()), leftovers: path })
    }

    async fn accept(&self) -> io::Result<LocalStream> {
        match &self.inner {
            #[cfg(unix)]
            Inner::Socket(listener) => loop {
                let (stream, _) = listener.accept().await?;
                if stream.peer_cred()?.uid() == rustix::process::geteuid().as_raw() {
                    return Ok(Box::new(stream));
                }
                tracing::warn!("another user knocked at the local admin door and was turned away");
            },
            Inner::Port(listener, _) => Ok(Box::new(listener.accept().await?.0)),
        }
    }

    /// Whether a request may pass; the socket has checked its peer already.
    fn admits(&self, headers: &HeaderMap) -> bool {
        use subtle::ConstantTimeEq as _;
        match &self.inner {
            #[cfg(unix)]
            Inner::Socket(_) => true,
            Inner::Port(_, token) => {
                let given = headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes).unwrap_or_default();
                let wanted = format!("Bearer {}", token.expose_secret());
                given.ct_eq(wanted.as_bytes()).into()
            }
        }
    }
}

impl Drop for LocalListener {
    fn drop(&mut self) {
        // A leftover misleads nobody: the next owner replaces it, and a knock on it is refused by the system.
        let _ = std::fs::remove_file(&self.leftovers);
    }
}

/// Opens the door and answers with `router` until `stop`. Connections live in `tasks` and end with `stop` too.
pub(crate) fn start(
    dir: &DataDir,
    router: axum::Router,
    tasks: &TaskTracker,
    stop: CancellationToken,
) -> io::Result<()> {
    let listener = LocalListener::bind(dir)?;
    tasks.spawn(serve(listener, router, tasks.clone(), stop));
    Ok(())
}

async fn serve(listener: LocalListener, router: axum::Router, tasks: TaskTracker, stop: CancellationToken) {
    let listener = std::sync::Arc::new(listener);
    loop {
        let stream = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => match accepted {
                Ok(stream) => stream,
                Err(error) => {
                    tracing::warn!(%error, "the local admin door could not accept a connection");
                    // Out of descriptors, most likely: without a pause this loop would take a whole core.
                    tokio::time::sleep(Duration::from_millis(200)).await;
                    continue;
                }
            },
        };
        tasks.spawn(connection(stream, listener.clone(), router.clone(), stop.clone()));
    }
}

async fn connection(
    stream: LocalStream,
    listener: std::sync::Arc<LocalListener>,
    router: axum::Router,
    stop: CancellationToken,
) {
    let service = tower::service_fn(move |request: http::Request<hyper::body::Incoming>| {
        let router = router.clone();
        let admitted = listener.admits(request.headers());
        async move {
            if !admitted {
                let mut refusal = http::Response::new(axum::body::Body::empty());
                *refusal.status_mut() = StatusCode::UNAUTHORIZED;
                return Ok(refusal);
            }
            router.oneshot(request.map(axum::body::Body::new)).await
        }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    // Event streams never end by themselves, so a stop does not wait for them.
    tokio::select! {
        ended = connection => {
            if let Err(error) = ended {
                tracing::debug!(%error, "a local admin connection ended early");
            }
        }
        () = stop.cancelled() => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    async fn ask(stream: &mut LocalStream, headers: &HeaderMap) -> String {
        let authorization = headers.get(header::AUTHORIZATION).map(|v| v.to_str().expect("text").to_owned());
        let line = authorization.map(|value| format!("authorization: {value}\r\n")).unwrap_or_default();
        let request = format!("GET /ping HTTP/1.1\r\nhost: localhost\r\n{line}connection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("written");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("read");
        answer
    }

    fn open(data_dir: &DataDir) -> (TaskTracker, CancellationToken) {
        let router = axum::Router::new().route("/ping", axum::routing::get(async || "pong"));
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        start(data_dir, router, &tasks, stop.clone()).expect("opens");
        tasks.close();
        (tasks, stop)
    }

    #[tokio::test]
    async fn the_door_answers_while_it_is_open_and_leaves_nothing_behind() {
        let root = tempfile::tempdir().expect("temp dir");
        let data_dir = DataDir::open(Some(root.path().join("d"))).expect("opens");
        let (tasks, stop) = open(&data_dir);
        let door = LocalDoor::find(Some(data_dir.path())).expect("found");
        let (mut stream, headers) = door.connect().await.expect("connects");
        assert!(ask(&mut stream, &headers).await.ends_with("pong"));
        stop.cancel();
        tasks.wait().await;
        assert!(door.connect().await.is_err());
        assert_eq!(std::fs::read_dir(data_dir.path().join(FOLDER)).expect("a folder").count(), 0);
    }

    #[tokio::test]
    async fn a_path_too_long_for_a_socket_gets_a_port_that_wants_the_token() {
        let root = tempfile::tempdir().expect("temp dir");
        let data_dir = DataDir::open(Some(root.path().join("x".repeat(120)))).expect("opens");
        let (tasks, stop) = open(&data_dir);
        let door = LocalDoor::find(Some(data_dir.path())).expect("found");
        let (mut stream, headers) = door.connect().await.expect("connects");
        assert!(ask(&mut stream, &headers).await.ends_with("pong"));
        let (mut stranger, _) = door.connect().await.expect("connects");
        let refused = ask(&mut stranger, &HeaderMap::new()).await;
        assert!(refused.starts_with("HTTP/1.1 401"), "{refused}");
        stop.cancel();
        tasks.wait().await;
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn what_a_killed_process_left_behind_is_replaced() {
        use std::os::unix::fs::PermissionsExt as _;
        let root = tempfile::tempdir().expect("temp dir");
        let data_dir = DataDir::open(Some(root.path().join("d"))).expect("opens");
        let stale = data_dir.folder(FOLDER).expect("made").join(SOCKET);
        drop(std::os::unix::net::UnixListener::bind(&stale).expect("a stale socket"));
        let (_tasks, _stop) = open(&data_dir);
        let mode = std::fs::metadata(&stale).expect("there").permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
        let door = LocalDoor::find(Some(data_dir.path())).expect("found");
        assert!(door.connect().await.is_ok());
    }
}
