//! Accounts from other programs' files, from pasted text and from our own exports; and those exports.
//!
//! Promises: formats are told apart by their structure, so a foreign file never becomes an empty account; every record is
//! either an account or a refusal with a reason; tokens, passwords and keys appear in no message; hosts and regions in a
//! file are checked before anything could be sent to them. Leaves out: reading files (faces hand in their content, `owner`
//! reads those of programs on this machine), and saving (`account::Book`).

mod desk;
mod export;
mod json;
mod normal;
mod own;
mod owned;
mod proxy;
mod scan;
mod sealed;
mod text;
mod typed;

use secrecy::SecretString;

use crate::account::{Account, AccountOrigin, AccountWarning, NewAccount, fingerprint};
use crate::clock::Timestamp;

pub(crate) use desk::Desk;
pub use export::{Export, Skipped, export, open_export, seal_export};
pub use owned::{as_token_file, from_owner};
pub use scan::{Found, ScanProblem, Scanned, scan};
pub use sealed::{SHORTEST_PASSPHRASE, SealError, is_sealed};
pub use typed::{Typed, typed};

/// A file beside the imported one, such as the client registration of Kiro IDE.
#[derive(Debug, Clone)]
pub struct Companion {
    /// Its name; folders before it are ignored.
    pub name: String,
    /// Its content.
    pub content: String,
}

/// What an import needs to know from outside.
#[derive(Debug, Clone)]
pub struct ImportContext {
    /// Now.
    pub now: Timestamp,
    /// For accounts that bring no machine id of their own.
    pub machine_id: String,
    /// What the accounts are to us.
    pub origin: AccountOrigin,
}

/// Why a record is not an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// Position in the file, from 0.
    pub index: usize,
    /// Stable code.
    pub code: &'static str,
    /// Plain words without any secret.
    pub message: String,
}

/// What came out of an import.
#[derive(Debug, Default)]
pub struct ImportReport {
    /// Accounts to add.
    pub accounts: Vec<NewAccount>,
    /// Positions of the accounts in the file.
    pub positions: Vec<usize>,
    /// Records that are none.
    pub rejected: Vec<Rejected>,
    /// Positions of records that repeat an account of the same file.
    pub repeated: Vec<usize>,
}

/// A refusal before it has a position.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Reject {
    code: &'static str,
    message: String,
}

impl Reject {
    fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

/// One account as a file says it, before anything is believed.
#[derive(Default)]
struct Raw {
    auth_method: Option<String>,
    provider: Option<String>,
    refresh_token: Option<SecretString>,
    access_token: Option<SecretString>,
    expires_at: Option<Timestamp>,
    client_id: Option<String>,
    client_secret: Option<SecretString>,
    client_id_hash: Option<String>,
    client_expires_at: Option<Timestamp>,
    api_key: Option<SecretString>,
    oidc_region: Option<String>,
    api_region: Option<String>,
    profile_arn: Option<String>,
    start_url: Option<String>,
    token_endpoint: Option<String>,
    issuer_url: Option<String>,
    scopes: Option<String>,
    machine_id: Option<String>,
    email: Option<String>,
    user_id: Option<String>,
    label: Option<String>,
    /// As the file has it: an address, perhaps with a login in it, or `direct`.
    proxy: Option<String>,
    proxy_user: Option<String>,
    proxy_password: Option<SecretString>,
    disabled: bool,
    /// Known to be complete, so its length says nothing.
    whole: bool,
    warnings: Vec<AccountWarning>,
}

/// Reads accounts from the content of one file, or from pasted text.
pub fn import(content: &str, companions: &[Companion], context: &ImportContext) -> ImportReport {
    // Some Windows programs put a byte order mark first.
    let content = content.trim_start_matches('\u{feff}').trim();
    let found: Vec<Result<NewAccount, Reject>> = match json::own(content) {
        Some(export) => own::records(&export, context),
        None => {
            let records = if content.starts_with(['{', '[']) {
                json::records(content, companions)
            } else {
                text::records(content, companions)
            };
            records.into_iter().map(|record| record.and_then(|raw| normal::account(raw, companions, context))).collect()
        }
    };
    let mut report = ImportReport::default();
    for (index, record) in found.into_iter().enumerate() {
        match record {
            Ok(new) if report.accounts.iter().any(|known| same(&known.account, &new.account)) => {
                report.repeated.push(index)
            }
            Ok(new) => {
                report.accounts.push(new);
                report.positions.push(index);
            }
            Err(Reject { code, message }) => report.rejected.push(Rejected { index, code, message }),
        }
    }
    report
}

/// Names of files that the content points to: client registrations and token files. A face that has the original folder
/// can hand them in as companions.
pub fn companions_wanted(content: &str) -> Vec<String> {
    let content = content.trim_start_matches('\u{feff}').trim();
    if content.starts_with(['{', '[']) { json::wanted(content) } else { text::wanted(content) }
}

/// The last part of a path of any system.
fn base_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

/// Whether two descriptions are of one account.
pub(crate) fn same(a: &Account, b: &Account) -> bool {
    let equal = |a: &Option<String>, b: &Option<String>| a.is_some() && a == b;
    equal(&a.user_id, &b.user_id)
        || equal(&a.fingerprint, &b.fingerprint)
        || (equal(&a.email, &b.email) && a.provider.is_some() && a.provider == b.provider)
}

/// An address that people recognise and nobody else can use: the first letter and the domain.
pub fn masked(email: &str) -> String {
    let (name, domain) = email.rsplit_once('@').unwrap_or((email, ""));
    let first: String = name.chars().filter(|c| !c.is_control()).take(1).collect();
    let domain: String = domain.chars().filter(|c| !c.is_control()).take(100).collect();
    if domain.is_empty() { format!("{first}…") } else { format!("{first}…@{domain}") }
}

#[cfg(test)]
mod tests;
