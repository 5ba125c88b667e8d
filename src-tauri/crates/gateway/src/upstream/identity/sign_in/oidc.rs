//! AWS SSO OIDC (kiro-upstream §5.3, §5.4): client registration, device authorization, the authorization page, tokens.

use std::time::Duration;

use http::Method;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;
use url::Url;

use super::{DevicePoll, DeviceStart, Refreshed, SignIn, SignInError, hosts};
use crate::clock::Timestamp;

/// What the IDE asks for. `sso:account:access` must not be added: it opens accounts of AWS, which we have no business with.
const SCOPES: [&str; 5] = [
    "codewhisperer:completions",
    "codewhisperer:analysis",
    "codewhisperer:conversations",
    "codewhisperer:transformations",
    "codewhisperer:taskassist",
];
const CLIENT_NAME: &str = "Kiro Proxy";
const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// Registered without a port: loopback redirects may use any (RFC 8252 §7.3), so a registration can be kept.
const OIDC_REDIRECT: &str = "http://127.0.0.1/oauth/callback";

/// Which of the two ways a client is registered for. Its tokens can be refreshed only with the same registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum OidcFlow {
    /// A code that the person confirms on any device.
    Device,
    /// Authorization code with PKCE and a loopback redirect.
    Browser,
}

impl OidcFlow {
    /// The scopes of a registration, as one text, to recognise one with others.
    pub(crate) fn scopes() -> String {
        SCOPES.join(",")
    }
}

/// A client as the identity service registered it.
#[derive(Debug, Clone)]
pub(crate) struct RegisteredClient {
    /// Its id.
    pub(crate) id: String,
    /// Its secret.
    pub(crate) secret: SecretString,
    /// When it ends; about 90 days after it was made.
    pub(crate) expires_at: Timestamp,
}

/// A code that came back to us, with what it belongs to.
pub(crate) struct CodeExchange<'a> {
    /// The code.
    pub(crate) code: &'a SecretString,
    /// The PKCE verifier.
    pub(crate) verifier: &'a SecretString,
    /// The redirect address exactly as it was in the authorization request.
    pub(crate) redirect_uri: &'a str,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Registered {
    client_id: String,
    client_secret: String,
    client_secret_expires_at: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Authorization {
    device_code: String,
    user_code: String,
    verification_uri: String,
    #[serde(default)]
    verification_uri_complete: Option<String>,
    expires_in: u64,
    #[serde(default)]
    interval: Option<u64>,
}

impl SignIn {
    /// Registers a client for one way of signing in at the instance behind `start_url`.
    pub(crate) async fn register(
        &self,
        region: &str,
        start_url: &str,
        flow: OidcFlow,
    ) -> Result<RegisteredClient, SignInError> {
        let mut body = json!({
            "clientName": CLIENT_NAME,
            "clientType": "public",
            "scopes": SCOPES,
            "issuerUrl": start_url,
        });
        match flow {
            OidcFlow::Device => body["grantTypes"] = json!([DEVICE_CODE, "refresh_token"]),
            OidcFlow::Browser => {
                body["grantTypes"] = json!(["authorization_code", "refresh_token"]);
                body["redirectUris"] = json!([OIDC_REDIRECT]);
            }
        }
        let answer = self.oidc(region, "/client/register", &body).await?;
        let made: Registered = answer.read()?;
        Ok(RegisteredClient {
            id: made.client_id,
            secret: made.client_secret.into(),
            expires_at: Timestamp::from_unix_seconds(made.client_secret_expires_at),
        })
    }

    /// Starts a device sign-in.
    pub(crate) async fn oidc_device(
        &self,
        region: &str,
        start_url: &str,
        client: &RegisteredClient,
    ) -> Result<DeviceStart, SignInError> {
        let body = json!({
            "clientId": client.id,
            "clientSecret": client.secret.expose_secret(),
            "startUrl": start_url,
        });
        let answer = self.oidc(region, "/device_authorization", &body).await?;
        let started: Authorization = answer.read()?;
        Ok(DeviceStart {
            device_code: started.device_code.into(),
            user_code: started.user_code,
            page: self.page(started.verification_uri_complete.as_deref().unwrap_or(&started.verification_uri))?,
            lives: Duration::from_secs(started.expires_in),
            interval: Duration::from_secs(started.interval.unwrap_or(5)),
        })
    }

    /// Asks whether the person has decided.
    pub(crate) async fn oidc_poll(
        &self,
        region: &str,
        client: &RegisteredClient,
        device_code: &SecretString,
    ) -> Result<DevicePoll, SignInError> {
        let body = json!({
            "clientId": client.id,
            "clientSecret": client.secret.expose_secret(),
            "deviceCode": device_code.expose_secret(),
            "grantType": DEVICE_CODE,
        });
        let answer = self.oidc(region, "/token", &body).await?;
        if answer.status.is_client_error() {
            let told = answer.told();
            let name = told.name().unwrap_or_default();
            match name.rsplit('#').next().unwrap_or_default() {
                "authorization_pending" | "AuthorizationPendingException" => return Ok(DevicePoll::Pending),
                "slow_down" | "SlowDownException" => return Ok(DevicePoll::SlowDown),
                _ => {}
            }
        }
        Ok(DevicePoll::Done(Box::new(answer.tokens()?)))
    }

    /// The page where a person agrees to the authorization code flow.
    pub(crate) fn oidc_authorize(
        &self,
        region: &str,
        client: &RegisteredClient,
        redirect_uri: &str,
        state: &str,
        challenge: &str,
    ) -> Result<Url, SignInError> {
        let host = oidc_host(region)?;
        let mut url =
            Url::parse(&format!("https://{host}/authorize")).map_err(|_| SignInError::Unsafe(super::shown(region)))?;
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &client.id)
            .append_pair("redirect_uri", redirect_uri)
            .append_pair("scopes", &SCOPES.join(","))
            .append_pair("state", state)
            .append_pair("code_challenge", challenge)
            .append_pair("code_challenge_method", "S256");
        self.page(url.as_str())
    }

    /// Buys tokens with an authorization code. A code is good once.
    pub(crate) async fn oidc_exchange(
        &self,
        region: &str,
        client: &RegisteredClient,
        exchange: &CodeExchange<'_>,
    ) -> Result<Refreshed, SignInError> {
        let body = json!({
            "clientId": client.id,
            "clientSecret": client.secret.expose_secret(),
            "grantType": "authorization_code",
            "redirectUri": exchange.redirect_uri,
            "codeVerifier": exchange.verifier.expose_secret(),
            "code": exchange.code.expose_secret(),
        });
        self.oidc(region, "/token", &body).await?.tokens()
    }

    async fn oidc(&self, region: &str, path: &str, body: &serde_json::Value) -> Result<super::Answer, SignInError> {
        let host = oidc_host(region)?;
        let request = self.names.oidc(self.request(Method::POST, &host, path).await?).json(body);
        self.send(request).await
    }
}

fn oidc_host(region: &str) -> Result<String, SignInError> {
    hosts::oidc(region).ok_or_else(|| SignInError::Unsafe(super::shown(region)))
}
