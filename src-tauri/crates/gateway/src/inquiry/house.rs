//! Accounts with tokens, a scripted upstream, and a wall clock that goes with tokio's: for tests of whoever asks about accounts.

use super::Inquiry;
use crate::account::{Account, Leases, Roster, TokenParts, Tokens, test_account};
use crate::catalog::Catalog;
use crate::clock::{Clock, Timestamp};
use crate::credential::{Credentials, SecretId, Secrets};
use crate::data_dir::DataDir;
use crate::dispatch::Dispatcher;
use crate::upstream::identity::{Identity, IdentityError, Refreshed};
use crate::upstream::scripted::Scripted;
use futures_util::future::BoxFuture;
use secrecy::SecretString;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

/// When every test begins.
pub(crate) const BEGIN: Timestamp = Timestamp::from_unix_seconds(1_765_000_000);

/// Wall time that moves with tokio's.
pub(crate) struct PausedClock(Instant);

impl Clock for PausedClock {
    fn now(&self) -> Timestamp {
        BEGIN.plus(self.0.elapsed())
    }
}

#[derive(Default)]
pub(crate) struct Renewing {
    pub(crate) bought: AtomicUsize,
}

impl Identity for Renewing {
    fn refresh<'a>(
        &'a self,
        _account: &'a Account,
        _secrets: &'a Secrets,
    ) -> BoxFuture<'a, Result<Refreshed, IdentityError>> {
        let number = self.bought.fetch_add(1, Ordering::SeqCst);
        Box::pin(std::future::ready(Ok(Refreshed {
            access_token: SecretString::from(format!("renewed-{number}")),
            refresh_token: None,
            expires_in: Some(Duration::from_secs(3600)),
            profile_arn: None,
        })))
    }
}

pub(crate) struct House {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) dir: Arc<DataDir>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) roster: Arc<Roster>,
    pub(crate) leases: Arc<Leases>,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) upstream: Arc<Scripted>,
    pub(crate) identity: Arc<Renewing>,
    pub(crate) inquiry: Inquiry,
    credentials: Credentials,
}

impl House {
    pub(crate) fn new(accounts: usize) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let dir = Arc::new(DataDir::open(Some(folder.path().join("data"))).expect("opened"));
        let clock: Arc<dyn Clock> = Arc::new(PausedClock(Instant::now()));
        let list: Vec<Arc<Account>> = (0..accounts).map(|n| Arc::new(test_account(&format!("account {n}")))).collect();
        let stored = serde_json::json!({ "schema": 1, "accounts": list });
        dir.replace("accounts.json", stored.to_string().as_bytes()).expect("written");
        let roster = Arc::new(Roster::open(Arc::clone(&dir)).expect("opened"));
        let leases = Arc::new(Leases::new(Arc::clone(&roster), Arc::clone(&clock), 100));
        let identity = Arc::new(Renewing::default());
        let credentials = Credentials::in_memory();
        let tokens = Arc::new(Tokens::new(TokenParts {
            credentials: credentials.clone(),
            identity: Arc::clone(&identity) as Arc<dyn Identity>,
            roster: Arc::clone(&roster),
            leases: Arc::clone(&leases),
            clock: Arc::clone(&clock),
            tracker: TaskTracker::new(),
            dir: Arc::clone(&dir),
        }));
        for account in roster.list().iter() {
            let end = clock.now().plus(Duration::from_secs(400 * 24 * 3600));
            tokens.seed(&account.id, SecretString::from("token"), end);
        }
        let upstream = Scripted::new(Vec::new());
        let catalog = Arc::new(Catalog::default());
        let dispatcher = Arc::new(Dispatcher {
            upstream: upstream.clone(),
            leases: Arc::clone(&leases),
            tokens,
            catalog: Arc::clone(&catalog),
            clock: Arc::clone(&clock),
            demo: None,
            repeats: Default::default(),
        });
        let inquiry = Inquiry::new(dispatcher);
        Self { folder, dir, clock, roster, leases, catalog, upstream, identity, inquiry, credentials }
    }

    /// Gives the account what a new token is bought with.
    pub(crate) async fn sign_in(&self, account: &Account) {
        let secrets = Secrets { refresh_token: Some(SecretString::from("refresh")), ..Secrets::default() };
        self.credentials.save(&SecretId::account(&account.id), &secrets).await.expect("saved");
    }

    pub(crate) fn account(&self, at: usize) -> Arc<Account> {
        Arc::clone(&self.roster.list()[at])
    }
}
