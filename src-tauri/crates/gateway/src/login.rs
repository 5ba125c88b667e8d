//! Signing in here: several sign-ins at once, each a task of its own that ends with an account, a reason, or its time.
//!
//! Promises: nothing is sent before what was asked for has been checked; secrets are in the store before the account is in the list; a
//! sign-in that is cancelled or late leaves no listener behind; nothing that a face can read holds a code, a verifier or a token.
//! Leaves out: the calls themselves (`upstream/identity/sign_in`) and what a browser is (`browser`).

mod browser;
mod callback;
mod descriptor;
mod device;
mod ended;
mod ending;
mod finish;
mod key;
mod page;
mod paste;
mod pkce;
mod portal;
mod qr;
mod registrations;
mod remote;
mod serve;
mod shown;
mod wish;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use secrecy::SecretString;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::account::Book;
use crate::admin_event::{AdminEvent, Announcer};
use crate::browser::Browsers;
use crate::clock::{Clock, Timestamp};
use crate::credential::SecretId;
use crate::error::{Problem, ProblemCode};
use crate::inspect::Inspector;
use crate::notify::Notifier;
use crate::trial::Trial;
use crate::upstream::identity::sign_in::SignIn;

use ended::Ended;
pub(crate) use ending::ends_soon;
use finish::Granted;
pub(crate) use qr::QrMatrix;
pub(crate) use registrations::Registrations;
pub(crate) use shown::{Awaits, LoginForm, LoginKind, LoginState, OfferedProfile, Proof, Shown};
pub(crate) use wish::{FormWish, LoginWish, Opening};
use wish::{Plan, Task, Way};

/// How long a person has for one sign-in.
const PATIENCE: Duration = Duration::from_secs(600);
/// How often the wall clock is looked at: a sleeping machine stops every other kind of clock.
const LOOK: Duration = Duration::from_secs(1);
/// How long a sign-in that ended can still be looked at.
const REMEMBERED: Duration = Duration::from_secs(900);
/// More at once is no person.
const MOST: usize = 16;
/// How long a call waits for the address of a sign-in that was just started.
const FIRST_WORDS: Duration = Duration::from_secs(15);
/// How long a sign-in may take to answer what a person pasted or chose.
const REPLY: Duration = Duration::from_secs(40);

/// What every sign-in needs.
pub(crate) struct Parts {
    /// The calls.
    pub(crate) sign_in: SignIn,
    /// Client registrations that are kept.
    pub(crate) registrations: Registrations,
    /// Where accounts go.
    pub(crate) book: Book,
    /// Wall time.
    pub(crate) clock: Arc<dyn Clock>,
    /// Where tasks live.
    pub(crate) tasks: TaskTracker,
    /// Ends with the gateway.
    pub(crate) stop: CancellationToken,
    /// Tells faces.
    pub(crate) announcer: Announcer,
    /// Asks what an account can do.
    pub(crate) inspector: Arc<Inspector>,
    /// Tells people what they should know although nobody looks.
    pub(crate) notifier: Arc<Notifier>,
    /// Asks whether a key is good before it is kept.
    pub(crate) trial: Trial,
    /// Opens pages.
    pub(crate) browsers: Arc<Browsers>,
    /// For accounts made here.
    pub(crate) machine_id: String,
}

/// All sign-ins: those under way, and for a while those that ended.
pub(crate) struct Logins {
    parts: Arc<Parts>,
    all: Mutex<Vec<Arc<Login>>>,
}

/// One sign-in.
pub(crate) struct Login {
    /// Names it.
    pub(crate) id: String,
    /// What was asked for.
    pub(crate) kind: LoginKind,
    /// When it was begun.
    pub(crate) started_at: Timestamp,
    shown: tokio::sync::watch::Sender<Shown>,
    cancel: CancellationToken,
    said: mpsc::Sender<Said>,
    announcer: Announcer,
}

/// What a person says to a sign-in that waits, and where the answer goes.
enum Said {
    /// The address of the page they ended on, or a code.
    Pasted(SecretString, oneshot::Sender<Result<(), Problem>>),
    /// The profile to use.
    Chosen(String, oneshot::Sender<Result<(), Problem>>),
}

type Inbox = mpsc::Receiver<Said>;

impl Logins {
    pub(crate) fn new(parts: Parts) -> Self {
        let parts = Arc::new(parts);
        parts.tasks.spawn(ending::watch(Arc::clone(&parts)));
        Self { parts, all: Mutex::default() }
    }

    /// The records of secrets that sign-ins keep.
    pub(crate) fn registrations(&self) -> Vec<SecretId> {
        self.parts.registrations.secret_ids()
    }

    /// Begins a sign-in and answers once there is something to show: an address, a code, or an end.
    pub(crate) async fn start(&self, wish: LoginWish) -> Result<Arc<Login>, Problem> {
        let has_browser = match (wish.form, &wish.opening) {
            // The window of the desktop app is a browser, too.
            (FormWish::Browser, _) | (FormWish::Auto, Opening::Popup) => true,
            (FormWish::Device, _) => false,
            (FormWish::Auto, Opening::Nothing | Opening::Browser { .. }) => {
                self.parts.browsers.has_display() && !self.parts.browsers.detect().await.is_empty()
            }
        };
        let plan = Plan::new(wish, has_browser)?;
        let (login, inbox) = self.add(&plan)?;
        tracing::info!(login = login.id, kind = ?login.kind, "a sign-in begins");
        self.parts.tasks.spawn(run(Arc::clone(&self.parts), Arc::clone(&login), plan, inbox));
        login.first_words().await;
        Ok(login)
    }

