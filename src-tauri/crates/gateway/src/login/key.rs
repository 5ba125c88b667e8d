//! An API key: nothing to exchange, so the service is asked whether it takes the key before the key is kept.

use std::sync::Arc;

use secrecy::SecretString;

use super::ended::Ended;
use super::finish::Granted;
use super::{Login, Parts};
use crate::upstream::identity::sign_in::SignInError;

/// `unchecked`: the person wants the key kept also when the service cannot be asked. One that it refuses is never kept.
pub(super) async fn key(
    parts: &Arc<Parts>,
    login: &Login,
    key: SecretString,
    region: Option<String>,
    unchecked: bool,
) -> Result<Granted, Ended> {
    login.exchanging();
    let granted = Granted::key(key.clone(), region);
    let mut account = granted.described(None, &parts.machine_id, parts.clock.now());
    // A key that is here already, or that an account gets in place of its old one, takes that account's own way to the service.
    let meant = login.renews.as_ref().map(|meant| parts.book.roster.get(&meant.id).ok_or(SignInError::AccountGone));
    if let Some(known) = parts.book.known(&account).or(meant.transpose()?) {
        account.keep_from(&known);
    }
    match parts.trial.key(&mut account, &key).await {
        Ok(answer) => Ok(Granted::key(key, account.api_region).of(answer.email)),
        Err(doubt) if unchecked && doubt.is_open() => Ok(granted),
        Err(doubt) => Err(Ended::failed(doubt.problem())),
    }
}
