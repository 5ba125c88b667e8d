//! Planted secrets: after a busy life at the most talkative log level, none is found in any file or answer.

use std::path::Path;

use base64::Engine as _;
use http::Method;
use kiro_gateway::LogChoice;
use kiro_simulator::{AccountSeed, Answer, Config, Family, Script, Target};
use serde_json::json;

use crate::harness::{Plan, World, ask, login};

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
    shifted.chain([part, wide]).collect()
}

fn contains(hay: &[u8], needle: &[u8]) -> bool {
    hay.windows(needle.len()).any(|window| window == needle)
}

async fn busy_life(world: &World) {
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
    let broken = json!({"content": format!("{{\"refreshToken\": \"{}\" nonsense", seed().refresh_token)});
    world.admin(Method::POST, "/api/accounts/import", Some(broken)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_planted_secret_is_found_in_any_file_log_or_answer_and_files_are_for_the_owner_only() {
    let planted = seed();
    let store = crate::refresh::vault_key();
    let plan = Plan { simulator: Config { accounts: vec![planted.clone()], ..Config::default() }, ..Plan::default() };
    let world = plan
        .accounts(vec![login(&planted, "2026-01-01T00:00:00.000Z")])
        .set("logs.level", "trace")
        .options(move |options| {
            options.store = store;
            options.log = LogChoice::File;
        })
        .start()
        .await;
    busy_life(&world).await;
    #[cfg(unix)]
    assert_private(&world.data_dir());

    let mut secrets = vec![planted.access_token, planted.refresh_token, planted.client_secret, world.key.clone()];
    for account in world.control.accounts() {
        secrets.extend(account.access_token);
        secrets.extend(account.refresh_token);
    }
    let mut places: Vec<(String, Vec<u8>)> = Vec::new();
    for path in
        ["/api/status", "/api/settings", "/api/accounts", "/api/keys", "/api/flows?limit=200", "/api/openapi.json"]
    {
        places.push((path.to_owned(), world.admin_ok(Method::GET, path, None).await.to_string().into_bytes()));
    }
    world.gateway.stop().await;
    files(&world.data_dir(), &mut places);
    // The log of a process goes to the gateway that was opened first: this test is the only one here that asks for one.
    let logs: usize = places.iter().filter(|(name, _)| name.contains("/logs/")).map(|(_, bytes)| bytes.len()).sum();
    assert!(logs > 1000, "the logs were written, or this test proves nothing: {logs} bytes");
    assert!(places.iter().any(|(name, _)| name.ends_with("accounts.json")));
    for secret in &secrets {
        assert!(secret.len() > 40);
        for (place, bytes) in &places {
            for disguise in disguises(secret) {
                assert!(!contains(bytes, &disguise), "{}… was found in {place}", secret.get(..16).unwrap());
            }
        }
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
