//! Requests that come faster than the pace: they wait or go elsewhere, in order, and are never refused for it.

use super::*;
use crate::account::PaceRules;

/// Wall time that goes with tokio's.
struct Elapsed(tokio::time::Instant);

impl Clock for Elapsed {
    fn now(&self) -> Timestamp {
        Timestamp(1_000_000).plus(self.0.elapsed())
    }
}

fn paced(labels: &[&str], pace: PaceRules) -> House {
    let mut house = house(labels);
    let clock = Arc::new(Elapsed(tokio::time::Instant::now()));
    house.leases = Arc::new(Leases::new(Arc::clone(&house.roster), clock, 2));
    let patience = Duration::from_secs(600);
    house.with(SelectionRules { pace, concurrency: 100, patience, ..SelectionRules::default() })
}

/// Seconds after the first one at which each of so many requests began, which all came at the same time.
async fn begun(house: &House, requests: usize) -> Vec<u64> {
    let start = tokio::time::Instant::now();
    let one = || async {
        let lease = house.leases.lease_in_turn(&LeaseRequest::default()).await.expect("a place");
        let after = start.elapsed().as_millis();
        drop(lease);
        u64::try_from(after).expect("short")
    };
    futures_util::future::join_all((0..requests).map(|_| one())).await.into_iter().map(|ms| ms / 1000).collect()
}

#[tokio::test(start_paused = true)]
async fn an_account_begins_ten_seconds_worth_at_once_and_then_one_after_the_other() {
    let house = paced(&["one"], PaceRules { account_per_minute: 60, ..PaceRules::default() });
    let at = begun(&house, 15).await;
    assert_eq!(at, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5]);
}

#[tokio::test(start_paused = true)]
async fn what_one_account_may_not_begin_yet_another_one_does() {
    let house = paced(&["one", "two"], PaceRules { account_per_minute: 60, ..PaceRules::default() });
    assert_eq!(begun(&house, 22).await[18..], [0, 0, 1, 1]);
}

#[tokio::test(start_paused = true)]
async fn all_accounts_together_have_a_pace_of_their_own() {
    let house = paced(&["one", "two"], PaceRules { total_per_minute: 60, ..PaceRules::default() });
    assert_eq!(begun(&house, 13).await[9..], [0, 1, 2, 3]);
    // With nobody waiting, time gives the allowance back.
    tokio::time::advance(Duration::from_secs(60)).await;
    assert_eq!(begun(&house, 11).await[9..], [0, 1]);
}

#[tokio::test(start_paused = true)]
async fn the_gap_between_two_requests_of_an_account_is_kept() {
    let house = paced(&["one"], PaceRules { gap_ms: 2000, ..PaceRules::default() });
    assert_eq!(begun(&house, 4).await, [0, 2, 4, 6]);
}

#[tokio::test(start_paused = true)]
async fn a_session_stays_with_its_account_while_the_pace_holds_it_up() {
    let house = paced(&["one", "two"], PaceRules { account_per_minute: 1, ..PaceRules::default() });
    let request = |label: &str| LeaseRequest { only: Some(house.id(label)), ..LeaseRequest::default() };
    house.leases.lease(&request("one")).expect("free").settle(Outcome::Succeeded);
    assert!(house.leases.state(&house.roster.list()[0]).admits(0), "its condition is not touched");
    assert_eq!(house.leases.lease(&request("one")).expect_err("too early"), NoAccount::Busy);
    house.leases.lease(&request("two")).expect("has a pace of its own");
}

#[tokio::test(start_paused = true)]
async fn made_up_answers_have_no_pace() {
    let pace = PaceRules { account_per_minute: 1, total_per_minute: 1, gap_ms: 60_000 };
    assert_eq!(begun(&paced(&["demo"], pace), 5).await, [0; 5]);
}

#[test]
fn a_clock_that_is_set_back_by_a_day_holds_no_account_up() {
    let house = house(&["one", "two"]).with(SelectionRules {
        pace: PaceRules { account_per_minute: 1, ..PaceRules::default() },
        ..SelectionRules::default()
    });
    house.clock.set(Timestamp(100_000_000_000));
    house.lease().expect("free");
    house.lease().expect("the other one").settle(Outcome::Throttled { retry_after: None });
    assert_eq!(house.lease().expect_err("paced, and pausing"), NoAccount::Busy);
    house.clock.set(Timestamp(100_000_000_000 - 2 * 24 * 3_600_000));
    house.lease().expect("the pace is forgotten");
    house.lease().expect("and the pause");
}
