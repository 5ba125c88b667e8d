use super::*;
use crate::account::{AccountOrigin, test_account};
use crate::clock::ManualClock;
use crate::data_dir::DataDir;

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
    fn lease(&self) -> Result<Lease, NoAccount> {
        self.leases.lease(&LeaseRequest::default())
    }

    fn id(&self, label: &str) -> AccountId {
        self.roster.list().iter().find(|account| account.label == label).expect("known").id.clone()
    }
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
fn requests_spread_over_accounts_and_a_retry_takes_another_one() {
    let house = house(&["one", "two"]);
    let first = house.lease().expect("free");
    let second = house.lease().expect("free");
    assert_ne!(first.account.id, second.account.id);
    let request = LeaseRequest { exclude: vec![first.account.id.clone()], only: None, among: None };
    let third = house.leases.lease(&request).expect("free");
    assert_eq!(third.account.id, second.account.id);
    let request = LeaseRequest { exclude: vec![house.id("one"), house.id("two")], only: None, among: None };
    assert_eq!(house.leases.lease(&request).expect_err("none left"), NoAccount::AllTried);
}

#[test]
fn an_idle_request_prefers_the_account_that_worked_last() {
    let house = house(&["one", "two"]);
    let only = LeaseRequest { exclude: Vec::new(), only: Some(house.id("two")), among: None };
    house.leases.lease(&only).expect("free").settle(Outcome::Succeeded);
    assert_eq!(house.lease().expect("free").account.label, "two");
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

#[tokio::test(start_paused = true)]
async fn a_waiting_request_gets_the_place_that_becomes_free() {
    let house = house(&["one"]);
    let first = house.lease().expect("free");
    let _second = house.lease().expect("free");
    let leases = Arc::clone(&house.leases);
    let request = LeaseRequest::default();
    let waiting = leases.lease_within(&request, Duration::from_secs(30));
    let (got, ()) = tokio::join!(waiting, async move {
        tokio::task::yield_now().await;
        drop(first);
    });
    let got = got.expect("a place");
    assert_eq!(house.leases.lease_within(&request, Duration::from_secs(30)).await.expect_err("full"), NoAccount::Busy);
    drop(got);
}

#[test]
fn many_requests_spread_evenly_over_many_accounts() {
    let labels: Vec<String> = (0..200).map(|n| format!("a{n}")).collect();
    let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
    let house = house(&labels);
    let leases: Vec<Lease> = (0..200).map(|_| house.lease().expect("free")).collect();
    let mut ids: Vec<&AccountId> = leases.iter().map(|lease| &lease.account.id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 200, "every account serves one request before any serves two");
}
