//! Pooled HTTP clients by way out: one for everything, one past every proxy, one for each account with its own proxy.

use super::Refused;
use super::measure::Stopwatch;
use crate::account::AccountId;
use crate::upstream::proxy::{self, ProxyUrl};
use reqwest::{Certificate, Client, ClientBuilder};
use secrecy::SecretString;
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

const CONNECT: Duration = Duration::from_secs(5);
const IDLE_CONNECTION: Duration = Duration::from_secs(60);
/// Idle connections that one client keeps per host.
const POOLED: usize = 256;
/// The same for the proxy of a single account, of which there may be a thousand.
const POOLED_FOR_ONE: usize = 8;
/// A larger file is no list of certificates.
const MOST_ROOTS: u64 = 4 * 1024 * 1024;

/// The way of everything that has no way of its own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum Common {
    /// As the environment says (`HTTPS_PROXY`, `NO_PROXY`).
    #[default]
    System,
    /// Past every proxy.
    Direct,
    /// Through this one.
    Through(ProxyUrl),
    /// Not at all: what was meant cannot be understood.
    Unusable,
}

/// The clients of one state of the settings.
pub(super) struct Clients {
    redirected: bool,
    /// The way of everything, as it was asked for.
    wish: Common,
    roots: Result<Vec<Certificate>, String>,
    common: Mutex<Way>,
    direct: Result<Client, Refused>,
    own: Mutex<HashMap<AccountId, (String, Client)>>,
}

/// The client of everything that has no way of its own.
enum Way {
    /// Made, or why it cannot be.
    Made(Result<Client, Refused>),
    /// Made as soon as the login at this proxy has been read.
    Through(ProxyUrl),
}

impl Clients {
    /// `redirected`: everything goes to a stand-in on this machine, over plain HTTP. `roots`: certificates to trust besides
    /// the system's, or why they cannot be read; then nothing is sent. `login`: for the proxy in `common`; without one
    /// it is read from the store before the first request.
    pub(super) fn new(
        redirected: bool,
        common: Common,
        login: Option<&SecretString>,
        roots: Result<Vec<Certificate>, String>,
    ) -> Self {
        let wish = common.clone();
        let build = |builder: ClientBuilder| finish(builder, redirected, &roots);
        let common = match common {
            // The environment's proxies are meant for the internet, not for a stand-in on this machine.
            Common::System if redirected => Way::Made(build(base().no_proxy())),
            Common::System => Way::Made(build(base())),
            Common::Direct => Way::Made(build(base().no_proxy())),
            Common::Through(url) if login.is_some() => Way::Made(proxied(&url, login).and_then(build)),
            Common::Through(url) => Way::Through(url),
            Common::Unusable => Way::Made(Err(Refused::NoProxy("its address cannot be understood".to_owned()))),
        };
        let direct = build(base().no_proxy());
        Self { redirected, wish, common: Mutex::new(common), direct, roots, own: Mutex::default() }
    }

    /// The same without any connection.
    pub(super) fn fresh(&self, login: Option<&SecretString>) -> Self {
        Self::new(self.redirected, self.wish.clone(), login, self.roots.clone())
    }

    /// The way of everything, as it was asked for.
    pub(super) fn wish(&self) -> &Common {
        &self.wish
    }

    /// A client without any connection, whose connecting is timed. `login`: for the proxy in `way`.
    pub(super) fn timed(
        &self,
        way: &Common,
        login: Option<&SecretString>,
        watch: &Stopwatch,
    ) -> Result<Client, Refused> {
        let builder = match way {
            Common::System if self.redirected => base().no_proxy(),
            Common::System => base(),
            Common::Direct => base().no_proxy(),
            Common::Through(url) => proxied(url, login)?,
            Common::Unusable => return Err(Refused::NoProxy("its address cannot be understood".to_owned())),
        };
        finish(builder.connector_layer(watch.clone()), self.redirected, &self.roots)
    }

    /// The client of everything, or the proxy whose login has to be read for it.
    pub(super) fn common(&self) -> Result<Result<Client, Refused>, ProxyUrl> {
        match &*self.common.lock().unwrap_or_else(PoisonError::into_inner) {
            Way::Made(client) => Ok(client.clone()),
            Way::Through(proxy) => Err(proxy.clone()),
        }
    }

