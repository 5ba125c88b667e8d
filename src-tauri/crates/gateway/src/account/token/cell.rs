//! What is known about one account's token. All decisions under one short lock, none across an await.
//!
//! A token's age is the longer of what the wall clock and the monotonic clock say since it was issued: the first counts
//! sleep, the second survives a clock that is set back. Its end is never compared with the wall clock alone.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use tokio::sync::watch;
use tokio::time::Instant;

use super::{AccessToken, TokenError};
use crate::clock::Timestamp;
use crate::credential::Secrets;

/// A token is not used in the last part of its life: it could expire on the way.
const MARGIN: Duration = Duration::from_secs(60);
/// First pause after a purchase that failed; doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// The endpoint is left alone for as long as it asks, up to this.
const LONGEST_ASKED: Duration = Duration::from_secs(15 * 60);

/// The answer of a purchase, for everybody who waits.
pub(super) type Answer = Result<AccessToken, TokenError>;
pub(super) type Waiting = watch::Receiver<Option<Answer>>;

/// A token as seen now.
pub(super) enum Look {
    Fresh(AccessToken),
    /// Usable, but time to buy the next one.
    Due(AccessToken),
    Expired,
}

/// Whether a caller has to do the buying.
pub(super) enum Gate {
    /// Somebody is at it, or a recent failure still counts.
    Wait(Waiting),
    Failed(TokenError),
    /// The caller buys and answers through the sender.
    Buy(watch::Sender<Option<Answer>>, Waiting),
}

/// When the next token is bought, as part of this one's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    /// At about 80 %: the login is ours alone.
    Ahead,
    /// Close to the end: another program shares the login and should go first.
    Late,
}

impl Pace {
    /// The random part keeps many accounts from refreshing in one second.
    fn share(self) -> f64 {
        match self {
            Self::Ahead => rand::random_range(0.75..0.85),
            Self::Late => rand::random_range(0.92..0.97),
        }
    }
}

#[derive(Default)]
struct Inside {
    token: Option<Held>,
    generation: u64,
    /// The token that the upstream refused last.
    rejected: Option<Arc<SecretString>>,
    running: Option<Waiting>,
    /// A person wants a new token although the present one may be good.
    forced: bool,
    failures: u32,
    pause: Option<(Instant, TokenError)>,
    unsaved: Option<Secrets>,
    proof: Proof,
    /// Secrets of this account are in the store's second place.
    aside: bool,
    retired: bool,
}

/// What shows that the newest generation of secrets in the store works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Proof {
    /// It has worked.
    Given,
    /// An accepted token of this generation or a later one: an older token came with older secrets.
    Wanted(u64),
}

impl Default for Proof {
    fn default() -> Self {
        Self::Wanted(0)
    }
}

struct Held {
    token: AccessToken,
    issued_at: Timestamp,
    issued: Instant,
    /// `None` for what does not expire.
    life: Option<Life>,
}

/// Ages, counted from the moment of issue.
#[derive(Clone, Copy)]
struct Life {
    /// When to buy the next one.
    due: Duration,
    /// Last moment at which it is handed out.
    usable: Duration,
    whole: Duration,
}

impl Held {
    fn age(&self, now: Timestamp) -> Duration {
        now.since(self.issued_at).max(self.issued.elapsed())
    }
}

#[derive(Default)]
pub(super) struct Cell {
    inside: Mutex<Inside>,
    /// Held while secrets go to the store, so that an older generation never lands on a newer one.
    pub(super) saving: Arc<tokio::sync::Mutex<()>>,
}

impl Cell {
    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn look(&self, now: Timestamp) -> Look {
        let inside = self.inside();
        let Some(held) = &inside.token else { return Look::Expired };
        let age = held.age(now);
        match held.life {
            Some(life) if age >= life.usable => Look::Expired,
            Some(life) if age >= life.due => Look::Due(held.token.clone()),
            Some(_) | None => Look::Fresh(held.token.clone()),
        }
    }

    /// Drops the token if it is still this one.
    pub(super) fn reject(&self, token: &AccessToken) {
        let mut inside = self.inside();
        if let Some(held) = inside.token.take_if(|held| held.token.is(token)) {
            inside.rejected = Some(held.token.secret);
        }
    }

    /// Whether this one is in use.
    pub(super) fn uses(&self, token: &AccessToken) -> bool {
        self.inside().token.as_ref().is_some_and(|held| held.token.is(token))
    }

    /// Drops the token, whichever it is.
    pub(super) fn drop_token(&self) {
        self.inside().token = None;
    }

    /// Whether the upstream refused this very token.
    pub(super) fn was_rejected(&self, token: &SecretString) -> bool {
        self.inside().rejected.as_ref().is_some_and(|known| known.expose_secret() == token.expose_secret())
    }

    /// Whether this very token is the one in use.
    pub(super) fn holds(&self, token: &SecretString) -> bool {
        let inside = self.inside();
        inside.token.as_ref().is_some_and(|held| held.token.expose() == token.expose_secret())
    }

    pub(super) fn expires_at(&self, now: Timestamp) -> Option<Timestamp> {
        let inside = self.inside();
        let held = inside.token.as_ref()?;
        let life = held.life?;
        let (age, whole) = (held.age(now), life.whole);
        Some(if age <= whole { now.plus(whole - age) } else { now.minus(age - whole) })
    }

