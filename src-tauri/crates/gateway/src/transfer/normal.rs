//! From what a file says to an account we believe: method, provider, regions, hosts, and whether the secrets are whole.

use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::{Companion, ImportContext, Raw, Reject, base_name, fingerprint, proxy};
use crate::account::{
    Account, AccountId, AccountWarning, AuthMethod, NewAccount, Provider, Wishes, arn_region, normal_machine_id,
};
use crate::credential::Secrets;
use crate::owner::LONGEST_SECRET;
use crate::owner::registration::{self, Registration, is_hash};
use crate::owner::words::{self, Clues};
use crate::upstream::identity::hosts;
use crate::upstream::profiles;

/// Shorter ones were cut by whoever copied them.
const SHORTEST_REFRESH_TOKEN: usize = 100;
/// Longest e-mail address, user id or URL that is kept.
const LONGEST_NAME: usize = 320;
const LONGEST_CLIENT_ID: usize = 1024;
const LONGEST_SCOPES: usize = 4096;
/// Start page of AWS Builder ID.
const BUILDER_START: &str = "https://view.awsapps.com/start";
/// The profile that all Google and GitHub accounts share.
const SOCIAL_ARN: &str = "arn:aws:codewhisperer:us-east-1:699475941385:profile/EHGA3GRVQMUK";

pub(super) fn account(mut raw: Raw, companions: &[Companion], context: &ImportContext) -> Result<NewAccount, Reject> {
    // People paste a key wherever a token is asked for.
    if raw.api_key.is_none() && raw.refresh_token.as_ref().is_some_and(is_key) {
        raw.api_key = raw.refresh_token.take();
    }
    find_registration(&mut raw, companions)?;
    let method = method(&raw)?;
    let provider = provider(method, &raw);
    check_secrets(method, &raw)?;
    let profile_arn = profile_arn(method, &raw)?;
    let oidc_region = match method {
        AuthMethod::Idc => {
            let region = raw.oidc_region.clone().unwrap_or_else(|| "us-east-1".into());
            if hosts::oidc(&region).is_none() {
                return Err(Reject::new("region_not_allowed", "the sign-in region is not an AWS region"));
            }
            Some(region)
        }
        AuthMethod::Social | AuthMethod::ExternalIdp | AuthMethod::ApiKey => {
            // Not used, yet a hostile text in it says enough about the file.
            if raw.oidc_region.as_deref().is_some_and(|region| !hosts::is_region(region)) {
                return Err(Reject::new("region_not_allowed", "the region is not an AWS region"));
            }
            None
        }
    };
    if raw.api_region.as_deref().is_some_and(|region| !hosts::is_region(region)) {
        return Err(Reject::new("region_not_allowed", "the API region is not an AWS region"));
    }
    let api_region = profile_arn.as_deref().and_then(arn_region).map(str::to_owned).or(match method {
        // A key is bound to one region and has no profile to read it from.
        AuthMethod::ApiKey => raw.api_region.clone().or(raw.oidc_region.clone()),
        AuthMethod::Social | AuthMethod::Idc | AuthMethod::ExternalIdp => raw.api_region.clone(),
    });
    if api_region.as_deref().is_some_and(|region| !hosts::is_region(region)) {
        return Err(Reject::new("region_not_allowed", "the API region is not an AWS region"));
    }
    // What only a directory needs is kept for no other kind.
    let of_directory = |text: Option<String>| match method {
        AuthMethod::ExternalIdp => text,
        AuthMethod::Social | AuthMethod::Idc | AuthMethod::ApiKey => None,
    };
    let identity = raw.refresh_token.as_ref().or(raw.api_key.as_ref());
    let proxy = proxy::of(&raw);
    let account = Account {
        id: AccountId::random(),
        label: label(&raw, method, provider),
        method,
        provider,
        origin: context.origin,
        email: raw.email.and_then(|text| modest(text, LONGEST_NAME)),
        user_id: raw.user_id.and_then(|text| modest(text, LONGEST_NAME)),
        profile_arn,
        oidc_region,
        api_region,
        start_url: raw.start_url.filter(|url| is_start_page(url)),
        client_id: raw.client_id.and_then(|text| modest(text, LONGEST_CLIENT_ID)),
        client_expires_at: raw.client_expires_at,
        token_endpoint: of_directory(raw.token_endpoint),
        issuer_url: of_directory(raw.issuer_url),
        scopes: of_directory(raw.scopes).and_then(|text| modest(text, LONGEST_SCOPES)),
        machine_id: raw.machine_id.as_deref().and_then(normal_machine_id).unwrap_or_else(|| context.machine_id.clone()),
        enabled: !raw.disabled && proxy.is_usable(),
        stopped: None,
        fingerprint: identity.map(fingerprint),
        link: None,
        wishes: Wishes { proxy: proxy.choice, ..Wishes::default() },
        learned_host: None,
        added_at: context.now,
        record: None,
    };
    let mut warnings = raw.warnings;
    warnings.extend(proxy.warning);
    if account.client_expires_at.is_some_and(|end| end <= context.now) {
        warnings.push(AccountWarning::RegistrationEnded);
    }
    Ok(NewAccount {
        account,
        secrets: Secrets {
            refresh_token: raw.refresh_token,
            client_secret: raw.client_secret,
            api_key: raw.api_key,
            proxy_credentials: proxy.login,
            ..Secrets::default()
        },
        access: raw.access_token.zip(raw.expires_at),
        warnings,
    })
}

