//! Signing in with a code that is confirmed elsewhere: the whole way against the strict stand-in, and how it ends otherwise.

use std::time::Duration;

use http::{Method, StatusCode};
use kiro_simulator::{Answer, Decision, Script, Target};
use serde_json::{Value, json};

use crate::harness::{Plan, World, ask};
use crate::login::{begin, end, plan, state_is};

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_with_a_device_form_ends_in_an_account_that_answers() {
    for (wish, account, method) in [
        (json!({"kind": "builderId"}), "builderid", "idc"),
        (
            json!({"kind": "idc", "startUrl": "https://example-company.awsapps.com/start/", "region": "eu-west-1"}),
            "idc",
            "idc",
        ),
        (json!({"kind": "google"}), "social", "social"),
        (json!({"kind": "github"}), "social", "social"),
    ] {
        let mut world = plan().start().await;
        world.control.set_auto_approve(false);
        world.control.set_device_interval(Some(Duration::from_millis(300)));
        world.control.sign_in_as(account);
        let mut wish = wish;
        wish["form"] = "device".into();
        wish["label"] = "mine".into();
        let login = begin(&world, wish.clone()).await;
        assert_eq!(
            (&login["form"], &login["state"], &login["awaits"]),
            (&json!("device"), &json!("waiting"), &json!("deviceCode"))
        );
        let code = login["userCode"].as_str().expect("a code");
        assert!(login["url"].as_str().expect("a page").contains(code), "{login}");
        assert_eq!(login["qr"]["rows"].as_array().map(Vec::len), login["qr"]["size"].as_u64().map(|n| n as usize));
        assert!(world.control.decide_one(code, Decision::Approved), "the stand-in knows the code");
        let done = end(&world, &login).await;
        assert_eq!(done["state"], "done", "{wish}: {done}");
        assert_eq!((&done["account"]["label"], &done["account"]["method"]), (&json!("mine"), &json!(method)));
        assert_eq!(done["account"]["origin"], "signedIn");
        assert_eq!((&done["url"], &done["userCode"]), (&Value::Null, &Value::Null), "what is over is not shown");
        world.listen().await;
        let (status, reply) = world.send(&ask("SAY: signed in")).await;
        assert_eq!((status, &reply["content"][0]["text"]), (StatusCode::OK, &json!("signed in")), "{wish}: {reply}");
        world.assert_no_violations();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_who_says_no_or_never_comes_gets_plain_words_and_no_account() {
    let world = plan().start().await;
    world.control.set_auto_approve(false);
    world.control.set_device_interval(Some(Duration::from_millis(300)));
    for kind in ["builderId", "google"] {
        let login = begin(&world, json!({"kind": kind, "form": "device"})).await;
        world.control.decide(Decision::Denied);
        let ended = end(&world, &login).await;
        assert_eq!(
            (&ended["state"], &ended["problem"]["code"]),
            (&json!("failed"), &json!("sign_in_denied")),
            "{kind}"
        );
        let login = begin(&world, json!({"kind": kind, "form": "device"})).await;
        world.control.advance_clock(Duration::from_secs(601));
        let ended = end(&world, &login).await;
        assert_eq!((&ended["state"], &ended["problem"]), (&json!("expired"), &Value::Null), "{kind}");
    }
    assert_eq!(world.admin_ok(Method::GET, "/api/accounts", None).await["accounts"], json!([]));
    world.assert_no_violations();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_sign_in_asks_no_more_and_leaves_the_others_alone() {
    let world = plan().start().await;
    world.control.set_auto_approve(false);
    let first = begin(&world, json!({"kind": "builderId", "form": "device"})).await;
    let second = begin(&world, json!({"kind": "builderId", "form": "device"})).await;
    assert_ne!(first["userCode"], second["userCode"]);
    let path = format!("/api/logins/{}", first["id"].as_str().expect("an id"));
    let cancelled = world.admin_ok(Method::DELETE, &path, None).await;
    assert_eq!(cancelled["state"], "cancelled");
    world.control.decide(Decision::Approved);
    assert_eq!(end(&world, &second).await["state"], "done");
    assert_eq!(world.admin_ok(Method::GET, &path, None).await["state"], "cancelled");
    assert_eq!(world.admin_ok(Method::GET, "/api/accounts", None).await["accounts"].as_array().map(Vec::len), Some(1));
    assert_eq!(world.admin_ok(Method::GET, "/api/logins", None).await["logins"].as_array().map(Vec::len), Some(2));
    let (status, _) = world.admin(Method::GET, "/api/logins/none", None).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registration_is_used_again_and_replaced_when_it_ends_soon_or_is_not_accepted() {
    let registered = |world: &World| world.control.journal().iter().filter(|e| e.operation == "RegisterClient").count();
    let clock = std::sync::Arc::new(kiro_gateway::clock::ManualClock::new(kiro_gateway::clock::Timestamp(0)));
    let handed = std::sync::Arc::clone(&clock);
    let world = plan().options(move |options| options.clock = handed).start().await;
    clock.set(kiro_gateway::clock::Timestamp(world.control.now_ms()));
    let wish = json!({"kind": "builderId", "form": "device"});
    let login = begin(&world, wish.clone()).await;
    assert_eq!(end(&world, &login).await["state"], "done");
    let login = begin(&world, wish.clone()).await;
    assert_eq!(end(&world, &login).await["state"], "done");
    assert_eq!(registered(&world), 1, "the second sign-in uses the first one's registration");

    // 90 days of life, of which a new sign-in wants at least 60.
    world.control.advance_clock(Duration::from_secs(31 * 86_400));
    clock.advance(Duration::from_secs(31 * 86_400));
    let login = begin(&world, wish.clone()).await;
    assert_eq!(end(&world, &login).await["state"], "done");
    assert_eq!(registered(&world), 2, "one that ends soon is replaced");
    let gone =
        r#"{"error":"invalid_client","error_description":"Client is expired","__type":"ExpiredClientException"}"#;
    let answer = Answer::Http { status: 401, headers: Vec::new(), body: gone.to_owned() };
    let script = Script { operation: "DeviceAuthorization".into(), answer, ..Script::default() };
    world.control.enqueue(Target::Any, script);
    let login = begin(&world, wish.clone()).await;
    assert_eq!(end(&world, &login).await["state"], "done");
    assert_eq!(registered(&world), 3, "one that is not accepted is replaced");
    world.assert_no_violations();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registration_is_used_again_after_a_restart_and_renewed_when_it_ends() {
    let registered = |world: &World| world.control.journal().iter().filter(|e| e.operation == "RegisterClient").count();
    let clock = std::sync::Arc::new(kiro_gateway::clock::ManualClock::new(kiro_gateway::clock::Timestamp(0)));
    let handed = std::sync::Arc::clone(&clock);
    let plan = plan().options(move |options| {
        options.clock = handed;
        options.store = crate::refresh::vault_key();
    });
    let mut world = plan.start().await;
    clock.set(kiro_gateway::clock::Timestamp(world.control.now_ms()));
    let wish = json!({"kind": "builderId", "form": "device"});
    for (days, expected, what) in [
        (0, 1, "the first sign-in registers"),
        (1, 1, "after a restart the same registration serves"),
        (31, 2, "one that ends within sixty days is renewed"),
        (1, 2, "and the renewed one is kept over a restart"),
        (200, 3, "one that has ended is renewed"),
    ] {
        world.control.advance_clock(Duration::from_secs(days * 86_400));
        clock.advance(Duration::from_secs(days * 86_400));
        let login = begin(&world, wish.clone()).await;
        assert_eq!(end(&world, &login).await["state"], "done", "{what}");
        assert_eq!(registered(&world), expected, "{what}");
        world.restart(|_| {}).await.expect("opens");
    }
    let files = std::fs::read_to_string(world.data_dir().join("registrations.json")).expect("reads");
    assert!(!files.to_lowercase().contains("secret"), "{files}");
    world.assert_no_violations();
}

#[tokio::test(flavor = "multi_thread")]
async fn trouble_while_polling_is_waited_out_and_trouble_at_the_start_is_told() {
    let world = plan().start().await;
    let busy = |operation: &str, status| Script {
        operation: operation.into(),
        answer: Answer::Http { status, headers: Vec::new(), body: r#"{"message":"busy"}"#.into() },
        ..Script::default()
    };
    world.control.enqueue(Target::Any, busy("CreateToken", 503));
    let login = begin(&world, json!({"kind": "builderId", "form": "device"})).await;
    assert_eq!(end(&world, &login).await["state"], "done");
    world.control.enqueue(Target::Any, busy("DeviceAuthorization", 500));
    let login = begin(&world, json!({"kind": "builderId", "form": "device"})).await;
    assert_eq!((&login["state"], &login["problem"]["code"]), (&json!("failed"), &json!("sign_in_unreachable")));
    world.control.enqueue(Target::Any, busy("DeviceAuthorization", 400));
    let login = begin(&world, json!({"kind": "builderId", "form": "device"})).await;
    assert_eq!((&login["state"], &login["problem"]["code"]), (&json!("failed"), &json!("sign_in_refused")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_ends_with_the_persons_time_also_when_only_the_wall_clock_moved() {
    let clock =
        std::sync::Arc::new(kiro_gateway::clock::ManualClock::new(kiro_gateway::clock::Timestamp(1_800_000_000_000)));
    let handed = std::sync::Arc::clone(&clock);
    let world = plan().options(move |options| options.clock = handed).start().await;
    world.control.set_auto_approve(false);
    let login = begin(&world, json!({"kind": "builderId", "form": "device"})).await;
    assert_eq!(login["expiresAt"], 1_800_000_600_000_i64);
    clock.advance(Duration::from_secs(599));
    state_is(&world, &login, "waiting").await;
    clock.advance(Duration::from_secs(1));
    assert_eq!(end(&world, &login).await["state"], "expired");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_is_not_the_providers_is_neither_shown_nor_opened() {
    let world = plan().start().await;
    for page in [
        "https://view.awsapps.com.attacker.example/start",
        "http://view.awsapps.com/start",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "https://user@view.awsapps.com/",
        "-oProxyCommand=reboot",
        "https://127.0.0.1/",
    ] {
        let body =
            json!({"deviceCode": "d", "userCode": "U", "verificationUri": page, "expiresIn": 600, "interval": 1});
        let answer = Answer::Http { status: 200, headers: Vec::new(), body: body.to_string() };
        let script = Script { operation: "DeviceAuthorization".into(), answer, ..Script::default() };
        world.control.enqueue(Target::Any, script);
        let login = begin(&world, json!({"kind": "builderId", "form": "device"})).await;
        assert_eq!(
            (&login["state"], &login["problem"]["code"]),
            (&json!("failed"), &json!("sign_in_unsafe")),
            "{page}"
        );
        assert_eq!(login["url"], Value::Null);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_start_urls_and_regions_are_refused_before_anything_is_sent() {
    let world = Plan::default().accounts(Vec::new()).start().await;
    let good = ("https://example-company.awsapps.com/start", "eu-west-1");
    let urls = [
        "http://example-company.awsapps.com/start",
        "https://example-company.awsapps.com.attacker.example/start",
        "https://example-company.awsapps.com@attacker.example/start",
        "https://127.0.0.1/start",
        "https://localhost/start",
        "file:///etc/passwd",
        "",
        "\u{0}",
    ];
    let regions = [
        "",
        "us-east",
        "us-east-1.attacker.example/#",
        "us-east-1@x",
        "xx-nowhere-1",
        "US-EAST-1",
        "../us-east-1",
        "us-east-1\r\nhost: x",
    ];
    let wishes = urls
        .iter()
        .map(|url| (*url, good.1, "startUrl"))
        .chain(regions.iter().map(|region| (good.0, *region, "region")));
    for (url, region, field) in wishes {
        let body = json!({"kind": "idc", "startUrl": url, "region": region, "open": "none"});
        let (status, problem) = world.admin(Method::POST, "/api/logins", Some(body)).await;
        assert_eq!(
            (status, &problem["code"]),
            (StatusCode::UNPROCESSABLE_ENTITY, &json!("invalid_fields")),
            "{url} {region}"
        );
        assert_eq!(
            problem["fields"].as_object().map(|fields| fields.keys().collect::<Vec<_>>()),
            Some(vec![&field.to_owned()])
        );
    }
    let asked: Vec<_> = world.control.journal().into_iter().filter(|e| e.host.starts_with("oidc.")).collect();
    assert!(asked.is_empty(), "{asked:?}");
}
