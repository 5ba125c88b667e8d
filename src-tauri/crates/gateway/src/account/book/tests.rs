use futures_util::future::BoxFuture;
use secrecy::ExposeSecret;
use tokio_util::task::TaskTracker;

use super::*;
use crate::account::{AccountState, TokenParts, test_account};
use crate::clock::{Clock, ManualClock};
use crate::credential::{CredentialStore, MemoryStore, StoreKind, StoreState};
use crate::data_dir::DataDir;
use crate::upstream::identity::{Identity, IdentityError, Refreshed};

struct NoIdentity;

impl Identity for NoIdentity {
    fn refresh<'a>(&'a self, _: &'a Account, _: &'a Secrets) -> BoxFuture<'a, Result<Refreshed, IdentityError>> {
        Box::pin(async { Err(IdentityError::Dead("not here".into())) })
    }
}

/// A store that cannot save.
struct Full;

impl CredentialStore for Full {
    fn kind(&self) -> StoreKind {
        StoreKind::Memory
    }
    fn state(&self) -> StoreState {
        StoreState::Ready
    }
    fn load(&self, _: &SecretId) -> Result<Option<Secrets>, StoreError> {
        Ok(None)
    }
    fn load_previous(&self, _: &SecretId) -> Result<Option<Secrets>, StoreError> {
        Ok(None)
    }
    fn confirm(&self, _: &SecretId) -> Result<(), StoreError> {
        Ok(())
    }
    fn save(&self, _: &SecretId, _: &Secrets) -> Result<(), StoreError> {
        Err(StoreError::Locked(StoreKind::Memory))
    }
    fn delete(&self, _: &SecretId) -> Result<(), StoreError> {
        Ok(())
    }
}

fn book(store: Arc<dyn CredentialStore>) -> (tempfile::TempDir, Book) {
    let root = tempfile::tempdir().expect("temp dir");
    let dir = Arc::new(DataDir::open(Some(root.path().join("state"))).expect("opens"));
    let roster = Arc::new(Roster::open(Arc::clone(&dir)).expect("opens"));
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(Timestamp(1_000)));
    let leases = Arc::new(Leases::new(Arc::clone(&roster), Arc::clone(&clock), 2));
    let credentials = Credentials::new(store);
    let tokens = Tokens::new(TokenParts {
        credentials: credentials.clone(),
        identity: Arc::new(NoIdentity),
        roster: Arc::clone(&roster),
        leases: Arc::clone(&leases),
        clock,
        tracker: TaskTracker::new(),
        dir,
    });
    (root, Book { roster, leases, tokens: Arc::new(tokens), credentials })
}

fn offer(token: &str) -> NewAccount {
    let mut account = test_account("one");
    account.user_id = Some("d-1".into());
    NewAccount {
        account,
        secrets: Secrets { refresh_token: Some(SecretString::from(token)), ..Secrets::default() },
        access: Some((SecretString::from("access"), Timestamp(1_000_000))),
        warnings: Vec::new(),
    }
}

async fn stored(book: &Book, id: &AccountId) -> Option<String> {
    let secrets = book.credentials.load(&SecretId::account(id)).await.expect("loads")?;
    secrets.refresh_token.map(|token| token.expose_secret().to_owned())
}

#[tokio::test]
async fn an_added_account_has_its_secrets_and_its_imported_token() {
    let (_root, book) = book(Arc::new(MemoryStore::default()));
    let Added::New(account) = book.add(offer("first")).await.expect("adds") else { panic!("it is new") };
    assert_eq!(stored(&book, &account.id).await.as_deref(), Some("first"));
    assert_eq!(book.tokens.access(&account).await.expect("no refresh needed").expose(), "access");
    assert!(book.remove(&account.id).await.expect("removes"));
    assert_eq!(stored(&book, &account.id).await, None);
    assert!(!book.remove(&account.id).await.expect("nothing to do"));
}

#[tokio::test]
async fn a_known_account_is_left_alone_unless_it_waits_for_a_sign_in() {
    let (_root, book) = book(Arc::new(MemoryStore::default()));
    let Added::New(account) = book.add(offer("first")).await.expect("adds") else { panic!("it is new") };
    let Added::Known(known) = book.add(offer("second")).await.expect("known") else { panic!("it is known") };
    assert_eq!(known.id, account.id);
    assert_eq!(stored(&book, &account.id).await.as_deref(), Some("first"));

    book.leases.signal(&account.id, Signal::GrantRejected { reason: "gone".into() }).expect("saves");
    let Added::New(back) = book.add(offer("third")).await.expect("comes back") else { panic!("it is back") };
    assert_eq!((&back.id, back.added_at), (&account.id, account.added_at));
    assert_eq!(stored(&book, &account.id).await.as_deref(), Some("third"));
    assert_eq!(book.leases.state(&back), AccountState::READY);
    assert_eq!(book.roster.list().len(), 1);
}

