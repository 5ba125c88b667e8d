//! One request over a connection of its own, timed by its parts.

use super::{Common, Http, Refused, Route, Way};
use crate::upstream::host::is_known_host;
use crate::upstream::kiro::plain;
use http::StatusCode;
use reqwest::header::{HOST, HeaderValue};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Instant;
use tower::{Layer, Service};

/// How long one request may take.
const DEADLINE: Duration = Duration::from_secs(10);

/// What one request took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Measured {
    /// Until the connection stood: name, TCP, proxy and TLS.
    pub(crate) connect: Duration,
    /// From then until the head of the answer.
    pub(crate) first_byte: Duration,
    /// What was answered. Any answer is one of the service.
    pub(crate) status: StatusCode,
}

/// Why nothing could be measured.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unmeasured {
    #[error("{0}")]
    Refused(Refused),
    #[error("the proxy asks for another user name and password")]
    ProxyLogin,
    #[error("no answer in time")]
    Late,
    #[error("it cannot be reached: {0}")]
    Unreachable(String),
}

impl Http {
    /// Reaches a host of the compiled table once, on this way, over a connection that nobody used before and nobody will use
    /// again. No credential of the service is sent.
    pub(crate) async fn measure(&self, route: &Route, host: &str) -> Result<Measured, Unmeasured> {
        if !is_known_host(host) {
            return Err(Unmeasured::Refused(Refused::UnknownHost(host.to_owned())));
        }
        let watch = Stopwatch::default();
        let client = self.timed(route, &watch).await.map_err(Unmeasured::Refused)?;
        let base = match &route.0 {
            Way::Demo => self.demo.load_full().map(|base| (*base).clone()),
            Way::Common | Way::Direct | Way::Through { .. } => self.base.clone(),
        };
        let request = match &base {
            None => client.get(format!("https://{host}/")),
            Some(base) => {
                let value = HeaderValue::from_str(host)
                    .map_err(|_| Unmeasured::Refused(Refused::UnknownHost(host.escape_debug().to_string())))?;
                client.get(base.clone()).header(HOST, value)
            }
        };
        let since = Instant::now();
        let answer = request.timeout(DEADLINE).send().await;
        let whole = since.elapsed();
        match answer {
            Ok(answer) if answer.status() == StatusCode::PROXY_AUTHENTICATION_REQUIRED => Err(Unmeasured::ProxyLogin),
            Ok(answer) => {
                let connect = watch.read().unwrap_or_default().min(whole);
                Ok(Measured { connect, first_byte: whole - connect, status: answer.status() })
            }
            Err(error) if error.is_timeout() => Err(Unmeasured::Late),
            Err(error) => Err(Unmeasured::Unreachable(plain(&error))),
        }
    }

    /// A client for one request on this way.
    async fn timed(&self, route: &Route, watch: &Stopwatch) -> Result<reqwest::Client, Refused> {
        let clients = self.clients.load_full();
        match &route.0 {
            Way::Demo if self.demo.load().is_none() => Err(Refused::NoDemo),
            Way::Demo | Way::Direct => clients.timed(&Common::Direct, None, watch),
            Way::Common => {
                let login = match clients.wish() {
                    Common::Through(proxy) => self.login_of_all(proxy).await?,
                    Common::System | Common::Direct | Common::Unusable => None,
                };
                clients.timed(clients.wish(), login.as_ref(), watch)
            }
            Way::Through { account, proxy } => {
                let url = crate::upstream::proxy::check(proxy).map_err(|wrong| Refused::NoProxy(wrong.to_string()))?;
                let login = self.login_of(account).await?;
                clients.timed(&Common::Through(url), login.as_ref(), watch)
            }
        }
    }
}

/// Notes how long the connecting of a client took.
#[derive(Debug, Clone, Default)]
pub(super) struct Stopwatch(Arc<Mutex<Option<Duration>>>);

impl Stopwatch {
    fn read(&self) -> Option<Duration> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S> Layer<S> for Stopwatch {
    type Service = Timed<S>;

    fn layer(&self, inner: S) -> Timed<S> {
        Timed { inner, watch: self.clone() }
    }
}

/// A connector under a watch.
#[derive(Debug, Clone)]
pub(super) struct Timed<S> {
    inner: S,
    watch: Stopwatch,
}

impl<S, R> Service<R> for Timed<S>
where
    S: Service<R>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let (since, watch) = (Instant::now(), self.watch.clone());
        let connecting = self.inner.call(request);
        Box::pin(async move {
            let connected = connecting.await;
            *watch.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(since.elapsed());
            connected
        })
    }
}
