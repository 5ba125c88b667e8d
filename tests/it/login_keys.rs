//! API keys, and what every sign-in shows afterwards: profiles, proof, and the account that was there before.

use http::{Method, StatusCode};
use kiro_simulator::{AccountSeed, Answer, Family, Script, Target};
use serde_json::{Value, json};

use crate::harness::ask;
use crate::login::{begin, end, look, path, plan, until};

const KEY: &str = "ksk_EXAMPLE0000000000000000000000000000";

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_asked_about_before_it_is_kept_and_answers_then() {
    let mut world = plan().start().await;
    let login = begin(&world, json!({"kind": "apiKey", "apiKey": KEY, "region": "us-east-1"})).await;
    let done = end(&world, &login).await;
    assert_eq!((&done["state"], &done["form"]), (&json!("done"), &json!("key")), "{done}");
    assert_eq!((&done["account"]["method"], &done["account"]["region"]), (&json!("apiKey"), &json!("us-east-1")));
    assert_eq!(done["proof"]["plan"], "KIRO PRO", "{done}");
    assert!(!done.to_string().contains(KEY) && !login.to_string().contains(KEY));
    world.listen().await;
    let (status, reply) = world.send(&ask("SAY: by key")).await;
    assert_eq!(status, StatusCode::OK, "{reply}");
    world.assert_no_violations();
    let again = begin(&world, json!({"kind": "apiKey", "apiKey": KEY, "region": "us-east-1"})).await;
    assert_eq!(end(&world, &again).await["account"]["id"], done["account"]["id"], "the same key is the same account");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_the_service_does_not_know_is_not_kept_and_trouble_is_told_apart() {
    let world = plan().start().await;
    let wish = |key: &str| json!({"kind": "apiKey", "apiKey": key, "region": "us-east-1"});
    let login = begin(&world, wish("ksk_UNKNOWN000000000000000000000000000")).await;
    let ended = end(&world, &login).await;
    assert_eq!((&ended["state"], &ended["problem"]["code"]), (&json!("failed"), &json!("api_key_refused")), "{ended}");
    for _ in 0..6 {
        let answer = Answer::Http { status: 503, headers: Vec::new(), body: r#"{"message":"busy"}"#.into() };
        let script = Script { operation: "GetUsageLimits".into(), answer, ..Script::default() };
        world.control.enqueue(Target::Any, script);
    }
    let login = begin(&world, wish(KEY)).await;
    let ended = end(&world, &login).await;
    assert_eq!(ended["problem"]["code"], "login_unchecked", "{ended}");
    assert_eq!(world.admin_ok(Method::GET, "/api/accounts", None).await["accounts"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_proof_names_plan_credits_models_region_and_host() {
    let world = plan().start().await;
    world.control.sign_in_as("idc-eu");
    let wish = json!({"kind": "idc", "form": "device", "startUrl": "https://example-company.awsapps.com/start", "region": "eu-west-1"});
    let login = begin(&world, wish).await;
    let done = end(&world, &login).await;
    let proof = &done["proof"];
    assert_eq!((&proof["plan"], &proof["region"]), (&json!("KIRO PRO"), &json!("eu-central-1")), "{done}");
    assert_eq!(
        (proof["creditsLeft"].as_f64(), proof["creditsLimit"].as_f64()),
        (Some(1000.0), Some(1000.0)),
        "{proof}"
    );
    assert!(proof["models"].as_array().is_some_and(|models| models.len() > 3), "{proof}");
    assert_eq!(done["account"]["profileArn"], "arn:aws:codewhisperer:eu-central-1:111122223333:profile/EXAMPLEIDCEU");
    assert_eq!(done["account"]["label"], "idc-eu@example.com", "called by the address that the service tells");
    world.assert_no_violations();
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_in_again_renews_the_account_instead_of_adding_one() {
    let world = plan().start().await;
    let wish = json!({"kind": "builderId", "form": "device"});
    let first = end(&world, &begin(&world, wish.clone()).await).await;
    let body = json!({"kind": "builderId", "form": "device", "label": "another name"});
    let second = end(&world, &begin(&world, body).await).await;
    assert_eq!(second["account"]["id"], first["account"]["id"], "{second}");
    assert_eq!(second["account"]["label"], first["account"]["label"], "its name stays");
    let accounts = world.admin_ok(Method::GET, "/api/accounts", None).await;
    assert_eq!(accounts["accounts"].as_array().map(Vec::len), Some(1));
}

/// Answers the next question for profiles with two.
fn two_profiles(world: &crate::harness::World) {
    let profile = |region: &str, name: &str| json!({"arn": format!("arn:aws:codewhisperer:{region}:111122223333:profile/{name}"), "profileName": name, "status": "ACTIVE", "profileType": "KIRO", "permissionUpdateRequired": false});
    let body = json!({"profiles": [profile("us-east-1", "EXAMPLEIDCUS"), profile("us-east-1", "SECOND")]});
    for _ in 0..4 {
        let answer = Answer::Http { status: 200, headers: Vec::new(), body: body.to_string() };
        let script = Script { operation: "ListAvailableProfiles".into(), answer, ..Script::default() };
        world.control.enqueue(Target::Any, script);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_with_several_profiles_chooses_one_and_a_foreign_one_is_refused() {
    let world = plan().start().await;
    world.control.sign_in_as("idc");
    two_profiles(&world);
    let wish = json!({"kind": "idc", "form": "device", "startUrl": "https://example-company.awsapps.com/start", "region": "eu-west-1"});
    let login = begin(&world, wish).await;
    let asked = until(&world, &login, "the question", |now| now["state"] == "chooseProfile").await;
    assert_eq!((&asked["awaits"], asked["profiles"].as_array().map(Vec::len)), (&json!("profile"), Some(2)));
    let choose = async |arn: &str| {
        world.admin(Method::POST, &format!("{}/profile", path(&login)), Some(json!({"arn": arn}))).await
    };
    let (status, _) = choose("arn:aws:codewhisperer:us-east-1:999999999999:profile/FOREIGN").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(look(&world, &login).await["state"], "chooseProfile");
    let arn = asked["profiles"][0]["arn"].as_str().expect("an ARN").to_owned();
    assert_eq!(choose(&arn).await.0, StatusCode::OK);
    let done = end(&world, &login).await;
    assert_eq!((&done["state"], &done["account"]["profileArn"]), (&json!("done"), &json!(arn)), "{done}");
    assert_eq!(done["profiles"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_while_a_profile_is_chosen_adds_no_account() {
    let world = plan().start().await;
    world.control.sign_in_as("idc");
    two_profiles(&world);
    let wish = json!({"kind": "idc", "form": "device", "startUrl": "https://example-company.awsapps.com/start", "region": "eu-west-1"});
    let login = begin(&world, wish).await;
    until(&world, &login, "the question", |now| now["state"] == "chooseProfile").await;
    let cancelled = world.admin_ok(Method::DELETE, &path(&login), None).await;
    assert_eq!(cancelled["state"], "cancelled");
    assert_eq!(cancelled["account"], Value::Null, "{cancelled}");
    assert_eq!(world.admin_ok(Method::GET, "/api/accounts", None).await["accounts"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_cannot_be_looked_at_is_kept_and_the_reason_shown() {
    let world = plan().start().await;
    for operation in ["GetUsageLimits", "ListAvailableModels"] {
        for _ in 0..12 {
            let answer = Answer::Http { status: 503, headers: Vec::new(), body: r#"{"message":"busy"}"#.into() };
            world.control.enqueue(Target::Any, Script { operation: operation.into(), answer, ..Script::default() });
        }
    }
    let login = begin(&world, json!({"kind": "builderId", "form": "device"})).await;
    let done = end(&world, &login).await;
    assert_eq!(done["state"], "done", "{done}");
    assert!(done["problem"]["code"].is_string() && done["account"]["id"].is_string(), "{done}");
    let seed = AccountSeed::new("builderid", Family::BuilderId);
    assert_eq!(done["account"]["method"], "idc", "{}", seed.id);
}
