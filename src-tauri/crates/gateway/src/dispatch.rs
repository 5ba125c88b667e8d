//! From a built request to an accepted one: lease, token, call, and what to do about a refusal, until there is a stream or
//! a reason. Nothing has reached the client yet, so everything here may be tried again (reliability 3.2).
//!
//! Promises: all attempts of a request, on whatever host, account or token, come out of one budget; every attempt is in the
//! record with the reason it was made for; a profile goes only with the account it belongs to; a conversation has another id
//! on another account.

mod budget;
mod climb;
mod order;
mod refused;
mod search;

use crate::account::{AccessToken, Account, Lease, LeaseRequest, Leases, Outcome, TokenError, Tokens};
use crate::catalog::Catalog;
use crate::clock::Clock;
use crate::demo::Demo;
use crate::flow::{AttemptReason, FlowAttempt, FlowOperation, Trail};
use crate::upstream::classify::{Disposition, Kind, Repair, UpstreamError};
use crate::upstream::endpoint::{self, Rung};
use crate::upstream::{ByteStream, Call, Upstream};
pub(crate) use budget::Repeats;
use bytes::Bytes;
use climb::Climb;
use kiro_protocol::failure::Failure;
use kiro_protocol::kiro::request::build;
pub(crate) use order::{Order, backoff};
pub(crate) use refused::outcome;
use refused::spent;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use uuid::Uuid;

