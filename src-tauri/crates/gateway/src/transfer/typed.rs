//! One login as a person types it into a form.

use secrecy::SecretString;

use super::{ImportContext, Raw, Reject, Rejected, normal};
use crate::account::{AccountWarning, AuthMethod, NewAccount};

/// The fields of the form.
pub struct Typed {
    /// Name for people.
    pub label: Option<String>,
    /// Access token.
    pub access_token: Option<String>,
    /// Refresh token or `ksk_` key.
    pub refresh_token: String,
    /// Sign-in method in any program's words.
    pub method: Option<String>,
    /// Region of the identity instance, or of the key.
    pub region: Option<String>,
    /// Registered client.
    pub client_id: Option<String>,
    /// Its secret.
    pub client_secret: Option<String>,
    /// Token endpoint of a company directory.
    pub token_endpoint: Option<String>,
    /// Space-separated scopes of a company directory.
    pub scopes: Option<String>,
}

/// The account of a filled form.
pub fn typed(form: Typed, context: &ImportContext) -> Result<NewAccount, Rejected> {
    let filled = |text: Option<String>| text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    let method = filled(form.method);
    let guessed = method.is_none();
    let raw = Raw {
        auth_method: method,
        label: filled(form.label),
        access_token: filled(form.access_token).map(SecretString::from),
        refresh_token: filled(Some(form.refresh_token)).map(SecretString::from),
        oidc_region: filled(form.region),
        client_id: filled(form.client_id),
        client_secret: filled(form.client_secret).map(SecretString::from),
        token_endpoint: filled(form.token_endpoint),
        scopes: filled(form.scopes),
        ..Raw::default()
    };
    let rejected = |reject: Reject| Rejected { index: 0, code: reject.code, message: reject.message };
    let mut new = normal::account(raw, &[], context).map_err(rejected)?;
    match new.account.method {
        AuthMethod::ApiKey if new.account.api_region.is_none() => new.warnings.push(AccountWarning::RegionGuessed),
        AuthMethod::Social if guessed => new.warnings.push(AccountWarning::KindGuessed),
        AuthMethod::ApiKey | AuthMethod::Social | AuthMethod::Idc | AuthMethod::ExternalIdp => {}
    }
    Ok(new)
}
