//! What a person types is shown to the service before it is kept: accepted, refused, or nobody there to ask.

use std::process::Output;

use http::{Method, StatusCode};
use kiro_simulator::{AccountSeed, Answer, Config, Family, Script, Simulator, Target};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

use crate::harness::{PATIENCE, World, ask};
use crate::home::{Home, text};
use crate::login::{begin, end, plan};

const KEY: &str = "ksk_EXAMPLE0000000000000000000000000000";
const UNKNOWN: &str = "ksk_UNKNOWN0000000000000000000000000000";
/// The stand-in knows it in the other region only.
const EUROPEAN: &str = "ksk_EUROPE00000000000000000000000000000";

async fn add(world: &World, body: Value) -> (StatusCode, Value) {
    world.admin(Method::POST, "/api/accounts/manual", Some(body)).await
}

async fn accounts(world: &World) -> Vec<Value> {
    let list = world.admin_ok(Method::GET, "/api/accounts", None).await;
    list["accounts"].as_array().expect("a list").clone()
}

/// The service has trouble with the next questions of this kind.
fn trouble(world: &World, operation: &str) {
    for _ in 0..8 {
        let answer = Answer::Http { status: 503, headers: Vec::new(), body: r#"{"message":"busy"}"#.into() };
        world.control.enqueue(Target::Any, Script { operation: operation.into(), answer, ..Script::default() });
    }
}

fn european() -> AccountSeed {
    let mut seed = AccountSeed::new("apikey-eu", Family::ApiKey);
    seed.access_token = EUROPEAN.to_owned();
    seed.oidc_region = "eu-central-1".to_owned();
    seed
}

#[tokio::test(flavor = "multi_thread")]
async fn a_typed_key_is_asked_about_by_one_call_and_kept_with_its_region() {
    let mut plan = plan();
    plan.simulator.accounts.push(european());
    let mut world = plan.start().await;
    let (status, answer) = add(&world, json!({"refreshToken": KEY, "label": "typed"})).await;
    assert_eq!((status, &answer["imported"][0]["region"]), (StatusCode::OK, &json!("us-east-1")), "{answer}");
    assert_eq!(answer["notes"], json!([]), "its region is no guess any more");
    let first = world.control.journal().into_iter().next().expect("a question");
    assert_eq!((first.operation.as_str(), first.status), ("GetUsageLimits", 200), "asked before it was kept");

    let (_, answer) = add(&world, json!({"refreshToken": EUROPEAN})).await;
    assert_eq!(answer["imported"][0]["region"], "eu-central-1", "the region that accepts it: {answer}");
    let id = answer["imported"][0]["id"].clone();
    world.listen().await;
    world.admin_ok(Method::PUT, "/api/accounts/only", Some(json!({"account": id}))).await;
    let (status, reply) = world.send(&ask("SAY: by a key of the other region")).await;
    assert_eq!(status, StatusCode::OK, "{reply}");
    world.assert_no_violations();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_by_key_without_a_region_finds_the_one_that_accepts_it() {
    let mut plan = plan();
    plan.simulator.accounts.push(european());
    let world = plan.start().await;
    for (key, region) in [(EUROPEAN, "eu-central-1"), (KEY, "us-east-1")] {
        let done = end(&world, &begin(&world, json!({"kind": "apiKey", "apiKey": key})).await).await;
        assert_eq!((&done["state"], &done["account"]["region"]), (&json!("done"), &json!(region)), "{done}");
    }
    world.assert_no_violations();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_of_a_company_directory_can_be_typed_and_its_endpoint_is_checked() {
    let world = plan().start().await;
    let seed = AccountSeed::new("entra", Family::ExternalIdp);
    let tenant = "https://login.microsoftonline.com/00000000-0000-4000-8000-00000000aaaa/oauth2/v2.0/token";
    let body = |endpoint: &str| {
        json!({"refreshToken": seed.refresh_token, "method": "external-idp", "clientId": seed.client_id,
            "tokenEndpoint": endpoint, "scopes": "offline_access"})
    };
    for hostile in
        ["https://login.microsoftonline.com.attacker.example/token", "http://login.microsoftonline.com/token"]
    {
        let (_, answer) = add(&world, body(hostile)).await;
        assert_eq!(answer["rejected"][0]["code"], "host_not_allowed", "{answer}");
    }
    let (status, answer) = add(&world, body(tenant)).await;
    assert_eq!((status, &answer["imported"][0]["method"]), (StatusCode::OK, &json!("externalIdp")), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_the_service_refuses_is_not_saved_not_even_unchecked() {
    let world = plan().start().await;
    for unchecked in [false, true] {
        for region in [Value::Null, "us-east-1".into(), "eu-central-1".into()] {
            let body = json!({"refreshToken": UNKNOWN, "region": region, "unchecked": unchecked});
            let (status, problem) = add(&world, body).await;
            assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
            assert_eq!(problem["code"], "api_key_refused", "{problem}");
            assert!(!problem.to_string().contains(UNKNOWN), "{problem}");
        }
        let wish = json!({"kind": "apiKey", "apiKey": UNKNOWN, "region": "us-east-1", "unchecked": unchecked});
        let ended = end(&world, &begin(&world, wish).await).await;
        assert_eq!(ended["problem"]["code"], "api_key_refused", "{ended}");
    }
    assert_eq!(accounts(&world).await, Vec::<Value>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_typed_login_that_nobody_could_be_asked_about_is_saved_only_when_the_person_says_so() {
    let tokens = AccountSeed::new("social", Family::Social).refresh_token;
    for (operation, login) in [("GetUsageLimits", KEY.to_owned()), ("RefreshToken", tokens)] {
        let world = plan().start().await;
        trouble(&world, operation);
        let (status, problem) = add(&world, json!({"refreshToken": login})).await;
        assert_eq!((status, &problem["code"]), (StatusCode::BAD_GATEWAY, &json!("login_unchecked")), "{problem}");
        assert!(!problem.to_string().contains(&login), "{problem}");
        assert_eq!(accounts(&world).await, Vec::<Value>::new(), "{operation}");

        trouble(&world, operation);
        let (status, answer) = add(&world, json!({"refreshToken": login, "unchecked": true})).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        let told = answer["notes"][0]["warnings"].as_array().expect("notes");
        assert!(told.contains(&json!("notChecked")), "{answer}");
        assert_eq!(accounts(&world).await.len(), 1, "{operation}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_by_key_that_nobody_could_be_asked_about_is_kept_only_when_the_person_says_so() {
    let world = plan().start().await;
    let wish = |unchecked| json!({"kind": "apiKey", "apiKey": KEY, "region": "us-east-1", "unchecked": unchecked});
    trouble(&world, "GetUsageLimits");
    let ended = end(&world, &begin(&world, wish(false)).await).await;
    assert_eq!((&ended["state"], &ended["problem"]["code"]), (&json!("failed"), &json!("login_unchecked")), "{ended}");
    assert_eq!(accounts(&world).await, Vec::<Value>::new());
    trouble(&world, "GetUsageLimits");
    let done = end(&world, &begin(&world, wish(true)).await).await;
    assert_eq!(done["state"], "done", "{done}");
    assert!(done["problem"]["code"].is_string(), "what could not be found out is said: {done}");
    assert_eq!(accounts(&world).await.len(), 1);
}

async fn typed(home: &Home, arguments: &[&str], line: &str) -> Output {
    let mut child = home.command(arguments).stdin(std::process::Stdio::piped()).spawn().expect("starts");
    child.stdin.take().expect("piped").write_all(format!("{line}\n").as_bytes()).await.expect("written");
    tokio::time::timeout(PATIENCE, child.wait_with_output()).await.expect("ends").expect("ends")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_says_that_nobody_could_be_asked_and_saves_unchecked() {
    let simulator = Simulator::start(Config::default()).await.expect("starts");
    let address = simulator.url();
    drop(simulator);
    for arguments in [
        vec!["accounts", "add", "--region", "us-east-1", "--json"],
        vec!["login", "api-key", "--region", "us-east-1", "--json"],
    ] {
        let home = Home::new().upstream(&address);
        let refused = typed(&home, &arguments, KEY).await;
        let said = text(&refused.stderr);
        assert!(!refused.status.success() && said.contains("login_unchecked"), "{arguments:?}: {said}");
        assert!(said.contains("--unchecked"), "it says what can be done: {said}");
        let list = home.json(&["accounts", "list", "--json"]).await;
        assert_eq!(list["accounts"], json!([]), "{arguments:?}");

        let unchecked: Vec<&str> = arguments.iter().copied().chain(["--unchecked"]).collect();
        let kept = typed(&home, &unchecked, KEY).await;
        assert!(kept.status.success(), "{arguments:?}: {}", text(&kept.stderr));
        let list = home.json(&["accounts", "list", "--json"]).await;
        assert_eq!(list["accounts"][0]["method"], "apiKey", "{arguments:?}: {list}");
    }
}
