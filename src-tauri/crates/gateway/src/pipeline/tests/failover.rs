//! What every kind of trouble leads to, row by row of the table (reliability 3.2), before and after the first byte; and the
//! budget that all attempts of a request share.

use super::*;
use crate::account::{StoppedKind, Wishes};
use crate::flow::AttemptReason;
use crate::flow::AttemptReason::{Again, First, OtherAccount, OtherHost, Renewed, Repeated};

const MALFORMED: &str = r#"{"message":"Improperly formed request.","reason":null}"#;
const TOO_LONG: &str = r#"{"message":"Input is too long.","reason":"CONTENT_LENGTH_EXCEEDS_THRESHOLD"}"#;
const BEARER: &str = r#"{"message":"The bearer token included in the request is invalid."}"#;
const SUSPENDED: &str = r#"{"message":"Your User ID temporarily is suspended.","reason":"TEMPORARILY_SUSPENDED"}"#;
const LOCKED: &str = r#"{"message":"locked"}"#;
const MONTHLY: &str = r#"{"message":"used up","reason":"MONTHLY_REQUEST_COUNT"}"#;
const DAILY: &str = r#"{"message":"used up","reason":"DAILY_REQUEST_COUNT"}"#;
const THROTTLED: &str = r#"{"message":"Too many requests","__type":"ThrottlingException"}"#;
const SUSPICION: &str = r#"{"message":"Due to suspicious activity, we are imposing temporary limits"}"#;
const CAPACITY: &str = r#"{"message":"no capacity","reason":"INSUFFICIENT_MODEL_CAPACITY"}"#;
const NO_PROFILE: &str = r#"{"message":"profileArn is required for this request."}"#;
const WRONG_PROFILE: &str = r#"{"message":"Invalid profileArn.","reason":null}"#;
const FORBIDDEN: &str = r#"{"message":"User is not authorized to make this call.","__type":"AccessDeniedException"}"#;

/// What an account is like afterwards.
#[derive(Debug, Clone, Copy, PartialEq)]
enum After {
    Ready,
    Cooling,
    Exhausted,
    Suspended,
    NeedsLogin,
}

fn after(state: &AccountState) -> After {
    match state {
        AccountState::Ready { .. } | AccountState::Probing { .. } => After::Ready,
        AccountState::CoolingDown { .. } => After::Cooling,
        AccountState::Exhausted { .. } => After::Exhausted,
        AccountState::Suspended { .. } => After::Suspended,
        AccountState::NeedsLogin { .. } | AccountState::OwnerSwitched { .. } => After::NeedsLogin,
        AccountState::Disabled { .. } => panic!("nobody switched it off"),
    }
}

/// One row: what the first account meets on every attempt, and what comes of it.
struct Row {
    name: &'static str,
    refusals: Vec<Scene>,
    /// Account, host and reason of every attempt.
    attempts: &'static [(&'static str, &'static str, AttemptReason)],
    /// Code of the failure; nothing when somebody answered.
    failure: Option<&'static str>,
    account: After,
}

fn refuse(status: u16, body: &'static str, times: usize) -> Vec<Scene> {
    vec![Scene::Refuse(status, body, None); times]
}

