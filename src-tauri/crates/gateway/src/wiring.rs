//! The composition root: builds every part once, in order, and takes them down in the opposite order.

mod given;
mod removal;

use crate::account::{
    AccountId, Book, CutShort, Leases, Roster, TokenNews, TokenParts, Tokens, installation_machine_id,
    system_machine_id,
};
use crate::admin_event::{AdminEvent, Announcer};
use crate::background;
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
use crate::error::{OpenError, Problem, ProblemCode};
use crate::flow::Flows;
use crate::health::Health;
use crate::http::body::Budget;
use crate::http::client_api::ClientApi;
use crate::http::holder;
use crate::http::listener::{Bound, Server};
use crate::http::local;
use crate::inquiry::Inquiry;
use crate::inspect::Inspector;
use crate::kept::Kept;
use crate::login::{self, Logins, Registrations};
use crate::media::Media;
use crate::notify::{NotificationKind, Notifier};
use crate::options::{Options, check_endpoints};
use crate::pipeline::Pipeline;
use crate::pipeline::charges::{Charge, Charges};
use crate::pipeline::listing::Listing;
use crate::quota::{self, Quotas};
use crate::settings::store::SettingsStore;
use crate::settings::{NetworkSettings, Settings};
use crate::status::{AccountCounts, ListenerState, RefreshStatus, Status, StoreStatus};
use crate::telemetry::Telemetry;
use crate::tokens::calibration::Calibration;
use crate::transfer::Desk;
use crate::trial::Trial;
use crate::upstream::http::{Http, extra_roots};
use crate::upstream::identity::sign_in::SignIn;
use crate::upstream::identity::{AgentNames, HttpIdentity, Identity};
use crate::upstream::kiro::Kiro;
use crate::usage::{Ledger, Sums};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long a stop waits for work that is not an answer, such as saving a rotated token.
const LAST_TASKS: Duration = Duration::from_secs(10);
/// Changes that come in bursts are told once.
const BURST: Duration = Duration::from_millis(150);

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

/// The door for clients, as it stands.
struct Door {
    state: ListenerState,
    server: Option<Server>,
    problem: Option<Problem>,
    background: Option<CancellationToken>,
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

    /// Opens or closes the door for clients.
    pub async fn set_listening(&self, listening: bool) -> Result<Status, Problem> {
        let gateway = self.clone();
        // A face that stops waiting must not leave the door half open.
        let switched = self.parts.tasks.spawn(async move {
            let _one = gateway.parts.switching.lock().await;
            if listening {
                gateway.listen().await
            } else {
                gateway.close_door().await;
                Ok(())
            }
        });
        switched.await.map_err(|_| Problem::new(ProblemCode::Internal, "the switch met a fault of ours"))??;
        Ok(self.status())
    }

    async fn listen(&self) -> Result<(), Problem> {
        if self.parts.stop.is_cancelled() {
            return Err(Problem::new(ProblemCode::Stopping, "the gateway is stopping"));
        }
        if self.door().server.is_some() {
            return Ok(());
        }
        self.change(|door| {
            door.state = ListenerState::Starting;
            door.problem = None;
        });
        match self.open_door().await {
            Ok(server) => {
                let background = self.parts.stop.child_token();
                let ahead = background::Tasks {
                    pipeline: Arc::clone(&self.parts.pipeline),
                    quotas: Arc::clone(&self.parts.quotas),
                    health: Arc::clone(&self.parts.health),
                };
                ahead.start(&self.parts.tasks, &background);
                let tokens = Arc::clone(&self.parts.book.tokens);
                self.parts.tasks.spawn(tokens.keep_fresh(background.clone()));
                tracing::info!(addresses = ?server.addresses(), "clients can connect");
                self.change(|door| {
                    door.state = ListenerState::Running;
                    door.server = Some(server);
                    door.background = Some(background);
                });
                Ok(())
            }
            Err(problem) => {
                tracing::error!(%problem, "clients cannot connect");
                self.change(|door| {
                    door.state = ListenerState::Failed;
                    door.problem = Some(problem.clone());
                });
                Err(problem)
            }
        }
    }

