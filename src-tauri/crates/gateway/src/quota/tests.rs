use super::*;
use crate::account::{AccountId, LeaseRequest, NoAccount, SelectionRules};
use crate::admin_event::{AdminEvent, Announcer};
use crate::inquiry::house::House;
use serde_json::{Value, json};
use tokio::sync::broadcast::Receiver;
use tokio_util::sync::CancellationToken;

/// When the plan starts again.
const RESET: Timestamp = Timestamp::from_unix_seconds(1_767_225_600);
const SUSPENDED: &str =
    r#"{"message": "Your User ID (d-1) temporarily is suspended.", "reason": "TEMPORARILY_SUSPENDED"}"#;

struct Watch {
    house: House,
    quotas: Arc<Quotas>,
    events: Receiver<AdminEvent>,
    stop: CancellationToken,
}

impl Watch {
    async fn new(accounts: usize) -> Self {
        Self::over(House::new(accounts), QuotaSettings::default()).await
    }

    async fn over(house: House, rules: QuotaSettings) -> Self {
        let announcer = Announcer::new();
        let events = announcer.subscribe();
        let notifier = Arc::new(Notifier::open(Arc::clone(&house.dir), Arc::clone(&house.clock), announcer));
        // News of the first seconds would wait.
        tokio::time::sleep(Duration::from_secs(60)).await;
        let means = Means {
            inquiry: house.inquiry.clone(),
            roster: Arc::clone(&house.roster),
            leases: Arc::clone(&house.leases),
            notifier,
            clock: Arc::clone(&house.clock),
            dir: Arc::clone(&house.dir),
        };
        let quotas = Arc::new(Quotas::open(means, rules));
        Self { house, quotas, events, stop: CancellationToken::new() }
    }

    /// Lets the loop run for a while.
    async fn run_for(&self, span: Duration) {
        let running = Arc::clone(&self.quotas).run(self.stop.child_token());
        let _ = tokio::time::timeout(span, running).await;
    }

    fn answers(&self, answers: impl IntoIterator<Item = Value>) {
        self.house.upstream.uses(answers.into_iter().map(|answer| (200, answer.to_string())));
    }

    fn asked(&self) -> usize {
        self.house.upstream.asked().iter().filter(|asked| asked.what == "usage").count()
    }

    fn state(&self) -> AccountState {
        self.house.leases.state(&self.house.account(0))
    }

    fn told(&mut self) -> Vec<(NotificationKind, Option<u8>)> {
        let mut told = Vec::new();
        while let Ok(event) = self.events.try_recv() {
            if let AdminEvent::Notification { kind, percent, .. } = event {
                told.push((kind, percent));
            }
        }
        told
    }
}

/// A plan of 100 credits.
fn plan(used: f64) -> Value {
    json!({"nextDateReset": RESET.unix_seconds(), "overageConfiguration": {"overageStatus": "DISABLED"},
        "usageBreakdownList": [{"resourceType": "CREDIT", "currentUsageWithPrecision": used, "usageLimit": 100}]})
}

fn in_overage(used: f64, over: f64) -> Value {
    json!({"nextDateReset": RESET.unix_seconds(), "overageConfiguration": {"overageStatus": "ENABLED"},
        "usageBreakdownList": [{"resourceType": "CREDIT", "currentUsageWithPrecision": used, "usageLimit": 100,
            "currentOveragesWithPrecision": over, "overageCap": 1000}]})
}

fn with_bonus(used: f64, bonus_used: f64) -> Value {
    let mut answer = plan(used);
    answer["usageBreakdownList"][0]["bonuses"] =
        json!([{"bonusCode": "B", "status": "ACTIVE", "currentUsage": bonus_used, "usageLimit": 50}]);
    answer
}

