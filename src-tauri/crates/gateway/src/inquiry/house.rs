//! Accounts with tokens, a scripted upstream, and a wall clock that goes with tokio's: for tests of whoever asks about accounts.

use super::Inquiry;
use crate::account::{Account, Leases, Roster, test_account};
use crate::catalog::Catalog;
use crate::clock::{Clock, Timestamp};
use crate::credential::{Credentials, Secrets};
use crate::data_dir::DataDir;
use crate::dispatch::house::{self, Plan};
use crate::upstream::identity::{Identity, IdentityError, Refreshed};
use crate::upstream::scripted::Scripted;
use futures_util::future::BoxFuture;
use secrecy::SecretString;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::Instant;

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
        let identity = Arc::new(Renewing::default());
        let base = house::House::new(Plan {
            accounts: (0..accounts).map(|n| test_account(&format!("account {n}"))).collect(),
            clock: Arc::new(PausedClock(Instant::now())),
            identity: Arc::clone(&identity) as Arc<dyn Identity>,
            concurrency: 100,
            disk: None,
            scenes: Vec::new(),
        });
        base.seed(|_| "token".to_owned());
        let house::House { folder, dir, clock, roster, leases, credentials, catalog, upstream, dispatcher, .. } = base;
        let inquiry = Inquiry::new(dispatcher);
        Self { folder, dir, clock, roster, leases, catalog, upstream, identity, inquiry, credentials }
    }

    /// Gives the account what a new token is bought with.
    pub(crate) async fn sign_in(&self, account: &Account) {
        house::sign_in(&self.credentials, account, "refresh").await;
    }

    pub(crate) fn account(&self, at: usize) -> Arc<Account> {
        Arc::clone(&self.roster.list()[at])
    }
}
