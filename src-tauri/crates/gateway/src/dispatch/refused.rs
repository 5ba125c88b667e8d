//! What a refusal means: for the account that met it, and for the client when nobody is left to ask.

use super::{Dispatcher, Order, Verdict};
use crate::account::{Account, LeaseRequest, NoAccount, Outcome, TokenError};
use crate::clock::Timestamp;
use crate::upstream::classify::{Kind, UpstreamError};
use crate::upstream::http::Route;
use kiro_protocol::failure::{Failure, FailureClass};
use std::time::Duration;

/// How long an account is left alone that the upstream slows down on suspicion, when it does not say.
const SUSPICION: Duration = Duration::from_secs(10 * 60);

impl Dispatcher {
    /// What a refusal says about the account, and until when.
    pub(super) fn outcome(&self, error: &UpstreamError) -> Outcome {
        match error.kind {
            Kind::DailyQuota => Outcome::QuotaUsedUp { resets_at: Some(next_day(self.clock.now())), daily: true },
            _ => outcome(error),
        }
    }

    pub(super) fn no_token(&self, account: &Account, error: &TokenError, order: &mut Order) -> Verdict {
        let (kind, outcome) = match error {
            // The purchase has told the account's condition already.
            TokenError::NeedsLogin(_) => (Kind::TokenRejected, Outcome::NoVerdict),
            // An outage of the token endpoint says nothing about the account (reliability 3.2); its own proxy is its own trouble.
            TokenError::Transient { .. } if Route::of(account).has_own_proxy() => (Kind::Unavailable, Outcome::Failed),
            TokenError::Transient { .. } => (Kind::Unavailable, Outcome::NoVerdict),
            TokenError::Store(_) => (Kind::NotSent, Outcome::NoVerdict),
        };
        let mut last = UpstreamError::local(kind, error.to_string());
        last.code = Some(error.code().to_owned());
        self.leases.note_failure(&account.id, error.code(), &error.to_string());
        order.last = Some(last);
        Verdict::OtherAccount(outcome)
    }

    /// What a client is told when no account is left.
    pub(super) fn nobody(&self, none: &NoAccount, order: &Order, request: &LeaseRequest) -> Failure {
        let last = order.last.as_ref();
        if last.is_some_and(|last| last.kind == Kind::UnknownModel) {
            let asked = order.conversation.model.trim();
            let asked = if asked.is_empty() { &order.context.model_id } else { asked };
            return self.catalog.unknown(asked, &self.leases.pool());
        }
        if let (NoAccount::AllTried | NoAccount::CoolingDown { .. } | NoAccount::Busy, Some(last)) = (none, last) {
            let mut failure = last.failure();
            // Those that were tried are pausing now, too: the client is told the shortest wait of all.
            let everybody = LeaseRequest { exclude: Vec::new(), ..request.clone() };
            if let (FailureClass::RateLimit, Some(at)) = (failure.class, self.leases.back_at(&everybody)) {
                failure.retry_after = Some(at.since(self.clock.now()).max(Duration::from_secs(1)));
            }
            return failure;
        }
        let wait = none.retry_at().map(|at| at.since(self.clock.now()).max(Duration::from_secs(1)));
        let (class, advice) = match none {
            NoAccount::Empty => (
                FailureClass::Overloaded,
                "Add one: in the app, or with `kiro-proxy login` or `kiro-proxy accounts import`.",
            ),
            NoAccount::Busy => (FailureClass::RateLimit, "Try again shortly."),
            NoAccount::CoolingDown { .. } => (FailureClass::RateLimit, "Try again shortly."),
            NoAccount::ModelPausing { .. } => (FailureClass::Overloaded, "Try again shortly, or use another model."),
            NoAccount::Exhausted { .. } => (FailureClass::Quota, "Add another account or wait for the reset."),
            NoAccount::Resting { .. } => {
                (FailureClass::Quota, "Lower the quota floor (setting accounts.quotaFloorPercent), or add an account.")
            }
            NoAccount::NotPermitted => {
                (FailureClass::Permission, "Change the key's groups, or give an account one of its tags.")
            }
            NoAccount::NeedsLogin => {
                (FailureClass::Permission, "Sign in again: in the app, or with `kiro-proxy login`.")
            }
            NoAccount::Suspended => (
                FailureClass::Permission,
                "Ask Kiro's support, then let it be used again: in the app, or with `kiro-proxy accounts restore`.",
            ),
            NoAccount::Disabled => {
                (FailureClass::Permission, "Switch one on: in the app, or with `kiro-proxy accounts enable`.")
            }
            NoAccount::Unknown => {
                (FailureClass::Overloaded, "Choose another one, or all: in the app, or with the setting accounts.only.")
            }
            NoAccount::AllTried | NoAccount::NotOffered => {
                (FailureClass::Overloaded, "Look at the accounts in the app.")
            }
        };
        let mut words = format!("Kiro Proxy: {none}. {advice}");
        let pool = self.leases.pool();
        let model = &order.context.model_id;
        if self.catalog.among(model, &pool).is_some_and(|among| among.len() < pool.len()) {
            words.push_str(&format!(" Only accounts that are offered {model} count here."));
        }
        let mut failure = Failure::new(class, none.code(), words);
        failure.retry_after = match none {
            NoAccount::Busy => Some(Duration::from_secs(5)),
            NoAccount::Empty => None,
            NoAccount::CoolingDown { .. }
            | NoAccount::ModelPausing { .. }
            | NoAccount::Exhausted { .. }
            | NoAccount::Resting { .. }
            | NoAccount::NotPermitted
            | NoAccount::NeedsLogin
            | NoAccount::Suspended
            | NoAccount::Disabled
            | NoAccount::AllTried
            | NoAccount::NotOffered
            | NoAccount::Unknown => wait,
        };
        failure
    }
}

