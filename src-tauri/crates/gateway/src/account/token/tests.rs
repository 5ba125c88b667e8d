use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::{BoxFuture, join_all};
use tokio::sync::Semaphore;

use super::*;
use crate::account::{AccountState, test_account};
use crate::clock::ManualClock;
use crate::credential::{CredentialStore, MemoryStore, Secrets, StoreKind, StoreState};
use crate::data_dir::DataDir;
use crate::upstream::identity::{IdentityError, Refreshed};

/// A token endpoint that rotates: only the last refresh token it gave out is good.
struct FakeIdentity {
    calls: AtomicUsize,
    /// Lets an answer out; a test holds it back by taking the permits.
    gate: Semaphore,
    good: Mutex<String>,
    failures: Mutex<VecDeque<IdentityError>>,
    life: Mutex<Duration>,
}

impl Identity for FakeIdentity {
    fn refresh<'a>(
        &'a self,
        _account: &'a Account,
        secrets: &'a Secrets,
    ) -> BoxFuture<'a, Result<Refreshed, IdentityError>> {
        Box::pin(async move {
            let call = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
            let _open = self.gate.acquire().await.expect("never closed");
            if let Some(failure) = self.failures.lock().expect("lock").pop_front() {
                return Err(failure);
            }
            let sent = secrets.refresh_token.as_ref().map(|token| token.expose_secret().to_owned());
            let mut good = self.good.lock().expect("lock");
            if sent.as_deref() != Some(good.as_str()) {
                return Err(IdentityError::Dead("invalid_grant".into()));
            }
            *good = format!("refresh-{}", call + 1);
            Ok(Refreshed {
                access_token: SecretString::from(format!("access-{call}")),
                refresh_token: Some(SecretString::from(good.clone())),
                expires_in: Some(*self.life.lock().expect("lock")),
                profile_arn: Some("arn:aws:codewhisperer:us-east-1:111122223333:profile/P".into()),
            })
        })
    }
}

/// Memory that refuses to save a number of times.
#[derive(Default)]
struct StubbornStore {
    inner: MemoryStore,
    refusals: AtomicUsize,
}

