//! Signing in here: several sign-ins at once, each a task of its own that ends with an account, a reason, or its time.
//!
//! Promises: nothing is sent before what was asked for has been checked; secrets are in the store before the account is in the list; a
//! sign-in that is cancelled or late leaves no listener behind; nothing that a face can read holds a code, a verifier or a token.
//! Leaves out: the calls themselves (`upstream/identity/sign_in`) and what a browser is (`browser`).

mod browser;
mod callback;
mod course;
mod descriptor;
mod device;
mod ended;
mod ending;
mod finish;
mod key;
mod one;
mod page;
mod paste;
mod pkce;
mod portal;
mod qr;
mod registrations;
mod remote;
mod renewal;
mod serve;
mod shown;
mod wish;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use secrecy::SecretString;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::account::{Account, Book};
use crate::admin_event::Announcer;
use crate::browser::Browsers;
use crate::clock::Clock;
use crate::credential::SecretId;
use crate::error::{Problem, ProblemCode};
use crate::inspect::Inspector;
use crate::notify::Notifier;
use crate::trial::Trial;
use crate::upstream::identity::sign_in::SignIn;

use course::{direct, late, run};
pub(crate) use ending::ends_soon;
pub(crate) use one::Login;
use one::{Inbox, Said};
pub(crate) use qr::QrMatrix;
pub(crate) use registrations::Registrations;
pub(crate) use renewal::Renewal;
pub(crate) use shown::{Awaits, LoginForm, LoginKind, LoginState, OfferedProfile, Proof, Shown};
use wish::Plan;
pub(crate) use wish::{FormWish, LoginWish, Opening};

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
    pub(crate) async fn start(&self, mut wish: LoginWish) -> Result<Arc<Login>, Problem> {
        let renews = renewal::begin(&self.parts, &mut wish)?;
        let has_browser = match (wish.form, &wish.opening) {
            // The window of the desktop app is a browser, too.
            (FormWish::Browser, _) | (FormWish::Auto, Opening::Popup) => true,
            (FormWish::Device, _) => false,
            (FormWish::Auto, Opening::Nothing | Opening::Browser { .. }) => {
                self.parts.browsers.has_display() && !self.parts.browsers.detect().await.is_empty()
            }
        };
        let plan = Plan::new(wish, has_browser)?;
        let (login, inbox) = self.add(&plan, renews)?;
        tracing::info!(login = login.id, kind = ?login.kind, "a sign-in begins");
        self.parts.tasks.spawn(run(Arc::clone(&self.parts), Arc::clone(&login), plan, inbox));
        login.first_words().await;
        Ok(login)
    }

    fn add(&self, plan: &Plan, renews: Option<Arc<Account>>) -> Result<(Arc<Login>, Inbox), Problem> {
        let now = self.parts.clock.now();
        let mut all = self.all();
        all.retain(|login| login.shown.borrow().ended_at.is_none_or(|at| now.since(at) < REMEMBERED));
        if all.iter().filter(|login| login.shown.borrow().ended_at.is_none()).count() >= MOST {
            return Err(Problem::new(ProblemCode::TooManyLogins, format!("{MOST} sign-ins are under way already"))
                .action("Finish or cancel one of them.")
                .param("most", MOST));
        }
        let (login, inbox) = Login::new(&self.parts, plan, renews);
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
