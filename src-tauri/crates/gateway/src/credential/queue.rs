//! The async door to a store: one thread does all its work, in order, and every caller has a deadline.
//!
//! Why one thread: keychain calls block, may wait for a person, and on Windows calls on one entry from several threads are
//! not ordered. A call that hangs makes the later ones time out; none of them is lost or reordered, and none sees half a move
//! to another store. Memory cannot block, so it is asked on the spot: with paused time a deadline would otherwise pass while
//! the thread is still at work.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use secrecy::SecretString;
use tokio::sync::oneshot;

use crate::account::AccountId;

use super::choice::Places;
use super::migrate::{self, MoveTo};
use super::vault::{Argon2id, acceptable};
use super::{
    CredentialStore, SecretId, Secrets, StoreError, StoreKind, StoreState, VaultFacts, VaultKeySource, VaultStore,
};

type Store = Arc<dyn CredentialStore>;
type Job = Box<dyn FnOnce(&mut Store) + Send>;

/// How long a probe at start may take: a keychain that is silent must not keep the program from starting.
const PROBE_DEADLINE: Duration = Duration::from_secs(2);
/// How long any other call may take; a person may be typing a password.
const CALL_DEADLINE: Duration = Duration::from_secs(30);
/// How long work on all records may take.
const WHOLE_DEADLINE: Duration = Duration::from_secs(600);

/// Where the work is done.
#[derive(Clone)]
enum Door {
    Here(Store),
    Thread(mpsc::Sender<Job>),
}

/// The store as seen by the last call.
#[derive(Debug, Clone, Copy)]
struct Seen {
    kind: StoreKind,
    state: StoreState,
}

/// A store with its thread. Cheap to clone.
#[derive(Clone)]
pub struct Credentials {
    door: Door,
    seen: Arc<Mutex<Seen>>,
    /// Where the store can be changed; `None` for stores that were made by hand.
    places: Option<Arc<Places>>,
    /// Records saved by this process: a move must not miss one that no list names yet.
    saved: Arc<Mutex<BTreeSet<SecretId>>>,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("seen", &self.look()).finish_non_exhaustive()
    }
}

impl Credentials {
    /// Starts the store's thread.
    pub fn new(store: Store) -> Self {
        let seen = Arc::new(Mutex::new(Seen { kind: store.kind(), state: store.state() }));
        let door = match store.kind() {
            StoreKind::Memory => Door::Here(store),
            StoreKind::Keychain | StoreKind::Vault => Door::Thread(start_thread(store)),
        };
        Self { door, seen, places: None, saved: Arc::default() }
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
        self.look().kind
    }

    /// As seen by the last call, a timed-out one included.
    pub fn state(&self) -> StoreState {
        self.look().state
    }