/// Kiro IDE keeps the client of an AWS account in a file of its own.
fn find_registration(raw: &mut Raw, companions: &[Companion]) -> Result<(), Reject> {
    let hash = raw.client_id_hash.as_deref();
    if hash.is_some_and(|hash| !is_hash(hash)) {
        return Err(Reject::new("client_id_hash_invalid", "clientIdHash is not 40 hex digits"));
    }
    let has_client = raw.client_id.is_some() && raw.client_secret.is_some();
    if has_client || (hash.is_none() && method(raw)? != AuthMethod::Idc) {
        return Ok(());
    }
    let name = hash.map(|hash| format!("{hash}.json"));
    let named = companions
        .iter()
        .find(|companion| name.as_ref().is_some_and(|name| base_name(&companion.name).eq_ignore_ascii_case(name)))
        .and_then(|companion| registration::parse(&companion.content));
    let found: Registration = match named {
        Some(found) => found,
        None => {
            let mut others = companions.iter().filter_map(|companion| registration::parse(&companion.content));
            let Some(found) = others.find(|found| found.for_kiro) else { return Ok(()) };
            raw.warnings.push(AccountWarning::RegistrationByScope);
            found
        }
    };
    raw.client_id = Some(found.client_id);
    raw.client_secret = Some(found.client_secret);
    raw.client_expires_at = found.expires_at;
    Ok(())
}

/// What the file says wins; a word we do not know is refused. Only when it says nothing the fields decide.
fn method(raw: &Raw) -> Result<AuthMethod, Reject> {
    let clues = Clues {
        said: raw.auth_method.as_deref(),
        provider: raw.provider.as_deref(),
        directory: raw.token_endpoint.is_some() || raw.issuer_url.is_some(),
        key: raw.api_key.as_ref().is_some_and(is_key),
        client: (raw.client_id.is_some() && raw.client_secret.is_some()) || raw.client_id_hash.is_some(),
    };
    words::method(clues)
        .ok_or_else(|| Reject::new("auth_method_unknown", "the sign-in method is not one that Kiro Proxy knows"))
}

/// A text of a bounded length without control characters; anything else is no name of anybody.
fn modest(text: String, most: usize) -> Option<String> {
    (text.len() <= most && !text.chars().any(char::is_control)).then_some(text)
}

/// Start pages of AWS's access portals. Another address says nothing that a refresh needs, and a sign-in would lead there.
fn is_start_page(text: &str) -> bool {
    let portal = |host: &str| {
        [".awsapps.com", ".awsapps.cn", ".app.aws", ".amazonaws.com"].iter().any(|ending| host.ends_with(ending))
    };
    text.len() <= LONGEST_NAME
        && Url::parse(text).is_ok_and(|url| {
            url.scheme() == "https"
                && url.host_str().is_some_and(portal)
                && url.username().is_empty()
                && url.password().is_none()
                && url.port().is_none()
        })
}

fn is_key(secret: &SecretString) -> bool {
    secret.expose_secret().starts_with("ksk_")
}

fn provider(method: AuthMethod, raw: &Raw) -> Option<Provider> {
    let named = raw.provider.as_deref().and_then(words::provider);
    match method {
        AuthMethod::Social => named.or(raw.auth_method.as_deref().and_then(words::provider)),
        AuthMethod::ExternalIdp => named,
        AuthMethod::ApiKey => None,
        AuthMethod::Idc => {
            let said_builder = raw.auth_method.as_deref().map(words::plain).as_deref() == Some("builderid");
            // Without a start page, a profile or another region only Builder ID is left.
            let elsewhere = raw.start_url.as_deref().is_some_and(|url| url.trim_end_matches('/') != BUILDER_START)
                || raw.profile_arn.as_deref().is_some_and(|arn| !is_shared(arn))
                || raw.oidc_region.as_deref().is_some_and(|region| region != "us-east-1");
            named.or((said_builder || !elsewhere).then_some(Provider::BuilderId))
        }
    }
}

