//! Tokens over a token endpoint that rotates, a store that can refuse, and a clock that a test sets.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::BoxFuture;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use super::super::{TokenParts, Tokens};
use crate::account::{Account, Book, Leases, Roster, test_account};
use crate::clock::{ManualClock, Timestamp};
use crate::credential::{
    CredentialStore, Credentials, MemoryStore, SecretId, Secrets, StoreError, StoreKind, StoreState,
};
use crate::data_dir::DataDir;
use crate::upstream::identity::{Identity, IdentityError, Refreshed};

/// What goes wrong with one refresh.
pub(in crate::account::token) enum Trouble {
    /// The endpoint does nothing and says this.
    Before(IdentityError),
    /// The token is exchanged, and the answer is this instead.
    After(IdentityError),
}

/// A token endpoint that rotates: only the last refresh token it gave out for a chain is good. A chain is the part of a
/// token before the last dash.
pub(in crate::account::token) struct FakeIdentity {
    calls: AtomicUsize,
    /// Lets an answer out; a test holds it back by taking the permits.
    pub(in crate::account::token) gate: Semaphore,
    good: Mutex<Vec<String>>,
    pub(in crate::account::token) troubles: Mutex<VecDeque<Trouble>>,
    pub(in crate::account::token) life: Mutex<Duration>,
    /// The only sign-in region that knows the tokens, when it matters.
    pub(in crate::account::token) region: Mutex<Option<String>>,
    /// When each call came, by the test's clock of elapsed time, and for whom.
    pub(in crate::account::token) log: Mutex<Vec<(tokio::time::Instant, String)>>,
}

impl FakeIdentity {
    /// The token that is good in the chain of `token`.
    pub(in crate::account::token) fn good(&self, chain: &str) -> String {
        let good = self.good.lock().expect("lock");
        good.iter().find(|token| chain_of(token) == chain).cloned().expect("a known chain")
    }

    pub(in crate::account::token) fn set_good(&self, token: &str) {
        let mut good = self.good.lock().expect("lock");
        good.retain(|known| chain_of(known) != chain_of(token));
        good.push(token.to_owned());
    }
}

fn chain_of(token: &str) -> &str {
    token.rsplit_once('-').map_or(token, |(chain, _)| chain)
}

impl Identity for FakeIdentity {
    fn refresh<'a>(
        &'a self,
        account: &'a Account,
        secrets: &'a Secrets,
    ) -> BoxFuture<'a, Result<Refreshed, IdentityError>> {
        Box::pin(async move {
            let call = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
            self.log.lock().expect("lock").push((tokio::time::Instant::now(), account.label.clone()));
            let _open = self.gate.acquire().await.expect("never closed");
            let trouble = self.troubles.lock().expect("lock").pop_front();
            if let Some(Trouble::Before(error)) = trouble {
                return Err(error);
            }
            let region = self.region.lock().expect("lock").clone();
            let sent = secrets.refresh_token.as_ref().map(|token| token.expose_secret().to_owned()).unwrap_or_default();
            let mut good = self.good.lock().expect("lock");
            let known = good.iter_mut().find(|token| **token == sent);
            let Some(known) = known.filter(|_| region.is_none() || region == account.oidc_region) else {
                return Err(IdentityError::Rejected("invalid_grant".into()));
            };
            *known = format!("{}-{}", chain_of(&sent), call + 1);
            if let Some(Trouble::After(error)) = trouble {
                return Err(error);
            }
            Ok(Refreshed {
                access_token: SecretString::from(format!("access-{call}")),
                refresh_token: Some(SecretString::from(known.clone())),
                expires_in: Some(*self.life.lock().expect("lock")),
                profile_arn: Some("arn:aws:codewhisperer:us-east-1:111122223333:profile/P".into()),
            })
        })
    }
}

/// Memory that refuses to save a number of times.
#[derive(Default)]
pub(in crate::account::token) struct StubbornStore {
    pub(in crate::account::token) inner: MemoryStore,
    aside: MemoryStore,
    pub(in crate::account::token) refusals: AtomicUsize,
    /// Whether it is asked on a thread of its own, as the stores that wait for a disk are.
    apart: AtomicBool,
}

impl CredentialStore for StubbornStore {
    fn kind(&self) -> StoreKind {
        if self.apart.load(Ordering::SeqCst) { StoreKind::Vault } else { StoreKind::Memory }
    }
    fn state(&self) -> StoreState {
        StoreState::Ready
    }
    fn load(&self, id: &SecretId) -> Result<Option<Secrets>, StoreError> {
        self.inner.load(id)
    }
    fn load_previous(&self, id: &SecretId) -> Result<Option<Secrets>, StoreError> {
        self.inner.load_previous(id)
    }
    fn save_aside(&self, id: &SecretId, secrets: &Secrets) -> Result<(), StoreError> {
        self.aside.save(id, secrets)
    }
    fn load_aside(&self, id: &SecretId) -> Result<Option<Secrets>, StoreError> {
        self.aside.load(id)
    }
    fn drop_aside(&self, id: &SecretId) -> Result<(), StoreError> {
        self.aside.delete(id)
    }
    fn confirm(&self, id: &SecretId) -> Result<(), StoreError> {
        self.inner.confirm(id)
    }
    fn save(&self, id: &SecretId, secrets: &Secrets) -> Result<(), StoreError> {
        let refuse = self.refusals.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
        if refuse {
            Err(StoreError::Failed(StoreKind::Memory, "disk full".into()))
        } else {
            self.inner.save(id, secrets)
        }
    }
    fn delete(&self, id: &SecretId) -> Result<(), StoreError> {
        self.inner.delete(id)
    }
}

