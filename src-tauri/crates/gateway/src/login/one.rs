//! One sign-in: how it stands, what a person says to it, and the page that it opens for them.

use std::sync::Arc;

use secrecy::SecretString;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::renewal::Renewal;
use super::wish::{Opening, Plan};
use super::{Awaits, FIRST_WORDS, LoginForm, LoginKind, PATIENCE, Parts, REPLY, Shown};
use crate::account::Account;
use crate::admin_event::{AdminEvent, Announcer};
use crate::browser::Browsers;
use crate::clock::Timestamp;
use crate::error::{Problem, ProblemCode};
use crate::upstream::identity::sign_in::SignIn;

/// One sign-in.
pub(crate) struct Login {
    /// Names it.
    pub(crate) id: String,
    /// What was asked for.
    pub(crate) kind: LoginKind,
    /// When it was begun.
    pub(crate) started_at: Timestamp,
    /// The calls, over the way of the account that signs in again, where one does.
    pub(super) calls: SignIn,
    /// The account that signs in again, as it was when the sign-in began.
    pub(super) renews: Option<Arc<Account>>,
    pub(super) shown: tokio::sync::watch::Sender<Shown>,
    pub(super) cancel: CancellationToken,
    said: mpsc::Sender<Said>,
    announcer: Announcer,
}

/// What a person says to a sign-in that waits, and where the answer goes.
pub(super) enum Said {
    /// The address of the page they ended on, or a code.
    Pasted(SecretString, oneshot::Sender<Result<(), Problem>>),
    /// The profile to use.
    Chosen(String, oneshot::Sender<Result<(), Problem>>),
}

pub(super) type Inbox = mpsc::Receiver<Said>;

impl Login {
    pub(super) fn new(parts: &Parts, plan: &Plan, renews: Option<Arc<Account>>) -> (Arc<Self>, Inbox) {
        let calls = match &renews {
            Some(account) => parts.sign_in.of(&parts.book.roster, account),
            None => parts.sign_in.clone(),
        };
        let (shown, said, inbox) = waiting(plan.form(), parts.clock.now());
        shown.send_modify(|shown| shown.renewal = renews.as_deref().map(Renewal::of));
        let login = Self {
            id: uuid::Uuid::new_v4().to_string(),
            kind: plan.kind,
            started_at: parts.clock.now(),
            calls,
            renews,
            shown,
            cancel: CancellationToken::new(),
            said,
            announcer: parts.announcer.clone(),
        };
        (Arc::new(login), inbox)
    }

    /// A sign-in that a person elsewhere chose, as a part of this one: faces see the outer one only.
    pub(super) fn inner(&self, kind: LoginKind, form: LoginForm) -> (Arc<Self>, Inbox) {
        let (shown, said, inbox) = waiting(form, self.started_at);
        let inner = Self {
            id: self.id.clone(),
            kind,
            started_at: self.started_at,
            calls: self.calls.clone(),
            renews: self.renews.clone(),
            shown,
            cancel: CancellationToken::new(),
            said,
            announcer: self.announcer.clone(),
        };
        (Arc::new(inner), inbox)
    }

    /// How it stands.
    pub(crate) fn shown(&self) -> Shown {
        self.shown.borrow().clone()
    }

    pub(super) fn show(&self, change: impl FnOnce(&mut Shown)) {
        self.shown.send_modify(change);
        self.announcer.tell(AdminEvent::Logins { id: self.id.clone() });
    }

    /// Shows a page and opens it as the person wishes. A browser that does not start is no end: the address is there to be copied.
    pub(super) async fn present(
        &self,
        parts: &Parts,
        url: &url::Url,
        opening: &Opening,
        change: impl FnOnce(&mut Shown),
    ) {
        self.show(|shown| {
            shown.url = Some(url.clone());
            shown.opened = false;
            change(shown);
        });
        if let Err(problem) = self.open(&parts.browsers, url, opening).await {
            tracing::info!(%problem, "the sign-in page was not opened");
        }
    }

    pub(super) async fn open(&self, browsers: &Browsers, url: &url::Url, opening: &Opening) -> Result<(), Problem> {
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
    pub(super) fn page_awaits(parts: &Parts, opening: &Opening) -> Awaits {
        match opening {
            Opening::Popup => Awaits::BrowserSignIn,
            Opening::Nothing | Opening::Browser { .. } if parts.browsers.has_display() => Awaits::BrowserSignIn,
            Opening::Nothing | Opening::Browser { .. } => Awaits::Paste,
        }
    }

    pub(super) async fn first_words(&self) {
        let mut shown = self.shown.subscribe();
        let ready = shown.wait_for(|shown| shown.awaits != Awaits::Preparation);
        // A provider that takes longer is looked at later.
        let _ = tokio::time::timeout(FIRST_WORDS, ready).await;
    }

    /// Waits for the end. The sender lives in `self`, so it comes.
    pub(super) async fn over(&self) {
        let mut shown = self.shown.subscribe();
        let _ = shown.wait_for(|shown| shown.ended_at.is_some()).await;
    }

    pub(super) async fn say(
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

fn waiting(
    form: LoginForm,
    since: Timestamp,
) -> (tokio::sync::watch::Sender<Shown>, mpsc::Sender<Said>, mpsc::Receiver<Said>) {
    let (said, inbox) = mpsc::channel(8);
    (tokio::sync::watch::Sender::new(Shown::new(form, since.plus(PATIENCE))), said, inbox)
}
