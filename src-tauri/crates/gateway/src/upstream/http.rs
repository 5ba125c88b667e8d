//! The way out to the network, and the one gate every credential passes.
//!
//! Promises: a request goes only to a host of the compiled table (or to loopback, when traffic is redirected); an account with
//! a proxy of its own is never sent past it, whatever the call; redirects are never followed; certificates are always
//! checked; the answer is never decompressed; a connection that was idle while the machine slept is never used again. Leaves out: what a request says (`upstream/kiro`, `upstream/identity`).

mod clients;
mod measure;

use super::host::is_known_host;
use super::proxy::{self, ProxyUrl};
use crate::account::{Account, AccountId, ProxyChoice};
use crate::clock::{Clock, JumpWatch, SystemClock};
use crate::credential::{Credentials, SecretId, StoreError};
use arc_swap::{ArcSwap, ArcSwapOption};
use clients::Clients;
pub(crate) use clients::{Common, extra_roots};
pub(crate) use measure::{Measured, Unmeasured};
use reqwest::header::{HOST, HeaderValue};
use reqwest::{Certificate, Client, Method, RequestBuilder};
use secrecy::SecretString;
use std::sync::{Arc, Mutex, PoisonError};
use url::Url;

/// How a request reaches the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route(Way);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Way {
    /// The in-process stand-in. Never the network.
    Demo,
    /// As the settings say for everything.
    Common,
    /// Past every proxy.
    Direct,
    /// Through this account's own proxy, or not at all.
    Through { account: AccountId, proxy: String },
}

impl Route {
    /// The way of every call of this account: its stand-in, its own choice of proxy, else as everything goes.
    pub fn of(account: &Account) -> Self {
        Self(match &account.wishes.proxy {
            _ if account.is_demo() => Way::Demo,
            None => Way::Common,
            Some(ProxyChoice::Direct) => Way::Direct,
            Some(ProxyChoice::Through { url }) => Way::Through { account: account.id.clone(), proxy: url.clone() },
        })
    }

    /// The way of calls that belong to no account yet, such as a sign-in: as everything goes.
    pub fn anonymous() -> Self {
        Self(Way::Common)
    }

    /// Whether it leads through a proxy that only one account uses: its trouble says nothing about the service.
    pub fn has_own_proxy(&self) -> bool {
        match &self.0 {
            Way::Through { .. } => true,
            Way::Demo | Way::Common | Way::Direct => false,
        }
    }
}

/// A request that must not be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Credentials go only to hosts of the compiled table.
    #[error("{0} is not a host of the service; nothing was sent")]
    UnknownHost(String),
    /// The demo account's stand-in does not run.
    #[error("the demo account's stand-in is not running")]
    NoDemo,
    /// The TLS client could not be built, e.g. because the system has no root certificates or the extra file is damaged.
    #[error("no TLS client: {0}; nothing was sent")]
    NoTls(String),
    /// The proxy cannot be used as it is written down, or its password could not be read.
    #[error("the proxy cannot be used: {0}; nothing was sent")]
    NoProxy(String),
}

/// Shared, pooled clients.
pub struct Http {
    /// For the demo account's stand-in.
    loopback: Client,
    base: Option<Url>,
    demo: ArcSwapOption<Url>,
    clients: ArcSwap<Clients>,
    /// Where the passwords of proxies are.
    credentials: Option<Credentials>,
    /// The login at the proxy of the settings.
    login: Option<SecretString>,
    clock: Arc<dyn Clock>,
    awake: Mutex<JumpWatch>,
}

impl std::fmt::Debug for Http {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Http").field("base", &self.base.as_ref().map(Url::as_str)).finish_non_exhaustive()
    }
}

impl Http {
    /// Builds the clients. `base` redirects all traffic but the demo account's; the caller checked that it is loopback.
    pub fn new(base: Option<Url>) -> Result<Self, reqwest::Error> {
        clients::provide_crypto();
        let clients = Clients::new(base.is_some(), Common::System, None, Ok(Vec::new()));
        Ok(Self {
            loopback: clients::plain_loopback()?,
            clients: ArcSwap::from_pointee(clients),
            base,
            demo: ArcSwapOption::empty(),
            credentials: None,
            login: None,
            awake: Mutex::new(JumpWatch::new(SystemClock.now())),
            clock: Arc::new(SystemClock),
        })
    }