#[tokio::test]
async fn an_import_does_not_end_a_suspension() {
    let (_root, book) = book(Arc::new(MemoryStore::default()));
    let Added::New(account) = book.add(offer("first")).await.expect("adds") else { panic!("it is new") };
    book.leases.signal(&account.id, Signal::SuspendedUpstream { reason: "locked".into() }).expect("saves");
    let Added::Known(_) = book.add(offer("second")).await.expect("known") else { panic!("it is known") };
    assert!(matches!(book.leases.state(&account), AccountState::Suspended { .. }));
}

#[tokio::test]
async fn what_stopped_an_account_while_it_was_away_is_saved_when_it_is_taken_back_and_gone_with_it() {
    let (_root, book) = book(Arc::new(MemoryStore::default()));
    let Added::New(account) = book.add(offer("first")).await.expect("adds") else { panic!("it is new") };
    book.begin_removal(&account.id, Some(Timestamp(9_000))).expect("saves").expect("was there");
    book.leases.signal(&account.id, Signal::SuspendedUpstream { reason: "locked".into() }).expect("kept");
    let back = book.take_back(&account.id).expect("saves").expect("in time");
    assert!(matches!(book.leases.state(&back), AccountState::Suspended { .. }));
    let saved = book.roster.get(&account.id).expect("there").stopped.clone().expect("saved");
    assert_eq!((saved.kind, saved.reason.as_str()), (StoppedKind::Suspended, "locked"));

    assert!(book.remove(&account.id).await.expect("removes"));
    book.roster.add(Account::clone(&account)).expect("adds");
    assert_eq!(book.leases.state(&account), AccountState::READY);
}

#[tokio::test]
async fn without_a_place_for_its_secrets_no_account_is_added() {
    let (_root, book) = book(Arc::new(Full));
    assert_eq!(book.add(offer("first")).await.expect_err("refused").code(), "store_locked");
    assert!(book.roster.list().is_empty());
}

#[tokio::test]
async fn the_login_at_a_proxy_has_a_record_of_its_own_that_goes_with_the_account() {
    let store = Arc::new(MemoryStore::default());
    let (_root, book) = book(store);
    let mut new = offer("one");
    let login = || Some(SecretString::from("me:secret"));
    new.secrets.proxy_credentials = login();
    let Added::New(account) = book.add(new).await.expect("adds") else { panic!("it is new") };
    let shown = |login: Option<SecretString>| login.map(|login| login.expose_secret().to_owned());
    let found = book.credentials.proxy_login(&account.id).await.expect("loads");
    assert_eq!(shown(found).as_deref(), Some("me:secret"));
    let own = book.credentials.load(&SecretId::account(&account.id)).await.expect("loads").expect("there");
    assert!(own.proxy_credentials.is_none(), "not in the record that rotations write");
    assert!(book.remove(&account.id).await.expect("removes"));
    assert!(book.credentials.load(&SecretId::proxy(&account.id)).await.expect("loads").is_none());

    // As earlier imports kept it.
    let old = Secrets { proxy_credentials: login(), ..Secrets::default() };
    book.credentials.save(&SecretId::account(&account.id), &old).await.expect("saves");
    let found = book.credentials.proxy_login(&account.id).await.expect("loads");
    assert_eq!(shown(found).as_deref(), Some("me:secret"), "still found");
}

/// A store that lets something happen while it saves, as a keychain that takes its time does.
struct Slow {
    inner: MemoryStore,
    meanwhile: std::sync::Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl CredentialStore for Slow {
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
        if let Some(meanwhile) = self.meanwhile.lock().expect("lock").take() {
            meanwhile();
        }
        self.inner.save(id, secrets)
    }
    fn delete(&self, id: &SecretId) -> Result<(), StoreError> {
        self.inner.delete(id)
    }
}

#[tokio::test]
async fn what_happens_to_an_account_while_its_new_sign_in_is_saved_stays() {
    let store = Arc::new(Slow { inner: MemoryStore::default(), meanwhile: std::sync::Mutex::default() });
    let (_root, book) = book(Arc::clone(&store) as Arc<dyn CredentialStore>);
    let Added::New(account) = book.add(offer("first")).await.expect("adds") else { panic!("it is new") };
    let (roster, leases, id) = (Arc::clone(&book.roster), Arc::clone(&book.leases), account.id.clone());
    *store.meanwhile.lock().expect("lock") = Some(Box::new(move || {
        roster.update(&id, |account| account.wishes.note = "changed meanwhile".into()).expect("saves");
        leases.signal_soon(&id, Signal::SuspendedUpstream { reason: "locked".into() });
    }));
    let mut again = offer("second");
    again.account.origin = AccountOrigin::SignedIn;
    let Added::New(back) = book.add(again).await.expect("signed in again") else { panic!("it counts") };
    assert_eq!((&back.id, back.wishes.note.as_str()), (&account.id, "changed meanwhile"));
    assert_eq!(stored(&book, &account.id).await.as_deref(), Some("second"));
    assert!(matches!(book.leases.state(&back), AccountState::Suspended { .. }), "a sign-in ends no suspension");
    let kept = book.roster.get(&account.id).expect("there").stopped.clone().map(|stopped| stopped.kind);
    assert_eq!(kept, Some(StoppedKind::Suspended), "also after a restart");
}
