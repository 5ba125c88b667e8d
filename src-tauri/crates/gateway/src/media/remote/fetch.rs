//! One picture over HTTP, without becoming a tool against this machine's own network.
//!
//! Promises: a name is resolved once, every address it has must be public, and the connection goes to one of those addresses;
//! each redirect is checked like the first link; no proxy, cookie, referrer or credential; time, size and kind are bounded.

use super::address::is_public;
use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use url::{Host, Url};

const CONNECT: Duration = Duration::from_secs(5);
const WHOLE: Duration = Duration::from_secs(15);
const REDIRECTS: usize = 3;
/// Largest file.
const MOST: usize = 10 * 1024 * 1024;
/// Bytes of fetched pictures that are remembered, for links in the history.
const REMEMBERED: u64 = 32 * 1024 * 1024;
const LONGEST_URL: usize = 2048;

/// Why a picture was not fetched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("the link cannot be read")]
    Malformed,
    #[error("only http and https links on their usual ports, without user names, are followed")]
    Form,
    #[error("the host is not on the list of allowed hosts (media.remoteHosts)")]
    NotListed,
    #[error("the host is not a public one")]
    NotPublic,
    #[error("the host was not found")]
    NotFound,
    #[error("too many redirects")]
    Redirects,
    #[error("it took too long")]
    TimedOut,
    #[error("it has more than 10 MiB")]
    TooLarge,
    #[error("it is not a picture")]
    NotAPicture,
    #[error("the site answered {0}")]
    Status(u16),
    #[error("the connection failed")]
    Connection,
    #[error("too many pictures")]
    TooMany,
}

impl Refusal {
    /// Code of the failure when nothing else is left to answer.
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::Form | Self::NotListed | Self::NotPublic => "remote_image_not_allowed",
            Self::Malformed
            | Self::NotFound
            | Self::Redirects
            | Self::TimedOut
            | Self::TooLarge
            | Self::NotAPicture
            | Self::Status(_)
            | Self::Connection
            | Self::TooMany => "remote_image_failed",
        }
    }
}

/// Finds the addresses of a name. Port 0 stands for the link's own port.
pub(in crate::media) trait Lookup: Send + Sync {
    fn addresses(&self, name: String) -> BoxFuture<'static, std::io::Result<Vec<SocketAddr>>>;
}

/// The system's resolver.
struct SystemLookup;

impl Lookup for SystemLookup {
    fn addresses(&self, name: String) -> BoxFuture<'static, std::io::Result<Vec<SocketAddr>>> {
        async move { Ok(tokio::net::lookup_host((name, 0)).await?.collect()) }.boxed()
    }
}

#[derive(Clone)]
struct ByBytes;

impl Weighter<String, Bytes> for ByBytes {
    fn weight(&self, url: &String, bytes: &Bytes) -> u64 {
        (url.len() + bytes.len()) as u64
    }
}

/// Fetches pictures.
pub(in crate::media) struct Fetcher {
    lookup: Arc<dyn Lookup>,
    /// Addresses that count as public in a test.
    #[cfg(test)]
    pub(in crate::media) admitted: Vec<SocketAddr>,
    known: Cache<String, Bytes, ByBytes>,
}

impl Default for Fetcher {
    fn default() -> Self {
        Self::new(Arc::new(SystemLookup))
    }
}

impl Fetcher {
    pub(in crate::media) fn new(lookup: Arc<dyn Lookup>) -> Self {
        Self {
            lookup,
            #[cfg(test)]
            admitted: Vec::new(),
            known: Cache::with_weighter(64, REMEMBERED, ByBytes),
        }
    }

    /// The file behind a link. `again`: it stands in the history, so that what was fetched before will do.
    pub(super) async fn picture(&self, link: &str, hosts: &[String], again: bool) -> Result<Bytes, Refusal> {
        let url = parse(link)?;
        listed(&url, hosts)?;
        if again && let Some(known) = self.known.get(url.as_str()) {
            return Ok(known);
        }
        let key = url.as_str().to_owned();
        let bytes = tokio::time::timeout(WHOLE, self.follow(url, hosts)).await.unwrap_or(Err(Refusal::TimedOut))?;
        self.known.insert(key, bytes.clone());
        Ok(bytes)
    }

