//! An account's own proxy: every call of the account goes through it, whatever the call, or it is not made at all.

use std::collections::BTreeSet;

use http::{Method, StatusCode};
use kiro_simulator::{AccountSeed, Family};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::harness::{Plan, World, ask, expired_login, fresh_login};
use crate::login::{begin, end};
use crate::recorder::Recorder;

/// An address on this machine where nobody listens.
pub async fn nobody() -> std::net::SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

/// A world that has not asked anybody anything yet.
pub async fn quiet(account: Value) -> World {
    Plan { listen: false, ..Plan::default() }.accounts(vec![account]).start().await
}

pub async fn id(world: &World) -> String {
    let accounts = world.admin_ok(Method::GET, "/api/accounts", None).await;
    accounts["accounts"][0]["id"].as_str().expect("an id").to_owned()
}

pub async fn through(world: &World, url: &str) -> Value {
    let id = id(world).await;
    let change = json!({"proxy": {"kind": "through", "url": url}});
    world.admin_ok(Method::PATCH, &format!("/api/accounts/{id}"), Some(change)).await
}

/// Makes every kind of call that an account has: a refresh, the list of models, an answer and a search.
async fn use_everything(world: &mut World) {
    world.listen().await;
    let mut question = ask("Search the web for rust news. Then answer.");
    question["tools"] = json!([{"type": "web_search_20250305", "name": "web_search"}]);
    let (status, reply) = world.send(&question).await;
    assert_eq!(status, StatusCode::OK, "{reply}");
}

/// Every family, and what buys its tokens.
const FAMILIES: [(&str, Family, Option<&str>); 5] = [
    ("social", Family::Social, Some("RefreshToken")),
    ("builderid", Family::BuilderId, Some("CreateToken")),
    ("idc", Family::Idc, Some("CreateToken")),
    ("entra", Family::ExternalIdp, Some("ExternalToken")),
    ("apikey", Family::ApiKey, None),
];

