use super::*;
use crate::account::{AccountOrigin, Strategy, test_account};
use crate::clock::ManualClock;
use crate::data_dir::DataDir;
use std::collections::HashMap;

mod choice;
mod pace;
mod waiting;

struct House {
    _root: tempfile::TempDir,
    clock: Arc<ManualClock>,
    roster: Arc<Roster>,
    leases: Arc<Leases>,
}

fn house(labels: &[&str]) -> House {
    let root = tempfile::tempdir().expect("temp dir");
    let dir = Arc::new(DataDir::open(Some(root.path().join("state"))).expect("opens"));
    let roster = Arc::new(Roster::open(dir).expect("opens"));
    for label in labels {
        let mut account = test_account(label);
        if *label == "demo" {
            account.origin = AccountOrigin::Demo;
        }
        roster.add(account).expect("adds");
    }
    let clock = Arc::new(ManualClock::new(Timestamp(1_000_000)));
    let leases = Arc::new(Leases::new(Arc::clone(&roster), clock.clone(), 2));
    House { _root: root, clock, roster, leases }
}

impl House {
    fn with(self, rules: SelectionRules) -> Self {
        self.leases.follow(rules);
        self
    }

    fn lease(&self) -> Result<Lease, NoAccount> {
        self.leases.lease(&LeaseRequest::default())
    }

    fn id(&self, label: &str) -> AccountId {
        self.roster.list().iter().find(|account| account.label == label).expect("known").id.clone()
    }

    fn change(&self, label: &str, change: impl FnOnce(&mut Account)) {
        self.roster.update(&self.id(label), change).expect("saves");
    }

    fn quota(&self, label: &str, left: f64, left_percent: f64) {
        let glance = QuotaGlance { left, left_percent, resets_at: None, blocked: false };
        self.leases.set_quota(&self.id(label), Some(glance));
    }
}

fn rules(strategy: Strategy) -> SelectionRules {
    SelectionRules { strategy, ..SelectionRules::default() }
}

#[test]
fn a_lease_holds_a_place_and_dropping_it_gives_the_place_back() {
    let house = house(&["one"]);
    let first = house.lease().expect("free");
    let _second = house.lease().expect("free");
    assert_eq!(house.lease().expect_err("full"), NoAccount::Busy);
    drop(first);
    house.lease().expect("free again");
}

#[test]
fn an_accounts_own_number_of_requests_at_once_goes_before_that_of_the_settings() {
    let house = house(&["one", "two"]);
    house.change("one", |account| account.wishes.concurrency = Some(1));
    house.change("two", |account| account.wishes.concurrency = Some(3));
    let leases: Vec<Lease> = std::iter::from_fn(|| house.lease().ok()).collect();
    let of = |label: &str| leases.iter().filter(|lease| lease.account.label == label).count();
    assert_eq!((leases.len(), of("one"), of("two")), (4, 1, 3));
    assert_eq!(house.lease().expect_err("all of them are full"), NoAccount::Busy);
    // The settings count again once the wish is taken back.
    house.change("one", |account| account.wishes.concurrency = None);
    assert_eq!(house.lease().expect("one more").account.label, "one");
}

#[test]
fn requests_spread_over_accounts_and_a_retry_takes_another_one() {
    let house = house(&["one", "two"]);
    let first = house.lease().expect("free");
    let second = house.lease().expect("free");
    assert_ne!(first.account.id, second.account.id);
    let request = LeaseRequest { exclude: vec![first.account.id.clone()], ..LeaseRequest::default() };
    let third = house.leases.lease(&request).expect("free");
    assert_eq!(third.account.id, second.account.id);
    let request = LeaseRequest { exclude: vec![house.id("one"), house.id("two")], ..LeaseRequest::default() };
    assert_eq!(house.leases.lease(&request).expect_err("none left"), NoAccount::AllTried);
}

#[test]
fn the_demo_account_never_serves_beside_a_real_one() {
    let house = house(&["demo"]);
    assert!(house.leases.census().simulated);
    assert!(house.lease().expect("alone").account.is_demo());
    let real = house.roster.add(test_account("real")).expect("adds");
    for _ in 0..3 {
        // Not even when the real one cannot serve.
        house.leases.set_enabled(&real.id, false).expect("saves");
        assert_eq!(house.lease().expect_err("the real one is off"), NoAccount::Disabled);
    }
    house.leases.set_enabled(&real.id, true).expect("saves");
    assert_eq!(house.lease().expect("on").account.id, real.id);
    let census = house.leases.census();
    assert_eq!((census.total, census.usable, census.demo, census.simulated), (2, 1, 1, false));
}

