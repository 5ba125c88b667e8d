//! From another program's login to an account of ours, with the same checks as for every import.

use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use zeroize::Zeroizing;

use super::{ImportContext, Raw, Rejected, normal};
use crate::account::{AccountOrigin, AccountWarning, AuthMethod, Link, NewAccount, Provider};
use crate::owner::{OwnerLogin, OwnerNote, others_can_read};

/// The account of a login that was found at `link`. As a link it stays the owner's; else it is a copy.
pub fn from_owner(
    login: OwnerLogin,
    link: &Link,
    as_link: bool,
    context: &ImportContext,
) -> Result<NewAccount, Rejected> {
    let notes = login.notes.clone();
    let ended = login.expires_at.is_some_and(|end| end <= context.now);
    let raw = Raw {
        auth_method: Some(method_word(login.method).to_owned()),
        provider: login.provider.map(|provider| provider_word(provider).to_owned()),
        refresh_token: login.refresh_token,
        access_token: login.access_token,
        expires_at: login.expires_at,
        client_id: login.client_id,
        client_secret: login.client_secret,
        client_expires_at: login.client_expires_at,
        oidc_region: login.region,
        profile_arn: login.profile_arn,
        start_url: login.start_url,
        token_endpoint: login.token_endpoint,
        issuer_url: login.issuer_url,
        scopes: login.scopes,
        email: login.email,
        user_id: login.user_id,
        ..Raw::default()
    };
    let mut new = normal::account(raw, &[], context).map_err(|reject| Rejected {
        index: 0,
        code: reject.code,
        message: reject.message,
    })?;
    new.warnings.extend(notes.into_iter().map(|note| match note {
        OwnerNote::RegistrationByScope => AccountWarning::RegistrationByScope,
        OwnerNote::RegistrationOfOtherFlow => AccountWarning::RegistrationOfOtherFlow,
    }));
    if ended {
        new.warnings.push(AccountWarning::AccessEnded);
    }
    if others_can_read(std::path::Path::new(&link.path)) {
        new.warnings.push(AccountWarning::OthersCanRead);
    }
    new.warnings.push(AccountWarning::SharedWithOwner);
    if as_link {
        new.account.origin = AccountOrigin::Linked;
        new.account.link = Some(link.clone());
    }
    Ok(new)
}

/// The login as a token file of the Kiro IDE with its client in it, for faces that read a database themselves.
pub fn as_token_file(login: &OwnerLogin) -> Zeroizing<String> {
    let secret = |secret: &Option<SecretString>| secret.as_ref().map(|secret| secret.expose_secret().to_owned());
    let value = json!({
        "authMethod": method_word(login.method),
        "provider": login.provider.map(provider_word),
        "refreshToken": secret(&login.refresh_token),
        "accessToken": secret(&login.access_token),
        "expiresAt": login.expires_at.map(crate::clock::Timestamp::to_rfc3339),
        "clientId": login.client_id,
        "clientSecret": secret(&login.client_secret),
        "region": login.region,
        "profileArn": login.profile_arn,
        "startUrl": login.start_url,
        "tokenEndpoint": login.token_endpoint,
        "issuerUrl": login.issuer_url,
        "scopes": login.scopes,
        "email": login.email,
        "userId": login.user_id,
    });
    Zeroizing::new(value.to_string())
}

fn method_word(method: AuthMethod) -> &'static str {
    match method {
        AuthMethod::Social => "social",
        AuthMethod::Idc => "idc",
        AuthMethod::ExternalIdp => "external_idp",
        AuthMethod::ApiKey => "api_key",
    }
}

fn provider_word(provider: Provider) -> &'static str {
    match provider {
        Provider::Google => "Google",
        Provider::Github => "Github",
        Provider::BuilderId => "BuilderId",
        Provider::Enterprise => "Enterprise",
        Provider::Internal => "Internal",
        Provider::AzureAd => "AzureAD",
    }
}