#[tokio::test(start_paused = true)]
async fn an_account_in_use_is_asked_for_at_most_every_few_minutes() {
    let watch = Watch::new(1).await;
    watch.answers((0..50).map(|n| plan(f64::from(n))));
    let account = watch.house.account(0);
    let using = async {
        for _ in 0..180 {
            watch.quotas.spent(&account, 0.1);
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
    };
    tokio::join!(using, watch.run_for(Duration::from_secs(900)));
    let times: Vec<_> = watch.house.upstream.asked().iter().map(|asked| asked.at).collect();
    assert!((4..=6).contains(&times.len()), "{} questions in 15 minutes", times.len());
    for pair in times.windows(2) {
        assert!(pair[1] - pair[0] >= Duration::from_secs(170), "{:?}", pair[1] - pair[0]);
    }
    // And then not at all: nobody uses it.
    let before = watch.asked();
    watch.run_for(Duration::from_secs(3 * 3600)).await;
    assert!(watch.asked() <= before + 1);
}

#[tokio::test(start_paused = true)]
async fn a_thousand_accounts_are_asked_one_after_the_other() {
    let watch = Watch::new(1000).await;
    watch.answers((0..1000).map(|_| plan(1.0)));
    watch.run_for(Duration::from_secs(2400)).await;
    let asked = watch.house.upstream.asked();
    assert_eq!(asked.len(), 1000);
    for pair in asked.windows(4) {
        assert!(pair[3].at - pair[0].at >= Duration::from_secs(1), "four questions within a second");
    }
    let accounts: std::collections::HashSet<_> = asked.iter().map(|asked| asked.account.clone()).collect();
    assert_eq!(accounts.len(), 1000);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_followed_by_a_question_and_a_rest_until_the_reset() {
    let watch = Watch::new(1).await;
    let account = watch.house.account(0);
    watch.answers([plan(40.0), plan(100.0)]);
    watch.quotas.fresh(&account).await.expect("answered");
    assert_eq!(watch.state(), AccountState::READY);
    tokio::time::sleep(Duration::from_secs(60)).await;
    watch.house.leases.signal(&account.id, Signal::QuotaUsedUp { resets_at: None, daily: false }).expect("kept");
    watch.quotas.refused(&account);
    watch.run_for(Duration::from_secs(5)).await;
    assert_eq!(watch.asked(), 2);
    assert_eq!(watch.state(), AccountState::Exhausted { until: RESET, daily: false });
}

#[tokio::test(start_paused = true)]
async fn an_account_with_bonus_left_is_not_parked_until_the_reset() {
    let watch = Watch::new(1).await;
    let account = watch.house.account(0);
    watch.answers([with_bonus(100.0, 10.0), with_bonus(100.0, 50.0)]);
    watch.quotas.fresh(&account).await.expect("answered");
    assert_eq!(watch.state(), AccountState::READY, "the plan is used up and the bonus is not");
    tokio::time::sleep(Duration::from_secs(60)).await;
    watch.quotas.fresh(&account).await.expect("answered");
    assert_eq!(watch.state(), AccountState::Exhausted { until: RESET, daily: false });
}

#[tokio::test(start_paused = true)]
async fn a_refusal_that_the_figures_contradict_rests_for_minutes_and_is_not_asked_in_a_loop() {
    let watch = Watch::new(1).await;
    let account = watch.house.account(0);
    watch.answers((0..20).map(|_| plan(40.0)));
    watch.house.leases.signal(&account.id, Signal::QuotaUsedUp { resets_at: None, daily: false }).expect("kept");
    watch.quotas.refused(&account);
    watch.run_for(Duration::from_secs(240)).await;
    assert!(
        matches!(watch.state(), AccountState::Exhausted { until, .. } if until < watch.house.clock.now().plus(CONTRADICTED))
    );
    assert_eq!(watch.asked(), 1);
    watch.run_for(Duration::from_secs(120)).await;
    assert_eq!(watch.state(), AccountState::READY);
    assert!(watch.asked() <= 3, "{}", watch.asked());
}

#[tokio::test(start_paused = true)]
async fn credits_of_answers_count_once_until_the_quota_is_asked_for_again() {
    let watch = Watch::new(1).await;
    let account = watch.house.account(0);
    watch.house.leases.follow(SelectionRules { floor_percent: 50, ..SelectionRules::default() });
    watch.answers([plan(40.0), plan(40.0)]);
    watch.quotas.fresh(&account).await.expect("answered");
    watch.quotas.spent(&account, 6.0);
    watch.house.leases.lease(&LeaseRequest::default()).expect("54 percent are left");
    watch.quotas.spent(&account, 6.0);
    let resting = NoAccount::Resting { until: Some(RESET) };
    assert_eq!(watch.house.leases.lease(&LeaseRequest::default()).expect_err("48 percent are left"), resting);
    tokio::time::sleep(Duration::from_secs(60)).await;
    watch.quotas.fresh(&account).await.expect("answered");
    watch.house.leases.lease(&LeaseRequest::default()).expect("the service knows better");
}

#[tokio::test(start_paused = true)]
async fn a_question_whose_asker_left_is_asked_again() {
    let watch = Watch::new(1).await;
    let account = watch.house.account(0);
    watch.answers((0..5).map(|_| plan(40.0)));
    let left = {
        let mut asking = Box::pin(watch.quotas.fresh(&account));
        futures_util::poll!(&mut asking).is_pending()
    };
    assert!(left, "the asker has left before the answer");
    assert!(watch.quotas.view(&account).is_none());
    watch.run_for(Duration::from_secs(180)).await;
    assert!(watch.quotas.view(&account).is_some());
}

#[tokio::test(start_paused = true)]
async fn the_limit_of_a_day_holds_to_its_end_although_the_month_has_credits_left() {
    let watch = Watch::new(1).await;
    let account = watch.house.account(0);
    watch.answers((0..20).map(|_| plan(40.0)));
    let until = watch.house.clock.now().plus(Duration::from_secs(3 * 3600));
    let used_up = Signal::QuotaUsedUp { resets_at: Some(until), daily: true };
    watch.house.leases.signal(&account.id, used_up).expect("kept");
    watch.quotas.refused(&account);
    watch.run_for(Duration::from_secs(3600)).await;
    assert_eq!(watch.state(), AccountState::Exhausted { until, daily: true });
    assert!(watch.asked() <= 3, "{}", watch.asked());
    watch.run_for(Duration::from_secs(2 * 3600 + 60)).await;
    assert_eq!(watch.state(), AccountState::READY);
}

#[tokio::test(start_paused = true)]
async fn beyond_the_plan_nothing_is_used_unless_it_is_wanted() {
    let watch = Watch::new(1).await;
    let account = watch.house.account(0);
    watch.answers([in_overage(99.0, 0.0)]);
    watch.quotas.fresh(&account).await.expect("answered");
    watch.quotas.spent(&account, 0.4);
    assert_eq!(watch.state(), AccountState::READY);
    // The upstream would go on, for money. What was charged since its answer counts at once.
    watch.quotas.spent(&account, 0.7);
    assert_eq!(watch.state(), AccountState::Exhausted { until: RESET, daily: false });
    let view = watch.quotas.view(&account).expect("known");
    assert!(view.overage_refused);
    assert_eq!((view.limit, view.left), (Some(100.0), Some(0.0)));

    // Wanted for this account: it serves again, and its view shows what may be used for money.
    let wanted = watch.house.roster.update(&account.id, |account| account.wishes.never_overage = Some(false));
    let account = wanted.expect("saved").expect("there");
    watch.quotas.reconsider(&account);
    assert_eq!(watch.state(), AccountState::READY);
    let view = watch.quotas.view(&account).expect("known");
    assert!(!view.overage_refused);
    assert_eq!(view.limit, Some(1100.0));
    // And no longer wanted for anybody.
    watch.house.roster.update(&account.id, |account| account.wishes.never_overage = None).expect("saved");
    watch.quotas.follow(&QuotaSettings { never_overage: false, ..QuotaSettings::default() });
    assert_eq!(watch.state(), AccountState::READY);
    watch.quotas.follow(&QuotaSettings::default());
    assert_eq!(watch.state(), AccountState::Exhausted { until: RESET, daily: false });
}

#[tokio::test(start_paused = true)]
async fn thresholds_are_told_once_for_each_period_and_the_higher_one_alone_when_both_are_passed() {
    let mut watch = Watch::new(2).await;
    let (one, other) = (watch.house.account(0), watch.house.account(1));
    watch.answers([plan(79.9), plan(80.0), plan(94.0), plan(96.0), plan(99.0), plan(97.0), plan(98.0)]);
    for _ in 0..5 {
        watch.quotas.fresh(&one).await.expect("answered");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(watch.told(), [(NotificationKind::QuotaWarning, Some(80)), (NotificationKind::QuotaAlert, Some(96))]);
    for _ in 0..2 {
        watch.quotas.fresh(&other).await.expect("answered");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(watch.told(), [(NotificationKind::QuotaAlert, Some(97))]);
}

#[tokio::test(start_paused = true)]
async fn what_was_known_survives_a_restart_with_its_age_and_holds_no_secret() {
    let watch = Watch::new(1).await;
    let account = watch.house.account(0);
    watch.answers([in_overage(100.0, 12.0)]);
    watch.quotas.fresh(&account).await.expect("answered");
    watch.quotas.save().expect("saved");
    let text = std::fs::read_to_string(watch.house.folder.path().join("data/quota.json")).expect("a file");
    assert!(!text.contains("token"), "{text}");
    let Watch { house, quotas, .. } = watch;
    drop(quotas);
    house.leases.signal(&account.id, Signal::QuotaBack).expect("kept");
    tokio::time::sleep(Duration::from_secs(3600)).await;
    let watch = Watch::over(house, QuotaSettings::default()).await;
    // Nothing was asked: the next request would cost money.
    assert_eq!(watch.state(), AccountState::Exhausted { until: RESET, daily: false });
    let view = watch.quotas.view(&account).expect("known");
    assert!(view.age_seconds.is_some_and(|age| (3600..3700).contains(&age)), "{view:?}");
    assert_eq!(watch.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_plan_is_asked_for_when_it_starts_again() {
    let watch = Watch::new(1).await;
    let account = watch.house.account(0);
    watch.answers((0..2000).map(|_| plan(100.0)));
    watch.quotas.fresh(&account).await.expect("answered");
    let until = RESET.since(watch.house.clock.now());
    watch.run_for(until - Duration::from_secs(1)).await;
    assert_eq!(watch.state(), AccountState::Exhausted { until: RESET, daily: false });
    let before = watch.asked();
    watch.run_for(Duration::from_secs(180)).await;
    assert!(watch.asked() > before, "asked within three minutes");
}

#[tokio::test(start_paused = true)]
async fn a_suspension_told_by_this_call_is_shown_but_neither_declared_nor_asked_for_again() {
    let watch = Watch::new(1).await;
    let account = watch.house.account(0);
    watch.house.upstream.uses([(403, SUSPENDED.to_owned())]);
    watch.run_for(Duration::from_secs(24 * 3600)).await;
    assert_eq!(watch.asked(), 1);
    assert_eq!(watch.state(), AccountState::READY);
    let view = watch.quotas.view(&account).expect("a problem");
    assert_eq!(view.problem.expect("told").params["reason"], "account_suspended");
    assert_eq!(view.left, None);
    // A request went through: it was no suspension.
    watch.answers([plan(1.0)]);
    watch.quotas.spent(&account, 1.0);
    watch.run_for(Duration::from_secs(300)).await;
    assert_eq!(watch.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn questions_that_fail_are_asked_less_and_less_often() {
    let watch = Watch::new(1).await;
    watch.house.upstream.uses((0..1000).map(|_| (500, r#"{"message": "no"}"#.to_owned())));
    watch.run_for(Duration::from_secs(24 * 3600)).await;
    assert!((20..=40).contains(&watch.asked()), "{} questions in a day", watch.asked());
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_refused_is_bought_anew_once_for_a_question() {
    let watch = Watch::new(1).await;
    let account = watch.house.account(0);
    let refused = r#"{"message": "The bearer token included in the request is invalid."}"#.to_owned();
    watch.house.upstream.uses([(403, refused.clone()), (200, plan(1.0).to_string())]);
    watch.house.sign_in(&account).await;
    watch.quotas.fresh(&account).await.expect("answered");
    let tokens: Vec<String> = watch.house.upstream.asked().into_iter().map(|asked| asked.token).collect();
    assert_eq!(tokens, ["token", "renewed-0"]);
    // Refused again: no further token is bought for this question.
    watch.house.upstream.uses([(403, refused.clone()), (403, refused)]);
    tokio::time::sleep(Duration::from_secs(1)).await;
    watch.quotas.fresh(&account).await.expect_err("refused twice");
    assert_eq!(watch.house.identity.bought.load(Ordering::SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn whoever_comes_while_a_question_is_under_way_shares_its_answer() {
    let watch = Watch::new(1).await;
    let account = watch.house.account(0);
    watch.answers([plan(1.0), plan(2.0)]);
    let (first, second) = tokio::join!(watch.quotas.fresh(&account), watch.quotas.fresh(&account));
    assert!(first.is_ok() && second.is_ok());
    assert_eq!(watch.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn no_lease_is_given_for_an_account_that_would_cost_money() {
    let watch = Watch::new(2).await;
    let (one, other) = (watch.house.account(0), watch.house.account(1));
    watch.answers([in_overage(100.0, 0.0), plan(99.0)]);
    watch.quotas.fresh(&one).await.expect("answered");
    watch.quotas.fresh(&other).await.expect("answered");
    let chosen = |watch: &Watch| -> Option<AccountId> {
        watch.house.leases.lease(&LeaseRequest::default()).ok().map(|lease| lease.account.id.clone())
    };
    for _ in 0..20 {
        assert_eq!(chosen(&watch).as_ref(), Some(&other.id));
    }
    let only = LeaseRequest { only: Some(one.id.clone()), ..LeaseRequest::default() };
    assert!(watch.house.leases.lease(&only).is_err(), "not even when a person chooses it");
}
