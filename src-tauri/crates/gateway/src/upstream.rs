//! The service we talk to, behind one trait with two implementations: Kiro over HTTP, and a scripted one for tests of
//! retry, refresh, cancellation and deadlines on paused time.

pub(crate) mod answer;
pub(crate) mod classify;
pub(crate) mod endpoint;
mod host;
pub mod http;
pub mod identity;
pub(crate) mod kiro;
pub(crate) mod profiles;
pub(crate) mod proxy;
mod retry_after;
#[cfg(test)]
pub(crate) mod scripted;
pub(crate) mod search;
pub(crate) mod usage;

pub(crate) use host::{API_REGIONS, region_of};

use crate::account::{AccessToken, Account, AccountId};
use bytes::Bytes;
use classify::UpstreamError;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use kiro_protocol::event::SearchHit;
use std::sync::Arc;

/// The bytes of an answer as they come; an error is a broken connection.
pub(crate) type ByteStream = BoxStream<'static, Result<Bytes, String>>;

/// One attempt.
pub(crate) struct Call {
    /// Who asks.
    pub(crate) account: Arc<Account>,
    /// Its token.
    pub(crate) token: AccessToken,
    /// Which host.
    pub(crate) host: String,
    /// The whole request body, with the profile that belongs to this account and host.
    pub(crate) body: Bytes,
    /// The same for all attempts of one request.
    pub(crate) invocation: String,
    /// 1 for the first attempt.
    pub(crate) attempt: u32,
}

/// How a model takes marks for its prompt cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Caching {
    /// Most marks in one request; 0 when it takes none.
    pub(crate) points: usize,
    /// A shorter beginning is not cached, in tokens.
    pub(crate) minimum: u64,
}

/// A model as the upstream lists it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct UpstreamModel {
    /// Exact id to send.
    pub(crate) id: String,
    /// Display name.
    pub(crate) name: String,
    /// Input window in tokens.
    pub(crate) window: Option<u64>,
    /// Output limit in tokens.
    pub(crate) max_output: Option<u64>,
    /// Whether it takes images.
    pub(crate) images: bool,
    /// Whether and how often a request may mark what to cache.
    pub(crate) caching: Caching,
    /// Credits multiplier.
    pub(crate) multiplier: Option<f64>,
    /// What `additionalModelRequestFields` may hold.
    pub(crate) fields_schema: Option<serde_json::Value>,
    /// Whether it takes documents.
    pub(crate) documents: bool,
    /// One line about it.
    pub(crate) description: Option<String>,
}

/// One search on the web.
pub(crate) struct SearchCall<'a> {
    /// Who asks.
    pub(crate) account: &'a Account,
    /// Its token.
    pub(crate) token: &'a AccessToken,
    /// Which host, and the profile to name there.
    pub(crate) rung: &'a endpoint::Rung,
    /// What to search for.
    pub(crate) query: &'a str,
    /// 1 for the first attempt.
    pub(crate) attempt: u32,
}

/// The service.
pub(crate) trait Upstream: Send + Sync {
    /// Asks for an answer; returns once the upstream has accepted the request.
    fn converse(&self, call: Call) -> BoxFuture<'_, Result<ByteStream, UpstreamError>>;

    /// The models this account may use.
    fn models<'a>(
        &'a self,
        account: &'a Account,
        token: &'a AccessToken,
    ) -> BoxFuture<'a, Result<Vec<UpstreamModel>, UpstreamError>>;

    /// Searches the web.
    fn search<'a>(&'a self, call: SearchCall<'a>) -> BoxFuture<'a, Result<Vec<SearchHit>, UpstreamError>>;

    /// What the account may use and has used (getUsageLimits, kiro-upstream §8).
    fn usage<'a>(
        &'a self,
        account: &'a Account,
        token: &'a AccessToken,
    ) -> BoxFuture<'a, Result<usage::UsageAnswer, UpstreamError>>;

    /// The profiles that the account may name in a region of the data plane (ListAvailableProfiles, kiro-upstream §1.6).
    /// AWS Builder IDs are refused; that is normal.
    fn profiles<'a>(
        &'a self,
        account: &'a Account,
        token: &'a AccessToken,
        region: &'a str,
    ) -> BoxFuture<'a, Result<Vec<profiles::Profile>, UpstreamError>>;

    /// Drops what was found out about where to ask for an account that was removed.
    fn forget(&self, account: &AccountId);
}
