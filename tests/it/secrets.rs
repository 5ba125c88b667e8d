//! Planted secrets: after a busy life at the most talkative log level, none is found in any file or answer.

use std::path::Path;

use base64::Engine as _;
use http::Method;
use kiro_gateway::LogChoice;
use kiro_simulator::{AccountSeed, Answer, Config, Family, Script, Target};
use serde_json::{Value, json};

use crate::harness::{Plan, World, ask, login};
use crate::secret_crawl::{crawl, operations};

fn canary(kind: &str, length: usize) -> String {
    let mut text = format!("CANARY-{kind}-");
    while text.len() < length {
        text.push_str(&uuid::Uuid::new_v4().simple().to_string());
    }
    text.truncate(length);
    text
}

fn seed() -> AccountSeed {
    let mut seed = AccountSeed::new("planted", Family::BuilderId);
    seed.access_token = canary("access", 140);
    seed.refresh_token = canary("refresh", 140);
    seed.client_secret = canary("client", 80);
    seed
}

/// Nobody else may read or enter anything below `path`.
#[cfg(unix)]
fn assert_private(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::symlink_metadata(path).expect("exists").permissions().mode() & 0o777;
    assert_eq!(mode & 0o077, 0, "{} has mode {mode:o}", path.display());
    if path.is_dir() {
        std::fs::read_dir(path).expect("readable").for_each(|entry| assert_private(&entry.expect("readable").path()));
    }
}

/// Every file below `folder`, with its bytes.
fn files(folder: &Path, found: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).expect("readable") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            files(&path, found);
        } else if path.is_file() {
            found.push((path.display().to_string(), std::fs::read(&path).expect("readable")));
        }
    }
}

/// The ways in which a secret could lie around.
fn disguises(secret: &str) -> Vec<Vec<u8>> {
    let standard = base64::engine::general_purpose::STANDARD_NO_PAD;
    let wide: Vec<u8> = secret.encode_utf16().flat_map(u16::to_le_bytes).collect();
    // base64 of any alignment: the middle of the text encoded from each of the three offsets.
    let shifted = (0..3)
        .filter_map(|shift| secret.as_bytes().get(shift..shift + 30))
        .map(|part| standard.encode(part).into_bytes());
    // A recognisable part is as bad as the whole: the random middle, not the shared prefix.
    let part = secret.as_bytes().get(20..44).unwrap_or(secret.as_bytes()).to_vec();
    let hex = |upper: bool| -> Vec<u8> {
        let digits = part.iter().map(|byte| if upper { format!("{byte:02X}") } else { format!("{byte:02x}") });
        digits.collect::<String>().into_bytes()
    };
    let wide_part = wide.get(40..88).map(<[u8]>::to_vec).unwrap_or(wide);
    let big: Vec<u8> = wide_part.chunks(2).flat_map(|pair| pair.iter().rev().copied()).collect();
    let (lower, upper) = (hex(false), hex(true));
    shifted.chain([part, wide_part, big, lower, upper]).collect()
}

/// Accounts of every kind, each secret of its own and recognisable.
fn every_kind() -> Vec<AccountSeed> {
    let kinds = [
        ("planted-social", Family::Social),
        ("planted-builder", Family::BuilderId),
        ("planted-idc", Family::Idc),
        ("planted-entra", Family::ExternalIdp),
        ("planted-key", Family::ApiKey),
    ];
    kinds
        .into_iter()
        .map(|(id, family)| {
            let mut seed = AccountSeed::new(id, family);
            seed.refresh_token = canary("refresh", 140);
            match family {
                Family::ApiKey => seed.access_token = format!("ksk_{}", canary("key", 80)),
                Family::Social => seed.access_token = canary("access", 140),
                Family::BuilderId | Family::Idc | Family::ExternalIdp => {
                    seed.access_token = canary("access", 140);
                    seed.client_secret = canary("client", 80);
                }
            }
            seed
        })
        .collect()
}

/// What was planted, and what came of it later.
struct Planted {
    seeds: Vec<AccountSeed>,
    passphrase: String,
    wrong_passphrase: String,
    proxy_password: String,
    refused_token: String,
}

