//! The handle by which tests steer the stand-in and look at what happened.

use std::sync::Arc;
use std::time::Duration;

use crate::account::AccountSeed;
use crate::journal::{JournalEntry, Violation};
use crate::script::{Script, Target};
use crate::state::{Counters, Decision, ExchangeForm, State};

/// Steers a running [`crate::Simulator`]; cheap to clone.
#[derive(Clone, Debug)]
pub struct Control {
    pub(crate) state: Arc<State>,
}

/// An account as it is now.
#[derive(Clone, Debug, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountView {
    /// The account as it was at start.
    pub seed: AccountSeed,
    /// Credits of the plan used until now, those beyond it included.
    pub credits_used: f64,
    /// Everything that was charged since start, whatever part of the plan paid for it.
    pub credits_charged: f64,
    /// Chat requests answered until now.
    pub requests: u64,
    /// The access token that was handed out last and is still valid.
    pub access_token: Option<String>,
    /// The refresh token that is alive.
    pub refresh_token: Option<String>,
}

impl Control {
    /// Queues a script; the first request that fits uses it up.
    pub fn enqueue(&self, target: Target, script: Script) {
        self.state.memory().scripts.push_back((target, script));
    }

    /// Scripts that nobody used yet.
    pub fn scripts_left(&self) -> usize {
        self.state.memory().scripts.len()
    }

    /// Names of all embedded stream scenarios.
    pub fn scenario_names(&self) -> Vec<String> {
        self.state.catalogue.scenario_names()
    }

    /// Ids of all embedded HTTP errors.
    pub fn error_ids(&self) -> Vec<String> {
        self.state.catalogue.error_ids()
    }

    /// The newest requests, oldest first.
    pub fn journal(&self) -> Vec<JournalEntry> {
        self.state.memory().journal.entries()
    }

    /// Every broken rule since start or reset.
    pub fn violations(&self) -> Vec<Violation> {
        self.state.memory().journal.violations()
    }

    /// How often what happened.
    pub fn counters(&self) -> Counters {
        self.state.memory().counters
    }

    /// All accounts as they are now.
    pub fn accounts(&self) -> Vec<AccountView> {
        let now = self.state.clock.now_ms();
        let memory = self.state.memory();
        memory
            .accounts
            .iter()
            .map(|a| AccountView {
                seed: a.seed.clone(),
                credits_used: a.credits_used,
                credits_charged: a.credits_charged,
                requests: a.requests,
                access_token: memory
                    .access
                    .iter()
                    .filter(|(_, t)| t.account == a.seed.id && !t.revoked && t.expires_ms.is_none_or(|at| at > now))
                    .max_by_key(|(_, t)| t.expires_ms)
                    .map(|(token, _)| token.clone()),
                refresh_token: memory
                    .refresh
                    .iter()
                    .find(|(_, t)| t.account == a.seed.id && !t.dead)
                    .map(|(token, _)| token.clone()),
            })
            .collect()
    }

    /// Adds an account, or replaces the one of the same id.
    pub fn add_account(&self, seed: AccountSeed) {
        let now = self.state.clock.now_ms();
        self.state.memory().add_account(seed, now);
    }

    /// Makes every access token invalid before its time, as the service sometimes does. API keys stay.
    pub fn expire_tokens(&self) {
        for access in self.state.memory().access.values_mut().filter(|a| a.expires_ms.is_some()) {
            access.revoked = true;
        }
    }

    /// Makes the refresh tokens of an account dead, as after a sign-out elsewhere.
    pub fn kill_refresh_tokens(&self, account: &str) {
        for refresh in self.state.memory().refresh.values_mut().filter(|r| r.account == account) {
            refresh.dead = true;
        }
    }

    /// Suspends an account or lifts the suspension.
    pub fn suspend(&self, account: &str, suspended: bool) {
        if let Some(account) = self.state.memory().account_mut(account) {
            account.seed.suspended = suspended;
        }
    }

    /// Sets how many credits an account has used; at its limit it gets 402.
    pub fn set_credits_used(&self, account: &str, credits: f64) {
        if let Some(account) = self.state.memory().account_mut(account) {
            account.credits_used = credits;
        }
    }

    /// Switches use beyond the plan on or off, as the person can at the service.
    pub fn set_overage(&self, account: &str, on: bool) {
        if let Some(account) = self.state.memory().account_mut(account) {
            account.overage = on;
        }
    }

    /// Moves the wall clock of the stand-in forward.
    pub fn advance_clock(&self, by: Duration) {
        self.state.clock.advance(by);
    }

    /// Wall time of the stand-in, Unix ms.
    pub fn now_ms(&self) -> i64 {
        self.state.clock.now_ms()
    }

    /// Lets every stalled stream go on and every unclosed one close.
    pub fn release(&self) {
        self.state.release.send_modify(|n| *n += 1);
    }

    /// Closes the port and drops every open connection, as a service that is down, until called with `false`.
    pub fn refuse_connections(&self, refuse: bool) {
        self.state.refusing.send_replace(refuse);
    }

    /// Share of chat answers (0.0–1.0) that get random faults from now on.
    pub fn set_random_faults(&self, share: f64) {
        self.state.memory().random_faults = share;
    }

    /// Whether device sign-ins are agreed to at once (the default) or wait for [`Control::decide`].
    pub fn set_auto_approve(&self, on: bool) {
        self.state.memory().auto_approve = on;
    }

    /// Whether sign-in addresses answer with a page and its buttons, for a real browser. Then nothing is agreed to by itself.
    pub fn set_sign_in_pages(&self, on: bool) {
        self.state.memory().pages = on;
    }

    /// The way (`google`, `github` or `external_idp`) that the portal's page offers first, as it does for who used it last.
    pub fn set_last_option(&self, option: &str) {
        self.state.memory().last_option = Some(option.to_owned());
    }

    /// The wait between two polls that device sign-ins started from now on ask for; `None` is each family's own.
    pub fn set_device_interval(&self, interval: Option<Duration>) {
        self.state.memory().device_interval_ms =
            interval.map(|interval| i64::try_from(interval.as_millis()).unwrap_or(i64::MAX));
    }

    /// Which form of the redirect address the exchange of the portal's code wants.
    pub fn set_exchange_form(&self, form: ExchangeForm) {
        self.state.memory().exchange_form = form;
    }

    /// Ends every client registration, as after its 90 days.
    pub fn end_registrations(&self) {
        let now = self.state.clock.now_ms();
        for registration in self.state.memory().registrations.values_mut() {
            registration.expires_ms = now;
        }
    }

    /// Decides every device sign-in that is waiting.
    pub fn decide(&self, decision: Decision) {
        for device in self.state.memory().devices.values_mut() {
            device.decision = decision;
        }
    }

    /// Decides one device sign-in by the code that the person would type; false when nobody waits with it.
    pub fn decide_one(&self, user_code: &str, decision: Decision) -> bool {
        let mut memory = self.state.memory();
        let waiting = memory.devices.values_mut().find(|device| device.user_code == user_code);
        waiting.map(|device| device.decision = decision).is_some()
    }

    /// The account in which the following browser and device sign-ins end.
    pub fn sign_in_as(&self, account: &str) {
        self.state.memory().sign_in_as = Some(account.to_owned());
    }

    /// Forgets scripts, journal, tokens handed out and credits; the accounts are as at start. The clock stays.
    pub fn reset(&self) {
        self.state.reset();
    }
}