impl CredentialStore for StubbornStore {
    fn kind(&self) -> StoreKind {
        StoreKind::Memory
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

struct House {
    _root: tempfile::TempDir,
    clock: Arc<ManualClock>,
    identity: Arc<FakeIdentity>,
    store: Arc<StubbornStore>,
    roster: Arc<Roster>,
    leases: Arc<Leases>,
    tracker: TaskTracker,
    tokens: Arc<Tokens>,
    account: Arc<Account>,
}

async fn house() -> House {
    let root = tempfile::tempdir().expect("temp dir");
    let dir = Arc::new(DataDir::open(Some(root.path().join("state"))).expect("opens"));
    let roster = Arc::new(Roster::open(dir).expect("opens"));
    let clock = Arc::new(ManualClock::new(Timestamp(1_000_000_000)));
    let leases = Arc::new(Leases::new(Arc::clone(&roster), clock.clone(), 2));
    let identity = Arc::new(FakeIdentity {
        calls: AtomicUsize::new(0),
        gate: Semaphore::new(1),
        good: Mutex::new("refresh-1".into()),
        failures: Mutex::default(),
        life: Mutex::new(Duration::from_secs(3600)),
    });
    let store = Arc::new(StubbornStore::default());
    let credentials = Credentials::new(store.clone());
    let tracker = TaskTracker::new();
    let tokens = Arc::new(Tokens::new(
        credentials.clone(),
        identity.clone(),
        Arc::clone(&roster),
        Arc::clone(&leases),
        clock.clone(),
        tracker.clone(),
    ));
    let account = roster.add(test_account("one")).expect("adds");
    let secrets = Secrets { refresh_token: Some(SecretString::from("refresh-1")), ..Secrets::default() };
    credentials.save(&SecretId::account(&account.id), &secrets).await.expect("saves");
    House { _root: root, clock, identity, store, roster, leases, tracker, tokens, account }
}

impl House {
    fn calls(&self) -> usize {
        self.identity.calls.load(Ordering::SeqCst)
    }

    fn stored(&self) -> String {
        let secrets = self.store.inner.load(&SecretId::account(&self.account.id)).expect("loads").expect("there");
        secrets.refresh_token.expect("a token").expose_secret().to_owned()
    }

    fn good(&self) -> String {
        self.identity.good.lock().expect("lock").clone()
    }
}

#[tokio::test]
async fn a_thousand_callers_share_one_refresh() {
    let house = house().await;
    let hold = house.identity.gate.acquire().await.expect("open");
    let callers = join_all((0..1_000).map(|_| house.tokens.access(&house.account)));
    let release = async {
        // The refresh is under way before it may be answered.
        while house.calls() == 0 {
            tokio::task::yield_now().await;
        }
        drop(hold);
    };
    let (answers, ()) = tokio::join!(callers, release);
    for answer in answers {
        assert_eq!(answer.expect("a token").expose(), "access-1");
    }
    assert_eq!(house.calls(), 1);
}

#[tokio::test]
async fn the_rotated_token_is_saved_before_the_access_token_is_seen() {
    let house = house().await;
    house.tokens.access(&house.account).await.expect("a token");
    assert_eq!(house.stored(), "refresh-2");
    assert_eq!(house.stored(), house.good());
    let arn = house.roster.get(&house.account.id).expect("there").profile_arn.clone();
    assert_eq!(arn.as_deref(), Some("arn:aws:codewhisperer:us-east-1:111122223333:profile/P"));
}

#[tokio::test]
async fn a_caller_that_leaves_does_not_take_the_rotated_token_with_it() {
    let house = house().await;
    let hold = house.identity.gate.acquire().await.expect("open");
    {
        let call = house.tokens.access(&house.account);
        tokio::pin!(call);
        tokio::select! {
            biased;
            _ = &mut call => panic!("held back"),
            () = async { while house.calls() == 0 { tokio::task::yield_now().await } } => {}
        }
    }
    drop(hold);
    house.tracker.close();
    house.tracker.wait().await;
    assert_eq!(house.stored(), house.good());
    assert_eq!(house.tokens.access(&house.account).await.expect("a token").expose(), "access-1");
    assert_eq!(house.calls(), 1);
}

#[tokio::test]
async fn a_token_that_is_due_is_used_while_the_next_one_is_bought() {
    let house = house().await;
    house.tokens.access(&house.account).await.expect("a token");
    house.clock.advance(Duration::from_secs(3600 * 9 / 10));
    assert_eq!(house.tokens.access(&house.account).await.expect("old").expose(), "access-1");
    while house.calls() < 2 || house.tokens.access(&house.account).await.expect("token").expose() == "access-1" {
        tokio::task::yield_now().await;
    }
    assert_eq!(house.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn trouble_on_the_way_keeps_the_old_token_until_it_expires() {
    let house = house().await;
    house.tokens.access(&house.account).await.expect("a token");
    let trouble = || IdentityError::Transient { message: "no connection".into(), retry_after: None };
    house.identity.failures.lock().expect("lock").extend([trouble(), trouble()]);
    house.clock.advance(Duration::from_secs(3300));
    assert_eq!(house.tokens.access(&house.account).await.expect("old").expose(), "access-1");
    while house.calls() < 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!(house.tokens.access(&house.account).await.expect("still old").expose(), "access-1");
    house.clock.advance(Duration::from_secs(300));
    let error = house.tokens.access(&house.account).await.expect_err("expired now");
    assert!(matches!(error, TokenError::Transient { .. }), "{error}");
    assert_eq!(house.leases.state(&house.account), AccountState::READY);
    // The endpoint is not asked again at once, and then it is.
    let before = house.calls();
    house.tokens.access(&house.account).await.expect_err("pausing");
    assert_eq!(house.calls(), before);
    tokio::time::advance(Duration::from_secs(120)).await;
    house.identity.failures.lock().expect("lock").clear();
    house.tokens.access(&house.account).await.expect("a token");
}

#[tokio::test]
async fn a_rejected_grant_asks_for_a_new_sign_in_and_says_so_in_the_roster() {
    let house = house().await;
    *house.identity.good.lock().expect("lock") = "another".into();
    let error = house.tokens.access(&house.account).await.expect_err("rejected");
    assert!(matches!(error, TokenError::NeedsLogin(_)), "{error}");
    assert!(matches!(house.leases.state(&house.account), AccountState::NeedsLogin { .. }));
    assert!(house.roster.get(&house.account.id).expect("there").stopped.is_some());
}

#[tokio::test]
async fn many_refused_requests_force_one_refresh_together() {
    let house = house().await;
    let old = house.tokens.access(&house.account).await.expect("a token");
    let forced = join_all((0..100).map(|_| house.tokens.refresh_rejected(&house.account, &old))).await;
    for token in forced {
        assert_eq!(token.expect("a token").expose(), "access-2");
    }
    // A straggler with the old token takes the new one and forces nothing.
    let late = house.tokens.refresh_rejected(&house.account, &old).await.expect("a token");
    assert_eq!((late.expose(), house.calls()), ("access-2", 2));
}

#[tokio::test(start_paused = true)]
async fn a_rotated_token_that_cannot_be_saved_is_used_kept_and_saved_later() {
    let house = house().await;
    house.store.refusals.store(2, Ordering::SeqCst);
    let token = house.tokens.access(&house.account).await.expect("used from memory");
    assert_eq!(house.stored(), "refresh-1");
    assert_eq!(house.tokens.unsaved(), std::slice::from_ref(&house.account.id));
    // The next refresh uses the token in memory, not the dead one in the store.
    house.tokens.refresh_rejected(&house.account, &token).await.expect("the chain goes on");
    house.tracker.close();
    house.tracker.wait().await;
    assert_eq!(house.tokens.unsaved(), []);
    assert_eq!(house.stored(), house.good());
}

#[tokio::test]
async fn another_account_is_not_held_up() {
    let house = house().await;
    let other = house.roster.add(test_account("two")).expect("adds");
    house.tokens.seed(&other.id, SecretString::from("seeded"), house.clock.now().plus(Duration::from_secs(600)));
    let _hold = house.identity.gate.acquire().await.expect("open");
    let stuck = house.tokens.access(&house.account);
    tokio::pin!(stuck);
    tokio::select! {
        biased;
        _ = &mut stuck => panic!("held back"),
        token = house.tokens.access(&other) => assert_eq!(token.expect("at once").expose(), "seeded"),
    }
}

#[tokio::test]
async fn an_api_key_is_the_bearer_itself_and_is_never_refreshed() {
    let house = house().await;
    let mut account = test_account("key");
    account.method = AuthMethod::ApiKey;
    let account = house.roster.add(account).expect("adds");
    let secrets = Secrets { api_key: Some(SecretString::from("ksk_x")), ..Secrets::default() };
    house.store.save(&SecretId::account(&account.id), &secrets).expect("saves");
    let token = house.tokens.access(&account).await.expect("the key");
    assert_eq!((token.expose(), token.expires_at()), ("ksk_x", None));
    house.tokens.refresh_rejected(&account, &token).await.expect_err("nothing to refresh");
    assert_eq!(house.calls(), 0);
}

#[tokio::test]
async fn a_token_never_appears_in_debug_output() {
    let house = house().await;
    let token = house.tokens.access(&house.account).await.expect("a token");
    assert!(!format!("{token:?} {:?}", house.tokens).contains("access-1"));
}