    /// Names the clock whose jumps are noticed.
    #[must_use]
    pub(crate) fn with_clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { awake: Mutex::new(JumpWatch::new(clock.now())), clock, ..self }
    }

    /// Names the store that knows the user names and passwords of proxies.
    #[must_use]
    pub fn with_credentials(self, credentials: Credentials) -> Self {
        Self { credentials: Some(credentials), ..self }
    }

    /// Names the login at the proxy of the settings, as `user:password`, in place of the one in the store.
    #[must_use]
    pub fn with_login(self, login: Option<SecretString>) -> Self {
        Self { login, ..self }
    }

    /// Takes over the settings of the network. `roots`: certificates to trust besides the system's, or why they cannot be
    /// read; then nothing is sent. Connections under way stay.
    pub(crate) fn configure(&self, common: Common, roots: Result<Vec<Certificate>, String>) {
        self.clients.store(Arc::new(Clients::new(self.base.is_some(), common, self.login.as_ref(), roots)));
    }

    /// Names the stand-in that demo accounts reach.
    pub fn set_demo(&self, base: Url) {
        self.demo.store(Some(Arc::new(base)));
    }

    /// A request to `host` of the service. `path` begins with `/` and may carry a query. Waits only where the password of a
    /// proxy has to be read first.
    ///
    /// Redirected requests keep the original host in the `Host` header, so that a stand-in can tell hosts apart.
    pub async fn request(
        &self,
        route: &Route,
        method: Method,
        host: &str,
        path: &str,
    ) -> Result<RequestBuilder, Refused> {
        if !is_known_host(host) {
            return Err(Refused::UnknownHost(host.to_owned()));
        }
        self.wake();
        let demo = self.demo.load_full();
        let (client, base) = match &route.0 {
            Way::Demo => (self.loopback.clone(), Some(demo.as_deref().ok_or(Refused::NoDemo)?)),
            Way::Common => (self.common().await?, self.base.as_ref()),
            Way::Direct => (self.clients.load().direct()?, self.base.as_ref()),
            Way::Through { account, proxy } => (self.through(account, proxy).await?, self.base.as_ref()),
        };
        match base {
            None => Ok(client.request(method, format!("https://{host}{path}"))),
            Some(base) => {
                let value =
                    HeaderValue::from_str(host).map_err(|_| Refused::UnknownHost(host.escape_debug().to_string()))?;
                let url = format!("{}{path}", base.as_str().trim_end_matches('/'));
                Ok(client.request(method, url).header(HOST, value))
            }
        }
    }

    /// After a sleep the other ends of idle connections are gone without a word: all of them are let go, and requests under
    /// way keep theirs. Whoever comes at the same moment waits here, so that nobody goes on with a dead one.
    fn wake(&self) {
        let mut awake = self.awake.lock().unwrap_or_else(PoisonError::into_inner);
        if awake.jumped(self.clock.now()) {
            tracing::info!("the clock jumped or the machine slept; connections that were idle are let go");
            let login = self.login.as_ref();
            self.clients.rcu(|clients| Arc::new(clients.fresh(login)));
        }
    }

    /// The client of everything that has no way of its own. Where the store cannot say whether its proxy wants a login, nothing is
    /// sent.
    async fn common(&self) -> Result<Client, Refused> {
        let clients = self.clients.load_full();
        match clients.common() {
            Ok(client) => client,
            Err(proxy) => {
                let login = self.kept_login(&proxy).await?;
                clients.make_common(&proxy, login.as_ref())
            }
        }
    }

    /// The login at the proxy of the settings: the one that was given, else the one in the store.
    async fn login_of_all(&self, proxy: &ProxyUrl) -> Result<Option<SecretString>, Refused> {
        match &self.login {
            Some(login) => Ok(Some(login.clone())),
            None => self.kept_login(proxy).await,
        }
    }

    async fn kept_login(&self, proxy: &ProxyUrl) -> Result<Option<SecretString>, Refused> {
        let Some(credentials) = &self.credentials else { return Ok(None) };
        let kept = credentials.load(&SecretId::proxy_of_all()).await.map_err(unreadable)?;
        let kept = kept.and_then(|secrets| secrets.proxy_credentials);
        Ok(kept.and_then(|kept| proxy::bound_to(&kept, proxy)))
    }

    /// Whether the environment named the login at the proxy of the settings.
    pub(crate) fn has_given_login(&self) -> bool {
        self.login.is_some()
    }

    /// The client of an account's own proxy. Kept once made; a changed address makes another one.
    async fn through(&self, account: &AccountId, proxy: &str) -> Result<Client, Refused> {
        let clients = self.clients.load_full();
        if let Some(client) = clients.kept(account, proxy) {
            return Ok(client);
        }
        let login = self.login_of(account).await?;
        clients.make(account, proxy, login.as_ref())
    }

    /// The login at the proxy of an account.
    async fn login_of(&self, account: &AccountId) -> Result<Option<SecretString>, Refused> {
        match &self.credentials {
            Some(credentials) => credentials.proxy_login(account).await.map_err(unreadable),
            None => Ok(None),
        }
    }

    /// Forgets what was built for an account's own proxy: its address or password changed, or the account is gone.
    pub fn forget(&self, account: &AccountId) {
        self.clients.load().forget(account);
    }
}

fn unreadable(error: StoreError) -> Refused {
    Refused::NoProxy(format!("its user name and password cannot be read: {error}"))
}

#[cfg(test)]
mod tests;
