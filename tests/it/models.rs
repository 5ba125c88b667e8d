//! Names of models from the client's door to the upstream: who is asked, under which id, and what is told.

use http::{Method, StatusCode};
use kiro_simulator::{AccountSeed, Config, Family};
use serde_json::{Value, json};

use crate::harness::{Plan, World, ask, fresh_login};

/// What the small account may use.
const SMALL: [&str; 4] = ["auto", "claude-sonnet-4", "claude-sonnet-4.5", "claude-haiku-4.5"];

fn seeds() -> Config {
    let mut small = AccountSeed::new("small", Family::Social);
    small.models = Some(SMALL.map(str::to_owned).to_vec());
    Config { accounts: vec![small, AccountSeed::new("large", Family::Idc)], ..Config::default() }
}

fn plan(accounts: &[(&str, Family)]) -> Plan {
    let accounts = accounts.iter().map(|(id, family)| fresh_login(id, *family)).collect();
    Plan { simulator: seeds(), ..Plan::default() }.accounts(accounts)
}

async fn both() -> World {
    plan(&[("small", Family::Social), ("large", Family::Idc)]).start().await
}

fn question(model: &str) -> Value {
    let mut body = ask("SAY: hello");
    body["model"] = model.into();
    body
}

/// Account, model and additional fields of every question that reached the upstream.
fn asked(world: &World) -> Vec<(String, String, Value)> {
    let entries = world.control.journal().into_iter().filter(|entry| entry.operation == "GenerateAssistantResponse");
    entries
        .map(|entry| {
            let model = entry.body.pointer("/conversationState/currentMessage/userInputMessage/modelId");
            let model = model.and_then(Value::as_str).unwrap_or_default().to_owned();
            (entry.account.unwrap_or_default(), model, entry.body["additionalModelRequestFields"].clone())
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_for_opus_never_goes_to_an_account_without_opus() {
    let world = both().await;
    let body = question("claude-opus-4-5");
    let answers = futures_util::future::join_all((0..8).map(|_| world.send(&body))).await;
    for (status, reply) in answers {
        assert_eq!(status, StatusCode::OK, "{reply}");
    }
    assert_eq!(world.send(&question("opus")).await.0, StatusCode::OK);
    let mut others = 0;
    for (account, model, _) in asked(&world) {
        assert_eq!(account, "large", "{model}");
        others += usize::from(model == "claude-opus-5");
    }
    assert_eq!(others, 1, "the family's name means its newest member");
    // Both are asked for what both may use: another conversation, which no account has answered yet.
    let mut body = question("claude-haiku-4-5-20251001");
    body["messages"][0]["content"] = "SAY: something else".into();
    futures_util::future::join_all((0..8).map(|_| world.send(&body))).await;
    assert!(asked(&world).iter().any(|(account, model, _)| account == "small" && model == "claude-haiku-4.5"));
    world.assert_no_violations();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_nobody_offers_goes_on_as_it_is_and_the_answer_names_the_nearest() {
    let world = plan(&[("small", Family::Social)]).start().await;
    let (status, reply) = world.send(&question("claude-sonnet-4-6")).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "{reply}");
    let words = reply["error"]["message"].as_str().expect("words");
    assert!(words.contains("claude-sonnet-4-6") && words.contains("Did you mean claude-sonnet-4"), "{words}");
    assert_eq!(asked(&world), [("small".to_owned(), "claude-sonnet-4.6".to_owned(), Value::Null)]);
    let flow = world.flows().await.remove(0);
    assert_eq!(
        (flow["modelTrace"]["by"].as_str(), flow["failureCode"].as_str()),
        (Some("passedOn"), Some("unknown_model"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn names_of_other_makers_are_answered_and_the_record_says_by_what() {
    let world = both().await;
    for (name, id) in
        [("gpt-4o", "claude-sonnet-4.6"), ("gpt-4o-mini", "claude-haiku-4.5"), ("gemini-2.5-pro", "claude-sonnet-4.6")]
    {
        let (status, reply) = world.send(&question(name)).await;
        assert_eq!(status, StatusCode::OK, "{name}: {reply}");
        assert_eq!(reply["model"], name, "the client sees the name it knows");
        let flow = world.flows().await.remove(0);
        let trace = &flow["modelTrace"];
        assert_eq!((trace["asked"].as_str(), trace["by"].as_str()), (Some(name), Some("alias")));
        assert_eq!(flow["upstreamModel"], trace["model"]);
        let newest = flow["upstreamModel"].as_str().expect("a model");
        assert!(newest == id || newest.starts_with("claude-sonnet-"), "{name}: {newest}");
    }
    world.assert_no_violations();
}

#[tokio::test(flavor = "multi_thread")]
async fn suffixes_become_the_models_own_fields_and_nothing_more_than_its_schema_allows() {
    let world = both().await;
    for name in ["claude-opus-5-low", "claude-opus-5-thinking(max)", "claude-haiku-4-5-high"] {
        let (status, reply) = world.send(&question(name)).await;
        assert_eq!(status, StatusCode::OK, "{name}: {reply}");
    }
    let fields: Vec<Value> = asked(&world).into_iter().map(|(_, _, fields)| fields).collect();
    assert_eq!(fields[0], json!({"output_config": {"effort": "low"}}));
    assert_eq!(
        fields[1],
        json!({"thinking": {"type": "adaptive", "display": "summarized"}, "output_config": {"effort": "max"}})
    );
    assert_eq!(fields[2], Value::Null, "a model without levels is sent none");
    world.assert_no_violations();
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_hold_at_once_for_all_keys_or_for_one_and_are_gone_when_they_are_taken_away() {
    let world = both().await;
    let made = world.admin_ok(Method::POST, "/api/keys", Some(json!({"name": "editor"}))).await;
    let (id, secret) = (made["key"]["id"].as_str().expect("id"), made["secret"].as_str().expect("text"));
    let options = json!({"options": {"modelRules": [{"match": "fast", "targets": ["deepseek", "claude-haiku-4.5"]}]}});
    let changed = world.admin_ok(Method::PATCH, &format!("/api/keys/{id}"), Some(options)).await;
    assert_eq!(changed["options"]["modelRules"][0]["kind"], "exact");
    let rules = json!([{"match": "claude-haiku-*", "kind": "wildcard", "targets": ["claude-sonnet-4.5"]},
        {"match": "fast", "targets": ["claude-sonnet-4"]}]);
    let revision = world.admin_ok(Method::GET, "/api/settings", None).await["revision"].clone();
    let patch = json!({"revision": revision, "patch": {"models": {"rules": rules}}});
    let revision = world.admin_ok(Method::PATCH, "/api/settings", Some(patch)).await["revision"].clone();

    let send = async |key: &str, model: &str| {
        let answer = world.request(&question(model)).header("x-api-key", "").bearer_auth(key).send().await;
        let status = answer.expect("an answer").status();
        (status, world.flows().await.remove(0)["modelTrace"].clone())
    };
    let (status, trace) = send(secret, "fast").await;
    assert_eq!((status, trace["by"].as_str()), (StatusCode::OK, Some("keyRule")), "{trace}");
    let (_, trace) = send(&world.key, "fast").await;
    assert_eq!((trace["by"].as_str(), trace["model"].as_str()), (Some("rule"), Some("claude-sonnet-4")), "{trace}");
    let (_, trace) = send(&world.key, "claude-haiku-4-5-20251001").await;
    assert_eq!((trace["rule"]["at"].as_u64(), trace["model"].as_str()), (Some(0), Some("claude-sonnet-4.5")));

    let patch = json!({"revision": revision, "patch": {"models": {"rules": null}}});
    world.admin_ok(Method::PATCH, "/api/settings", Some(patch)).await;
    let (_, trace) = send(&world.key, "claude-haiku-4-5-20251001").await;
    assert_eq!((trace["by"].as_str(), trace["model"].as_str()), (Some("name"), Some("claude-haiku-4.5")));
    world.assert_no_violations();
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_show_only_what_an_account_may_use_with_aliases_marked_as_such() {
    let world = plan(&[("small", Family::Social)]).start().await;
    let listed = world.admin_ok(Method::GET, "/api/models", None).await;
    let ids: Vec<&str> = listed["models"].as_array().expect("models").iter().filter_map(|m| m["id"].as_str()).collect();
    let mut wanted = SMALL.to_vec();
    wanted.sort_unstable();
    let mut sorted = ids.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, wanted);
    assert_eq!((&listed["listKnown"], &listed["unlisted"]), (&json!(true), &json!([])));
    assert_eq!(listed["models"][0]["accounts"].as_array().map(Vec::len), Some(1));

    let list = world.http.get(format!("{}/v1/models?limit=1000", world.url)).header("x-api-key", &world.key);
    let list: Value =
        list.header("anthropic-version", "2023-06-01").send().await.expect("an answer").json().await.expect("JSON");
    let shown: Vec<&str> = list["data"].as_array().expect("data").iter().filter_map(|m| m["id"].as_str()).collect();
    assert!(shown.contains(&"gpt-4o") && !shown.iter().any(|id| id.contains("opus")), "{shown:?}");
    let get = async |name: &str| {
        let url = format!("{}/v1/models/{name}", world.url);
        let answer = world.http.get(url).header("x-api-key", &world.key).header("anthropic-version", "2023-06-01");
        let answer = answer.send().await.expect("an answer");
        (answer.status(), answer.json::<Value>().await.expect("JSON"))
    };
    assert_eq!(get("claude-sonnet-4-5-20250929").await.1["id"], "claude-sonnet-4.5");
    assert_eq!(get("claude-opus-5").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tester_tells_what_would_happen_and_asks_nobody() {
    let world = both().await;
    let test = async |body: Value| world.admin(Method::POST, "/api/models/test", Some(body)).await;
    let (_, opus) = test(json!({"name": "claude-opus-5-high"})).await;
    assert_eq!(
        (opus["trace"]["by"].as_str(), opus["trace"]["effort"].as_str()),
        (Some("name"), Some("high")),
        "{opus}"
    );
    assert_eq!(opus["accounts"].as_array().map(Vec::len), Some(1), "only one account may use it: {opus}");
    let (_, unknown) = test(json!({"name": "claude-opus-9"})).await;
    assert_eq!(
        (unknown["trace"]["by"].as_str(), unknown["trace"]["offered"].as_bool()),
        (Some("passedOn"), Some(false))
    );
    assert!(unknown["nearest"].as_str().is_some_and(|near| near.starts_with("claude-opus-")), "{unknown}");
    assert_eq!(test(json!({"name": ""})).await.1["trace"]["defaulted"], json!(true));
    assert_eq!(test(json!({"name": "two words"})).await.0, StatusCode::BAD_REQUEST);
    assert_eq!(test(json!({"name": "auto", "keyId": "nobody"})).await.0, StatusCode::NOT_FOUND);
    assert_eq!(world.upstream_calls(), 0);
}
