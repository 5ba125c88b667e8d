//! Whose sign-in it was, once the service was asked: an account that turns out to be one we had gets the new sign-in.

use std::sync::Arc;

use super::inspection::save;
use crate::account::{Account, AccountId};
use crate::login::renewal::{self, Renewal, RenewalOutcome};
use crate::login::{Login, Parts};

/// After the look: an account that turns out to be one we had gets its new sign-in, and one without a name of its own is called by its
/// address. `known`: it was here before this sign-in, so that only the service's own word makes it another's. Answers under which id it
/// is known now.
pub(super) async fn settle(parts: &Parts, login: &Login, id: &AccountId, known: bool, named: bool) -> AccountId {
    let Some(account) = parts.book.roster.get(id) else { return id.clone() };
    if let Some(older) = owner(parts, login, &account, known) {
        match parts.book.merge(id, &older).await {
            Ok(()) => {
                parts.inspector.forget(id);
                parts.sign_in.forget(id);
                return older;
            }
            Err(error) => tracing::warn!(account = %id, %error, "a second account of the same person stays"),
        }
    }
    if let (false, Some(email)) = (named, account.email.clone())
        && account.label != email
        && let Err(error) = save(parts, id, |account| account.label = email).await
    {
        tracing::warn!(account = %id, %error, "the name of the account could not be saved");
    }
    id.clone()
}

/// How the sign-in that was meant for an account ended. `known`: the account that has it was here before.
pub(super) fn outcome(parts: &Parts, renewal: &Renewal, kept: &AccountId, known: bool) -> RenewalOutcome {
    if *kept == renewal.account {
        return RenewalOutcome::Renewed;
    }
    if known {
        return RenewalOutcome::KnownAccount;
    }
    let (meant, came) = (parts.book.roster.get(&renewal.account), parts.book.roster.get(kept));
    match meant.zip(came).and_then(|(meant, came)| renewal::is_same(&meant, &came)) {
        Some(false) => RenewalOutcome::NewAccount,
        // The same, and still apart: the two could not be made one.
        Some(true) | None => RenewalOutcome::Untold,
    }
}

/// The other account whose sign-in this is.
fn owner(parts: &Parts, login: &Login, came: &Account, known: bool) -> Option<AccountId> {
    let meant = login.renews.as_ref().and_then(|meant| parts.book.roster.get(&meant.id));
    let Some(meant) = meant.filter(|meant| meant.id != came.id) else { return twin(parts, came) };
    let same_id = meant.user_id.is_some() && meant.user_id == came.user_id;
    let theirs = renewal::is_same(&meant, came) == Some(true) && (same_id || !known);
    let meant_id = || theirs.then(|| meant.id.clone());
    match renewal::is_nameless(&meant) {
        // The person's word is all that speaks for it: the service's word about another account goes first.
        true => twin(parts, came).or_else(meant_id),
        false => meant_id().or_else(|| twin(parts, came)),
    }
}

/// The older account of the same person, signed in the same way.
fn twin(parts: &Parts, account: &Account) -> Option<AccountId> {
    let same = |old: &&Arc<Account>| {
        old.id != account.id
            && old.method == account.method
            && old.provider == account.provider
            && old.user_id.is_some()
            && old.user_id == account.user_id
            && old.is_demo() == account.is_demo()
    };
    parts.book.roster.list().iter().find(same).map(|old| old.id.clone())
}
