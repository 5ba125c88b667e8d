//! The composition root: builds every part once, in order, and takes them down in the opposite order.

mod door;
mod follow;
mod given;
mod glance;
mod removal;

use crate::account::{Book, Leases, Roster, TokenParts, Tokens, installation_machine_id, system_machine_id};
use crate::admin_event::{AdminEvent, Announcer};
use crate::browser::{BrowserError, Browsers, SignInPages};
use crate::catalog::Catalog;
use crate::client_key::Keys;
use crate::clock::{Clock, Timestamp};
use crate::conditions::Conditions;
use crate::credential::{SecretId, open_store};
use crate::data_dir::{DataDir, DataDirError};
use crate::demo::Demo;
use crate::disk::{DiskLine, off_thread};
use crate::dispatch::{Dispatcher, Repeats};
use crate::error::OpenError;
use crate::flow::Flows;
use crate::health::Health;
use crate::http::body::Budget;
use crate::http::local;
use crate::inquiry::Inquiry;
use crate::inspect::Inspector;
use crate::kept::Kept;
use crate::login::{self, Logins, Registrations};
use crate::media::Media;
use crate::notify::Notifier;
use crate::options::{Options, check_endpoints};
use crate::pipeline::Pipeline;
use crate::pipeline::charges::{Charge, Charges};
use crate::pipeline::listing::Listing;
use crate::quota::{self, Quotas};
use crate::settings::Settings;
use crate::settings::store::SettingsStore;
use crate::status::ListenerState;
use crate::telemetry::Telemetry;
use crate::tokens::calibration::Calibration;
use crate::transfer::Desk;
use crate::trial::Trial;
use crate::upstream::http::Http;
use crate::upstream::identity::sign_in::SignIn;
use crate::upstream::identity::{AgentNames, HttpIdentity, Identity};
use crate::upstream::kiro::Kiro;
use crate::usage::{Ledger, Sums};
use door::Door;
use follow::follow_network;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long a stop waits for work that is not an answer, such as saving a rotated token.
const LAST_TASKS: Duration = Duration::from_secs(10);

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
    /// Opens the data directory and builds every part. Nothing listens for clients yet.
    pub async fn open(options: Options) -> Result<Self, OpenError> {
        if let Some(base) = &options.endpoints {
            check_endpoints(base)?;
        }
        let clock = Arc::clone(&options.clock);
        let wish = options.data_dir.clone();
        let dir = Arc::new(DataDir::open(wish.clone()).map_err(|error| data_dir_error(error, wish))?);
        let settings = Arc::new(SettingsStore::open(Arc::clone(&dir), &options.overrides)?);
        settings.inherit(&options.inherited);
        let now = settings.snapshot().settings;
        let telemetry = Telemetry::install(options.log, &dir, &now.logs);
        let announcer = Announcer::new();
        if let Some(told) = settings.recovered() {
            tracing::warn!("{told}");
        }
        for told in options.inherited.names.iter().filter(|told| told.effect.is_surprising()) {
            tracing::warn!(name = told.name, "{} {}", told.name, told.effect.words());
        }

        let credentials = open_store(&options.store, &dir).await.map_err(OpenError::Store)?;
        let saved = |error: &dyn std::fmt::Display, action: String| OpenError::Saved(format!("{error}. {action}"));
        let roster = Roster::open(Arc::clone(&dir)).map_err(|error| saved(&error, error.action()))?;
        let roster = Arc::new(roster);
        let concurrency = now.accounts.concurrency as usize;
        let disk = DiskLine::start();
        let leases = Leases::new(Arc::clone(&roster), Arc::clone(&clock), concurrency).with_disk(disk.clone());
        let leases = Arc::new(leases);
        leases.follow(now.selection());
        let internal = |error: &dyn std::fmt::Display| OpenError::Internal(error.to_string());
        let http = Http::new(options.endpoints.clone()).map_err(|error| internal(&error))?;
        let http = http.with_credentials(credentials.clone()).with_login(options.proxy_login.clone());
        let http = Arc::new(http.with_clock(Arc::clone(&clock)));
        follow_network(&http, &now.network).await;
        let names = AgentNames::default();
        let tasks = TaskTracker::new();
        let stop = CancellationToken::new();
        let pages = SignInPages::new(options.endpoints.clone());
        let browsers = Arc::new(Browsers::new(options.desktop.clone(), pages, tasks.clone(), stop.clone()));
        let identity: Arc<dyn Identity> = Arc::new(HttpIdentity::new(Arc::clone(&http), names.clone()));
        let tokens = Arc::new(Tokens::new(TokenParts {
            credentials: credentials.clone(),
            identity: Arc::clone(&identity),
            roster: Arc::clone(&roster),
            leases: Arc::clone(&leases),
            clock: Arc::clone(&clock),
            tracker: tasks.clone(),
            dir: Arc::clone(&dir),
        }));
        let book = Book { roster, leases, tokens, credentials: credentials.clone() };
        let machine_id = installation_machine_id(&dir, system_machine_id).map_err(|error| internal(&error))?;
        let kept = Kept::new(Arc::clone(&dir), credentials.clone(), Arc::clone(&clock), &machine_id);
        let kept = Arc::new(kept);
        kept.follow(&now.responses).await;
        let keys = Keys::open(Arc::clone(&dir), credentials, Arc::clone(&clock))
            .map_err(|error| saved(&error, error.action()))?;
        let sign_in = SignIn::new(Arc::clone(&http), names.clone(), &machine_id, options.endpoints.clone());
        let demo = Arc::new(Demo::new(
            options.demo.clone(),
            Arc::clone(&http),
            book.clone(),
            Arc::clone(&clock),
            machine_id.clone(),
        ));
        let catalog = Arc::new(Catalog::default());
        let dispatcher = Arc::new(Dispatcher {
            upstream: Arc::new(Kiro::new(Arc::clone(&http), names, now.limits.first_event())),
            leases: Arc::clone(&book.leases),
            tokens: Arc::clone(&book.tokens),
            catalog: Arc::clone(&catalog),
            clock: Arc::clone(&clock),
            demo: Some(Arc::clone(&demo)),
            repeats: Repeats::default(),
        });
        let trial = Trial::new(identity, Arc::clone(&dispatcher.upstream), Arc::clone(&clock));
        let inquiry = Inquiry::new(Arc::clone(&dispatcher));
        let notifier = Notifier::open(Arc::clone(&dir), Arc::clone(&clock), announcer.clone()).with_disk(disk.clone());
        let notifier = Arc::new(notifier);
        let means = quota::Means {
            inquiry: inquiry.clone(),
            roster: Arc::clone(&book.roster),
            leases: Arc::clone(&book.leases),
            notifier: Arc::clone(&notifier),
            clock: Arc::clone(&clock),
            dir: Arc::clone(&dir),
        };
        let quotas = Arc::new(Quotas::open(means, now.quota.clone()));
        let inspector =
            Inspector::new(inquiry.clone(), Arc::clone(&book.roster), Arc::clone(&catalog), Arc::clone(&quotas));
        let inspector = Arc::new(inspector);
        let health = Arc::new(Health::new(
            inquiry,
            Arc::clone(&book.roster),
            Arc::clone(&book.leases),
            Arc::clone(&catalog),
            now.quota.health_check(),
        ));
        let ledger = Arc::new(Ledger::open(Arc::clone(&dir), Arc::clone(&clock), None));
        let pipeline = Arc::new(Pipeline {
            dispatcher,
            catalog,
            roster: Arc::clone(&book.roster),
            listing: Listing::new(tasks.clone(), stop.clone()),
            media: Media::default(),
            calibration: Arc::new(Calibration::open(&dir)),
            tokenizer: Arc::default(),
            charges: bookkeepers(&ledger, &quotas, &health),
            recall: Arc::default(),
        });
        let flows = Flows::load(Some(Arc::clone(&dir)), Arc::clone(&clock), announcer.clone(), &now.flows);
        let flows = Arc::new(flows);
        let logins = Logins::new(login::Parts {
            sign_in,
            registrations: Registrations::open(Arc::clone(&dir), book.credentials.clone(), Arc::clone(&clock)),
            book: book.clone(),
            clock: Arc::clone(&clock),
            tasks: tasks.clone(),
            stop: stop.clone(),
            announcer: announcer.clone(),
            inspector: Arc::clone(&inspector),
            notifier: Arc::clone(&notifier),
            trial: trial.clone(),
            browsers: Arc::clone(&browsers),
            machine_id: machine_id.clone(),
        });
        let gateway = Self {
            parts: Arc::new(Parts {
                dir,
                disk,
                started_at: clock.now(),
                clock,
                settings,
                announcer,
                book,
                keys: Arc::new(keys),
                demo,
                http,
                pipeline,
                flows,
                kept,
                browsers,
                sign_in_windows: options.sign_in_windows,
                inspector,
                notifier,
                quotas,
                health,
                ledger,
                logins,
                machine_id,
                trial,
                desk: Arc::new(Desk::new(options.home.clone())),
                stop,
                cut: CancellationToken::new(),
                tasks,
                budget: Budget::default(),
                telemetry,
                door: Mutex::new(Door { state: ListenerState::Stopped, server: None, problem: None, background: None }),
                switching: tokio::sync::Mutex::new(()),
            }),
        };
        gateway.begin().await;
        gateway.take_in(options.inherited.logins.clone()).await;
        Ok(gateway)
    }

    /// What runs as long as the gateway is open.
    async fn begin(&self) {
        let parts = &self.parts;
        if let Err(error) = parts.keys.ensure_first().await {
            // A locked store: the key is made once it is unlocked.
            tracing::warn!(%error, "the first client key could not be made yet");
        }
        let router = self.admin_router();
        if let Err(error) = local::start(&parts.dir, router, &parts.tasks, parts.stop.clone()) {
            tracing::warn!(%error, "the local door for the command line could not be opened");
        }
        let finish = self.clone();
        parts.tasks.spawn(async move {
            if let Err(error) = finish.parts.book.credentials.finish_move(finish.secret_ids()).await {
                tracing::warn!(%error, "copies of secrets that an earlier move left could not be removed yet");
            }
            finish.finish_removals().await;
        });
        parts.tasks.spawn(self.clone().follow_settings());
        parts.tasks.spawn(self.clone().tell_status());
        parts.tasks.spawn(self.clone().follow_tokens());
        parts.tasks.spawn(Arc::clone(&parts.book.tokens).watch_owners(parts.stop.clone()));
        parts.tasks.spawn(Arc::clone(&parts.kept).run(parts.stop.clone()));
        parts.tasks.spawn(Arc::clone(&parts.flows).run(parts.stop.clone()));
        parts.tasks.spawn(Arc::clone(&parts.ledger).run(parts.stop.clone()));
        parts.tasks.spawn(Arc::clone(&parts.notifier).run(parts.stop.clone()));
        let conditions = Conditions {
            roster: Arc::clone(&parts.book.roster),
            leases: Arc::clone(&parts.book.leases),
            quotas: Arc::clone(&parts.quotas),
            notifier: Arc::clone(&parts.notifier),
            clock: Arc::clone(&parts.clock),
        };
        parts.tasks.spawn(conditions.run(parts.stop.clone()));
        tracing::info!(version = crate::VERSION, "opened");
    }

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

    /// Finishes open requests, stops everything and releases the data directory.
    pub async fn stop(&self) {
        let parts = &self.parts;
        {
            let _one = parts.switching.lock().await;
            self.close_door().await;
        }
        parts.cut.cancel();
        parts.stop.cancel();
        parts.tasks.close();
        if tokio::time::timeout(LAST_TASKS, parts.tasks.wait()).await.is_err() {
            tracing::warn!("some work did not end in time");
        }
        // However long the disk takes: what is written after the directory was released could undo what its next owner writes.
        parts.disk.caught_up().await;
        let gateway = self.clone();
        if let Err(error) = off_thread(move || gateway.save()).await {
            tracing::warn!(%error, "saving what is known met a fault");
        }
        tracing::info!("closed");
        parts.dir.release();
    }

    /// Keeps what was not saved yet. Blocks for disk syncs.
    fn save(&self) {
        let parts = &self.parts;
        if let Err(error) = parts.keys.flush() {
            tracing::warn!(%error, "when keys were last used could not be saved");
        }
        for saved in [parts.ledger.save(), parts.quotas.save(), parts.notifier.save()] {
            if let Err(error) = saved {
                tracing::warn!(%error, "what is known of usage and quotas could not be saved");
            }
        }
        if let Err(error) = parts.pipeline.calibration.save(&parts.dir) {
            tracing::warn!(%error, "what was learned of token counts could not be saved");
        }
    }

    /// Every record of secrets that there may be.
    pub(crate) fn secret_ids(&self) -> Vec<SecretId> {
        let parts = &self.parts;
        let (accounts, leaving, keys) = (parts.book.roster.list(), parts.book.roster.leaving(), parts.keys.list());
        let accounts = accounts.iter().chain(leaving.iter().map(|one| &one.account));
        let accounts = accounts.flat_map(|account| [SecretId::account(&account.id), SecretId::proxy(&account.id)]);
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

/// Who keeps books of what answers cost. The demo account's answers are made up: they cost nothing and are not counted.
fn bookkeepers(ledger: &Arc<Ledger>, quotas: &Arc<Quotas>, health: &Arc<Health>) -> Charges {
    let (ledger, quotas, health) = (Arc::clone(ledger), Arc::clone(quotas), Arc::clone(health));
    Charges::new(vec![Box::new(move |charge: &Charge<'_>| {
        let Charge { account, model, key, request, usage } = charge;
        if account.is_demo() {
            return;
        }
        let Some(usage) = usage else {
            health.used(&account.id);
            if *request {
                ledger.add(&account.id, model, key, &Sums { requests: 1, ..Sums::default() });
            }
            return;
        };
        let credits = usage.credits.unwrap_or(0.0);
        let sums = Sums {
            requests: 0,
            credits,
            input_tokens: usage.input_tokens.unwrap_or(0),
            output_tokens: usage.output_tokens.unwrap_or(0),
        };
        ledger.add(&account.id, model, key, &sums);
        quotas.spent(account, credits);
    })])
}

fn data_dir_error(error: DataDirError, wish: Option<std::path::PathBuf>) -> OpenError {
    match error {
        DataDirError::Locked { path, holder } => OpenError::Locked { path, holder },
        DataDirError::NoHome
        | DataDirError::Symlink { .. }
        | DataDirError::NotADirectory { .. }
        | DataDirError::NotOurs { .. }
        | DataDirError::Unwritable { .. } => {
            OpenError::DataDir { path: wish.unwrap_or_default(), reason: format!("{error}. {}", error.action()) }
        }
    }
}

#[cfg(test)]
mod tests;
