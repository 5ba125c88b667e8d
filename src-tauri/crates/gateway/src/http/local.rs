//! The admin API for programs of the same user on this machine: a Unix socket in an owner-only folder; where there are no
//! Unix sockets, a loopback port with a token in an owner-only file. Served as long as the gateway is open.

use crate::data_dir::DataDir;
use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Folder of the socket inside the data directory.
pub(crate) const FOLDER: &str = "run";
/// The socket's name.
#[cfg(unix)]
pub(crate) const SOCKET: &str = "admin.sock";

const HEAD: Duration = Duration::from_secs(10);

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
pub(crate) fn start(dir: &Arc<DataDir>, router: Router, tasks: &TaskTracker, stop: CancellationToken) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let path = dir.folder(FOLDER)?.join(SOCKET);
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
pub(crate) fn start(dir: &Arc<DataDir>, router: Router, tasks: &TaskTracker, stop: CancellationToken) -> io::Result<()> {
    use axum::extract::Request;
    use axum::http::StatusCode;
    use axum::middleware::{Next, from_fn};
    use axum::response::IntoResponse as _;
    use base64::Engine as _;
    use subtle::ConstantTimeEq as _;

    dir.folder(FOLDER)?;
    let mut token = [0_u8; 32];
    rand::Rng::fill_bytes(&mut rand::rng(), &mut token);
    let token = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(token);
    let socket = std::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0))?;
    socket.set_nonblocking(true)?;
    let port = socket.local_addr()?.port();
    let file = serde_json::json!({ "port": port, "token": token });
    crate::data_dir::write_synced(&dir.file(FOLDER).join("admin.json"), file.to_string().as_bytes())?;
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
