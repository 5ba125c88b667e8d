//! Token endpoints: one refresh call per family of accounts, and what its answer means.
//!
//! Promises: a token goes only to a host of the compiled table (`upstream/http` holds the gate); errors never repeat a token. Leaves out: when to refresh, sharing one refresh
//! and saving what comes back (`account/token`).

mod answer;
pub mod hosts;
mod refusal;
pub(crate) mod sign_in;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::header::{ACCEPT, USER_AGENT};
use http::{Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::http::{Http, Refused, Route};
use crate::account::{Account, AuthMethod};
use crate::credential::Secrets;

/// A whole call, connecting included.
const DEADLINE: Duration = Duration::from_secs(30);
/// Token answers are a few kilobytes; more is not one.
const LONGEST_ANSWER: usize = 64 * 1024;

/// The way is closed before the token endpoint; nothing was sent to it.
const PROXY_DOWN: &str = "the proxy of this account cannot be used; nothing was sent past it";

/// What a refresh brought.
#[derive(Debug, Clone)]
pub struct Refreshed {
    /// The new access token.
    pub access_token: SecretString,
    /// The rotated refresh token; `None` keeps the old one valid.
    pub refresh_token: Option<SecretString>,
    /// How long the access token lives.
    pub expires_in: Option<Duration>,
    /// The profile of the account, where the endpoint tells it.
    pub profile_arn: Option<String>,
}

/// Why there is no new token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// The grant is gone: only a new sign-in helps.
    #[error("{0}")]
    Dead(String),
    /// The endpoint does not take this refresh token. Before the grant is called dead, a rotation by somebody else and a
    /// wrong region must be ruled out: both are answered with the same words (kiro-upstream §5.7).
    #[error("{0}")]
    Rejected(String),
    /// Sent, but no whole answer came back: the refresh token may have been exchanged already.
    #[error("{0}")]
    Unanswered(String),
    /// Worth trying again later; says nothing about the grant.
    #[error("{message}")]
    Transient {
        /// What happened.
        message: String,
        /// How long the endpoint asked to wait.
        retry_after: Option<Duration>,
    },
}

impl IdentityError {
    pub(crate) fn transient(message: impl Into<String>) -> Self {
        Self::Transient { message: message.into(), retry_after: None }
    }
}

/// Buys access tokens.
pub trait Identity: Send + Sync {
    /// Exchanges the refresh token of `account` for a new access token.
    fn refresh<'a>(
        &'a self,
        account: &'a Account,
        secrets: &'a Secrets,
    ) -> BoxFuture<'a, Result<Refreshed, IdentityError>>;
}

/// How we introduce ourselves to the token endpoints.
#[derive(Debug, Clone)]
pub struct AgentNames {
    /// Version of the IDE.
    pub ide_version: String,
    /// Version of the AWS SDK part that talks OIDC.
    pub oidc_sdk: String,
    /// Operating system and its version, as `linux#6.8.0`.
    pub os: String,
    /// Version of Node.
    pub node: String,
}

impl Default for AgentNames {
    fn default() -> Self {
        let os = if cfg!(target_os = "macos") {
            "darwin#24.6.0"
        } else if cfg!(windows) {
            "win32#10.0.26100"
        } else {
            "linux#6.8.0"
        };
        Self { ide_version: "1.4.154".into(), oidc_sdk: "3.980.0".into(), os: os.into(), node: "22.21.1".into() }
    }
}

impl AgentNames {
    /// The user agent of calls to Kiro's own sign-in service.
    fn ide(&self, machine_id: &str) -> String {
        format!("KiroIDE-{}-{machine_id}", self.ide_version)
    }

    /// Adds what every call to AWS OIDC carries.
    fn oidc(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        let sdk = &self.oidc_sdk;
        let agent = format!(
            "aws-sdk-js/{sdk} ua/2.1 os/{} lang/js md/nodejs#{} api/sso-oidc#{sdk} m/E KiroIDE",
            self.os, self.node
        );
        request
            .header(USER_AGENT, agent)
            .header("x-amz-user-agent", format!("aws-sdk-js/{sdk} KiroIDE"))
            .header("amz-sdk-invocation-id", uuid::Uuid::new_v4().to_string())
            .header("amz-sdk-request", "attempt=1; max=4")
    }
}

/// The real token endpoints over HTTP.
#[derive(Debug, Clone)]
pub struct HttpIdentity {
    http: Arc<Http>,
    names: AgentNames,
}

impl HttpIdentity {
    /// Over the gateway's own clients.
    pub fn new(http: Arc<Http>, names: AgentNames) -> Self {
        Self { http, names }
    }

    async fn call(&self, account: &Account, secrets: &Secrets) -> Result<Refreshed, IdentityError> {
        let own_proxy = Route::of(account).has_own_proxy();
        let response = self.request(account, secrets).await?.timeout(DEADLINE).send().await.map_err(|error| {
            let words = format!("the token endpoint cannot be reached: {}", plain(&error));
            match error.is_connect() {
                true if own_proxy => IdentityError::transient(PROXY_DOWN),
                true => IdentityError::transient(words),
                false => IdentityError::Unanswered(words),
            }
        })?;
        let status = response.status();
        if status == StatusCode::PROXY_AUTHENTICATION_REQUIRED {
            return Err(IdentityError::transient(PROXY_DOWN));
        }
        let retry_after = super::retry_after::read(response.headers());
        let body = read_capped(response).await?;
        answer::judge(account.method, status, retry_after, &body)
    }

