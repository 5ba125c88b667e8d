//! The sealed vault as people and services use it: its states, lock and unlock, another key, another store, and the unit that
//! ships with it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use http::{Method, StatusCode};
use kiro_simulator::Family;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::harness::{Plan, ask};
use crate::home::{Home, Serving, base64, finish, private, question, text};

const WORDS: &str = "correct horse battery staple";

/// Runs a command with one line on its standard input.
async fn piped(mut command: Command, line: &str) -> Output {
    command.stdin(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(format!("{line}\n").as_bytes()).await.expect("written");
    drop(stdin);
    tokio::time::timeout(crate::harness::PATIENCE, child.wait_with_output()).await.expect("ends").expect("its output")
}

fn key_file(home: &Home, name: &str, byte: u8) -> PathBuf {
    let path = home.dir.path().join(name);
    let bytes: Vec<u8> = (0..32).map(|at| byte.wrapping_add(at)).collect();
    private(&path, &base64(&bytes));
    path
}

fn with_key(home: &Home, key: &Path, arguments: &[&str]) -> Command {
    let mut command = home.command(arguments);
    command.arg("--vault-key-file").arg(key);
    command
}

/// A home whose commands get no key unless a test gives one.
fn without_key() -> Home {
    let mut home = Home::new();
    home.vault = false;
    home
}

fn code(output: &Output) -> (Option<i32>, String) {
    let words = text(&output.stderr);
    let code = words.split_once(']').and_then(|(head, _)| head.strip_prefix("error[")).unwrap_or_default().to_owned();
    (output.status.code(), code)
}

fn status_line(output: &Output, name: &str) -> String {
    let out = text(&output.stdout);
    let line = out.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("no {name} in {out}"));
    line.trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_vault_serves_with_the_tokens_in_memory_and_renews_them_after_the_unlock() {
    let bytes: Vec<u8> = (1..=32).collect();
    let key = base64(&bytes);
    let given = kiro_gateway::VaultKeySource::Key(key.clone().into());
    let world =
        Plan::default().options(|options| options.store = kiro_gateway::StoreChoice::Vault(given)).start().await;
    let view = world.admin_ok(Method::GET, "/api/vault", None).await;
    assert_eq!(
        (&view["kind"], &view["state"], &view["keySource"]),
        (&json!("vault"), &json!("ready"), &json!("environment"))
    );
    assert_eq!(view["records"], 2, "the account and the first client key: {view}");

    let view = world.admin_ok(Method::POST, "/api/vault/lock", None).await;
    assert_eq!((&view["state"], &view["records"]), (&json!("locked"), &json!(2)));
    assert_eq!(world.admin_ok(Method::GET, "/api/status", None).await["store"]["state"], "locked");
    let (status, reply) = world.send(&ask("SAY: still here")).await;
    assert_eq!(status, StatusCode::OK, "{reply}");

    world.control.expire_tokens();
    let (status, reply) = world.send(&ask("SAY: no more")).await;
    assert!(!status.is_success(), "{reply}");
    let accounts = world.admin_ok(Method::GET, "/api/accounts", None).await;
    assert_ne!(accounts["accounts"][0]["state"]["kind"], "needsLogin", "a locked vault is no dead login: {accounts}");

    let wrong = base64(&[7, 1].repeat(16));
    let (status, problem) = world.admin(Method::POST, "/api/vault/unlock", Some(json!({"key": wrong}))).await;
    assert_eq!((status.as_u16(), &problem["params"]["reason"]), (503, &json!("vault_key_wrong")), "{problem}");
    assert!(!problem.to_string().contains(&wrong), "{problem}");
    let both = json!({"key": key, "passphrase": "x"});
    assert_eq!(world.admin(Method::POST, "/api/vault/unlock", Some(both)).await.0, StatusCode::BAD_REQUEST);
    let view = world.admin_ok(Method::POST, "/api/vault/unlock", Some(json!({"key": key}))).await;
    assert_eq!(view["state"], "ready");
    let (status, reply) = world.send(&ask("SAY: back again")).await;
    assert_eq!(status, StatusCode::OK, "{reply}");
    world.assert_no_violations();
}

#[tokio::test(flavor = "multi_thread")]
async fn each_state_of_the_vault_has_its_own_message_and_exit_code() {
    let home = without_key();
    let key = key_file(&home, "one.key", 1);
    let status = ["vault", "status"];
    let ready = finish(with_key(&home, &key, &status)).await;
    assert_eq!(ready.status.code(), Some(0), "{}", text(&ready.stderr));
    assert_eq!((status_line(&ready, "State"), status_line(&ready, "Key from")), ("ready".into(), "a key file".into()));

    let missing = home.run(&status).await;
    assert_eq!(code(&missing), (Some(21), "vault_key_missing".into()));
    assert!(text(&missing.stderr).contains("it comes from a key file"), "{}", text(&missing.stderr));
    let wrong = finish(with_key(&home, &key_file(&home, "two.key", 2), &status)).await;
    assert_eq!(code(&wrong), (Some(22), "vault_key_wrong".into()));

    let serving = Serving::start(with_key(&home, &key, &["serve", "--port", "0"])).await;
    assert!(home.run(&["vault", "lock"]).await.status.success());
    let locked = home.run(&status).await;
    assert_eq!(locked.status.code(), Some(20));
    assert!(status_line(&locked, "State").starts_with("LOCKED"));
    let refused = home.run(&["keys", "reveal"]).await;
    assert_eq!(refused.status.code(), Some(20), "{}", text(&refused.stderr));
    assert!(text(&refused.stderr).contains("kiro-proxy vault unlock"), "{}", text(&refused.stderr));
    let unlocked = home.run(&["vault", "unlock", "--key-file", key.to_str().unwrap()]).await;
    assert!(unlocked.status.success(), "{}", text(&unlocked.stderr));
    assert!(home.run(&["keys", "reveal"]).await.status.success());
    #[cfg(unix)]
    assert_eq!(serving.stop().await, Some(0));

    for name in ["header", "header.copy"] {
        std::fs::write(home.data().join("vault").join(name), "{").unwrap();
    }
    let damaged = finish(with_key(&home, &key, &status)).await;
    assert_eq!(code(&damaged), (Some(23), "store_corrupt".into()));
    let words: std::collections::BTreeSet<String> =
        [&missing, &wrong, &refused, &damaged].map(|output| text(&output.stderr)).into();
    assert_eq!(words.len(), 4);
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_vault_of_a_passphrase_starts_locked_without_a_person_and_is_unlocked_by_one() {
    let home = without_key();
    let key = key_file(&home, "one.key", 1);
    let login = home.login("social", Family::Social);
    let imported = finish(with_key(&home, &key, &["accounts", "import", &login])).await;
    assert!(imported.status.success(), "{}", text(&imported.stderr));
    let short = piped(with_key(&home, &key, &["vault", "rekey", "--ask"]), "short").await;
    assert_eq!(short.status.code(), Some(5), "{}", text(&short.stderr));
    let changed = piped(with_key(&home, &key, &["vault", "rekey", "--ask", "--json"]), WORDS).await;
    assert!(changed.status.success(), "{}", text(&changed.stderr));
    let changed: Value = serde_json::from_slice(&changed.stdout).unwrap();
    assert_eq!((&changed["changed"], &changed["vault"]["keySource"]), (&json!(2), &json!("passphrase")));
    assert_eq!(
        code(&finish(with_key(&home, &key, &["accounts", "list"])).await).0,
        Some(22),
        "the old key opens nothing"
    );

    let serving = home.serve(&[]).await;
    assert!(serving.says("LOCKED"));
    let wrong = piped(home.command(&["vault", "unlock"]), "correct horse battery stable").await;
    assert_eq!(code(&wrong), (Some(22), "store_unavailable".into()));
    let right = piped(home.command(&["vault", "unlock"]), WORDS).await;
    assert!(right.status.success(), "{}", text(&right.stderr));
    assert_eq!(serving.stop().await, Some(0));
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_told_to_stop_while_it_asks_stops() {
    use std::os::unix::fs::PermissionsExt as _;
    let home = without_key();
    let mut command = home.command(&["serve", "--port", "0", "--vault-ask"]);
    systemd_answers(&home, &mut command, WORDS);
    // It says that it was asked, and answers when nobody waits any more.
    let (asked, program) = (home.dir.path().join("bin/asked"), home.dir.path().join("bin/systemd-ask-password"));
    std::fs::write(
        &program,
        format!("#!/bin/sh\necho asking > {0}.new; mv {0}.new {0}\nread -r _ < {0}.never\n", asked.display()),
    )
    .unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let never = Command::new("mkfifo").arg(format!("{}.never", asked.display())).status().await.expect("mkfifo");
    assert!(never.success());
    let mut child = command.spawn().expect("starts");
    crate::harness::eventually("it asks", || asked.exists()).await;
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id().unwrap()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let ended = tokio::time::timeout(crate::harness::PATIENCE, child.wait()).await.expect("ends").expect("its code");
    assert_eq!(ended.code(), Some(130));
    assert!(!home.data().join("vault").join("header").exists());
    // The one who was asked is let go as well.
    std::fs::write(format!("{}.never", asked.display()), "x\n").unwrap();
}

/// Commands with the old and the new store behind them give the same answers, and the old one is gone.
#[tokio::test(flavor = "multi_thread")]
async fn secrets_stay_where_they_are_when_there_is_no_other_place() {
    let home = without_key();
    let key = key_file(&home, "one.key", 1);
    assert!(finish(with_key(&home, &key, &["keys", "create", "mine"])).await.status.success());
    let there = finish(with_key(&home, &key, &["vault", "migrate", "vault", "--auto-key"])).await;
    assert_eq!(code(&there).1, "invalid_request", "{}", text(&there.stderr));
    assert!(text(&there.stderr).contains("already"), "{}", text(&there.stderr));
    // No keychain answers in this environment.
    let absent = finish(with_key(&home, &key, &["vault", "migrate", "keychain"])).await;
    assert_eq!(absent.status.code(), Some(5), "{}", text(&absent.stderr));
    let kept = finish(with_key(&home, &key, &["vault", "status", "--json"])).await;
    let kept: Value = serde_json::from_slice(&kept.stdout).unwrap();
    assert_eq!((&kept["kind"], &kept["state"], &kept["records"]), (&json!("vault"), &json!("ready"), &json!(2)));
    let lock = home.run(&["vault", "lock"]).await;
    assert_eq!(code(&lock), (Some(3), "gateway_not_running".into()));
}

/// A stand-in for systemd-ask-password that answers with `words` and writes down the question.
#[cfg(unix)]
fn systemd_answers(home: &Home, command: &mut Command, words: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = home.dir.path().join("bin");
    std::fs::create_dir_all(&folder).unwrap();
    let program = folder.join("systemd-ask-password");
    std::fs::write(&program, format!("#!/bin/sh\necho \"$@\" >> {}\necho '{words}'\n", folder.join("asked").display()))
        .unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    command.env("PATH", format!("{}:/usr/bin:/bin", folder.display())).env("INVOCATION_ID", "of-a-unit");
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_service_asks_through_systemd_and_recovers_a_lost_key_by_its_passphrase() {
    let home = without_key();
    let mut first = home.command(&["vault", "status", "--vault-ask"]);
    systemd_answers(&home, &mut first, WORDS);
    let made = finish(first).await;
    assert!(made.status.success(), "{}", text(&made.stderr));
    let asked = std::fs::read_to_string(home.dir.path().join("bin/asked")).unwrap();
    assert!(asked.contains("New passphrase") && !asked.contains(WORDS), "{asked}");

    // A service that is started again needs no flag: the header says that it is a passphrase.
    let mut serve = home.command(&["serve", "--port", "0"]);
    systemd_answers(&home, &mut serve, WORDS);
    let serving = Serving::start(serve).await;
    assert!(!serving.says("LOCKED"));
    let key = key_file(&home, "one.key", 1);
    let changed = piped(
        home.command(&["vault", "rekey", "--key-file", key.to_str().unwrap(), "--recovery"]),
        "the long way back home",
    )
    .await;
    assert!(changed.status.success(), "{}", text(&changed.stderr));
    assert_eq!(status_line(&changed, "Recovery"), "a recovery passphrase opens it too");
    assert_eq!(serving.stop().await, Some(0));

    std::fs::remove_file(&key).unwrap();
    assert_eq!(code(&home.run(&["vault", "status"]).await).0, Some(21));
    let other = key_file(&home, "other.key", 9);
    let mut recover = home.command(&["vault", "rekey", "--key-file", other.to_str().unwrap(), "--vault-recover"]);
    systemd_answers(&home, &mut recover, "the long way back home");
    let recovered = finish(recover).await;
    assert!(recovered.status.success(), "{}", text(&recovered.stderr));
    assert_eq!(status_line(&recovered, "Recovery"), "none");
    assert!(finish(with_key(&home, &other, &["keys", "reveal"])).await.status.success());
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_passphrase_is_typed_on_a_terminal_without_being_shown() {
    let home = without_key();
    let key = key_file(&home, "one.key", 1);
    let changed = piped(with_key(&home, &key, &["vault", "rekey", "--ask"]), WORDS).await;
    assert!(changed.status.success(), "{}", text(&changed.stderr));
    // `script` (util-linux) gives the program a terminal of its own.
    let mut command = Command::new("script");
    let program = format!("{} vault status", env!("CARGO_BIN_EXE_kiro-proxy"));
    command.args(["--quiet", "--return", "--echo", "never", "--command", &program, "/dev/null"]);
    command
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", home.dir.path())
        .env("KIRO_PROXY_DATA_DIR", home.data());
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let output = piped(command, WORDS).await;
    let said = text(&output.stdout);
    assert!(output.status.success(), "{said}{}", text(&output.stderr));
    assert!(said.contains("Passphrase of the vault:") && said.contains("a passphrase (Argon2id)"), "{said}");
    assert!(!said.contains(WORDS), "{said}");
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_key_from_the_environment_is_neither_left_there_nor_dumped() {
    let home = without_key();
    let key = base64(&(1..=32).collect::<Vec<u8>>());
    let mut command = home.command(&["serve", "--port", "0"]);
    command.env("KIRO_PROXY_VAULT_KEY", &key);
    let serving = Serving::start(command).await;
    assert!(serving.says("the vault's key came through the environment"));
    let process = PathBuf::from(format!("/proc/{}", serving.child.id().unwrap()));
    for file in ["environ", "cmdline"] {
        let content = text(&std::fs::read(process.join(file)).unwrap());
        assert!(!content.is_empty() && !content.contains(&key) && !content.contains("KIRO_PROXY_VAULT_KEY="), "{file}");
    }
    assert_eq!(std::fs::read_to_string(process.join("comm")).unwrap().trim(), "kiro-proxy", "it keeps its name");
    let limits = std::fs::read_to_string(process.join("limits")).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).expect("a limit");
    assert_eq!(core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"], "{core}");
    let revealed = text(&home.run(&["keys", "reveal"]).await.stdout);
    let (status, reply) = question(&serving.address, revealed.trim(), "hello").await;
    assert!(status.is_client_error() || status.is_server_error(), "there is no account: {reply}");
    assert_eq!(serving.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_beside_the_vault_is_said_to_protect_by_file_permissions_only() {
    let home = without_key();
    let made = home.run(&["vault", "status", "--vault-auto-key"]).await;
    assert!(made.status.success(), "{}", text(&made.stderr));
    assert_eq!(status_line(&made, "Key from"), "a file beside the vault: protected by file permissions only");
    let view = home.json(&["vault", "status", "--json"]).await;
    assert_eq!((&view["protectedByPermissionsOnly"], &view["state"]), (&json!(true), &json!("ready")));
    std::fs::remove_file(home.data().join("vault-auto.key")).unwrap();
    let missing = home.run(&["vault", "status", "--vault-auto-key"]).await;
    assert_eq!(code(&missing), (Some(21), "vault_key_missing".into()));
    assert!(!home.data().join("vault-auto.key").exists(), "no new key");
}

/// The unit file as sections of names with their values, in order.
fn unit() -> BTreeMap<String, Vec<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../packaging/systemd/kiro-proxy.service");
    let content = std::fs::read_to_string(path).expect("the unit file");
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut section = String::new();
    for line in content.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            name.clone_into(&mut section);
            continue;
        }
        let (name, value) = line.split_once('=').unwrap_or_else(|| panic!("not a unit file: {line}"));
        found.entry(format!("{section}.{name}")).or_default().push(value.to_owned());
    }
    found
}

#[test]
fn the_unit_that_ships_is_hardened() {
    let unit = unit();
    let is = |name: &str, value: &str| {
        let found = unit.get(&format!("Service.{name}")).unwrap_or_else(|| panic!("no {name}"));
        assert_eq!(found[0], value, "{name}");
    };
    for (name, value) in [
        ("User", "kiro-proxy"),
        ("ProtectSystem", "strict"),
        ("ProtectHome", "yes"),
        ("NoNewPrivileges", "yes"),
        ("PrivateTmp", "yes"),
        ("MemoryDenyWriteExecute", "yes"),
        ("CapabilityBoundingSet", ""),
        ("RestrictAddressFamilies", "AF_INET AF_INET6 AF_UNIX AF_NETLINK"),
        ("SystemCallFilter", "@system-service"),
        ("UMask", "0077"),
        ("LimitCORE", "0"),
        ("StateDirectoryMode", "0700"),
    ] {
        is(name, value);
    }
    assert!(!unit.contains_key("Service.Environment"), "no key in the environment of a unit");
}

#[cfg(target_os = "linux")]
#[test]
fn systemd_itself_rates_the_unit_as_safe_where_it_can_be_asked() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../packaging/systemd/kiro-proxy.service");
    let asked = std::process::Command::new("systemd-analyze")
        .args(["security", "--offline=true", "--no-pager", "--threshold=20"])
        .arg(path)
        .output();
    // Without systemd there is nobody to ask; what the unit says is held by the test above.
    let Ok(asked) = asked else { return };
    let said = text(&asked.stdout);
    if said.contains("Overall exposure level") {
        assert!(asked.status.success(), "more exposed than 2.0: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_unit_starts_what_exists_with_the_credential_that_is_read() {
    let unit = unit();
    let start = &unit["Service.ExecStart"][0];
    let words: Vec<&str> = start.split_whitespace().collect();
    assert_eq!(words[1..], ["serve", "--data-dir", "/var/lib/kiro-proxy"]);
    assert_eq!(unit["Service.StateDirectory"], ["kiro-proxy"]);
    let (name, _) = unit["Service.LoadCredentialEncrypted"][0].split_once(':').expect("a name and a file");

    let home = without_key();
    let credentials = home.dir.path().join("credentials");
    std::fs::create_dir(&credentials).unwrap();
    let key = key_file(&home, "one.key", 1);
    std::fs::rename(&key, credentials.join(name)).unwrap();
    let mut command = home.command(&["vault", "status"]);
    command.env("CREDENTIALS_DIRECTORY", &credentials);
    let output = finish(command).await;
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(status_line(&output, "Key from"), "a systemd credential");
    assert_eq!(code(&home.run(&["vault", "status"]).await).0, Some(21));
}
