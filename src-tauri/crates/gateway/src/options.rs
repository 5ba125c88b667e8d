//! What a face hands over when it opens a gateway.

use crate::browser::Desktop;
use crate::clock::{Clock, SystemClock};
use crate::credential::{StoreChoice, VaultKeySource};
use crate::error::OpenError;
use crate::inherited::Inherited;
use futures_util::future::BoxFuture;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;
use url::Url;
use utoipa::ToSchema;

/// The vault's key among the credentials of a systemd unit.
const SYSTEMD_CREDENTIAL: &str = "kiro-proxy-vault-key";

/// Everything a gateway needs to know from outside.
#[derive(Clone)]
pub struct Options {
    /// Where all state lives; `None` is the platform's usual place.
    pub data_dir: Option<PathBuf>,
    /// Where logins of other programs are looked for; `None` is this user's home.
    pub home: Option<PathBuf>,
    /// Settings that hold for this run only, weakest first.
    pub overrides: Vec<Override>,
    /// Where secrets are kept.
    pub store: StoreChoice,
    /// Sends all upstream and identity traffic there. Loopback only.
    pub endpoints: Option<Url>,
    /// Wall time.
    pub clock: Arc<dyn Clock>,
    /// Starts the stand-in behind the demo account, when the face has one.
    pub demo: Option<Arc<dyn DemoHost>>,
    /// The built user interface, when the face has one.
    pub ui: Option<Arc<dyn UiAssets>>,
    /// Where logs go.
    pub log: LogChoice,
    /// The screen and the browsers of this machine; by default none, so that nothing is ever opened.
    pub desktop: Desktop,
    /// Whether this face opens sign-in windows of its own ([`AdminEvent::OpenSignIn`](crate::AdminEvent::OpenSignIn)).
    pub sign_in_windows: bool,
    /// User name and password for the proxy of the setting `network.proxy`, as `user:password`.
    pub proxy_login: Option<SecretString>,
    /// What the predecessor's environment says.
    pub inherited: Inherited,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            data_dir: None,
            home: None,
            overrides: Vec::new(),
            store: StoreChoice::Auto,
            endpoints: None,
            clock: Arc::new(SystemClock),
            demo: None,
            ui: None,
            log: LogChoice::File,
            desktop: Desktop::default(),
            sign_in_windows: false,
            proxy_login: None,
            inherited: Inherited::default(),
        }
    }
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("data_dir", &self.data_dir)
            .field("overrides", &self.overrides)
            .field("store", &self.store)
            .field("endpoints", &self.endpoints.as_ref().map(Url::as_str))
            .field("log", &self.log)
            .finish_non_exhaustive()
    }
}

impl Options {
    /// Reads `KIRO_PROXY_DATA_DIR`, `KIRO_PROXY_ENDPOINTS`, `KIRO_PROXY_VAULT_KEY` (unless systemd hands over a vault key), the
    /// predecessor's names and every `KIRO_PROXY__<SECTION>__<FIELD>` through `env`, and what the desktop is known by.
    ///
    /// The environment cannot be listed through `env`, so the names of all settings are asked for one by one.
    pub fn from_env(env: &dyn Fn(&str) -> Option<String>) -> Result<Self, OpenError> {
        let mut options = Self { desktop: Desktop::from_env(env), ..Self::default() };
        if let Some(path) = env("KIRO_PROXY_DATA_DIR").filter(|path| !path.is_empty()) {
            options.data_dir = Some(PathBuf::from(path));
        }
        if let Some(text) = env("KIRO_PROXY_ENDPOINTS").filter(|text| !text.is_empty()) {
            let url = Url::parse(&text).map_err(|_| OpenError::Endpoints(text.clone()))?;
            check_endpoints(&url)?;
            options.endpoints = Some(url);
        }
        let credential = env("CREDENTIALS_DIRECTORY").map(|folder| PathBuf::from(folder).join(SYSTEMD_CREDENTIAL));
        if let Some(path) = credential.filter(|path| path.symlink_metadata().is_ok()) {
            options.store = StoreChoice::Vault(VaultKeySource::SystemdCredential(path));
        } else if let Some(key) = env("KIRO_PROXY_VAULT_KEY").filter(|key| !key.is_empty()) {
            options.store = StoreChoice::Vault(VaultKeySource::Key(SecretString::from(key)));
        }
        options.inherited = Inherited::read(env);
        options.proxy_login = options.inherited.proxy_login.take();
        options.overrides.append(&mut options.inherited.overrides);
        let moved = crate::settings::MOVED.iter().map(|(old, _)| (*old).to_owned());
        for path in moved.chain(crate::settings::paths()) {
            let name = crate::settings::environment_name(&path);
            if let Some(value) = env(&name) {
                let variable = Some(name);
                options.overrides.push(Override { path, value, source: OverrideSource::Environment, variable });
            }
        }
        Ok(options)
    }
}