    /// How long until the next token should be bought; zero when it is time, `None` when there is nothing to buy or
    /// somebody is at it.
    pub(super) fn due_in(&self, now: Timestamp) -> Option<Duration> {
        let inside = self.inside();
        if inside.running.as_ref().is_some_and(is_running) {
            return None;
        }
        let due = match &inside.token {
            None => Duration::ZERO,
            Some(held) => held.life?.due.saturating_sub(held.age(now)),
        };
        let pause = inside.pause.as_ref().map_or(Duration::ZERO, |(until, _)| until.duration_since(Instant::now()));
        Some(due.max(pause))
    }

    /// The access token with its end, while it can be handed out.
    pub(super) fn still_good(&self, now: Timestamp) -> Option<(SecretString, Timestamp)> {
        match self.look(now) {
            Look::Fresh(token) | Look::Due(token) => {
                token.expires_at.map(|end| (SecretString::clone(&token.secret), end))
            }
            Look::Expired => None,
        }
    }

    /// Publishes a token that lives for `life` from now; `None` does not expire.
    pub(super) fn put(&self, secret: SecretString, life: Option<Duration>, pace: Pace, now: Timestamp) -> AccessToken {
        let mut inside = self.inside();
        inside.generation += 1;
        let expires_at = life.map(|life| now.plus(life));
        let token = AccessToken { secret: Arc::new(secret), expires_at, generation: inside.generation };
        let life = life.map(|whole| {
            let usable = whole.saturating_sub(MARGIN.min(whole / 10));
            Life { due: whole.mul_f64(pace.share()).min(usable), usable, whole }
        });
        inside.token = Some(Held { token: token.clone(), issued_at: now, issued: Instant::now(), life });
        token
    }

    /// Joins the purchase that is under way, or makes the caller the buyer.
    pub(super) fn gate(&self) -> Gate {
        let mut inside = self.inside();
        if let Some(running) = inside.running.as_ref().filter(|running| is_running(running)) {
            return Gate::Wait(running.clone());
        }
        if let Some((until, error)) = &inside.pause
            && Instant::now() < *until
        {
            return Gate::Failed(error.clone());
        }
        let (sender, receiver) = watch::channel(None);
        inside.running = Some(receiver.clone());
        Gate::Buy(sender, receiver)
    }

    /// Forgets that the last purchase failed, because a person asks or something outside changed.
    pub(super) fn end_pause(&self) {
        let mut inside = self.inside();
        inside.pause = None;
        inside.failures = 0;
    }

    /// Ends a purchase: with the bought token already put, or with a failure that holds for a while.
    pub(super) fn finish(&self, answer: &Answer) {
        let mut inside = self.inside();
        inside.running = None;
        inside.forced = false;
        match answer {
            Ok(_) => {
                inside.failures = 0;
                inside.pause = None;
            }
            Err(error) => {
                let own = FIRST_PAUSE.saturating_mul(1 << inside.failures.min(16)).min(LONGEST_PAUSE);
                inside.failures = inside.failures.saturating_add(1);
                let asked = match error {
                    TokenError::Transient { retry_after, .. } => retry_after.unwrap_or_default(),
                    TokenError::NeedsLogin(_) | TokenError::Store(_) => Duration::ZERO,
                };
                inside.pause = Some((Instant::now() + own.max(asked.min(LONGEST_ASKED)), error.clone()));
            }
        }
    }

    /// The store works again: a failure that was its fault holds no longer.
    pub(super) fn forgive_store(&self) {
        self.inside().pause.take_if(|(_, error)| matches!(error, TokenError::Store(_)));
    }

    /// Secrets that the store has not taken yet; they are the truth until it does.
    pub(super) fn unsaved(&self) -> Option<Secrets> {
        self.inside().unsaved.clone()
    }

    pub(super) fn set_unsaved(&self, secrets: Option<Secrets>) {
        self.inside().unsaved = secrets;
    }

    pub(super) fn is_unsaved(&self) -> bool {
        self.inside().unsaved.is_some()
    }

    pub(super) fn set_forced(&self) {
        self.inside().forced = true;
    }

    pub(super) fn is_forced(&self) -> bool {
        self.inside().forced
    }

    pub(super) fn set_aside(&self, aside: bool) {
        self.inside().aside = aside;
    }

    pub(super) fn is_aside(&self) -> bool {
        self.inside().aside
    }

    /// A new generation of secrets is in the store. Only tokens that are put from now on came with it, or after it.
    pub(super) fn want_proof(&self) {
        let mut inside = self.inside();
        inside.proof = Proof::Wanted(inside.generation + 1);
    }

    /// Whether an accepted token of this generation proves the newest secrets, and they are not proven yet.
    pub(super) fn would_prove(&self, generation: u64) -> bool {
        match self.inside().proof {
            Proof::Given => false,
            Proof::Wanted(from) => generation >= from,
        }
    }

    /// Takes the proof, if it is one; what is wanted now is nothing more.
    pub(super) fn take_proof(&self, generation: u64) -> bool {
        let proves = self.would_prove(generation);
        if proves {
            self.inside().proof = Proof::Given;
        }
        proves
    }

    /// The proof could not be put to use: the next one will do.
    pub(super) fn return_proof(&self, generation: u64) {
        self.inside().proof = Proof::Wanted(generation);
    }

    /// The account was removed or signed in anew: whatever is still under way must leave its secrets alone.
    pub(super) fn retire(&self) {
        let mut inside = self.inside();
        inside.retired = true;
        inside.unsaved = None;
    }

    pub(super) fn set_retired(&self, retired: bool) {
        self.inside().retired = retired;
    }

    pub(super) fn is_retired(&self) -> bool {
        self.inside().retired
    }
}

/// A sender that is gone without an answer means that the buyer was cut down: the next caller buys.
fn is_running(running: &Waiting) -> bool {
    running.borrow().is_some() || running.has_changed().is_ok()
}
