//! Strategies and stickiness, with a thousand accounts where it matters.

use super::*;
use crate::account::StickyKey;
use kiro_protocol::conversation::{Block, Conversation, Message, Role};

const MANY: usize = 1000;

#[expect(clippy::disallowed_methods, reason = "a thousand additions would each sync the disk")]
fn many() -> House {
    let root = tempfile::tempdir().expect("temp dir");
    let state = root.path().join("state");
    std::fs::create_dir_all(&state).expect("made");
    let accounts: Vec<Account> = (0..MANY).map(|n| test_account(&format!("a{n}"))).collect();
    let stored = serde_json::json!({ "schema": 1, "accounts": accounts });
    std::fs::write(state.join("accounts.json"), stored.to_string()).expect("written");
    let dir = Arc::new(DataDir::open(Some(state)).expect("opens"));
    let roster = Arc::new(Roster::open(dir).expect("opens"));
    let clock = Arc::new(ManualClock::new(Timestamp(1_000_000)));
    let leases = Arc::new(Leases::new(Arc::clone(&roster), clock.clone(), 2));
    House { _root: root, clock, roster, leases }
}

/// How often each account was chosen by so many requests, one after the other.
fn chosen(house: &House, requests: usize) -> Vec<usize> {
    let mut counts: HashMap<AccountId, usize> = HashMap::new();
    for _ in 0..requests {
        *counts.entry(house.lease().expect("free").account.id.clone()).or_default() += 1;
    }
    house.roster.list().iter().map(|account| counts.get(&account.id).copied().unwrap_or(0)).collect()
}

#[test]
fn every_strategy_that_spreads_is_fair_over_a_thousand_accounts() {
    for strategy in [Strategy::MostQuota, Strategy::RoundRobin, Strategy::FewestRequests] {
        let house = many().with(rules(strategy));
        let counts = chosen(&house, 3 * MANY + 500);
        let (least, most) = (counts.iter().min().copied(), counts.iter().max().copied());
        assert_eq!((least, most), (Some(3), Some(4)), "{strategy:?}");
    }
}

#[test]
fn requests_at_the_same_time_use_every_account_once_before_any_twice() {
    for strategy in [Strategy::MostQuota, Strategy::RoundRobin, Strategy::FewestRequests] {
        let house = many().with(rules(strategy));
        let leases: Vec<Lease> = (0..MANY).map(|_| house.lease().expect("free")).collect();
        let ids: std::collections::HashSet<&AccountId> = leases.iter().map(|lease| &lease.account.id).collect();
        assert_eq!(ids.len(), MANY, "{strategy:?}");
    }
}

#[test]
fn the_account_with_the_most_quota_is_used_and_an_unknown_quota_counts_as_the_average() {
    let house = house(&["poor", "unknown", "rich"]);
    house.quota("poor", 10.0, 10.0);
    house.quota("rich", 90.0, 90.0);
    let pick = || house.lease().expect("free").account.label.clone();
    assert_eq!((pick(), pick()), ("rich".into(), "rich".into()));
    house.leases.set_enabled(&house.id("rich"), false).expect("saves");
    assert_eq!(pick(), "unknown", "before the one that is known to have less than the average");
    house.quota("poor", 95.0, 95.0);
    assert_eq!(pick(), "poor");
    // Equal quotas: the one that served less.
    house.leases.set_enabled(&house.id("rich"), true).expect("saves");
    for label in ["poor", "rich", "unknown"] {
        house.quota(label, 50.0, 50.0);
    }
    assert_eq!(pick(), "unknown", "one request, as the poor one had, and longer ago; the rich one had two");
}

