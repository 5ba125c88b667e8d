//! The demo account: its stand-in is started on first use, inside this process, and its answers never touch the network.

use crate::account::{Account, AccountId, AccountOrigin, Book, BookError, NewAccount, Signal};
use crate::clock::Clock;
use crate::options::{DemoHost, DemoSession};
use crate::transfer::{ImportContext, import};
use crate::upstream::http::Http;
use std::sync::Arc;
use tokio::sync::OnceCell;

/// Why there is no demo account.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DemoError {
    /// This face has none to offer.
    #[error("this program has no demo account to offer")]
    Unavailable,
    /// The stand-in did not start.
    #[error("the demo account's stand-in did not start: {0}")]
    Start(String),
    /// The account could not be added.
    #[error(transparent)]
    Book(#[from] BookError),
}

/// Starts the stand-in and keeps its account in step with it.
pub(crate) struct Demo {
    host: Option<Arc<dyn DemoHost>>,
    http: Arc<Http>,
    book: Book,
    clock: Arc<dyn Clock>,
    machine_id: String,
    session: OnceCell<DemoSession>,
}

impl Demo {
    pub(crate) fn new(
        host: Option<Arc<dyn DemoHost>>,
        http: Arc<Http>,
        book: Book,
        clock: Arc<dyn Clock>,
        machine_id: String,
    ) -> Self {
        Self { host, http, book, clock, machine_id, session: OnceCell::new() }
    }

    /// Adds the demo account, or answers the one that is there.
    pub(crate) async fn add(&self) -> Result<Arc<Account>, DemoError> {
        self.ready().await?;
        if let Some(known) = self.known() {
            return Ok(known);
        }
        let new = self.credentials()?;
        match self.book.add(new).await? {
            crate::account::Added::New(account) | crate::account::Added::Known(account) => Ok(account),
        }
    }

    /// Makes sure that the stand-in runs. A stand-in that was just started knows nothing of tokens from earlier runs, so
    /// the account's secrets are set to what it accepts.
    pub(crate) async fn ready(&self) -> Result<(), DemoError> {
        self.session
            .get_or_try_init(|| async {
                let host = self.host.as_ref().ok_or(DemoError::Unavailable)?;
                let session = host.start().await.map_err(|error| DemoError::Start(error.to_string()))?;
                self.http.set_demo(session.url.clone());
                if let Some(known) = self.known() {
                    let new = self.read(&session)?;
                    let id = known.id.clone();
                    self.book.credentials.save(&known.secret_id(), &new.secrets).await.map_err(BookError::from)?;
                    self.book.tokens.forget(&id);
                    self.book.leases.signal_soon(&id, Signal::LoggedIn);
                }
                Ok(session)
            })
            .await
            .map(|_| ())
    }

    fn known(&self) -> Option<Arc<Account>> {
        self.book.roster.list().iter().find(|account| account.is_demo()).cloned()
    }

    fn credentials(&self) -> Result<NewAccount, DemoError> {
        let session = self.session.get().ok_or(DemoError::Unavailable)?;
        self.read(session)
    }

    fn read(&self, session: &DemoSession) -> Result<NewAccount, DemoError> {
        let context =
            ImportContext { now: self.clock.now(), machine_id: self.machine_id.clone(), origin: AccountOrigin::Demo };
        let report = import(&session.credentials.to_string(), &[], &context);
        let mut new = report
            .accounts
            .into_iter()
            .next()
            .ok_or_else(|| DemoError::Start("its credentials cannot be read".to_owned()))?;
        new.account.id = AccountId::random();
        new.account.label = "Demo".to_owned();
        Ok(new)
    }
}