/// Refuses a name in the environment that looks like a setting and is none: a typing error must not pass in silence.
pub fn check_environment(names: impl IntoIterator<Item = String>) -> Result<(), OpenError> {
    let moved = crate::settings::MOVED.iter().map(|(old, _)| (*old).to_owned());
    let known: Vec<String> =
        moved.chain(crate::settings::paths()).map(|path| crate::settings::environment_name(&path)).collect();
    match names.into_iter().find(|name| name.starts_with("KIRO_PROXY__") && !known.contains(name)) {
        None => Ok(()),
        Some(origin) => Err(OpenError::Override { origin, reason: "there is no such setting".to_owned() }),
    }
}

/// Refuses an endpoint base that is not plain http on this machine.
pub(crate) fn check_endpoints(url: &Url) -> Result<(), OpenError> {
    let loopback = match url.host() {
        Some(url::Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    };
    if loopback && url.scheme() == "http" && url.username().is_empty() && url.password().is_none() {
        Ok(())
    } else {
        Err(OpenError::Endpoints(url.to_string()))
    }
}

/// Where a one-run setting comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum OverrideSource {
    /// A variable of the environment.
    Environment,
    /// A command line flag.
    Flag,
}

/// A setting for this run only; never saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// Such as `listener.port`. Case, `_` and `-` do not matter.
    pub path: String,
    /// As text; numbers and booleans are recognised.
    pub value: String,
    /// Who says so.
    pub source: OverrideSource,
    /// The variable of the environment that says so.
    pub variable: Option<String>,
}

/// Where logs go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogChoice {
    /// Nowhere: the face has its own subscriber.
    Off,
    /// Rolling files in the data directory.
    File,
    /// Rolling files and standard error.
    FileAndStderr,
}

/// A running stand-in for the upstream.
#[derive(Clone)]
pub struct DemoSession {
    /// Its base URL on loopback.
    pub url: Url,
    /// Credentials it accepts, in the shape of Kiro IDE's token file.
    pub credentials: serde_json::Value,
}

/// Starts the stand-in behind the demo account.
pub trait DemoHost: Send + Sync {
    /// Starts it, or answers the one that runs.
    fn start(&self) -> BoxFuture<'_, std::io::Result<DemoSession>>;
}

/// One file of the built user interface.
#[derive(Debug, Clone)]
pub struct UiAsset {
    /// Such as `text/html; charset=utf-8`.
    pub content_type: Cow<'static, str>,
    /// The file.
    pub bytes: Cow<'static, [u8]>,
}

/// The built user interface.
pub trait UiAssets: Send + Sync {
    /// The file at `path` (no leading slash), if there is one.
    fn asset(&self, path: &str) -> Option<UiAsset>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_proxy_of_the_environment_is_a_setting_and_its_password_is_not() {
        let env = |name: &str| match name {
            "KIRO_VPN_PROXY_URL" => Some("http://me:planted@127.0.0.1:3128".to_owned()),
            "KIRO_PROXY_CA_BUNDLE" => Some("/etc/roots.pem".to_owned()),
            _ => None,
        };
        let options = Options::from_env(&env).expect("readable");
        let told: Vec<_> = options.overrides.iter().map(|over| (over.path.as_str(), over.value.as_str())).collect();
        assert_eq!(told, [("network.proxy", "http://127.0.0.1:3128"), ("network.extraCaFile", "/etc/roots.pem")]);
        assert!(options.overrides.iter().all(|over| over.source == OverrideSource::Environment));
        assert!(options.proxy_login.is_some());
        assert!(!format!("{options:?}").contains("planted"));
    }

    #[test]
    fn a_mistyped_setting_in_the_environment_is_refused_by_its_name() {
        let check = |name: &str| check_environment(["PATH".to_owned(), name.to_owned()]);
        for name in ["KIRO_PROXY__LISTENER__PORT", "KIRO_PROXY__LIMITS__FIRST_EVENT_SECONDS", "KIRO_PROXY_DATA_DIR"] {
            assert!(check(name).is_ok(), "{name}");
        }
        for name in ["KIRO_PROXY__LISTENER__PROT", "KIRO_PROXY__", "KIRO_PROXY__NOPE"] {
            assert!(check(name).is_err_and(|error| error.to_string().contains(name)), "{name}");
        }
    }
}
