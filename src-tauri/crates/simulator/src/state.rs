//! Everything the stand-in remembers: accounts, tokens, sign-ins under way, scripts, journal.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::sync::watch;

use crate::account::{AccountSeed, Family};
use crate::clock::WallClock;
use crate::config::Config;
use crate::journal::Journal;
use crate::models::Models;
use crate::scenario::Catalogue;
use crate::script::{Script, Target};

/// Shared by every connection.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) config: Config,
    pub(crate) clock: WallClock,
    pub(crate) catalogue: Catalogue,
    pub(crate) models: Models,
    /// Counts releases of stalled and unclosed streams.
    pub(crate) release: watch::Sender<u64>,
    /// While true, new connections are refused.
    pub(crate) refusing: watch::Sender<bool>,
    memory: Mutex<Memory>,
}

impl State {
    pub(crate) fn new(config: Config) -> Self {
        let clock = WallClock::start();
        let memory = Mutex::new(Memory::new(&config, clock.now_ms()));
        Self {
            config,
            clock,
            catalogue: Catalogue::load(),
            models: Models::load(),
            release: watch::Sender::new(0),
            refusing: watch::Sender::new(false),
            memory,
        }
    }

    pub(crate) fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Back to the beginning; the clock offset stays.
    pub(crate) fn reset(&self) {
        *self.memory() = Memory::new(&self.config, self.clock.now_ms());
    }
}

/// An account with what changed since start.
#[derive(Clone, Debug)]
pub(crate) struct AccountState {
    pub(crate) seed: AccountSeed,
    pub(crate) credits_used: f64,
    pub(crate) credits_charged: f64,
    pub(crate) requests: u64,
    pub(crate) overage: bool,
}

/// A bearer token that was handed out.
#[derive(Clone, Debug)]
pub(crate) struct Access {
    pub(crate) account: String,
    /// Unix ms; `None` = never (API keys).
    pub(crate) expires_ms: Option<i64>,
    /// Made invalid by the server before its time.
    pub(crate) revoked: bool,
}

/// A refresh token that was handed out.
#[derive(Clone, Debug)]
pub(crate) struct RefreshToken {
    pub(crate) account: String,
    /// Replaced by a newer one, or revoked.
    pub(crate) dead: bool,
    /// The OIDC client it was handed out to; the only one that may refresh with it.
    pub(crate) client: Option<String>,
}

/// An OIDC client registration.
#[derive(Clone, Debug)]
pub(crate) struct Registration {
    pub(crate) secret: String,
    pub(crate) expires_ms: i64,
    pub(crate) grant_types: Vec<String>,
    pub(crate) redirect_uris: Vec<String>,
    pub(crate) scopes: Vec<String>,
    /// Start URL of the instance; empty when the client named none.
    pub(crate) issuer: String,
    /// Region of the host it was made at; empty when that was a loopback name.
    pub(crate) region: String,
}

/// A device sign-in that waits for the person.
#[derive(Clone, Debug)]
pub(crate) struct DeviceGrant {
    pub(crate) account: String,
    pub(crate) client_id: String,
    pub(crate) user_code: String,
    pub(crate) expires_ms: i64,
    pub(crate) interval_ms: i64,
    pub(crate) last_poll_ms: Option<i64>,
    pub(crate) decision: Decision,
}

/// What the person did with a sign-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Decision {
    /// Nothing yet.
    Pending,
    /// Agreed.
    Approved,
    /// Refused.
    Denied,
}

/// An authorization code that waits for its exchange.
#[derive(Clone, Debug)]
pub(crate) struct CodeGrant {
    pub(crate) account: String,
    pub(crate) challenge: String,
    pub(crate) redirect_uri: String,
    pub(crate) client_id: String,
    pub(crate) expires_ms: i64,
}

/// Which form of the redirect address the exchange of the portal's code wants; sources disagree (kiro-upstream §5.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ExchangeForm {
    /// The base and anything below it.
    #[default]
    Any,
    /// Base, path and `login_option`.
    Whole,
    /// The base alone.
    Base,
    /// Base and path.
    Path,
}

/// How often something happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Counters {
    /// TCP connections accepted.
    pub connections: u64,
    /// HTTP requests of upstream operations.
    pub requests: u64,
    /// Chat requests.
    pub generate: u64,
    /// Refresh calls, successful or not.
    pub refreshes: u64,
    /// Refresh calls that were refused.
    pub refreshes_refused: u64,
    /// Chat answers that the caller left before their end.
    pub abandoned: u64,
}

