//! From a built request to an accepted one: lease, token, call, and what to do about a refusal, until there is a stream or
//! a reason. Nothing has reached the client yet, so everything here may be tried again.

mod search;

use crate::account::{
    AccessToken, Account, AccountId, Lease, LeaseRequest, Leases, NoAccount, Outcome, TokenError, Tokens,
};
use crate::catalog::Catalog;
use crate::clock::Clock;
use crate::demo::Demo;
use crate::flow::{FlowAttempt, FlowOperation, Trail};
use crate::upstream::classify::{Disposition, Kind, Repair, UpstreamError};
use crate::upstream::endpoint::{self, Rung};
use crate::upstream::{ByteStream, Call, Upstream};
use bytes::Bytes;
use kiro_protocol::conversation::Conversation;
use kiro_protocol::failure::{Failure, FailureClass};
use kiro_protocol::kiro::request::{BuildContext, Built, build};
use rand::RngExt as _;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// First pause between attempts; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(400);
const LONGEST_PAUSE: Duration = Duration::from_secs(8);
/// A longer wait that the upstream asks for is the client's to decide about.
const LONGEST_ASKED: Duration = Duration::from_secs(10);
/// How long a request waits while all usable accounts are busy.
const QUEUE: Duration = Duration::from_secs(30);

/// What is to be answered, and what has been learned about sending it.
pub(crate) struct Order {
    /// The conversation, kept for the repairs that need another body.
    pub(crate) conversation: Arc<Conversation>,
    /// How the body is built.
    pub(crate) context: BuildContext,
    /// The body.
    pub(crate) built: Built,
    /// The same for all attempts.
    pub(crate) invocation: String,
    /// How many repeats are left.
    pub(crate) retries: u32,
    /// Only this account, when a person chose one.
    pub(crate) only: Option<AccountId>,
    /// Accounts that were tried and do not help.
    pub(crate) tried: Vec<AccountId>,
    /// Attempts so far.
    pub(crate) attempts: u32,
    /// The last refusal, told to the client when nothing is left to try.
    pub(crate) last: Option<UpstreamError>,
    /// Repairs done; each is done once.
    pub(crate) repairs: Vec<Repair>,
    /// The account that answered the round before: it is asked first.
    pub(crate) lease: Option<Lease>,
}

/// An accepted request.
pub(crate) struct Connected {
    /// The account that answers.
    pub(crate) lease: Lease,
    /// The answer's bytes.
    pub(crate) bytes: ByteStream,
}

/// Finds somebody who answers.
pub(crate) struct Dispatcher {
    pub(crate) upstream: Arc<dyn Upstream>,
    pub(crate) leases: Arc<Leases>,
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) clock: Arc<dyn Clock>,
    /// Started before the demo account's first use.
    pub(crate) demo: Option<Arc<Demo>>,
    /// The rung that worked last, by account.
    pub(crate) rungs: Mutex<HashMap<AccountId, usize>>,
}

/// What to do after one account.
enum Verdict {
    Connected(ByteStream),
    OtherAccount(Outcome),
    Failed(Outcome, Failure),
}

impl Dispatcher {
    /// Tries until the upstream accepts the request or nothing is left to try.
    pub(crate) async fn dial(&self, order: &mut Order, trail: &Trail) -> Result<Connected, Failure> {
        loop {
            let among = self.catalog.among(&order.context.model_id, &self.leases.pool());
            let request = LeaseRequest { exclude: order.tried.clone(), only: order.only.clone(), among };
            let lease = match order.lease.take() {
                Some(lease) => lease,
                None => match self.leases.lease_within(&request, QUEUE).await {
                    Ok(lease) => lease,
                    Err(none) => return Err(self.nobody(&none, order)),
                },
            };
            let account = Arc::clone(&lease.account);
            match self.ask(&account, order, trail).await {
                Verdict::Connected(bytes) => return Ok(Connected { lease, bytes }),
                Verdict::OtherAccount(outcome) => {
                    lease.settle(outcome);
                    if order.last.as_ref().is_some_and(|last| last.kind == Kind::UnknownModel) {
                        self.catalog.doubt(&account.id);
                    }
                    order.tried.push(account.id.clone());
                }
                Verdict::Failed(outcome, failure) => {
                    lease.settle(outcome);
                    return Err(failure);
                }
            }
        }
    }

