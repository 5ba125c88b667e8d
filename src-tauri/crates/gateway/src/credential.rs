//! Secrets at rest: one record per account or client key, behind one trait with three stores (keychain, sealed vault, memory).
//!
//! Promises: a record is saved whole or not at all; a store that cannot be used says which of absent, locked, denied,
//! timed out or a key problem it is; nothing is ever written in plain text and no store is exchanged for another silently.
//! Leaves out: which accounts exist (`account`), and access tokens, which live in memory only.

mod choice;
mod files;
mod key_source;
mod keychain;
mod memory;
mod migrate;
mod queue;
mod record;
mod vault;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

pub use choice::{StoreChoice, open_store, recorded_key_source};
pub use key_source::{KeySource, PassphraseFor, PassphrasePrompt, VaultKeySource};
pub use keychain::{KeychainBackend, KeychainStore, SystemKeychain};
pub use memory::MemoryStore;
pub use migrate::MoveTo;
pub use queue::Credentials;
pub use vault::{VaultFacts, VaultKey, VaultStore};

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

/// The secrets of one record. `Debug` shows which are present, never their text.
#[derive(Debug, Clone, Default)]
pub struct Secrets {
    /// Buys new access tokens.
    pub refresh_token: Option<SecretString>,
    /// Belongs to a registered client (IAM Identity Center, Builder ID).
    pub client_secret: Option<SecretString>,
    /// A `ksk_` key.
    pub api_key: Option<SecretString>,
    /// A key that we gave to a client.
    pub client_key: Option<SecretString>,
    /// A key that seals files of ours, base64.
    pub data_key: Option<SecretString>,
    /// User name and password of the account's own proxy, as `user:password`.
    pub proxy_credentials: Option<SecretString>,
}

/// Which store is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum StoreKind {
    /// The operating system's keychain.
    Keychain,
    /// The sealed vault folder.
    Vault,
    /// Nothing outlives the process.
    Memory,
}

/// Whether the store can be used now, and if not, why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum StoreState {
    /// Usable.
    Ready,
    /// There, but waiting for a person to unlock it.
    Locked,
    /// Not there: no service, no session.
    Absent,
    /// There, and it said no.
    Denied,
    /// No answer within the deadline; often a question on a screen that nobody sees.
    TimedOut,
    /// The vault holds sealed records and no key was given.
    KeyMissing,
    /// The key given is not the one the vault was made with.
    KeyWrong,
    /// The vault's header or a record cannot be read.
    Corrupt,
}

/// Why a store could not do its work.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// Waiting for a person.
    #[error("the {} is locked", kind_words(*.0))]
    Locked(StoreKind),
    /// Not there.
    #[error("the {} is not available: {}", kind_words(*.0), .1)]
    Absent(StoreKind, String),
    /// It said no.
    #[error("the {} refused access", kind_words(*.0))]
    Denied(StoreKind),
    /// No answer in time. The work may still finish later, in order.
    #[error("the {} did not answer in time", kind_words(*.0))]
    TimedOut(StoreKind),
    /// No key for a vault that has records.
    #[error("the vault holds sealed secrets and its key was not given{}", .wants.map(|wants| format!("; it comes from {}", wants.words())).unwrap_or_default())]
    KeyMissing {
        /// Where the vault's header says that its key comes from.
        wants: Option<KeySource>,
    },
    /// Another key than the vault's.
    #[error("the key given does not open this vault (the vault wants key {expected}, this is key {given})")]
    KeyWrong {
        /// Key id in the header.
        expected: String,
        /// Id of the key given.
        given: String,
    },
    /// Damaged; kept as it is.
    #[error("the {} has a damaged record ({detail}); it was kept as it is", kind_words(*.kind))]
    Corrupt {
        /// Where.
        kind: StoreKind,
        /// What is wrong, without any secret.
        detail: String,
    },
    /// A key or key file that must not be used.
    #[error("the vault key cannot be used: {0}")]
    KeyRefused(String),
    /// Neither a keychain nor a key: nothing to keep secrets in.
    #[error("there is no place to keep secrets: {0}")]
    NoStore(String),
    /// The recorded choice is another one.
    #[error("this data directory keeps its secrets in the {}, not in the {}", kind_words(*.recorded), kind_words(*.asked))]
    OtherStore {
        /// What `store.json` says.
        recorded: StoreKind,
        /// What was asked for now.
        asked: StoreKind,
    },
    /// What was asked for is about a vault.
    #[error("secrets are kept in the {}, not in a vault", kind_words(*.0))]
    NotAVault(StoreKind),
    /// A move to the store that is in use.
    #[error("secrets are in the {} already", kind_words(*.0))]
    AlreadyThere(StoreKind),
    /// The file system or the platform failed in another way.
    #[error("the {} failed: {}", kind_words(*.0), .1)]
    Failed(StoreKind, String),
}

