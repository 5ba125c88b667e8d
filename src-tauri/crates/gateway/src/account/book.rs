//! Adding and removing accounts: the one place that keeps the order between secrets, the list and what is in memory.

use std::sync::Arc;

use secrecy::SecretString;

use super::{
    Account, AccountId, AccountOrigin, AccountWarning, Leases, Roster, RosterError, Signal, StoppedKind, TokenError,
    Tokens,
};
use crate::clock::Timestamp;
use crate::credential::{Credentials, SecretId, Secrets, StoreError};
use crate::disk::off_thread;

/// An account that is not ours yet, with its secrets.
#[derive(Debug, Clone)]
pub struct NewAccount {
    /// What is not secret.
    pub account: Account,
    /// What is.
    pub secrets: Secrets,
    /// An access token that is still good, with its end.
    pub access: Option<(SecretString, Timestamp)>,
    /// What a person should know about how it was understood.
    pub warnings: Vec<AccountWarning>,
}

/// Why an account could not be added or removed.
#[derive(Debug, thiserror::Error)]
pub enum BookError {
    /// The secrets could not be stored; nothing was added.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The list could not be saved.
    #[error(transparent)]
    Roster(#[from] RosterError),
}

impl BookError {
    /// Stable code for the admin API and the command line.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Store(error) => error.code(),
            Self::Roster(error) => error.code(),
        }
    }

    /// What a person can do about it.
    pub fn action(&self) -> String {
        match self {
            Self::Store(error) => error.action(),
            Self::Roster(error) => error.action(),
        }
    }
}

/// Why the login of one account was not handed over to another.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MergeError {
    /// It cannot be had now.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// It cannot be kept.
    #[error(transparent)]
    Book(#[from] BookError),
    /// The list cannot be saved.
    #[error(transparent)]
    Roster(#[from] RosterError),
    /// One of the two was removed meanwhile.
    #[error("one of the two accounts was removed")]
    Gone,
}

/// What became of an account that was offered.
#[derive(Debug, Clone)]
pub enum Added {
    /// It is new.
    New(Arc<Account>),
    /// It is known already and was left as it is.
    Known(Arc<Account>),
}

/// The accounts as a whole. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Book {
    /// The list.
    pub roster: Arc<Roster>,
    /// Conditions and leases.
    pub leases: Arc<Leases>,
    /// Access tokens.
    pub tokens: Arc<Tokens>,
    /// Secrets.
    pub credentials: Credentials,
}

impl Book {
    /// Adds an account: secrets first, then the list, so that the list never names an account without secrets. A new
    /// sign-in of a known account, or the import of one that waits for a new sign-in, replaces its secrets in place.
    pub async fn add(&self, mut new: NewAccount) -> Result<Added, BookError> {
        let known = self.known(&new.account);
        if let Some(known) = &known {
            // A new sign-in always counts: it is what the person just did. A file counts only for an account that waits for
            // a new sign-in. Neither ends a suspension.
            let waits = self.leases.stopped(&known.id).is_some_and(|kind| match kind {
                StoppedKind::NeedsLogin | StoppedKind::OwnerSwitched => true,
                StoppedKind::Suspended => false,
            });
            let signed_in = match new.account.origin {
                AccountOrigin::SignedIn => true,
                AccountOrigin::Imported | AccountOrigin::Linked | AccountOrigin::Demo => false,
            };
            if !waits && !signed_in {
                return Ok(Added::Known(Arc::clone(known)));
            }
            new.account.keep_from(known);
        }
        let added = self.to_the_end(self.clone().put(new)).await?;
        added.map(Added::New).ok_or_else(|| RosterError::Io(std::io::ErrorKind::NotFound.into()).into())
    }

    /// Secrets first, then the list. An account with the same id is replaced, and keeps what a person chose meanwhile. When the list cannot
    /// be saved, its secrets are as they were.
    async fn put(self, new: NewAccount) -> Result<Option<Arc<Account>>, BookError> {
        let NewAccount { account, mut secrets, access, warnings: _ } = new;
        if let Some(login) = secrets.proxy_credentials.take() {
            let secrets = Secrets { proxy_credentials: Some(login), ..Secrets::default() };
            self.credentials.save(&SecretId::proxy(&account.id), &secrets).await?;
        }
        let id = account.id.clone();
        let listed = async {
            let book = self.clone();
            let put = off_thread(move || Ok(book.roster.put(account)?.inspect(|account| book.signed_in(&account.id))));
            put.await.map_err(RosterError::Io).flatten().map_err(BookError::from)
        };
        let account = self.tokens.install(&id, &secrets, listed).await?;
        if let Some((token, expires_at)) = access {
            self.tokens.seed(&id, token, expires_at);
        }
        if let Some(account) = &account {
            tracing::info!(account = %id, method = ?account.method, origin = ?account.origin, "account added");
        }
        Ok(account)
    }

    /// A new sign-in ends what stopped the account. Blocks for a disk sync.
    fn signed_in(&self, id: &AccountId) {
        if let Err(error) = self.leases.signed_in(id) {
            tracing::warn!(account = %id, %error, "that the account is usable again could not be saved");
        }
    }

