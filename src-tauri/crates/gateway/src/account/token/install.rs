//! Another login in the place of one that may be in use: a new sign-in of an account, and a login that goes over to another account.
//!
//! Promises: whatever fails, every account has the newest token of its own login afterwards; what a refresh that is under way brings is
//! saved while it can matter, and never on top of a newer login. Leaves out: which accounts are the same person's (`login`).

use std::sync::Arc;

use tokio::sync::OwnedMutexGuard;

use super::cell::Cell;
use super::{Tokens, commit, purchase};
use crate::account::book::MergeError;
use crate::account::{Account, AccountId, BookError, RosterError};
use crate::credential::Secrets;
use crate::disk::off_thread;

impl Tokens {
    /// Saves the secrets of an account that is new or signed in anew, and then the list by `listed`. A refresh of the login before it may
    /// still be under way: it can neither overwrite these secrets nor end the new login. When the list takes nothing (an error, or
    /// `None`), everything is as it was, and such a refresh goes on with the login it is for.
    ///
    /// Not to be dropped before it ends: see [`Self::spawn`].
    pub(crate) async fn install<T>(
        &self,
        id: &AccountId,
        secrets: &Secrets,
        listed: impl Future<Output = Result<Option<T>, BookError>>,
    ) -> Result<Option<T>, BookError> {
        let (old, _saving) = self.claim(id).await;
        let record = self.parts.roster.secret_id(id);
        let stored = self.parts.credentials.load(&record).await?;
        let before = match old.unsaved() {
            Some(unsaved) => Some(unsaved),
            None => self.parts.credentials.load_aside(&record).await.ok().flatten().or_else(|| stored.clone()),
        };
        let mut secrets = secrets.clone();
        if secrets.proxy_credentials.is_none() {
            // A new sign-in changes nothing about how the account reaches the network.
            secrets.proxy_credentials = stored.and_then(|known| known.proxy_credentials);
        }
        // Before the new secrets can be seen in the store: a refresh of the old login must not take them for its own.
        old.set_retired(true);
        let saved = async {
            self.parts.credentials.save(&record, &secrets).await?;
            self.parts.credentials.drop_aside(&record).await
        };
        let listed = match saved.await {
            Ok(()) => listed.await,
            Err(error) => Err(error.into()),
        };
        if let Ok(Some(_)) = &listed {
            self.drop_cell(id);
            self.parts.intents.close(id).await;
        } else {
            commit::put_back(&self.parts, &old, id, before).await;
        }
        listed
    }

    /// Hands the login of `newer` over to `older` by one change of the list, in which it takes its record of secrets along; it returns
    /// the account. A refresh of `newer` that is under way ends first, and none begins any more; one of `older` belongs to a login that
    /// has ended. When the list takes nothing, both go on as they were. `None` when one of the two is gone.
    ///
    /// Not to be dropped before it ends: see [`Self::spawn`].
    pub(crate) async fn hand_over(
        &self,
        newer: &AccountId,
        older: &AccountId,
    ) -> Result<Option<Arc<Account>>, MergeError> {
        let parts = &self.parts;
        let _lock = purchase::hold(parts, newer).await?;
        // In one order for all, so that two sign-ins that are each other's never wait for each other.
        let ((from, _from), (to, _to)) = if newer < older {
            let from = self.claim(newer).await;
            (from, self.claim(older).await)
        } else {
            let to = self.claim(older).await;
            (self.claim(newer).await, to)
        };
        purchase::current(parts, &from, newer).await?;
        if let Some(unsaved) = from.unsaved() {
            parts.credentials.save(&parts.roster.secret_id(newer), &unsaved).await.map_err(BookError::from)?;
            commit::saved(parts, &from, newer).await;
        }
        let cells = [&from, &to];
        cells.iter().for_each(|cell| cell.set_retired(true));
        let (roster, ids) = (Arc::clone(&parts.roster), (newer.clone(), older.clone()));
        let listed = off_thread(move || roster.hand_over(&ids.0, &ids.1)).await.map_err(RosterError::Io).flatten();
        let Ok(Some(account)) = listed else {
            cells.iter().for_each(|cell| cell.set_retired(false));
            return Ok(listed.map_err(BookError::from)?);
        };
        let access = from.still_good(parts.clock.now());
        self.drop_cell(newer);
        self.drop_cell(older);
        parts.intents.close(older).await;
        if let Some((token, end)) = access {
            self.seed(older, token, end);
        }
        Ok(Some(account))
    }

    /// The cell of an account, and nothing of it is saved by others while the guard is held.
    async fn claim(&self, id: &AccountId) -> (Arc<Cell>, OwnedMutexGuard<()>) {
        loop {
            let cell = self.cell(id);
            let saving = Arc::clone(&cell.saving).lock_owned().await;
            // Somebody else may have put another login in its place meanwhile.
            if Arc::ptr_eq(&cell, &self.cell(id)) {
                return (cell, saving);
            }
        }
    }
}
