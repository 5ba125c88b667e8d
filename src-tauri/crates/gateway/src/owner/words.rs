//! What programs call sign-in methods and providers.

use crate::account::{AuthMethod, Provider};

/// What a record says about its method.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Clues<'a> {
    /// The method in so many words.
    pub(crate) said: Option<&'a str>,
    /// The provider in so many words.
    pub(crate) provider: Option<&'a str>,
    /// A token endpoint or an issuer is named.
    pub(crate) directory: bool,
    /// It has a `ksk_` key.
    pub(crate) key: bool,
    /// It has a registered client, or the name of one.
    pub(crate) client: bool,
}

/// What the record says wins; a word we do not know is `None`. Only when it says nothing the fields decide.
pub(crate) fn method(clues: Clues<'_>) -> Option<AuthMethod> {
    match clues.said.map(plain).as_deref() {
        Some("social" | "google" | "github") => Some(AuthMethod::Social),
        Some("idc" | "builderid" | "iam" | "iamsso" | "awsidc" | "enterprise") => Some(AuthMethod::Idc),
        Some("externalidp" | "azuread" | "entra") => Some(AuthMethod::ExternalIdp),
        Some("apikey") => Some(AuthMethod::ApiKey),
        Some(_) => None,
        // Before the next rule: a directory's client may have a secret too.
        None if clues.directory => Some(AuthMethod::ExternalIdp),
        None if clues.key => Some(AuthMethod::ApiKey),
        None if clues.client => Some(AuthMethod::Idc),
        None => Some(match clues.provider.and_then(provider) {
            Some(Provider::BuilderId | Provider::Enterprise | Provider::Internal) => AuthMethod::Idc,
            Some(Provider::AzureAd) => AuthMethod::ExternalIdp,
            Some(Provider::Google | Provider::Github) | None => AuthMethod::Social,
        }),
    }
}

/// The provider of a name, in any spelling.
pub(crate) fn provider(text: &str) -> Option<Provider> {
    match plain(text).as_str() {
        "google" => Some(Provider::Google),
        "github" => Some(Provider::Github),
        "builderid" | "awsbuilderid" => Some(Provider::BuilderId),
        "enterprise" | "awsidc" | "iamsso" | "idc" => Some(Provider::Enterprise),
        "internal" => Some(Provider::Internal),
        "azuread" | "entra" | "microsoft" => Some(Provider::AzureAd),
        _ => None,
    }
}

/// Letters and digits only, in lower case.
pub(crate) fn plain(text: &str) -> String {
    text.to_lowercase().chars().filter(|c| c.is_alphanumeric()).collect()
}