/// The answer when the budget was used up before anything was tried.
pub(super) fn spent() -> Failure {
    Failure::new(FailureClass::Overloaded, "attempts_used_up", "Kiro Proxy: the attempts for this request are used up.")
}

/// Midnight in UTC.
fn next_day(now: Timestamp) -> Timestamp {
    const DAY: i64 = 24 * 60 * 60;
    Timestamp::from_unix_seconds((now.unix_seconds().div_euclid(DAY) + 1) * DAY)
}

/// What a refusal says about the account.
pub(crate) fn outcome(error: &UpstreamError) -> Outcome {
    match error.kind {
        Kind::Throttled => Outcome::Throttled { retry_after: error.retry_after },
        Kind::RiskControl => Outcome::Throttled { retry_after: Some(error.retry_after.unwrap_or(SUSPICION)) },
        Kind::ModelBusy => Outcome::ModelBusy { retry_after: error.retry_after },
        // Its own proxy is the account's own trouble.
        Kind::ProxyDown => Outcome::Failed,
        Kind::MonthlyQuota => Outcome::QuotaUsedUp { resets_at: None, daily: false },
        Kind::DailyQuota => Outcome::QuotaUsedUp { resets_at: None, daily: true },
        Kind::Suspended => Outcome::Suspended { reason: error.message.clone() },
        // Transport faults and trouble of the service never disable an account.
        Kind::Unavailable
        | Kind::ServerError
        | Kind::GaveUp
        | Kind::Blocked
        | Kind::Transport
        | Kind::TimedOut
        | Kind::Truncated
        | Kind::Corrupt
        | Kind::BrokenToolCall
        | Kind::Empty
        | Kind::Malformed
        | Kind::Invalid
        | Kind::ContextTooLong
        | Kind::UnknownModel
        | Kind::ConversationId
        | Kind::ReasoningSignature
        | Kind::FieldsUnsupported
        | Kind::WrongRung
        | Kind::TokenRejected
        | Kind::Forbidden
        | Kind::Gate
        | Kind::Organisation
        | Kind::NoSuchPath
        | Kind::NotSent => Outcome::NoVerdict,
    }
}