    async fn open_door(&self) -> Result<Server, Problem> {
        let parts = &self.parts;
        if let Err(error) = parts.keys.ensure_first().await {
            let problem = Problem::new(ProblemCode::StoreUnavailable, format!("no client key can be made: {error}"));
            return Err(problem.action(error.action()));
        }
        let settings = Arc::clone(&parts.settings);
        let remembered = tokio::task::spawn_blocking(move || settings.remember_first_port(holder::next_free)).await;
        remembered.map_err(|_| Problem::new(ProblemCode::Internal, "no port could be chosen"))??;
        let listener = parts.settings.snapshot().settings.listener.clone();
        let bound = Bound::new(&listener.host, listener.port).await?;
        Ok(Server::start(bound, listener.max_connections as usize, |port, cut| ClientApi {
            pipeline: Arc::clone(&parts.pipeline),
            keys: Arc::clone(&parts.keys),
            settings: Arc::clone(&parts.settings),
            flows: Arc::clone(&parts.flows),
            kept: Arc::clone(&parts.kept),
            clock: Arc::clone(&parts.clock),
            budget: parts.budget.clone(),
            port,
            cut,
        }))
    }

    async fn close_door(&self) {
        let mut taken = None;
        self.change(|door| {
            taken = door.server.take();
            if let Some(background) = door.background.take() {
                background.cancel();
            }
            door.problem = None;
            door.state = if taken.is_some() { ListenerState::Stopping } else { ListenerState::Stopped };
        });
        let Some(server) = taken else { return };
        let drain = Duration::from_secs(self.settings().listener.drain_seconds.into());
        server.shut(drain).await;
        tracing::info!("clients can no longer connect");
        self.change(|door| door.state = ListenerState::Stopped);
    }

    /// Takes over what a saved setting changes while things run.
    async fn follow_settings(self) {
        let mut changes = self.parts.settings.watch();
        let mut network = self.settings().network.clone();
        loop {
            tokio::select! {
                () = self.parts.stop.cancelled() => return,
                changed = changes.changed() => if changed.is_err() { return },
            }
            let snapshot = changes.borrow_and_update().clone();
            self.parts.telemetry.set_level(snapshot.settings.logs.level);
            self.parts.book.leases.follow(snapshot.settings.selection());
            self.parts.quotas.follow(&snapshot.settings.quota);
            self.parts.health.follow(snapshot.settings.quota.health_check());
            self.parts.kept.follow(&snapshot.settings.responses).await;
            self.parts.flows.follow(&snapshot.settings.flows).await;
            if snapshot.settings.network != network {
                network.clone_from(&snapshot.settings.network);
                follow_network(&self.parts.http, &network).await;
            }
            self.parts.announcer.tell(AdminEvent::Settings { revision: snapshot.revision });
            let _one = self.parts.switching.lock().await;
            let wish = snapshot.settings.listener.port;
            let (state, port, same) = {
                let door = self.door();
                let tried = door.problem.as_ref().and_then(|problem| problem.params.get("port"));
                let same = tried.is_some_and(|tried| *tried == wish.to_string());
                (door.state, door.server.as_ref().map(Server::port), same)
            };
            if port.is_some_and(|port| wish != 0 && port != wish) {
                self.move_door().await;
            } else if state == ListenerState::Failed && !same {
                // Whoever corrects the setting wants the door open; a new failure is in the status.
                let _ = self.listen().await;
            }
        }
    }

    /// Opens the new door before the old one is closed; when it cannot be opened, the old one stays.
    async fn move_door(&self) {
        match self.open_door().await {
            Ok(server) => {
                tracing::info!(addresses = ?server.addresses(), "clients can connect elsewhere now");
                let mut old = None;
                self.change(|door| {
                    old = door.server.replace(server);
                    door.problem = None;
                });
                if let Some(old) = old {
                    let drain = Duration::from_secs(self.settings().listener.drain_seconds.into());
                    self.parts.tasks.spawn(async move { old.shut(drain).await });
                }
            }
            Err(problem) => {
                tracing::error!(%problem, "the new port cannot be opened; the old one stays open");
                self.change(|door| door.problem = Some(problem));
            }
        }
    }

    /// Builds the ways out anew, after something changed that their clients are made with. Connections under way stay.
    pub(crate) async fn renew_network(&self) {
        follow_network(&self.parts.http, &self.settings().network).await;
    }