    /// A token of the account; for the demo account its stand-in is started first.
    pub(crate) async fn token(&self, account: &Account) -> Result<AccessToken, TokenError> {
        if let (true, Some(demo)) = (account.is_demo(), &self.demo)
            && let Err(error) = demo.ready().await
        {
            return Err(TokenError::Transient { message: error.to_string(), retry_after: None });
        }
        self.tokens.access(account).await
    }

    /// One account, on as many hosts and as often as it makes sense.
    async fn ask(&self, account: &Arc<Account>, order: &mut Order, trail: &Trail) -> Verdict {
        let ladder = endpoint::ladder(account);
        let mut rung = self.last_rung(account).min(ladder.len() - 1);
        // Rungs refused for what they are, and rungs that were busy: neither is climbed twice in a row.
        let mut refused = vec![false; ladder.len()];
        let mut refreshed = false;
        let mut token = match self.token(account).await {
            Ok(token) => token,
            Err(error) => return no_token(&error, order),
        };
        loop {
            let error = match self.call(account, &ladder[rung], &token, order, trail).await {
                Ok(bytes) => {
                    self.remember_rung(account, rung);
                    self.tokens.accepted(&account.id, &token);
                    return Verdict::Connected(bytes);
                }
                Err(error) => error,
            };
            let step = error.disposition();
            order.last = Some(error.clone());
            match step {
                Disposition::GiveUp => return Verdict::Failed(outcome(&error), error.failure()),
                Disposition::RetryOther => return Verdict::OtherAccount(outcome(&error)),
                Disposition::NextRung => {
                    refused[rung] = true;
                    match refused.iter().position(|refused| !refused) {
                        Some(next) => rung = next,
                        None => return Verdict::OtherAccount(outcome(&error)),
                    }
                }
                Disposition::RefreshThenRetry if refreshed => {
                    return Verdict::OtherAccount(Outcome::NeedsLogin { reason: error.to_string() });
                }
                Disposition::RefreshThenRetry => {
                    refreshed = true;
                    token = match self.tokens.refresh_rejected(account, &token).await {
                        Ok(token) => token,
                        Err(error) => return no_token(&error, order),
                    };
                }
                Disposition::Repair(repair) => {
                    if order.repairs.contains(&repair) {
                        return Verdict::Failed(outcome(&error), error.failure());
                    }
                    self.repair(order, repair, trail);
                }
                Disposition::RetrySame => {
                    let pause = error.retry_after.unwrap_or_else(|| backoff(order.attempts));
                    if order.retries == 0 || pause > LONGEST_ASKED {
                        return self.after_retries(&error);
                    }
                    order.retries -= 1;
                    // Hosts have their own limits and their own trouble: the next one is asked at once.
                    match (0..ladder.len()).find(|at| *at != rung && !refused[*at]) {
                        Some(next) if error.kind != Kind::ModelBusy && !refused[rung] => {
                            refused[rung] = true;
                            rung = next;
                        }
                        Some(_) | None => tokio::time::sleep(pause).await,
                    }
                }
            }
        }
    }

    /// When repeating did not help: another account helps against a throttled one, not against a busy model.
    fn after_retries(&self, error: &UpstreamError) -> Verdict {
        match error.kind {
            Kind::Throttled => Verdict::OtherAccount(outcome(error)),
            _ => Verdict::Failed(outcome(error), error.failure()),
        }
    }

