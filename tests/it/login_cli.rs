//! `kiro-proxy login` as people and scripts run it: with and without a running gateway, to its end and interrupted.

use kiro_simulator::{Config, Decision, Simulator};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};

use crate::harness::{PATIENCE, eventually};
use crate::home::{Home, text};
use crate::login::visit;

/// The changes that a command with `--json` told.
fn lines(output: &[u8]) -> Vec<Value> {
    text(output).lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_code_signs_in_with_and_without_a_running_gateway() {
    let simulator = Simulator::start(Config::default()).await.expect("starts");
    let home = Home::new().upstream(&simulator.url());
    let here = home.run(&["login", "builder-id", "--no-browser", "--json", "--label", "mine"]).await;
    assert!(here.status.success(), "{}", text(&here.stderr));
    let told = lines(&here.stdout);
    assert_eq!((&told[0]["awaits"], &told[0]["form"]), (&"deviceCode".into(), &"device".into()));
    let last = told.last().expect("a line");
    assert_eq!((&last["state"], &last["account"]["label"]), (&"done".into(), &"mine".into()));

    let serving = home.serve(&[]).await;
    let there = home
        .run(&[
            "login",
            "idc",
            "--device",
            "--start-url",
            "https://example-company.awsapps.com/start",
            "--region",
            "eu-west-1",
        ])
        .await;
    assert!(there.status.success(), "{}", text(&there.stderr));
    let said = text(&there.stdout);
    for part in ["Open     http", "Confirm  SIMU-", "Signed in: ", "Plan:      KIRO PRO", "Region:    us-east-1"] {
        assert!(said.contains(part), "{part} is missing: {said}");
    }
    drop(serving);
    assert!(simulator.control().violations().is_empty(), "{:?}", simulator.control().violations());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_named_for_its_new_sign_in_and_another_persons_is_told() {
    let simulator = Simulator::start(Config::default()).await.expect("starts");
    let home = Home::new().upstream(&simulator.url());
    let company =
        ["--device", "--start-url", "https://example-company.awsapps.com/start", "--region", "eu-west-1", "--json"];
    let first = home.run(&[&["login", "idc", "--label", "work"], &company[..]].concat()).await;
    assert!(first.status.success(), "{}", text(&first.stderr));
    // Start page and region are the account's.
    let again = home.run(&["login", "idc", "--device", "--account", "work", "--json"]).await;
    assert!(again.status.success(), "{}", text(&again.stderr));
    let (first, again) = (lines(&first.stdout), lines(&again.stdout));
    let (first, last) = (first.last().expect("a line"), again.last().expect("a line"));
    assert_eq!((&last["renewal"]["outcome"], &last["account"]["id"]), (&"renewed".into(), &first["account"]["id"]));

    simulator.control().sign_in_as("builderid");
    let other = home.run(&["login", "builder-id", "--device", "--account", "work"]).await;
    assert!(other.status.success(), "{}", text(&other.stderr));
    let said = text(&other.stdout);
    assert!(said.contains("Another person signed in; an account was added for them. work is as it was"), "{said}");
    let nobody = home.run(&["login", "idc", "--device", "--account", "nobody"]).await;
    assert!(!nobody.status.success() && text(&nobody.stderr).contains("nobody"), "{}", text(&nobody.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_typed_in_finishes_a_browser_sign_in() {
    let _ports = crate::login::ports();
    let simulator = Simulator::start(Config::default()).await.expect("starts");
    let home = Home::new().upstream(&simulator.url());
    let mut command = home.command(&["login", "microsoft", "--no-browser"]);
    command.stdin(std::process::Stdio::piped());
    simulator.control().sign_in_as("entra");
    let signing = async {
        loop {
            let mut child = command.spawn().expect("starts");
            let mut input = child.stdin.take().expect("piped");
            let mut said = BufReader::new(child.stdout.take().expect("piped")).lines();
            let mut page = String::new();
            while let Some(line) = said.next_line().await.expect("text") {
                if let Some((_, url)) = line.split_once("page:  ") {
                    page = url.to_owned();
                    break;
                }
            }
            if page.is_empty() {
                // Another test holds the one port of directories.
                child.wait().await.expect("ends");
                continue;
            }
            let descriptor = visit(&format!("{page}&login_option=external_idp")).await.location.expect("a redirect");
            input.write_all(format!("nonsense\n{descriptor}\n").as_bytes()).await.expect("written");
            let mut second = String::new();
            while let Some(line) = said.next_line().await.expect("text") {
                if let Some((_, url)) = line.split_once("company:  ") {
                    second = url.to_owned();
                    break;
                }
            }
            let back = visit(&second).await.location.expect("a redirect");
            input.write_all(format!("{back}\n").as_bytes()).await.expect("written");
            let mut rest = String::new();
            while let Some(line) = said.next_line().await.expect("text") {
                rest.push_str(&line);
                rest.push('\n');
            }
            let output = child.wait_with_output().await.expect("ends");
            return (output, rest);
        }
    };
    let (output, rest) = tokio::time::timeout(PATIENCE * 4, signing).await.expect("ends");
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(rest.contains("Signed in: ") && text(&output.stderr).contains("error[paste_refused]"), "{rest}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_comes_from_standard_input_and_never_from_an_argument() {
    let simulator = Simulator::start(Config::default()).await.expect("starts");
    let home = Home::new().upstream(&simulator.url());
    let run = async |key: &str| {
        let mut command = home.command(&["login", "api-key", "--region", "us-east-1", "--json"]);
        command.stdin(std::process::Stdio::piped());
        let mut child = command.spawn().expect("starts");
        child.stdin.take().expect("piped").write_all(format!("{key}\n").as_bytes()).await.expect("written");
        tokio::time::timeout(PATIENCE, child.wait_with_output()).await.expect("ends").expect("ends")
    };
    let good = run("ksk_EXAMPLE0000000000000000000000000000").await;
    assert!(good.status.success(), "{}", text(&good.stderr));
    assert!(!text(&good.stdout).contains("ksk_EXAMPLE"));
    let unknown = run("ksk_UNKNOWN0000000000000000000000000000").await;
    assert!(
        !unknown.status.success() && text(&unknown.stderr).contains("api_key_refused"),
        "{}",
        text(&unknown.stderr)
    );
    let wrong = home.run(&["login", "api-key", "ksk_EXAMPLE0000000000000000000000000000"]).await;
    assert_eq!(wrong.status.code(), Some(2), "a key is no argument");
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_cancels_and_a_refusal_ends_with_its_reason() {
    let simulator = Simulator::start(Config::default()).await.expect("starts");
    simulator.control().set_auto_approve(false);
    let home = Home::new().upstream(&simulator.url());
    let mut child = home.command(&["login", "builder-id", "--no-browser", "--json"]).spawn().expect("starts");
    let mut said = BufReader::new(child.stdout.take().expect("piped")).lines();
    let first: Value = serde_json::from_str(&said.next_line().await.expect("text").expect("a line")).expect("JSON");
    assert_eq!(first["awaits"], "deviceCode");
    let process = rustix::process::Pid::from_raw(child.id().expect("runs").cast_signed()).expect("a process");
    rustix::process::kill_process(process, rustix::process::Signal::INT).expect("told");
    let output = tokio::time::timeout(PATIENCE, child.wait_with_output()).await.expect("ends").expect("ends");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("sign_in_cancelled"), "{}", text(&output.stderr));

    let control = simulator.control();
    let denied = home.run(&["login", "builder-id", "--no-browser"]);
    let deciding = async {
        eventually("a code", || {
            control.decide(Decision::Denied);
            control.journal().iter().filter(|entry| entry.operation == "CreateToken" && entry.status == 400).count() > 0
        })
        .await;
    };
    let (denied, ()) = tokio::join!(denied, deciding);
    assert!(text(&denied.stderr).contains("error[sign_in_denied]"), "{}", text(&denied.stderr));
}