    fn add(&self, plan: &Plan) -> Result<(Arc<Login>, Inbox), Problem> {
        let now = self.parts.clock.now();
        let mut all = self.all();
        all.retain(|login| login.shown.borrow().ended_at.is_none_or(|at| now.since(at) < REMEMBERED));
        if all.iter().filter(|login| login.shown.borrow().ended_at.is_none()).count() >= MOST {
            return Err(Problem::new(ProblemCode::TooManyLogins, format!("{MOST} sign-ins are under way already"))
                .action("Finish or cancel one of them.")
                .param("most", MOST));
        }
        let (login, inbox) = Login::new(plan, now, self.parts.announcer.clone());
        all.push(Arc::clone(&login));
        Ok((login, inbox))
    }

    /// All that can be looked at, oldest first.
    pub(crate) fn list(&self) -> Vec<Arc<Login>> {
        self.all().clone()
    }

    /// One of them.
    pub(crate) fn get(&self, id: &str) -> Result<Arc<Login>, Problem> {
        let found = self.all().iter().find(|login| login.id == id).cloned();
        found.ok_or_else(|| Problem::new(ProblemCode::NotFound, "there is no such sign-in, or it ended a while ago"))
    }

    /// Ends a sign-in. One that has ended already is left as it is. Answers when its listener is closed.
    pub(crate) async fn cancel(&self, id: &str) -> Result<Arc<Login>, Problem> {
        let login = self.get(id)?;
        login.cancel.cancel();
        login.over().await;
        Ok(login)
    }

    /// Hands in what a person copied: the address of the page they ended on, or a code.
    pub(crate) async fn paste(&self, id: &str, text: SecretString) -> Result<Arc<Login>, Problem> {
        let login = self.get(id)?;
        let (answer, answered) = oneshot::channel();
        login.say(Said::Pasted(text, answer), answered, Awaits::takes_paste).await?;
        Ok(login)
    }

    /// Chooses the profile of an account that has several.
    pub(crate) async fn choose(&self, id: &str, arn: String) -> Result<Arc<Login>, Problem> {
        let login = self.get(id)?;
        let (answer, answered) = oneshot::channel();
        login.say(Said::Chosen(arn, answer), answered, |awaits| awaits == Awaits::Profile).await?;
        Ok(login)
    }

    /// Opens the page of a sign-in that waits, once more or elsewhere.
    pub(crate) async fn open(&self, id: &str, opening: Opening) -> Result<Arc<Login>, Problem> {
        let login = self.get(id)?;
        let url = login.shown.borrow().url.clone();
        let url = url.ok_or_else(|| Problem::new(ProblemCode::InvalidRequest, "this sign-in has no page to open"))?;
        login.open(&self.parts.browsers, &url, &opening).await?;
        Ok(login)
    }

