use proptest::prelude::*;

use super::*;

const NOW: Timestamp = Timestamp(1_000_000);

fn signal() -> impl Strategy<Value = Signal> {
    prop_oneof![
        Just(Signal::Tick),
        Just(Signal::Succeeded),
        Just(Signal::Failed),
        proptest::option::of(0_u64..100_000)
            .prop_map(|s| Signal::Throttled { retry_after: s.map(Duration::from_secs) }),
        proptest::option::of(-5_000_000_i64..5_000_000).prop_map(|ms| Signal::QuotaUsedUp {
            resets_at: ms.map(Timestamp),
            daily: ms.is_some_and(|ms| ms % 2 == 0)
        }),
        Just(Signal::GrantRejected { reason: "gone".into() }),
        Just(Signal::SuspendedUpstream { reason: "locked".into() }),
        Just(Signal::LoggedIn),
        Just(Signal::Restored),
        Just(Signal::Disable),
        Just(Signal::Enable),
    ]
}

fn history() -> impl Strategy<Value = Vec<(Signal, u64)>> {
    proptest::collection::vec((signal(), 0_u64..2_000_000), 0..40)
}

fn replay(history: Vec<(Signal, u64)>) -> (AccountState, Timestamp) {
    let mut now = NOW;
    let mut state = AccountState::READY;
    for (signal, later) in history {
        now = now.plus(Duration::from_millis(later));
        state = state.next(signal, now);
    }
    (state, now)
}

proptest! {
    #[test]
    fn only_a_login_leaves_needs_login(history in history()) {
        let (state, now) = replay(history);
        let stuck = state.next(Signal::Enable, now).next(Signal::Restored, now)
            .next(Signal::GrantRejected { reason: "x".into() }, now);
        for signal in [Signal::Tick, Signal::Succeeded, Signal::Failed, Signal::Restored, Signal::Enable,
            Signal::Throttled { retry_after: None }, Signal::QuotaUsedUp { resets_at: None, daily: true }] {
            prop_assert_eq!(stuck.clone().next(signal, now.plus(Duration::from_secs(1 << 30))), stuck.clone());
        }
        prop_assert_eq!(stuck.next(Signal::LoggedIn, now), AccountState::READY);
    }

    #[test]
    fn only_a_person_leaves_suspended(history in history(), signals in proptest::collection::vec(signal(), 0..20)) {
        let (state, now) = replay(history);
        let mut state = state.next(Signal::Enable, now).next(Signal::SuspendedUpstream { reason: "r".into() }, now);
        for signal in signals {
            let by_person = matches!(signal, Signal::Restored | Signal::Disable | Signal::Enable);
            if !by_person {
                state = state.next(signal, now.plus(Duration::from_secs(1 << 30)));
                let suspended = matches!(state, AccountState::Suspended { .. });
                prop_assert!(suspended, "{:?}", state);
            }
        }
    }

    #[test]
    fn a_persons_word_ends_every_pause_and_nothing_that_needs_a_login(history in history()) {
        let (state, now) = replay(history);
        let restored = state.clone().next(Signal::Restored, now);
        match state {
            AccountState::NeedsLogin { .. } | AccountState::OwnerSwitched { .. } => {
                prop_assert_eq!(restored, state);
            }
            AccountState::Disabled { beneath } => {
                let beneath = Box::new(beneath.next(Signal::Restored, now));
                prop_assert_eq!(restored, AccountState::Disabled { beneath });
            }
            AccountState::Ready { .. } | AccountState::CoolingDown { .. } | AccountState::Probing { .. }
            | AccountState::Exhausted { .. } | AccountState::Suspended { .. } => {
                prop_assert_eq!(restored, AccountState::READY);
            }
        }
    }

    #[test]
    fn a_pause_that_we_choose_is_never_longer_than_a_quarter_of_an_hour(rounds in 1_u32..100, at in any::<i32>()) {
        let now = Timestamp(i64::from(at));
        let AccountState::CoolingDown { until, .. } = cool(rounds, None, now) else { unreachable!() };
        prop_assert!(until.since(now) <= LONGEST_PAUSE);
        prop_assert!(until.since(now) >= FIRST_PAUSE);
    }

    #[test]
    fn a_disabled_account_stays_so_until_enabled(history in history(), signals in proptest::collection::vec(signal(), 0..20)) {
        let (state, now) = replay(history);
        let mut state = state.next(Signal::Disable, now);
        for signal in signals.into_iter().filter(|s| *s != Signal::Enable) {
            state = state.next(signal, now);
            let disabled = matches!(&state, AccountState::Disabled { .. });
            prop_assert!(disabled && !state.admits(0), "{:?}", state);
        }
    }

    #[test]
    fn being_switched_off_meanwhile_changes_nothing_of_the_condition(
        before in history(), meanwhile in proptest::collection::vec(signal(), 0..20), off in 0_u64..2_000_000,
    ) {
        let (state, now) = replay(before);
        let on = state.next(Signal::Enable, now);
        let (mut stays, mut switched) = (on.clone(), on.next(Signal::Disable, now));
        let now = now.plus(Duration::from_millis(off));
        for signal in meanwhile.into_iter().filter(|s| !matches!(s, Signal::Enable | Signal::Disable)) {
            stays = stays.next(signal.clone(), now);
            switched = switched.next(signal, now);
        }
        prop_assert_eq!(switched.next(Signal::Enable, now), stays.next(Signal::Tick, now));
    }

    #[test]
    fn every_pause_ends_by_itself_and_lies_ahead(history in history()) {
        let (state, now) = replay(history);
        match state.clone() {
            AccountState::CoolingDown { until, .. } => {
                prop_assert!(until.since(now) <= LONGEST_ASKED);
                let later = state.next(Signal::Tick, until);
                let probing = matches!(later, AccountState::Probing { .. });
                prop_assert!(probing);
                prop_assert!(later.admits(0) && !later.admits(1));
            }
            AccountState::Exhausted { until, .. } => prop_assert_eq!(state.next(Signal::Tick, until), AccountState::READY),
            AccountState::Ready { failures } => prop_assert!(failures < FAILURES_TO_COOL),
            AccountState::Probing { .. } | AccountState::NeedsLogin { .. } | AccountState::Suspended { .. }
            | AccountState::OwnerSwitched { .. }
            | AccountState::Disabled { .. } => {}
        }
    }

    #[test]
    fn a_clock_that_jumps_back_never_panics(history in history(), back in any::<i64>()) {
        let (state, _) = replay(history);
        let _ = state.next(Signal::Tick, Timestamp(back)).next(Signal::Failed, Timestamp(back));
    }
}