fn rows() -> Vec<Row> {
    let row = |name, refusals, attempts, failure, account| Row { name, refusals, attempts, failure, account };
    const ONCE: &[(&str, &str, AttemptReason)] = &[("a", "runtime", First)];
    const THEN_B: &[(&str, &str, AttemptReason)] = &[("a", "runtime", First), ("b", "runtime", OtherAccount)];
    const ALL_HOSTS: &[(&str, &str, AttemptReason)] = &[
        ("a", "runtime", First),
        ("a", "q", OtherHost),
        ("a", "codewhisperer", OtherHost),
        ("b", "runtime", OtherAccount),
    ];
    const NEXT_HOST: &[(&str, &str, AttemptReason)] = &[("a", "runtime", First), ("a", "q", OtherHost)];
    const TWO_REPEATS: &[(&str, &str, AttemptReason)] =
        &[("a", "runtime", First), ("a", "q", OtherHost), ("a", "codewhisperer", OtherHost)];
    const RENEWED: &[(&str, &str, AttemptReason)] = &[("a", "runtime", First), ("a", "runtime", Renewed)];
    const SAME_HOST: &[(&str, &str, AttemptReason)] =
        &[("a", "runtime", First), ("a", "runtime", Repeated), ("a", "runtime", Repeated)];
    vec![
        row("400", refuse(400, MALFORMED, 1), ONCE, Some("upstream_refused_request"), After::Ready),
        row("too long", refuse(400, TOO_LONG, 1), ONCE, Some("context_too_long"), After::Ready),
        row("403 token", refuse(403, BEARER, 1), RENEWED, None, After::Ready),
        row("401", refuse(401, "{}", 1), RENEWED, None, After::Ready),
        row("403 suspended", refuse(403, SUSPENDED, 1), THEN_B, None, After::Suspended),
        row("423", refuse(423, LOCKED, 1), THEN_B, None, After::Suspended),
        row("402", refuse(402, MONTHLY, 1), THEN_B, None, After::Exhausted),
        row("429 daily", refuse(429, DAILY, 1), THEN_B, None, After::Exhausted),
        row("429", refuse(429, THROTTLED, 3), ALL_HOSTS, None, After::Cooling),
        row("429 suspicion", refuse(429, SUSPICION, 1), THEN_B, None, After::Cooling),
        row("429 model", refuse(429, CAPACITY, 3), SAME_HOST, Some("model_busy"), After::Ready),
        row("503", refuse(503, BUSY, 1), NEXT_HOST, None, After::Ready),
        row("503 stays", refuse(503, BUSY, 3), TWO_REPEATS, Some("upstream_unavailable"), After::Ready),
        row("500", refuse(500, "{}", 1), NEXT_HOST, None, After::Ready),
        row("524", refuse(524, "", 1), ONCE, Some("upstream_gave_up"), After::Ready),
        row("connection refused", vec![Scene::Unreachable; 2], TWO_REPEATS, None, After::Ready),
        row("profile missing", refuse(400, NO_PROFILE, 1), NEXT_HOST, None, After::Ready),
        row("profile wrong", refuse(400, WRONG_PROFILE, 1), NEXT_HOST, None, After::Ready),
        row("not authorized", refuse(403, FORBIDDEN, 3), ALL_HOSTS, None, After::Ready),
        row("200 and a server error", vec![exception("InternalServerException")], AGAIN, None, After::Ready),
        row("200 and throttled", vec![exception("ThrottlingException")], AGAIN_ELSEWHERE, None, After::Cooling),
        row(
            "200 and damage",
            vec![broken(vec![Step::Bytes(Bytes::from_static(b"\0\0\0"))])],
            AGAIN,
            None,
            After::Ready,
        ),
        row("200 and a reset", vec![broken(vec![Step::Reset])], AGAIN, None, After::Ready),
        row("200 and nothing", vec![broken(vec![])], AGAIN, None, After::Ready),
    ]
}

/// After an answer that broke off before anything was delivered, the choice is made anew.
const AGAIN: &[(&str, &str, AttemptReason)] = &[("a", "runtime", First), ("b", "runtime", Again)];
const AGAIN_ELSEWHERE: &[(&str, &str, AttemptReason)] = AGAIN;

fn broken(steps: Vec<Step>) -> Scene {
    Scene::Answer(steps)
}

