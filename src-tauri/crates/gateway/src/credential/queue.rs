//! The async door to a store: one thread does all its work, in order, and every caller has a deadline.
//!
//! Why one thread: keychain calls block, may wait for a person, and on Windows calls on one entry from several threads are
//! not ordered. A call that hangs makes the later ones time out; none of them is lost or reordered. Memory cannot block, so
//! it is asked on the spot: with paused time a deadline would otherwise pass while the thread is still at work.

use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use tokio::sync::oneshot;

use super::{CredentialStore, SecretId, Secrets, StoreError, StoreKind, StoreState};

type Job = Box<dyn FnOnce(&dyn CredentialStore) + Send>;

/// How long a probe at start may take.
const PROBE_DEADLINE: Duration = Duration::from_secs(5);
/// How long any other call may take; a person may be typing a password.
const CALL_DEADLINE: Duration = Duration::from_secs(30);

/// Where the work is done.
#[derive(Clone)]
enum Door {
    Here(Arc<dyn CredentialStore>),
    Thread(mpsc::Sender<Job>),
}

/// A store with its thread. Cheap to clone.
#[derive(Clone)]
pub struct Credentials {
    kind: StoreKind,
    door: Door,
    state: Arc<Mutex<StoreState>>,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("kind", &self.kind).field("state", &self.state()).finish_non_exhaustive()
    }
}

impl Credentials {
    /// Starts the store's thread.
    pub fn new(store: Arc<dyn CredentialStore>) -> Self {
        let kind = store.kind();
        let state = Arc::new(Mutex::new(store.state()));
        let door = match kind {
            StoreKind::Memory => Door::Here(store),
            StoreKind::Keychain | StoreKind::Vault => Door::Thread(start_thread(store)),
        };
        Self { kind, door, state }
    }

    /// A store that forgets; for tests and throw-away runs.
    pub fn in_memory() -> Self {
        Self::new(Arc::new(super::MemoryStore::default()))
    }

    /// Which store this is.
    pub fn kind(&self) -> StoreKind {
        self.kind
    }

    /// As seen by the last call, a timed-out one included.
    pub fn state(&self) -> StoreState {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the store works, found out by writing, reading and removing a random record within 5 s.
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
        let (id, secrets) = (id.clone(), secrets.clone());
        self.call(CALL_DEADLINE, move |store| store.save(&id, &secrets)).await
    }

    /// Removes the record; fine when there is none.
    pub async fn delete(&self, id: &SecretId) -> Result<(), StoreError> {
        let id = id.clone();
        self.call(CALL_DEADLINE, move |store| store.delete(&id)).await
    }

    async fn call<T: Send + 'static>(
        &self,
        deadline: Duration,
        work: impl FnOnce(&dyn CredentialStore) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (done, answer) = oneshot::channel();
        let seen = Arc::clone(&self.state);
        let job: Job = Box::new(move |store| {
            let result = work(store);
            // Also when the caller has given up: a late answer is news about the store.
            *seen.lock().unwrap_or_else(PoisonError::into_inner) = match &result {
                Ok(_) => StoreState::Ready,
                Err(error) => error.state(),
            };
            let _ = done.send(result);
        });
        let gone = || StoreError::Failed(self.kind, "its thread has ended".into());
        match &self.door {
            Door::Here(store) => job(store.as_ref()),
            Door::Thread(jobs) => jobs.send(job).map_err(|_| gone())?,
        }
        match tokio::time::timeout(deadline, answer).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(gone()),
            Err(_) => {
                *self.state.lock().unwrap_or_else(PoisonError::into_inner) = StoreState::TimedOut;
                Err(StoreError::TimedOut(self.kind))
            }
        }
    }
}

fn start_thread(store: Arc<dyn CredentialStore>) -> mpsc::Sender<Job> {
    let (jobs, queue) = mpsc::channel::<Job>();
    let started = std::thread::Builder::new().name("credentials".into()).spawn(move || {
        while let Ok(job) = queue.recv() {
            job(store.as_ref());
        }
    });
    if let Err(error) = started {
        // The queue's receiver is gone: every call answers "failed", which is what is true.
        tracing::error!(%error, "cannot start the thread for the credential store");
    }
    jobs
}
