//! The predecessor's environment: settings, logins in files, and names that cannot be obeyed.

use crate::harness::{Plan, ask};
use http::{Method, StatusCode};
use kiro_gateway::Options;
use kiro_simulator::{AccountSeed, Family};
use serde_json::{Value, json};
use std::collections::HashMap;
use tempfile::TempDir;

/// What the gateway makes of an environment.
fn environment(names: &[(&str, &str)]) -> Options {
    let names: HashMap<&str, &str> = names.iter().copied().collect();
    Options::from_env(&|name| names.get(name).map(|value| (*value).to_owned())).expect("never refused")
}

fn effects(settings: &Value) -> Vec<(&str, &str)> {
    let told = settings["inherited"].as_array().expect("a list");
    told.iter().map(|told| (told["name"].as_str().expect("text"), told["effect"].as_str().expect("text"))).collect()
}

#[tokio::test]
async fn its_settings_hold_for_the_run_and_are_shown_with_their_names() {
    let given = environment(&[
        ("KIRO_SERVER_HOST", "0.0.0.0"),
        ("KIRO_STREAMING_READ_TIMEOUT", "300"),
        ("KIRO_RATE_LIMIT_GLOBAL_RPM", "120"),
        ("KIRO_PROXY__PACE__TOTAL_PER_MINUTE", "240"),
        ("KIRO_PROXY_INSECURE_TLS", "true"),
        ("KIRO_THINKING_ENABLED", "true"),
    ]);
    let mut world = Plan { listen: false, ..Plan::default() }
        .options(move |options| {
            options.overrides.extend(given.overrides);
            options.inherited = given.inherited;
        })
        .start()
        .await;
    let now = world.admin_ok(Method::GET, "/api/settings", None).await;
    assert_eq!(now["settings"]["listener"]["host"], "localhost");
    assert_eq!(now["settings"]["limits"]["idleSeconds"], 300);
    assert_eq!(now["settings"]["pace"]["totalPerMinute"], 240, "our own name wins");
    let variable = |path: &str| {
        let overrides = now["overrides"].as_array().expect("a list");
        overrides.iter().find(|over| over["path"] == path).map(|over| over["variable"].clone())
    };
    assert_eq!(variable("limits.idleSeconds"), Some(json!("KIRO_STREAMING_READ_TIMEOUT")));
    assert_eq!(variable("pace.totalPerMinute"), Some(json!("KIRO_PROXY__PACE__TOTAL_PER_MINUTE")));
    assert_eq!(
        effects(&now),
        [
            ("KIRO_SERVER_HOST", "notLoopback"),
            ("KIRO_THINKING_ENABLED", "byRequest"),
            ("KIRO_STREAMING_READ_TIMEOUT", "set"),
            ("KIRO_RATE_LIMIT_GLOBAL_RPM", "set"),
            ("KIRO_PROXY_INSECURE_TLS", "neverInsecure"),
        ]
    );
    let ours = |options: &mut Options| options.overrides.retain(|over| over.variable.is_none());
    world.restart(ours).await.expect("opens");
    let later = world.admin_ok(Method::GET, "/api/settings", None).await;
    assert_eq!(later["settings"]["limits"]["idleSeconds"], later["defaults"]["limits"]["idleSeconds"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_file_is_taken_in_once_and_stays_the_owners() {
    let folder = TempDir::with_prefix("kp-owner-").expect("a folder");
    let file = folder.path().join("token.json");
    let seed = AccountSeed::new("social", Family::Social);
    let login = json!({
        "accessToken": seed.access_token, "refreshToken": seed.refresh_token,
        "expiresAt": "2099-01-01T00:00:00.000Z", "authMethod": "social", "provider": "Google",
    });
    std::fs::write(&file, login.to_string()).expect("written");
    let before = std::fs::read(&file).expect("there");
    let arn = seed.profile_arn.clone().unwrap_or_default();
    let given = environment(&[("KIRO_CREDS_FILE", &file.to_string_lossy()), ("KIRO_PROFILE_ARN", &arn)]);
    let plan = Plan::default().accounts(vec![]).options(move |options| options.inherited = given.inherited);
    let mut world = plan.start().await;
    let (status, reply) = world.send(&ask("SAY: inherited")).await;
    assert_eq!(status, StatusCode::OK, "{reply}");
    for _ in 0..2 {
        let accounts = world.admin_ok(Method::GET, "/api/accounts", None).await;
        let list = accounts["accounts"].as_array().expect("a list");
        assert_eq!(list.len(), 1, "{accounts}");
        assert_eq!((&list[0]["link"]["owner"], &list[0]["link"]["writeBack"]), (&json!("kiroIde"), &json!(false)));
        assert_eq!(list[0]["profileArn"], arn, "{accounts}");
        world.restart(|_| {}).await.expect("opens again");
    }
    assert_eq!(std::fs::read(&file).expect("there"), before, "an owner's file is never changed unasked");
}

#[tokio::test]
async fn a_login_file_that_cannot_be_used_is_told_and_keeps_nothing_from_starting() {
    let folder = TempDir::with_prefix("kp-owner-").expect("a folder");
    let broken = folder.path().join("broken.json");
    std::fs::write(&broken, "{\"refreshToken\": \"planted").expect("written");
    let none = folder.path().join("none.sqlite3");
    let given =
        environment(&[("KIRO_CREDS_FILE", &broken.to_string_lossy()), ("KIRO_CLI_DB_FILE", &none.to_string_lossy())]);
    let plan = Plan { listen: false, ..Plan::default() }.accounts(vec![]);
    let world = plan.options(move |options| options.inherited = given.inherited).start().await;
    let now = world.admin_ok(Method::GET, "/api/settings", None).await;
    assert_eq!(effects(&now), [("KIRO_CREDS_FILE", "loginFailed"), ("KIRO_CLI_DB_FILE", "loginFailed")]);
    assert!(!now.to_string().contains("planted"));
    let accounts = world.admin_ok(Method::GET, "/api/accounts", None).await;
    assert_eq!(accounts["accounts"], json!([]));
}