#[test]
fn outcomes_move_the_condition_and_time_brings_the_account_back() {
    let house = house(&["one"]);
    house.lease().expect("free").settle(Outcome::Throttled { retry_after: Some(Duration::from_secs(120)) });
    let until = Timestamp(1_000_000).plus(Duration::from_secs(120));
    assert_eq!(house.lease().expect_err("pausing"), NoAccount::CoolingDown { until });
    house.clock.set(until);
    let probe = house.lease().expect("one probe");
    assert_eq!(house.lease().expect_err("only one"), NoAccount::Busy);
    probe.settle(Outcome::Succeeded);
    house.lease().expect("ready");
}

#[test]
fn a_lease_that_is_dropped_without_verdict_changes_no_condition() {
    let house = house(&["one"]);
    for _ in 0..20 {
        drop(house.lease().expect("free"));
        house.lease().expect("free").settle(Outcome::NoVerdict);
    }
    assert_eq!(house.leases.state(&house.roster.list()[0]), AccountState::READY);
}

#[test]
fn a_stop_that_needs_a_person_survives_a_restart_and_ends_with_the_person() {
    let house = house(&["one"]);
    let id = house.id("one");
    house.lease().expect("free").settle(Outcome::Suspended { reason: "locked".into() });
    let restarted = Arc::new(Leases::new(Arc::clone(&house.roster), house.clock.clone(), 2));
    assert_eq!(restarted.lease(&LeaseRequest::default()).expect_err("suspended"), NoAccount::Suspended);
    // Off and on again does not end a suspension.
    restarted.set_enabled(&id, false).expect("saves");
    restarted.set_enabled(&id, true).expect("saves");
    assert_eq!(restarted.lease(&LeaseRequest::default()).expect_err("suspended"), NoAccount::Suspended);
    restarted.signal(&id, Signal::Restored).expect("saves");
    restarted.lease(&LeaseRequest::default()).expect("usable");
    assert_eq!(house.roster.get(&id).expect("there").stopped, None);
}

#[test]
fn a_days_limit_and_a_pause_do_not_end_by_being_switched_off_and_on() {
    let house = house(&["one", "two"]);
    let (one, two) = (house.id("one"), house.id("two"));
    let day = Timestamp(1_000_000).plus(Duration::from_secs(6 * 3600));
    let used_up = Signal::QuotaUsedUp { resets_at: Some(day), daily: true };
    house.leases.signal(&one, used_up.clone()).expect("saves");
    house.leases.signal(&two, Signal::Throttled { retry_after: Some(Duration::from_secs(900)) }).expect("saves");
    let paused = house.leases.state(&house.roster.get(&two).expect("there"));
    for id in [&one, &two] {
        house.leases.set_enabled(id, false).expect("saves");
        assert!(matches!(house.leases.state(&house.roster.get(id).expect("there")), AccountState::Disabled { .. }));
        house.leases.set_enabled(id, true).expect("saves");
    }
    let state = |id: &AccountId| house.leases.state(&house.roster.get(id).expect("there"));
    assert_eq!(state(&one), AccountState::Exhausted { until: day, daily: true });
    assert_eq!(state(&two), paused);

    // What a request learned that was under way when it was switched off counts as well.
    house.leases.signal(&two, Signal::Restored).expect("saves");
    house.leases.set_enabled(&two, false).expect("saves");
    house.leases.signal(&two, used_up).expect("saves");
    house.leases.signal(&one, Signal::QuotaBack).expect("saves");
    house.leases.set_enabled(&two, true).expect("saves");
    assert_eq!([state(&one), state(&two)], [AccountState::Exhausted { until: day, daily: true }, state(&one)]);
    house.clock.set(day);
    house.lease().expect("the day is over");
}

