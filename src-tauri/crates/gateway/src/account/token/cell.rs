//! What is known about one account's token. All decisions under one short lock, none across an await.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use secrecy::SecretString;
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

#[derive(Default)]
struct Inside {
    token: Option<Held>,
    generation: u64,
    running: Option<Waiting>,
    failures: u32,
    pause: Option<(Instant, TokenError)>,
    unsaved: Option<Secrets>,
}

struct Held {
    token: AccessToken,
    /// When to buy the next one: at about 80 % of its life.
    due_at: Option<Timestamp>,
    /// Last moment at which it is handed out.
    usable_until: Option<Timestamp>,
}

#[derive(Default)]
pub(super) struct Cell {
    inside: Mutex<Inside>,
    /// Held while secrets go to the store, so that an older generation never lands on a newer one.
    pub(super) saving: tokio::sync::Mutex<()>,
}

impl Cell {
    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn look(&self, now: Timestamp) -> Look {
        match &self.inside().token {
            None => Look::Expired,
            Some(held) if held.usable_until.is_some_and(|until| now >= until) => Look::Expired,
            Some(held) if held.due_at.is_some_and(|due| now >= due) => Look::Due(held.token.clone()),
            Some(held) => Look::Fresh(held.token.clone()),
        }
    }

    /// Drops the token if it is still the one of that generation.
    pub(super) fn reject(&self, generation: u64) {
        let mut inside = self.inside();
        if inside.token.as_ref().is_some_and(|held| held.token.generation == generation) {
            inside.token = None;
        }
    }

    pub(super) fn expires_at(&self) -> Option<Timestamp> {
        self.inside().token.as_ref().and_then(|held| held.token.expires_at)
    }

    pub(super) fn put(&self, secret: SecretString, expires_at: Option<Timestamp>, now: Timestamp) -> AccessToken {
        let mut inside = self.inside();
        inside.generation += 1;
        let token = AccessToken { secret: Arc::new(secret), expires_at, generation: inside.generation };
        let life = expires_at.map(|at| at.since(now));
        // Jitter by generation and address would repeat; a random part keeps many accounts from refreshing in one second.
        let early = rand::random_range(0.75..0.85);
        let due_at = life.map(|life| now.plus(life.mul_f64(early)));
        let usable_until = expires_at.zip(life).map(|(at, life)| at.minus(MARGIN.min(life / 10)));
        inside.token = Some(Held { token: token.clone(), due_at, usable_until });
        token
    }

    /// Joins the purchase that is under way, or makes the caller the buyer.
    pub(super) fn gate(&self) -> Gate {
        let mut inside = self.inside();
        if let Some(running) = &inside.running {
            // A sender that is gone without an answer means that the buyer was cut down: the next caller buys.
            if running.borrow().is_some() || running.has_changed().is_ok() {
                return Gate::Wait(running.clone());
            }
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

    /// Ends a purchase: with the bought token already put, or with a failure that holds for a while.
    pub(super) fn finish(&self, answer: &Answer) {
        let mut inside = self.inside();
        inside.running = None;
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
                inside.pause = Some((Instant::now() + own.max(asked.min(LONGEST_PAUSE)), error.clone()));
            }
        }
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
}