/// Everything that is ever asked for an account, by a client, by a person and by the gateway itself.
async fn ask_everything(world: &mut World, refreshes: bool) {
    use_everything(world).await;
    let id = id(world).await;
    // By hand and as the sign-in does it: a token, then profiles, quota and models.
    if refreshes {
        world.admin_ok(Method::POST, &format!("/api/accounts/{id}/refresh"), None).await;
    }
    world.admin_ok(Method::GET, &format!("/api/accounts/{id}/usage?fresh=true"), None).await;
    world.admin_ok(Method::POST, "/api/models/refresh", None).await;
    let checked = world.admin_ok(Method::POST, "/api/accounts/check", None).await;
    assert_eq!(checked["accounts"][0]["ok"], true, "{checked}");
    let tried = world.admin_ok(Method::POST, &format!("/api/accounts/{id}/test"), Some(json!({}))).await;
    assert!(tried["text"].as_str().is_some_and(|text| !text.is_empty()), "{tried}");
    // A token that the service forgot is bought anew in the middle of a request.
    world.control.expire_tokens();
    let (status, reply) = world.send(&ask("SAY: renewed")).await;
    assert_eq!(status, StatusCode::OK, "{reply}");
    world.assert_no_violations();
    // Knocks at the door with nothing to ask, which the service calls a mistake.
    let test = world.admin_ok(Method::POST, &format!("/api/accounts/{id}/proxy/test"), None).await;
    assert_eq!(test["ok"], true, "{test}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_of_an_account_of_every_kind_goes_through_its_proxy() {
    for (name, family, buys) in FAMILIES {
        let mut world = quiet(expired_login(name, family)).await;
        let proxy = Recorder::http(None).await;
        through(&world, &format!("http://{}", proxy.address)).await;
        ask_everything(&mut world, buys.is_some()).await;
        world.gateway.stop().await;
        let (passed, journal) = (proxy.passed(), world.control.journal());
        assert_eq!(passed.len(), journal.len(), "{name}: what the service saw: {journal:#?}, what passed: {passed:#?}");
        assert_eq!(world.control.counters().connections, passed.len() as u64, "{name}: nobody came another way");
        let asked: BTreeSet<&str> = journal.iter().map(|entry| entry.operation.as_str()).collect();
        let profiles = matches!(family, Family::BuilderId | Family::Idc | Family::ExternalIdp);
        let wanted = ["GenerateAssistantResponse", "InvokeMCP", "GetUsageLimits", "ListAvailableModels"];
        for wanted in wanted.into_iter().chain(buys).chain(profiles.then_some("ListAvailableProfiles")) {
            assert!(asked.contains(wanted), "{name}: {wanted} was never asked: {asked:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_sign_in_of_an_account_with_a_proxy_is_tried_and_looked_at_through_it() {
    // A key, whose account is known before anybody is asked.
    let mut world = quiet(fresh_login("apikey", Family::ApiKey)).await;
    let proxy = Recorder::http(None).await;
    through(&world, &format!("http://{}", proxy.address)).await;
    let key = fresh_login("apikey", Family::ApiKey)["kiroApiKey"].clone();
    let login = begin(&world, json!({"kind": "apiKey", "apiKey": key, "region": "us-east-1"})).await;
    assert_eq!(end(&world, &login).await["state"], "done");
    assert!(proxy.passed().iter().filter(|line| line.contains("/getUsageLimits")).count() >= 2, "{:?}", proxy.passed());
    assert_eq!(world.control.counters().connections, proxy.passed().len() as u64);

    // Typed tokens of an account that waits for a new sign-in.
    world = quiet(expired_login("social", Family::Social)).await;
    let proxy = Recorder::http(None).await;
    through(&world, &format!("http://{}", proxy.address)).await;
    world.control.kill_refresh_tokens("social");
    let id = id(&world).await;
    let (status, _) = world.admin(Method::POST, &format!("/api/accounts/{id}/refresh"), None).await;
    assert!(!status.is_success());
    world.control.add_account(AccountSeed::new("social", Family::Social));
    let typed = json!({"refreshToken": AccountSeed::new("social", Family::Social).refresh_token, "method": "social"});
    let added = world.admin_ok(Method::POST, "/api/accounts/manual", Some(typed)).await;
    assert_eq!(added["imported"][0]["id"], id, "{added}");
    assert!(proxy.passed().iter().filter(|line| line.contains("/refreshToken")).count() >= 2, "{:?}", proxy.passed());
    assert_eq!(world.control.counters().connections, proxy.passed().len() as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_is_down_is_told_as_such_by_every_question() {
    for (name, family, buys) in FAMILIES {
        let mut world = quiet(fresh_login(name, family)).await;
        through(&world, &format!("http://{}", nobody().await)).await;
        world.listen().await;
        let id = id(&world).await;
        let usage = format!("/api/accounts/{id}/usage?fresh=true");
        let mut told = vec![world.admin(Method::GET, &usage, None).await.1];
        if buys.is_some() {
            told.push(world.admin(Method::POST, &format!("/api/accounts/{id}/refresh"), None).await.1);
        }
        told.push(world.admin_ok(Method::POST, "/api/accounts/check", None).await["accounts"][0]["problem"].clone());
        told.push(world.send(&ask("SAY: hello")).await.1["error"].clone());
        for problem in told {
            let words = problem["message"].as_str().unwrap_or_default();
            assert!(words.contains("proxy of this account") && words.contains("nothing was sent"), "{name}: {problem}");
        }
        world.gateway.stop().await;
        assert_eq!(world.control.counters().connections, 0, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_proxy_means_that_nothing_is_sent() {
    for scheme in ["http", "https", "socks5", "socks5h"] {
        let mut world = quiet(expired_login("social", Family::Social)).await;
        through(&world, &format!("{scheme}://{}", nobody().await)).await;
        world.listen().await;
        let (status, reply) = world.send(&ask("SAY: hello")).await;
        assert!(!status.is_success(), "{scheme}: {reply}");
        let id = id(&world).await;
        let test = world.admin_ok(Method::POST, &format!("/api/accounts/{id}/proxy/test"), None).await;
        assert_eq!(test["ok"], false, "{scheme}: {test}");
        assert!(test["problem"]["action"].as_str().is_some_and(|words| words.contains("proxy")), "{test}");
        world.gateway.stop().await;
        assert_eq!(world.control.journal().len(), 0, "{scheme}: {:#?}", world.control.journal());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socks4_proxy_carries_everything_and_takes_no_login() {
    for scheme in ["socks4", "socks4a"] {
        let proxy = Recorder::socks4().await;
        let mut world = quiet(expired_login("social", Family::Social)).await;
        through(&world, &format!("{scheme}://{}", proxy.address)).await;
        use_everything(&mut world).await;
        assert!(!proxy.passed().is_empty(), "{scheme}");
        let id = id(&world).await;
        let change = json!({"proxyUser": "somebody", "proxyPassword": "else"});
        let (status, problem) = world.admin(Method::PATCH, &format!("/api/accounts/{id}"), Some(change)).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
        assert!(problem["fields"]["proxyUser"]["message"].as_str().is_some_and(|words| words.contains("SOCKS5")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn trouble_of_one_accounts_proxy_is_no_trouble_of_the_others() {
    let accounts = vec![fresh_login("social", Family::Social), fresh_login("idc", Family::Idc)];
    let mut world = Plan { listen: false, ..Plan::default() }.accounts(accounts).start().await;
    through(&world, &format!("http://{}", nobody().await)).await;
    world.listen().await;
    for _ in 0..4 {
        let (status, reply) = world.send(&ask("SAY: hello")).await;
        assert_eq!(status, StatusCode::OK, "{reply}");
    }
    assert!(world.control.journal().iter().all(|entry| entry.account.as_deref() != Some("social")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_is_told_its_login_and_nobody_else_is() {
    let login = "planted-user:planted pass/word";
    let encoded = "planted-user:planted%20pass%2Fword";
    for socks in [false, true] {
        let proxy = if socks { Recorder::socks(Some(login)).await } else { Recorder::http(Some(login)).await };
        let scheme = if socks { "socks5" } else { "http" };
        let mut world = quiet(expired_login("social", Family::Social)).await;
        let changed = through(&world, &format!("{scheme}://{encoded}@{}", proxy.address)).await;
        assert_eq!(changed["proxy"], json!({"kind": "through", "url": format!("{scheme}://{}", proxy.address)}));
        use_everything(&mut world).await;
        assert!(!proxy.passed().is_empty());

        let accounts = world.admin_ok(Method::GET, "/api/accounts", None).await.to_string();
        let roster = std::fs::read_to_string(world.data_dir().join("accounts.json")).unwrap();
        for (place, text) in [("the admin API", &accounts), ("the list of accounts", &roster)] {
            assert!(!text.contains("planted"), "{place} tells the login: {text}");
        }
        // Another login is refused, and nothing goes past the proxy.
        let id = id(&world).await;
        let change = json!({"proxyUser": "somebody", "proxyPassword": "else"});
        world.admin_ok(Method::PATCH, &format!("/api/accounts/{id}"), Some(change)).await;
        let before = world.control.journal().len();
        let test = world.admin_ok(Method::POST, &format!("/api/accounts/{id}/proxy/test"), None).await;
        assert_eq!(test["ok"], false, "{test}");
        assert_eq!(world.control.journal().len(), before);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_works_passes_its_test_without_any_credential() {
    let world = quiet(fresh_login("social", Family::Social)).await;
    let proxy = Recorder::http(None).await;
    through(&world, &format!("http://{}", proxy.address)).await;
    let id = id(&world).await;
    let test = world.admin_ok(Method::POST, &format!("/api/accounts/{id}/proxy/test"), None).await;
    assert_eq!((&test["ok"], &test["problem"]), (&json!(true), &Value::Null));
    assert_eq!(proxy.passed(), ["GET /"]);
    assert!(world.control.journal().iter().all(|entry| entry.account.is_none()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_proxy_of_the_settings_is_for_everybody_without_one_and_direct_is_past_it() {
    let accounts = vec![fresh_login("social", Family::Social), fresh_login("idc", Family::Idc)];
    let proxy = Recorder::http(None).await;
    let mut world = Plan { listen: false, ..Plan::default() }
        .accounts(accounts)
        .set("network.proxy", format!("http://{}", proxy.address))
        .start()
        .await;
    let id = id(&world).await;
    let direct = json!({"proxy": {"kind": "direct"}});
    world.admin_ok(Method::PATCH, &format!("/api/accounts/{id}"), Some(direct)).await;
    world.listen().await;
    for _ in 0..4 {
        let (status, reply) = world.send(&ask("SAY: hello")).await;
        assert_eq!(status, StatusCode::OK, "{reply}");
    }
    world.gateway.stop().await;
    let journal = world.control.journal();
    let (direct, others): (Vec<_>, Vec<_>) =
        journal.iter().partition(|entry| entry.account.as_deref() == Some("social"));
    assert!(!direct.is_empty() && !others.is_empty());
    assert_eq!(proxy.passed().len(), others.len(), "{:?}", proxy.passed());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_proxy_is_refused_in_plain_words_and_nothing_changes() {
    let world = quiet(fresh_login("social", Family::Social)).await;
    let id = id(&world).await;
    for url in ["ftp://proxy.example", "proxy.example:1", "http://proxy.example/pac", "file:///etc/passwd", ""] {
        let change = json!({"label": "other", "proxy": {"kind": "through", "url": url}});
        let (status, problem) = world.admin(Method::PATCH, &format!("/api/accounts/{id}"), Some(change)).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{url}");
        assert!(
            problem["fields"]["proxy"]["message"].as_str().is_some_and(|words| words.contains("proxy")),
            "{problem}"
        );
    }
    let account = world.admin_ok(Method::GET, &format!("/api/accounts/{id}"), None).await;
    assert_ne!(account["label"], "other");
    assert_eq!(account["proxy"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_login_at_a_proxy_travels_in_an_export_and_is_used_where_it_arrives() {
    let login = "planted-user:planted pass/word";
    let proxy = Recorder::http(Some(login)).await;
    let world = quiet(fresh_login("social", Family::Social)).await;
    through(&world, &format!("http://planted-user:planted%20pass%2Fword@{}", proxy.address)).await;
    let body = json!({"plain": true, "confirm": "plain"});
    let export = world.admin_ok(Method::POST, "/api/accounts/export", Some(body)).await["content"].clone();
    let elsewhere = Plan { listen: false, ..Plan::default() }.accounts(Vec::new()).start().await;
    let body = json!({"content": export});
    let imported = elsewhere.admin_ok(Method::POST, "/api/accounts/import", Some(body)).await;
    assert_eq!(imported["imported"].as_array().map(Vec::len), Some(1), "{imported}");
    let id = id(&elsewhere).await;
    let test = elsewhere.admin_ok(Method::POST, &format!("/api/accounts/{id}/proxy/test"), None).await;
    assert_eq!(test["ok"], true, "{test}");
    assert_eq!(proxy.passed(), ["GET /"]);
}