pub(in crate::account::token) struct House {
    _root: tempfile::TempDir,
    pub(in crate::account::token) dir: Arc<DataDir>,
    pub(in crate::account::token) clock: Arc<ManualClock>,
    pub(in crate::account::token) identity: Arc<FakeIdentity>,
    pub(in crate::account::token) store: Arc<StubbornStore>,
    pub(in crate::account::token) credentials: Credentials,
    pub(in crate::account::token) roster: Arc<Roster>,
    pub(in crate::account::token) leases: Arc<Leases>,
    pub(in crate::account::token) tracker: TaskTracker,
    pub(in crate::account::token) tokens: Arc<Tokens>,
    pub(in crate::account::token) account: Arc<Account>,
}

/// One social account whose refresh token is `refresh-1`.
pub(in crate::account::token) async fn house() -> House {
    let root = tempfile::tempdir().expect("temp dir");
    let dir = Arc::new(DataDir::open(Some(root.path().join("state"))).expect("opens"));
    let roster = Arc::new(Roster::open(Arc::clone(&dir)).expect("opens"));
    let clock = Arc::new(ManualClock::new(Timestamp(1_000_000_000)));
    let leases = Arc::new(Leases::new(Arc::clone(&roster), clock.clone(), 2));
    let identity = Arc::new(FakeIdentity {
        calls: AtomicUsize::new(0),
        gate: Semaphore::new(1),
        good: Mutex::default(),
        troubles: Mutex::default(),
        life: Mutex::new(Duration::from_secs(3600)),
        region: Mutex::default(),
        log: Mutex::default(),
    });
    let store = Arc::new(StubbornStore::default());
    let credentials = Credentials::new(store.clone());
    let tracker = TaskTracker::new();
    let tokens = Arc::new(Tokens::new(TokenParts {
        credentials: credentials.clone(),
        identity: identity.clone(),
        roster: Arc::clone(&roster),
        leases: Arc::clone(&leases),
        clock: clock.clone(),
        tracker: tracker.clone(),
        dir: Arc::clone(&dir),
    }));
    let account = Arc::new(test_account("one"));
    let house =
        House { _root: root, dir, clock, identity, store, credentials, roster, leases, tracker, tokens, account };
    let account = house.add(test_account("one"), "refresh-1").await;
    House { account, ..house }
}

impl House {
    pub(in crate::account::token) async fn add(&self, account: Account, refresh_token: &str) -> Arc<Account> {
        let account = self.roster.add(account).expect("adds");
        self.identity.set_good(refresh_token);
        let secrets = Secrets { refresh_token: Some(SecretString::from(refresh_token)), ..Secrets::default() };
        self.credentials.save(&SecretId::account(&account.id), &secrets).await.expect("saves");
        account
    }

    /// The same house with its secrets elsewhere.
    pub(in crate::account::token) fn with(self, credentials: Credentials) -> Self {
        Self { credentials, ..self }
    }

    /// The same house whose store is asked on a thread of its own.
    pub(in crate::account::token) fn with_store_apart(self) -> Self {
        self.store.apart.store(true, Ordering::SeqCst);
        let credentials = Credentials::new(self.store.clone());
        self.with(credentials).killed()
    }

    /// The same house after its process was killed: only what is on disk and in the store is left.
    pub(in crate::account::token) fn killed(self) -> Self {
        let tracker = TaskTracker::new();
        let roster = Arc::new(Roster::open(Arc::clone(&self.dir)).expect("opens"));
        let leases = Arc::new(Leases::new(Arc::clone(&roster), self.clock.clone(), 2));
        let tokens = Arc::new(Tokens::new(TokenParts {
            credentials: self.credentials.clone(),
            identity: self.identity.clone(),
            roster: Arc::clone(&roster),
            leases: Arc::clone(&leases),
            clock: self.clock.clone(),
            tracker: tracker.clone(),
            dir: Arc::clone(&self.dir),
        }));
        let account = roster.get(&self.account.id).expect("still listed");
        Self { roster, leases, tracker, tokens, account, ..self }
    }

    /// Accounts are added and removed through it.
    pub(in crate::account::token) fn book(&self) -> Book {
        Book {
            roster: Arc::clone(&self.roster),
            leases: Arc::clone(&self.leases),
            tokens: Arc::clone(&self.tokens),
            credentials: self.credentials.clone(),
        }
    }

    pub(in crate::account::token) fn calls(&self) -> usize {
        self.identity.calls.load(Ordering::SeqCst)
    }

    pub(in crate::account::token) fn stored(&self) -> String {
        let secrets = self.store.inner.load(&SecretId::account(&self.account.id)).expect("loads").expect("there");
        secrets.refresh_token.expect("a token").expose_secret().to_owned()
    }

    pub(in crate::account::token) fn good(&self) -> String {
        self.identity.good("refresh")
    }

    /// Both clocks move on together, second by second.
    pub(in crate::account::token) async fn pass(&self, time: Duration) {
        for _ in 0..time.as_secs() {
            self.clock.advance(Duration::from_secs(1));
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    /// Everything that was begun ends.
    pub(in crate::account::token) async fn settle(&self) {
        self.tracker.close();
        self.tracker.wait().await;
        self.tracker.reopen();
    }
}