impl Planted {
    fn new() -> Self {
        Self {
            seeds: every_kind(),
            passphrase: canary("passphrase", 60),
            wrong_passphrase: canary("wrong-passphrase", 60),
            proxy_password: canary("proxy", 60),
            refused_token: canary("refused", 140),
        }
    }

    fn all(&self, world: &World) -> Vec<String> {
        let mut secrets = vec![
            world.key.clone(),
            self.passphrase.clone(),
            self.wrong_passphrase.clone(),
            self.proxy_password.clone(),
            self.refused_token.clone(),
        ];
        for seed in &self.seeds {
            secrets.extend([seed.access_token.clone(), seed.refresh_token.clone(), seed.client_secret.clone()]);
        }
        // Tokens that were handed out since.
        for account in world.control.accounts() {
            secrets.extend(account.access_token);
            secrets.extend(account.refresh_token);
        }
        secrets.retain(|secret| !secret.is_empty());
        secrets
    }
}

async fn busy_life(world: &World, planted: &Planted) {
    assert_eq!(world.send(&ask("SAY: one")).await.0, 200);
    world.control.expire_tokens();
    assert!(world.stream(&ask("SAY: two")).await.complete());
    for id in world.control.error_ids() {
        world.control.enqueue(Target::Any, Script { answer: Answer::Error(id), ..Script::default() });
        world.send(&ask("trouble")).await;
    }
    for path in [
        "/v1/messages",
        "/v1/chat/completions",
        "/v1/responses",
        "/v1beta/models/claude-sonnet-4-5:streamGenerateContent",
        "/v1beta/models/no-such-model:generateContent",
        "/v1beta/files",
    ] {
        let url = format!("{}{path}?alt=sse&key={}", world.url, world.key);
        let body = json!({"contents": [{"role": "user", "parts": [{"text": "SAY: three"}]}]});
        let _ = world.http.post(url).json(&body).send().await.unwrap().text().await;
    }
    let _ = world
        .http
        .get(format!("{}/v1/models", world.url))
        .header("x-api-key", format!("{}x", world.key))
        .send()
        .await
        .unwrap();
    let _ = world.http.get(format!("{}/v1/nothing?token={}", world.url, world.key)).send().await.unwrap();
    let broken = json!({"content": format!("{{\"refreshToken\": \"{}\" nonsense", planted.seeds[0].refresh_token)});
    world.admin(Method::POST, "/api/accounts/import", Some(broken)).await;
    let typed = json!({"refreshToken": planted.refused_token, "method": "social"});
    world.admin(Method::POST, "/api/accounts/manual", Some(typed)).await;
}

/// An account that reaches the network through a proxy with a password, switched off; and exports, of which only the sealed
/// one may be kept.
async fn exports(world: &World, planted: &Planted) -> String {
    let body = json!({"plain": true, "confirm": "plain"});
    let plain = world.admin_ok(Method::POST, "/api/accounts/export", Some(body)).await;
    let mut export: Value = serde_json::from_str(plain["content"].as_str().unwrap()).unwrap();
    let mut record = export["accounts"][0].clone();
    record["account"]["email"] = "proxied@example.com".into();
    record["account"]["userId"] = Value::Null;
    record["account"]["fingerprint"] = "0".repeat(32).into();
    record["account"]["enabled"] = false.into();
    record["account"]["wishes"]["proxy"] = json!({"kind": "through", "url": "http://127.0.0.1:9"});
    record["secrets"]["proxyCredentials"] = format!("someone:{}", planted.proxy_password).into();
    export["accounts"] = json!([record]);
    let body = json!({"content": export.to_string()});
    let answer = world.admin_ok(Method::POST, "/api/accounts/import", Some(body)).await;
    assert_eq!(answer["imported"].as_array().map(Vec::len), Some(1), "{answer}");
    let body = json!({"passphrase": planted.passphrase});
    let sealed = world.admin_ok(Method::POST, "/api/accounts/export", Some(body)).await;
    let content = sealed["content"].as_str().unwrap().to_owned();
    let body = json!({"content": content, "passphrase": planted.wrong_passphrase});
    world.admin(Method::POST, "/api/accounts/import/sealed", Some(body)).await;
    let body = json!({"content": content, "passphrase": planted.passphrase, "preview": true});
    let preview = world.admin_ok(Method::POST, "/api/accounts/import/sealed", Some(body)).await;
    format!("{sealed}{preview}")
}

