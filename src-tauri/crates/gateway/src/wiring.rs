//! The composition root: every part, built once, in order (`build`), and taken down in the opposite order (`course`).

mod books;
mod build;
mod course;
mod door;
mod follow;
mod given;
mod glance;
mod removal;

use crate::account::Book;
use crate::admin_event::{AdminEvent, Announcer};
use crate::browser::{BrowserError, Browsers};
use crate::client_key::Keys;
use crate::clock::{Clock, Timestamp};
use crate::credential::SecretId;
use crate::data_dir::DataDir;
use crate::demo::Demo;
use crate::disk::DiskLine;
use crate::flow::Flows;
use crate::health::Health;
use crate::http::body::Budget;
use crate::inspect::Inspector;
use crate::kept::Kept;
use crate::login::Logins;
use crate::notify::Notifier;
use crate::pipeline::Pipeline;
use crate::quota::Quotas;
use crate::settings::Settings;
use crate::settings::store::SettingsStore;
use crate::telemetry::Telemetry;
use crate::transfer::Desk;
use crate::trial::Trial;
use crate::upstream::http::Http;
use crate::usage::Ledger;
use door::Door;
use std::sync::{Arc, Mutex};
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A running gateway. Clones share it.
#[derive(Clone)]
pub struct Gateway {
    pub(crate) parts: Arc<Parts>,
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gateway").field("data_dir", &self.parts.dir.path()).finish_non_exhaustive()
    }
}

/// Every part, built once.
pub(crate) struct Parts {
    pub(crate) dir: Arc<DataDir>,
    /// What is saved in its turn.
    disk: DiskLine,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) settings: Arc<SettingsStore>,
    pub(crate) announcer: Announcer,
    pub(crate) book: Book,
    pub(crate) keys: Arc<Keys>,
    pub(crate) demo: Arc<Demo>,
    pub(crate) http: Arc<Http>,
    pub(crate) pipeline: Arc<Pipeline>,
    pub(crate) flows: Arc<Flows>,
    pub(crate) kept: Arc<Kept>,
    pub(crate) browsers: Arc<Browsers>,
    /// Whether the face opens sign-in windows of its own.
    pub(crate) sign_in_windows: bool,
    pub(crate) inspector: Arc<Inspector>,
    pub(crate) notifier: Arc<Notifier>,
    pub(crate) quotas: Arc<Quotas>,
    pub(crate) health: Arc<Health>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) logins: Logins,
    pub(crate) machine_id: String,
    pub(crate) trial: Trial,
    pub(crate) desk: Arc<Desk>,
    /// Ends everything that is not an answer.
    pub(crate) stop: CancellationToken,
    /// Ends the answers of the admin API.
    pub(crate) cut: CancellationToken,
    pub(crate) tasks: TaskTracker,
    started_at: Timestamp,
    budget: Budget,
    telemetry: Telemetry,
    door: Mutex<Door>,
    /// One opening or closing at a time.
    switching: tokio::sync::Mutex<()>,
}

impl Gateway {
    /// The admin API.
    pub fn admin_router(&self) -> axum::Router {
        crate::http::admin::router(self.clone())
    }

    /// What changes, from now on.
    pub fn events(&self) -> broadcast::Receiver<AdminEvent> {
        self.parts.announcer.subscribe()
    }

    /// Opens a sign-in page in a browser of this machine: `browser` is a [`BrowserKind`](crate::BrowserKind)'s id, by
    /// default the one in which links open.
    pub async fn open_page(&self, url: &url::Url, browser: Option<&str>, private: bool) -> Result<(), BrowserError> {
        self.parts.browsers.open(url, browser, private).await
    }

    /// The settings now.
    pub fn settings(&self) -> Arc<Settings> {
        self.parts.settings.snapshot().settings
    }

    /// Every record of secrets that there may be.
    pub(crate) fn secret_ids(&self) -> Vec<SecretId> {
        let parts = &self.parts;
        let (accounts, leaving, keys) = (parts.book.roster.list(), parts.book.roster.leaving(), parts.keys.list());
        let accounts = accounts.iter().chain(leaving.iter().map(|one| &one.account));
        let accounts = accounts.flat_map(|account| [account.secret_id(), SecretId::proxy(&account.id)]);
        let keys = keys.iter().map(|key| SecretId::client_key(key.id.as_str()));
        accounts
            .chain(keys)
            .chain(parts.logins.registrations())
            .chain([parts.kept.secret_id(), SecretId::proxy_of_all()])
            .collect()
    }

    /// Tells everybody the status as it is now.
    pub(crate) fn announce(&self) {
        self.parts.announcer.tell(AdminEvent::Status { status: Box::new(self.status()) });
    }
}

#[cfg(test)]
mod tests;