    async fn request(&self, account: &Account, secrets: &Secrets) -> Result<reqwest::RequestBuilder, IdentityError> {
        let refresh_token = secret(secrets.refresh_token.as_ref(), "a refresh token")?;
        match account.method {
            AuthMethod::ApiKey => Err(IdentityError::Dead("an API key cannot be refreshed".into())),
            AuthMethod::Social => Ok(self
                .post(account, hosts::SOCIAL, "/refreshToken")
                .await?
                .header(USER_AGENT, self.names.ide(&account.machine_id))
                .header(ACCEPT, "application/json")
                .json(&json!({ "refreshToken": refresh_token }))),
            AuthMethod::Idc => {
                let region = account.oidc_region.as_deref().unwrap_or("us-east-1");
                let host = hosts::oidc(region)
                    .ok_or_else(|| IdentityError::Dead("the account's sign-in region is not an AWS region".into()))?;
                let client_id = given(account.client_id.as_deref(), "a client id")?;
                let client_secret = secret(secrets.client_secret.as_ref(), "a client secret")?;
                let request = self.post(account, &host, "/token").await?;
                Ok(self.names.oidc(request).json(&json!({
                    "clientId": client_id,
                    "clientSecret": client_secret,
                    "refreshToken": refresh_token,
                    "grantType": "refresh_token",
                })))
            }
            AuthMethod::ExternalIdp => {
                let endpoint = given(account.token_endpoint.as_deref(), "a token endpoint")?;
                // Checked again here, whatever the importer did: the roster file can be edited by hand.
                let url = hosts::external_idp(endpoint).ok_or_else(|| {
                    IdentityError::Dead("the account's token endpoint is not a known sign-in host".into())
                })?;
                let mut form = vec![
                    ("client_id", given(account.client_id.as_deref(), "a client id")?.to_owned()),
                    ("grant_type", "refresh_token".to_owned()),
                    ("refresh_token", refresh_token.to_owned()),
                ];
                if let Some(scopes) = &account.scopes {
                    form.push(("scope", with_offline_access(scopes)));
                }
                if let Some(client_secret) = &secrets.client_secret {
                    form.push(("client_secret", client_secret.expose_secret().to_owned()));
                }
                let host = given(url.host_str(), "a sign-in host")?;
                let path = match url.query() {
                    Some(query) => format!("{}?{query}", url.path()),
                    None => url.path().to_owned(),
                };
                Ok(self.post(account, host, &path).await?.form(&form))
            }
        }
    }

    async fn post(&self, account: &Account, host: &str, path: &str) -> Result<reqwest::RequestBuilder, IdentityError> {
        self.http.request(&Route::of(account), Method::POST, host, path).await.map_err(|refused| match refused {
            Refused::UnknownHost(_) => IdentityError::Dead(refused.to_string()),
            Refused::NoDemo | Refused::NoTls(_) | Refused::NoProxy(_) => IdentityError::transient(refused.to_string()),
        })
    }
}

impl Identity for HttpIdentity {
    fn refresh<'a>(
        &'a self,
        account: &'a Account,
        secrets: &'a Secrets,
    ) -> BoxFuture<'a, Result<Refreshed, IdentityError>> {
        Box::pin(self.call(account, secrets))
    }
}

fn given<'a>(value: Option<&'a str>, what: &str) -> Result<&'a str, IdentityError> {
    value.ok_or_else(|| IdentityError::Dead(format!("the account has no {}", what.trim_start_matches("a "))))
}

fn secret<'a>(value: Option<&'a SecretString>, what: &str) -> Result<&'a str, IdentityError> {
    given(value.map(ExposeSecret::expose_secret), what)
}

/// Without `offline_access` the directory answers without a refresh token.
fn with_offline_access(scopes: &str) -> String {
    if scopes.split_whitespace().any(|scope| scope == "offline_access") {
        scopes.to_owned()
    } else {
        format!("{scopes} offline_access")
    }
}

/// The kind of failure without the URL, whose query could carry what it should not.
fn plain(error: &reqwest::Error) -> &'static str {
    if error.is_connect() {
        "no connection"
    } else if error.is_timeout() {
        "no answer in time"
    } else {
        "the connection broke"
    }
}

async fn read_capped(mut response: reqwest::Response) -> Result<Vec<u8>, IdentityError> {
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() <= LONGEST_ANSWER => body.extend_from_slice(&chunk),
            Ok(Some(_)) => return Err(IdentityError::Unanswered("the token endpoint's answer is far too long".into())),
            Ok(None) => return Ok(body),
            Err(error) => {
                let words = format!("the token endpoint's answer is cut: {}", plain(&error));
                return Err(IdentityError::Unanswered(words));
            }
        }
    }
}

#[cfg(test)]
mod tests;