    /// The client of everything, through this proxy. Kept once made.
    pub(super) fn make_common(&self, proxy: &ProxyUrl, login: Option<&SecretString>) -> Result<Client, Refused> {
        let client = finish(proxied(proxy, login)?, self.redirected, &self.roots);
        *self.common.lock().unwrap_or_else(PoisonError::into_inner) = Way::Made(client.clone());
        client
    }

    pub(super) fn direct(&self) -> Result<Client, Refused> {
        self.direct.clone()
    }

    /// The client made earlier for this account and this address.
    pub(super) fn kept(&self, account: &AccountId, proxy: &str) -> Option<Client> {
        let own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        own.get(account).filter(|(known, _)| known == proxy).map(|(_, client)| client.clone())
    }

    pub(super) fn make(
        &self,
        account: &AccountId,
        proxy: &str,
        login: Option<&SecretString>,
    ) -> Result<Client, Refused> {
        let url = proxy::check(proxy).map_err(|wrong| Refused::NoProxy(wrong.to_string()))?;
        let builder = proxied(&url, login)?.pool_max_idle_per_host(POOLED_FOR_ONE);
        let client = finish(builder, self.redirected, &self.roots)?;
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        own.insert(account.clone(), (proxy.to_owned(), client.clone()));
        Ok(client)
    }

    pub(super) fn forget(&self, account: &AccountId) {
        self.own.lock().unwrap_or_else(PoisonError::into_inner).remove(account);
    }
}

/// Names the cryptography for every TLS client of the process.
pub(super) fn provide_crypto() {
    // Fails only when a provider is installed already, which then is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// Plain HTTP on this machine, never through a proxy.
pub(super) fn plain_loopback() -> Result<Client, reqwest::Error> {
    base().no_proxy().build()
}

/// Reads the certificates of a PEM file, for trust besides the system's. The error is for a person. Blocks on the disk.
pub(crate) fn extra_roots(file: &Path) -> Result<Vec<Certificate>, String> {
    let shown = file.display();
    let size = std::fs::metadata(file).map_err(|error| format!("{shown} cannot be read: {error}"))?.len();
    if size > MOST_ROOTS {
        return Err(format!("{shown} is larger than 4 MiB, too large for certificates"));
    }
    let text = std::fs::read(file).map_err(|error| format!("{shown} cannot be read: {error}"))?;
    let roots = Certificate::from_pem_bundle(&text)
        .map_err(|_| format!("{shown} is not a file of certificates in PEM form"))?;
    if roots.is_empty() {
        return Err(format!("{shown} holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)"));
    }
    provide_crypto();
    // Whether each one is really a certificate shows when a client is built with it.
    base()
        .no_proxy()
        .tls_certs_merge(roots.clone())
        .build()
        .map_err(|_| format!("{shown} holds something that is not a valid certificate"))?;
    Ok(roots)
}

fn base() -> ClientBuilder {
    Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT)
        .pool_idle_timeout(IDLE_CONNECTION)
        .pool_max_idle_per_host(POOLED)
        .tcp_nodelay(true)
        .http1_only()
}

/// A builder whose every request goes through the proxy, loopback included, or fails.
fn proxied(url: &ProxyUrl, login: Option<&SecretString>) -> Result<ClientBuilder, Refused> {
    let proxy = reqwest::Proxy::all(url.with_login(login).as_str())
        .map_err(|_| Refused::NoProxy("its address cannot be understood".to_owned()))?;
    Ok(base().no_proxy().proxy(proxy.no_proxy(None)))
}

fn finish(
    builder: ClientBuilder,
    redirected: bool,
    roots: &Result<Vec<Certificate>, String>,
) -> Result<Client, Refused> {
    let roots = roots.as_ref().map_err(|why| Refused::NoTls(why.clone()))?;
    let builder = if roots.is_empty() { builder } else { builder.tls_certs_merge(roots.clone()) };
    builder.https_only(!redirected).build().map_err(|error| Refused::NoTls(error.to_string()))
}
