//! What is tried before a refused grant is called dead: the same text is said about a token that somebody else rotated and
//! about one that was sent to the wrong region. Every way is tried once.

use std::sync::Arc;

use super::Parts;
use super::cell::Cell;
use super::commit::Base;
use super::purchase::{begin, refresh_with};
use crate::account::intent::TokenMark;
use crate::account::{Account, AuthMethod};
use crate::credential::Secrets;
use crate::upstream::identity::{IdentityError, Refreshed};

type Way = Result<(Base, Refreshed), IdentityError>;

/// The first way that works or is stopped by trouble that passes; `None` when every way is refused too.
pub(super) async fn other_ways(parts: &Parts, cell: &Cell, account: &Arc<Account>, sent: &Secrets) -> Option<Way> {
    let mut tried: Vec<TokenMark> = sent.refresh_token.iter().map(TokenMark::of).collect();
    if let Some(way) = newer_in_store(parts, cell, account, &mut tried).await {
        return Some(way);
    }
    if let Some(way) = other_regions(parts, account, sent).await {
        return Some(way);
    }
    previous_generation(parts, cell, account, &mut tried).await
}

/// The generation before the one that is refused, while that one has not worked yet.
async fn previous_generation(
    parts: &Parts,
    cell: &Cell,
    account: &Arc<Account>,
    tried: &mut Vec<TokenMark>,
) -> Option<Way> {
    let found = {
        let _saving = cell.saving.lock().await;
        if cell.is_retired() {
            return None;
        }
        parts.credentials.load_previous(&parts.roster.secret_id(&account.id)).await.ok().flatten()?
    };
    tracing::info!(account = %account.id, "trying the previous generation of this login once");
    try_once(parts, cell, account, found, tried).await
}

/// A lost race: somebody put a newer token into the store.
async fn newer_in_store(parts: &Parts, cell: &Cell, account: &Arc<Account>, tried: &mut Vec<TokenMark>) -> Option<Way> {
    let found = {
        // Never the token of a sign-in that came meanwhile: it is another login's to trade.
        let _saving = cell.saving.lock().await;
        if cell.is_retired() || cell.is_unsaved() {
            return None;
        }
        parts.credentials.load(&parts.roster.secret_id(&account.id)).await.ok().flatten()?
    };
    try_once(parts, cell, account, found, tried).await
}

/// Sends these secrets when their token was not tried before. `None` when it was, or when it is refused too.
async fn try_once(
    parts: &Parts,
    cell: &Cell,
    account: &Arc<Account>,
    secrets: Secrets,
    tried: &mut Vec<TokenMark>,
) -> Option<Way> {
    let token = secrets.refresh_token.clone()?;
    let mark = TokenMark::of(&token);
    if tried.contains(&mark) {
        return None;
    }
    tried.push(mark);
    if let Err(error) = begin(parts, cell, &account.id, &token).await {
        return Some(Err(IdentityError::transient(error.to_string())));
    }
    unless_refused(refresh_with(parts, Arc::clone(account), secrets).await)
}

/// Identity Center answers "invalid grant" from every region but the one of the instance. An account that has refreshed
/// here before is in its region.
async fn other_regions(parts: &Parts, account: &Arc<Account>, sent: &Secrets) -> Option<Way> {
    match account.method {
        AuthMethod::Idc => {}
        AuthMethod::Social | AuthMethod::ExternalIdp | AuthMethod::ApiKey => return None,
    }
    if parts.intents.has_worked(&account.id) {
        return None;
    }
    for region in regions(account) {
        tracing::info!(account = %account.id, region, "the sign-in region may be wrong; asking another one once");
        let moved = Account { oidc_region: Some(region), ..Account::clone(account) };
        if let Some(way) = unless_refused(refresh_with(parts, Arc::new(moved), sent.clone()).await) {
            return Some(way);
        }
    }
    None
}

/// Where the instance could be instead: where its profile is, and where most are.
fn regions(account: &Account) -> Vec<String> {
    let used = account.oidc_region.as_deref().unwrap_or(Account::FIRST_REGION);
    let mut regions: Vec<&str> = Vec::new();
    for region in [account.data_region(), Account::FIRST_REGION] {
        if region != used && !regions.contains(&region) {
            regions.push(region);
        }
    }
    regions.into_iter().map(str::to_owned).collect()
}

fn unless_refused(way: Way) -> Option<Way> {
    match way {
        Err(IdentityError::Rejected(_) | IdentityError::Dead(_)) => None,
        Ok(_) | Err(IdentityError::Unanswered(_) | IdentityError::Transient { .. }) => Some(way),
    }
}
