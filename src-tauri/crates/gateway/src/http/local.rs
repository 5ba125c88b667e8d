//! The admin API for programs of the same user on this machine: a Unix socket in an owner-only folder; where there are no
//! Unix sockets, a loopback port with a token in an owner-only file. Served as long as the gateway is open.

use crate::data_dir::DataDir;
use axum::Router;
use http::HeaderMap;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Folder of the socket inside the data directory.
const FOLDER: &str = "run";
/// The socket's name.
#[cfg(unix)]
const NAME: &str = "admin.sock";
/// The file that tells port and token.
#[cfg(not(unix))]
const NAME: &str = "admin.json";

const HEAD: Duration = Duration::from_secs(10);

/// A connection to the admin API of the gateway that owns a data directory.
#[cfg(unix)]
pub type LocalStream = tokio::net::UnixStream;
/// A connection to the admin API of the gateway that owns a data directory.
#[cfg(not(unix))]
pub type LocalStream = tokio::net::TcpStream;

/// Where the gateway that owns a data directory answers programs of the same user.
#[derive(Debug, Clone)]
pub struct LocalDoor {
    folder: PathBuf,
}

impl LocalDoor {
    /// The door of the gateway that owns `data_dir` (or the platform's usual place), if one has been opened there.
    pub fn find(data_dir: Option<&Path>) -> Option<Self> {
        let folder = data_dir.map(Path::to_path_buf).or_else(crate::data_dir::default_path)?.join(FOLDER);
        folder.join(NAME).symlink_metadata().ok()?;
        Some(Self { folder })
    }

    /// Connects. The headers belong into every request.
    #[cfg(unix)]
    pub async fn connect(&self) -> io::Result<(LocalStream, HeaderMap)> {
        Ok((LocalStream::connect(self.folder.join(NAME)).await?, HeaderMap::new()))
    }

    /// Connects. The headers belong into every request.
    #[cfg(not(unix))]
    pub async fn connect(&self) -> io::Result<(LocalStream, HeaderMap)> {
        let text = std::fs::read(self.folder.join(NAME))?;
        let door: Door = serde_json::from_slice(&text)?;
        let stream = LocalStream::connect((std::net::Ipv4Addr::LOCALHOST, door.port)).await?;
        let mut headers = HeaderMap::new();
        let value = http::HeaderValue::from_str(&format!("Bearer {}", door.token)).map_err(io::Error::other)?;
        headers.insert(http::header::AUTHORIZATION, value);
        Ok((stream, headers))
    }
}

#[cfg(not(unix))]
#[derive(serde::Serialize, serde::Deserialize)]
struct Door {
    port: u16,
    token: String,
}

async fn serve<S>(stream: S, router: Router, stop: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    tokio::select! {
        _ = connection => {}
        () = stop.cancelled() => {}
    }
}

/// Begins to serve.
#[cfg(unix)]
pub(crate) fn start(
    dir: &Arc<DataDir>,
    router: Router,
    tasks: &TaskTracker,
    stop: CancellationToken,
) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let path = dir.folder(FOLDER)?.join(NAME);
    // The lock on the data directory is ours, so a socket that is left over belongs to nobody.
    match std::fs::remove_file(&path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let socket = tokio::net::UnixListener::bind(&path)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    let us = rustix::process::geteuid().as_raw();
    let connections = tasks.clone();
    tasks.spawn(async move {
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                accepted = socket.accept() => accepted,
            };
            match accepted {
                Ok((stream, _)) if stream.peer_cred().is_ok_and(|peer| peer.uid() == us) => {
                    connections.spawn(serve(stream, router.clone(), stop.clone()));
                }
                Ok(_) => tracing::warn!("another user knocked at the admin socket and was turned away"),
                Err(error) => {
                    tracing::warn!(%error, "a connection to the admin socket could not be accepted");
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
            }
        }
        let _ = std::fs::remove_file(&path);
    });
    Ok(())
}

/// Begins to serve on a loopback port; `run/admin.json` tells port and token to programs that may read it.
#[cfg(not(unix))]
pub(crate) fn start(
    dir: &Arc<DataDir>,
    router: Router,
    tasks: &TaskTracker,
    stop: CancellationToken,
) -> io::Result<()> {
    use axum::extract::Request;
    use axum::http::StatusCode;
    use axum::middleware::{Next, from_fn};
    use axum::response::IntoResponse as _;
    use base64::Engine as _;
    use subtle::ConstantTimeEq as _;

    dir.folder(FOLDER)?;
    let mut token = [0_u8; 32];
    rand::fill(&mut token[..]);
    let token = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(token);
    let socket = std::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0))?;
    socket.set_nonblocking(true)?;
    let port = socket.local_addr()?.port();
    let file = serde_json::to_vec(&Door { port, token: token.clone() })?;
    crate::data_dir::write_synced(&dir.file(FOLDER).join(NAME), &file)?;
    let wanted = format!("Bearer {token}");
    let router = router.layer(from_fn(move |request: Request, next: Next| {
        let given = request.headers().get("authorization").map(|value| value.as_bytes().to_vec()).unwrap_or_default();
        let known = bool::from(given.ct_eq(wanted.as_bytes())) && !request.headers().contains_key("origin");
        async move { if known { next.run(request).await } else { StatusCode::UNAUTHORIZED.into_response() } }
    }));
    let socket = tokio::net::TcpListener::from_std(socket)?;
    let connections = tasks.clone();
    tasks.spawn(async move {
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                accepted = socket.accept() => accepted,
            };
            if let Ok((stream, _)) = accepted {
                connections.spawn(serve(stream, router.clone(), stop.clone()));
            }
        }
    });
    Ok(())
}
