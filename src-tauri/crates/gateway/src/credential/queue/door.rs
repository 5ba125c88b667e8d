//! Where a store's work is done: on a thread of its own, in order, with a deadline for every caller.
//!
//! A call that hangs makes the later ones time out; none of them is lost or reordered. Memory cannot block, so it is asked on the
//! spot: with paused time a deadline would otherwise pass while the thread is still at work.

use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use tokio::sync::oneshot;

use super::super::{CredentialStore, StoreError, StoreKind, StoreState};

pub(super) type Store = Arc<dyn CredentialStore>;
type Job = Box<dyn FnOnce(&mut Store) + Send>;

/// The way to a store. Clones share it.
#[derive(Clone)]
pub(super) struct Door {
    place: Place,
    seen: Arc<Mutex<Seen>>,
}

/// Where the work is done.
#[derive(Clone)]
enum Place {
    Here(Store),
    Thread(mpsc::Sender<Job>),
}

/// The store as seen by the last call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    pub(super) kind: StoreKind,
    pub(super) state: StoreState,
}

impl Door {
    /// Starts the store's thread, where it needs one.
    pub(super) fn open(store: Store) -> Self {
        let seen = Arc::new(Mutex::new(Seen { kind: store.kind(), state: store.state() }));
        let place = match store.kind() {
            StoreKind::Memory => Place::Here(store),
            StoreKind::Keychain | StoreKind::Vault => Place::Thread(start_thread(store)),
        };
        Self { place, seen }
    }

    /// As seen by the last call, a timed-out one included.
    pub(super) fn look(&self) -> Seen {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A call whose result shows the state of the store.
    pub(super) async fn call<T: Send + 'static>(
        &self,
        deadline: Duration,
        work: impl FnOnce(&dyn CredentialStore) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.job(deadline, true, move |store| work(&**store)).await
    }

    /// A call about the store: its result says nothing about the state, the store itself does.
    pub(super) async fn quietly<T: Send + 'static>(
        &self,
        deadline: Duration,
        work: impl FnOnce(&dyn CredentialStore) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.exchange(deadline, move |store| work(&**store)).await
    }

    /// The same, and the store may be another one afterwards.
    pub(super) async fn exchange<T: Send + 'static>(
        &self,
        deadline: Duration,
        work: impl FnOnce(&mut Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.job(deadline, false, work).await
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
        let gone = || StoreError::Failed(self.look().kind, "its thread has ended".into());
        match &self.place {
            Place::Here(store) => job(&mut Arc::clone(store)),
            Place::Thread(jobs) => jobs.send(Box::new(job)).map_err(|_| gone())?,
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