fn assert_clean(secrets: &[String], places: &[(String, Vec<u8>)]) {
    for secret in secrets {
        assert!(secret.len() > 40, "too short to be recognised");
        for disguise in disguises(secret) {
            let finder = memchr::memmem::Finder::new(&disguise);
            for (place, bytes) in places {
                let shown = secret.get(..16).unwrap();
                assert!(finder.find(bytes).is_none(), "{shown}… was found in {place}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_planted_secret_is_found_in_any_answer_log_or_file_and_files_are_for_the_owner_only() {
    let planted = Planted::new();
    let store = crate::refresh::vault_key();
    let home = tempfile::TempDir::with_prefix("kp-").unwrap();
    let cache = home.path().join(".aws/sso/cache");
    std::fs::create_dir_all(&cache).unwrap();
    let token = login(&planted.seeds[0], "2099-01-01T00:00:00.000Z");
    std::fs::write(cache.join("kiro-auth-token.json"), token.to_string()).unwrap();
    let owned = home.path().to_owned();
    let simulator = Config { accounts: planted.seeds.clone(), ..Config::default() };
    let logins = planted.seeds.iter().map(|seed| login(seed, "2026-01-01T00:00:00.000Z")).collect();
    let world = Plan { simulator, ..Plan::default() }
        .accounts(logins)
        .set("logs.level", "trace")
        .options(move |options| {
            options.store = store;
            options.home = Some(owned);
            options.log = LogChoice::File;
        })
        .start()
        .await;
    busy_life(&world, &planted).await;
    let sealed = exports(&world, &planted).await;
    #[cfg(unix)]
    assert_private(&world.data_dir());

    let mut places: Vec<(String, Vec<u8>)> = vec![("a sealed export and its preview".into(), sealed.into_bytes())];
    let document = world.admin_ok(Method::GET, "/api/openapi.json", None).await;
    let calls = operations(&document);
    let list = |answer: &Value, name: &str| -> Vec<String> {
        let entries = answer[name].as_array().unwrap().iter();
        entries.filter_map(|entry| entry["id"].as_str().map(str::to_owned)).take(2).collect()
    };
    let mut ids = list(&world.admin_ok(Method::GET, "/api/accounts", None).await, "accounts");
    ids.extend(list(&world.admin_ok(Method::GET, "/api/keys", None).await, "keys"));
    ids.extend(list(&world.admin_ok(Method::GET, "/api/flows?limit=2", None).await, "flows"));
    ids.push("none".to_owned());
    let secrets_before = planted.all(&world);
    let (mut good, mut removed, mut unknown) = (0, 0, 0);
    for (name, status, bytes) in crawl(&world, &calls, &ids).await {
        good += usize::from(status < 300);
        if name.starts_with("DELETE") {
            removed += usize::from(status < 300);
            unknown += usize::from(status == 404 && name.ends_with("/none"));
        }
        // The one call that is there to show a client's key.
        if !name.ends_with("/reveal") {
            places.push((name, bytes));
        }
    }
    assert!(good >= 15, "only {good} of the crawl's calls were answered well: it saw little");
    assert!(removed >= 3 && unknown >= 3, "accounts and keys that exist and that do not: {removed}, {unknown}");
    let mut secrets = planted.all(&world);
    secrets.extend(secrets_before);
    secrets.sort();
    secrets.dedup();
    world.gateway.stop().await;
    files(&world.data_dir(), &mut places);
    // The log of a process goes to the gateway that was opened first: this test is the only one here that asks for one.
    let logs: usize = places.iter().filter(|(name, _)| name.contains("/logs/")).map(|(_, bytes)| bytes.len()).sum();
    assert!(logs > 1000, "the logs were written, or this test proves nothing: {logs} bytes");
    assert!(places.iter().any(|(name, _)| name.ends_with("accounts.json")));
    assert_clean(&secrets, &places);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_found_wherever_it_is_hidden() {
    let secret = canary("hidden", 80);
    let places = |bytes: Vec<u8>| vec![("a place".to_owned(), [b"before ".as_slice(), &bytes, b" after"].concat())];
    let standard = base64::engine::general_purpose::STANDARD;
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    let wide: Vec<u8> = secret.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let shifted = standard.encode(format!("ab{secret}"));
    for hidden in [
        secret.clone().into_bytes(),
        hex.into_bytes(),
        wide,
        shifted.into_bytes(),
        standard.encode(&secret).into_bytes(),
    ] {
        let found = std::panic::catch_unwind(|| assert_clean(std::slice::from_ref(&secret), &places(hidden)));
        assert!(found.is_err(), "this test would not see it");
    }
    assert_clean(&[secret], &places(b"nothing".to_vec()));
}

/// What any user of the machine, or a crash report, can read of a running gateway.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn the_process_shows_no_secret_in_its_arguments_and_environment() {
    let planted = Planted::new();
    let home = crate::home::Home::new();
    let key_file = std::fs::read(home.dir.path().join("vault.key")).unwrap();
    for (number, seed) in planted.seeds.iter().enumerate() {
        let path = home.dir.path().join(format!("{number}.json"));
        std::fs::write(&path, login(seed, "2099-01-01T00:00:00.000Z").to_string()).unwrap();
        home.json(&["accounts", "import", path.to_str().unwrap(), "--json"]).await;
        std::fs::remove_file(path).unwrap();
    }
    let serving = home.serve(&["--log-level", "trace"]).await;
    let id = serving.id();
    let mut places: Vec<(String, Vec<u8>)> = ["cmdline", "environ", "status", "comm"]
        .map(|name| match std::fs::read(format!("/proc/{id}/{name}")) {
            Ok(bytes) => (format!("/proc/{name}"), bytes),
            // A process that allows no dumps hides its environment from its own user, too.
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => (name.to_owned(), Vec::new()),
            Err(error) => panic!("{name}: {error}"),
        })
        .to_vec();
    assert!(places[0].1.windows(5).any(|window| window == b"serve"), "that is our process");
    files(&home.data(), &mut places);
    let mut secrets: Vec<String> = Vec::new();
    for seed in &planted.seeds {
        secrets.extend([seed.access_token.clone(), seed.refresh_token.clone(), seed.client_secret.clone()]);
    }
    secrets.push(String::from_utf8(key_file).unwrap().trim().to_owned());
    secrets.retain(|secret| secret.len() > 40);
    assert_clean(&secrets, &places);
}

/// The runtime's own check of its settings is the one place where a value from outside makes this program panic, and it quotes
/// the value.
#[tokio::test(flavor = "multi_thread")]
async fn a_panic_of_the_real_program_tells_its_place_and_no_secret() {
    let secret = canary("panic", 140);
    for backtrace in ["0", "1"] {
        let home = crate::home::Home::new();
        let mut command = home.command(&["serve", "--port", "0", "--log-level", "trace"]);
        command.env("TOKIO_WORKER_THREADS", &secret).env("RUST_BACKTRACE", backtrace);
        let output = crate::home::finish(command).await;
        let said = crate::home::text(&output.stderr);
        assert_eq!(output.status.code(), Some(101), "it panics: {said}");
        assert!(said.contains("a fault of ours at "), "{said}");
        let mut places = vec![("standard error".to_owned(), output.stderr), ("its output".to_owned(), output.stdout)];
        if home.data().exists() {
            files(&home.data(), &mut places);
        }
        assert_clean(std::slice::from_ref(&secret), &places);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_shown_to_clients_and_faces_hold_no_secret() {
    let planted = seed();
    let plan = Plan { simulator: Config { accounts: vec![planted.clone()], ..Config::default() }, ..Plan::default() };
    let world = plan.accounts(vec![login(&planted, "2099-01-01T00:00:00.000Z")]).set("limits.retries", 0).start().await;
    for id in world.control.error_ids() {
        world.control.enqueue(Target::Any, Script { answer: Answer::Error(id.clone()), ..Script::default() });
        let (_, reply) = world.send(&ask("hello")).await;
        assert!(!reply.to_string().contains("CANARY"), "{id}: {reply}");
    }
    let echo = Answer::Http {
        status: 400,
        headers: vec![],
        body: json!({"message": format!("bad token {}", planted.access_token)}).to_string(),
    };
    world.control.enqueue(Target::Any, Script { answer: echo, ..Script::default() });
    let (_, reply) = world.send(&ask("hello")).await;
    assert!(!reply.to_string().contains(&planted.access_token[10..60]), "an upstream that echoes the token: {reply}");
}
