//! What a person should know about a login that was read from elsewhere.

use serde::{Deserialize, Serialize};

/// Nothing of it keeps the account from being added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum AccountWarning {
    /// The client registration that the login names is missing; another one for Kiro was taken.
    RegistrationByScope,
    /// The client registration was made for another sign-in flow; a refresh will probably be refused.
    RegistrationOfOtherFlow,
    /// The client registration has ended.
    RegistrationEnded,
    /// A bare token says nothing about its kind: it is taken for a Google or GitHub sign-in.
    KindGuessed,
    /// A key is bound to one region, and none was named.
    RegionGuessed,
    /// Other users of this machine can read the file.
    OthersCanRead,
    /// The access token has ended; the refresh token may still be good.
    AccessEnded,
    /// There is no refresh token: the account works until its access token ends.
    NoRefreshToken,
    /// Another program keeps this login too and refreshes it: whoever refreshes first can sign the other out.
    SharedWithOwner,
    /// Its file names a proxy, which every call of it goes through.
    ProxyTaken,
    /// Its file names a proxy that cannot be used here: it is switched off, so that nothing goes past that proxy.
    ProxyUnusable,
    /// The service could not be asked about it; the person saved it all the same.
    NotChecked,
    /// A wish of the exported account cannot be taken over and was left out.
    WishDropped,
}

impl AccountWarning {
    /// Plain English, for the command line.
    pub fn words(self) -> &'static str {
        match self {
            Self::RegistrationByScope => "its client registration is missing; another one for Kiro was taken",
            Self::RegistrationOfOtherFlow => {
                "its client registration belongs to another sign-in flow; a refresh will probably be refused"
            }
            Self::RegistrationEnded => "its client registration has ended: it will need a new sign-in",
            Self::KindGuessed => "the kind of account was guessed",
            Self::RegionGuessed => "no region was named; us-east-1 is tried first",
            Self::OthersCanRead => "other users of this machine can read its file",
            Self::AccessEnded => "its access token has ended; it is renewed on first use",
            Self::NoRefreshToken => "it has no refresh token",
            Self::SharedWithOwner => {
                "another program keeps this login too; whoever renews it first can sign the other out"
            }
            Self::ProxyTaken => "its own proxy comes along; every call of it goes through that",
            Self::ProxyUnusable => {
                "its file names a proxy that cannot be used here, so it is switched off; set a proxy, then switch it on"
            }
            Self::NotChecked => "the service could not be asked about it; its first use will show whether it works",
            Self::WishDropped => "a wish of the exported account was left out because it is not valid here",
        }
    }
}
