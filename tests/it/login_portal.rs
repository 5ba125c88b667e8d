//! Signing in through the hosted portal: Google and GitHub in one leg, a company directory in two.

use http::{Method, StatusCode};
use kiro_simulator::ExchangeForm;
use serde_json::{Value, json};

use crate::harness::{PATIENCE, ask};
use crate::login::{
    begin, begin_once_free, browse, closed, end, look, parameter, path, plan, port, ports, pressing, until, visit,
};

fn social(kind: &str) -> Value {
    json!({"kind": kind, "form": "browser"})
}

#[tokio::test(flavor = "multi_thread")]
async fn google_and_github_end_in_accounts_that_answer() {
    let _ports = ports();
    for (kind, label) in [("google", "Google"), ("github", "GitHub")] {
        let mut world = plan().start().await;
        world.control.sign_in_as("social");
        let login = begin_once_free(&world, social(kind)).await;
        let page = pressing(&login, "");
        assert_eq!(parameter(&page, "redirect_uri"), format!("http://localhost:{}", port(&login)));
        assert_eq!(parameter(&page, "redirect_from"), "KiroIDE");
        browse(&pressing(&login, &format!("login_option={kind}"))).await;
        let done = end(&world, &login).await;
        assert_eq!((&done["state"], &done["account"]["method"]), (&json!("done"), &json!("social")), "{done}");
        assert_eq!(done["account"]["profileArn"], kiro_simulator::SOCIAL_ARN);
        let name = done["account"]["label"].as_str().expect("a name");
        assert!(name == label || name == "social@example.com", "{name}");
        closed(port(&login)).await;
        world.listen().await;
        let (status, reply) = world.send(&ask("SAY: hello")).await;
        assert_eq!(status, StatusCode::OK, "{reply}");
        world.assert_no_violations();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_form_of_the_redirect_address_that_the_service_may_want_is_found() {
    let _ports = ports();
    let world = plan().start().await;
    for form in [ExchangeForm::Whole, ExchangeForm::Base, ExchangeForm::Path] {
        world.control.set_exchange_form(form);
        let login = begin_once_free(&world, social("google")).await;
        browse(&pressing(&login, "")).await;
        assert_eq!(end(&world, &login).await["state"], "done", "{form:?}");
    }
    world.assert_no_violations();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_is_signed_in_to_in_two_legs_however_often_the_browser_fetches_ahead() {
    let _ports = ports();
    let mut world = plan().start().await;
    world.control.sign_in_as("entra");
    let login = begin_once_free(&world, json!({"kind": "microsoft"})).await;
    assert_eq!((&login["form"], port(&login)), (&json!("browser"), 3128), "{login}");
    let descriptor = visit(&pressing(&login, "login_option=external_idp")).await.location.expect("a redirect");
    assert_eq!(parameter(&descriptor, "login_option"), "external_idp");
    let legs: Vec<String> = [visit(&descriptor).await, visit(&descriptor).await, visit(&descriptor).await]
        .into_iter()
        .map(|hop| hop.location.expect("the directory's page"))
        .collect();
    assert!(legs.windows(2).all(|pair| pair[0] == pair[1]), "the same question gets the same answer: {legs:?}");
    assert_ne!(parameter(&legs[0], "state"), parameter(&pressing(&login, ""), "state"));
    assert_ne!(parameter(&legs[0], "code_challenge"), parameter(&pressing(&login, ""), "code_challenge"));
    let second = until(&world, &login, "the second page", |now| now["awaits"] == "directorySignIn").await;
    assert_eq!(second["url"], legs[0]);
    let discoveries = world.control.journal().iter().filter(|entry| entry.operation == "ExternalDiscovery").count();
    assert_eq!(discoveries, 1);
    browse(&legs[0]).await;
    let done = end(&world, &login).await;
    assert_eq!((&done["state"], &done["account"]["method"]), (&json!("done"), &json!("externalIdp")), "{done}");
    assert_eq!(done["account"]["email"], "entra@example.com");
    world.listen().await;
    let (status, reply) = world.send(&ask("SAY: from the company")).await;
    assert_eq!(status, StatusCode::OK, "{reply}");
    world.assert_no_violations();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_is_none_of_microsofts_is_not_asked_and_ends_the_sign_in() {
    let _ports = ports();
    let world = plan().start().await;
    for issuer in [
        "https://login.microsoftonline.com.attacker.example/t/v2.0",
        "http://login.microsoftonline.com/t/v2.0",
        "https://127.0.0.1/t/v2.0",
        "https://login.microsoftonline.com:444/t",
        "https://user@login.microsoftonline.com/t",
    ] {
        let login = begin_once_free(&world, json!({"kind": "microsoft"})).await;
        let state = parameter(&pressing(&login, ""), "state");
        let mut forged = reqwest::Url::parse("http://localhost:3128/signin/callback").expect("a URL");
        forged
            .query_pairs_mut()
            .append_pair("login_option", "external_idp")
            .append_pair("issuer_url", issuer)
            .append_pair("client_id", "c")
            .append_pair("scopes", "s")
            .append_pair("state", &state);
        assert_eq!(visit(forged.as_str()).await.location, None, "nobody is sent there");
        let ended = end(&world, &login).await;
        assert_eq!(
            (&ended["state"], &ended["problem"]["code"]),
            (&json!("failed"), &json!("sign_in_unsafe")),
            "{issuer}"
        );
    }
    assert!(world.control.journal().iter().all(|entry| entry.operation != "ExternalDiscovery"));
}

#[tokio::test(flavor = "multi_thread")]
async fn both_legs_can_be_pasted() {
    let _ports = ports();
    let world = plan().start().await;
    world.control.sign_in_as("entra");
    let login = begin_once_free(&world, json!({"kind": "microsoft"})).await;
    let paste = async |text: &str| {
        world.admin_ok(Method::POST, &format!("{}/paste", path(&login)), Some(json!({"text": text}))).await
    };
    let descriptor = visit(&pressing(&login, "login_option=external_idp")).await.location.expect("a redirect");
    let second = paste(&descriptor).await;
    assert_eq!((&second["state"], &second["awaits"]), (&json!("waiting"), &json!("directorySignIn")));
    let back = visit(second["url"].as_str().expect("a page")).await.location.expect("a redirect");
    paste(&back).await;
    assert_eq!(end(&world, &login).await["state"], "done");
    world.assert_no_violations();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_at_either_leg_is_told_and_one_without_the_state_is_not_believed() {
    let _ports = ports();
    let world = plan().start().await;
    world.control.sign_in_as("entra");
    let login = begin_once_free(&world, json!({"kind": "microsoft"})).await;
    assert_eq!(visit("http://localhost:3128/oauth/callback?error=access_denied").await.status, 404);
    assert_eq!(look(&world, &login).await["state"], "waiting");
    let descriptor = visit(&pressing(&login, "login_option=external_idp")).await.location.expect("a redirect");
    let second = visit(&descriptor).await.location.expect("the directory's page");
    browse(&format!("{second}&answer=deny")).await;
    let ended = end(&world, &login).await;
    assert_eq!(ended["problem"]["code"], "sign_in_denied", "{ended}");
    let login = begin_once_free(&world, json!({"kind": "microsoft"})).await;
    browse(&pressing(&login, "answer=deny")).await;
    assert_eq!(end(&world, &login).await["problem"]["code"], "sign_in_denied");
}

/// Takes a port on one family as soon as nobody has it.
async fn hold(address: &str) -> std::net::TcpListener {
    let mut tick = tokio::time::interval(std::time::Duration::from_millis(10));
    let taking = async {
        loop {
            tick.tick().await;
            if let Ok(held) = std::net::TcpListener::bind(address) {
                return held;
            }
        }
    };
    tokio::time::timeout(PATIENCE * 4, taking).await.expect("the port becomes free")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_taken_on_either_family_is_not_used_and_said_by_its_number() {
    let _ports = ports();
    let world = plan().start().await;
    for address in ["127.0.0.1:3128", "[::1]:3128"] {
        let _held = hold(address).await;
        let login = begin(&world, json!({"kind": "microsoft"})).await;
        assert_eq!(
            (&login["state"], &login["problem"]["code"]),
            (&json!("failed"), &json!("callback_port_taken")),
            "{address}"
        );
        assert_eq!(login["problem"]["params"]["ports"], "3128");
        let google = begin_once_free(&world, social("google")).await;
        assert_ne!(port(&google), 3128);
        world.admin_ok(Method::DELETE, &path(&google), None).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn when_every_port_of_the_portal_is_taken_a_device_code_takes_over_by_itself() {
    let _ports = ports();
    let mut world = plan().start().await;
    world.control.sign_in_as("social");
    world.control.set_auto_approve(false);
    world.control.set_device_interval(Some(std::time::Duration::from_millis(300)));
    let mut held = Vec::new();
    for port in [3128, 4649, 6588, 8008, 9091, 49153, 50153, 51153, 52153, 53153] {
        held.push(hold(&format!("127.0.0.1:{port}")).await);
    }
    for kind in ["google", "github"] {
        // A window of the app is a browser: without the trouble with the ports the portal would be taken.
        let body = json!({"kind": kind, "open": "popup"});
        let (status, login) = world.admin(Method::POST, "/api/logins", Some(body.clone())).await;
        assert_eq!((status, &login["form"]), (StatusCode::CREATED, &json!("device")), "{login}");
        assert_eq!((&login["awaits"], &login["callbackPort"]), (&json!("deviceCode"), &Value::Null), "{login}");
        let code = login["userCode"].as_str().expect("a code");
        assert!(world.control.decide_one(code, kiro_simulator::Decision::Approved), "the stand-in knows the code");
        assert_eq!(end(&world, &login).await["state"], "done");
        // Who insists on the browser is told why it does not go.
        let login = begin(&world, social(kind)).await;
        assert_eq!(login["problem"]["code"], "callback_port_taken", "{login}");
    }
    drop(held);
    let body = json!({"kind": "google", "open": "popup"});
    let login = world.admin_ok(Method::POST, "/api/logins", Some(body)).await;
    assert_eq!(login["form"], "browser", "with the ports back: {login}");
    world.admin_ok(Method::DELETE, &path(&login), None).await;
    world.listen().await;
    assert_eq!(world.send(&ask("SAY: by code")).await.0, StatusCode::OK);
    world.assert_no_violations();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_has_no_device_form_and_says_so() {
    let _ports = ports();
    let world = plan().start().await;
    let body = json!({"kind": "microsoft", "form": "device", "open": "none"});
    let (status, problem) = world.admin(Method::POST, "/api/logins", Some(body)).await;
    assert_eq!(
        (status, problem["fields"]["form"]["code"].as_str()),
        (StatusCode::UNPROCESSABLE_ENTITY, Some("invalid_value"))
    );
}
