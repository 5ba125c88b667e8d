//! Logins that belong to other programs: the Kiro IDE, kiro-cli, the Amazon Q command line and the original KiroProxy.
//!
//! Promises: reading changes nothing, not even a file beside the one read; every path is a regular file of this user; sizes
//! are bounded; an error repeats nothing of the content. A write happens only through [`write_back`], as one step, in the
//! owner's own format, and only while the owner still has the login that was used. Leaves out: when to read or write
//! (`account`), and whether the regions and hosts in a login may be used (`transfer`, `upstream`). All calls block on the
//! file system: call them off the async threads.

mod command_line;
mod database;
pub(crate) mod fields;
mod file;
mod ide;
mod kiro_proxy;
pub(crate) mod moment;
mod places;
mod profile;
pub(crate) mod registration;
pub(crate) mod words;

use std::path::{Path, PathBuf};

use secrecy::SecretString;

use crate::account::{AuthMethod, Link, LinkOwner, Provider};
use crate::clock::Timestamp;

pub use file::others_can_read;
pub use places::{Bases, System, places, places_of};

/// Longest secret that is believed: no token of any provider comes near this.
pub(crate) const LONGEST_SECRET: usize = 64 * 1024;

/// A login as its owner keeps it now. Nothing in it is checked against our table of hosts yet.
#[derive(Debug, Clone)]
pub struct OwnerLogin {
    /// How it proves itself.
    pub method: AuthMethod,
    /// Who the person signed in with, where the owner says so.
    pub provider: Option<Provider>,
    /// Buys new access tokens.
    pub refresh_token: Option<SecretString>,
    /// The owner's access token, which may still be good.
    pub access_token: Option<SecretString>,
    /// When the access token ends.
    pub expires_at: Option<Timestamp>,
    /// The registered client, for AWS and directory sign-ins.
    pub client_id: Option<String>,
    /// The registered client's secret.
    pub client_secret: Option<SecretString>,
    /// When the client's registration ends.
    pub client_expires_at: Option<Timestamp>,
    /// Region of the identity instance.
    pub region: Option<String>,
    /// The profile that the owner uses.
    pub profile_arn: Option<String>,
    /// Start page of the identity instance.
    pub start_url: Option<String>,
    /// Token endpoint of a directory.
    pub token_endpoint: Option<String>,
    /// Issuer of a directory.
    pub issuer_url: Option<String>,
    /// Space-separated scopes of a directory.
    pub scopes: Option<String>,
    /// The person's address, where the owner keeps it.
    pub email: Option<String>,
    /// The upstream's user id, where the owner keeps it.
    pub user_id: Option<String>,
    /// What a person should know about how it was found.
    pub notes: Vec<OwnerNote>,
}

/// What is odd about a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnerNote {
    /// The client registration the token names is missing; another one for Kiro was taken.
    RegistrationByScope,
    /// The registration was made for another sign-in flow; a refresh will probably be refused.
    RegistrationOfOtherFlow,
}

/// Why a login could not be read or written. The file was left as it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OwnerError {
    /// The system said no.
    #[error("{} cannot be read: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// A folder, a device, a pipe.
    #[error("{} is not a regular file", .0.display())]
    NotAFile(PathBuf),
    /// Another user's file.
    #[error("{} belongs to another user", .0.display())]
    NotOurs(PathBuf),
    /// A link, which a write would replace or follow.
    #[error("{} is a symbolic link and was not written", .0.display())]
    IsLink(PathBuf),
    /// Larger than such a file ever is.
    #[error("{} is too large to be a login", .0.display())]
    TooLarge(PathBuf),
    /// Damaged, cut, or something else.
    #[error("{} cannot be understood: {detail}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong, without any content.
        detail: &'static str,
    },
    /// The owner is writing and did not finish in time.
    #[error("{} is being written by its owner", .0.display())]
    Busy(PathBuf),
    /// The owner has another login by now; it was not overwritten.
    #[error("{} has another login by now", .0.display())]
    Changed(PathBuf),
    /// The system refused the write.
    #[error("{} cannot be written: {reason}", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
}

impl OwnerError {
    /// Stable code for the admin API and the command line.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "owner_unreadable",
            Self::NotAFile(_) => "owner_not_a_file",
            Self::NotOurs(_) => "owner_not_ours",
            Self::IsLink(_) => "owner_is_link",
            Self::TooLarge(_) => "owner_too_large",
            Self::Malformed { .. } => "owner_malformed",
            Self::Busy(_) => "owner_busy",
            Self::Changed(_) => "owner_changed",
            Self::Unwritable { .. } => "owner_unwritable",
        }
    }

    /// Whether trying again later can help without anybody doing anything.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Busy(_) | Self::Malformed { .. } | Self::Unreadable { .. } | Self::Unwritable { .. } => true,
            Self::NotAFile(_) | Self::NotOurs(_) | Self::IsLink(_) | Self::TooLarge(_) | Self::Changed(_) => false,
        }
    }
}

/// The login that the link's owner has now; `None` when the file is gone or its owner is signed out.
pub fn read(link: &Link) -> Result<Option<OwnerLogin>, OwnerError> {
    let path = Path::new(&link.path);
    match link.owner {
        LinkOwner::KiroIde => ide::read(path),
        LinkOwner::KiroProxy => kiro_proxy::read(path),
        LinkOwner::KiroCli | LinkOwner::AmazonQ => command_line::read(link.owner, path),
    }
}

/// Hands rotated tokens to the owner, in its own format and as one step. `used` is the refresh token that was exchanged:
/// when the owner has another one by now, nothing is written and the answer is [`OwnerError::Changed`]. Only the tokens,
/// their end and an own profile are replaced; everything else in the file stays.
pub fn write_back(link: &Link, used: &SecretString, login: &OwnerLogin) -> Result<(), OwnerError> {
    let path = Path::new(&link.path);
    match link.owner {
        LinkOwner::KiroIde | LinkOwner::KiroProxy => ide::write(path, used, login),
        LinkOwner::KiroCli | LinkOwner::AmazonQ => command_line::write(link.owner, path, used, login),
    }
}

#[cfg(test)]
mod tests;
