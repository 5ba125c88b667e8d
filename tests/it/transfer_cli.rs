//! Import, scan, add and export as typed on the command line.

use std::path::Path;
use std::process::Output;

use kiro_simulator::{AccountSeed, Config, Family, Simulator};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

use crate::harness::{PATIENCE, fresh_login};
use crate::home::Home;

const PASSPHRASE: &str = "correct horse battery";

async fn with_input(home: &Home, arguments: &[&str], input: &str) -> Output {
    let mut child = home.command(arguments).stdin(std::process::Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // It may end without reading.
    let _ = stdin.write_all(input.as_bytes()).await;
    drop(stdin);
    tokio::time::timeout(PATIENCE, child.wait_with_output()).await.expect("ends").unwrap()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn json_of(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("no JSON: {}", said(output)))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_is_a_new_private_file_that_the_import_opens() {
    let home = Home::new();
    home.json(&["accounts", "import", &home.login("social", Family::Social), "--json"]).await;
    home.json(&["accounts", "import", &home.login("idc", Family::Idc), "--json"]).await;
    let file = home.dir.path().join("mine.json");
    let path = file.to_str().unwrap();
    let output = with_input(&home, &["accounts", "export", "-o", path, "--json"], &format!("{PASSPHRASE}\n")).await;
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(json_of(&output)["accounts"], 2);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let sealed = std::fs::read_to_string(&file).unwrap();
    let seed = AccountSeed::new("social", Family::Social);
    assert!(!sealed.contains(&seed.refresh_token) && !sealed.contains(&seed.email));
    let again = with_input(&home, &["accounts", "export", "-o", path], &format!("{PASSPHRASE}\n")).await;
    assert_eq!(again.status.code(), Some(1), "{}", said(&again));
    assert!(said(&again).contains("export_exists"), "{}", said(&again));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), sealed, "never replaced");

    let other = Home::new();
    let copied = other.dir.path().join("mine.json");
    std::fs::copy(&file, &copied).unwrap();
    let copied = copied.to_str().unwrap();
    let wrong = with_input(&other, &["accounts", "import", copied], "not this one at all\n").await;
    assert!(!wrong.status.success() && said(&wrong).contains("passphrase_wrong"), "{}", said(&wrong));
    let output = with_input(&other, &["accounts", "import", copied, "--json"], &format!("{PASSPHRASE}\n")).await;
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(json_of(&output)["imported"].as_array().map(Vec::len), Some(2));
    let accounts = other.json(&["accounts", "list", "--json"]).await;
    assert_eq!(accounts["accounts"].as_array().map(Vec::len), Some(2), "{accounts}");
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn an_export_follows_no_link_and_a_plain_one_wants_a_word() {
    let home = Home::new();
    home.json(&["accounts", "import", &home.login("social", Family::Social), "--json"]).await;
    let target = home.dir.path().join("target");
    std::fs::write(&target, "mine").unwrap();
    for (name, to) in [("link", target.clone()), ("dangling", home.dir.path().join("nothing"))] {
        let link = home.dir.path().join(name);
        std::os::unix::fs::symlink(&to, &link).unwrap();
        let link = link.to_str().unwrap();
        let output = with_input(&home, &["accounts", "export", "-o", link], &format!("{PASSPHRASE}\n")).await;
        assert!(!output.status.success() && said(&output).contains("export_exists"), "{}", said(&output));
    }
    assert_eq!(std::fs::read_to_string(&target).unwrap(), "mine");
    assert!(!home.dir.path().join("nothing").exists());

    let file = home.dir.path().join("plain.json");
    let path = file.to_str().unwrap();
    for word in ["yes\n", ""] {
        let output = with_input(&home, &["accounts", "export", "--plain", "-o", path], word).await;
        assert!(!output.status.success(), "{word:?}: {}", said(&output));
        assert!(!file.exists(), "{word:?}");
    }
    let output = with_input(&home, &["accounts", "export", "--plain", "-o", path], "plain\n").await;
    assert!(output.status.success(), "{}", said(&output));
    let export: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    let seed = AccountSeed::new("social", Family::Social);
    assert_eq!(export["accounts"][0]["secrets"]["refreshToken"], seed.refresh_token.as_str());
}

fn write(path: &Path, content: &Value) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, content.to_string()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_shows_numbers_and_adds_what_is_named() {
    let home = Home::new();
    let token = home.dir.path().join(".aws/sso/cache/kiro-auth-token.json");
    write(&token, &fresh_login("social", Family::Social));
    let before = std::fs::read(&token).unwrap();
    let shown = home.run(&["accounts", "scan"]).await;
    assert!(shown.status.success() && said(&shown).contains("kiro-auth-token.json"), "{}", said(&shown));
    let none = home.run(&["accounts", "scan", "--add", "2"]).await;
    assert_eq!(none.status.code(), Some(9), "{}", said(&none));
    let added = home.json(&["accounts", "scan", "--add", "1", "--link", "--json"]).await;
    assert_eq!(added["imported"][0]["origin"], "linked", "{added}");
    let rest = home.json(&["accounts", "scan", "--add-all", "--json"]).await;
    assert_eq!(rest["imported"], json!([]), "{rest}");
    assert_eq!(std::fs::read(&token).unwrap(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_shares_a_login_with_or_without_writing_back() {
    for (flags, on) in [(&["--link", "--write-back"][..], true), (&["--link"], false)] {
        let home = Home::new();
        write(&home.dir.path().join(".aws/sso/cache/kiro-auth-token.json"), &fresh_login("social", Family::Social));
        let wish = [&["accounts", "scan", "--add", "1"], flags, &["--json"]].concat();
        let added = home.json(&wish).await;
        assert_eq!(added["imported"][0]["link"]["writeBack"], on, "{added}");
    }
    let home = Home::new();
    let alone = home.run(&["accounts", "scan", "--add", "1", "--write-back"]).await;
    assert_eq!(alone.status.code(), Some(2), "a copy has nobody to write back to: {}", said(&alone));
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_a_file_points_to_are_read_with_it() {
    let home = Home::new();
    let hash = "e909a0580879b06ece1202964fbe9dda95ea4ce3";
    let mut login = fresh_login("builderid", Family::BuilderId);
    let client = json!({"clientId": login["clientId"], "clientSecret": login["clientSecret"],
        "scopes": ["codewhisperer:completions"]});
    for name in ["clientId", "clientSecret"] {
        login.as_object_mut().unwrap().remove(name);
    }
    login["clientIdHash"] = hash.into();
    write(&home.dir.path().join(".aws/sso/cache/kiro-auth-token.json"), &login);
    write(&home.dir.path().join(format!(".aws/sso/cache/{hash}.json")), &client);
    write(&home.dir.path().join(".kiro-proxy/tokens/second.json"), &fresh_login("social", Family::Social));
    let config = home.dir.path().join(".kiro-proxy/config.json");
    write(
        &config,
        &json!({"accounts": [
            {"id": "a1", "name": "main", "token_path": "~/.aws/sso/cache/kiro-auth-token.json", "enabled": true},
            {"id": "a2", "name": "second", "token_path": "tokens/second.json", "enabled": false},
            {"id": "a3", "name": "gone", "token_path": "~/nowhere.json", "enabled": true},
        ]}),
    );
    let config = config.to_str().unwrap();
    let preview = home.run(&["accounts", "import", config, "--preview", "--json"]).await;
    let preview = json_of(&preview);
    assert_eq!(preview["found"].as_array().map(Vec::len), Some(2), "{preview}");
    let output = home.run(&["accounts", "import", config, "--json"]).await;
    assert_eq!(output.status.code(), Some(10), "one entry points nowhere: {}", said(&output));
    let answer = json_of(&output);
    let labels: Vec<_> =
        answer["imported"].as_array().unwrap().iter().map(|account| account["label"].clone()).collect();
    assert_eq!(labels, ["main", "second"], "{answer}");
    assert_eq!(answer["imported"][1]["enabled"], false, "{answer}");
    assert_eq!(answer["rejected"][0]["code"], "companion_missing", "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_of_kiro_cli_can_be_named_and_stays_as_it_is() {
    let home = Home::new();
    let path = home.dir.path().join("copy.sqlite3");
    let seed = AccountSeed::new("social", Family::Social);
    let token = json!({"access_token": seed.access_token, "refresh_token": seed.refresh_token,
        "expires_at": "2099-01-01T00:00:00Z", "profile_arn": seed.profile_arn, "provider": "google"});
    let database = rusqlite::Connection::open(&path).unwrap();
    database.execute_batch("PRAGMA journal_mode=WAL; CREATE TABLE auth_kv (key TEXT PRIMARY KEY, value TEXT)").unwrap();
    database.execute("INSERT INTO auth_kv VALUES ('kirocli:social:token', ?1)", [token.to_string()]).unwrap();
    drop(database);
    let before = std::fs::read(&path).unwrap();
    let answer = home.json(&["accounts", "import", path.to_str().unwrap(), "--json"]).await;
    assert_eq!(answer["imported"].as_array().map(Vec::len), Some(1), "{answer}");
    let env = home.dir.path().join("gateway.env");
    std::fs::write(&env, "KIRO_CLI_DB_FILE=\"copy.sqlite3\"\n").unwrap();
    let answer = home.json(&["accounts", "import", env.to_str().unwrap(), "--json"]).await;
    assert_eq!(answer["duplicates"].as_array().map(Vec::len), Some(1), "{answer}");
    assert_eq!(std::fs::read(&path).unwrap(), before);
    let beside = std::fs::read_dir(home.dir.path()).unwrap();
    let beside: Vec<_> = beside.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert!(beside.iter().all(|name| !name.contains("-wal") && !name.contains("-shm")), "{beside:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_added_by_a_token_that_nobody_sees() {
    crate::harness::install_tls();
    let simulator = Simulator::start(Config::default()).await.unwrap();
    let mut home = Home::new();
    home.upstream = Some(simulator.url());
    let seed = AccountSeed::new("idc", Family::Idc);
    let arguments =
        ["accounts", "add", "--label", "work", "--region", &seed.oidc_region, "--client-id", &seed.client_id, "--json"];
    let input = format!("{}\n{}\n", seed.refresh_token, seed.client_secret);
    let output = with_input(&home, &arguments, &input).await;
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(json_of(&output)["imported"][0]["label"], "work");
    assert!(!said(&output).contains(&seed.refresh_token) && !said(&output).contains(&seed.client_secret));
    let output = with_input(&home, &["accounts", "add", "--method", "social"], &format!("{}\n", "n".repeat(140))).await;
    assert!(!output.status.success() && said(&output).contains("login_refused"), "{}", said(&output));
    let output = with_input(&home, &["accounts", "add"], "").await;
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
}

/// Whatever the shell's mask allows others, nothing of ours is for them.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn files_are_for_the_owner_only_under_any_mask() {
    use std::os::unix::fs::PermissionsExt as _;
    fn walk(path: &Path, found: &mut Vec<(String, u32)>) {
        let mode = std::fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777;
        found.push((path.display().to_string(), mode));
        if path.is_dir() {
            std::fs::read_dir(path).unwrap().for_each(|entry| walk(&entry.unwrap().path(), found));
        }
    }
    for mask in ["000", "022"] {
        let home = Home::new();
        let login = home.login("social", Family::Social);
        let script = format!(
            "umask {mask}; \"$0\" accounts import \"$1\" --json --vault-key-file \"$2\" && echo '{PASSPHRASE}' | \"$0\" accounts export -o \"$3\" --vault-key-file \"$2\""
        );
        let at = |name: &str| home.dir.path().join(name).to_str().unwrap().to_owned();
        let mut command = tokio::process::Command::new("/bin/sh");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_kiro-proxy"), &login, &at("vault.key"), &at("export.json")]);
        command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", home.dir.path());
        command.env("KIRO_PROXY_DATA_DIR", home.data());
        let output = tokio::time::timeout(PATIENCE, command.output()).await.expect("ends").unwrap();
        assert!(output.status.success(), "{}", said(&output));
        let mut found = Vec::new();
        walk(&home.data(), &mut found);
        walk(&home.dir.path().join("export.json"), &mut found);
        assert!(found.len() > 5, "{found:?}");
        for (path, mode) in found {
            assert_eq!(mode & 0o077, 0, "umask {mask}: {path} has mode {mode:o}");
        }
    }
}