    /// Tells faces at once what happens to logins.
    async fn follow_tokens(self) {
        let mut news = self.parts.book.tokens.news();
        loop {
            let told = tokio::select! {
                () = self.parts.stop.cancelled() => return,
                told = news.recv() => told,
            };
            match told {
                Ok(TokenNews::Adopted(id)) => {
                    self.parts.tasks.spawn(self.clone().check_person(id));
                }
                Ok(TokenNews::Unsaved(id)) => {
                    if let Some(account) = self.parts.book.roster.get(&id) {
                        let detail = "its new refresh token is in memory only";
                        self.parts.notifier.tell(NotificationKind::UnsavedLogin, Some(&account), detail);
                    }
                }
                Ok(TokenNews::Saved(id)) => self.parts.notifier.over(NotificationKind::UnsavedLogin, Some(&id)),
                // Told by the account's condition.
                Ok(TokenNews::OwnerSwitched(_)) => {}
                // The faces look at everything again anyway.
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return,
            }
            self.parts.announcer.tell(AdminEvent::Accounts);
            self.announce();
        }
    }

    /// Owners whose files name no person can sign in as another one unseen: the upstream knows whose a login is.
    async fn check_person(self, id: AccountId) {
        let Some(account) = self.parts.book.roster.get(&id) else { return };
        let asked = tokio::select! {
            () = self.parts.stop.cancelled() => return,
            asked = self.parts.inspector.whose(&account) => asked,
        };
        match asked {
            Ok(Some(user)) => self.parts.book.tokens.belongs_to(&account, &user).await,
            Ok(None) => {}
            Err(problem) => tracing::warn!(account = %id, %problem, "whose the adopted login is could not be asked"),
        }
    }

    /// Tells faces what changes with the requests: how many there are, and which accounts can serve.
    async fn tell_status(self) {
        let mut requests = self.parts.flows.watch();
        let mut told = None;
        loop {
            tokio::select! {
                () = self.parts.stop.cancelled() => return,
                changed = requests.changed() => if changed.is_err() { return },
            }
            let status = self.status();
            if told.as_ref() != Some(&status) {
                let accounts = told.as_ref().map(|told: &Status| told.accounts);
                if accounts.is_some_and(|accounts| accounts != status.accounts) {
                    self.parts.announcer.tell(AdminEvent::Accounts);
                }
                told = Some(status.clone());
                self.parts.announcer.tell(AdminEvent::Status { status: Box::new(status) });
            }
            tokio::time::sleep(BURST).await;
        }
    }

    /// The admin API.
    pub fn admin_router(&self) -> axum::Router {
        crate::http::admin::router(self.clone())
    }

    /// The gateway at a glance.
    pub fn status(&self) -> Status {
        let parts = &self.parts;
        let census = parts.book.leases.census();
        let credentials = &parts.book.credentials;
        let door = self.door();
        Status {
            version: crate::VERSION.to_owned(),
            state: door.state,
            addresses: door.server.as_ref().map(Server::addresses).unwrap_or_default(),
            port: door.server.as_ref().map_or_else(|| self.settings().listener.port, Server::port),
            started_at: parts.started_at,
            data_dir: parts.dir.path().display().to_string(),
            in_flight: parts.flows.in_flight(),
            accounts: AccountCounts { total: census.total, usable: census.usable, demo: census.demo },
            store: StoreStatus { kind: credentials.kind(), state: credentials.state() },
            refreshes: self.refreshes(),
            problem: door.problem.clone(),
            simulated: census.simulated,
        }
    }

    fn refreshes(&self) -> RefreshStatus {
        let tokens = &self.parts.book.tokens;
        let CutShort { refreshes, logins_lost } = tokens.cut_short();
        RefreshStatus { unsaved: tokens.unsaved().len(), cut_short: refreshes, logins_lost }
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

    fn change(&self, change: impl FnOnce(&mut Door)) {
        change(&mut self.door());
        self.announce();
    }

    fn door(&self) -> MutexGuard<'_, Door> {
        self.parts.door.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Hands the settings of the network to the clients. A file of certificates that cannot be read stops all traffic, in words
/// that say so; the settings page stays usable.
async fn follow_network(http: &Http, settings: &NetworkSettings) {
    let roots = match settings.extra_ca().map(std::path::Path::to_path_buf) {
        None => Ok(Vec::new()),
        Some(file) => tokio::task::spawn_blocking(move || extra_roots(&file))
            .await
            .unwrap_or_else(|_| Err("the file of certificates could not be read".to_owned())),
    };
    if let Err(why) = &roots {
        tracing::error!(why, "nothing is sent until the setting network.extraCaFile is corrected");
    }
    http.configure(settings.common(), roots);
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