#[test]
fn an_account_that_a_person_takes_back_has_the_pauses_it_had() {
    let house = house(&["one", "two"]);
    let one = house.id("one");
    let account = house.roster.get(&one).expect("there");
    let of =
        |model: &str| LeaseRequest { model: Some(model.into()), only: Some(one.clone()), ..LeaseRequest::default() };
    house.leases.lease(&of("large")).expect("free").settle(Outcome::ModelBusy { retry_after: None });
    let (ends, comes_back) = (house.leases.lease(&of("small")).expect("free"), house.leases.lease(&of("small")));
    let away = house.roster.remove(&one, Some(Timestamp(9_000_000))).expect("removes").expect("was there");
    house.leases.look_again();
    assert_eq!(house.leases.record(&one), None, "nobody is served by it");
    // Its requests end meanwhile, one of them with a refusal.
    ends.settle(Outcome::Throttled { retry_after: Some(Duration::from_secs(600)) });
    house.roster.take_back(&one).expect("saves").expect("in time");
    let until = Timestamp(1_000_000).plus(Duration::from_secs(600));
    assert_eq!(house.leases.state(&account), AccountState::CoolingDown { until, round: 1 });
    let record = house.leases.record(&one).expect("known");
    assert_eq!((record.in_flight, record.requests, record.model_pauses.len()), (1, 3, 1));
    drop(comes_back);
    assert_eq!(house.leases.record(&one).expect("known").in_flight, 0);

    house.roster.remove(&one, Some(Timestamp(9_000_000))).expect("removes");
    house.leases.forget(&one);
    house.roster.add(Account::clone(&away)).expect("adds");
    assert_eq!(house.leases.state(&account), AccountState::READY, "another account for us, or the same one afresh");
    assert_eq!(house.leases.record(&one).expect("known").requests, 0);
}

#[test]
fn a_suspended_account_is_never_probed_however_long_it_takes() {
    let house = house(&["one"]);
    house.lease().expect("free").settle(Outcome::Suspended { reason: "locked".into() });
    for days in 0..400 {
        house.clock.set(Timestamp(1_000_000).plus(Duration::from_secs(days * 86_400)));
        assert_eq!(house.lease().expect_err("suspended"), NoAccount::Suspended);
    }
}

#[test]
fn a_model_without_capacity_pauses_alone_and_the_account_serves_others() {
    let house = house(&["one", "two"]);
    let of = |model: &str| LeaseRequest { model: Some(model.into()), ..LeaseRequest::default() };
    let busy = Outcome::ModelBusy { retry_after: Some(Duration::from_secs(30)) };
    let first = house.leases.lease(&of("large")).expect("free");
    let paused = first.account.id.clone();
    first.settle(busy.clone());
    let second = house.leases.lease(&of("large")).expect("the other account");
    assert_ne!(second.account.id, paused);
    second.settle(busy);
    let until = Timestamp(1_000_000).plus(Duration::from_secs(30));
    assert_eq!(house.leases.lease(&of("large")).expect_err("paused on both"), NoAccount::ModelPausing { until });
    house.leases.lease(&of("small")).expect("another model");
    assert_eq!(house.leases.state(&house.roster.list()[0]), AccountState::READY);
    let record = house.leases.record(&paused).expect("known");
    assert_eq!(
        record.model_pauses.iter().map(|pause| (&*pause.model, pause.until)).collect::<Vec<_>>(),
        [("large", until)]
    );
    house.clock.set(until);
    house.leases.lease(&of("large")).expect("tried again").settle(Outcome::Succeeded);
}

#[test]
fn an_account_rests_below_its_floor_until_the_quota_comes_back() {
    let house = house(&["one"]).with(SelectionRules { floor_percent: 20, ..SelectionRules::default() });
    let resets_at = Some(Timestamp(5_000_000));
    let glance = |left_percent: f64| QuotaGlance { left: 100.0, left_percent, resets_at, blocked: false };
    let id = house.id("one");
    house.leases.set_quota(&id, Some(glance(20.0)));
    house.lease().expect("exactly the floor is left");
    house.leases.set_quota(&id, Some(glance(19.9)));
    assert_eq!(house.lease().expect_err("rests"), NoAccount::Resting { until: resets_at });
    house.change("one", |account| account.wishes.quota_floor_percent = Some(10));
    house.lease().expect("its own floor is lower");
    house.change("one", |account| account.wishes.quota_floor_percent = Some(30));
    assert_eq!(house.lease().expect_err("its own floor is higher"), NoAccount::Resting { until: resets_at });
    house.clock.set(Timestamp(5_000_000));
    house.lease().expect("what was known is old now");
}

#[test]
fn what_would_be_paid_extra_is_not_used_when_the_person_does_not_want_it() {
    let house = house(&["one"]);
    let glance = QuotaGlance { left: 0.0, left_percent: 0.0, resets_at: None, blocked: true };
    house.leases.set_quota(&house.id("one"), Some(glance));
    assert_eq!(house.lease().expect_err("rests"), NoAccount::Resting { until: None });
}

