//! Builds every part once, in order: each is handed what it needs, and nothing reaches for anything.

use super::books::bookkeepers;
use super::door::Door;
use super::follow::follow_network;
use super::{Gateway, Parts};
use crate::account::{Book, Leases, Roster, TokenParts, Tokens, installation_machine_id, system_machine_id};
use crate::admin_event::Announcer;
use crate::browser::{Browsers, SignInPages};
use crate::catalog::Catalog;
use crate::client_key::Keys;
use crate::credential::open_store;
use crate::data_dir::{DataDir, DataDirError};
use crate::demo::Demo;
use crate::disk::DiskLine;
use crate::dispatch::{Dispatcher, Repeats};
use crate::error::OpenError;
use crate::flow::Flows;
use crate::health::Health;
use crate::http::body::Budget;
use crate::inquiry::Inquiry;
use crate::inspect::Inspector;
use crate::kept::Kept;
use crate::login::{self, Logins, Registrations};
use crate::media::Media;
use crate::notify::Notifier;
use crate::options::{Options, check_endpoints};
use crate::pipeline::Pipeline;
use crate::pipeline::listing::Listing;
use crate::quota::{self, Quotas};
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
use crate::usage::Ledger;
use std::sync::{Arc, Mutex};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

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