fn kind_words(kind: StoreKind) -> &'static str {
    match kind {
        StoreKind::Keychain => "system keychain",
        StoreKind::Vault => "vault",
        StoreKind::Memory => "memory store",
    }
}

/// The ways out for a machine that has neither a keychain nor a key.
const HELP_NO_STORE: &str = "Either make a key file and name it (or give its content in KIRO_PROXY_VAULT_KEY):\n  \
    (umask 077; head -c 32 /dev/urandom | base64 > ~/kiro-proxy.key) && kiro-proxy serve --vault-key-file ~/kiro-proxy.key\n\
    or type a passphrase at every start:\n  \
    kiro-proxy serve --vault-ask\n\
    or start and unlock a keyring, then start again:\n  \
    sudo apt-get install gnome-keyring && gnome-keyring-daemon --unlock --components=secrets";

impl StoreError {
    /// Stable code for the admin API and the command line.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Locked(StoreKind::Vault) => "vault_locked",
            Self::Locked(StoreKind::Keychain | StoreKind::Memory) => "store_locked",
            Self::Absent(..) => "store_absent",
            Self::Denied(_) => "store_denied",
            Self::TimedOut(_) => "store_timed_out",
            Self::KeyMissing { .. } => "vault_key_missing",
            Self::KeyWrong { .. } => "vault_key_wrong",
            Self::Corrupt { .. } => "store_corrupt",
            Self::KeyRefused(_) => "vault_key_refused",
            Self::NoStore(_) => "no_credential_store",
            Self::OtherStore { .. } => "store_mismatch",
            Self::NotAVault(_) => "store_not_a_vault",
            Self::AlreadyThere(_) => "store_in_use",
            Self::Failed(..) => "store_failed",
        }
    }

    /// What a person can do about it.
    pub fn action(&self) -> String {
        match self {
            Self::Locked(StoreKind::Vault) => "Give its key to the running gateway: kiro-proxy vault unlock".into(),
            Self::Locked(StoreKind::Keychain | StoreKind::Memory) => "Unlock the keychain (log in to the desktop, or `gnome-keyring-daemon --unlock`), then try again.".into(),
            Self::Absent(..) | Self::NoStore(_) => HELP_NO_STORE.into(),
            Self::Denied(_) => "Allow Kiro Proxy to use the keychain, then try again.".into(),
            Self::TimedOut(_) => "Look for a password window of the keychain and answer it, then try again.".into(),
            Self::KeyMissing { wants } => {
                let way = match wants {
                    Some(KeySource::SystemdCredential) => "LoadCredentialEncrypted=kiro-proxy-vault-key:FILE in the unit",
                    Some(KeySource::Passphrase) => "--vault-ask, or `kiro-proxy vault unlock`",
                    Some(KeySource::Environment) => "KIRO_PROXY_VAULT_KEY",
                    Some(KeySource::AutoKeyFile) => "vault-auto.key in the data directory, from a backup",
                    Some(KeySource::KeyFile) | None => "--vault-key-file FILE",
                };
                format!("Give the key this vault was made with: {way}. A new key would not open it. A recovery passphrase opens it with --vault-recover, if one was set.")
            }
            Self::KeyWrong { .. } => "Give the key this vault was made with. Nothing was changed.".into(),
            Self::Corrupt { .. } => "Restore the file from a backup, or remove the account and sign in again.".into(),
            Self::KeyRefused(_) => "Use a regular file of your own with mode 0600, outside the vault folder: (umask 077; head -c 32 /dev/urandom | base64 > FILE)".into(),
            Self::OtherStore { recorded, .. } => match recorded {
                StoreKind::Keychain => "Start without a vault key to use the keychain again, or use another --data-dir.".into(),
                StoreKind::Vault => "Give the vault's key with --vault-key-file FILE or KIRO_PROXY_VAULT_KEY, or use another --data-dir.".into(),
                StoreKind::Memory => "Use another --data-dir.".into(),
            },
            Self::NotAVault(_) => "`kiro-proxy vault migrate vault` moves everything into one.".into(),
            Self::AlreadyThere(_) => "Nothing needs to be done.".into(),
            Self::Failed(..) => "See the message; free space and access rights are the usual causes.".into(),
        }
    }

    /// The state of the store that this error shows.
    pub fn state(&self) -> StoreState {
        match self {
            Self::Locked(_) => StoreState::Locked,
            Self::Absent(..) | Self::NoStore(_) | Self::OtherStore { .. } => StoreState::Absent,
            Self::Denied(_) => StoreState::Denied,
            Self::TimedOut(_) => StoreState::TimedOut,
            Self::KeyMissing { .. } | Self::KeyRefused(_) => StoreState::KeyMissing,
            Self::KeyWrong { .. } => StoreState::KeyWrong,
            Self::Corrupt { .. } => StoreState::Corrupt,
            // One failed call says nothing about the next.
            Self::Failed(..) | Self::NotAVault(_) | Self::AlreadyThere(_) => StoreState::Ready,
        }
    }
}