#[test]
fn several_failures_in_a_row_cool_down_and_each_round_is_longer() {
    let mut state = AccountState::READY;
    for _ in 0..FAILURES_TO_COOL {
        assert!(state.admits(5));
        state = state.next(Signal::Failed, NOW);
    }
    let mut last = Duration::ZERO;
    let mut now = NOW;
    for _ in 0..6 {
        let AccountState::CoolingDown { until, .. } = state else { panic!("expected a pause, got {state:?}") };
        assert!(!state.admits(0));
        assert!(until.since(now) > last, "each round is longer");
        last = until.since(now);
        now = until;
        state = state.next(Signal::Failed, now);
    }
}

#[test]
fn a_success_in_between_forgives_failures() {
    let mut state = AccountState::READY;
    for _ in 0..10 {
        state = state.next(Signal::Failed, NOW).next(Signal::Failed, NOW).next(Signal::Succeeded, NOW);
    }
    assert_eq!(state, AccountState::READY);
}

#[test]
fn a_probe_decides() {
    let cooling = AccountState::READY.next(Signal::Throttled { retry_after: Some(Duration::from_secs(60)) }, NOW);
    let then = NOW.plus(Duration::from_secs(60));
    let probing = cooling.next(Signal::Tick, then);
    assert_eq!(probing, AccountState::Probing { round: 1 });
    assert_eq!(probing.clone().next(Signal::Succeeded, then), AccountState::READY);
    assert!(matches!(probing.next(Signal::Failed, then), AccountState::CoolingDown { round: 2, .. }));
}

#[test]
fn refusals_that_arrive_together_are_one_round_with_the_latest_end() {
    let first = AccountState::READY.next(Signal::Throttled { retry_after: Some(Duration::from_secs(90)) }, NOW);
    let second = first.next(Signal::Throttled { retry_after: Some(Duration::from_secs(20)) }, NOW);
    assert_eq!(second, AccountState::CoolingDown { until: NOW.plus(Duration::from_secs(90)), round: 1 });
}

#[test]
fn the_first_reason_of_a_lost_login_stays_in_view() {
    let rejected = |reason: &str| Signal::GrantRejected { reason: reason.into() };
    let lost = AccountState::READY.next(rejected("a refresh was cut short"), NOW);
    assert_eq!(lost.clone().next(rejected("the door is closed"), NOW), lost);
    assert_eq!(
        lost.next(Signal::LoggedIn, NOW).next(rejected("again"), NOW),
        AccountState::NeedsLogin { reason: "again".into() }
    );
}

#[test]
fn a_pause_from_a_clock_that_was_days_ahead_ends_when_the_clock_is_set_right() {
    let ahead = Timestamp(1_000_000_000_000);
    let paused = cool(1, None, ahead);
    let right = ahead.minus(Duration::from_secs(365 * 24 * 3600));
    assert_eq!(paused.clone().next(Signal::Tick, right), AccountState::Probing { round: 1 });
    let slightly = ahead.minus(Duration::from_secs(60));
    assert_eq!(paused.clone().next(Signal::Tick, slightly), paused);
}
