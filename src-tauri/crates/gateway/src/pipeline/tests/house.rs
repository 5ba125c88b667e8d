//! A pipeline with accounts that have tokens, and what an answer is asked about.

use crate::account::{Account, AccountState, Leases, Roster, test_account};
use crate::admin_event::Announcer;
use crate::client_key::KeyOptions;
use crate::clock::{ManualClock, Timestamp};
use crate::credential::{Credentials, Secrets};
use crate::disk::DiskLine;
use crate::dispatch::house::{self as dispatch, Plan};
use crate::flow::{FlowView, Flows};
use crate::pipeline::rounds::Rounds;
use crate::pipeline::{Pipeline, house as pipeline};
use crate::settings::Settings;
use crate::upstream::answer::Progress;
use crate::upstream::identity::{Identity, IdentityError, Refreshed};
use crate::upstream::scripted::{Scene, Scripted};
use futures_util::future::BoxFuture;
use kiro_protocol::codec::{Delivery, Echo, Inbound};
use kiro_protocol::conversation::{Block, Conversation, Message, Role};
use kiro_protocol::event::Event;
use kiro_protocol::failure::Failure;
use secrecy::SecretString;
use std::sync::Arc;
use std::time::Duration;

pub(super) struct Renewing;

impl Identity for Renewing {
    fn refresh<'a>(
        &'a self,
        _account: &'a Account,
        _secrets: &'a Secrets,
    ) -> BoxFuture<'a, Result<Refreshed, IdentityError>> {
        Box::pin(std::future::ready(Ok(Refreshed {
            access_token: SecretString::from("renewed"),
            refresh_token: None,
            expires_in: Some(Duration::from_secs(3600)),
            profile_arn: None,
        })))
    }
}

pub(super) struct House {
    pub(super) folder: tempfile::TempDir,
    pub(super) upstream: Arc<Scripted>,
    pub(super) pipeline: Arc<Pipeline>,
    pub(super) flows: Arc<Flows>,
    pub(super) roster: Arc<Roster>,
    pub(super) leases: Arc<Leases>,
    pub(super) credentials: Credentials,
    pub(super) settings: Settings,
}

impl House {
    /// `accounts` social accounts with fresh tokens in memory, so that no store is asked on paused time.
    pub(super) fn new(accounts: &[&str], scenes: Vec<Scene>) -> Self {
        Self::with_identity(accounts, scenes, Arc::new(Renewing))
    }

    pub(super) fn with_identity(accounts: &[&str], scenes: Vec<Scene>, identity: Arc<dyn Identity>) -> Self {
        Self::built(accounts, scenes, identity, DiskLine::on_the_spot())
    }

    pub(super) fn built(accounts: &[&str], scenes: Vec<Scene>, identity: Arc<dyn Identity>, disk: DiskLine) -> Self {
        // The host that its ladder begins with has answered before.
        let learned_host = || Some("runtime.us-east-1.kiro.dev".to_owned());
        let account = |name: &&str| Account { learned_host: learned_host(), ..test_account(name) };
        let base = dispatch::House::new(Plan {
            accounts: accounts.iter().map(account).collect(),
            clock: Arc::new(ManualClock::new(Timestamp(1_795_000_000_000))),
            identity,
            concurrency: 100,
            disk: Some(disk),
            scenes,
        });
        base.seed(|account| format!("token-{}", account.label));
        for account in base.roster.list().iter() {
            // No list: names pass through, and nobody asks again soon.
            base.catalog.missed(&account.id);
        }
        let pipeline = pipeline::pipeline(&base);
        let dispatch::House { folder, clock, roster, leases, credentials, upstream, .. } = base;
        let flows = Arc::new(Flows::new(clock, Announcer::new()));
        Self { folder, upstream, pipeline, flows, roster, leases, credentials, settings: Settings::default() }
    }

    pub(super) async fn begin_with(&self, conversation: Conversation) -> Rounds {
        let inbound = inbound(conversation);
        let flow = self.flows.open("flow".into(), "test", None);
        match self.pipeline.begin(inbound, flow, &self.settings, &KeyOptions::default(), None).await {
            Ok(exchange) => exchange,
            Err((failure, _)) => panic!("not begun: {failure:?}"),
        }
    }

    pub(super) async fn begin(&self) -> Rounds {
        self.begin_with(question("hello")).await
    }

    pub(super) fn flow(&self) -> Arc<FlowView> {
        self.flows.newest(1).pop().expect("a flow")
    }

    pub(super) fn in_use(&self) -> bool {
        // A lease that is still out keeps a probing account from being admitted; counting is simpler.
        self.upstream.open() > 0
    }

    pub(super) fn state(&self, at: usize) -> AccountState {
        self.leases.state(&self.roster.list()[at])
    }
}

/// As decoded from a request for a stream.
pub(super) fn inbound(conversation: Conversation) -> Inbound {
    let (delivery, echo) = (Delivery::Stream, Echo::default());
    Inbound { conversation, delivery, echo, notices: Vec::new(), keep: None, forgets_signatures: false }
}

pub(super) fn question(text: &str) -> Conversation {
    let content = vec![Block::Text { text: text.into(), cache: false }];
    let messages = vec![Message { role: Role::User, content }];
    Conversation { model: "auto".into(), messages, ..Conversation::default() }
}

pub(super) async fn all(exchange: &mut Rounds) -> (Vec<Event>, Result<(), Failure>) {
    let mut events = Vec::new();
    loop {
        match exchange.next(&mut events).await {
            Ok(Progress::More) => {}
            Ok(Progress::Complete) => return (events, Ok(())),
            Err(failure) => return (events, Err(failure)),
        }
    }
}

pub(super) fn said(events: &[Event]) -> String {
    events
        .iter()
        .filter_map(|event| match event {
            Event::Text(text) => Some(text.as_str()),
            Event::Thinking(_)
            | Event::ThinkingSignature(_)
            | Event::RedactedThinking(_)
            | Event::ToolUseStart { .. }
            | Event::ToolInput(_)
            | Event::ToolUseEnd
            | Event::ToolUseCut
            | Event::SearchStart { .. }
            | Event::SearchDone { .. }
            | Event::Usage(_)
            | Event::Stop(_) => None,
        })
        .collect()
}

pub(super) fn codes(flow: &FlowView) -> Vec<&str> {
    flow.attempts.iter().map(|attempt| attempt.code.as_deref().unwrap_or("ok")).collect()
}

pub(super) const BUSY: &str = r#"{"message":"Service is unavailable.","reason":null}"#;
