//! Quotas and what was used: asked of the service, counted from its metering, and obeyed before money is spent.

use std::time::Duration;

use http::{Method, StatusCode};
use kiro_simulator::{
    AccountSeed, Allowance, Answer, Config, Cut, End, Family, Faults, Scenario, Script, Step, StreamMessage, Target,
};
use serde_json::{Value, json};

use crate::harness::{PATIENCE, Plan, World, ask, eventually, login};

const FAR: &str = "2099-01-01T00:00:00.000Z";

fn seeds(names: &[&str]) -> Vec<AccountSeed> {
    names.iter().map(|name| AccountSeed::new(name, Family::Social)).collect()
}

async fn world(seeds: Vec<AccountSeed>) -> World {
    let accounts = seeds.iter().map(|seed| login(seed, FAR)).collect();
    let simulator = Config { accounts: seeds, ..Config::default() };
    Plan { simulator, accounts, ..Plan::default() }.start().await
}

async fn account(world: &World, email: &str) -> Value {
    let list = world.admin_ok(Method::GET, "/api/accounts", None).await;
    let accounts = list["accounts"].as_array().expect("a list");
    accounts.iter().find(|account| account["email"] == email).expect("the account").clone()
}

async fn quota(world: &World, email: &str) -> Value {
    let id = account(world, email).await["id"].as_str().expect("an id").to_owned();
    world.admin_ok(Method::GET, &format!("/api/accounts/{id}/usage?fresh=true"), None).await
}

async fn rows(world: &World, by: &str) -> Vec<Value> {
    let report = world.admin_ok(Method::GET, &format!("/api/usage?by={by}&days=2"), None).await;
    report["rows"].as_array().expect("rows").clone()
}

fn sum(rows: &[Value], member: &str) -> f64 {
    rows.iter().filter_map(|row| row[member].as_f64()).sum()
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-6
}

#[tokio::test(flavor = "multi_thread")]
async fn every_part_of_a_plan_is_shown_and_added_up() {
    let mut seed = AccountSeed::new("rich", Family::Social);
    seed.credit_limit = 50.0;
    seed.credits_used = 12.5;
    seed.trial = Some(Allowance { name: "Trial".into(), limit: 500.0, used: 123.25, expires_s: 4_000_000_000.0 });
    seed.bonuses = vec![
        Allowance { name: "Welcome".into(), limit: 100.0, used: 0.0, expires_s: 4_000_000_000.0 },
        Allowance { name: "Old".into(), limit: 100.0, used: 10.0, expires_s: 1_700_000_000.0 },
    ];
    let world = world(vec![seed.clone()]).await;
    let quota = quota(&world, &seed.email).await;
    assert_eq!((&quota["used"], &quota["limit"]), (&json!(135.75), &json!(650.0)), "{quota}");
    let kinds: Vec<&str> =
        quota["parts"].as_array().expect("parts").iter().filter_map(|part| part["kind"].as_str()).collect();
    assert_eq!(kinds, ["base", "trial", "bonus", "bonus"]);
    assert_eq!(quota["parts"][3]["active"], false);
    assert_eq!(quota["resetsAt"], 4_102_444_800_000_i64);
    let account = account(&world, &seed.email).await;
    assert_eq!((&account["plan"], &account["userId"]), (&json!("KIRO PRO"), &json!(seed.user_id)));
    assert_eq!(account["quota"]["limit"], 650.0);
    world.assert_no_violations();
}