fn check_secrets(method: AuthMethod, raw: &Raw) -> Result<(), Reject> {
    let all = [&raw.refresh_token, &raw.access_token, &raw.client_secret, &raw.api_key];
    let odd = |secret: &SecretString| {
        let text = secret.expose_secret();
        text.len() > LONGEST_SECRET || text.chars().any(|c| c.is_control() || c.is_whitespace() || !c.is_ascii())
    };
    if all.into_iter().flatten().any(odd) {
        return Err(Reject::new("secret_malformed", "a token or key has characters that no token has"));
    }
    match method {
        AuthMethod::ApiKey => {
            let key = raw.api_key.as_ref().map(ExposeSecret::expose_secret).unwrap_or_default();
            if !key.starts_with("ksk_") || key.len() < 20 || key.ends_with("...") {
                return Err(Reject::new(
                    "api_key_malformed",
                    "the API key is missing, cut, or does not begin with ksk_",
                ));
            }
            return Ok(());
        }
        AuthMethod::Social | AuthMethod::Idc | AuthMethod::ExternalIdp => {}
    }
    let token = raw.refresh_token.as_ref().map(ExposeSecret::expose_secret).unwrap_or_default();
    if token.is_empty() {
        return Err(Reject::new("refresh_token_missing", "the record has no refresh token"));
    }
    if !raw.whole && (token.len() < SHORTEST_REFRESH_TOKEN || token.ends_with("...")) {
        return Err(Reject::new("refresh_token_cut", "the refresh token is cut: copy it whole"));
    }
    match method {
        AuthMethod::Idc if raw.client_id.is_none() || raw.client_secret.is_none() => Err(Reject::new(
            "client_missing",
            "clientId and clientSecret are missing; hand in the client registration file that lies beside the token file",
        )),
        AuthMethod::ExternalIdp => check_directory(raw),
        AuthMethod::Social | AuthMethod::Idc | AuthMethod::ApiKey => Ok(()),
    }
}

/// The refresh token of a directory account goes to an address that the file names: only to hosts that we know.
fn check_directory(raw: &Raw) -> Result<(), Reject> {
    let refused = || Reject::new("host_not_allowed", "the token endpoint or issuer is not a Microsoft sign-in host");
    let endpoint = raw
        .token_endpoint
        .as_deref()
        .ok_or_else(|| Reject::new("token_endpoint_missing", "the record has no token endpoint"))?;
    hosts::external_idp(endpoint).ok_or_else(refused)?;
    if let Some(issuer) = raw.issuer_url.as_deref() {
        hosts::external_idp(issuer).ok_or_else(refused)?;
    }
    if raw.client_id.is_none() {
        return Err(Reject::new("client_missing", "the record has no client id"));
    }
    Ok(())
}

/// Keeps a profile that can be the account's own. A shared one under an AWS sign-in is refused by the upstream; without it
/// the right one can be asked for.
fn profile_arn(method: AuthMethod, raw: &Raw) -> Result<Option<String>, Reject> {
    let Some(arn) = raw.profile_arn.clone() else { return Ok(None) };
    if !profiles::is_name(&arn) {
        return Err(Reject::new("profile_arn_malformed", "profileArn is not the name of a Kiro profile"));
    }
    let keep = match method {
        AuthMethod::Social => true,
        AuthMethod::Idc | AuthMethod::ExternalIdp => !is_shared(&arn),
        // A key with a profile is refused by the upstream.
        AuthMethod::ApiKey => false,
    };
    Ok(keep.then_some(arn))
}

/// Some programs fill in a profile for an account whose own they do not know.
fn is_shared(arn: &str) -> bool {
    arn == SOCIAL_ARN || profiles::is_nobodys(arn)
}

fn label(raw: &Raw, method: AuthMethod, provider: Option<Provider>) -> String {
    if let Some(given) = raw.label.as_deref().or(raw.email.as_deref()) {
        return given.chars().filter(|c| !c.is_control()).take(100).collect();
    }
    let name = match (method, provider) {
        (_, Some(Provider::Google)) => "Google",
        (_, Some(Provider::Github)) => "GitHub",
        (_, Some(Provider::BuilderId)) => "AWS Builder ID",
        (_, Some(Provider::Enterprise | Provider::Internal)) => "IAM Identity Center",
        (_, Some(Provider::AzureAd)) | (AuthMethod::ExternalIdp, None) => "Microsoft",
        (AuthMethod::Social, None) => "Kiro",
        (AuthMethod::Idc, None) => "AWS",
        (AuthMethod::ApiKey, None) => "API key",
    };
    name.to_owned()
}