#[test]
fn the_quota_of_a_past_month_is_not_believed() {
    let house = house(&["one", "two"]);
    let glance = |left: f64, resets_at: i64| QuotaGlance {
        left,
        left_percent: 50.0,
        resets_at: Some(Timestamp(resets_at)),
        blocked: false,
    };
    house.leases.set_quota(&house.id("one"), Some(glance(5.0, 2_000_000)));
    house.leases.set_quota(&house.id("two"), Some(glance(50.0, 9_000_000)));
    assert_eq!(house.lease().expect("free").account.label, "two");
    house.clock.set(Timestamp(2_000_000));
    house.leases.census();
    assert_eq!(house.lease().expect("free").account.label, "one", "unknown now, and with fewer requests");
}

#[test]
fn requests_are_shared_out_by_weight_also_after_the_weights_change() {
    let house = house(&["one", "three", "six"]).with(rules(Strategy::Weighted));
    house.change("three", |account| account.wishes.weight = Some(3));
    house.change("six", |account| account.wishes.weight = Some(6));
    assert_eq!(chosen(&house, 100), [10, 30, 60]);
    house.change("one", |account| account.wishes.weight = Some(6));
    assert_eq!(chosen(&house, 150), [60, 30, 60], "no catching up with what another weight would have been");
}

#[test]
fn credits_that_end_sooner_are_used_first_and_unknown_ends_last() {
    let house = house(&["unknown", "later", "soon"]).with(rules(Strategy::SoonestReset));
    for (label, resets_at) in [("later", 9_000_000), ("soon", 5_000_000)] {
        let resets_at = Some(Timestamp(resets_at));
        let glance = QuotaGlance { left: 50.0, left_percent: 50.0, resets_at, blocked: false };
        house.leases.set_quota(&house.id(label), Some(glance));
    }
    let held: Vec<Lease> = (0..5).map(|_| house.lease().expect("free")).collect();
    let order: Vec<&str> = held.iter().map(|lease| lease.account.label.as_str()).collect();
    assert_eq!(order, ["soon", "soon", "later", "later", "unknown"]);
    drop(held);
    house.clock.set(Timestamp(6_000_000));
    house.leases.census();
    assert_eq!(
        house.lease().expect("free").account.label,
        "later",
        "the sooner one begins a new period of unknown end"
    );
}

#[test]
fn one_account_is_used_up_before_the_next_is_begun() {
    let house = house(&["full", "begun", "empty"]).with(rules(Strategy::FillFirst));
    for (label, left) in [("full", 90.0), ("begun", 20.0), ("empty", 0.0)] {
        house.quota(label, left, left);
    }
    let pick = || house.lease().expect("free").account.label.clone();
    assert_eq!((pick(), pick(), pick()), ("begun".into(), "begun".into(), "begun".into()));
    house.quota("begun", 0.0, 0.0);
    assert_eq!(pick(), "full", "what is used up comes last");
}

#[test]
fn priority_goes_down_the_list_only_while_it_must() {
    let house = house(&["second", "first", "third"]).with(rules(Strategy::Priority));
    for (label, priority) in [("first", -5), ("second", 0), ("third", 7)] {
        house.change(label, |account| account.wishes.priority = priority);
    }
    let (a, b) = (house.lease().expect("free"), house.lease().expect("free"));
    assert_eq!((a.account.label.as_str(), b.account.label.as_str()), ("first", "first"));
    assert_eq!(house.lease().expect("free").account.label, "second", "the first is busy");
    drop(b);
    a.settle(Outcome::Throttled { retry_after: None });
    assert_eq!(house.lease().expect("free").account.label, "second", "the first is pausing");
    house.leases.set_enabled(&house.id("second"), false).expect("saves");
    assert_eq!(house.lease().expect("free").account.label, "third");
    house.leases.signal(&house.id("first"), Signal::Restored).expect("saves");
    assert_eq!(house.lease().expect("free").account.label, "first");
}

