//! The databases of kiro-cli and of the Amazon Q command line: which rows are logins, and their fields.

use std::path::Path;

use secrecy::SecretString;
use serde_json::Value;

use super::database::{self, Values, Wanted};
use super::fields::{self, Object};
use super::{OwnerError, OwnerLogin, OwnerNote, words};
use crate::account::{AuthMethod, LinkOwner, Provider};

/// Start page of AWS Builder ID.
const BUILDER_START: &str = "https://view.awsapps.com/start";
const PROFILE: &str = "api.codewhisperer.profile";
const START_URL: &str = "auth.idc.start-url";
const REGION: &str = "auth.idc.region";
const STATE: [&str; 3] = [PROFILE, START_URL, REGION];

/// A row that can hold a login.
struct Slot {
    token: &'static str,
    /// The row with the registered client.
    client: Option<&'static str>,
    method: AuthMethod,
}

const KIRO: [Slot; 3] = [
    Slot { token: "kirocli:social:token", client: None, method: AuthMethod::Social },
    // The spelling is real.
    Slot { token: "kirocli:odic:token", client: Some("kirocli:odic:device-registration"), method: AuthMethod::Idc },
    Slot { token: "kirocli:external-idp:token", client: None, method: AuthMethod::ExternalIdp },
];
const AMAZON_Q: Slot = Slot {
    token: "codewhisperer:odic:token",
    client: Some("codewhisperer:odic:device-registration"),
    method: AuthMethod::Idc,
};

/// Its own rows first: kiro-cli began as the Amazon Q command line and may still use its names.
fn slots(owner: LinkOwner) -> Vec<&'static Slot> {
    match owner {
        LinkOwner::KiroCli => KIRO.iter().chain([&AMAZON_Q]).collect(),
        LinkOwner::AmazonQ => vec![&AMAZON_Q],
        LinkOwner::KiroIde | LinkOwner::KiroProxy => Vec::new(),
    }
}

fn keys(slots: &[&Slot]) -> Vec<&'static str> {
    slots.iter().flat_map(|slot| [Some(slot.token), slot.client]).flatten().collect()
}

/// The login that ends last: a program that changed its way of signing in can leave the old row behind.
pub(super) fn read(owner: LinkOwner, path: &Path) -> Result<Option<OwnerLogin>, OwnerError> {
    let slots = slots(owner);
    let Some((auth, state)) = database::read(path, Wanted { auth: &keys(&slots), state: &STATE })? else {
        return Ok(None);
    };
    let found: Vec<Result<OwnerLogin, &'static str>> =
        slots.iter().filter_map(|slot| login(slot, &auth, &state).transpose()).collect();
    let trouble = found.iter().find_map(|found| found.as_ref().err().copied());
    // Equal ends keep the order of the slots, so the first of them counts.
    let best = found.into_iter().flatten().rev().max_by_key(|login| (login.refresh_token.is_some(), login.expires_at));
    match (best, trouble) {
        (Some(login), _) => Ok(Some(login)),
        (None, Some(detail)) => Err(OwnerError::Malformed { path: path.to_path_buf(), detail }),
        (None, None) => Ok(None),
    }
}

pub(super) fn write(owner: LinkOwner, path: &Path, used: &SecretString, login: &OwnerLogin) -> Result<(), OwnerError> {
    let slots = slots(owner);
    let written = database::change(path, &keys(&slots), |auth| {
        slots.iter().find_map(|slot| {
            let mut object = fields::object(auth.get(slot.token)?)?;
            if !fields::has_refresh_token(&object, used) {
                return None;
            }
            fields::replace_tokens(&mut object, login);
            Some((slot.token.to_owned(), Value::Object(object).to_string()))
        })
    })?;
    if written { Ok(()) } else { Err(OwnerError::Changed(path.to_path_buf())) }
}

fn login(slot: &Slot, auth: &Values, state: &Values) -> Result<Option<OwnerLogin>, &'static str> {
    let Some(text) = auth.get(slot.token) else { return Ok(None) };
    let object = fields::object(text).ok_or("a login in it is not one complete JSON object")?;
    let provider = fields::text(&object, &["provider"]).as_deref().and_then(words::provider);
    let mut login = fields::login(&object, slot.method, provider)?;
    if login.refresh_token.is_none() && login.access_token.is_none() {
        return Ok(None);
    }
    if let Some(text) = slot.client.and_then(|key| auth.get(key)) {
        let client = fields::object(text).ok_or("the client registration in it is not one complete JSON object")?;
        login.client_id = fields::text(&client, &["client_id", "clientId"]);
        login.client_secret = fields::secret(&client, &["client_secret", "clientSecret"])?;
        login.client_expires_at = fields::time(&client, &["client_secret_expires_at", "clientSecretExpiresAt"]);
        if flow(&object).zip(flow(&client)).is_some_and(|(token, client)| token != client) {
            login.notes.push(OwnerNote::RegistrationOfOtherFlow);
        }
    }
    if slot.method == AuthMethod::Idc {
        login.region = login.region.or_else(|| quoted(state.get(REGION)?));
        login.start_url = login.start_url.or_else(|| quoted(state.get(START_URL)?));
        let builder = |url: &str| url.trim_end_matches('/') == BUILDER_START;
        login.provider = login.provider.or(match login.start_url.as_deref() {
            Some(url) if builder(url) => Some(Provider::BuilderId),
            Some(_) => Some(Provider::Enterprise),
            None => None,
        });
    }
    login.profile_arn = login.profile_arn.or_else(|| fields::text(&fields::object(state.get(PROFILE)?)?, &["arn"]));
    Ok(Some(login))
}

/// How a token or a client came to be; a client serves only tokens of its own flow.
fn flow(object: &Object) -> Option<String> {
    fields::text(object, &["oauth_flow", "oauthFlow"]).map(|flow| words::plain(&flow))
}

/// State values are JSON: a text is in quotes.
fn quoted(value: &str) -> Option<String> {
    match serde_json::from_str(value).ok()? {
        Value::String(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
        _ => None,
    }
}
