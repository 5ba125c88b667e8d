use super::*;
use crate::account::Signal;
use crate::inquiry::house::House;

const EVERY: Duration = Duration::from_secs(600);
const REFUSED: &str = r#"{"message": "The bearer token included in the request is invalid."}"#;
const SUSPENDED: &str = r#"{"message": "temporarily is suspended", "reason": "TEMPORARILY_SUSPENDED"}"#;

struct Ward {
    house: House,
    health: Arc<Health>,
}

impl Ward {
    fn new(accounts: usize) -> Self {
        let house = House::new(accounts);
        let health = Arc::new(Health::new(
            house.inquiry.clone(),
            Arc::clone(&house.roster),
            Arc::clone(&house.leases),
            Arc::clone(&house.catalog),
            Some(EVERY),
        ));
        Self { house, health }
    }

    async fn run_for(&self, span: Duration) {
        let running = Arc::clone(&self.health).run(CancellationToken::new());
        let _ = tokio::time::timeout(span, running).await;
    }

    fn asked(&self) -> usize {
        self.house.upstream.asked().len()
    }

    fn state(&self) -> AccountState {
        self.house.leases.state(&self.house.account(0))
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_account_is_checked_every_ten_minutes() {
    let ward = Ward::new(1);
    ward.run_for(Duration::from_secs(6 * 3600)).await;
    let times: Vec<_> = ward.house.upstream.asked().iter().map(|asked| asked.at).collect();
    assert!((35..=37).contains(&times.len()), "{}", times.len());
    for pair in times.windows(2) {
        assert!(pair[1] - pair[0] >= EVERY);
    }
    assert!(ward.house.upstream.asked().iter().all(|asked| asked.what == "models"));
}

#[tokio::test(start_paused = true)]
async fn an_account_that_clients_use_is_not_checked() {
    let ward = Ward::new(1);
    let id = ward.house.account(0).id.clone();
    let using = async {
        for _ in 0..72 {
            ward.health.used(&id);
            tokio::time::sleep(Duration::from_secs(300)).await;
        }
    };
    tokio::join!(using, ward.run_for(Duration::from_secs(6 * 3600)));
    assert_eq!(ward.asked(), 0);
}

#[tokio::test(start_paused = true)]
async fn accounts_that_wait_for_a_person_are_never_asked() {
    for signal in [
        Signal::GrantRejected { reason: "no".into() },
        Signal::SuspendedUpstream { reason: "no".into() },
        Signal::Disable,
    ] {
        let ward = Ward::new(1);
        ward.house.leases.signal(&ward.house.account(0).id, signal.clone()).expect("kept");
        ward.run_for(Duration::from_secs(24 * 3600)).await;
        assert!(matches!(ward.health.check_all().await[0].1, Finding::Waits), "{signal:?}");
        assert_eq!(ward.asked(), 0, "{signal:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_with_a_fresh_token_as_well_ends_no_account_and_leaves_it_alone_until_somebody_uses_it() {
    let ward = Ward::new(1);
    ward.house.sign_in(&ward.house.account(0)).await;
    ward.house.upstream.lists([(403, REFUSED.to_owned()), (403, REFUSED.to_owned())]);
    ward.run_for(Duration::from_secs(24 * 3600)).await;
    assert_eq!(ward.state(), AccountState::READY, "one wrong host is not the end of a sign-in");
    assert_eq!(ward.asked(), 2, "with the old token and with a fresh one, and no more");
    ward.health.used(&ward.house.account(0).id);
    ward.run_for(Duration::from_secs(3600)).await;
    assert!(ward.asked() > 2);
}

#[tokio::test(start_paused = true)]
async fn a_suspension_is_not_concluded_and_the_account_is_left_alone_until_a_client_uses_it() {
    let ward = Ward::new(1);
    ward.house.upstream.lists([(403, SUSPENDED.to_owned())]);
    ward.run_for(Duration::from_secs(24 * 3600)).await;
    assert_eq!((ward.asked(), ward.state()), (1, AccountState::READY));
    ward.health.used(&ward.house.account(0).id);
    ward.run_for(Duration::from_secs(3600)).await;
    assert!(ward.asked() > 1);
}

#[tokio::test(start_paused = true)]
async fn trouble_of_the_network_changes_nothing_about_an_account() {
    let ward = Ward::new(1);
    ward.house.upstream.lists((0..100).map(|_| (503, r#"{"message": "down"}"#.to_owned())));
    ward.run_for(Duration::from_secs(6 * 3600)).await;
    assert_eq!(ward.state(), AccountState::READY);
    assert!((35..=37).contains(&ward.asked()));
}

#[tokio::test(start_paused = true)]
async fn a_thousand_idle_accounts_are_spread_over_time() {
    let ward = Ward::new(1000);
    ward.run_for(Duration::from_secs(1500)).await;
    let asked = ward.house.upstream.asked();
    assert!(asked.len() >= 1000, "{}", asked.len());
    for pair in asked.windows(2) {
        assert!(pair[1].at - pair[0].at >= Duration::from_millis(990));
    }
}

#[tokio::test(start_paused = true)]
async fn the_setting_switches_checks_off_and_on_while_things_run() {
    let ward = Ward::new(1);
    ward.health.follow(None);
    ward.run_for(Duration::from_secs(6 * 3600)).await;
    assert_eq!(ward.asked(), 0);
    let changing = async {
        tokio::time::sleep(Duration::from_secs(60)).await;
        ward.health.follow(Some(EVERY));
    };
    tokio::join!(changing, ward.run_for(Duration::from_secs(3600)));
    assert!(ward.asked() >= 4);
}