#[test]
fn single_uses_one_account_and_says_what_is_wrong_with_it() {
    let house = house(&["one", "two"]).with(rules(Strategy::Single));
    let (_a, _b) = (house.lease().expect("free"), house.lease().expect("free"));
    assert_eq!((_a.account.label.as_str(), _b.account.label.as_str()), ("one", "one"));
    assert_eq!(house.lease().expect_err("no failover"), NoAccount::Busy);
    house.leases.signal(&house.id("one"), Signal::SuspendedUpstream { reason: "r".into() }).expect("saves");
    assert_eq!(house.lease().expect_err("no failover"), NoAccount::Suspended);
    house.change("two", |account| account.wishes.priority = -1);
    assert_eq!(house.lease().expect("free").account.label, "two");
}

#[test]
fn a_person_can_choose_the_only_account() {
    let house = house(&["one", "two"]);
    let only = Some(house.id("two"));
    let house = house.with(SelectionRules { only, ..SelectionRules::default() });
    for _ in 0..5 {
        assert_eq!(house.lease().expect("free").account.label, "two");
    }
    house.leases.signal(&house.id("two"), Signal::GrantRejected { reason: "r".into() }).expect("saves");
    assert_eq!(house.lease().expect_err("no other one"), NoAccount::NeedsLogin);
    // A person who tries out another one is answered by that one.
    let request = LeaseRequest { only: Some(house.id("one")), ..LeaseRequest::default() };
    assert_eq!(house.leases.lease(&request).expect("free").account.label, "one");
}

fn conversation(session: Option<&str>, texts: &[&str]) -> Conversation {
    let messages = texts.iter().enumerate().map(|(at, text)| Message {
        role: if at % 2 == 0 { Role::User } else { Role::Assistant },
        content: vec![Block::Text { text: (*text).into(), cache: false }],
    });
    Conversation { session: session.map(str::to_owned), messages: messages.collect(), ..Conversation::default() }
}

impl House {
    fn key(&self, key: &str, session: Option<&str>, texts: &[&str]) -> StickyKey {
        self.leases.sticky_key(key, &conversation(session, texts)).expect("something to go by")
    }

