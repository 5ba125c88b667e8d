//! Accounts from other programs' files and from pasted text.
//!
//! Promises: formats are told apart by their structure, so a foreign file never becomes an empty account; every record is
//! either an account or a refusal with a reason; tokens, passwords and keys appear in no message; hosts and regions in a
//! file are checked before anything could be sent to them. Leaves out: reading files (faces hand in their content), SQLite
//! databases, and saving (`account::Book`).

mod json;
mod normal;
mod text;

use secrecy::SecretString;

use crate::account::{Account, AccountOrigin, NewAccount, fingerprint};
use crate::clock::Timestamp;

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
    disabled: bool,
    warnings: Vec<&'static str>,
}

/// Reads accounts from the content of one file, or from pasted text.
pub fn import(content: &str, companions: &[Companion], context: &ImportContext) -> ImportReport {
    // Some Windows programs put a byte order mark first.
    let content = content.trim_start_matches('\u{feff}').trim();
    let records =
        if content.starts_with(['{', '[']) { json::records(content, companions) } else { text::records(content) };
    let mut report = ImportReport::default();
    for (index, record) in records.into_iter().enumerate() {
        match record.and_then(|raw| normal::account(raw, companions, context)) {
            Ok(new) if report.accounts.iter().any(|known| same(&known.account, &new.account)) => {
                report.repeated.push(index)
            }
            Ok(new) => report.accounts.push(new),
            Err(Reject { code, message }) => report.rejected.push(Rejected { index, code, message }),
        }
    }
    report
}

/// Names of files that the content points to: client registrations and token files. A face that has the original folder
/// can hand them in as companions.
pub fn companions_wanted(content: &str) -> Vec<String> {
    json::wanted(content.trim_start_matches('\u{feff}').trim())
}

/// The last part of a path of any system.
fn base_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

fn same(a: &Account, b: &Account) -> bool {
    let equal = |a: &Option<String>, b: &Option<String>| a.is_some() && a == b;
    equal(&a.user_id, &b.user_id)
        || equal(&a.fingerprint, &b.fingerprint)
        || (equal(&a.email, &b.email) && a.provider.is_some() && a.provider == b.provider)
}

#[cfg(test)]
mod tests;
