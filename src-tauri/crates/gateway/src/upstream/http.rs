//! The HTTP clients for everything upstream, and the one gate every credential passes on its way out.
//!
//! Promises: a request goes only to a host of the compiled table (or to loopback, when traffic is redirected), redirects are
//! never followed, and the answer is never decompressed.

use super::host::is_known_host;
use arc_swap::ArcSwapOption;
use reqwest::header::{HOST, HeaderValue};
use reqwest::{Client, Method, RequestBuilder};
use std::sync::Arc;
use std::time::Duration;
use url::Url;

const CONNECT: Duration = Duration::from_secs(5);
const IDLE_CONNECTION: Duration = Duration::from_secs(60);

/// Whose upstream: the real service, or the stand-in behind the demo account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Destination {
    /// The real service, or what `KIRO_PROXY_ENDPOINTS` names instead.
    Service,
    /// The in-process stand-in. Never the network.
    Demo,
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
    /// The TLS client could not be built, e.g. because the system has no root certificates.
    #[error("no TLS client: {0}")]
    NoTls(String),
}

/// Shared, pooled clients.
pub struct Http {
    /// For redirected traffic: plain HTTP on loopback, never through a proxy.
    loopback: Client,
    internet: Result<Client, String>,
    base: Option<Url>,
    demo: ArcSwapOption<Url>,
}

impl std::fmt::Debug for Http {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Http").field("base", &self.base.as_ref().map(Url::as_str)).finish_non_exhaustive()
    }
}

impl Http {
    /// Builds the clients. `base` redirects all traffic of [`Destination::Service`]; the caller checked that it is loopback.
    pub fn new(base: Option<Url>) -> Result<Self, reqwest::Error> {
        // Fails only when a provider is installed already, which then is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let common = || {
            Client::builder()
                .redirect(reqwest::redirect::Policy::none())
                .connect_timeout(CONNECT)
                .pool_idle_timeout(IDLE_CONNECTION)
                .pool_max_idle_per_host(256)
                .tcp_nodelay(true)
                .http1_only()
        };
        let internet = if base.is_some() {
            Err("all traffic is redirected to this machine".to_owned())
        } else {
            common().https_only(true).build().map_err(|error| error.to_string())
        };
        Ok(Self { loopback: common().no_proxy().build()?, internet, base, demo: ArcSwapOption::empty() })
    }

    /// Names the stand-in that [`Destination::Demo`] reaches.
    pub fn set_demo(&self, base: Url) {
        self.demo.store(Some(Arc::new(base)));
    }

    /// A request to `host` of the service. `path` begins with `/` and may carry a query.
    ///
    /// Redirected requests keep the original host in the `Host` header, so that a stand-in can tell hosts apart.
    pub fn request(
        &self,
        destination: Destination,
        method: Method,
        host: &str,
        path: &str,
    ) -> Result<RequestBuilder, Refused> {
        if !is_known_host(host) {
            return Err(Refused::UnknownHost(host.to_owned()));
        }
        let demo = self.demo.load();
        let base = match destination {
            Destination::Service => self.base.as_ref(),
            Destination::Demo => Some(demo.as_deref().ok_or(Refused::NoDemo)?),
        };
        match base {
            None => {
                let client = self.internet.as_ref().map_err(|error| Refused::NoTls(error.clone()))?;
                Ok(client.request(method, format!("https://{host}{path}")))
            }
            Some(base) => {
                let value =
                    HeaderValue::from_str(host).map_err(|_| Refused::UnknownHost(host.escape_debug().to_string()))?;
                let url = format!("{}{path}", base.as_str().trim_end_matches('/'));
                Ok(self.loopback.request(method, url).header(HOST, value))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redirected() -> Http {
        Http::new(Some(Url::parse("http://127.0.0.1:9").expect("a URL"))).expect("clients")
    }

    #[test]
    fn a_credential_never_leaves_for_a_foreign_host() {
        for host in
            ["evil.example", "q.us-east-1.amazonaws.com.evil.example", "runtime.us-east-1.kiro.dev:1", "", "a\r\nb"]
        {
            let refused = redirected().request(Destination::Service, Method::GET, host, "/").expect_err("refused");
            assert_eq!(refused, Refused::UnknownHost(host.to_owned()));
        }
    }

    #[test]
    fn redirected_traffic_keeps_the_original_host() {
        let request = redirected()
            .request(Destination::Service, Method::GET, "q.us-east-1.amazonaws.com", "/x?y=1")
            .expect("known")
            .build()
            .expect("complete");
        assert_eq!(request.url().as_str(), "http://127.0.0.1:9/x?y=1");
        assert_eq!(request.headers()[HOST], "q.us-east-1.amazonaws.com");
    }

    #[test]
    fn the_demo_account_reaches_nothing_but_its_stand_in() {
        let http = redirected();
        let ask = |http: &Http| http.request(Destination::Demo, Method::GET, "q.us-east-1.amazonaws.com", "/");
        assert_eq!(ask(&http).expect_err("not running"), Refused::NoDemo);
        http.set_demo(Url::parse("http://127.0.0.1:10/").expect("a URL"));
        let request = ask(&http).expect("running").build().expect("complete");
        assert_eq!(request.url().as_str(), "http://127.0.0.1:10/");
    }
}
