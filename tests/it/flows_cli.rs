//! `kiro-proxy flows`, with and without a running gateway, and what a kill leaves of the records.
#![cfg(unix)]

use http::StatusCode;
use kiro_simulator::{AccountSeed, Config, Family, Simulator};
use serde_json::{Value, json};

use crate::harness::eventually;
use crate::home::{Home, Serving, question, text};

struct House {
    _simulator: Simulator,
    home: Home,
    key: String,
}

impl House {
    async fn new() -> Self {
        let config = Config { accounts: vec![AccountSeed::new("social", Family::Social)], ..Config::default() };
        let simulator = Simulator::start(config).await.expect("the stand-in starts");
        let home = Home::new().upstream(&simulator.url());
        home.json(&["accounts", "import", &home.login("social", Family::Social), "--json"]).await;
        let key = text(&home.run(&["keys", "reveal"]).await.stdout).trim().to_owned();
        Self { _simulator: simulator, home, key }
    }

    async fn ask(&self, serving: &Serving, words: &str) {
        let (status, reply) = question(&serving.address, &self.key, words).await;
        assert_eq!(status, StatusCode::OK, "{reply}");
    }

    async fn flows(&self) -> Vec<Value> {
        let list = self.home.json(&["flows", "list", "--json"]).await;
        list["flows"].as_array().expect("a list").clone()
    }

    /// Lines on disk, whole or not.
    fn on_disk(&self) -> String {
        std::fs::read_to_string(self.home.data().join("flows/0000000001.jsonl")).unwrap_or_default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_loses_no_request_that_was_written_and_a_torn_line_is_passed_over() {
    let house = House::new().await;
    let mut serving = house.home.serve(&[]).await;
    for n in 1..=3 {
        house.ask(&serving, &format!("SAY: {n}")).await;
    }
    eventually("three lines are written", || house.on_disk().lines().count() == 3).await;
    serving.child.start_kill().unwrap();
    serving.child.wait().await.unwrap();
    let whole = house.on_disk();
    let torn = format!("{whole}{}", &whole[..whole.find("protocol").unwrap()]);
    std::fs::write(house.home.data().join("flows/0000000001.jsonl"), torn).unwrap();

    let serving = house.home.serve(&[]).await;
    assert_eq!(house.flows().await.len(), 3);
    house.ask(&serving, "SAY: 4").await;
    assert_eq!(serving.stop().await, Some(0));
    assert_eq!(house.flows().await.len(), 4);
    let lines = house.on_disk();
    assert_eq!(lines.lines().count(), 4, "the torn line is gone: {lines}");
    assert!(lines.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{lines}");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_listed_shown_marked_exported_and_deleted_from_the_command_line() {
    let house = House::new().await;
    let serving = house.home.serve(&[]).await;
    house.ask(&serving, "SAY: one").await;
    let flows = house.flows().await;
    let id = flows[0]["id"].as_str().expect("an id").to_owned();

    let marked = house
        .home
        .json(&["flows", "mark", &id, "--bookmark", "on", "--note", "n", "--tag", "a", "--tag", "b", "--json"])
        .await;
    assert_eq!((&marked["bookmarked"], &marked["tags"]), (&json!(true), &json!(["a", "b"])));
    let marked = house.home.json(&["flows", "mark", &id, "--note", "", "--no-tags", "--json"]).await;
    assert_eq!((&marked["bookmarked"], &marked["note"], &marked["tags"]), (&json!(true), &Value::Null, &json!([])));

    let listed =
        text(&house.home.run(&["flows", "list", "--bookmarked", "--account", "nobody@example.com"]).await.stdout);
    assert_eq!(listed, "No request fits.\n");
    let listed = text(&house.home.run(&["flows", "list", "--since", "1h", "--outcome", "complete"]).await.stdout);
    assert!(listed.contains(&id) && listed.contains("bookmark"), "{listed}");
    let shown = text(&house.home.run(&["flows", "show", &id]).await.stdout);
    assert!(shown.contains("claude-sonnet-4-5") && shown.contains("ATTEMPT"), "{shown}");
    let stats = text(&house.home.run(&["flows", "stats"]).await.stdout);
    assert!(stats.contains("complete") && stats.contains("anthropic"), "{stats}");
    assert_eq!(serving.stop().await, Some(0));

    let exported = house.home.run(&["flows", "export", "--format", "jsonl"]).await;
    let line: Value = serde_json::from_slice(&exported.stdout).expect("one line of JSON");
    assert_eq!(line["id"], id.as_str());
    let file = house.home.dir.path().join("page.md");
    let file = file.to_str().unwrap();
    let written = house.home.json(&["flows", "export", &id, "--format", "markdown", "-o", file, "--json"]).await;
    assert_eq!(written, json!({"file": file, "flows": 1}));
    assert!(std::fs::read_to_string(file).unwrap().contains("is not recorded"));
    let again = house.home.run(&["flows", "export", "-o", file]).await;
    assert!(!again.status.success() && text(&again.stderr).contains("there already"), "{}", text(&again.stderr));

    assert_eq!(house.home.json(&["flows", "clear", "--json"]).await, json!({"deleted": 0}));
    assert_eq!(house.home.json(&["flows", "clear", "--marked", "--json"]).await, json!({"deleted": 1}));
    assert_eq!(house.flows().await.len(), 0);
    for (wrong, code) in [
        (&["flows", "show", "no/such"][..], 9),
        (&["flows", "list", "--since", "soon"], 2),
        (&["flows", "mark", "x"], 2),
    ] {
        let output = house.home.run(wrong).await;
        assert_eq!(output.status.code(), Some(code), "{wrong:?}: {}", text(&output.stderr));
    }
}
