//! What a fresh sign-in can do is found out: profile, region, quota, models, with the fewest questions that answer it.

use http::{Method, StatusCode};
use kiro_simulator::{AccountSeed, Answer, Config, Family, Script, Target};
use serde_json::{Value, json};

use crate::harness::{Plan, World, ask, login};

const FAR: &str = "2099-01-01T00:00:00.000Z";

/// A login as an identity service hands it out: it names no profile.
fn without_profile(seed: &AccountSeed) -> Value {
    let mut login = login(seed, FAR);
    login.as_object_mut().expect("an object").remove("profileArn");
    login
}

async fn world(accounts: Vec<AccountSeed>, logins: Vec<Value>) -> World {
    let simulator = Config { accounts, ..Config::default() };
    Plan { simulator, accounts: logins, ..Plan::default() }.start().await
}

async fn only_account(world: &World) -> Value {
    world.admin_ok(Method::GET, "/api/accounts", None).await["accounts"][0].clone()
}

async fn refresh(world: &World) -> Value {
    let id = only_account(world).await["id"].as_str().expect("an id").to_owned();
    world.admin_ok(Method::POST, &format!("/api/accounts/{id}/refresh"), None).await
}

fn asked(world: &World, operation: &str) -> usize {
    world.control.journal().iter().filter(|entry| entry.operation == operation).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_companys_sign_in_finds_its_profile_in_either_region_and_follows_it_there() {
    for (arn, region) in [
        ("arn:aws:codewhisperer:us-east-1:111122223333:profile/EXAMPLEIDCUS", "us-east-1"),
        ("arn:aws:codewhisperer:eu-central-1:111122223333:profile/EXAMPLEIDCEU", "eu-central-1"),
    ] {
        for family in [Family::Idc, Family::ExternalIdp] {
            let mut seed = AccountSeed::new("company", family);
            seed.profile_arn = Some(arn.to_owned());
            let world = world(vec![seed.clone()], vec![without_profile(&seed)]).await;
            let account = refresh(&world).await;
            assert_eq!(account["profileArn"], arn, "{family:?}");
            assert_eq!(account["region"], region, "{family:?}");
            assert_eq!(account["email"], seed.email, "{family:?}");
            let (status, reply) = world.send(&ask("SAY: at work")).await;
            assert_eq!(status, StatusCode::OK, "{family:?}: {reply}");
            world.assert_no_violations();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_builder_id_has_no_profile_and_that_is_no_trouble() {
    let seed = AccountSeed::new("builderid", Family::BuilderId);
    let world = world(vec![seed.clone()], vec![login(&seed, FAR)]).await;
    let account = refresh(&world).await;
    assert_eq!((&account["profileArn"], &account["state"]["kind"]), (&Value::Null, &json!("ready")));
    assert_eq!(asked(&world, "ListAvailableProfiles"), 1);
    // What was learned is kept: nobody asks for profiles again.
    refresh(&world).await;
    assert_eq!(asked(&world, "ListAvailableProfiles"), 1);
    world.assert_no_violations();
}

#[tokio::test(flavor = "multi_thread")]
async fn each_question_is_asked_once_and_the_token_is_bought_once() {
    let seed = AccountSeed::new("social", Family::Social);
    let world = world(vec![seed.clone()], vec![login(&seed, FAR)]).await;
    // The list of models of the start must not be counted.
    world.send(&ask("SAY: started")).await;
    let before = world.control.counters();
    let models = asked(&world, "ListAvailableModels");
    refresh(&world).await;
    assert_eq!(world.control.counters().refreshes - before.refreshes, 1);
    assert_eq!(asked(&world, "GetUsageLimits"), 1);
    assert_eq!(asked(&world, "ListAvailableProfiles"), 0);
    assert_eq!(asked(&world, "ListAvailableModels") - models, 1);
    world.assert_no_violations();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gate_on_one_form_of_the_question_is_passed_with_another_and_remembered() {
    let seed = AccountSeed::new("social", Family::Social);
    let world = world(vec![seed.clone()], vec![login(&seed, FAR)]).await;
    let gate = || Script {
        operation: "GetUsageLimits".to_owned(),
        answer: Answer::Error("feature-not-supported".to_owned()),
        ..Script::default()
    };
    for _ in 0..3 {
        world.control.enqueue(Target::Any, gate());
    }
    refresh(&world).await;
    let paths = || -> Vec<String> {
        let journal = world.control.journal();
        journal.into_iter().filter(|e| e.operation == "GetUsageLimits").map(|e| e.path).collect()
    };
    let asked = paths();
    assert_eq!(asked.len(), 4);
    assert!(asked[0].contains("AGENTIC_REQUEST"));
    assert!(!asked[1].contains("resourceType") && asked[1].contains("isEmailRequired"));
    assert!(asked[2].contains("CONVERSATION"));
    assert!(!asked[3].contains("resourceType") && !asked[3].contains("isEmailRequired"));
    refresh(&world).await;
    assert_eq!(paths().len(), 5, "the form that was answered is asked first");
    world.assert_no_violations();
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_profiles_the_first_is_named_and_the_one_that_is_named_stays() {
    let mut seed = AccountSeed::new("company", Family::Idc);
    let second = "arn:aws:codewhisperer:eu-central-1:111122223333:profile/SECOND";
    seed.more_profiles = vec![second.to_owned()];
    seed.oidc_region = "us-east-1".to_owned();
    let first = seed.profile_arn.clone().expect("a profile");
    let mut chosen = login(&seed, FAR);
    chosen["profileArn"] = second.into();
    for (login, expected) in [(without_profile(&seed), first.as_str()), (chosen, second)] {
        let world = world(vec![seed.clone()], vec![login]).await;
        assert_eq!(refresh(&world).await["profileArn"], expected);
        world.assert_no_violations();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refreshing_all_names_those_that_could_not_be_refreshed_and_leaves_keys_alone() {
    let seeds = [
        AccountSeed::new("social", Family::Social),
        AccountSeed::new("idc", Family::Idc),
        AccountSeed::new("apikey", Family::ApiKey),
    ];
    let world = world(seeds.to_vec(), seeds.iter().map(|seed| login(seed, FAR)).collect()).await;
    world.control.kill_refresh_tokens("idc");
    let result = world.admin_ok(Method::POST, "/api/accounts/refresh", None).await;
    assert_eq!(result["refreshed"].as_array().map(Vec::len), Some(1), "{result}");
    assert_eq!(result["failed"].as_array().map(Vec::len), Some(1), "{result}");
    assert_eq!(result["failed"][0]["problem"]["params"]["reason"], "account_needs_login");
    let accounts = world.admin_ok(Method::GET, "/api/accounts", None).await;
    let key = accounts["accounts"].as_array().expect("a list").iter().find(|a| a["method"] == "apiKey").expect("a key");
    let path = format!("/api/accounts/{}/refresh", key["id"].as_str().expect("an id"));
    let (status, problem) = world.admin(Method::POST, &path, None).await;
    assert_eq!((status, &problem["code"]), (StatusCode::BAD_REQUEST, &json!("invalid_request")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_knows_no_list_of_models_gives_way_to_the_newer_one_which_is_remembered() {
    for family in [Family::Social, Family::Idc, Family::ExternalIdp, Family::ApiKey] {
        let seed = AccountSeed::new("somebody", family);
        let simulator = Config { accounts: vec![seed.clone()], ..Config::default() };
        let world =
            Plan { simulator, listen: false, ..Plan::default() }.accounts(vec![login(&seed, FAR)]).start().await;
        let gone = Answer::Http { status: 404, headers: Vec::new(), body: r#"{"message":"no such thing"}"#.to_owned() };
        let script = Script { operation: "ListAvailableModels".to_owned(), answer: gone, ..Script::default() };
        world.control.enqueue(Target::Any, script);
        for _ in 0..2 {
            let checked = world.admin_ok(Method::POST, "/api/accounts/check", None).await;
            assert_eq!(checked["accounts"][0]["ok"], true, "{family:?}: {checked}");
        }
        let journal = world.control.journal();
        let asked = journal.iter().filter(|entry| entry.operation == "ListAvailableModels");
        let hosts: Vec<&str> = asked.map(|entry| entry.host.split('.').next().unwrap_or_default()).collect();
        let other = if family == Family::ApiKey { "codewhisperer" } else { "management" };
        assert_eq!(hosts, ["q", other, other], "{family:?}");
        world.assert_no_violations();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_does_not_take_the_token_is_not_the_end_of_a_sign_in_and_costs_no_refresh() {
    for family in [Family::Social, Family::Idc, Family::ExternalIdp, Family::ApiKey] {
        let seed = AccountSeed::new("somebody", family);
        let simulator = Config { accounts: vec![seed.clone()], ..Config::default() };
        let world =
            Plan { simulator, listen: false, ..Plan::default() }.accounts(vec![login(&seed, FAR)]).start().await;
        for (status, body) in
            [(403, r#"{"message":"The bearer token included in the request is invalid."}"#), (401, "")]
        {
            for operation in ["ListAvailableModels", "GetUsageLimits"] {
                let answer = Answer::Http { status, headers: Vec::new(), body: body.to_owned() };
                let script = Script { operation: operation.to_owned(), answer, ..Script::default() };
                world.control.enqueue(Target::Any, script);
            }
            let checked = world.admin_ok(Method::POST, "/api/accounts/check", None).await;
            assert_eq!(checked["accounts"][0]["ok"], true, "{family:?}: {checked}");
            let id = only_account(&world).await["id"].as_str().expect("an id").to_owned();
            let usage = world.admin_ok(Method::GET, &format!("/api/accounts/{id}/usage?fresh=true"), None).await;
            assert_eq!(usage["problem"], Value::Null, "{family:?}: {usage}");
        }
        assert_eq!(only_account(&world).await["state"]["kind"], "ready", "{family:?}");
        assert_eq!(world.control.counters().refreshes, 0, "{family:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_companys_profile_that_the_newer_host_refuses_is_left_out_there() {
    let seed = AccountSeed::new("company", Family::Idc);
    let world = world(vec![seed.clone()], vec![login(&seed, FAR)]).await;
    let id = only_account(&world).await["id"].as_str().expect("an id").to_owned();
    for status in [404, 400] {
        let answer = Answer::Http { status, headers: Vec::new(), body: r#"{"message":"no"}"#.to_owned() };
        let script = Script { operation: "GetUsageLimits".to_owned(), answer, ..Script::default() };
        world.control.enqueue(Target::Any, script);
    }
    world.admin_ok(Method::GET, &format!("/api/accounts/{id}/usage?fresh=true"), None).await;
    let journal = world.control.journal();
    let asked = journal.iter().filter(|entry| entry.operation == "GetUsageLimits");
    let asked: Vec<(&str, bool)> = asked
        .map(|entry| (entry.host.split('.').next().unwrap_or_default(), entry.path.contains("profileArn")))
        .collect();
    assert!(asked.ends_with(&[("q", true), ("management", true), ("management", false)]), "{asked:?}");
}
