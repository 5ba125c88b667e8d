#![allow(clippy::disallowed_methods, reason = "these tests plant broken files on purpose")]

use super::*;
use crate::clock::{ManualClock, Timestamp};
use crate::data_dir::DataDir;
use kiro_protocol::codec::{Delivery, Notice};
use kiro_protocol::event::Usage;
use kiro_protocol::failure::{Failure, FailureClass};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;
use tokio_util::task::TaskTracker;

mod disk;
mod exports;
mod marking;
mod queries;

const START: Timestamp = Timestamp::from_unix_seconds(1_795_000_000);

/// A folder, a clock, and settings.
struct House {
    folder: tempfile::TempDir,
    clock: Arc<ManualClock>,
    settings: FlowSettings,
}

/// Flows with their writer, as long as nobody ends it.
struct Open {
    flows: Arc<Flows>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl House {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        Self { folder, clock: Arc::new(ManualClock::new(START)), settings: FlowSettings::default() }
    }

    fn files(&self) -> PathBuf {
        self.folder.path().join("data/flows")
    }

    /// Names of the files with lines, in their order.
    fn segments(&self) -> Vec<PathBuf> {
        let found = std::fs::read_dir(self.files()).expect("a folder").map(|entry| entry.expect("an entry").path());
        let mut found: Vec<PathBuf> = found.filter(|path| path.extension().is_some_and(|e| e == "jsonl")).collect();
        found.sort();
        found
    }

    fn bytes(&self) -> u64 {
        self.segments().iter().map(|path| path.metadata().expect("a file").len()).sum()
    }

    fn open(&self) -> Open {
        let dir = Arc::new(DataDir::open(Some(self.folder.path().join("data"))).expect("opens"));
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        let flows = Arc::new(Flows::load(Some(dir), clock, Announcer::new(), &self.settings));
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        tasks.spawn(Arc::clone(&flows).run(stop.clone()));
        Open { flows, stop, tasks }
    }
}

impl House {
    /// Ids that the next start finds.
    async fn found(&self) -> Vec<String> {
        let open = self.open();
        let ids = open.ids();
        open.end().await;
        ids
    }
}

impl Open {
    /// Ends the writer; everything that was handed to it is written.
    async fn end(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Waits until the writer has nothing to do.
    async fn idle(&self) {
        let orders = self.flows.orders.as_ref().expect("a writer");
        while orders.capacity() < writer::QUEUE {
            tokio::task::yield_now().await;
        }
    }

    fn ids(&self) -> Vec<String> {
        self.flows.newest(usize::MAX).iter().map(|flow| flow.id.clone()).collect()
    }
}

/// A request that is asked and answered.
fn answered(flows: &Arc<Flows>, id: &str) {
    let flow = flows.open(id.to_owned(), "anthropic", Some("claude-cli/2.0".to_owned()));
    flow.asked("claude-sonnet-4-5", Delivery::Stream, &[]);
    flow.complete(&Usage { credits: Some(0.25), output_tokens: Some(7), ..Usage::default() }, &[]);
}

fn failed(flows: &Arc<Flows>, id: &str, code: &'static str) {
    let flow = flows.open(id.to_owned(), "openai-chat", None);
    flow.asked("gpt-5", Delivery::Whole, &[]);
    flow.status(429);
    flow.failed(&Failure::new(FailureClass::RateLimit, code, "slow down"));
}

fn names(from: usize, to: usize) -> Vec<String> {
    (from..=to).rev().map(|n| format!("f{n}")).collect()
}

#[tokio::test]
async fn a_request_is_under_way_until_it_ends_and_both_are_told() {
    let flows = Arc::new(Flows::new(Arc::new(ManualClock::new(START)), Announcer::new()));
    let mut count = flows.watch();
    let flow = flows.open("one".into(), "anthropic", None);
    assert_eq!(*count.borrow_and_update(), 1);
    let everything = FlowFilter::default();
    let sieve = Sieve::new(&everything, &|_| None);
    assert_eq!(flows.running(&sieve)[0].flow.outcome, FlowOutcome::Running);
    assert_eq!(flows.find("one").expect("found").flow.outcome, FlowOutcome::Running);
    assert!(flows.newest(1).is_empty());
    drop(flow);
    assert_eq!(flows.in_flight(), 0);
    assert!(flows.running(&sieve).is_empty());
    assert_eq!(flows.newest(1)[0].outcome, FlowOutcome::ClientLeft);
    assert_eq!(flows.totals().client_left, 1);
}

#[tokio::test]
async fn whatever_a_client_sends_a_record_stays_small_and_holds_nothing_of_the_shape_of_a_secret() {
    let flows = Arc::new(Flows::new(Arc::new(ManualClock::new(START)), Announcer::new()));
    let secret = "kp-0123456789abcdefghijklmnopqrstuv";
    let long = "x".repeat(100_000);
    let flow = flows.open("one".into(), "anthropic", Some(format!("{long} {secret}")));
    let notice = Notice::new("ignored", format!("system.{secret}.{long}"), format!("{long}{secret}"));
    flow.asked(&format!("model {secret} {long}"), Delivery::Stream, &vec![notice; 500]);
    flow.resolved(&long, &[]);
    for _ in 0..1000 {
        flow.trail().attempt(FlowAttempt {
            operation: FlowOperation::Answer,
            reason: AttemptReason::First,
            account: "a".into(),
            host: "h".into(),
            status: Some(500),
            code: Some(format!("{secret}{long}")),
            ms: 1,
            credits: None,
        });
    }
    drop(flow);
    let kept = serde_json::to_string(&*flows.newest(1)[0]).expect("JSON");
    assert!(kept.len() < 60_000, "{}", kept.len());
    assert!(!kept.contains(&secret[..20]), "{kept}");
}

#[tokio::test]
async fn credits_of_an_attempt_are_those_that_were_metered_for_it() {
    let flows = Arc::new(Flows::new(Arc::new(ManualClock::new(START)), Announcer::new()));
    let flow = flows.open("one".into(), "anthropic", None);
    let attempt = |code: Option<&str>, operation| FlowAttempt {
        operation,
        reason: AttemptReason::First,
        account: "a".into(),
        host: "h".into(),
        status: Some(200),
        code: code.map(str::to_owned),
        ms: 1,
        credits: None,
    };
    let trail = flow.trail();
    trail.metered(9.0);
    trail.attempt(attempt(Some("throttled"), FlowOperation::Answer));
    trail.attempt(attempt(None, FlowOperation::Answer));
    trail.attempt(attempt(None, FlowOperation::Search));
    trail.metered(0.5);
    trail.metered(0.25);
    drop(flow);
    let credits: Vec<Option<f64>> = flows.newest(1)[0].attempts.iter().map(|attempt| attempt.credits).collect();
    assert_eq!(credits, [None, Some(0.75), None]);
}