    async fn call(
        &self,
        account: &Arc<Account>,
        rung: &Rung,
        token: &AccessToken,
        order: &mut Order,
        trail: &Trail,
    ) -> Result<ByteStream, UpstreamError> {
        order.attempts += 1;
        let since = Instant::now();
        let result = self
            .upstream
            .converse(Call {
                account: Arc::clone(account),
                token: token.clone(),
                host: rung.host.clone(),
                body: Bytes::from(order.built.to_bytes(rung.profile_arn.as_deref())),
                invocation: order.invocation.clone(),
                attempt: order.attempts,
            })
            .await;
        let error = result.as_ref().err();
        trail.attempt(FlowAttempt {
            operation: FlowOperation::Answer,
            account: account.id.to_string(),
            host: rung.host.clone(),
            status: error.map_or(Some(200), |error| error.status),
            code: error.map(|error| error.code.clone().unwrap_or_else(|| error.failure().code.to_owned())),
            ms: u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX),
        });
        if let Some(error) = error {
            tracing::warn!(account = %account.id, host = %rung.host, kind = ?error.kind, %error, "the upstream refused");
        }
        result
    }

    fn repair(&self, order: &mut Order, repair: Repair, trail: &Trail) {
        order.repairs.push(repair);
        match repair {
            Repair::StripReasoning => order.context.strip_reasoning = true,
            Repair::DropFields => {
                order.context.fields_schema = None;
                self.catalog.takes_no_fields(&order.context.model_id);
            }
            Repair::NewConversation => order.context.conversation_id = uuid::Uuid::new_v4().to_string(),
        }
        order.built = build(&order.conversation, &order.context);
        let (code, detail) = match repair {
            Repair::StripReasoning => ("reasoning_stripped", "sent again without the reasoning of earlier turns"),
            Repair::DropFields => ("model_fields_dropped", "sent again without additional model fields"),
            Repair::NewConversation => ("conversation_renewed", "sent again under a new conversation id"),
        };
        trail.notices(&[kiro_protocol::codec::Notice::new(code, "", detail)]);
    }

    fn last_rung(&self, account: &Account) -> usize {
        self.rungs.lock().unwrap_or_else(PoisonError::into_inner).get(&account.id).copied().unwrap_or(0)
    }

    fn remember_rung(&self, account: &Account, rung: usize) {
        let mut rungs = self.rungs.lock().unwrap_or_else(PoisonError::into_inner);
        if rungs.get(&account.id) != Some(&rung) {
            rungs.insert(account.id.clone(), rung);
        }
    }

    /// What a client is told when no account is left.
    fn nobody(&self, none: &NoAccount, order: &Order) -> Failure {
        let last = order.last.as_ref();
        if last.is_some_and(|last| last.kind == Kind::UnknownModel) {
            let asked = order.conversation.model.trim();
            let asked = if asked.is_empty() { &order.context.model_id } else { asked };
            return self.catalog.unknown(asked, &self.leases.pool());
        }
        if let (NoAccount::AllTried | NoAccount::CoolingDown { .. }, Some(last)) = (none, last) {
            return last.failure();
        }
        let wait = none.retry_at().map(|at| at.since(self.clock.now()).max(Duration::from_secs(1)));
        let (class, advice) = match none {
            NoAccount::Empty => {
                (FailureClass::Overloaded, "Add one: in the app, or with `kiro-proxy accounts import`.")
            }
            NoAccount::Busy => (FailureClass::RateLimit, "Try again shortly."),
            NoAccount::CoolingDown { .. } => (FailureClass::RateLimit, "Try again shortly."),
            NoAccount::Exhausted { .. } => (FailureClass::Quota, "Add another account or wait for the reset."),
            NoAccount::NeedsLogin => (FailureClass::Permission, "Import the account again."),
            NoAccount::Suspended => (FailureClass::Permission, "Ask Kiro's support, then enable the account again."),
            NoAccount::Disabled => (FailureClass::Permission, "Switch one on in the app."),
            NoAccount::AllTried | NoAccount::NotOffered | NoAccount::Unknown => {
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
            | NoAccount::Exhausted { .. }
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

fn no_token(error: &TokenError, order: &mut Order) -> Verdict {
    let (kind, outcome) = match error {
        // The purchase has told the account's condition already.
        TokenError::NeedsLogin(_) => (Kind::TokenRejected, Outcome::NoVerdict),
        TokenError::Transient { .. } => (Kind::Unavailable, Outcome::Failed),
        TokenError::Store(_) => (Kind::NotSent, Outcome::NoVerdict),
    };
    let mut last = UpstreamError::local(kind, error.to_string());
    last.code = Some(error.code().to_owned());
    order.last = Some(last);
    Verdict::OtherAccount(outcome)
}

/// What a refusal says about the account.
pub(crate) fn outcome(error: &UpstreamError) -> Outcome {
    match error.kind {
        Kind::Throttled => Outcome::Throttled { retry_after: error.retry_after },
        Kind::RiskControl => {
            Outcome::Throttled { retry_after: Some(error.retry_after.unwrap_or(Duration::from_secs(600))) }
        }
        Kind::MonthlyQuota | Kind::DailyQuota => Outcome::QuotaUsedUp { resets_at: None },
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
        | Kind::ModelBusy
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

/// Doubles, with full jitter.
pub(crate) fn backoff(attempts: u32) -> Duration {
    let most = FIRST_PAUSE.saturating_mul(1 << attempts.min(8)).min(LONGEST_PAUSE);
    most.mul_f64(rand::rng().random_range(0.5..1.0))
}