fn exception(name: &str) -> Scene {
    broken(vec![thrown(name, r#"{"message":"oops"}"#)])
}

fn thrown(name: &str, payload: &str) -> Step {
    Step::Bytes(frame("exception", name, payload))
}

impl House {
    /// Account, host and reason of every attempt of the newest request.
    fn tried(&self) -> Vec<(String, String, AttemptReason)> {
        let label = |id: &str| {
            let list = self.roster.list();
            list.iter()
                .find(|account| account.id.as_str() == id)
                .map(|account| account.label.clone())
                .unwrap_or_default()
        };
        let host = |host: &str| host.split('.').next().unwrap_or_default().to_owned();
        self.flow().attempts.iter().map(|one| (label(&one.account), host(&one.host), one.reason)).collect()
    }

    pub(super) async fn save_login(&self) {
        for account in self.roster.list().iter() {
            let secrets = Secrets { refresh_token: Some(SecretString::from("r")), ..Secrets::default() };
            self.credentials.save(&SecretId::account(&account.id), &secrets).await.expect("saved");
        }
    }
}

fn expected(attempts: &[(&str, &str, AttemptReason)]) -> Vec<(String, String, AttemptReason)> {
    attempts.iter().map(|(account, host, reason)| ((*account).into(), (*host).into(), *reason)).collect()
}

#[tokio::test(start_paused = true)]
async fn before_the_first_byte_every_row_of_the_table_holds() {
    for row in rows() {
        let mut scenes = row.refusals.clone();
        if row.failure.is_none() {
            scenes.push(answer("fine"));
        }
        let house = House::new(&["a", "b"], scenes);
        house.save_login().await;
        let mut rounds = house.begin().await;
        let (events, end) = all(&mut rounds).await;
        drop(rounds);
        assert_eq!(end.as_ref().err().map(|failure| failure.code), row.failure, "{}", row.name);
        assert_eq!(said(&events), if row.failure.is_none() { "fine" } else { "" }, "{}", row.name);
        assert_eq!(house.tried(), expected(row.attempts), "{}", row.name);
        assert_eq!(after(&house.state(0)), row.account, "{}", row.name);
        assert_eq!(after(&house.state(1)), After::Ready, "{}: the other account", row.name);
        assert_eq!(
            house.leases.lease(&LeaseRequest::default()).map(drop),
            Ok(()),
            "{}: somebody still serves",
            row.name
        );
    }
}

#[tokio::test(start_paused = true)]
async fn after_the_first_byte_nothing_is_repeated_and_no_answer_ends_well() {
    let quota = r#"{"message":"used up","reason":"MONTHLY_REQUEST_COUNT"}"#;
    let suspended = r#"{"message":"suspended","reason":"TEMPORARILY_SUSPENDED"}"#;
    let capacity = r#"{"message":"full","reason":"INSUFFICIENT_MODEL_CAPACITY"}"#;
    let plain = r#"{"message":"oops"}"#;
    let faults: Vec<(Step, &str, After)> = vec![
        (thrown("ValidationException", plain), "upstream_refused_request", After::Ready),
        (thrown("AccessDeniedException", BEARER), "account_token_rejected", After::Ready),
        (thrown("AccessDeniedException", suspended), "account_suspended", After::Suspended),
        (thrown("ServiceQuotaExceededException", quota), "monthly_quota", After::Exhausted),
        (thrown("ThrottlingException", plain), "throttled", After::Cooling),
        (thrown("ThrottlingException", capacity), "model_busy", After::Ready),
        (thrown("InternalServerException", plain), "upstream_error", After::Ready),
        (thrown("ServiceUnavailableException", plain), "upstream_unavailable", After::Ready),
        (Step::Bytes(Bytes::from_static(&[0xff; 64])), "upstream_corrupt", After::Ready),
        (Step::Reset, "upstream_truncated", After::Ready),
        (Step::Hang, "upstream_timeout", After::Ready),
    ];
    for (fault, code, account) in faults {
        let house = House::new(&["a", "b"], vec![Scene::Answer(vec![text("half"), fault])]);
        let mut rounds = house.begin().await;
        let (events, end) = all(&mut rounds).await;
        drop(rounds);
        assert_eq!((said(&events).as_str(), end.expect_err("failed").code), ("half", code));
        assert!(!events.iter().any(|event| matches!(event, Event::Stop(_))), "{code}");
        assert_eq!(house.upstream.seen().len(), 1, "{code}");
        assert_eq!(after(&house.state(0)), account, "{code}");
    }
}

/// Refuses every refresh for good.
struct Dead;

impl Identity for Dead {
    fn refresh<'a>(
        &'a self,
        _account: &'a Account,
        _secrets: &'a Secrets,
    ) -> BoxFuture<'a, Result<Refreshed, IdentityError>> {
        Box::pin(std::future::ready(Err(IdentityError::Dead("invalid_grant".into()))))
    }
}

#[tokio::test(start_paused = true)]
async fn an_account_needs_a_new_sign_in_only_when_its_refresh_is_refused_for_good() {
    let house = House::with_identity(&["a", "b"], vec![Scene::Refuse(401, "{}", None), answer("fine")], Arc::new(Dead));
    house.save_login().await;
    assert_eq!(all(&mut house.begin().await).await.1, Ok(()));
    assert_eq!(house.tried(), expected(&[("a", "runtime", First), ("b", "runtime", OtherAccount)]));
    assert_eq!(after(&house.state(0)), After::NeedsLogin);

    // The refresh works, and no host takes what it brings: trouble, but not the end of the sign-in.
    let mut scenes = refuse(403, BEARER, 4);
    scenes.push(answer("fine"));
    let house = House::new(&["a", "b"], scenes);
    house.save_login().await;
    assert_eq!(all(&mut house.begin().await).await.1, Ok(()));
    let tried = [
        ("a", "runtime", First),
        ("a", "runtime", Renewed),
        ("a", "q", OtherHost),
        ("a", "codewhisperer", OtherHost),
        ("b", "runtime", OtherAccount),
    ];
    assert_eq!(house.tried(), expected(&tried));
    assert_eq!(after(&house.state(0)), After::Ready);
    let tokens: Vec<String> = house.upstream.seen().into_iter().map(|seen| seen.token).collect();
    assert_eq!(tokens, ["token-a", "renewed", "renewed", "renewed", "token-b"]);
}

#[tokio::test(start_paused = true)]
async fn a_fresh_token_that_is_refused_means_the_wrong_host_before_anything_else() {
    for (status, body) in [(403, BEARER), (400, NO_PROFILE), (400, WRONG_PROFILE)] {
        let house = House::new(&["a"], vec![Scene::Refuse(status, body, None), answer("one"), answer("two")]);
        let id = house.roster.list()[0].id.clone();
        house.roster.update(&id, |account| account.learned_host = None).expect("saved");
        assert_eq!(all(&mut house.begin().await).await.1, Ok(()));
        assert_eq!(house.tried(), expected(&[("a", "runtime", First), ("a", "q", OtherHost)]), "{body}");
        assert_eq!(house.roster.get(&id).expect("there").learned_host.as_deref(), Some("q.us-east-1.amazonaws.com"));
        assert_eq!(all(&mut house.begin().await).await.1, Ok(()));
        assert_eq!(house.tried(), expected(&[("a", "q", First)]), "what was learned is asked first");
        assert!(house.upstream.seen().iter().all(|seen| seen.token == "token-a"), "no token was wasted");
    }
}

#[tokio::test(start_paused = true)]
async fn the_host_that_answered_is_known_after_a_restart() {
    let house = House::new(&["a"], vec![Scene::Refuse(400, WRONG_PROFILE, None), answer("one")]);
    assert_eq!(all(&mut house.begin().await).await.1, Ok(()));
    let path = house.folder.path().join("data").join("accounts.json");
    let saved: serde_json::Value = serde_json::from_slice(&std::fs::read(path).expect("there")).expect("JSON");
    assert_eq!(saved["accounts"][0]["learnedHost"], "q.us-east-1.amazonaws.com");
}

#[tokio::test(start_paused = true)]
async fn a_chosen_host_is_the_only_one() {
    let house = House::new(&["a"], refuse(403, FORBIDDEN, 1));
    let id = house.roster.list()[0].id.clone();
    let host = Some("codewhisperer.us-east-1.amazonaws.com".to_owned());
    house.roster.update(&id, |account| account.wishes = Wishes { host, ..Wishes::default() }).expect("saved");
    assert_eq!(all(&mut house.begin().await).await.1.expect_err("refused").code, "account_forbidden");
    assert_eq!(house.tried(), expected(&[("a", "codewhisperer", First)]));
}

#[tokio::test(start_paused = true)]
async fn when_all_accounts_pause_the_client_is_told_the_smallest_wait() {
    let throttled = |seconds| Scene::Refuse(429, THROTTLED, Some(seconds));
    // Three hosts of one account, then three of the other, which is back sooner.
    let scenes = [90, 90, 90, 40, 40, 40].map(throttled).to_vec();
    let house = House::new(&["a", "b"], scenes);
    let failure = all(&mut house.begin().await).await.1.expect_err("failed");
    assert_eq!((failure.class, failure.retry_after), (FailureClass::RateLimit, Some(Duration::from_secs(40))));
    // Now nobody is asked at all.
    let failure = all(&mut house.begin().await).await.1.expect_err("failed");
    assert_eq!((failure.code, failure.retry_after), ("accounts_cooling_down", Some(Duration::from_secs(40))));
    assert_eq!(house.upstream.seen().len(), 6);
}

#[tokio::test(start_paused = true)]
async fn all_attempts_of_a_request_come_out_of_one_budget() {
    let labels: Vec<String> = (0..20).map(|n| format!("a{n}")).collect();
    let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
    for attempts in [1, 4, 8] {
        let mut house = House::new(&labels, refuse(429, THROTTLED, attempts as usize));
        house.settings.limits.attempts = attempts;
        let failure = all(&mut house.begin().await).await.1.expect_err("failed");
        assert_eq!((failure.class, failure.code), (FailureClass::RateLimit, "throttled"));
        assert_eq!(house.upstream.seen().len(), attempts as usize);
    }
}

#[tokio::test(start_paused = true)]
async fn trouble_of_the_service_is_not_multiplied_by_repeats() {
    let house = House::new(&["a"], vec![Scene::Refuse(503, BUSY, None); 3 * 1000]);
    for _ in 0..1000 {
        assert!(all(&mut house.begin().await).await.1.is_err());
    }
    let made = house.upstream.seen().len();
    assert!((1200..1400).contains(&made), "{made} attempts for 1,000 requests: a fifth more, and a few");
}

#[tokio::test(start_paused = true)]
async fn another_account_is_asked_with_its_own_profile_and_its_own_conversation() {
    let house = House::new(&["a", "b"], vec![Scene::Refuse(402, MONTHLY, None), answer("fine"), answer("fine")]);
    for (at, account) in house.roster.list().iter().enumerate() {
        let arn = format!("arn:aws:codewhisperer:us-east-1:00000000000{at}:profile/P{at}");
        house.roster.update(&account.id, |account| account.profile_arn = Some(arn)).expect("saved");
    }
    let mut conversation = question("hello");
    conversation.session = Some("s".into());
    assert_eq!(all(&mut house.begin_with(conversation.clone()).await).await.1, Ok(()));
    assert_eq!(all(&mut house.begin_with(conversation).await).await.1, Ok(()));
    let seen = house.upstream.seen();
    let of =
        |at: usize, path: &str| seen[at].body.pointer(path).and_then(|value| value.as_str()).expect("there").to_owned();
    assert!(of(0, "/profileArn").ends_with("P0") && of(1, "/profileArn").ends_with("P1"));
    let id = "/conversationState/conversationId";
    assert_ne!(of(0, id), of(1, id), "what one account knows never meets another");
    assert_eq!(of(1, id), of(2, id), "the session goes on where it was answered");
    let rest = |at: usize| {
        let mut body = seen[at].body.clone();
        body["profileArn"] = "".into();
        body["conversationState"]["conversationId"] = "".into();
        body
    };
    assert_eq!(rest(0), rest(1), "everything else is the same");
}

#[tokio::test(start_paused = true)]
async fn a_model_without_capacity_is_not_asked_for_again_at_once() {
    let house = House::new(&["a"], refuse(429, CAPACITY, 3));
    assert_eq!(all(&mut house.begin().await).await.1.expect_err("failed").code, "model_busy");
    let failure = all(&mut house.begin().await).await.1.expect_err("failed");
    assert_eq!((failure.class, failure.code), (FailureClass::Overloaded, "model_busy"));
    assert!(failure.retry_after.is_some_and(|wait| wait <= Duration::from_secs(5)));
    assert_eq!(house.upstream.seen().len(), 3, "the second request was not sent");
    assert_eq!(house.state(0), AccountState::READY);
}

#[tokio::test(start_paused = true)]
async fn what_went_wrong_is_shown_beside_the_account_and_a_wrong_request_is_not() {
    let house = House::new(&["a"], vec![Scene::Refuse(400, MALFORMED, None), Scene::Refuse(403, SUSPENDED, None)]);
    let id = house.roster.list()[0].id.clone();
    assert!(all(&mut house.begin().await).await.1.is_err());
    assert_eq!(house.leases.record(&id).expect("known").last_failure, None);
    assert!(all(&mut house.begin().await).await.1.is_err());
    let failure = house.leases.record(&id).expect("known").last_failure.expect("noted");
    assert_eq!(failure.code, "TEMPORARILY_SUSPENDED");
    let stopped = house.roster.get(&id).expect("there").stopped.clone().expect("saved");
    assert_eq!(stopped.kind, StoppedKind::Suspended);
}
