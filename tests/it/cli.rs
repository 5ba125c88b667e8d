//! The program as people and scripts run it: output, exit codes, and what is left after a kill.

use std::process::Output;

use http::StatusCode;
use kiro_simulator::Family;
use serde_json::{Value, json};

use crate::harness::{PATIENCE, ask, client, fresh_login, raw_status};
use crate::home::{Home, Serving, finish, question, text};

#[tokio::test(flavor = "multi_thread")]
async fn the_version_is_printed() {
    let output = Home::new().run(&["--version"]).await;
    assert!(output.status.success());
    assert_eq!(text(&output.stdout).trim(), format!("kiro-proxy {}", env!("CARGO_PKG_VERSION")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_command_line_is_exit_2_and_changes_nothing() {
    let mut home = Home::new();
    home.vault = false;
    for arguments in [
        &["nonsense"][..],
        &[],
        &["serve", "--port", "70000"],
        &["70000"],
        &["serve", "--set", "listener.port"],
        &["accounts"],
        &["keys", "create"],
    ] {
        let output = home.run(arguments).await;
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", text(&output.stderr));
    }
    assert!(!home.data().exists());
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_newcomer_gets_simulated_answers_with_one_command() {
    let home = Home::new();
    let serving = home.serve(&["--demo"]).await;
    assert!(serving.says("SIMULATED"), "{:?}", serving.said);
    let status = home.json(&["status", "--json"]).await;
    assert_eq!(status["state"], "running");
    assert_eq!(status["simulated"], true);
    assert_eq!(status["addresses"][0], serving.address.as_str());
    let revealed = home.run(&["keys", "reveal"]).await;
    let key = text(&revealed.stdout).trim().to_owned();
    assert!(!serving.says(&key), "the key's text is not in the service's output");
    let (code, reply) = question(&serving.address, &key, "SAY: welcome").await;
    assert_eq!(code, StatusCode::OK, "{reply}");
    assert_eq!(reply["content"][0]["text"], "welcome");
    let words = text(&home.run(&["status"]).await.stdout);
    assert!(words.contains("simulated"), "{words}");
    assert_eq!(serving.stop().await, Some(0));
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn without_an_account_serve_says_how_to_get_answers() {
    let home = Home::new();
    let serving = home.serve(&[]).await;
    assert!(serving.says("serve --demo") && serving.says("accounts import"), "{:?}", serving.said);
    let accounts = home.json(&["accounts", "list", "--json"]).await;
    assert_eq!(accounts["accounts"], json!([]), "nothing is added unasked");
    assert_eq!(serving.stop().await, Some(0));
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_bare_number_is_the_port() {
    let port = { std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port() };
    let home = Home::new();
    let serving = Serving::start(home.command(&[&port.to_string()])).await;
    assert_eq!(serving.address, format!("http://127.0.0.1:{port}"));
    assert_eq!(serving.stop().await, Some(0));
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn accounts_and_keys_are_managed_the_same_with_and_without_a_running_gateway() {
    let mut home = Home::new();
    let simulator = Serving::until(&mut home.command(&["simulate"]), "Account:").await;
    home.upstream = Some(simulator.address.clone());
    let social = home.login("social", Family::Social);
    let idc = home.login("idc", Family::Idc);

    // Nobody runs: the command opens the state itself.
    let imported = home.json(&["accounts", "import", &social, "--json"]).await;
    assert_eq!(imported["imported"].as_array().map(Vec::len), Some(1), "{imported}");
    let made = home.json(&["keys", "create", "editor", "--json"]).await;
    let key = made["secret"].as_str().unwrap().to_owned();

    // A gateway runs: the same commands reach it over its socket.
    let serving = home.serve(&[]).await;
    assert!(serving.says("from your accounts"), "{:?}", serving.said);
    let (code, reply) = question(&serving.address, &key, "SAY: hello").await;
    assert_eq!(code, StatusCode::OK, "{reply}");
    home.json(&["accounts", "import", &idc, "--json"]).await;
    let accounts = home.json(&["accounts", "list", "--json"]).await;
    let list = accounts["accounts"].as_array().unwrap();
    assert_eq!(list.len(), 2, "{accounts}");
    let table = text(&home.run(&["accounts", "list"]).await.stdout);
    assert_eq!(table.lines().count(), 3, "{table}");

    home.json(&["keys", "revoke", "editor", "--json"]).await;
    let (code, _) = question(&serving.address, &key, "SAY: hello").await;
    assert_eq!(code, StatusCode::UNAUTHORIZED);
    let id = list[0]["id"].as_str().unwrap();
    home.json(&["accounts", "remove", id, "--json"]).await;
    assert_eq!(serving.stop().await, Some(0));

    let accounts = home.json(&["accounts", "list", "--json"]).await;
    assert_eq!(accounts["accounts"].as_array().map(Vec::len), Some(1));
    let keys = home.json(&["keys", "list", "--json"]).await;
    assert!(keys["keys"].as_array().unwrap().iter().all(|key| key["name"] != "editor"), "{keys}");
    assert!(!keys.to_string().contains(&key));

    let journal: Value =
        client().get(format!("{}/__sim/journal", simulator.address)).send().await.unwrap().json().await.unwrap();
    assert!(journal.to_string().contains("GenerateAssistantResponse"), "{journal}");
    let violations: Value =
        client().get(format!("{}/__sim/violations", simulator.address)).send().await.unwrap().json().await.unwrap();
    let violations = violations.get("violations").unwrap_or(&violations);
    assert_eq!(*violations, json!([]));
    assert_eq!(simulator.stop().await, Some(0));
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_data_directory_with_a_very_long_path_works_too() {
    let home = Home::new();
    let deep = home.dir.path().join("a-long-name".repeat(12));
    let serving = home.serve(&["--demo", "--data-dir", deep.to_str().unwrap()]).await;
    let status = home.json(&["status", "--json", "--data-dir", deep.to_str().unwrap()]).await;
    assert_eq!(status["addresses"][0], serving.address.as_str());
    assert_eq!(serving.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_ids_are_exit_9_and_status_without_a_gateway_is_exit_3() {
    let home = Home::new();
    for arguments in
        [&["accounts", "remove", "nobody"][..], &["keys", "revoke", "nothing"], &["keys", "reveal", "nothing"]]
    {
        let output = home.run(arguments).await;
        assert_eq!(output.status.code(), Some(9), "{arguments:?}: {}", text(&output.stderr));
        assert_three_lines(&output);
    }
    let output = home.run(&["status"]).await;
    assert_eq!(output.status.code(), Some(3));
    assert_three_lines(&output);
    let output = home.run(&["status", "--json"]).await;
    let error: Value = serde_json::from_slice(&output.stderr).expect("JSON");
    assert_eq!((&error["error"]["code"], &error["error"]["exit"]), (&json!("gateway_not_running"), &json!(3)));
}

fn assert_three_lines(output: &Output) {
    let words = text(&output.stderr);
    assert!(!words.contains("\\u{"), "the program's own line ends are shown as such: {words}");
    // A message of several lines goes on below its first one, further in.
    let lines: Vec<&str> = words.lines().filter(|line| !line.starts_with("        ")).collect();
    assert_eq!(lines.len(), 3, "{words}");
    assert!(
        lines[0].starts_with("error[") && lines[1].starts_with("  done: ") && lines[2].starts_with("  now:  "),
        "{words}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_registration_beside_a_token_file_is_found_and_no_other_file_is() {
    let home = Home::new();
    let folder = home.dir.path().join("cache");
    std::fs::create_dir(&folder).unwrap();
    let token = |name: &str, hash: &str| {
        let path = folder.join(name);
        let login = json!({
            "accessToken": "a".repeat(150), "refreshToken": "r".repeat(150), "expiresAt": "2026-01-01T00:00:00.000Z",
            "clientIdHash": hash, "authMethod": "IdC", "provider": "BuilderId", "region": "us-east-1"
        });
        std::fs::write(&path, login.to_string()).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let registration = json!({"clientId": "id", "clientSecret": "secret", "expiresAt": "2027-01-01T00:00:00.000Z"});
    let hash = "0123456789abcdef0123456789abcdef01234567";
    std::fs::write(folder.join(format!("{hash}.json")), registration.to_string()).unwrap();
    std::fs::write(home.dir.path().join("elsewhere.json"), registration.to_string()).unwrap();

    let output = home.run(&["accounts", "import", &token("stray.json", "../elsewhere")]).await;
    assert_eq!(output.status.code(), Some(10), "a name out of a file leads nowhere else");
    let output = home.run(&["accounts", "import", &token("kiro-auth-token.json", hash)]).await;
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_import_is_exit_10_or_an_error_and_tells_which_entry() {
    let home = Home::new();
    let path = home.dir.path().join("mixed.json");
    let mixed = json!([fresh_login("social", Family::Social), {"refreshToken": "short", "authMethod": "social"}]);
    std::fs::write(&path, mixed.to_string()).unwrap();
    let output = home.run(&["accounts", "import", path.to_str().unwrap()]).await;
    assert_eq!(output.status.code(), Some(10), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("Refused entry 1"), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("1 imported"), "{}", text(&output.stdout));

    std::fs::write(&path, "no credentials at all").unwrap();
    let output = home.run(&["accounts", "import", path.to_str().unwrap()]).await;
    assert_eq!(output.status.code(), Some(10), "{}", text(&output.stderr));
    let output = home.run(&["accounts", "import", "/nowhere/at/all.json"]).await;
    assert_eq!(output.status.code(), Some(1));
    assert_three_lines(&output);
    let output = home.run(&["accounts", "list", "--json"]).await;
    assert!(text(&output.stdout).contains("social"));
}

#[tokio::test(flavor = "multi_thread")]
async fn names_with_control_characters_are_escaped_in_tables() {
    let home = Home::new();
    let made = home.run(&["keys", "create", "evil\u{1b}[31m\u{202e}name"]).await;
    let listed = home.run(&["keys", "list"]).await;
    for output in [made, listed] {
        for bytes in [&output.stdout, &output.stderr] {
            assert!(!bytes.contains(&0x1b) && !text(bytes).contains('\u{202e}'), "{}", text(bytes));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_is_exit_6_and_says_which() {
    let holder = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = holder.local_addr().unwrap().port().to_string();
    let home = Home::new();
    let output = home.run(&["serve", "--port", &port]).await;
    assert_eq!(output.status.code(), Some(6), "{}", text(&output.stderr));
    assert_three_lines(&output);
    let words = text(&output.stderr);
    assert!(words.starts_with("error[port_in_use]") && words.contains(&port), "{words}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unusable_data_directory_is_exit_7() {
    let home = Home::new();
    let file = home.dir.path().join("file");
    std::fs::write(&file, "mine").unwrap();
    for path in [file.clone(), file.join("below")] {
        for command in [&["serve"][..], &["accounts", "list"]] {
            let mut all = command.to_vec();
            all.extend(["--data-dir", path.to_str().unwrap()]);
            let output = home.run(&all).await;
            assert_eq!(output.status.code(), Some(7), "{all:?}: {}", text(&output.stderr));
            assert_three_lines(&output);
        }
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn with_neither_keychain_nor_key_the_refusal_names_both_ways_out() {
    let mut home = Home::new();
    home.vault = false;
    let output = home.run(&["serve", "--port", "0"]).await;
    assert_eq!(output.status.code(), Some(5), "{}{}", text(&output.stdout), text(&output.stderr));
    let words = text(&output.stderr);
    assert!(words.contains("--vault-key-file") && words.contains("KIRO_PROXY_VAULT_KEY"), "{words}");
    let secrets = std::fs::read_dir(home.data())
        .map(|entries| entries.filter(|e| e.as_ref().unwrap().path().ends_with("keys.json")).count());
    assert_eq!(secrets.unwrap_or(0), 0, "nothing is kept in the clear");
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_settings_from_flag_environment_or_file_are_exit_8() {
    let home = Home::new();
    for arguments in [
        &["serve", "--set", "limits.retries=99"][..],
        &["serve", "--set", "no.such=1"],
        &["serve", "--host", "0.0.0.0"],
        &["serve", "--log-level", "loud"],
    ] {
        let output = home.run(arguments).await;
        assert_eq!(output.status.code(), Some(8), "{arguments:?}: {}", text(&output.stderr));
        assert_three_lines(&output);
    }
    let mut command = home.command(&["serve"]);
    command.env("KIRO_PROXY__LIMITS__RETRIES", "many");
    let output = finish(command).await;
    assert_eq!(output.status.code(), Some(8), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("KIRO_PROXY__LIMITS__RETRIES"), "{}", text(&output.stderr));
    let mut command = home.command(&["serve"]);
    command.env("KIRO_PROXY_ENDPOINTS", "https://example.com");
    let output = finish(command).await;
    assert_eq!(output.status.code(), Some(8), "{}", text(&output.stderr));
    assert!(text(&output.stderr).starts_with("error[endpoints_not_loopback]"), "{}", text(&output.stderr));
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_second_gateway_on_the_same_directory_is_exit_4_and_names_the_first() {
    let home = Home::new();
    let serving = home.serve(&[]).await;
    let output = home.run(&["serve", "--port", "0"]).await;
    assert_eq!(output.status.code(), Some(4), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains(&serving.address), "{}", text(&output.stderr));
    assert_three_lines(&output);
    assert_eq!(serving.stop().await, Some(0));
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_loose_vault_key_file_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let home = Home::new();
    let key = home.dir.path().join("vault.key");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let output = home.run(&["accounts", "list"]).await;
    assert_eq!(output.status.code(), Some(5), "{}", text(&output.stderr));
    assert_three_lines(&output);
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_kill_loses_no_account_and_no_key() {
    let home = Home::new();
    let mut ids: Vec<Value> = Vec::new();
    let families = [("social", Family::Social), ("idc", Family::Idc), ("entra", Family::ExternalIdp)];
    for (name, family) in families {
        let mut serving = home.serve(&[]).await;
        let answer = home.json(&["accounts", "import", &home.login(name, family), "--json"]).await;
        ids.push(answer["imported"][0]["id"].clone());
        // Acknowledged, so it must be there whatever happens next.
        serving.child.start_kill().unwrap();
        serving.child.wait().await.unwrap();
        let accounts = home.json(&["accounts", "list", "--json"]).await;
        let kept: Vec<Value> =
            accounts["accounts"].as_array().unwrap().iter().map(|account| account["id"].clone()).collect();
        assert_eq!(kept, ids);
    }
    let key = text(&home.run(&["keys", "reveal"]).await.stdout);
    let serving = home.serve(&[]).await;
    let models =
        client().get(format!("{}/v1/models", serving.address)).header("x-api-key", key.trim()).send().await.unwrap();
    assert_eq!(models.status(), StatusCode::OK);
    assert_eq!(serving.stop().await, Some(0));
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_at_once() {
    let mut home = Home::new();
    let simulator = Serving::until(&mut home.command(&["simulate"]), "Account:").await;
    home.upstream = Some(simulator.address.clone());
    home.json(&["accounts", "import", &home.login("social", Family::Social), "--json"]).await;
    let hang = json!({"target": "any", "faults": {"cut": {"at": 400, "end": "hang"}}});
    let queued = client().post(format!("{}/__sim/scripts", simulator.address)).json(&hang).send().await.unwrap();
    assert!(queued.status().is_success(), "{}", queued.text().await.unwrap());
    let mut serving = home.serve(&[]).await;
    let key = text(&home.run(&["keys", "reveal"]).await.stdout).trim().to_owned();
    let mut body = ask("SAY: this will not end by itself because the upstream hangs");
    body["stream"] = true.into();
    let answer =
        client().post(format!("{}/v1/messages", serving.address)).bearer_auth(key).json(&body).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);

    serving.signal(rustix::process::Signal::TERM);
    let said = tokio::time::timeout(PATIENCE, serving.lines.next_line()).await.unwrap().unwrap();
    assert!(said.is_some_and(|line| line.starts_with("Stopping")));
    assert!(serving.child.try_wait().unwrap().is_none(), "it waits for the running answer");
    serving.signal(rustix::process::Signal::INT);
    let status = tokio::time::timeout(PATIENCE, serving.child.wait()).await.expect("at once").unwrap();
    assert_eq!(status.code(), Some(130));
    let stream = crate::harness::Stream::read(answer).await;
    assert!(!stream.complete(), "{}", stream.body);
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn the_simulator_refuses_other_addresses_and_cuts_its_writes() {
    let home = Home::new();
    let output = home.run(&["simulate", "--host", "0.0.0.0"]).await;
    assert_eq!(output.status.code(), Some(2));
    let simulator = Serving::until(&mut home.command(&["simulate", "--chunk", "7", "--seed", "5"]), "Account:").await;
    let answer = crate::harness::raw(
        &simulator.address,
        b"GET /__sim/journal HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n",
    )
    .await;
    assert_eq!(raw_status(&answer), 200, "{answer}");
    assert_eq!(simulator.stop().await, Some(0));
    let credentials = home.run(&["simulate", "--credentials"]).await;
    let credentials: Value = serde_json::from_slice(&credentials.stdout).unwrap();
    assert!(credentials["refreshToken"].is_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn model_names_are_tried_and_a_keys_options_changed_from_the_command_line() {
    let home = Home::new();
    home.run(&["keys", "create", "editor"]).await;
    let changed = home
        .json(&["keys", "set", "editor", "--buffered-start", "on", "--rule", "fast-*=claude-haiku-4.5,auto", "--json"])
        .await;
    assert_eq!(changed["options"]["bufferedStart"], true);
    let renamed = home.json(&["keys", "set", "editor", "--name", "terminal", "--json"]).await;
    assert_eq!((&renamed["name"], &renamed["options"]), (&json!("terminal"), &changed["options"]), "the rest stays");

    let ruled = home.json(&["models", "test", "fast-one", "--key", "terminal", "--json"]).await;
    assert_eq!((&ruled["trace"]["by"], &ruled["trace"]["model"]), (&json!("keyRule"), &json!("claude-haiku-4.5")));
    let plain = home.run(&["models", "test", "fast-one"]).await;
    assert!(plain.status.success() && text(&plain.stdout).contains("nobody knows it"), "{}", text(&plain.stdout));
    let listed = home.run(&["models", "list"]).await;
    assert!(text(&listed.stdout).contains("claude-opus-5"), "{}", text(&listed.stdout));
    assert!(text(&listed.stderr).contains("No account's list is known yet"), "{}", text(&listed.stderr));

    let refused = home.run(&["keys", "set", "terminal", "--rule", "a b=auto"]).await;
    assert!(!refused.status.success() && text(&refused.stderr).contains("options.modelRules.0.match"));
    assert_eq!(home.run(&["keys", "set", "terminal"]).await.status.code(), Some(2), "nothing to change");
    assert_eq!(home.run(&["models", "test", "x", "--key", "nobody"]).await.status.code(), Some(9));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_looked_after_and_its_usage_read_from_the_command_line() {
    let simulator = kiro_simulator::Simulator::start(kiro_simulator::Config::default()).await.unwrap();
    let mut home = Home::new();
    home.upstream = Some(simulator.url().to_string());
    home.run(&["accounts", "import", &home.login("social", Family::Social)]).await;
    let accounts = home.json(&["accounts", "list", "--json"]).await;
    let id = accounts["accounts"][0]["id"].as_str().unwrap().to_owned();

    let receipt = home.json(&["accounts", "test", &id, "--json"]).await;
    let credits = receipt["credits"].as_f64().unwrap();
    assert!(credits > 0.0, "{receipt}");
    let quota = home.json(&["accounts", "usage", &id, "--fresh", "--json"]).await;
    assert_eq!((&quota["plan"], &quota["limit"]), (&json!("KIRO PRO"), &json!(1000.0)));
    assert_eq!(quota["used"].as_f64().unwrap(), credits);
    // Each command was a program of its own: what was used and what is left were kept on disk between them.
    let usage = home.json(&["usage", "--by", "day", "--days", "2", "--json"]).await;
    assert_eq!(
        usage["rows"].as_array().unwrap().iter().map(|row| row["credits"].as_f64().unwrap()).sum::<f64>(),
        credits
    );
    let shown = home.json(&["accounts", "show", &id, "--json"]).await;
    assert_eq!((&shown["plan"], &shown["quota"]["limit"]), (&json!("KIRO PRO"), &json!(1000.0)), "{shown}");

    let text = |output: &Output| String::from_utf8_lossy(&output.stdout).into_owned();
    let told = text(&home.run(&["accounts", "usage", &id]).await);
    assert!(told.contains("KIRO PRO") && told.contains("of 1000 Credits used"), "{told}");
    let told = text(&home.run(&["usage"]).await);
    assert!(told.contains("CREDITS") && told.lines().count() == 2, "{told}");
    let told = text(&home.run(&["accounts", "check"]).await);
    assert!(told.contains("works"), "{told}");
    let refreshed = home.run(&["accounts", "refresh"]).await;
    assert!(refreshed.status.success() && text(&refreshed).contains("1 refreshed, 0 failed"));
    assert_eq!(home.run(&["accounts", "usage", "nobody"]).await.status.code(), Some(9));
    assert_eq!(home.run(&["usage", "--days", "0"]).await.status.code(), Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chinese_locale_is_spoken_to_in_chinese_and_programs_are_not() {
    let mut home = Home::new();
    home.environment.push(("LC_ALL", "zh_CN.UTF-8".to_owned()));
    let help = text(&home.run(&["login", "--help"]).await.stdout);
    for part in ["用法：", "选项", "参数", "显示帮助", "google：Google 账号"] {
        assert!(help.contains(part), "{part}: {help}");
    }
    for part in ["Usage", "Options", "Print help", "Possible values", "[default"] {
        assert!(!help.contains(part), "{part}: {help}");
    }
    let list = text(&home.run(&["accounts", "list"]).await.stdout);
    assert!(list.contains("还没有账号"), "{list}");
    let refused = home.run(&["accounts", "show", "nobody"]).await;
    assert_eq!(refused.status.code(), Some(9));
    let told = text(&refused.stderr);
    assert!(told.contains("没有这个账号：\"nobody\"") && told.contains("没有做任何改动"), "{told}");
    let invalid = text(&home.run(&["settings", "set", "listener.port=0x"]).await.stderr);
    assert!(invalid.contains("有些值不可接受"), "the gateway's problem in the window's words: {invalid}");
    let refused = home.run(&["accounts", "show", "nobody", "--json"]).await;
    let told: Value = serde_json::from_slice(&refused.stderr).expect("JSON");
    assert_eq!(told["error"]["done"], "nothing was changed", "whatever the locale is");
}