/// A longer wait that the upstream asks for is the client's to decide about.
const LONGEST_ASKED: Duration = Duration::from_secs(10);
/// An access token with so much of its hour left was bought just now.
const FRESH: Duration = Duration::from_secs(55 * 60);

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
    /// Repeats of all requests together.
    pub(crate) repeats: Repeats,
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
        let mut reason = if order.attempts == 0 { AttemptReason::First } else { AttemptReason::Again };
        if order.attempts == 0 {
            self.repeats.request();
        }
        let model: Arc<str> = order.context.model_id.as_str().into();
        loop {
            let request = self.request(order, &model);
            let lease = match order.lease.take() {
                Some(lease) => lease,
                None => match self.leases.lease_in_turn(&request).await {
                    Ok(lease) => lease,
                    Err(none) => return Err(self.nobody(&none, order, &request)),
                },
            };
            let account = Arc::clone(&lease.account);
            order.address(&account);
            match self.ask(&account, order, trail, reason).await {
                Verdict::Connected(bytes) => return Ok(Connected { lease, bytes }),
                Verdict::OtherAccount(outcome) => {
                    lease.settle(outcome);
                    if order.last.as_ref().is_some_and(|last| last.kind == Kind::UnknownModel) {
                        self.catalog.doubt(&account.id);
                    }
                    order.tried.push(account.id.clone());
                    reason = AttemptReason::OtherAccount;
                }
                Verdict::Failed(outcome, failure) => {
                    lease.settle(outcome);
                    return Err(failure);
                }
            }
        }
    }

    fn request(&self, order: &Order, model: &Arc<str>) -> LeaseRequest {
        LeaseRequest {
            exclude: order.tried.clone(),
            only: order.only.clone(),
            among: self.catalog.offering(model, &self.leases.pool()),
            model: Some(Arc::clone(model)),
            tags: Arc::clone(&order.tags),
            sticky: order.sticky,
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
    async fn ask(
        &self,
        account: &Arc<Account>,
        order: &mut Order,
        trail: &Trail,
        mut reason: AttemptReason,
    ) -> Verdict {
        let mut climb = Climb::new(endpoint::ladder(account));
        let mut token = match self.token(account).await {
            Ok(token) => token,
            Err(error) => return self.no_token(account, &error, order),
        };
        let mut renewed = false;
        let wrong_host_first = self.is_untried(account, &token);
        let mut verdict = Outcome::NoVerdict;
        loop {
            if !order.afford() {
                let failure = order.last.as_ref().map_or_else(spent, UpstreamError::failure);
                return Verdict::Failed(verdict, failure);
            }
            let error = match self.call(account, climb.rung(), &token, order, trail, reason).await {
                Ok(bytes) => {
                    self.tokens.accepted(&account.id, &token);
                    self.learn_host(account, &climb.rung().host);
                    return Verdict::Connected(bytes);
                }
                Err(error) => error,
            };
            order.last = Some(error.clone());
            verdict = self.outcome(&error);
            reason = match error.disposition() {
                Disposition::GiveUp => return Verdict::Failed(verdict, error.failure()),
                Disposition::RetryOther => return Verdict::OtherAccount(verdict),
                // Hosts have limits of their own: the next one is asked at once, and then the next account.
                Disposition::RetrySame if error.kind == Kind::Throttled => match climb.next() {
                    true => AttemptReason::OtherHost,
                    false => return Verdict::OtherAccount(verdict),
                },
                // Refused everywhere: were nothing noted, an account that cannot serve would be asked first for ever.
                Disposition::NextRung => match climb.next() {
                    true => AttemptReason::OtherHost,
                    false => return Verdict::OtherAccount(Outcome::Failed),
                },
                Disposition::RefreshThenRetry if (renewed || wrong_host_first) && climb.next() => {
                    AttemptReason::OtherHost
                }
                // No host takes a token that was just bought: trouble of the account, but not the end of its sign-in.
                Disposition::RefreshThenRetry if renewed => return Verdict::OtherAccount(Outcome::Failed),
                Disposition::RefreshThenRetry => {
                    renewed = true;
                    token = match self.tokens.refresh_rejected(account, &token).await {
                        Ok(token) => token,
                        Err(TokenError::NeedsLogin(why)) => {
                            let _ = self.no_token(account, &TokenError::NeedsLogin(why.clone()), order);
                            return Verdict::OtherAccount(Outcome::NeedsLogin { reason: why });
                        }
                        Err(error) => return self.no_token(account, &error, order),
                    };
                    climb.again();
                    AttemptReason::Renewed
                }
                Disposition::Repair(repair) => {
                    if order.repairs.contains(&repair) {
                        return Verdict::Failed(verdict, error.failure());
                    }
                    self.repair(order, account, repair, trail);
                    AttemptReason::Repaired
                }
                Disposition::RetrySame => {
                    let pause = error.retry_after.unwrap_or_else(|| backoff(order));
                    if order.retries == 0 || pause > LONGEST_ASKED || !self.repeats.allow() {
                        return Verdict::Failed(verdict, error.failure());
                    }
                    order.retries -= 1;
                    // A host's trouble may be its own; a model has no more room on another host.
                    if error.kind != Kind::ModelBusy && climb.next() {
                        AttemptReason::OtherHost
                    } else {
                        tokio::time::sleep(pause).await;
                        AttemptReason::Repeated
                    }
                }
            };
        }
    }

    /// Whether a refused token more likely met the wrong host than its end: the account has never answered, and the token was
    /// bought just now or does not end at all.
    fn is_untried(&self, account: &Account, token: &AccessToken) -> bool {
        let now = self.clock.now();
        let fresh = token.expires_at().is_none_or(|end| end.since(now) >= FRESH);
        fresh && account.learned_host.is_none() && account.wishes.host.is_none()
    }

    async fn call(
        &self,
        account: &Arc<Account>,
        rung: &Rung,
        token: &AccessToken,
        order: &Order,
        trail: &Trail,
        reason: AttemptReason,
    ) -> Result<ByteStream, UpstreamError> {
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
        let code = error.map(UpstreamError::told_code);
        trail.attempt(FlowAttempt {
            operation: FlowOperation::Answer,
            reason,
            account: account.id.to_string(),
            host: rung.host.clone(),
            status: error.map_or(Some(200), |error| error.status),
            code: code.clone(),
            ms: u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX),
            credits: None,
        });
        if let Some(error) = error {
            if error.is_about_the_account() {
                self.leases.note_failure(&account.id, &code.unwrap_or_default(), &error.failure().message);
            }
            tracing::warn!(account = %account.id, host = %rung.host, kind = ?error.kind, %error, "the upstream refused");
        }
        result
    }

    fn repair(&self, order: &mut Order, account: &Account, repair: Repair, trail: &Trail) {
        order.repairs.push(repair);
        match repair {
            Repair::StripReasoning => order.context.strip_reasoning = true,
            Repair::DropFields => {
                order.context.fields_schema = None;
                self.catalog.takes_no_fields(&order.context.model_id);
            }
            Repair::NewConversation => order.thread = Uuid::new_v4(),
        }
        order.built = build(&order.conversation, &order.context);
        order.address(account);
        let (code, detail) = match repair {
            Repair::StripReasoning => ("reasoning_stripped", "sent again without the reasoning of earlier turns"),
            Repair::DropFields => ("model_fields_dropped", "sent again without additional model fields"),
            Repair::NewConversation => ("conversation_renewed", "sent again under a new conversation id"),
        };
        trail.notices(&[kiro_protocol::codec::Notice::new(code, "", detail)]);
    }

    /// Remembers the host that answered, so that it comes first from now on, also after a restart. Saved once per change.
    fn learn_host(&self, account: &Arc<Account>, host: &str) {
        if account.is_demo() || account.learned_host.as_deref() == Some(host) || account.wishes.host.is_some() {
            return;
        }
        self.leases.learn_host_soon(&account.id, host);
    }
}

#[cfg(test)]
pub(crate) mod house;
