//! Our own export: everything of an account that is ours, so that another installation can go on with it
//! (`docs/export-format.md`).

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::{ImportContext, Raw, Reject, normal};
use crate::account::{Account, AccountWarning, AuthMethod, NewAccount, ProxyChoice, Wishes, wrong_tags};
use crate::clock::Timestamp;
use crate::credential::Secrets;
use crate::upstream::{endpoint, proxy};

/// What `format` says.
const FORMAT: &str = "kiro-proxy-accounts";
const VERSION: u64 = 1;
const LONGEST_NOTE: usize = 2000;
const LONGEST_PROXY_LOGIN: usize = 1024;

/// The secrets of one account, as the export writes them. Wiped when dropped.
#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(rename_all = "camelCase")]
struct PlainSecrets {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    client_secret: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    api_key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    proxy_credentials: Option<String>,
}

#[derive(Serialize)]
struct Record<'a> {
    account: &'a Account,
    secrets: PlainSecrets,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    format: &'static str,
    version: u64,
    exported_at: String,
    accounts: Vec<Record<'a>>,
}

/// The plain form of an export. The bytes are wiped when dropped.
pub(super) fn write(accounts: &[(std::sync::Arc<Account>, Secrets)], now: Timestamp) -> Zeroizing<Vec<u8>> {
    let records = accounts.iter().map(|(account, secrets)| Record { account, secrets: plain(secrets) }).collect();
    let document = Document { format: FORMAT, version: VERSION, exported_at: now.to_rfc3339(), accounts: records };
    Zeroizing::new(serde_json::to_vec_pretty(&document).expect("plain data always serialises"))
}

/// Every secret that belongs to an account; a new kind must be named here, or this does not compile.
fn plain(secrets: &Secrets) -> PlainSecrets {
    let Secrets { refresh_token, client_secret, api_key, proxy_credentials, client_key: _, data_key: _ } = secrets;
    let text = |secret: &Option<SecretString>| secret.as_ref().map(|secret| secret.expose_secret().to_owned());
    PlainSecrets {
        refresh_token: text(refresh_token),
        client_secret: text(client_secret),
        api_key: text(api_key),
        proxy_credentials: text(proxy_credentials),
    }
}

/// Whether the object says that it is our export.
pub(super) fn is_ours(object: &Map<String, Value>) -> bool {
    object.get("format").and_then(Value::as_str) == Some(FORMAT)
}

/// The records of our export.
pub(super) fn records(object: &Map<String, Value>, context: &ImportContext) -> Vec<Result<NewAccount, Reject>> {
    match object.get("version").and_then(Value::as_u64) {
        Some(VERSION) => {}
        Some(_) => return vec![Err(Reject::new("format_newer", "the export was made by a newer Kiro Proxy"))],
        None => return vec![Err(damaged())],
    }
    match object.get("accounts") {
        Some(Value::Array(list)) if list.is_empty() => {
            vec![Err(Reject::new("no_account", "no account found in the file"))]
        }
        Some(Value::Array(list)) => list.iter().map(|record| read(record, context)).collect(),
        _ => vec![Err(damaged())],
    }
}

/// Nothing is believed because it is in our form: it passes the same checks as everybody's, and only then gets back what
/// other forms do not have.
fn read(record: &Value, context: &ImportContext) -> Result<NewAccount, Reject> {
    let known: Account =
        record.get("account").and_then(|account| Account::deserialize(account).ok()).ok_or_else(damaged)?;
    let mut secrets: PlainSecrets =
        record.get("secrets").and_then(|secrets| PlainSecrets::deserialize(secrets).ok()).ok_or_else(damaged)?;
    let take = |secret: &mut Option<String>| secret.take().filter(|text| !text.is_empty()).map(SecretString::from);
    if known.is_demo() {
        return Err(Reject::new("demo_account", "a demo account cannot be taken over"));
    }
    let method = match known.method {
        AuthMethod::Social => "social",
        AuthMethod::Idc => "idc",
        AuthMethod::ExternalIdp => "external_idp",
        AuthMethod::ApiKey => "api_key",
    };
    let raw = Raw {
        auth_method: Some(method.to_owned()),
        refresh_token: take(&mut secrets.refresh_token),
        client_secret: take(&mut secrets.client_secret),
        api_key: take(&mut secrets.api_key),
        client_id: known.client_id.clone(),
        client_expires_at: known.client_expires_at,
        oidc_region: known.oidc_region.clone(),
        api_region: known.api_region.clone(),
        profile_arn: known.profile_arn.clone(),
        start_url: known.start_url.clone(),
        token_endpoint: known.token_endpoint.clone(),
        issuer_url: known.issuer_url.clone(),
        scopes: known.scopes.clone(),
        machine_id: Some(known.machine_id.clone()),
        email: known.email.clone(),
        user_id: known.user_id.clone(),
        label: Some(known.label.clone()),
        disabled: !known.enabled,
        whole: true,
        ..Raw::default()
    };
    let mut new = normal::account(raw, &[], context)?;
    let proxy_login = take(&mut secrets.proxy_credentials).filter(|login| {
        let text = login.expose_secret();
        text.len() <= LONGEST_PROXY_LOGIN && text.contains(':') && !text.chars().any(char::is_control)
    });
    let (wishes, dropped) = acceptable(&known.wishes);
    if dropped {
        new.warnings.push(AccountWarning::WishDropped);
    }
    new.account.provider = known.provider;
    new.secrets.proxy_credentials = proxy_login.filter(|_| wishes.proxy.is_some());
    new.account.wishes = wishes;
    new.account.stopped = known.stopped;
    // What the file came from is recognised again even after the token has rotated.
    new.account.fingerprint = known.fingerprint.filter(|text| text.len() == 32).or(new.account.fingerprint);
    Ok(new)
}

/// The wishes that hold here, and whether some do not.
fn acceptable(wishes: &Wishes) -> (Wishes, bool) {
    let mut kept = wishes.clone();
    if wrong_tags(&kept.tags).is_some() {
        kept.tags.clear();
    }
    kept.note = kept.note.chars().filter(|c| !c.is_control() || *c == '\n').take(LONGEST_NOTE).collect();
    kept.quota_floor_percent = kept.quota_floor_percent.filter(|percent| *percent <= Wishes::HIGHEST_FLOOR);
    kept.weight = kept.weight.filter(|weight| (1..=Wishes::HIGHEST_WEIGHT).contains(weight));
    kept.concurrency = kept.concurrency.filter(|at_once| (1..=Wishes::HIGHEST_CONCURRENCY).contains(at_once));
    kept.host = kept.host.filter(|host| endpoint::is_data_plane(host));
    kept.proxy = kept.proxy.filter(|proxy| match proxy {
        ProxyChoice::Direct => true,
        // A login is a secret and travels with the others.
        ProxyChoice::Through { url } => proxy::check(url).is_ok(),
    });
    let dropped = kept != *wishes;
    (kept, dropped)
}

fn damaged() -> Reject {
    Reject::new("export_damaged", "a record of the export is not complete")
}
