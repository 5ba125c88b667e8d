//! Signing in again for an account with a proxy of its own: every call of the sign-in goes through it, whatever the form, or is not made.

use std::time::Duration;

use http::{Method, StatusCode};
use kiro_simulator::{AccountSeed, Family, JournalEntry};
use serde_json::{Value, json};

use crate::harness::{Plan, World, ask, expired_login, fresh_login};
use crate::login::{begin, begin_once_free, browse, end, look, plan, ports, pressing};
use crate::proxies::{id, nobody, quiet, through};
use crate::recorder::Recorder;

const COMPANY: &str = "https://example-company.awsapps.com/start";

/// Every kind and form: the account, what is asked for, and whether a browser comes back.
fn ways() -> Vec<(&'static str, Family, Value, bool)> {
    let company = |form| json!({"kind": "idc", "form": form, "startUrl": COMPANY, "region": "eu-west-1"});
    vec![
        ("social", Family::Social, json!({"kind": "google", "form": "browser"}), true),
        ("social", Family::Social, json!({"kind": "github", "form": "browser"}), true),
        ("social", Family::Social, json!({"kind": "google", "form": "device"}), false),
        ("social", Family::Social, json!({"kind": "github", "form": "device"}), false),
        ("builderid", Family::BuilderId, json!({"kind": "builderId", "form": "browser"}), true),
        ("builderid", Family::BuilderId, json!({"kind": "builderId", "form": "device"}), false),
        ("idc", Family::Idc, company("browser"), true),
        ("idc", Family::Idc, company("device"), false),
        ("entra", Family::ExternalIdp, json!({"kind": "microsoft"}), true),
    ]
}

/// Begins the sign-in for an account and plays the person's browser, which goes its own way.
async fn sign_in_again(world: &World, account: &str, mut wish: Value, browser: bool) -> Value {
    wish["account"] = account.into();
    let kind = wish["kind"].as_str().unwrap_or_default().to_owned();
    let login = begin_once_free(world, wish).await;
    if browser && login["url"].is_string() {
        let option = match kind.as_str() {
            "google" | "github" => format!("login_option={kind}"),
            "microsoft" => "login_option=external_idp".to_owned(),
            _ => String::new(),
        };
        browse(&pressing(&login, &option)).await;
    }
    end(world, &login).await
}

/// What the person's own browser asked for.
fn is_page(entry: &JournalEntry) -> bool {
    ["PortalSignIn", "Authorize", "ExternalAuthorize", "DevicePage", "SocialLogin"].contains(&entry.operation.as_str())
}

/// Everything that the service saw went through the proxy, but for the pages of the person's browser.
fn all_through(world: &World, proxy: &Recorder, what: &str) {
    let journal = world.control.journal();
    let (pages, calls): (Vec<_>, Vec<_>) = journal.iter().partition(|entry| is_page(entry));
    let asked: Vec<&str> = calls.iter().map(|entry| entry.operation.as_str()).collect();
    let passed = proxy.passed();
    assert_eq!(passed.len(), calls.len(), "{what}: the service saw {asked:?}, the proxy {passed:#?}");
    let connections = world.control.counters().connections;
    assert_eq!(connections, (passed.len() + pages.len()) as u64, "{what}: nobody came another way");
}

/// An account that waits for a new sign-in, behind its own proxy.
async fn waiting(name: &str, family: Family, proxy: &str) -> (World, String) {
    let world = quiet(expired_login(name, family)).await;
    world.control.set_device_interval(Some(Duration::from_millis(300)));
    world.control.kill_refresh_tokens(name);
    world.control.sign_in_as(name);
    through(&world, proxy).await;
    let account = id(&world).await;
    (world, account)
}

