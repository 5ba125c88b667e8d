//! Secrets at rest: one record per account or client key, behind one trait with three stores (keychain, sealed vault, memory).
//!
//! Promises: a record is saved whole or not at all; a store that cannot be used says which of absent, locked, denied,
//! timed out or a key problem it is; nothing is ever written in plain text and no store is exchanged for another silently.
//! Leaves out: which accounts exist (`account`), and access tokens, which live in memory only.

mod choice;
mod error;
mod files;
mod id;
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
pub use error::StoreError;
pub use id::SecretId;
pub use key_source::{KeySource, PassphraseFor, PassphrasePrompt, VaultKeySource};
pub use keychain::{KeychainBackend, KeychainStore, SystemKeychain};
pub use memory::MemoryStore;
pub use migrate::MoveTo;
pub use queue::Credentials;
pub use vault::{VaultFacts, VaultKey, VaultStore};

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
