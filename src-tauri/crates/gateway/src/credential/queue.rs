//! The async door to a store: one thread does all its work, in order, and every caller has a deadline.
//!
//! Why one thread: keychain calls block, may wait for a person, and on Windows calls on one entry from several threads are
//! not ordered. A call that hangs makes the later ones time out; none of them is lost or reordered, and none sees half a move
//! to another store. Memory cannot block, so it is asked on the spot: with paused time a deadline would otherwise pass while
//! the thread is still at work.

mod door;
mod whole;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use secrecy::SecretString;

use crate::account::AccountId;

use super::choice::Places;
use super::{SecretId, Secrets, StoreError, StoreKind, StoreState};
use door::{Door, Store};

/// How long a probe at start may take: a keychain that is silent must not keep the program from starting.
const PROBE_DEADLINE: Duration = Duration::from_secs(2);
/// How long any other call may take; a person may be typing a password.
const CALL_DEADLINE: Duration = Duration::from_secs(30);

/// A store with its thread. Cheap to clone.
#[derive(Clone)]
pub struct Credentials {
    door: Door,
    /// Where the store can be changed; `None` for stores that were made by hand.
    places: Option<Arc<Places>>,
    /// Records saved by this process: a move must not miss one that no list names yet.
    saved: Arc<Mutex<BTreeSet<SecretId>>>,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("seen", &self.door.look()).finish_non_exhaustive()
    }
}

impl Credentials {
    /// Starts the store's thread.
    pub fn new(store: Store) -> Self {
        Self { door: Door::open(store), places: None, saved: Arc::default() }
    }

    /// The same for a store that can be changed for another one.
    pub(super) fn with_places(store: Store, places: Arc<Places>) -> Self {
        Self { places: Some(places), ..Self::new(store) }
    }

    /// A store that forgets; for tests and throw-away runs.
    pub fn in_memory() -> Self {
        Self::new(Arc::new(super::MemoryStore::default()))
    }

    /// Which store this is.
    pub fn kind(&self) -> StoreKind {
        self.door.look().kind
    }

    /// As seen by the last call, a timed-out one included.
    pub fn state(&self) -> StoreState {
        self.door.look().state
    }

    /// Whether the store works, found out by writing, reading and removing a random record within 2 s.
    pub async fn probe(&self) -> Result<(), StoreError> {
        self.door.call(PROBE_DEADLINE, |store| store.probe()).await
    }

    /// The record, or `None` when there is none.
    pub async fn load(&self, id: &SecretId) -> Result<Option<Secrets>, StoreError> {
        let id = id.clone();
        self.door.call(CALL_DEADLINE, move |store| store.load(&id)).await
    }

    /// The record as it was before the last save, until [`confirm`](Self::confirm) is called; `None` when nothing is kept.
    pub async fn load_previous(&self, id: &SecretId) -> Result<Option<Secrets>, StoreError> {
        let id = id.clone();
        self.door.call(CALL_DEADLINE, move |store| store.load_previous(&id)).await
    }

    /// The record as it is now has worked: what was kept from before it is removed. To be called only while the record
    /// that worked is the one saved last.
    pub async fn confirm(&self, id: &SecretId) -> Result<(), StoreError> {
        let id = id.clone();
        self.door.call(CALL_DEADLINE, move |store| store.confirm(&id)).await
    }

    /// Saves the record as one step. After `TimedOut` it may still be saved, before any later call.
    pub async fn save(&self, id: &SecretId, secrets: &Secrets) -> Result<(), StoreError> {
        let (id, secrets, saved) = (id.clone(), secrets.clone(), Arc::clone(&self.saved));
        self.door
            .call(CALL_DEADLINE, move |store| {
                let result = store.save(&id, &secrets);
                saved.lock().unwrap_or_else(PoisonError::into_inner).insert(id);
                result
            })
            .await
    }

    /// The user name and password at an account's own proxy, as `user:password`. They have a record of their own; those of
    /// accounts that were imported before it lie in the account's.
    pub async fn proxy_login(&self, id: &AccountId) -> Result<Option<SecretString>, StoreError> {
        let own = self.load(&SecretId::proxy(id)).await?;
        let found = match own {
            Some(own) => Some(own),
            None => self.load(&SecretId::account(id)).await?,
        };
        Ok(found.and_then(|secrets| secrets.proxy_credentials))
    }

    /// Removes the record; fine when there is none.
    pub async fn delete(&self, id: &SecretId) -> Result<(), StoreError> {
        let id = id.clone();
        self.door.call(CALL_DEADLINE, move |store| store.delete(&id)).await
    }

    /// Keeps a record that the store would not take in its second place, where it has one.
    pub async fn save_aside(&self, id: &SecretId, secrets: &Secrets) -> Result<(), StoreError> {
        let (id, secrets) = (id.clone(), secrets.clone());
        self.door.quietly(CALL_DEADLINE, move |store| store.save_aside(&id, &secrets)).await
    }

    /// The record in the second place.
    pub async fn load_aside(&self, id: &SecretId) -> Result<Option<Secrets>, StoreError> {
        let id = id.clone();
        self.door.quietly(CALL_DEADLINE, move |store| store.load_aside(&id)).await
    }

    /// Removes it from the second place; fine when it is not there.
    pub async fn drop_aside(&self, id: &SecretId) -> Result<(), StoreError> {
        let id = id.clone();
        self.door.quietly(CALL_DEADLINE, move |store| store.drop_aside(&id)).await
    }

    /// Records saved since the start.
    #[cfg(test)]
    pub(crate) fn saved(&self) -> BTreeSet<SecretId> {
        self.saved.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