/// A place for secrets. Calls block, possibly for long (a keychain may ask a person): only [`Credentials`] calls them.
pub trait CredentialStore: Send + Sync {
    /// Which one this is.
    fn kind(&self) -> StoreKind;
    /// As seen by the last call.
    fn state(&self) -> StoreState;
    /// The record, or `None` when there is none.
    fn load(&self, id: &SecretId) -> Result<Option<Secrets>, StoreError>;
    /// The record as it was before the last save, while what was saved has not been confirmed; `None` when nothing is kept.
    fn load_previous(&self, id: &SecretId) -> Result<Option<Secrets>, StoreError>;
    /// Saves the record as one step; the old one stays readable until the new one is complete. What was there before is
    /// kept for [`load_previous`](Self::load_previous), and so is the last confirmed record, however many saves follow it.
    fn save(&self, id: &SecretId, secrets: &Secrets) -> Result<(), StoreError>;
    /// The record as it is now has worked where it is meant to: what was kept from before is removed. Refused when the
    /// record cannot be read; fine when there is none, or nothing older. The caller makes sure that no newer save came
    /// in between.
    fn confirm(&self, id: &SecretId) -> Result<(), StoreError>;
    /// Removes the record; fine when there is none.
    fn delete(&self, id: &SecretId) -> Result<(), StoreError>;
    /// Keeps a record that [`save`](Self::save) would not take in a second place with the same protection, where there is
    /// one. It replaces nothing: whoever keeps it there saves it properly later.
    fn save_aside(&self, _id: &SecretId, _secrets: &Secrets) -> Result<(), StoreError> {
        Err(StoreError::Failed(self.kind(), "there is no second place".into()))
    }
    /// The record in the second place.
    fn load_aside(&self, _id: &SecretId) -> Result<Option<Secrets>, StoreError> {
        Ok(None)
    }
    /// Removes it from the second place; fine when it is not there.
    fn drop_aside(&self, _id: &SecretId) -> Result<(), StoreError> {
        Ok(())
    }
    /// The records in the second place.
    fn waiting(&self) -> Result<Vec<SecretId>, StoreError> {
        Ok(Vec::new())
    }
    /// The vault, when this is one: it can be locked and given another key.
    fn vault(&self) -> Option<&VaultStore> {
        None
    }
    /// Writes, reads and removes a random record.
    fn probe(&self) -> Result<(), StoreError> {
        use secrecy::ExposeSecret;
        let id = SecretId::probe();
        let text = uuid::Uuid::new_v4().to_string();
        let secrets = Secrets { client_key: Some(SecretString::from(text.clone())), ..Secrets::default() };
        self.save(&id, &secrets)?;
        let back = self.load(&id)?;
        self.delete(&id)?;
        match back.and_then(|found| found.client_key) {
            Some(found) if found.expose_secret() == text => Ok(()),
            // gnome-keyring without a login keyring accepts nothing and reports "no entry" instead of "locked".
            _ => Err(StoreError::Locked(self.kind())),
        }
    }
}

#[cfg(test)]
use crate::account::AccountId;

#[cfg(test)]
mod contract;
#[cfg(test)]
mod contract_tests;
#[cfg(test)]
mod power;
#[cfg(test)]
pub(crate) use keychain::tests::FakeKeychain;
