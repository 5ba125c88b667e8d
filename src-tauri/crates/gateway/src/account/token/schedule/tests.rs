use std::collections::BTreeMap;

use super::*;
use crate::account::token::tests::house::{House, Trouble, house};
use crate::account::{AccountState, Signal, test_account};
use crate::clock::Clock as _;
use crate::upstream::identity::IdentityError;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// `count` accounts in all, with the schedule running.
async fn running(count: usize) -> House {
    let house = house().await;
    for n in 2..=count {
        house.add(test_account(&format!("account {n}")), &format!("chain{n}-1")).await;
    }
    // Answers of several accounts may be under way together.
    house.identity.gate.add_permits(count);
    house.tracker.spawn(Arc::clone(&house.tokens).keep_fresh(CancellationToken::new()));
    house
}

impl House {
    fn by_account(&self) -> BTreeMap<String, usize> {
        let log = self.identity.log.lock().expect("lock");
        log.iter().fold(BTreeMap::new(), |mut sum, (_, label)| {
            *sum.entry(label.clone()).or_default() += 1;
            sum
        })
    }

    /// The largest number of refreshes within one second.
    fn most_in_a_second(&self) -> usize {
        let log = self.identity.log.lock().expect("lock");
        let within =
            |from: Instant| log.iter().filter(|(at, _)| *at >= from && *at < from + Duration::from_secs(1)).count();
        log.iter().map(|(at, _)| within(*at)).max().unwrap_or(0)
    }

    fn forget_log(&self) {
        self.identity.log.lock().expect("lock").clear();
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_is_bought_at_about_four_fifths_of_its_life() {
    let house = running(1).await;
    house.pass(Duration::from_secs(5)).await;
    assert_eq!(house.calls(), 1);
    let next = house.tokens.next_refresh_at(&house.account.id).expect("planned").since(house.clock.now());
    assert!((2690..=3065).contains(&next.as_secs()), "{next:?}");
    house.pass(Duration::from_secs(2690)).await;
    assert_eq!(house.calls(), 1, "not before three quarters");
    house.pass(Duration::from_secs(380)).await;
    assert_eq!(house.calls(), 2, "well before the end");
}

#[tokio::test(start_paused = true)]
async fn many_accounts_do_not_refresh_in_one_second_at_a_start() {
    let house = running(20).await;
    house.pass(Duration::from_secs(30)).await;
    assert_eq!(house.calls(), 20);
    assert!(house.most_in_a_second() <= 4, "{}", house.most_in_a_second());
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_wakes_up_refreshes_every_account_once_and_one_after_the_other() {
    let house = running(20).await;
    house.pass(Duration::from_secs(60)).await;
    house.forget_log();
    // Timers stood still while the wall clock went on.
    house.clock.advance(Duration::from_secs(2 * 3600));
    house.pass(Duration::from_secs(60)).await;
    assert_eq!(house.by_account().into_values().collect::<Vec<_>>(), vec![1; 20]);
    assert!(house.most_in_a_second() <= 4, "{}", house.most_in_a_second());
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_jumps_costs_every_account_one_refresh_at_most() {
    for (name, there, back) in [
        ("a day ahead", DAY, Duration::ZERO),
        ("a day back", Duration::ZERO, DAY),
        ("a year ahead", DAY * 365, Duration::ZERO),
        ("a year back", Duration::ZERO, DAY * 365),
    ] {
        let house = running(5).await;
        house.clock.set(Timestamp::from_unix_seconds(1_795_000_000));
        house.pass(Duration::from_secs(60)).await;
        house.forget_log();
        house.clock.set(house.clock.now().plus(there).minus(back));
        house.pass(Duration::from_secs(600)).await;
        let counts = house.by_account();
        assert!(counts.values().all(|count| *count <= 1), "{name}: {counts:?}");
        house.forget_log();
        // And once more when somebody corrects it.
        house.clock.set(house.clock.now().plus(back).minus(there));
        house.pass(Duration::from_secs(600)).await;
        let counts = house.by_account();
        assert!(counts.values().all(|count| *count <= 1), "{name}, corrected: {counts:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_clock_set_back_does_not_keep_a_token_beyond_its_life() {
    let house = running(1).await;
    house.pass(Duration::from_secs(5)).await;
    house.clock.set(house.clock.now().minus(DAY * 300));
    house.pass(Duration::from_secs(3600)).await;
    assert_eq!(house.calls(), 2, "the time that passed counts, whatever the clock says");
}

#[tokio::test(start_paused = true)]
async fn a_token_endpoint_in_trouble_is_asked_no_more_than_once_per_step() {
    let house = running(1).await;
    for _ in 0..200 {
        let trouble = Trouble::Before(IdentityError::transient("no connection"));
        house.identity.troubles.lock().expect("lock").push_back(trouble);
    }
    house.pass(Duration::from_secs(600)).await;
    // 2 + 4 + 8 + 16 + 32 and then once a minute.
    assert!((10..=16).contains(&house.calls()), "{}", house.calls());
}

#[tokio::test(start_paused = true)]
async fn nothing_is_bought_for_an_account_that_is_stopped_or_off() {
    let house = running(3).await;
    let stopped = house.roster.list()[1].clone();
    let off = house.roster.list()[2].clone();
    house
        .leases
        .signal(&stopped.id, Signal::SuspendedUpstream { reason: "TEMPORARILY_SUSPENDED".into() })
        .expect("saved");
    house.leases.set_enabled(&off.id, false).expect("saved");
    house.pass(Duration::from_secs(4000)).await;
    assert_eq!(house.by_account().into_keys().collect::<Vec<_>>(), ["one"]);
    assert!(matches!(house.leases.state(&stopped), AccountState::Suspended { .. }));
    assert_eq!(house.tokens.next_refresh_at(&stopped.id), None);
    assert_eq!(house.tokens.next_refresh_at(&off.id), None);
}

#[test]
fn drift_is_told_from_time_that_passes() {
    let rt = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
    rt.block_on(async {
        let start = Timestamp(1_000_000_000);
        let mut watch = JumpWatch::new(start);
        tokio::time::advance(Duration::from_secs(600)).await;
        assert!(!watch.jumped(start.plus(Duration::from_secs(595))));
        assert!(watch.jumped(start.plus(Duration::from_secs(595 + 40))));
        assert!(!watch.jumped(start.plus(Duration::from_secs(595 + 40))));
        assert!(watch.jumped(start));
    });
}