    fn all(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Login>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Login {
    fn new(plan: &Plan, now: Timestamp, announcer: Announcer) -> (Arc<Self>, Inbox) {
        let id = uuid::Uuid::new_v4().to_string();
        Self::under(id, plan.kind, plan.form(), now, announcer)
    }

    /// A sign-in that a person elsewhere chose, as a part of this one: faces see the outer one only.
    fn inner(&self, kind: LoginKind, form: LoginForm) -> (Arc<Self>, Inbox) {
        Self::under(self.id.clone(), kind, form, self.started_at, self.announcer.clone())
    }

    fn under(
        id: String,
        kind: LoginKind,
        form: LoginForm,
        started_at: Timestamp,
        announcer: Announcer,
    ) -> (Arc<Self>, Inbox) {
        let (said, inbox) = mpsc::channel(8);
        let shown = tokio::sync::watch::Sender::new(Shown::new(form, started_at.plus(PATIENCE)));
        let cancel = CancellationToken::new();
        (Arc::new(Self { id, kind, started_at, shown, cancel, said, announcer }), inbox)
    }

    /// How it stands.
    pub(crate) fn shown(&self) -> Shown {
        self.shown.borrow().clone()
    }

    fn show(&self, change: impl FnOnce(&mut Shown)) {
        self.shown.send_modify(change);
        self.announcer.tell(AdminEvent::Logins { id: self.id.clone() });
    }

    /// Shows a page and opens it as the person wishes. A browser that does not start is no end: the address is there to be copied.
    async fn present(&self, parts: &Parts, url: &url::Url, opening: &Opening, change: impl FnOnce(&mut Shown)) {
        self.show(|shown| {
            shown.url = Some(url.clone());
            shown.opened = false;
            change(shown);
        });
        if let Err(problem) = self.open(&parts.browsers, url, opening).await {
            tracing::info!(%problem, "the sign-in page was not opened");
        }
    }

    async fn open(&self, browsers: &Browsers, url: &url::Url, opening: &Opening) -> Result<(), Problem> {
        match opening {
            Opening::Nothing => return Ok(()),
            Opening::Popup => {
                let event =
                    AdminEvent::OpenSignIn { id: self.id.clone(), url: url.to_string(), open: "popup".to_owned() };
                self.announcer.tell(event);
            }
            Opening::Browser { id, private } => {
                browsers.open(url, id.as_deref(), *private).await.map_err(|error| {
                    Problem::new(ProblemCode::BrowserUnavailable, error.to_string())
                        .action(error.action())
                        .param("reason", error.code())
                })?;
            }
        }
        self.show(|shown| shown.opened = true);
        Ok(())
    }

    /// What a page in a browser of this machine waits for.
    fn page_awaits(parts: &Parts, opening: &Opening) -> Awaits {
        match opening {
            Opening::Popup => Awaits::BrowserSignIn,
            Opening::Nothing | Opening::Browser { .. } if parts.browsers.has_display() => Awaits::BrowserSignIn,
            Opening::Nothing | Opening::Browser { .. } => Awaits::Paste,
        }
    }

    async fn first_words(&self) {
        let mut shown = self.shown.subscribe();
        let ready = shown.wait_for(|shown| shown.awaits != Awaits::Preparation);
        // A provider that takes longer is looked at later.
        let _ = tokio::time::timeout(FIRST_WORDS, ready).await;
    }

    /// Waits for the end. The sender lives in `self`, so it comes.
    async fn over(&self) {
        let mut shown = self.shown.subscribe();
        let _ = shown.wait_for(|shown| shown.ended_at.is_some()).await;
    }

    async fn say(
        &self,
        said: Said,
        answered: oneshot::Receiver<Result<(), Problem>>,
        fits: impl Fn(Awaits) -> bool,
    ) -> Result<(), Problem> {
        let not_now = || {
            Problem::new(ProblemCode::PasteRefused, "this sign-in does not wait for that now").param("reason", "notNow")
        };
        if !fits(self.shown.borrow().awaits) {
            return Err(not_now());
        }
        self.said.try_send(said).map_err(|_| not_now())?;
        let mut shown = self.shown.subscribe();
        tokio::select! {
            answer = tokio::time::timeout(REPLY, answered) => match answer {
                Ok(Ok(answer)) => answer,
                Ok(Err(_)) | Err(_) => Err(not_now()),
            },
            _ = shown.wait_for(|shown| shown.ended_at.is_some()) => Err(not_now()),
        }
    }
}

/// A sign-in from its beginning to its end.
async fn run(parts: Arc<Parts>, login: Arc<Login>, plan: Plan, mut inbox: Inbox) {
    let ended = attempt(&parts, &login, plan, &mut inbox).await;
    ended.tell(&login, parts.clock.now());
}

async fn attempt(parts: &Arc<Parts>, login: &Arc<Login>, plan: Plan, inbox: &mut Inbox) -> Ended {
    let label = plan.label.clone();
    let granted = tokio::select! {
        biased;
        () = login.cancel.cancelled() => return Ended::Cancelled,
        () = parts.stop.cancelled() => return Ended::Cancelled,
        () = late(&*parts.clock, login.started_at) => return Ended::Expired,
        granted = obtain(parts, login, plan, inbox) => granted,
    };
    match granted {
        // From here on the login is worth keeping whatever happens: it is in the store before anything else is asked.
        Ok(granted) => finish::finish(parts, login, granted, label, inbox).await,
        Err(ended) => ended,
    }
}

async fn obtain(parts: &Arc<Parts>, login: &Arc<Login>, plan: Plan, inbox: &mut Inbox) -> Result<Granted, Ended> {
    match plan.task {
        Task::Direct(way) => direct(parts, login, way, &plan.opening, inbox).await,
        Task::Remote(at) => remote::remote(parts, login, at).await,
    }
}

/// One way to tokens.
async fn direct(
    parts: &Arc<Parts>,
    login: &Login,
    way: Way,
    opening: &Opening,
    inbox: &mut Inbox,
) -> Result<Granted, Ended> {
    match way {
        Way::OidcDevice(instance) => device::oidc(parts, login, &instance, opening).await,
        Way::OidcBrowser(instance) => browser::oidc(parts, login, &instance, opening, inbox).await,
        Way::SocialDevice(idp) => device::social(parts, login, idp, opening).await,
        Way::Portal(ports) => portal::portal(parts, login, &ports, opening, inbox).await,
        Way::Key { key, region, unchecked } => key::key(parts, login, key, region, unchecked).await,
    }
}

/// Waits until a person's time is over, by the wall clock: a machine that slept through the night does not hold a sign-in open.
async fn late(clock: &dyn Clock, started_at: Timestamp) {
    let patience = tokio::time::sleep(PATIENCE);
    let mut patience = std::pin::pin!(patience);
    loop {
        tokio::select! {
            () = patience.as_mut() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
        if clock.now().since(started_at) >= PATIENCE {
            return;
        }
    }
}

#[cfg(test)]
mod tests;
