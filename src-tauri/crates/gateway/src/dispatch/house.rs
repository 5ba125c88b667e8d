//! Accounts behind a dispatcher, over a scripted upstream: what tests of whoever sends something begin with.

use super::Dispatcher;
use crate::account::{Account, Leases, Roster, TokenParts, Tokens};
use crate::catalog::Catalog;
use crate::clock::Clock;
use crate::credential::{Credentials, SecretId, Secrets};
use crate::data_dir::DataDir;
use crate::disk::DiskLine;
use crate::upstream::identity::Identity;
use crate::upstream::scripted::{Scene, Scripted};
use secrecy::SecretString;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::task::TaskTracker;

/// Longer than any test goes on.
const FRESH: Duration = Duration::from_secs(400 * 24 * 3600);

/// What a test decides.
pub(crate) struct Plan {
    pub(crate) accounts: Vec<Account>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) identity: Arc<dyn Identity>,
    /// Requests of one account at a time.
    pub(crate) concurrency: usize,
    /// Where what is saved in its turn is saved; as everywhere when `None`.
    pub(crate) disk: Option<DiskLine>,
    pub(crate) scenes: Vec<Scene>,
}

pub(crate) struct House {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) dir: Arc<DataDir>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) roster: Arc<Roster>,
    pub(crate) leases: Arc<Leases>,
    pub(crate) credentials: Credentials,
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) tracker: TaskTracker,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) upstream: Arc<Scripted>,
    pub(crate) dispatcher: Arc<Dispatcher>,
}

impl House {
    pub(crate) fn new(plan: Plan) -> Self {
        let Plan { accounts, clock, identity, concurrency, disk, scenes } = plan;
        let folder = tempfile::tempdir().expect("a folder");
        let dir = Arc::new(DataDir::open(Some(folder.path().join("data"))).expect("opened"));
        // At once: a thousand accounts are not a thousand waits for the disk.
        let stored = serde_json::json!({ "schema": 1, "accounts": accounts });
        dir.replace("accounts.json", stored.to_string().as_bytes()).expect("written");
        let roster = Arc::new(Roster::open(Arc::clone(&dir)).expect("opened"));
        let leases = Leases::new(Arc::clone(&roster), Arc::clone(&clock), concurrency);
        let leases = Arc::new(match disk {
            Some(disk) => leases.with_disk(disk),
            None => leases,
        });
        let (credentials, tracker) = (Credentials::in_memory(), TaskTracker::new());
        let tokens = Arc::new(Tokens::new(TokenParts {
            credentials: credentials.clone(),
            identity,
            roster: Arc::clone(&roster),
            leases: Arc::clone(&leases),
            clock: Arc::clone(&clock),
            tracker: tracker.clone(),
            dir: Arc::clone(&dir),
        }));
        let upstream = Scripted::new(scenes);
        let catalog = Arc::new(Catalog::default());
        let dispatcher = Arc::new(Dispatcher {
            upstream: upstream.clone(),
            leases: Arc::clone(&leases),
            tokens: Arc::clone(&tokens),
            catalog: Arc::clone(&catalog),
            clock: Arc::clone(&clock),
            demo: None,
            repeats: Default::default(),
        });
        Self { folder, dir, clock, roster, leases, credentials, tokens, tracker, catalog, upstream, dispatcher }
    }

    /// Gives every account an access token in memory, so that no store is asked on paused time.
    pub(crate) fn seed(&self, token: impl Fn(&Account) -> String) {
        for account in self.roster.list().iter() {
            self.tokens.seed(&account.id, SecretString::from(token(account)), self.clock.now().plus(FRESH));
        }
    }
}

/// Gives the account what a new token is bought with.
pub(crate) async fn sign_in(credentials: &Credentials, account: &Account, refresh_token: &str) {
    let secrets = Secrets { refresh_token: Some(SecretString::from(refresh_token)), ..Secrets::default() };
    credentials.save(&SecretId::account(&account.id), &secrets).await.expect("saved");
}
