//! A sign-in by link: the person opens it in a browser on another machine, chooses how to sign in, and finishes there.
//!
//! Promises: one link, 256 bits, for one session: the first that presses "Continue". Served only while the sign-in waits (and to that
//! session for a moment afterwards, to say how it ended), and under the host of the link alone. On loopback unless an address is named; there are no cookies and no scripts.

mod door;
mod html;

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use subtle::ConstantTimeEq as _;
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc};
use url::Url;

use super::ended::Ended;
use super::finish::Granted;
use super::pkce;
use super::serve::{Doorway, loopback};
use super::shown::Awaits;
use super::wish::{Opening, Way};
use super::{Login, LoginForm, LoginKind, Parts};
use crate::error::{Problem, ProblemCode};

/// How long the session may still ask how it ended.
const LINGER: Duration = Duration::from_secs(15);
const TRIES: usize = 16;

/// The link and what its page shows.
struct Link {
    /// The host and port that the link was made for. No other name is answered.
    authority: String,
    /// The secret part of the address.
    token: String,
    /// The part that only the first session knows.
    session: Mutex<Option<String>>,
    stage: Mutex<Stage>,
    outer: Arc<Login>,
    chosen: mpsc::Sender<Chosen>,
    /// The session has seen how it ended.
    seen: Notify,
}

/// What the person at the other machine chose.
struct Chosen {
    kind: LoginKind,
    form: LoginForm,
    way: Way,
}

/// What the person at the other machine does.
#[derive(Clone)]
enum Stage {
    /// Chooses how to sign in; why the last try did not work.
    Choosing(Option<Problem>),
    /// Signs in.
    Signing(Arc<Login>),
}

impl Link {
    fn is_token(&self, text: &str) -> bool {
        self.token.as_bytes().ct_eq(text.as_bytes()).into()
    }

    /// Gives the link to a session; `None` when one has it already.
    fn claim(&self) -> Option<String> {
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        if session.is_some() {
            return None;
        }
        let name = pkce::token();
        *session = Some(name.clone());
        Some(name)
    }

    fn is_claimed(&self) -> bool {
        self.session.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    fn is_session(&self, text: &str) -> bool {
        let session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        session.as_ref().is_some_and(|session| session.as_bytes().ct_eq(text.as_bytes()).into())
    }

    fn stage(&self) -> Stage {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_stage(&self, stage: Stage) {
        *self.stage.lock().unwrap_or_else(PoisonError::into_inner) = stage;
    }
}

/// Waits for a person elsewhere, as often as they try.
pub(super) async fn remote(parts: &Arc<Parts>, login: &Arc<Login>, at: SocketAddr) -> Result<Granted, Ended> {
    let (authority, listeners) = bind(at).await.map_err(|error| Ended::failed(unavailable(at, &error)))?;
    let (chosen, mut choices) = mpsc::channel(1);
    let link = Arc::new(Link {
        authority,
        token: pkce::token(),
        session: Mutex::default(),
        stage: Mutex::new(Stage::Choosing(None)),
        outer: Arc::clone(login),
        chosen,
        seen: Notify::new(),
    });
    let address = format!("http://{}/{}", link.authority, link.token);
    let address =
        Url::parse(&address).map_err(|_| Ended::failed(unavailable(at, &io::ErrorKind::InvalidInput.into())))?;
    let served = Arc::clone(&link);
    let door = Doorway::open(listeners, &parts.tasks, move |request| door::answer(Arc::clone(&served), request));
    let present = login.present(parts, &address, &Opening::Nothing, |shown| {
        shown.awaits = Awaits::RemoteOpen;
        shown.plain_http = !at.ip().is_loopback();
    });
    present.await;
    loop {
        let Some(chosen) = choices.recv().await else { return Err(Ended::Cancelled) };
        let (inner, mut inbox) = login.inner(chosen.kind, chosen.form);
        link.set_stage(Stage::Signing(Arc::clone(&inner)));
        let granted = tokio::select! {
            () = inner.cancel.cancelled() => Err(Ended::Cancelled),
            granted = super::direct(parts, &inner, chosen.way, &Opening::Nothing, &mut inbox) => granted,
        };
        match granted {
            Ok(granted) => {
                login.exchanging();
                parts.tasks.spawn(linger(Arc::clone(parts), link, door));
                return Ok(granted);
            }
            Err(ended) => link.set_stage(Stage::Choosing(ended.problem())),
        }
    }
}

/// Tells the session how it ended, then closes.
async fn linger(parts: Arc<Parts>, link: Arc<Link>, door: Doorway) {
    let end = async {
        link.outer.over().await;
        let _ = tokio::time::timeout(LINGER, link.seen.notified()).await;
    };
    tokio::select! {
        () = parts.stop.cancelled() => {}
        () = end => {}
    }
    door.close().await;
}

/// The authority of the link, and its sockets: both loopback families, or the one address that was named.
async fn bind(at: SocketAddr) -> io::Result<(String, Vec<TcpListener>)> {
    if !at.ip().is_loopback() {
        let listener = TcpListener::bind(at).await?;
        return Ok((listener.local_addr()?.to_string(), vec![listener]));
    }
    let mut last = io::Error::from(io::ErrorKind::AddrInUse);
    for _ in 0..TRIES {
        match loopback(at.port()).await {
            Ok((port, listeners)) => return Ok((format!("localhost:{port}"), listeners)),
            Err(error) => last = error,
        }
        if at.port() != 0 {
            break;
        }
    }
    Err(last)
}

fn unavailable(at: SocketAddr, error: &io::Error) -> Problem {
    Problem::new(ProblemCode::PortUnavailable, format!("{at} cannot be opened for the sign-in link: {error}"))
        .action("Name an address of this machine and a port that is free.")
        .param("port", at.port())
}

/// Where the link is served, from what a person wrote: an address of this machine, with or without a port. Loopback when nothing.
pub(super) fn address(text: Option<&str>) -> Option<SocketAddr> {
    let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else {
        return Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    };
    let at = text.parse().ok().or_else(|| Some(SocketAddr::from((text.parse::<IpAddr>().ok()?, 0))))?;
    // Nobody else can open a link to "any address".
    (!at.ip().is_unspecified() && !at.ip().is_multicast()).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_link_is_on_loopback_unless_one_address_is_named() {
        let written = |text: Option<&str>| address(text).map(|at| at.to_string());
        assert_eq!(written(None).as_deref(), Some("127.0.0.1:0"));
        assert_eq!(written(Some("192.168.1.5")).as_deref(), Some("192.168.1.5:0"));
        assert_eq!(written(Some("192.168.1.5:9000")).as_deref(), Some("192.168.1.5:9000"));
        assert_eq!(written(Some("[fd00::1]:9000")).as_deref(), Some("[fd00::1]:9000"));
        for bad in ["0.0.0.0", "[::]:80", "example.com", "192.168.1", "224.0.0.1", "192.168.1.5:99999"] {
            assert_eq!(written(Some(bad)), None, "{bad}");
        }
    }
}
