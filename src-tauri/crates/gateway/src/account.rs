//! Accounts: who they are, in which condition, who may use one now, and their tokens.
//!
//! `Roster` keeps what is not secret in `accounts.json`; secrets are in `credential`. Leaves out: how a token endpoint is
//! called (`upstream/identity`) and what a request does with a lease (`dispatch`).

mod book;
mod id;
mod intent;
mod lease;
mod link;
mod machine;
mod roster;
mod selection;
mod state;
mod sticky;
mod token;
mod warning;
mod wishes;

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::clock::Timestamp;
use crate::credential::SecretId;

pub use book::{Added, Book, BookError, NewAccount};
pub use id::AccountId;
pub use intent::CutShort;
pub use lease::{Census, LastFailure, Lease, Leases, ModelPause, Outcome, Record};
pub use link::{LinkError, Seen};
pub use machine::{installation_machine_id, normal_machine_id, system_machine_id};
pub use roster::{Leaving, Roster, RosterError};
pub use selection::{LeaseRequest, NoAccount, PaceRules, QuotaGlance, SelectionRules, Strategy};
pub use state::{AccountState, Signal};
pub use sticky::StickyKey;
pub use token::{AccessToken, TokenError, TokenNews, TokenParts, Tokens};
pub use warning::AccountWarning;
pub(crate) use wishes::wrong_tags;
pub use wishes::{ProxyChoice, Wishes};

/// How an account proves itself. Closed: a `match` shows all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum AuthMethod {
    /// Google or GitHub through Kiro's own sign-in service.
    Social,
    /// IAM Identity Center or AWS Builder ID (AWS SSO OIDC).
    Idc,
    /// A company directory (Microsoft Entra ID).
    ExternalIdp,
    /// A `ksk_` key; nothing to refresh.
    ApiKey,
}

/// Who the person signed in with, where known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Provider {
    /// Google.
    Google,
    /// GitHub.
    Github,
    /// AWS Builder ID.
    BuilderId,
    /// IAM Identity Center of a company.
    Enterprise,
    /// Amazon's own staff.
    Internal,
    /// Microsoft Entra ID.
    AzureAd,
}

/// How the account came to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum AccountOrigin {
    /// From another program's file or pasted text; ours alone from then on.
    Imported,
    /// By signing in here.
    SignedIn,
    /// From another program's file that stays the owner's: both programs share this login.
    Linked,
    /// The simulated account. Its answers are made up on this machine.
    Demo,
}

/// Why an account stopped until a person acts; survives a restart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Stopped {
    /// What happened.
    pub kind: StoppedKind,
    /// The upstream's words, without secrets.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

/// The ways an account stops until a person acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum StoppedKind {
    /// The refresh grant was rejected.
    NeedsLogin,
    /// The upstream suspended it.
    Suspended,
    /// The program that shares the login has signed in as somebody else.
    OwnerSwitched,
}

/// What we know about an account, without any secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    /// Its name for us.
    pub id: AccountId,
    /// Its name for people.
    pub label: String,
    /// How it proves itself.
    pub method: AuthMethod,
    /// Who the person signed in with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<Provider>,
    /// How it came to us.
    pub origin: AccountOrigin,
    /// The person's address, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// The upstream's user id, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// The profile that requests name; `None` when the account has none or it is not known yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile_arn: Option<String>,
    /// Region of the identity instance; only for [`AuthMethod::Idc`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oidc_region: Option<String>,
    /// Region of the data plane: from the profile ARN, else unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_region: Option<String>,
    /// Start page of the identity instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_url: Option<String>,
    /// The registered client's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// When the client's registration ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_expires_at: Option<Timestamp>,
    /// Token endpoint of an external directory; checked against the compiled host table before every use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_endpoint: Option<String>,
    /// Issuer of an external directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer_url: Option<String>,
    /// Space-separated scopes of an external directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<String>,
    /// 64 hex digits for the user agent; never changes with token rotation.
    pub machine_id: String,
    /// Whether a person wants it used.
    pub enabled: bool,
    /// Set when it stopped until a person acts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<Stopped>,
    /// Hash of the refresh token or key it came with, to recognise the same file again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// The file a linked account shares with its owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<Link>,
    /// What the person wishes for this account.
    #[serde(default, skip_serializing_if = "Wishes::is_default")]
    pub wishes: Wishes,
    /// The host that answered last, tried first after a restart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learned_host: Option<String>,
    /// When it was added.
    pub added_at: Timestamp,
    /// Under whose name its secrets are in the store, when not its own: a login that was handed over stays where it is, so that handing
    /// it over is one change of the list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<AccountId>,
}

