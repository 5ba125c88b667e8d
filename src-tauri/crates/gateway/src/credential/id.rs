//! What records are called.

/// Names a record, such as `account/<id>`, `client-key/<id>` or `proxy/<id>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretId(String);

impl SecretId {
    /// The record of an account.
    pub fn account(id: &crate::account::AccountId) -> Self {
        Self(format!("account/{id}"))
    }

    /// The user name and password of an account's own proxy. A record of its own, so that changing it never meets a
    /// rotation of the account's tokens.
    pub fn proxy(id: &crate::account::AccountId) -> Self {
        Self(format!("proxy/{id}"))
    }

    /// The user name and password of the proxy of the settings.
    pub fn proxy_of_all() -> Self {
        Self("network/proxy".to_owned())
    }

    /// The record of a client key.
    pub fn client_key(id: &str) -> Self {
        Self(format!("client-key/{id}"))
    }

    /// The secret of a client registration that is used for several sign-ins.
    pub(crate) fn registration(name: &str) -> Self {
        Self(format!("registration/{name}"))
    }

    /// The key that seals kept answers on disk, of the data directory with this mark: a keychain may serve several.
    pub(crate) fn kept_answers(mark: &str) -> Self {
        Self(format!("responses/{mark}"))
    }

    /// The same as it was named before data directories were told apart. Several may have used it, so that it is read and
    /// never removed.
    pub(crate) fn shared_kept_answers() -> Self {
        Self("responses/key".to_owned())
    }

    /// The record written and removed again by a probe.
    pub(crate) fn probe() -> Self {
        Self(format!("probe/{}", uuid::Uuid::new_v4()))
    }

    /// The text form.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// For tests and readers of a store's own index.
    pub(crate) fn from_text(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl std::fmt::Display for SecretId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