async fn accounts(world: &World) -> Vec<Value> {
    world.admin_ok(Method::GET, "/api/accounts", None).await["accounts"].as_array().expect("a list").clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_of_a_new_sign_in_goes_through_the_accounts_proxy_in_every_form() {
    let _ports = ports();
    for (name, family, wish, browser) in ways() {
        let what = wish.to_string();
        let proxy = Recorder::http(Some("alice:pass word")).await;
        let (mut world, account) = waiting(name, family, &format!("http://alice:pass%20word@{}", proxy.address)).await;
        let refreshed = world.admin(Method::POST, &format!("/api/accounts/{account}/refresh"), None).await;
        assert!(!refreshed.0.is_success(), "{what}: it waits for a new sign-in");
        let before = world.control.journal().len() as u64;

        let done = sign_in_again(&world, &account, wish, browser).await;
        assert_eq!((&done["state"], &done["problem"]), (&json!("done"), &Value::Null), "{what}: {done}");
        assert_eq!(
            (&done["renewal"]["account"], &done["renewal"]["ownProxy"], &done["renewal"]["outcome"]),
            (&json!(account), &json!(true), &json!("renewed")),
            "{what}"
        );
        assert_eq!(done["account"]["id"], account, "{what}");
        assert_eq!(accounts(&world).await.len(), 1, "{what}: the account is renewed, none is added");
        world.listen().await;
        for renewed in ["SAY: one", "SAY: two"] {
            let (status, reply) = world.send(&ask(renewed)).await;
            assert_eq!(status, StatusCode::OK, "{what}: {reply}");
            // The next one needs a refresh with what the sign-in brought, and with the registration that it was made with.
            world.control.expire_tokens();
        }
        world.gateway.stop().await;
        all_through(&world, &proxy, &what);
        // What the service minded is only the refresh that showed that the account waits.
        let broken = world.control.violations();
        assert!(broken.iter().all(|violation| violation.seq <= before), "{what}: {broken:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_dead_proxy_no_form_of_a_new_sign_in_sends_anything() {
    let _ports = ports();
    for (name, family, wish, browser) in ways() {
        let what = wish.to_string();
        for scheme in ["http", "socks5"] {
            let (world, account) = waiting(name, family, &format!("{scheme}://{}", nobody().await)).await;
            let ended = sign_in_again(&world, &account, wish.clone(), browser).await;
            assert_eq!(
                (&ended["state"], &ended["problem"]["code"]),
                (&json!("failed"), &json!("proxy_down")),
                "{what} {scheme}: {ended}"
            );
            assert_eq!(ended["renewal"]["outcome"], Value::Null);
            world.gateway.stop().await;
            let calls: Vec<_> = world.control.journal().into_iter().filter(|entry| !is_page(entry)).collect();
            assert!(calls.is_empty(), "{what} {scheme}: {calls:#?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_dies_before_the_profiles_are_asked_for_lets_nothing_past_it() {
    // The registration and the exchange of the code; from then on nobody listens.
    let proxy = Recorder::until(2).await;
    let (world, account) = waiting("idc", Family::Idc, &format!("http://{}", proxy.address)).await;
    let wish = json!({"kind": "idc", "form": "browser", "startUrl": COMPANY, "region": "eu-west-1"});
    let done = sign_in_again(&world, &account, wish, true).await;
    assert_eq!(done["state"], "done", "{done}");
    let words = done["problem"]["message"].as_str().unwrap_or_default();
    assert!(words.contains("proxy of this account") && words.contains("nothing was sent"), "{done}");
    assert_eq!(done["renewal"]["outcome"], "untold", "nobody could say whose it is: {done}");
    let all = accounts(&world).await;
    assert_eq!((all.len(), &all[1]["proxy"]), (2, &all[0]["proxy"]), "the sign-in is kept, behind the same proxy");
    let new = done["account"]["id"].as_str().expect("an id");
    // Everything that asks for profiles later fails the same way.
    let checked = world.admin_ok(Method::POST, "/api/accounts/check", None).await;
    assert!(checked.to_string().contains(new), "{checked}");
    world.gateway.stop().await;
    all_through(&world, &proxy, "profiles");
    let asked: Vec<String> =
        world.control.journal().into_iter().filter(|entry| !is_page(entry)).map(|entry| entry.operation).collect();
    assert_eq!(asked, ["RegisterClient", "CreateToken"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_person_gets_an_account_behind_the_same_proxy_before_anything_is_asked_for_it() {
    let proxy = Recorder::http(Some("alice:secret")).await;
    let (world, account) = waiting("social", Family::Social, &format!("http://alice:secret@{}", proxy.address)).await;
    world.control.add_account(AccountSeed::new("somebody", Family::Social));
    world.control.sign_in_as("somebody");
    let done = sign_in_again(&world, &account, json!({"kind": "google", "form": "device"}), false).await;
    assert_eq!((&done["state"], &done["renewal"]["outcome"]), (&json!("done"), &json!("newAccount")), "{done}");
    let new = done["account"]["id"].as_str().expect("an id").to_owned();
    assert_ne!(new, account);
    let all = accounts(&world).await;
    assert_eq!((all.len(), &all[1]["proxy"]), (2, &all[0]["proxy"]), "{all:?}");
    assert!(done["proof"]["plan"].is_string(), "it was looked at: {done}");
    // The login at the proxy came along, and stays when the first account goes.
    world.admin_ok(Method::DELETE, &format!("/api/accounts/{account}"), None).await;
    let test = world.admin_ok(Method::POST, &format!("/api/accounts/{new}/proxy/test"), None).await;
    assert_eq!(test["ok"], true, "{test}");
    world.gateway.stop().await;
    all_through(&world, &proxy, "another person");
    assert!(!done.to_string().contains("secret"), "{done}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_person_whose_account_is_here_renews_that_one_and_leaves_the_one_that_was_meant() {
    let world = plan().start().await;
    world.control.set_device_interval(Some(Duration::from_millis(300)));
    world.control.add_account(AccountSeed::new("somebody", Family::Social));
    let mut ids = Vec::new();
    for name in ["social", "somebody"] {
        world.control.sign_in_as(name);
        let login = begin(&world, json!({"kind": "google", "form": "device", "label": name})).await;
        ids.push(end(&world, &login).await["account"]["id"].as_str().expect("an id").to_owned());
    }
    let done = sign_in_again(&world, &ids[0], json!({"form": "device"}), false).await;
    assert_eq!(
        (&done["renewal"]["outcome"], &done["account"]["id"]),
        (&json!("knownAccount"), &json!(ids[1])),
        "{done}"
    );
    assert_eq!(accounts(&world).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_sign_in_takes_kind_start_page_and_region_from_the_account() {
    let world = plan().start().await;
    world.control.set_device_interval(Some(Duration::from_millis(300)));
    world.control.sign_in_as("idc");
    let wish = json!({"kind": "idc", "form": "device", "startUrl": COMPANY, "region": "eu-west-1", "label": "work"});
    let first = end(&world, &begin(&world, wish).await).await;
    let account = first["account"]["id"].as_str().expect("an id");
    let done = sign_in_again(&world, account, json!({"form": "device"}), false).await;
    assert_eq!((&done["kind"], &done["state"]), (&json!("idc"), &json!("done")), "{done}");
    assert_eq!((&done["renewal"]["outcome"], &done["renewal"]["label"]), (&json!("renewed"), &json!("work")), "{done}");
    assert_eq!((&done["account"]["id"], &done["account"]["label"]), (&json!(account), &json!("work")));
    assert_eq!(done["renewal"]["ownProxy"], false);
    world.assert_no_violations();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_is_not_there_or_signs_in_otherwise_is_told_before_anything_is_sent() {
    let world = quiet(fresh_login("social", Family::Social)).await;
    let account = id(&world).await;
    let ask = async |body: Value| world.admin(Method::POST, "/api/logins", Some(body)).await;
    let (status, problem) = ask(json!({"account": "nobody", "kind": "google"})).await;
    assert_eq!((status, &problem["code"]), (StatusCode::NOT_FOUND, &json!("not_found")), "{problem}");
    for (body, field) in [
        (json!({"account": account, "kind": "builderId"}), "kind"),
        // A file does not tell with which provider.
        (json!({"account": account}), "kind"),
        (json!({}), "kind"),
    ] {
        let (status, problem) = ask(body.clone()).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
        assert!(problem["fields"][field].is_object(), "{body}: {problem}");
    }
    world.admin_ok(Method::DELETE, &format!("/api/accounts/{account}?undoSeconds=10"), None).await;
    let (status, _) = ask(json!({"account": account, "kind": "google"})).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "removed, although it can still be taken back");
    assert_eq!(world.control.journal().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_is_removed_while_its_sign_in_waits_ends_it() {
    let world = quiet(fresh_login("builderid", Family::BuilderId)).await;
    let account = id(&world).await;
    let wish = json!({"kind": "builderId", "form": "browser", "account": account});
    let login = begin(&world, wish).await;
    world.admin_ok(Method::DELETE, &format!("/api/accounts/{account}"), None).await;
    browse(&pressing(&login, "")).await;
    let ended = end(&world, &login).await;
    assert_eq!((&ended["state"], &ended["problem"]["code"]), (&json!("failed"), &json!("not_found")), "{ended}");
    assert_eq!(accounts(&world).await, Vec::<Value>::new());
    assert!(world.control.journal().iter().all(|entry| entry.operation != "CreateToken"));
    assert_eq!(look(&world, &login).await["account"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_of_an_account_is_tried_and_looked_at_through_its_proxy() {
    let proxy = Recorder::http(None).await;
    let world = quiet(fresh_login("apikey", Family::ApiKey)).await;
    through(&world, &format!("http://{}", proxy.address)).await;
    let account = id(&world).await;
    let key = "ksk_SECOND00000000000000000000000000000";
    let seed = AccountSeed { access_token: key.to_owned(), ..AccountSeed::new("apikey", Family::ApiKey) };
    world.control.add_account(seed);
    let done = sign_in_again(&world, &account, json!({"apiKey": key, "region": "us-east-1"}), false).await;
    assert_eq!((&done["state"], &done["kind"]), (&json!("done"), &json!("apiKey")), "{done}");
    assert_eq!((&done["renewal"]["outcome"], &done["account"]["id"]), (&json!("renewed"), &json!(account)), "{done}");
    assert_eq!(accounts(&world).await.len(), 1);
    world.gateway.stop().await;
    all_through(&world, &proxy, "a key");
    assert!(!proxy.passed().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_another_account_that_is_handed_in_stays_that_accounts() {
    let key = "ksk_SECOND00000000000000000000000000000";
    let second = json!({"authMethod": "api_key", "kiroApiKey": key, "region": "us-east-1"});
    let world = Plan { listen: false, ..Plan::default() }
        .accounts(vec![fresh_login("apikey", Family::ApiKey), second])
        .start()
        .await;
    let seed = AccountSeed { access_token: key.to_owned(), ..AccountSeed::new("second", Family::ApiKey) };
    world.control.add_account(seed);
    let before = accounts(&world).await;
    let (meant, other) = (before[0]["id"].as_str().expect("an id"), &before[1]["id"]);
    let proxy = Recorder::http(None).await;
    let change = json!({"proxy": {"kind": "through", "url": format!("http://{}", proxy.address)}});
    let path = format!("/api/accounts/{}", other.as_str().expect("an id"));
    world.admin_ok(Method::PATCH, &path, Some(change)).await;
    let done = sign_in_again(&world, meant, json!({"apiKey": key, "region": "us-east-1"}), false).await;
    assert_eq!((&done["state"], &done["renewal"]["outcome"]), (&json!("done"), &json!("knownAccount")), "{done}");
    assert_eq!(&done["account"]["id"], other);
    let after = accounts(&world).await;
    assert_eq!(after.len(), 2, "{after:?}");
    assert_eq!(after[1]["proxy"]["kind"], "through", "with its own way: {after:?}");
    world.gateway.stop().await;
    all_through(&world, &proxy, "the other account's key");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_of_which_nothing_is_known_does_not_take_the_sign_in_of_one_that_is_here() {
    let mut nameless = fresh_login("social", Family::Social);
    nameless.as_object_mut().expect("an object").remove("email");
    let world = quiet(nameless).await;
    world.control.set_device_interval(Some(Duration::from_millis(300)));
    world.control.add_account(AccountSeed::new("somebody", Family::Social));
    world.control.sign_in_as("somebody");
    let meant = id(&world).await;
    let known = end(&world, &begin(&world, json!({"kind": "google", "form": "device"})).await).await;
    let done = sign_in_again(&world, &meant, json!({"kind": "google", "form": "device"}), false).await;
    assert_eq!((&done["state"], &done["renewal"]["outcome"]), (&json!("done"), &json!("knownAccount")), "{done}");
    assert_eq!(done["account"]["id"], known["account"]["id"]);
    let all = accounts(&world).await;
    assert_eq!(all.len(), 2, "{all:?}");
    assert_ne!(all[0]["userId"], all[1]["userId"], "{all:?}");
    // Its own owner's sign-in is taken at the person's word.
    world.control.sign_in_as("social");
    let done = sign_in_again(&world, &meant, json!({"kind": "google", "form": "device"}), false).await;
    assert_eq!((&done["renewal"]["outcome"], &done["account"]["id"]), (&json!("renewed"), &json!(meant)), "{done}");
}
