//! The token file of the Kiro IDE, the client registration beside it, and its active profile.

use std::path::Path;
use std::time::Duration;

use secrecy::SecretString;

use super::fields::{self, Object};
use super::registration::{self, Registration};
use super::words::{self, Clues};
use super::{OwnerError, OwnerLogin, OwnerNote, file, profile};
use crate::account::AuthMethod;

/// Token files have a few kilobytes.
const LARGEST_TOKEN_FILE: u64 = 1024 * 1024;
/// Registrations too; the folder may hold caches of other AWS tools.
const LARGEST_REGISTRATION: u64 = 64 * 1024;
/// Files of the folder that are looked into for a registration.
const MOST_NEIGHBOURS: usize = 200;
/// The IDE writes its file in place: a reader can meet half of it.
const READS: u32 = 3;
const PAUSE: Duration = Duration::from_millis(50);

pub(super) fn read(path: &Path) -> Result<Option<OwnerLogin>, OwnerError> {
    let malformed = |detail| OwnerError::Malformed { path: path.to_path_buf(), detail };
    let Some(object) = whole(path)? else { return Ok(None) };
    let text = |name: &str| fields::text(&object, &[name]);
    let (said, provider, hash) = (text("authMethod"), text("provider"), text("clientIdHash"));
    let clues = Clues {
        said: said.as_deref(),
        provider: provider.as_deref(),
        directory: text("tokenEndpoint").or_else(|| text("issuerUrl")).is_some(),
        key: false,
        client: hash.is_some() || (text("clientId").is_some() && text("clientSecret").is_some()),
    };
    let method =
        words::method(clues).ok_or_else(|| malformed("it names a sign-in method that Kiro Proxy does not know"))?;
    let provider = provider.as_deref().and_then(words::provider);
    let mut login = fields::login(&object, method, provider).map_err(malformed)?;
    if login.refresh_token.is_none() && login.access_token.is_none() {
        return Ok(None);
    }
    if method == AuthMethod::Idc && (login.client_id.is_none() || login.client_secret.is_none()) {
        if hash.as_deref().is_some_and(|hash| !registration::is_hash(hash)) {
            return Err(malformed("clientIdHash is not 40 hex digits"));
        }
        if let Some((found, by_scope)) = registration_beside(path, hash.as_deref()) {
            login.client_id = Some(found.client_id);
            login.client_secret = Some(found.client_secret);
            login.client_expires_at = found.expires_at;
            if by_scope {
                login.notes.push(OwnerNote::RegistrationByScope);
            }
        }
    }
    if login.profile_arn.is_none() && (method == AuthMethod::Idc || method == AuthMethod::ExternalIdp) {
        login.profile_arn = profile::active(path);
    }
    Ok(Some(login))
}

pub(super) fn write(path: &Path, used: &SecretString, login: &OwnerLogin) -> Result<(), OwnerError> {
    file::regular(path)?;
    let Some(mut object) = whole(path)? else { return Err(OwnerError::Changed(path.to_path_buf())) };
    if !fields::has_refresh_token(&object, used) {
        return Err(OwnerError::Changed(path.to_path_buf()));
    }
    fields::replace_tokens(&mut object, login);
    let text = serde_json::to_string_pretty(&object)
        .map_err(|_| OwnerError::Malformed { path: path.to_path_buf(), detail: "it cannot be written as JSON" })?;
    file::replace(path, text.as_bytes())
}

/// The file's object, read again when the owner is in the middle of writing it.
fn whole(path: &Path) -> Result<Option<Object>, OwnerError> {
    for read in 1.. {
        let Some(text) = file::read(path, LARGEST_TOKEN_FILE)? else { return Ok(None) };
        match fields::object(&text) {
            Some(object) => return Ok(Some(object)),
            None if read < READS => std::thread::sleep(PAUSE),
            None => break,
        }
    }
    Err(OwnerError::Malformed { path: path.to_path_buf(), detail: "it is not one complete JSON object" })
}

/// The registration that the hash names, else one of the folder whose scopes are Kiro's (`true`). Files that cannot be read
/// are none.
fn registration_beside(path: &Path, hash: Option<&str>) -> Option<(Registration, bool)> {
    let folder = path.parent()?;
    let load = |path: &Path| registration::parse(&file::read(path, LARGEST_REGISTRATION).ok()??);
    if let Some(named) = hash.and_then(|hash| load(&folder.join(format!("{hash}.json")))) {
        return Some((named, false));
    }
    let mut neighbours: Vec<_> = std::fs::read_dir(folder)
        .ok()?
        .take(MOST_NEIGHBOURS)
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|other| other.extension().is_some_and(|ending| ending == "json") && other != path)
        .collect();
    // The order of a folder is chance; a choice must not be.
    neighbours.sort();
    let mut found: Vec<Registration> =
        neighbours.iter().filter_map(|path| load(path)).filter(|found| found.for_kiro).collect();
    found.sort_by_key(|found| found.expires_at);
    Some((found.pop()?, true))
}
