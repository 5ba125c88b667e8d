//! Kiro's own sign-in service for Google and GitHub (kiro-upstream §5.1, §5.2): the hosted portal, the exchange of its code, device codes.

use std::time::Duration;

use http::header::USER_AGENT;
use http::{Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;
use url::Url;

use super::{CodeExchange, DevicePoll, DeviceStart, Refreshed, SignIn, SignInError, hosts};

const PORTAL: &str = "https://app.kiro.dev/signin";
/// The only client id the device endpoints know.
const DEVICE_CLIENT: &str = "kiro-cli";

/// Who vouches for the person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SocialIdp {
    Google,
    Github,
}

impl SocialIdp {
    /// The exact spelling of the device endpoint.
    fn name(self) -> &'static str {
        match self {
            Self::Google => "Google",
            Self::Github => "Github",
        }
    }

    /// From the portal's or the service's words, whatever their case.
    pub(crate) fn recognise(text: &str) -> Option<Self> {
        match text.to_ascii_lowercase().as_str() {
            "google" => Some(Self::Google),
            "github" => Some(Self::Github),
            _ => None,
        }
    }
}

/// How the portal came back, from which the redirect address of the exchange is made.
#[derive(Debug, Clone)]
pub(crate) struct SocialRedirect {
    /// Such as `http://localhost:3128`.
    pub(crate) base: String,
    /// The path of the callback, such as `/oauth/callback`.
    pub(crate) path: String,
    /// The value of `login_option`, when the parameter was there.
    pub(crate) login_option: Option<String>,
}

impl SocialRedirect {
    /// Which form the exchange wants is disputed (kiro-upstream §5.1): the whole address first, as the IDE does it, then the base, then
    /// the base with the path.
    fn forms(&self) -> Vec<String> {
        let path = format!("{}{}", self.base, self.path);
        let whole = self.login_option.as_ref().map(|option| {
            let option: String = url::form_urlencoded::byte_serialize(option.as_bytes()).collect();
            format!("{path}?login_option={option}")
        });
        let mut forms: Vec<String> = whole.into_iter().chain([self.base.clone(), path]).collect();
        if self.login_option.is_none() {
            forms.swap(0, 1);
        }
        forms.dedup();
        forms
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Started {
    device_code: String,
    user_code: String,
    verification_uri: String,
    #[serde(default)]
    verification_uri_complete: Option<String>,
    expires_in_milliseconds: u64,
    #[serde(default)]
    interval_in_milliseconds: Option<u64>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Polled {
    status: Option<String>,
    access_token: Option<String>,
}

impl SignIn {
    /// The portal's page, where the person chooses how to sign in.
    pub(crate) fn portal(&self, redirect_uri: &str, state: &str, challenge: &str) -> Result<Url, SignInError> {
        let mut url = Url::parse(PORTAL).map_err(|_| SignInError::Unsafe(PORTAL.to_owned()))?;
        url.query_pairs_mut()
            .append_pair("state", state)
            .append_pair("code_challenge", challenge)
            .append_pair("code_challenge_method", "S256")
            .append_pair("redirect_uri", redirect_uri)
            .append_pair("redirect_from", "KiroIDE");
        self.page(url.as_str())
    }

    /// Buys tokens with the portal's code. Another form of the redirect address is tried only when the service says that this is what it
    /// minds; any other refusal may have used the code up.
    pub(crate) async fn social_exchange(
        &self,
        code: &SecretString,
        verifier: &SecretString,
        redirect: &SocialRedirect,
    ) -> Result<Refreshed, SignInError> {
        let mut last = SignInError::Refused("no redirect address".to_owned());
        for redirect_uri in redirect.forms() {
            let exchange = CodeExchange { code, verifier, redirect_uri: &redirect_uri };
            match self.social_exchange_once(&exchange).await {
                Err(refused @ SignInError::RedirectUri(_)) => {
                    tracing::info!(reason = %refused, "the sign-in service wants another form of the redirect address");
                    last = refused;
                }
                done => return done,
            }
        }
        Err(last)
    }

    async fn social_exchange_once(&self, exchange: &CodeExchange<'_>) -> Result<Refreshed, SignInError> {
        let body = json!({
            "code": exchange.code.expose_secret(),
            "code_verifier": exchange.verifier.expose_secret(),
            "redirect_uri": exchange.redirect_uri,
        });
        self.social("/oauth/token", &body).await?.tokens()
    }

    /// Starts a device sign-in.
    pub(crate) async fn social_device(&self, idp: SocialIdp) -> Result<DeviceStart, SignInError> {
        let body = json!({"clientId": DEVICE_CLIENT, "loginProvider": idp.name()});
        let answer = self.social("/oauth/device/authorization", &body).await?;
        let started: Started = answer.read()?;
        Ok(DeviceStart {
            device_code: started.device_code.into(),
            user_code: started.user_code,
            page: self.page(started.verification_uri_complete.as_deref().unwrap_or(&started.verification_uri))?,
            lives: Duration::from_millis(started.expires_in_milliseconds),
            interval: Duration::from_millis(started.interval_in_milliseconds.unwrap_or(5_000)),
        })
    }

    /// Asks whether the person has decided. Pending is a good answer here, with a status in the body or without.
    pub(crate) async fn social_poll(&self, device_code: &SecretString) -> Result<DevicePoll, SignInError> {
        let body = json!({"clientId": DEVICE_CLIENT, "deviceCode": device_code.expose_secret()});
        let answer = self.social("/oauth/device/poll", &body).await?;
        if answer.status == StatusCode::TOO_MANY_REQUESTS {
            return Ok(DevicePoll::SlowDown);
        }
        let polled: Polled = answer.read()?;
        if polled.access_token.is_some() {
            return Ok(DevicePoll::Done(Box::new(answer.tokens()?)));
        }
        let status = polled.status.unwrap_or_default().to_ascii_lowercase();
        if status.contains("expired") {
            Err(SignInError::Expired)
        } else if status.contains("denied") {
            Err(SignInError::Denied(status))
        } else if status.contains("slow_down") {
            Ok(DevicePoll::SlowDown)
        } else {
            Ok(DevicePoll::Pending)
        }
    }

    async fn social(&self, path: &str, body: &serde_json::Value) -> Result<super::Answer, SignInError> {
        let request = self
            .request(Method::POST, hosts::SOCIAL, path)
            .await?
            .header(USER_AGENT, self.names.ide(&self.machine_id))
            .json(body);
        self.send(request).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_redirect_address_is_tried_whole_then_bare_then_with_its_path() {
        let mut redirect = SocialRedirect {
            base: "http://localhost:3128".into(),
            path: "/oauth/callback".into(),
            login_option: Some("google".into()),
        };
        assert_eq!(
            redirect.forms(),
            [
                "http://localhost:3128/oauth/callback?login_option=google",
                "http://localhost:3128",
                "http://localhost:3128/oauth/callback",
            ]
        );
        redirect.login_option = None;
        assert_eq!(redirect.forms(), ["http://localhost:3128/oauth/callback", "http://localhost:3128"]);
    }
}