    async fn follow(&self, mut url: Url, hosts: &[String]) -> Result<Bytes, Refusal> {
        for _ in 0..=REDIRECTS {
            let mut response = self.ask(&url).await?;
            let status = response.status();
            if status.is_redirection() {
                let target = response.headers().get(reqwest::header::LOCATION).and_then(|target| target.to_str().ok());
                let target = target.and_then(|target| url.join(target).ok()).ok_or(Refusal::Status(status.as_u16()))?;
                url = parse(target.as_str())?;
                listed(&url, hosts)?;
                continue;
            }
            if !status.is_success() {
                return Err(Refusal::Status(status.as_u16()));
            }
            let kind = response.headers().get(reqwest::header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
            if !kind.is_some_and(|kind| kind.trim_start().to_ascii_lowercase().starts_with("image/")) {
                return Err(Refusal::NotAPicture);
            }
            if response.content_length().is_some_and(|length| length > MOST as u64) {
                return Err(Refusal::TooLarge);
            }
            let mut bytes = Vec::new();
            while let Some(chunk) = response.chunk().await.map_err(|_| Refusal::Connection)? {
                if bytes.len() + chunk.len() > MOST {
                    return Err(Refusal::TooLarge);
                }
                bytes.extend_from_slice(&chunk);
            }
            return Ok(bytes.into());
        }
        Err(Refusal::Redirects)
    }

    async fn ask(&self, url: &Url) -> Result<reqwest::Response, Refusal> {
        let addresses = self.resolve(url).await?;
        // Fails only when a provider is installed already, which then is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        // One client for one connection: it knows this name's addresses and no others.
        let mut client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .connect_timeout(CONNECT)
            .pool_max_idle_per_host(0)
            .user_agent(concat!("kiro-proxy/", env!("CARGO_PKG_VERSION")));
        if let Some(Host::Domain(name)) = url.host() {
            client = client.resolve_to_addrs(name, &addresses);
        }
        let client = client.build().map_err(|_| Refusal::Connection)?;
        client.get(url.clone()).header("accept", "image/*").send().await.map_err(|_| Refusal::Connection)
    }

    /// The addresses to connect to; none of them leads into a private network.
    async fn resolve(&self, url: &Url) -> Result<Vec<SocketAddr>, Refusal> {
        let addresses = match url.host() {
            Some(Host::Ipv4(address)) => vec![SocketAddr::new(IpAddr::V4(address), 0)],
            Some(Host::Ipv6(address)) => vec![SocketAddr::new(IpAddr::V6(address), 0)],
            Some(Host::Domain(name)) => self.lookup.addresses(name.to_owned()).await.map_err(|_| Refusal::NotFound)?,
            None => return Err(Refusal::Malformed),
        };
        if addresses.is_empty() {
            return Err(Refusal::NotFound);
        }
        if addresses.iter().all(|address| self.admits(*address)) { Ok(addresses) } else { Err(Refusal::NotPublic) }
    }

    fn admits(&self, address: SocketAddr) -> bool {
        #[cfg(test)]
        if self.admitted.contains(&address) {
            return true;
        }
        is_public(address.ip())
    }
}

fn parse(link: &str) -> Result<Url, Refusal> {
    if link.len() > LONGEST_URL {
        return Err(Refusal::Malformed);
    }
    let mut url = Url::parse(link).map_err(|_| Refusal::Malformed)?;
    let plain = matches!(url.scheme(), "http" | "https")
        && url.username().is_empty()
        && url.password().is_none()
        // A port that is written out is not the scheme's own.
        && url.port().is_none();
    url.set_fragment(None);
    if plain { Ok(url) } else { Err(Refusal::Form) }
}

/// With a list, only its hosts.
fn listed(url: &Url, hosts: &[String]) -> Result<(), Refusal> {
    let host = url.host_str().unwrap_or_default().trim_end_matches('.').to_ascii_lowercase();
    let matches = |entry: &String| match entry.strip_prefix("*.") {
        Some(parent) => host.strip_suffix(parent).is_some_and(|front| front.ends_with('.') && front.len() > 1),
        None => host == *entry,
    };
    if hosts.is_empty() || hosts.iter().any(matches) { Ok(()) } else { Err(Refusal::NotListed) }
}
