//! What leaves as an export: which accounts, which not and why, plain or sealed.

use std::sync::Arc;

use secrecy::SecretString;
use zeroize::Zeroizing;

use super::own;
use super::sealed::{self, SealError};
use crate::account::{Account, AccountId, AccountOrigin, Roster};
use crate::clock::Timestamp;
use crate::credential::{Credentials, Secrets, StoreError};
use crate::owner;

/// Why an account is not in an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Skipped {
    /// Its answers are made up on this machine.
    Demo,
    /// The store has no secrets for it: there is nothing that another installation could use.
    NoSecrets,
}

/// An export before it is sealed or written. The bytes are wiped when dropped.
#[derive(Debug)]
pub struct Export {
    /// The plain document.
    pub plain: Zeroizing<Vec<u8>>,
    /// How many accounts are in it.
    pub accounts: usize,
    /// Those of them that another program keeps too: a copy of a shared login.
    pub shared: Vec<AccountId>,
    /// Accounts that are not in it.
    pub skipped: Vec<(AccountId, Skipped)>,
}

/// Collects the accounts with their secrets; all of them, or those of `only` that exist.
pub async fn export(
    roster: &Roster,
    credentials: &Credentials,
    only: Option<&[AccountId]>,
    now: Timestamp,
) -> Result<Export, StoreError> {
    let mut with_secrets: Vec<(Arc<Account>, Secrets)> = Vec::new();
    let (mut shared, mut skipped) = (Vec::new(), Vec::new());
    for account in roster.list().iter().filter(|account| only.is_none_or(|only| only.contains(&account.id))) {
        match account.origin {
            AccountOrigin::Demo => {
                skipped.push((account.id.clone(), Skipped::Demo));
                continue;
            }
            AccountOrigin::Linked => shared.push(account.id.clone()),
            AccountOrigin::Imported | AccountOrigin::SignedIn => {}
        }
        let mut secrets = credentials.load(&account.secret_id()).await?;
        if let Some(link) = account.link.clone() {
            // Its owner may have renewed it since we last looked.
            let read = tokio::task::spawn_blocking(move || owner::read(&link)).await;
            if let Ok(Ok(Some(login))) = read
                && login.refresh_token.is_some()
            {
                let known = secrets.get_or_insert_default();
                known.refresh_token = login.refresh_token;
                known.client_secret = login.client_secret.or_else(|| known.client_secret.take());
            }
        }
        match secrets {
            Some(mut secrets) if secrets.refresh_token.is_some() || secrets.api_key.is_some() => {
                secrets.proxy_credentials = credentials.proxy_login(&account.id).await?;
                with_secrets.push((Arc::clone(account), secrets));
            }
            Some(_) | None => {
                shared.retain(|id| *id != account.id);
                skipped.push((account.id.clone(), Skipped::NoSecrets));
            }
        }
    }
    Ok(Export { plain: own::write(&with_secrets, now), accounts: with_secrets.len(), shared, skipped })
}

/// Seals an export. Blocks for a moment and takes 64 MiB.
pub fn seal_export(export: &Export, passphrase: &SecretString) -> Result<String, SealError> {
    sealed::seal(&export.plain, passphrase)
}

/// The plain content of a sealed export. Blocks for a moment; takes at most 256 MiB whatever the content says.
pub fn open_export(content: &str, passphrase: &SecretString) -> Result<Zeroizing<String>, SealError> {
    let plain = sealed::open(content, passphrase)?;
    let text = std::str::from_utf8(&plain).map_err(|_| SealError::NotSealed("what it seals is not text"))?;
    Ok(Zeroizing::new(text.to_owned()))
}