#[test]
fn a_used_up_quota_comes_back_when_the_last_look_said_so() {
    let house = house(&["one"]);
    let resets_at = Timestamp(90_000_000);
    let glance = QuotaGlance { left: 1.0, left_percent: 1.0, resets_at: Some(resets_at), blocked: false };
    house.leases.set_quota(&house.id("one"), Some(glance));
    house.lease().expect("free").settle(Outcome::QuotaUsedUp { resets_at: None, daily: false });
    assert_eq!(house.lease().expect_err("used up"), NoAccount::Exhausted { until: resets_at });
}

#[test]
fn a_key_with_groups_reaches_only_their_accounts() {
    let house = house(&["one", "two", "three"]);
    house.change("one", |account| account.wishes.tags = vec!["work".into(), "fast".into()]);
    house.change("two", |account| account.wishes.tags = vec!["home".into()]);
    let asking = |tags: &[&str]| LeaseRequest {
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        ..LeaseRequest::default()
    };
    for _ in 0..4 {
        assert_eq!(house.leases.lease(&asking(&["work"])).expect("in the group").account.label, "one");
        assert_ne!(house.leases.lease(&asking(&["work", "home"])).expect("in one of them").account.label, "three");
    }
    assert_eq!(house.leases.lease(&asking(&["nobody"])).expect_err("no such group"), NoAccount::NotPermitted);
    // Not even an account that a person asked for, and not a session that was bound before.
    let only = LeaseRequest { only: Some(house.id("three")), ..asking(&["work"]) };
    assert_eq!(house.leases.lease(&only).expect_err("not in the group"), NoAccount::NotPermitted);
    house.change("three", |account| account.wishes.tags = vec!["work".into()]);
    assert_eq!(house.leases.lease(&only).expect("in the group now").account.label, "three");
}

#[test]
fn changes_of_condition_are_told_once_each() {
    let house = house(&["one"]);
    let id = house.id("one");
    let mut changes = house.leases.changes();
    house.leases.signal(&id, Signal::Failed).expect("saves");
    house.leases.signal(&id, Signal::SuspendedUpstream { reason: "r".into() }).expect("saves");
    house.leases.signal(&id, Signal::SuspendedUpstream { reason: "r".into() }).expect("saves");
    house.leases.signal(&id, Signal::Restored).expect("saves");
    house.leases.set_enabled(&id, false).expect("saves");
    let told: Vec<AccountState> = std::iter::from_fn(|| changes.try_recv().ok()).map(|(_, state)| state).collect();
    assert_eq!(told.len(), 4, "{told:?}");
    assert!(matches!(&told[1], AccountState::Suspended { .. }));
    let off = AccountState::Disabled { beneath: Box::new(AccountState::READY) };
    assert_eq!(told[2..], [AccountState::READY, off]);
}

#[test]
fn what_an_account_did_is_told() {
    let house = house(&["one"]);
    let id = house.id("one");
    let lease = house.lease().expect("free");
    assert_eq!(house.leases.record(&id).expect("known").in_flight, 1);
    house.leases.note_failure(&id, "throttled", "slow down");
    lease.settle(Outcome::Succeeded);
    let record = house.leases.record(&id).expect("known");
    assert_eq!((record.in_flight, record.requests, record.errors), (0, 1, 1));
    assert_eq!(record.last_success, Some(Timestamp(1_000_000)));
    assert_eq!(record.last_failure.expect("noted").code, "throttled");
    assert_eq!(house.leases.record(&AccountId::from_text("x")), None);
}

#[test]
fn a_changed_roster_keeps_what_is_known_of_the_accounts_that_stay() {
    let house = house(&["one", "two"]);
    let _lease = house.leases.lease(&LeaseRequest { only: Some(house.id("two")), ..LeaseRequest::default() });
    house.roster.remove(&house.id("one"), None).expect("removes");
    house.roster.add(test_account("three")).expect("adds");
    let record = house.leases.record(&house.id("two")).expect("known");
    assert_eq!((record.in_flight, record.requests), (1, 1));
    let _one_more = house.leases.lease(&LeaseRequest { only: Some(house.id("two")), ..LeaseRequest::default() });
    let full = LeaseRequest { only: Some(house.id("two")), ..LeaseRequest::default() };
    assert_eq!(house.leases.lease(&full).expect_err("two at once"), NoAccount::Busy);
}
