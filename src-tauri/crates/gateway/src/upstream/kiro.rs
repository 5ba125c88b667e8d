//! Kiro over HTTP. How we introduce ourselves (kiro-upstream 1.5) is written down here and nowhere else.

mod control;
mod models;
mod places;

use super::classify::{self, Kind, MAX_ERROR_BODY, UpstreamError};
use super::http::{Http, Refused, Route};
use super::identity::AgentNames;
use super::profiles::Profile;
use super::usage::UsageAnswer;
use super::{ByteStream, Call, SearchCall, Upstream, UpstreamModel, search};
use crate::account::{AccessToken, Account, AccountId, AuthMethod};
use futures_util::future::BoxFuture;
use futures_util::{FutureExt as _, StreamExt as _};
use kiro_protocol::event::SearchHit;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Response};
use std::sync::Arc;
use std::time::Duration;

/// Version of the streaming SDK.
const STREAMING_SDK: &str = "1.0.45";
/// Version that the plain calls name.
const RUNTIME_SDK: &str = "1.0.0";
/// Attempts we announce, as the SDK does.
const ANNOUNCED_ATTEMPTS: u32 = 3;
const LIST_DEADLINE: Duration = Duration::from_secs(15);
const ERROR_BODY_DEADLINE: Duration = Duration::from_secs(10);
/// Larger catalogues are not believed.
const MAX_LIST: usize = 4 * 1024 * 1024;
const MAX_PAGES: usize = 10;

/// Kiro over HTTP.
pub(crate) struct Kiro {
    http: Arc<Http>,
    names: AgentNames,
    /// No answer's head may take longer.
    patience: Duration,
    learned: control::Learned,
    /// Which place listed an account's models last.
    lists: models::Learned,
}

impl Kiro {
    pub(crate) fn new(http: Arc<Http>, names: AgentNames, patience: Duration) -> Self {
        Self { http, names, patience, learned: control::Learned::default(), lists: models::Learned::default() }
    }

    async fn ask(&self, call: Call) -> Result<ByteStream, UpstreamError> {
        let headers = self.chat_headers(&call)?;
        let request = self
            .http
            .request(&Route::of(&call.account), Method::POST, &call.host, "/generateAssistantResponse")
            .await
            .map_err(not_sent)?
            .headers(headers)
            .body(call.body);
        let answered = tokio::time::timeout(self.patience, request.send()).await;
        let response = match answered {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Err(unreachable(&call.account, &error)),
            Err(_) => {
                let waited = self.patience.as_secs();
                return Err(UpstreamError::local(Kind::TimedOut, format!("no answer within {waited} seconds")));
            }
        };
        if response.status().is_success() {
            return Ok(response.bytes_stream().map(|chunk| chunk.map_err(|error| plain(&error))).boxed());
        }
        Err(refused(response).await)
    }

    fn chat_headers(&self, call: &Call) -> Result<HeaderMap, UpstreamError> {
        let names = &self.names;
        let machine = &call.account.machine_id;
        let mut headers = HeaderMap::with_capacity(12);
        let mut put = |name: &'static str, value: String| checked(&mut headers, name, &value);
        put("content-type", "application/json".into())?;
        put("accept", "application/vnd.amazon.eventstream".into())?;
        put(
            "user-agent",
            format!(
                "aws-sdk-js/{STREAMING_SDK} ua/2.1 os/{} lang/js md/nodejs#{} api/codewhispererstreaming#{STREAMING_SDK} \
                 m/E KiroIDE-{}-{machine}",
                names.os, names.node, names.ide_version
            ),
        )?;
        put("x-amz-user-agent", format!("aws-sdk-js/{STREAMING_SDK} KiroIDE-{}-{machine}", names.ide_version))?;
        put("amz-sdk-invocation-id", call.invocation.clone())?;
        let total = ANNOUNCED_ATTEMPTS.max(call.attempt);
        put("amz-sdk-request", format!("attempt={}; max={total}", call.attempt))?;
        put("x-amzn-codewhisperer-optout", "true".into())?;
        put("x-amzn-kiro-agent-mode", "vibe".into())?;
        credential(&mut headers, &call.account, &call.token)?;
        Ok(headers)
    }

    /// Headers of the calls that do not stream.
    fn plain_headers(&self, account: &Account, token: &AccessToken, attempt: u32) -> Result<HeaderMap, UpstreamError> {
        let names = &self.names;
        let machine = &account.machine_id;
        let mut headers = HeaderMap::with_capacity(8);
        let mut put = |name: &'static str, value: String| checked(&mut headers, name, &value);
        put("accept", "application/json".into())?;
        put(
            "user-agent",
            format!(
                "aws-sdk-js/{RUNTIME_SDK} ua/2.1 os/{} lang/js md/nodejs#{} api/codewhispererruntime#{RUNTIME_SDK} \
                 m/N,E KiroIDE-{}-{machine}",
                names.os, names.node, names.ide_version
            ),
        )?;
        put("x-amz-user-agent", format!("aws-sdk-js/{RUNTIME_SDK} KiroIDE-{}-{machine}", names.ide_version))?;
        put("amz-sdk-invocation-id", uuid::Uuid::new_v4().to_string())?;
        put("amz-sdk-request", format!("attempt={attempt}; max={attempt}"))?;
        credential(&mut headers, account, token)?;
        Ok(headers)
    }
}

