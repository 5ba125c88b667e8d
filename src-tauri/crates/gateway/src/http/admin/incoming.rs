//! What faces are shown of logins that come in, before and after: never a secret, and of an address only what its owner recognises.

use super::accounts::AccountView;
use crate::account::{Account, AccountId, AccountWarning, AuthMethod, NewAccount, Provider};
use crate::clock::Timestamp;
use crate::transfer::{Rejected, masked};
use crate::wiring::Gateway;
use serde::Serialize;
use utoipa::ToSchema;

/// A record that is no account.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct RejectedRecord {
    /// Position, from 0.
    index: usize,
    /// Stable code.
    code: String,
    /// Plain words.
    message: String,
}

impl From<Rejected> for RejectedRecord {
    fn from(rejected: Rejected) -> Self {
        Self { index: rejected.index, code: rejected.code.to_owned(), message: rejected.message }
    }
}

/// A login that could become an account, without any secret.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct LoginPreview {
    /// A name for people.
    label: String,
    /// The person's address with most of its letters hidden.
    email: Option<String>,
    /// How it proves itself.
    method: AuthMethod,
    /// Who the person signed in with.
    provider: Option<Provider>,
    /// Region of the data plane.
    region: String,
    /// When its access token ends.
    expires_at: Option<Timestamp>,
    /// Our account of the same person, if there is one: it would stay as it is.
    known: Option<AccountId>,
    /// What a person should know.
    warnings: Vec<AccountWarning>,
}

impl LoginPreview {
    /// `expires_at`: when the access token ends, where that is known apart from the login.
    pub(super) fn of(gateway: &Gateway, new: &NewAccount, expires_at: Option<Timestamp>) -> Self {
        let account = &new.account;
        Self {
            label: label(account),
            email: account.email.as_deref().map(masked),
            method: account.method,
            provider: account.provider,
            region: account.data_region().to_owned(),
            expires_at: expires_at.or(new.access.as_ref().map(|(_, end)| *end)),
            known: gateway.parts.book.known(account).map(|known| known.id.clone()),
            warnings: new.warnings.clone(),
        }
    }
}

/// Without a name of its own an account is called by its address, which a preview hides.
fn label(account: &Account) -> String {
    match &account.email {
        Some(email) if *email == account.label => masked(email),
        Some(_) | None => account.label.clone(),
    }
}

/// An account that an import would bring.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ImportCandidate {
    /// Position, from 0.
    pub(super) index: usize,
    /// The login.
    #[serde(flatten)]
    pub(super) login: LoginPreview,
}

/// What a person should know about an account that was added.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct AccountNotes {
    /// The account.
    pub(super) account: AccountId,
    /// What about it.
    pub(super) warnings: Vec<AccountWarning>,
}

/// What became of an import, or what would become of it.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ImportResult {
    /// Accounts that were added, or that work again.
    pub(super) imported: Vec<AccountView>,
    /// Records that are no accounts.
    pub(super) rejected: Vec<RejectedRecord>,
    /// Ids of accounts that were known already.
    pub(super) duplicates: Vec<AccountId>,
    /// What a person should know about added accounts.
    pub(super) notes: Vec<AccountNotes>,
    /// In a preview: the accounts that would be added.
    pub(super) found: Vec<ImportCandidate>,
    /// In a preview: the text is a sealed export, and its passphrase is needed to see more.
    pub(super) sealed: bool,
}