#[tokio::test(flavor = "multi_thread")]
async fn not_one_request_is_sent_once_only_money_would_pay_for_it() {
    let mut seed = AccountSeed::new("spender", Family::Social);
    seed.credit_limit = 10.0;
    seed.credits_used = 10.0;
    seed.overage = true;
    let world = world(vec![seed.clone()]).await;
    assert_eq!(quota(&world, &seed.email).await["overageRefused"], true);
    for _ in 0..5 {
        let (status, reply) = world.send(&ask("SAY: for money")).await;
        assert_eq!(status, StatusCode::TOO_MANY_REQUESTS, "{reply}");
    }
    assert_eq!(world.upstream_calls(), 0);
    assert_eq!(world.control.accounts()[0].credits_charged, 0.0);
    assert_eq!(account(&world, &seed.email).await["state"]["kind"], "exhausted");

    // A person who wants to pay is served.
    let settings = world.admin_ok(Method::GET, "/api/settings", None).await;
    let patch = json!({"revision": settings["revision"], "patch": {"quota": {"neverOverage": false}}});
    world.admin_ok(Method::PATCH, "/api/settings", Some(patch)).await;
    let mut tick = tokio::time::interval(Duration::from_millis(5));
    let served = async {
        while world.send(&ask("SAY: for money")).await.0 != StatusCode::OK {
            tick.tick().await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, served).await.is_ok(), "the setting holds while things run");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_credits_of_a_plan_are_used_and_nothing_beyond_them() {
    let mut seed = AccountSeed::new("spender", Family::Social);
    seed.credit_limit = 2.0;
    seed.overage = true;
    let world = world(vec![seed.clone()]).await;
    quota(&world, &seed.email).await;
    let mut answered = 0;
    for _ in 0..200 {
        match world.send(&ask("SAY: as long as it lasts")).await.0 {
            StatusCode::OK => answered += 1,
            _ => break,
        }
    }
    assert!(answered > 0);
    let charged = world.control.accounts()[0].credits_charged;
    let last = charged / f64::from(answered);
    assert!(charged >= 2.0 - 1e-9 && charged < 2.0 + last + 1e-9, "{charged} credits in {answered} answers");
    let calls = world.upstream_calls();
    assert_eq!(world.send(&ask("SAY: more")).await.0, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(world.upstream_calls(), calls);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_for_a_used_up_plan_lasts_until_its_reset() {
    let mut seed = AccountSeed::new("poor", Family::Social);
    seed.credit_limit = 10.0;
    seed.credits_used = 10.0;
    let world = world(vec![seed.clone()]).await;
    let (status, _) = world.send(&ask("SAY: please")).await;
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
    let asked = || world.control.journal().iter().any(|entry| entry.operation == "GetUsageLimits");
    eventually("the service is asked for how long", asked).await;
    let mut tick = tokio::time::interval(Duration::from_millis(2));
    let resting = async {
        loop {
            let state = account(&world, &seed.email).await["state"].clone();
            if (&state["kind"], &state["until"]) == (&json!("exhausted"), &json!(4_102_444_800_000_i64)) {
                return;
            }
            tick.tick().await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, resting).await.is_ok(), "{}", account(&world, &seed.email).await["state"]);
    // None at all when the figures came before the request.
    assert!(world.upstream_calls() <= 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn credits_add_up_to_what_the_service_charged_by_account_model_key_and_day() {
    let mut world = world(seeds(&["one", "two"])).await;
    let second = world.admin_ok(Method::POST, "/api/keys", Some(json!({"name": "second"}))).await;
    let secret = second["secret"].as_str().expect("its text").to_owned();
    for n in 0..12 {
        let mut body = ask(&format!("SAY: answer number {n}"));
        if n % 3 == 0 {
            body["model"] = "claude-haiku-4.5".into();
        }
        let key = if n % 2 == 0 { world.key.clone() } else { secret.clone() };
        let sent = world.http.post(format!("{}/v1/messages", world.url)).header("x-api-key", key).json(&body).send();
        assert_eq!(sent.await.expect("an answer").status(), StatusCode::OK);
    }
    let charged: f64 = world.control.accounts().iter().map(|account| account.credits_charged).sum();
    assert!(charged > 0.0);
    for by in ["account", "model", "key", "day"] {
        let rows = rows(&world, by).await;
        assert!(near(sum(&rows, "credits"), charged), "{by}: {rows:?} of {charged}");
        assert_eq!(sum(&rows, "requests"), 12.0, "{by}");
        assert!(sum(&rows, "outputTokens") > 0.0, "{by}");
    }
    for seed in world.control.accounts() {
        let id = account(&world, &seed.seed.email).await["id"].clone();
        let rows = rows(&world, "account").await;
        let mine = rows.iter().find(|row| row["key"] == id);
        let credits = mine.map_or(0.0, |row| row["credits"].as_f64().expect("a number"));
        assert!(near(credits, seed.credits_charged), "{}: {rows:?}", seed.seed.id);
        assert!(near(account(&world, &seed.seed.email).await["creditsToday"].as_f64().expect("one"), credits));
    }
    let keys: Vec<Value> = rows(&world, "key").await.into_iter().map(|row| row["label"].clone()).collect();
    assert!(keys.contains(&json!("default")) && keys.contains(&json!("second")), "{keys:?}");
    assert_eq!(rows(&world, "model").await.len(), 2);

    world.restart(|_| {}).await.expect("opens again");
    assert!(near(sum(&rows(&world, "day").await, "credits"), charged), "a stop loses nothing");
    world.assert_no_violations();
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_were_tried_again_count_with_what_they_cost() {
    let world = world(seeds(&["one"])).await;
    // Metered, and then broken off before a word of it was said: nobody saw it, and it was paid for.
    let metered = StreamMessage::event("meteringEvent", json!({"usage": 0.75, "unit": "credit"}));
    let broken = StreamMessage::exception("InternalServerException", json!({"message": "Encountered an error."}));
    let messages = vec![Step::Message(metered), Step::Message(broken)];
    let content_type = "application/vnd.amazon.eventstream".to_owned();
    let answer = Answer::Messages(Scenario { messages, end: End::Eof, content_type });
    world.control.enqueue(Target::Any, Script { answer, ..Script::default() });
    let (status, reply) = world.send(&ask("SAY: at the second attempt")).await;
    assert_eq!(status, StatusCode::OK, "{reply}");
    assert_eq!(world.upstream_calls(), 2);
    let charged = world.control.accounts()[0].credits_charged;
    assert!(charged > 0.75, "both attempts were charged");
    let rows = rows(&world, "account").await;
    assert!(near(sum(&rows, "credits"), charged), "{rows:?} of {charged} in {} calls", world.upstream_calls());
    assert_eq!(sum(&rows, "requests"), 1.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_was_never_metered_costs_nothing() {
    let world = world(seeds(&["one"])).await;
    let faults = Faults { cut: Some(Cut { at: 200, end: End::Reset }), ..Faults::default() };
    for _ in 0..8 {
        world.control.enqueue(Target::Any, Script { faults: faults.clone(), ..Script::default() });
    }
    world.stream(&ask("SAY: a long answer that breaks off somewhere in the middle of what it says")).await;
    assert_eq!(sum(&rows(&world, "account").await, "credits"), 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_asks_what_costs_nothing_and_leaves_alone_who_waits_for_a_person() {
    let mut seeds = seeds(&["fine", "gone", "suspended"]);
    seeds[2].suspended = true;
    let world = world(seeds.clone()).await;
    let id = account(&world, &seeds[1].email).await["id"].as_str().expect("an id").to_owned();
    world.control.expire_tokens();
    world.control.kill_refresh_tokens("gone");
    let found = |result: &Value, at: usize| result["accounts"][at].clone();
    let first = world.admin_ok(Method::POST, "/api/accounts/check", None).await;
    assert_eq!(found(&first, 0)["ok"], true, "{first}");
    assert_eq!((&found(&first, 1)["ok"], &found(&first, 1)["skipped"]), (&json!(false), &json!(false)), "{first}");
    // The check alone does not declare a suspension.
    assert_eq!(account(&world, &seeds[2].email).await["state"]["kind"], "ready");
    assert_eq!(found(&first, 2)["problem"]["params"]["reason"], "account_suspended", "{first}");
    let second = world.admin_ok(Method::POST, "/api/accounts/check", None).await;
    assert_eq!((&found(&second, 1)["id"], &found(&second, 1)["skipped"]), (&json!(id), &json!(true)), "{second}");
    assert_eq!(world.upstream_calls(), 0);
    assert_eq!(world.control.accounts().iter().map(|account| account.credits_charged).sum::<f64>(), 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_asks_the_account_itself_and_tells_what_it_cost() {
    let seeds = seeds(&["one", "two"]);
    let world = world(seeds.clone()).await;
    let id = account(&world, &seeds[1].email).await["id"].as_str().expect("an id").to_owned();
    let receipt = world.admin_ok(Method::POST, &format!("/api/accounts/{id}/test"), Some(json!({}))).await;
    assert_eq!((&receipt["account"], &receipt["simulated"]), (&json!(id), &json!(false)), "{receipt}");
    assert!(!receipt["text"].as_str().expect("text").is_empty());
    let charged = world.control.accounts()[1].credits_charged;
    assert!(near(receipt["credits"].as_f64().expect("credits"), charged), "{receipt}");
    assert_eq!(world.control.accounts()[0].credits_charged, 0.0);
    assert!(near(sum(&rows(&world, "account").await, "credits"), charged));
    let (status, _) = world.admin(Method::POST, "/api/accounts/nobody/test", Some(json!({}))).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}