impl Kiro {
    /// Calls the tool `web_search` of the service's tool server (kiro-upstream §11).
    async fn search_web(&self, call: SearchCall<'_>) -> Result<Vec<SearchHit>, UpstreamError> {
        let mut headers = self.plain_headers(call.account, call.token, call.attempt)?;
        checked(&mut headers, "content-type", "application/json")?;
        if let Some(arn) = call.rung.profile_arn.as_deref().filter(|arn| !arn.is_empty()) {
            checked(&mut headers, "x-amzn-kiro-profile-arn", arn)?;
        }
        let response = self
            .http
            .request(&Route::of(call.account), Method::POST, &call.rung.host, "/mcp")
            .await
            .map_err(not_sent)?
            .headers(headers)
            .timeout(search::DEADLINE)
            .body(search::question(call.query))
            .send()
            .await
            .map_err(|error| unreachable(call.account, &error))?;
        if !response.status().is_success() {
            return Err(refused(response).await);
        }
        search::hits(&capped(response, search::MAX_ANSWER).await)
    }
}

impl Upstream for Kiro {
    fn converse(&self, call: Call) -> BoxFuture<'_, Result<ByteStream, UpstreamError>> {
        self.ask(call).boxed()
    }

    fn models<'a>(
        &'a self,
        account: &'a Account,
        token: &'a AccessToken,
    ) -> BoxFuture<'a, Result<Vec<UpstreamModel>, UpstreamError>> {
        self.list_models(account, token).boxed()
    }

    fn search<'a>(&'a self, call: SearchCall<'a>) -> BoxFuture<'a, Result<Vec<SearchHit>, UpstreamError>> {
        self.search_web(call).boxed()
    }

    fn usage<'a>(
        &'a self,
        account: &'a Account,
        token: &'a AccessToken,
    ) -> BoxFuture<'a, Result<UsageAnswer, UpstreamError>> {
        self.ask_usage(account, token).boxed()
    }

    fn profiles<'a>(
        &'a self,
        account: &'a Account,
        token: &'a AccessToken,
        region: &'a str,
    ) -> BoxFuture<'a, Result<Vec<Profile>, UpstreamError>> {
        self.ask_profiles(account, token, region).boxed()
    }

    fn forget(&self, account: &AccountId) {
        self.learned.forget(account);
        self.lists.forget(account);
    }
}

fn credential(headers: &mut HeaderMap, account: &Account, token: &AccessToken) -> Result<(), UpstreamError> {
    checked(headers, "authorization", &format!("Bearer {}", token.expose()))?;
    if let Some(value) = headers.get_mut("authorization") {
        value.set_sensitive(true);
    }
    match account.method {
        AuthMethod::ExternalIdp => checked(headers, "tokentype", "EXTERNAL_IDP"),
        AuthMethod::ApiKey => checked(headers, "tokentype", "API_KEY"),
        AuthMethod::Social | AuthMethod::Idc => Ok(()),
    }
}

/// A header from text that may come from a file: what cannot be a header is an error, never a crash.
fn checked(headers: &mut HeaderMap, name: &'static str, value: &str) -> Result<(), UpstreamError> {
    let value = HeaderValue::from_str(value)
        .map_err(|_| UpstreamError::local(Kind::NotSent, format!("the value of {name} cannot be sent as a header")))?;
    headers.insert(HeaderName::from_static(name), value);
    Ok(())
}

fn not_sent(refused: Refused) -> UpstreamError {
    let kind = match &refused {
        Refused::NoProxy(_) => Kind::ProxyDown,
        Refused::UnknownHost(_) | Refused::NoDemo | Refused::NoTls(_) => Kind::NotSent,
    };
    UpstreamError::local(kind, refused.to_string())
}

/// The answer to a question that is no conversation, when it is a good one.
async fn answered(account: &Account, request: reqwest::RequestBuilder) -> Result<Response, UpstreamError> {
    let sent = request.timeout(LIST_DEADLINE).send().await;
    let response = sent.map_err(|error| unreachable(account, &error))?;
    if response.status().is_success() { Ok(response) } else { Err(refused(response).await) }
}

/// No answer: who is to blame decides what to try next.
fn unreachable(account: &Account, error: &reqwest::Error) -> UpstreamError {
    let kind = if error.is_connect() && Route::of(account).has_own_proxy() {
        Kind::ProxyDown
    } else if error.is_timeout() && !error.is_connect() {
        Kind::TimedOut
    } else {
        Kind::Transport
    };
    UpstreamError::local(kind, plain(error))
}

/// The innermost cause, without the URL.
pub(crate) fn plain(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

async fn refused(response: Response) -> UpstreamError {
    let status = response.status();
    let headers = response.headers().clone();
    let body = tokio::time::timeout(ERROR_BODY_DEADLINE, capped(response, MAX_ERROR_BODY)).await.unwrap_or_default();
    classify::refusal(status, &headers, &body)
}

async fn capped(mut response: Response, most: usize) -> Vec<u8> {
    let mut body = Vec::new();
    while body.len() < most {
        match response.chunk().await {
            Ok(Some(chunk)) => body.extend_from_slice(&chunk[..chunk.len().min(most - body.len())]),
            Ok(None) | Err(_) => break,
        }
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::test_account;

    #[test]
    fn nothing_is_kept_of_an_account_that_was_removed() {
        let http = Http::new(None).expect("builds");
        let kiro = Kiro::new(Arc::new(http), AgentNames::default(), Duration::from_secs(1));
        let (gone, stays) = (test_account("gone"), test_account("stays"));
        for account in [&gone, &stays] {
            let place = places::places(account).remove(0);
            kiro.learned.put(&account.id, &place, 1);
            kiro.lists.put(&account.id, &place);
        }
        kiro.forget(&gone.id);
        assert_eq!((kiro.learned.get(&gone.id), kiro.lists.get(&gone.id)), (None, None));
        assert!(kiro.learned.get(&stays.id).is_some() && kiro.lists.get(&stays.id).is_some());
    }
}
