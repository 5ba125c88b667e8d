//! kill -9 at the instants of a refresh that matter, with the real program and a service that holds its answer back.
#![cfg(unix)]

use http::StatusCode;
use kiro_simulator::{AccountSeed, Config, Control, Family, Faults, Script, Simulator, Target};
use serde_json::{Value, json};

use crate::harness::{eventually, expired_login};
use crate::home::{Home, question, text};

/// The program, killed while its first refresh was held at `fault`.
async fn killed_during_a_refresh(fault: Faults, reached: impl Fn(&Control) -> bool) -> (Simulator, Home, String) {
    let config = Config { accounts: vec![AccountSeed::new("social", Family::Social)], ..Config::default() };
    let simulator = Simulator::start(config).await.expect("the stand-in starts");
    let control = simulator.control();
    let home = Home::new().upstream(&simulator.url());
    let mut serving = home.serve(&[]).await;
    let script = Script { operation: "RefreshToken".into(), faults: fault, ..Script::default() };
    control.enqueue(Target::Account("social".into()), script);
    home.json(&["accounts", "import", &home.write("old.json", &expired_login("social", Family::Social)), "--json"])
        .await;
    let key = text(&home.run(&["keys", "reveal"]).await.stdout).trim().to_owned();
    let asking = {
        let (address, key) = (serving.address.clone(), key.clone());
        tokio::spawn(async move { question(&address, &key, "SAY: never answered").await })
    };
    eventually("the refresh is held", || reached(&control)).await;
    serving.child.start_kill().unwrap();
    serving.child.wait().await.unwrap();
    asking.abort();
    (simulator, home, key)
}

async fn only_account(home: &Home) -> Value {
    let list = home.json(&["accounts", "list", "--json"]).await;
    assert_eq!(list["accounts"].as_array().map(Vec::len), Some(1), "{list}");
    list["accounts"][0].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_before_the_service_exchanged_the_token_costs_nothing() {
    let held = Faults { hold_before: true, ..Faults::default() };
    let (simulator, home, key) = killed_during_a_refresh(held, |control| {
        control.journal().iter().any(|entry| entry.operation == "RefreshToken")
    })
    .await;
    let serving = home.serve(&[]).await;
    let (status, reply) = question(&serving.address, &key, "SAY: still here").await;
    assert_eq!(status, StatusCode::OK, "{reply}");
    let status = home.json(&["status", "--json"]).await;
    assert_eq!(status["refreshes"], json!({"unsaved": 0, "cutShort": 1, "loginsLost": 0}), "{status}");
    assert_eq!(simulator.control().violations(), []);
    assert_eq!(serving.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_between_the_exchange_and_its_answer_keeps_everything_but_the_token_and_says_so() {
    let held = Faults { hold_after: true, ..Faults::default() };
    let (simulator, home, key) = killed_during_a_refresh(held, |control| control.counters().refreshes == 1).await;
    let before = only_account(&home).await;
    let serving = home.serve(&[]).await;
    let (status, reply) = question(&serving.address, &key, "SAY: hello").await;
    assert!(!status.is_success(), "{reply}");
    eventually("the old token is tried", || simulator.control().counters().refreshes_refused > 0).await;
    let account = only_account(&home).await;
    assert_eq!(account["state"]["kind"], "needsLogin", "{account}");
    let reason = account["state"]["reason"].as_str().unwrap_or_default();
    assert!(reason.contains("Bad credentials") && reason.contains("before its answer was safe"), "{reason}");
    for same in ["id", "label", "email", "profileArn", "addedAt"] {
        assert_eq!(account[same], before[same]);
    }
    let status = home.json(&["status", "--json"]).await;
    assert_eq!(status["refreshes"], json!({"unsaved": 0, "cutShort": 1, "loginsLost": 1}), "{status}");
    // It is not tried again and again.
    let (_, _) = question(&serving.address, &key, "SAY: hello").await;
    assert_eq!(simulator.control().counters().refreshes_refused, 1);
    // A new sign-in makes it whole.
    simulator.control().kill_refresh_tokens("social");
    simulator.control().add_account(AccountSeed::new("social", Family::Social));
    home.json(&["accounts", "import", &home.login("social", Family::Social), "--json"]).await;
    let (status, reply) = question(&serving.address, &key, "SAY: hello again").await;
    assert_eq!(status, StatusCode::OK, "{reply}");
    assert_eq!(only_account(&home).await["id"], before["id"]);
    assert_eq!(serving.stop().await, Some(0));
}
