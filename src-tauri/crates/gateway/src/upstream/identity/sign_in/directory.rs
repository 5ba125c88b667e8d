//! A company directory (Microsoft Entra) as the second leg of the portal sign-in (kiro-upstream §5.5).

use http::Method;
use secrecy::ExposeSecret;
use serde::Deserialize;
use url::Url;

use super::{CodeExchange, Refreshed, SignIn, SignInError, hosts, shown};
use crate::upstream::identity::with_offline_access;

/// What the portal says about the directory to sign in at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Descriptor {
    /// Its issuer.
    pub(crate) issuer: String,
    /// Our client there; public, without a secret.
    pub(crate) client_id: String,
    /// Space-separated.
    pub(crate) scopes: String,
    /// The person's address, for the directory's own form.
    pub(crate) login_hint: Option<String>,
}

/// A directory that told its endpoints. Every address was checked against the sign-in hosts.
#[derive(Debug, Clone)]
pub(crate) struct Directory {
    /// What the portal said, with `offline_access` among the scopes.
    pub(crate) descriptor: Descriptor,
    authorization: Url,
    /// Where codes and refresh tokens go.
    pub(crate) token: Url,
}

#[derive(Deserialize)]
struct Discovered {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
}

impl SignIn {
    /// Asks the directory for its endpoints (OpenID Connect Discovery §4). Nothing is sent unless the issuer is a known sign-in host.
    pub(crate) async fn discover(&self, descriptor: &Descriptor) -> Result<Directory, SignInError> {
        let issuer = checked(&descriptor.issuer)?;
        let path = format!("{}/.well-known/openid-configuration", issuer.path().trim_end_matches('/'));
        let request = self.request(Method::GET, host(&issuer)?, &path).await?;
        let found: Discovered = self.send(request).await?.read()?;
        // A directory speaks for itself only (discovery §4.3).
        if found.issuer.trim_end_matches('/') != descriptor.issuer.trim_end_matches('/') {
            return Err(SignInError::Unsafe(shown(&found.issuer)));
        }
        let descriptor = Descriptor { scopes: with_offline_access(&descriptor.scopes), ..descriptor.clone() };
        Ok(Directory {
            descriptor,
            authorization: checked(&found.authorization_endpoint)?,
            token: checked(&found.token_endpoint)?,
        })
    }

    /// The directory's page.
    pub(crate) fn directory_page(
        &self,
        directory: &Directory,
        redirect_uri: &str,
        state: &str,
        challenge: &str,
    ) -> Result<Url, SignInError> {
        let mut url = directory.authorization.clone();
        url.query_pairs_mut()
            .append_pair("client_id", &directory.descriptor.client_id)
            .append_pair("response_type", "code")
            .append_pair("redirect_uri", redirect_uri)
            .append_pair("scope", &directory.descriptor.scopes)
            .append_pair("code_challenge", challenge)
            .append_pair("code_challenge_method", "S256")
            .append_pair("response_mode", "query")
            .append_pair("state", state);
        if let Some(hint) = &directory.descriptor.login_hint {
            url.query_pairs_mut().append_pair("login_hint", hint);
        }
        self.page(url.as_str())
    }

    /// Buys tokens with the directory's code.
    pub(crate) async fn directory_exchange(
        &self,
        directory: &Directory,
        exchange: &CodeExchange<'_>,
    ) -> Result<Refreshed, SignInError> {
        let form = [
            ("client_id", directory.descriptor.client_id.as_str()),
            ("grant_type", "authorization_code"),
            ("code", exchange.code.expose_secret()),
            ("redirect_uri", exchange.redirect_uri),
            ("code_verifier", exchange.verifier.expose_secret()),
            ("scope", directory.descriptor.scopes.as_str()),
        ];
        let request = self.request(Method::POST, host(&directory.token)?, directory.token.path()).await?.form(&form);
        self.send(request).await?.tokens()
    }
}

fn checked(text: &str) -> Result<Url, SignInError> {
    hosts::external_idp(text).ok_or_else(|| SignInError::Unsafe(shown(text)))
}

fn host(url: &Url) -> Result<&str, SignInError> {
    url.host_str().ok_or_else(|| SignInError::Unsafe(shown(url.as_str())))
}
