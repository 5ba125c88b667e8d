//! The proxy that a file names for one account. It is the person's wish that nothing of the account goes past it: one that cannot be
//! used here comes along as a switched-off account, never as one that goes directly.

use secrecy::SecretString;

use super::Raw;
use crate::account::{AccountWarning, ProxyChoice};
use crate::upstream::proxy;

/// The word of some programs for "past every proxy".
const DIRECT: &str = "direct";

/// What became of it.
#[derive(Default)]
pub(super) struct Named {
    pub(super) choice: Option<ProxyChoice>,
    pub(super) login: Option<SecretString>,
    pub(super) warning: Option<AccountWarning>,
}

impl Named {
    /// False when the account must not be used as it is.
    pub(super) fn is_usable(&self) -> bool {
        self.warning != Some(AccountWarning::ProxyUnusable)
    }
}

/// Understands what the record says of a proxy.
pub(super) fn of(raw: &Raw) -> Named {
    let Some(text) = raw.proxy.as_deref() else { return Named::default() };
    if text.eq_ignore_ascii_case(DIRECT) {
        return Named { choice: Some(ProxyChoice::Direct), ..Named::default() };
    }
    let unusable = || Named { warning: Some(AccountWarning::ProxyUnusable), ..Named::default() };
    let Ok((address, inside)) = proxy::split(text) else { return unusable() };
    let login = match &raw.proxy_user {
        None => inside,
        Some(user) => {
            let password = raw.proxy_password.as_ref().map(secrecy::ExposeSecret::expose_secret).unwrap_or_default();
            match proxy::login(user, password) {
                Ok(login) => Some(login),
                Err(_) => return unusable(),
            }
        }
    };
    if login.is_some() && !address.takes_login() {
        return unusable();
    }
    Named {
        choice: Some(ProxyChoice::Through { url: address.to_string() }),
        login,
        warning: Some(AccountWarning::ProxyTaken),
    }
}