    fn look(&self) -> Seen {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the store works, found out by writing, reading and removing a random record within 2 s.
    pub async fn probe(&self) -> Result<(), StoreError> {
        self.call(PROBE_DEADLINE, |store| store.probe()).await
    }

    /// The record, or `None` when there is none.
    pub async fn load(&self, id: &SecretId) -> Result<Option<Secrets>, StoreError> {
        let id = id.clone();
        self.call(CALL_DEADLINE, move |store| store.load(&id)).await
    }

    /// The record as it was before the last save, until [`confirm`](Self::confirm) is called; `None` when nothing is kept.
    pub async fn load_previous(&self, id: &SecretId) -> Result<Option<Secrets>, StoreError> {
        let id = id.clone();
        self.call(CALL_DEADLINE, move |store| store.load_previous(&id)).await
    }

    /// The record as it is now has worked: what was kept from before it is removed. To be called only while the record
    /// that worked is the one saved last.
    pub async fn confirm(&self, id: &SecretId) -> Result<(), StoreError> {
        let id = id.clone();
        self.call(CALL_DEADLINE, move |store| store.confirm(&id)).await
    }

    /// Saves the record as one step. After `TimedOut` it may still be saved, before any later call.
    pub async fn save(&self, id: &SecretId, secrets: &Secrets) -> Result<(), StoreError> {
        let (id, secrets, saved) = (id.clone(), secrets.clone(), Arc::clone(&self.saved));
        self.call(CALL_DEADLINE, move |store| {
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
        self.call(CALL_DEADLINE, move |store| store.delete(&id)).await
    }

    /// Keeps a record that the store would not take in its second place, where it has one.
    pub async fn save_aside(&self, id: &SecretId, secrets: &Secrets) -> Result<(), StoreError> {
        let (id, secrets) = (id.clone(), secrets.clone());
        self.quietly(CALL_DEADLINE, move |store| store.save_aside(&id, &secrets)).await
    }

    /// The record in the second place.
    pub async fn load_aside(&self, id: &SecretId) -> Result<Option<Secrets>, StoreError> {
        let id = id.clone();
        self.quietly(CALL_DEADLINE, move |store| store.load_aside(&id)).await
    }

    /// Removes it from the second place; fine when it is not there.
    pub async fn drop_aside(&self, id: &SecretId) -> Result<(), StoreError> {
        let id = id.clone();
        self.quietly(CALL_DEADLINE, move |store| store.drop_aside(&id)).await
    }

    /// What can be told about the vault, locked or not; `None` when the store is no vault.
    pub async fn vault_facts(&self) -> Result<Option<VaultFacts>, StoreError> {
        self.quietly(CALL_DEADLINE, |store| store.vault().map(VaultStore::facts).transpose()).await
    }

    /// Makes the vault forget its key. Until it is unlocked no record can be loaded or saved.
    pub async fn lock(&self) -> Result<(), StoreError> {
        self.quietly(CALL_DEADLINE, |store| {
            vault_of(store)?.lock();
            Ok(())
        })
        .await
    }

    /// Gives a locked vault its key. A keychain is asked again whether it works.
    pub async fn unlock(&self, source: Option<VaultKeySource>) -> Result<(), StoreError> {
        let Some(source) = source else { return self.call(CALL_DEADLINE, |store| store.probe()).await };
        let places = self.places.clone();
        self.quietly(CALL_DEADLINE, move |store| {
            let vault = vault_of(store)?;
            let places = places.ok_or(StoreError::NotAVault(store.kind()))?;
            vault.unlock(source.for_vault(vault, &places.vault, &*places.files)?)
        })
        .await
    }

    /// Changes the vault's key to one from `source`; all records are sealed anew. Returns how many there are.
    pub async fn rekey(&self, source: VaultKeySource, recovery: Option<SecretString>) -> Result<usize, StoreError> {
        let places = self.places.clone();
        self.quietly(WHOLE_DEADLINE, move |store| {
            let vault = vault_of(store)?;
            let places = places.ok_or(StoreError::NotAVault(store.kind()))?;
            let (folder, files) = (places.vault.as_path(), &*places.files);
            if vault.is_locked() {
                return Err(StoreError::Locked(StoreKind::Vault));
            }
            if let Some(recovery) = &recovery {
                acceptable(recovery)?;
            }
            bring_home(store)?;
            let old = vault.header()?.key_source();
            let records =
                vault.rekey(source.for_rekey(folder, files)?, recovery.as_ref().zip(Some(&Argon2id::fresh())))?;
            if let Err(error) = source.accepted(old, folder, files) {
                tracing::warn!(%error, "the file of an automatic vault key could not be put in its place");
            }
            Ok(records)
        })
        .await
    }

    /// Moves the records `ids`, and those saved since the start, to the other store, which is used from then on. Returns how
    /// many there were.
    pub async fn move_to(&self, to: MoveTo, ids: Vec<SecretId>) -> Result<usize, StoreError> {
        let places = self.places.clone().ok_or(StoreError::NotAVault(self.kind()))?;
        if let MoveTo::Keychain = to {
            // On a thread of its own first: one that asks a person must not hold up the store in use.
            Self::new((places.keychain)()).probe().await?;
        }
        let saved = Arc::clone(&self.saved);
        self.job(WHOLE_DEADLINE, false, move |store| {
            let mut ids: BTreeSet<SecretId> = ids.into_iter().collect();
            ids.extend(bring_home(&**store)?);
            ids.extend(saved.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned());
            ids.extend(store.vault().map(VaultStore::ids).transpose()?.into_iter().flatten());
            // Another data directory may use it in the same keychain; ours has a name of its own by now.
            ids.remove(&SecretId::shared_kept_answers());
            migrate::run(store, &places, &to, &ids)
        })
        .await
    }

    /// Removes copies that an earlier move left behind, if any.
    pub(crate) async fn finish_move(&self, ids: Vec<SecretId>) -> Result<(), StoreError> {
        let Some(places) = self.places.clone() else { return Ok(()) };
        let ids: BTreeSet<SecretId> = ids.into_iter().collect();
        self.quietly(WHOLE_DEADLINE, move |_| migrate::finish(&places, &ids)).await
    }

    /// Records saved since the start.
    #[cfg(test)]
    pub(crate) fn saved(&self) -> BTreeSet<SecretId> {
        self.saved.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A call whose result shows the state of the store.
    async fn call<T: Send + 'static>(
        &self,
        deadline: Duration,
        work: impl FnOnce(&dyn CredentialStore) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.job(deadline, true, move |store| work(&**store)).await
    }

    /// A call about the store: its result says nothing about the state, the store itself does.
    async fn quietly<T: Send + 'static>(
        &self,
        deadline: Duration,
        work: impl FnOnce(&dyn CredentialStore) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.job(deadline, false, move |store| work(&**store)).await
    }

    async fn job<T: Send + 'static>(
        &self,
        deadline: Duration,
        telling: bool,
        work: impl FnOnce(&mut Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (done, answer) = oneshot::channel();
        let seen = Arc::clone(&self.seen);
        let job = move |store: &mut Store| {
            let result = work(store);
            let state = match &result {
                Err(error) if telling => error.state(),
                Ok(_) if telling => StoreState::Ready,
                Ok(_) | Err(_) => store.state(),
            };
            // Also when the caller has given up: a late answer is news about the store.
            *seen.lock().unwrap_or_else(PoisonError::into_inner) = Seen { kind: store.kind(), state };
            let _ = done.send(result);
        };
        let gone = || StoreError::Failed(self.kind(), "its thread has ended".into());
        match &self.door {
            Door::Here(store) => job(&mut Arc::clone(store)),
            Door::Thread(jobs) => jobs.send(Box::new(job)).map_err(|_| gone())?,
        }
        match tokio::time::timeout(deadline, answer).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(gone()),
            Err(_) => {
                let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
                seen.state = StoreState::TimedOut;
                Err(StoreError::TimedOut(seen.kind))
            }
        }
    }
}

/// What lies in the second place is newer than its record and sealed for this store as it is: it goes where it belongs first.
/// Answers which records those were.
fn bring_home(store: &dyn CredentialStore) -> Result<Vec<SecretId>, StoreError> {
    let waiting = store.waiting()?;
    for id in &waiting {
        let Some(secrets) = store.load_aside(id)? else { continue };
        store.save(id, &secrets).map_err(|error| {
            let told = format!(
                "a sign-in waits to be saved where it belongs, which is tried again and again; then this can be done. \
                 Just now: {error}"
            );
            StoreError::Failed(store.kind(), told)
        })?;
        store.drop_aside(id)?;
        tracing::info!(record = %id, "what waited in the second place was saved where it belongs");
    }
    Ok(waiting)
}

fn vault_of(store: &dyn CredentialStore) -> Result<&VaultStore, StoreError> {
    store.vault().ok_or(StoreError::NotAVault(store.kind()))
}

fn start_thread(mut store: Store) -> mpsc::Sender<Job> {
    let (jobs, queue) = mpsc::channel::<Job>();
    let started = std::thread::Builder::new().name("credentials".into()).spawn(move || {
        while let Ok(job) = queue.recv() {
            job(&mut store);
        }
    });
    if let Err(error) = started {
        // The queue's receiver is gone: every call answers "failed", which is what is true.
        tracing::error!(%error, "cannot start the thread for the credential store");
    }
    jobs
}