    fn answer(&self, sticky: StickyKey) -> String {
        let request = LeaseRequest { sticky: Some(sticky), ..LeaseRequest::default() };
        let lease = self.leases.lease(&request).expect("free");
        let label = lease.account.label.clone();
        lease.settle(Outcome::Succeeded);
        label
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_stays_for_an_hour_after_its_last_answer() {
    let house = house(&["one", "two", "three"]).with(rules(Strategy::RoundRobin));
    let session = house.key("k", Some("s"), &["hello"]);
    let first = house.answer(session);
    for _ in 0..3 {
        tokio::time::advance(Duration::from_secs(3590)).await;
        drop(house.lease());
        assert_eq!(house.answer(session), first);
    }
    tokio::time::advance(Duration::from_secs(3600)).await;
    drop(house.lease());
    assert_ne!(house.answer(session), first, "chosen anew, and it is another one's turn");
}

#[tokio::test(start_paused = true)]
async fn without_a_session_the_beginning_is_recognised_for_a_minute() {
    let house = house(&["one", "two", "three"]).with(rules(Strategy::RoundRobin));
    let first = house.answer(house.key("k", None, &["hello"]));
    // The conversation grows, its beginning stays.
    let grown = house.key("k", None, &["hello", "hi", "and now?"]);
    tokio::time::advance(Duration::from_secs(59)).await;
    assert_eq!(house.answer(grown), first);
    tokio::time::advance(Duration::from_secs(60)).await;
    drop(house.lease());
    assert_ne!(house.answer(grown), first);
    assert_ne!(house.key("k", None, &["hello"]), house.key("k", None, &["hello there"]));
    assert!(house.leases.sticky_key("k", &conversation(None, &[])).is_none(), "nothing to go by");
}

#[test]
fn two_keys_never_share_a_session() {
    let house = house(&["one"]);
    assert_ne!(house.key("k1", Some("s"), &["x"]), house.key("k2", Some("s"), &["x"]));
    assert_ne!(house.key("k1", None, &["x"]), house.key("k2", None, &["x"]));
    assert_eq!(house.key("k1", Some("s"), &["x"]), house.key("k1", Some("s"), &["y"]));
    assert_ne!(house.key("k1s", Some(""), &["x"]), house.key("k1", Some("s"), &["x"]));
}

#[tokio::test(start_paused = true)]
async fn a_session_is_bound_by_a_success_only_and_released_by_trouble() {
    let house = house(&["one", "two"]).with(rules(Strategy::Priority));
    let session = house.key("k", Some("s"), &["hello"]);
    let request = LeaseRequest { sticky: Some(session), ..LeaseRequest::default() };
    for no_answer in [Outcome::NoVerdict, Outcome::Failed] {
        house.leases.lease(&request).expect("free").settle(no_answer);
        assert_eq!(house.leases.sticky.get(session), None);
    }
    assert_eq!(house.answer(session), "one");
    assert_eq!(house.leases.sticky.get(session), Some(house.id("one")));
    house.leases.lease(&request).expect("free").settle(Outcome::Throttled { retry_after: None });
    assert_eq!(house.leases.sticky.get(session), None);
    assert_eq!(house.answer(session), "two");
    // A pause that somebody else's request brought ends the binding as well, when the session comes again.
    house.leases.signal(&house.id("two"), Signal::SuspendedUpstream { reason: "r".into() }).expect("saves");
    house.leases.signal(&house.id("one"), Signal::Restored).expect("saves");
    assert_eq!(house.answer(session), "one");
    house.leases.signal(&house.id("two"), Signal::Restored).expect("saves");
    assert_eq!(house.answer(session), "one", "bound to the one that answered");
}

#[tokio::test(start_paused = true)]
async fn a_busy_account_keeps_its_session_and_another_one_helps_out() {
    let house = house(&["one", "two"]).with(rules(Strategy::Priority));
    house.change("two", |account| account.wishes.priority = 1);
    let session = house.key("k", Some("s"), &["hello"]);
    assert_eq!(house.answer(session), "one");
    let (a, b) = (house.lease().expect("free"), house.lease().expect("free"));
    let request = LeaseRequest { sticky: Some(session), ..LeaseRequest::default() };
    assert_eq!(house.leases.lease(&request).expect("free").account.label, "two");
    drop((a, b));
    assert_eq!(house.leases.lease(&request).expect("free").account.label, "one");
}

#[tokio::test(start_paused = true)]
async fn a_thousand_sessions_stay_on_a_thousand_accounts() {
    let house = many();
    let keys: Vec<StickyKey> = (0..MANY).map(|n| house.key("k", Some(&n.to_string()), &["hello"])).collect();
    let first: Vec<String> = keys.iter().map(|key| house.answer(*key)).collect();
    let distinct: std::collections::HashSet<&String> = first.iter().collect();
    assert_eq!(distinct.len(), MANY);
    for round in 0..3 {
        for (key, expected) in keys.iter().zip(&first).rev() {
            assert_eq!(house.answer(*key), *expected, "round {round}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_memory_of_sessions_is_bounded() {
    let house = house(&["one"]);
    for n in 0..60_000 {
        house.answer(house.key("k", Some(&n.to_string()), &["hello"]));
    }
    assert!(house.leases.sticky.len() <= 21_000, "{}", house.leases.sticky.len());
}

#[tokio::test(start_paused = true)]
async fn stickiness_can_be_switched_off() {
    let off = SelectionRules { sticky: Duration::ZERO, sticky_hash: Duration::ZERO, ..rules(Strategy::RoundRobin) };
    let house = house(&["one", "two"]).with(off);
    for key in [house.key("k", Some("s"), &["hello"]), house.key("k", None, &["hello"])] {
        assert_ne!(house.answer(key), house.answer(key));
    }
}