/// Where the login of a linked account is kept by its owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Link {
    /// The program that owns the file.
    pub owner: LinkOwner,
    /// Absolute path of the file.
    pub path: String,
    /// Whether tokens that were rotated here are written into the owner's file. A person's wish; off unless said.
    #[serde(default)]
    pub write_back: bool,
    /// Since when the owner's file has a refresh token that was used up here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diverged_at: Option<Timestamp>,
    /// When the owner was seen with another login; the account is stopped since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub switched_at: Option<Timestamp>,
    /// What the owner's file said when it was looked at last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<Seen>,
}

impl Link {
    /// A link to a file that was not looked at yet.
    pub fn new(owner: LinkOwner, path: impl Into<String>) -> Self {
        Self { owner, path: path.into(), write_back: false, diverged_at: None, switched_at: None, seen: None }
    }
}

/// Programs whose logins can be shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum LinkOwner {
    /// The Kiro IDE's token file.
    KiroIde,
    /// The database of kiro-cli.
    KiroCli,
    /// The database of the Amazon Q command line.
    AmazonQ,
    /// A token file that the original KiroProxy's list names.
    KiroProxy,
}

impl Account {
    /// The region of what does not say otherwise.
    pub(crate) const FIRST_REGION: &'static str = "us-east-1";

    /// The record of its secrets in the store.
    pub(crate) fn secret_id(&self) -> SecretId {
        SecretId::account(self.record.as_ref().unwrap_or(&self.id))
    }

    /// Two accounts exchange their records of secrets.
    pub(crate) fn swap_records(&mut self, other: &mut Account) {
        let (mine, theirs) = (self.record.take(), other.record.take());
        let (mine, theirs) = (mine.unwrap_or_else(|| self.id.clone()), theirs.unwrap_or_else(|| other.id.clone()));
        self.record = (theirs != self.id).then_some(theirs);
        other.record = (mine != other.id).then_some(mine);
    }

    /// Whether its answers are made up on this machine.
    pub fn is_demo(&self) -> bool {
        match self.origin {
            AccountOrigin::Demo => true,
            AccountOrigin::Imported | AccountOrigin::SignedIn | AccountOrigin::Linked => false,
        }
    }

    /// Takes over from the same account as it was known before: its name for us, and everything a person chose.
    pub(crate) fn keep_from(&mut self, known: &Account) {
        self.id = known.id.clone();
        self.record = known.record.clone();
        self.machine_id = known.machine_id.clone();
        self.label = known.label.clone();
        self.wishes = known.wishes.clone();
        self.enabled = known.enabled;
        self.stopped = known.stopped.clone();
        self.added_at = known.added_at;
        // A token answer names neither person nor profile; what was found out or chosen before still holds.
        for (mine, theirs) in [
            (&mut self.user_id, &known.user_id),
            (&mut self.email, &known.email),
            (&mut self.profile_arn, &known.profile_arn),
            (&mut self.api_region, &known.api_region),
            (&mut self.learned_host, &known.learned_host),
        ] {
            if mine.is_none() {
                mine.clone_from(theirs);
            }
        }
    }

    /// A new account of which only this is known. It may serve.
    pub(crate) fn bare(
        label: String,
        method: AuthMethod,
        origin: AccountOrigin,
        machine_id: String,
        added_at: Timestamp,
    ) -> Self {
        Self {
            id: AccountId::random(),
            label,
            method,
            provider: None,
            origin,
            email: None,
            user_id: None,
            profile_arn: None,
            oidc_region: None,
            api_region: None,
            start_url: None,
            client_id: None,
            client_expires_at: None,
            token_endpoint: None,
            issuer_url: None,
            scopes: None,
            machine_id,
            enabled: true,
            stopped: None,
            fingerprint: None,
            link: None,
            wishes: Wishes::default(),
            learned_host: None,
            added_at,
            record: None,
        }
    }

    /// Region of the data plane: the ARN's fourth field wins, then what was recorded, then the first region.
    pub fn data_region(&self) -> &str {
        self.profile_arn.as_deref().and_then(arn_region).or(self.api_region.as_deref()).unwrap_or(Self::FIRST_REGION)
    }
}

/// The region in a profile ARN.
pub fn arn_region(arn: &str) -> Option<&str> {
    let mut fields = arn.split(':');
    if fields.next()? != "arn" {
        return None;
    }
    fields.nth(2).filter(|region| !region.is_empty())
}

/// Recognises a secret that was seen before without keeping it.
pub(crate) fn fingerprint(secret: &SecretString) -> String {
    let mut hash = Sha256::new();
    hash.update(b"kiro-proxy account fingerprint\0");
    hash.update(secret.expose_secret().as_bytes());
    hex(&hash.finalize()[..16])
}

/// Lower-case hex of the bytes.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A plain social account for tests.
#[cfg(test)]
pub(crate) fn test_account(label: &str) -> Account {
    Account {
        provider: Some(Provider::Google),
        ..Account::bare(label.into(), AuthMethod::Social, AccountOrigin::Imported, "a".repeat(64), Timestamp(0))
    }
}