    /// Does `work` to its end also when whoever asked for it goes away: half of it would leave a refresh that saves nothing.
    pub(super) async fn to_the_end<T: Send + 'static, E: From<RosterError> + Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, E>> + Send + 'static,
    ) -> Result<T, E> {
        let done = self.tokens.spawn(work).await;
        done.unwrap_or_else(|fault| Err(RosterError::Io(std::io::Error::other(fault)).into()))
    }

    /// Hands the login of `newer` over to `older`, which is the same person's and keeps its name and a person's wishes; `newer` is
    /// removed. A refresh of `newer` that is under way ends first, so that the token it brought is the one that is handed over, and none
    /// begins any more. It is one change of the list: cut short anywhere, both accounts are as they were, or there is one with the newer
    /// login.
    pub(crate) async fn merge(&self, newer: &AccountId, older: &AccountId) -> Result<(), MergeError> {
        let (book, newer, older) = (self.clone(), newer.clone(), older.clone());
        self.to_the_end(async move {
            book.separate_proxy_login(&older).await?;
            book.tokens.hand_over(&newer, &older).await?.ok_or(MergeError::Gone)?;
            let signed_in = book.clone();
            off_thread(move || signed_in.signed_in(&older)).await.map_err(RosterError::Io)?;
            Ok(book.finish_removal(&newer).await?)
        })
        .await
    }

    /// Gives the login at the account's proxy a record of its own, where an earlier import kept it in the account's.
    async fn separate_proxy_login(&self, id: &AccountId) -> Result<(), BookError> {
        if self.credentials.load(&SecretId::proxy(id)).await?.is_none()
            && let Some(login) = self.credentials.proxy_login(id).await?
        {
            let secrets = Secrets { proxy_credentials: Some(login), ..Secrets::default() };
            self.credentials.save(&SecretId::proxy(id), &secrets).await?;
        }
        Ok(())
    }

    /// Removes an account for good. `false` when there is no such account. When its secrets cannot be dropped now, it is
    /// gone for everybody all the same, and the next start drops them.
    pub async fn remove(&self, id: &AccountId) -> Result<bool, BookError> {
        let (book, wanted) = (self.clone(), id.clone());
        let begun = off_thread(move || book.begin_removal(&wanted, None));
        if begun.await.map_err(RosterError::Io)??.is_none() {
            return Ok(false);
        }
        self.finish_removal(id).await?;
        Ok(true)
    }

    /// Takes an account out of the list, so that nothing uses it from now on. Its secrets stay until [`Self::finish_removal`];
    /// until then it can be taken back, with the pauses it had, if `undo_until` is given. `None` when there is no such account.
    /// Blocks for a disk sync.
    pub fn begin_removal(
        &self,
        id: &AccountId,
        undo_until: Option<Timestamp>,
    ) -> Result<Option<Arc<Account>>, RosterError> {
        let account = self.roster.remove(id, undo_until)?;
        match undo_until {
            _ if account.is_none() => {}
            Some(_) => self.leases.look_again(),
            None => self.leases.forget(id),
        }
        Ok(account)
    }

    /// Puts a removed account back in its place; `None` when it is too late. What waited for an account may use it at once.
    /// Blocks for a disk sync.
    pub fn take_back(&self, id: &AccountId) -> Result<Option<Arc<Account>>, BookError> {
        // The same login may have been added anew meanwhile: two accounts with one chain of tokens would end each other.
        let leaving =
            self.roster.leaving().iter().find(|one| one.account.id == *id).map(|one| Arc::clone(&one.account));
        if leaving.is_none_or(|account| self.known(&account).is_some()) {
            return Ok(None);
        }
        let account = self.roster.take_back(id)?;
        if account.is_some() {
            // What ended meanwhile is caught up with, and what stopped it is saved: see [`Leases::signal`].
            self.leases.signal(id, Signal::Tick)?;
            tracing::info!(account = %id, "a removed account was taken back");
        }
        Ok(account)
    }

    /// Drops the secrets of an account that left the list, and then its record: cut short between the two, there is a record
    /// of what is still to be dropped. Does nothing when it is not leaving.
    pub async fn finish_removal(&self, id: &AccountId) -> Result<(), BookError> {
        let (roster, leaving) = (Arc::clone(&self.roster), id.clone());
        if !off_thread(move || roster.end_undo(&leaving)).await.map_err(RosterError::Io)? {
            return Ok(());
        }
        self.leases.forget(id);
        self.tokens.remove(id).await;
        let record = self.roster.secret_id(id);
        // Each is tried, whatever became of the others.
        let gone = [
            self.credentials.delete(&record).await,
            self.credentials.drop_aside(&record).await,
            self.credentials.delete(&SecretId::proxy(id)).await,
        ];
        gone.into_iter().collect::<Result<(), _>>()?;
        let (roster, gone) = (Arc::clone(&self.roster), id.clone());
        off_thread(move || roster.forget(&gone)).await.map_err(RosterError::Io)??;
        tracing::info!(account = %id, "account removed");
        Ok(())
    }

    /// The same account under another id, if it is ours already: same user id, same file, or same person with the same provider.
    pub(crate) fn known(&self, new: &Account) -> Option<Arc<Account>> {
        let same = |a: &Option<String>, b: &Option<String>| a.is_some() && a == b;
        self.roster
            .list()
            .iter()
            .find(|old| {
                old.is_demo() == new.is_demo()
                    && old.method == new.method
                    && (same(&old.user_id, &new.user_id)
                        || same(&old.fingerprint, &new.fingerprint)
                        || (same(&old.email, &new.email) && old.provider.is_some() && old.provider == new.provider))
            })
            .cloned()
    }
}

#[cfg(test)]
mod tests;
