//! The environment of the predecessor: every name it knew, so that a container that was set up for it keeps working. A name
//! sets the setting that means the same, brings a login, or is told why nothing is left to set. None of them ever keeps the
//! gateway from starting, and what is said by a flag or a `KIRO_PROXY__…` name wins over all of them.

mod login;
mod meaning;
mod value;

pub(crate) use login::GivenLogin;

use crate::options::{Override, OverrideSource};
use crate::settings::store;
use meaning::{MEANINGS, Meaning};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use value::Reading;

/// What became of a name of the predecessor's environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum InheritedEffect {
    /// It sets the setting for this run.
    Set,
    /// It sets the setting, to the nearest value that can be used.
    Adjusted,
    /// It brings a login, or says something about the one that is brought.
    Login,
    /// The login that it names could not be taken in; see the log.
    LoginFailed,
    /// The gateway does this always, and by itself.
    AlwaysSo,
    /// Each request or its model decides this.
    ByRequest,
    /// It is a matter of each account.
    PerAccount,
    /// What people and models say is never written down.
    NoContents,
    /// Logs are files in the data directory, kept by number and size.
    LogFolder,
    /// One number of attempts holds for a whole request.
    OneBudget,
    /// The gateway listens on this machine only.
    NotLoopback,
    /// Certificates are always checked.
    NeverInsecure,
    /// The value means nothing for this setting.
    Unreadable,
}

impl InheritedEffect {
    /// Whether somebody who set the name is probably surprised.
    pub fn is_surprising(self) -> bool {
        match self {
            Self::Adjusted | Self::LoginFailed | Self::NotLoopback | Self::NeverInsecure | Self::Unreadable => true,
            Self::Set
            | Self::Login
            | Self::AlwaysSo
            | Self::ByRequest
            | Self::PerAccount
            | Self::NoContents
            | Self::LogFolder
            | Self::OneBudget => false,
        }
    }

    /// Plain words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Set => "sets a setting for this run",
            Self::Adjusted => "sets a setting for this run, to the nearest value that can be used",
            Self::Login => "brings a login",
            Self::LoginFailed => "names a login that could not be taken in; see the log",
            Self::AlwaysSo => "has nothing to set: the gateway does this by itself",
            Self::ByRequest => "has nothing to set: each request decides this",
            Self::PerAccount => "has nothing to set: each account has its own",
            Self::NoContents => "has no effect: what people and models say is never written down",
            Self::LogFolder => "has no effect: logs are files in the data directory, kept by number and size",
            Self::OneBudget => "has nothing to set: one number of attempts holds for a whole request",
            Self::NotLoopback => "has no effect: the gateway listens on this machine only",
            Self::NeverInsecure => "has no effect: certificates are always checked",
            Self::Unreadable => "has no effect: its value means nothing here",
        }
    }
}

/// A name of the predecessor's environment that is set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct InheritedName {
    /// Such as `KIRO_SERVER_PORT`.
    pub name: String,
    /// The setting that it sets, such as `listener.port`.
    pub setting: Option<String>,
    /// What became of it.
    pub effect: InheritedEffect,
}

/// What the predecessor's environment says.
#[derive(Debug, Clone, Default)]
pub struct Inherited {
    /// Every name that is set.
    pub names: Vec<InheritedName>,
    pub(crate) overrides: Vec<Override>,
    /// User name and password of the proxy's address.
    pub(crate) proxy_login: Option<SecretString>,
    pub(crate) logins: Vec<GivenLogin>,
}

impl Inherited {
    /// Asks for every name. Empty values count as not set.
    pub fn read(env: &dyn Fn(&str) -> Option<String>) -> Self {
        let mut inherited = Self::default();
        let given = |name: &str| env(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        for (name, meaning) in MEANINGS {
            let Some(value) = given(name) else { continue };
            let (setting, effect) = match meaning {
                Meaning::Setting(path, reader) => (Some(path), inherited.set(name, path, reader(&value))),
                Meaning::Proxy(path) => (Some(path), inherited.proxy(name, path, value)),
                Meaning::Told(effect) => (None, effect),
                Meaning::Switch(_) if value::is_off(&value) => continue,
                Meaning::Switch(effect) => (None, effect),
            };
            let setting = setting.map(str::to_owned);
            inherited.names.push(InheritedName { name: name.to_owned(), setting, effect });
        }
        inherited.logins = login::given(&given);
        inherited
    }

    fn proxy(&mut self, name: &str, path: &str, mut value: String) -> InheritedEffect {
        // A password in the address is not kept with the settings, which faces may read.
        if let Ok((address, login)) = crate::upstream::proxy::split(&value) {
            value = address.to_string();
            self.proxy_login = login;
        }
        self.set(name, path, Reading::As(value))
    }

    fn set(&mut self, name: &str, path: &str, reading: Reading) -> InheritedEffect {
        let (value, effect) = match reading {
            Reading::As(value) => (value, InheritedEffect::Set),
            Reading::Nearest(value) => (value, InheritedEffect::Adjusted),
            Reading::Not(effect) => return effect,
        };
        let over = Override {
            path: path.to_owned(),
            value,
            source: OverrideSource::Environment,
            variable: Some(name.to_owned()),
        };
        if !store::is_acceptable(&over) {
            return InheritedEffect::Unreadable;
        }
        self.overrides.push(over);
        effect
    }
}

#[cfg(test)]
mod tests;