/// The part behind the lock.
#[derive(Debug)]
pub(crate) struct Memory {
    pub(crate) accounts: Vec<AccountState>,
    pub(crate) access: HashMap<String, Access>,
    pub(crate) refresh: HashMap<String, RefreshToken>,
    pub(crate) registrations: HashMap<String, Registration>,
    pub(crate) devices: HashMap<String, DeviceGrant>,
    pub(crate) codes: HashMap<String, CodeGrant>,
    /// Codes that were exchanged, or tried with a wrong verifier.
    pub(crate) spent_codes: HashSet<String>,
    /// Which state came with which PKCE challenge: neither may serve twice.
    pub(crate) challenges: HashMap<String, String>,
    /// Sign-in addresses answer with a page and its buttons, for a real browser.
    pub(crate) pages: bool,
    /// The way that the portal's page offers first, as it does for who used it last.
    pub(crate) last_option: Option<String>,
    /// Between two polls of a device sign-in, in place of the families' own.
    pub(crate) device_interval_ms: Option<i64>,
    pub(crate) exchange_form: ExchangeForm,
    /// Reasoning that was sent: (text, signature).
    pub(crate) reasoning: HashSet<(String, String)>,
    pub(crate) scripts: VecDeque<(Target, Script)>,
    pub(crate) journal: Journal,
    pub(crate) counters: Counters,
    /// Device sign-ins are agreed to at once unless a test wants to decide itself.
    pub(crate) auto_approve: bool,
    pub(crate) random_faults: f64,
    pub(crate) rng: StdRng,
    /// Account that the next browser sign-in of a family ends in, by default the first of the family.
    pub(crate) sign_in_as: Option<String>,
    counter: u64,
}

impl Memory {
    fn new(config: &Config, now_ms: i64) -> Self {
        let mut memory = Self {
            accounts: Vec::new(),
            access: HashMap::new(),
            refresh: HashMap::new(),
            registrations: HashMap::new(),
            devices: HashMap::new(),
            codes: HashMap::new(),
            spent_codes: HashSet::new(),
            challenges: HashMap::new(),
            pages: config.sign_in_pages,
            last_option: None,
            device_interval_ms: None,
            exchange_form: ExchangeForm::Any,
            reasoning: HashSet::new(),
            scripts: VecDeque::new(),
            journal: Journal::new(config.journal_entries),
            counters: Counters::default(),
            auto_approve: true,
            random_faults: config.random_faults,
            rng: StdRng::seed_from_u64(config.seed),
            sign_in_as: None,
            counter: 0,
        };
        for seed in &config.accounts {
            memory.add_account(seed.clone(), now_ms);
        }
        memory
    }

    pub(crate) fn add_account(&mut self, seed: AccountSeed, now_ms: i64) {
        let expires_ms = (seed.family != Family::ApiKey).then(|| now_ms + seed.expires_in.cast_signed() * 1000);
        self.access.insert(seed.access_token.clone(), Access { account: seed.id.clone(), expires_ms, revoked: false });
        if !seed.refresh_token.is_empty() {
            self.refresh.insert(
                seed.refresh_token.clone(),
                RefreshToken { account: seed.id.clone(), dead: false, client: None },
            );
        }
        if matches!(seed.family, Family::BuilderId | Family::Idc) {
            self.registrations.entry(seed.client_id.clone()).or_insert_with(|| Registration {
                secret: seed.client_secret.clone(),
                expires_ms: now_ms + 90 * 86_400_000,
                grant_types: Vec::new(),
                redirect_uris: Vec::new(),
                scopes: Vec::new(),
                issuer: String::new(),
                region: String::new(),
            });
        }
        self.accounts.retain(|a| a.seed.id != seed.id);
        self.accounts.push(AccountState {
            credits_used: seed.credits_used,
            credits_charged: 0.0,
            overage: seed.overage,
            seed,
            requests: 0,
        });
    }

    pub(crate) fn account(&self, id: &str) -> Option<&AccountState> {
        self.accounts.iter().find(|a| a.seed.id == id)
    }

    pub(crate) fn account_mut(&mut self, id: &str) -> Option<&mut AccountState> {
        self.accounts.iter_mut().find(|a| a.seed.id == id)
    }

    /// A UUID from the seeded generator.
    pub(crate) fn uuid(&mut self) -> String {
        let bytes: [u8; 16] = self.rng.random();
        uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
    }

    /// A number that was not used before.
    pub(crate) fn serial(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    /// Takes the first script that fits: those for the conversation first, then for the account, then for anyone.
    pub(crate) fn take_script(&mut self, operation: &str, account: &str, conversation: Option<&str>) -> Option<Script> {
        let wanted = [
            conversation.map(|c| Target::Conversation(c.to_owned())),
            Some(Target::Account(account.to_owned())),
            Some(Target::Any),
        ];
        for target in wanted.into_iter().flatten() {
            let found = self.scripts.iter().position(|(t, s)| *t == target && s.operation == operation);
            if let Some((_, script)) = found.and_then(|at| self.scripts.remove(at)) {
                return Some(script);
            }
        }
        None
    }
}
