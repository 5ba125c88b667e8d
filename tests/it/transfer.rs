//! Accounts that come in and go out: scan, preview, add by hand, export and back. What belongs to other programs is never
//! changed, and nothing secret is shown.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::{Method, StatusCode};
use kiro_gateway::clock::{Clock as _, ManualClock, Timestamp};
use kiro_simulator::{AccountSeed, Answer, Family, Script, Target};
use serde_json::{Value, json};

use crate::harness::{Plan, World, ask, fresh_login, login};

/// A home folder with the logins of the Kiro IDE (Builder ID, registration beside it) and of kiro-cli (social).
struct OtherPrograms {
    home: tempfile::TempDir,
}

impl OtherPrograms {
    fn new() -> Self {
        let home = tempfile::TempDir::with_prefix("kp-").unwrap();
        let this = Self { home };
        let seed = AccountSeed::new("builderid", Family::BuilderId);
        this.write_ide(&seed);
        let database = this.home.path().join(".local/share/kiro-cli/data.sqlite3");
        std::fs::create_dir_all(database.parent().unwrap()).unwrap();
        let social = AccountSeed::new("social", Family::Social);
        let token = json!({"access_token": social.access_token, "refresh_token": social.refresh_token,
            "expires_at": "2099-01-01T00:00:00Z", "profile_arn": social.profile_arn, "provider": "google"});
        let cli = rusqlite::Connection::open(&database).unwrap();
        cli.execute_batch(
            "PRAGMA journal_mode=WAL; CREATE TABLE auth_kv (key TEXT PRIMARY KEY, value TEXT);
             CREATE TABLE state (key TEXT PRIMARY KEY, value BLOB);",
        )
        .unwrap();
        cli.execute("INSERT INTO auth_kv VALUES ('kirocli:social:token', ?1)", [token.to_string()]).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::set_permissions(&database, std::fs::Permissions::from_mode(0o600)).unwrap();
        }
        this
    }

    fn cache(&self) -> PathBuf {
        self.home.path().join(".aws/sso/cache")
    }

    fn write_ide(&self, seed: &AccountSeed) {
        let hash = "e909a0580879b06ece1202964fbe9dda95ea4ce3";
        std::fs::create_dir_all(self.cache()).unwrap();
        let token = json!({"accessToken": seed.access_token, "refreshToken": seed.refresh_token,
            "expiresAt": "2099-01-01T00:00:00.000Z", "authMethod": "IdC", "provider": "BuilderId",
            "region": "us-east-1", "clientIdHash": hash, "email": "person@example.com"});
        let path = self.cache().join("kiro-auth-token.json");
        std::fs::write(&path, token.to_string()).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        }
        let client = json!({"clientId": seed.client_id, "clientSecret": seed.client_secret,
            "expiresAt": "2099-01-01T00:00:00.000Z", "scopes": ["codewhisperer:completions"]});
        std::fs::write(self.cache().join(format!("{hash}.json")), client.to_string()).unwrap();
    }

    async fn world(&self, clock: Arc<ManualClock>) -> World {
        let home = self.home.path().to_owned();
        let plan = Plan::default().accounts(vec![]).options(move |options| {
            options.home = Some(home);
            options.clock = clock;
        });
        plan.start().await
    }

    /// Every file with its bytes and its time of change.
    fn picture(&self) -> BTreeMap<PathBuf, (Vec<u8>, SystemTime)> {
        let mut found = BTreeMap::new();
        fn walk(folder: &Path, found: &mut BTreeMap<PathBuf, (Vec<u8>, SystemTime)>) {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    walk(&path, found);
                } else {
                    let changed = std::fs::metadata(&path).unwrap().modified().unwrap();
                    found.insert(path.clone(), (std::fs::read(&path).unwrap(), changed));
                }
            }
        }
        walk(self.home.path(), &mut found);
        found
    }
}

fn now() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(Timestamp::from_unix_seconds(1_800_000_000)))
}

fn ids(scan: &Value) -> Vec<String> {
    scan["found"].as_array().unwrap().iter().map(|login| login["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_previews_without_secrets_adds_copies_or_links_and_changes_nothing() {
    let others = OtherPrograms::new();
    let before = others.picture();
    let world = others.world(now()).await;
    let scan = world.admin_ok(Method::GET, "/api/accounts/scan", None).await;
    assert_eq!(scan["problems"], json!([]), "{scan}");
    let owners: Vec<_> = scan["found"].as_array().unwrap().iter().map(|found| found["owner"].clone()).collect();
    assert_eq!(owners, [json!("kiroIde"), json!("kiroCli")]);
    assert_eq!(scan["found"][0]["email"], "p…@example.com");
    assert_eq!(scan["found"][0]["method"], "idc");
    assert_eq!(scan["found"][0]["known"], Value::Null);
    assert!(scan["found"][0]["warnings"].to_string().contains("sharedWithOwner"), "{scan}");
    assert!(scan["found"][0]["warnings"].to_string().contains("othersCanRead"), "{scan}");
    for seed in [AccountSeed::new("builderid", Family::BuilderId), AccountSeed::new("social", Family::Social)] {
        for secret in [&seed.access_token, &seed.refresh_token, &seed.client_secret] {
            assert!(secret.is_empty() || !scan.to_string().contains(secret.as_str()), "a secret in a preview");
        }
    }
    let ids = ids(&scan);
    let copy = world.admin_ok(Method::POST, "/api/accounts/scan/add", Some(json!({"ids": [ids[0]]}))).await;
    assert_eq!(copy["imported"][0]["origin"], "imported", "{copy}");
    let body = json!({"ids": [ids[1]], "link": true});
    let link = world.admin_ok(Method::POST, "/api/accounts/scan/add", Some(body)).await;
    assert_eq!(link["imported"][0]["origin"], "linked", "{link}");
    assert_eq!(link["notes"][0]["warnings"], json!(["sharedWithOwner"]), "{link}");
    let again = world.admin_ok(Method::GET, "/api/accounts/scan", None).await;
    assert_eq!(again["found"][0]["known"], copy["imported"][0]["id"], "{again}");
    assert_eq!(again["found"][1]["known"], link["imported"][0]["id"], "{again}");
    let twice = world.admin_ok(Method::POST, "/api/accounts/scan/add", Some(json!({"ids": [ids[0]]}))).await;
    assert_eq!(twice["duplicates"], json!([copy["imported"][0]["id"]]), "{twice}");
    let (status, reply) = world.send(&ask("SAY: at work")).await;
    assert_eq!(status, StatusCode::OK, "{reply}");
    assert_eq!(others.picture(), before, "what belongs to other programs was changed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_follows_the_list_of_the_original_program() {
    let others = OtherPrograms::new();
    let home = others.home.path();
    let tokens = home.join(".kiro-proxy/tokens");
    std::fs::create_dir_all(&tokens).unwrap();
    let list = json!({"accounts": [
        {"id": "a1", "name": "the IDE's", "token_path": "~/.aws/sso/cache/kiro-auth-token.json", "enabled": true},
        {"id": "a2", "name": "second", "token_path": "~/.kiro-proxy/tokens/second.json", "enabled": true},
        {"id": "a3", "name": "gone", "token_path": "~/nowhere.json", "enabled": true},
    ]});
    std::fs::write(home.join(".kiro-proxy/config.json"), list.to_string()).unwrap();
    std::fs::write(tokens.join("second.json"), fresh_login("idc", Family::Idc).to_string()).unwrap();
    let before = others.picture();
    let world = others.world(now()).await;
    let scan = world.admin_ok(Method::GET, "/api/accounts/scan", None).await;
    assert_eq!(scan["problems"], json!([]), "{scan}");
    let owners: Vec<_> = scan["found"].as_array().unwrap().iter().map(|found| found["owner"].clone()).collect();
    assert_eq!(owners, [json!("kiroIde"), json!("kiroCli"), json!("kiroProxy")]);
    let third = ids(&scan).remove(2);
    let body = json!({"ids": [third], "link": true, "writeBack": true});
    let added = world.admin_ok(Method::POST, "/api/accounts/scan/add", Some(body)).await;
    let link = &added["imported"][0]["link"];
    assert_eq!((&link["owner"], &link["writeBack"]), (&json!("kiroProxy"), &json!(true)), "{added}");
    assert_eq!(others.picture(), before, "what belongs to other programs was changed");

    std::fs::write(home.join(".kiro-proxy/config.json"), "{\"accounts\": [{\"token_path\": \"~/half").unwrap();
    let scan = world.admin_ok(Method::GET, "/api/accounts/scan", None).await;
    let problem = &scan["problems"][0];
    assert_eq!((&problem["owner"], &problem["code"]), (&json!("kiroProxy"), &json!("owner_malformed")), "{scan}");
    assert!(!scan.to_string().contains("half"), "{scan}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_seen_can_be_added_for_ten_minutes_and_only_as_it_was_seen() {
    let others = OtherPrograms::new();
    let clock = now();
    let world = others.world(Arc::clone(&clock)).await;
    let scan = world.admin_ok(Method::GET, "/api/accounts/scan", None).await;
    let ids = ids(&scan);
    others.write_ide(&AccountSeed { refresh_token: "z".repeat(140), ..AccountSeed::new("other", Family::BuilderId) });
    let body = json!({"ids": [ids[0], "unknown"]});
    let changed = world.admin_ok(Method::POST, "/api/accounts/scan/add", Some(body)).await;
    assert_eq!(changed["rejected"][0]["code"], "owner_changed", "{changed}");
    assert_eq!(changed["rejected"][1]["code"], "scan_expired", "{changed}");
    clock.set(clock.now().plus(Duration::from_secs(601)));
    let late = world.admin_ok(Method::POST, "/api/accounts/scan/add", Some(json!({"ids": [ids[1]]}))).await;
    assert_eq!(late["rejected"][0]["code"], "scan_expired", "{late}");
    let accounts = world.admin_ok(Method::GET, "/api/accounts", None).await;
    assert_eq!(accounts["accounts"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_logins_of_other_programs_are_problems_with_words_and_the_good_ones_stay() {
    let others = OtherPrograms::new();
    std::fs::write(others.cache().join("kiro-auth-token.json"), "{\"refreshToken\": \"half").unwrap();
    let world = others.world(now()).await;
    let scan = world.admin_ok(Method::GET, "/api/accounts/scan", None).await;
    assert_eq!(scan["problems"][0]["code"], "owner_malformed", "{scan}");
    assert_eq!(scan["found"].as_array().map(Vec::len), Some(1), "{scan}");
    assert!(!scan.to_string().contains("half"), "{scan}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preview_tells_what_would_be_imported_and_adds_nothing() {
    let world = Plan::default().start().await;
    let mixed = json!([
        fresh_login("social", Family::Social),
        fresh_login("idc", Family::Idc),
        {"refreshToken": "short", "authMethod": "social"},
    ]);
    let body = json!({"content": mixed.to_string(), "preview": true});
    let preview = world.admin_ok(Method::POST, "/api/accounts/import", Some(body)).await;
    assert_eq!(preview["imported"], json!([]), "{preview}");
    let found = preview["found"].as_array().unwrap();
    assert_eq!(found.len(), 2, "{preview}");
    assert!(found[0]["known"].is_string() && found[1]["known"].is_null(), "{preview}");
    assert_eq!(preview["rejected"][0]["index"], 2, "{preview}");
    for seed in [AccountSeed::new("social", Family::Social), AccountSeed::new("idc", Family::Idc)] {
        assert!(!preview.to_string().contains(&seed.refresh_token), "{preview}");
        assert!(!preview.to_string().contains(&seed.email), "addresses are masked: {preview}");
    }
    let accounts = world.admin_ok(Method::GET, "/api/accounts", None).await;
    assert_eq!(accounts["accounts"].as_array().map(Vec::len), Some(1), "only the one from before");
}

fn refreshes(world: &World) -> usize {
    world.control.journal().iter().filter(|e| matches!(e.operation.as_str(), "RefreshToken" | "CreateToken")).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_typed_account_is_tried_once_and_saved_with_what_came_back() {
    for (id, family) in [("social", Family::Social), ("builderid", Family::BuilderId), ("idc", Family::Idc)] {
        let world = Plan::default().accounts(vec![]).start().await;
        let seed = AccountSeed::new(id, family);
        let mut body = json!({"refreshToken": format!("  {}\n", seed.refresh_token), "label": "typed"});
        if !seed.client_id.is_empty() {
            body["clientId"] = seed.client_id.as_str().into();
            body["clientSecret"] = seed.client_secret.as_str().into();
            body["region"] = seed.oidc_region.as_str().into();
        }
        let answer = world.admin_ok(Method::POST, "/api/accounts/manual", Some(body.clone())).await;
        assert_eq!(answer["imported"][0]["label"], "typed", "{answer}");
        assert_eq!(refreshes(&world), 1, "{id}");
        let (status, reply) = world.send(&ask("SAY: typed")).await;
        assert_eq!(status, StatusCode::OK, "{id}: {reply}");
        assert_eq!(refreshes(&world), 1, "the token that came back is used");
        world.control.expire_tokens();
        let (status, reply) = world.send(&ask("SAY: rotated")).await;
        assert_eq!(status, StatusCode::OK, "{id}: the rotated token was kept: {reply}");
        let again = world.admin_ok(Method::POST, "/api/accounts/manual", Some(body)).await;
        assert_eq!(again["duplicates"], json!([answer["imported"][0]["id"]]), "{again}");
        assert_eq!(refreshes(&world), 2, "a known account is not tried: that would use its token up");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_typed_account_that_is_refused_or_cannot_be_tried_is_not_saved() {
    let world = Plan::default().accounts(vec![]).start().await;
    let (status, problem) = world
        .admin(Method::POST, "/api/accounts/manual", Some(json!({"refreshToken": "q".repeat(140), "method": "social"})))
        .await;
    assert_eq!((status, &problem["code"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("login_refused")), "{problem}");
    assert!(!problem.to_string().contains("qqqq"), "{problem}");
    let seed = AccountSeed::new("social", Family::Social);
    let busy = Answer::Http { status: 503, headers: vec![], body: "{}".to_owned() };
    for _ in 0..5 {
        let script = Script { operation: "RefreshToken".to_owned(), answer: busy.clone(), ..Script::default() };
        world.control.enqueue(Target::Any, script);
    }
    let body = json!({"refreshToken": seed.refresh_token, "method": "social"});
    let (status, problem) = world.admin(Method::POST, "/api/accounts/manual", Some(body)).await;
    assert_eq!((status, &problem["code"]), (StatusCode::BAD_GATEWAY, &json!("login_unchecked")), "{problem}");
    for bad in
        [json!({"refreshToken": "short"}), json!({"refreshToken": ""}), json!({"refreshToken": "a b".repeat(60)})]
    {
        let answer = world.admin_ok(Method::POST, "/api/accounts/manual", Some(bad)).await;
        assert_eq!(answer["rejected"].as_array().map(Vec::len), Some(1), "{answer}");
    }
    let body = json!({"refreshToken": "r".repeat(140), "method": "idc", "region": "us-east-1.attacker.example/#",
        "clientId": "c", "clientSecret": "s"});
    let answer = world.admin_ok(Method::POST, "/api/accounts/manual", Some(body)).await;
    assert_eq!(answer["rejected"][0]["code"], "region_not_allowed", "{answer}");
    let accounts = world.admin_ok(Method::GET, "/api/accounts", None).await;
    assert_eq!(accounts["accounts"], json!([]));
}

const PASSPHRASE: &str = "correct horse battery";

async fn plain_export(world: &World) -> Value {
    let body = json!({"plain": true, "confirm": "plain"});
    let answer = world.admin_ok(Method::POST, "/api/accounts/export", Some(body)).await;
    assert!(answer["fileName"].as_str().is_some_and(|name| name.ends_with(".json")), "{answer}");
    serde_json::from_str(answer["content"].as_str().unwrap()).unwrap()
}

/// What must be the same on the other side: all but what is the other side's own.
fn carried(export: &Value) -> Vec<Value> {
    let mut records = export["accounts"].as_array().unwrap().clone();
    for record in &mut records {
        let account = record["account"].as_object_mut().unwrap();
        for own in ["id", "addedAt", "origin", "learnedHost"] {
            account.remove(own);
        }
    }
    records
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_carries_every_account_whole_to_another_installation() {
    let kinds = [
        ("social", Family::Social),
        ("builderid", Family::BuilderId),
        ("idc", Family::Idc),
        ("entra", Family::ExternalIdp),
        ("apikey", Family::ApiKey),
    ];
    // Nobody is served, so nothing is found out about the accounts meanwhile: what goes in is what comes out.
    let quiet = || Plan { listen: false, ..Plan::default() };
    let here = quiet().accounts(kinds.map(|(id, family)| fresh_login(id, family)).to_vec()).start().await;
    let mut export = plain_export(&here).await;
    assert_eq!(export["accounts"].as_array().map(Vec::len), Some(5), "{export}");
    // Wishes of a person and a machine id of its own, as if they had been set here.
    export["accounts"][0]["account"]["wishes"] = json!({"tags": ["work"], "note": "mine", "priority": 7,
        "quotaFloorPercent": 10, "proxy": {"kind": "through", "url": "socks5://127.0.0.1:9"}});
    export["accounts"][0]["secrets"]["proxyCredentials"] = "someone:something".into();
    export["accounts"][0]["account"]["machineId"] =
        "d3107e0af272154f40420eead74da9cfe63b0d38cfd6051ac9900f6061940d4f".into();
    export["accounts"][1]["account"]["label"] = "其他".into();
    export["accounts"][1]["account"]["enabled"] = false.into();

    let middle = quiet().accounts(vec![]).start().await;
    let body = json!({"content": export.to_string()});
    let answer = middle.admin_ok(Method::POST, "/api/accounts/import", Some(body)).await;
    assert_eq!((answer["imported"].as_array().map(Vec::len), &answer["rejected"]), (Some(5), &json!([])), "{answer}");
    assert_eq!(carried(&plain_export(&middle).await), carried(&export));

    let body = json!({"passphrase": PASSPHRASE});
    let sealed = middle.admin_ok(Method::POST, "/api/accounts/export", Some(body)).await;
    assert!(sealed["fileName"].as_str().is_some_and(|name| name.ends_with(".sealed.json")), "{sealed}");
    let content = sealed["content"].as_str().unwrap();
    let there = quiet().accounts(vec![]).start().await;
    let body = json!({"content": content, "passphrase": PASSPHRASE, "preview": true});
    let preview = there.admin_ok(Method::POST, "/api/accounts/import/sealed", Some(body)).await;
    assert_eq!(preview["found"].as_array().map(Vec::len), Some(5), "{preview}");
    let body = json!({"content": content, "passphrase": PASSPHRASE});
    let answer = there.admin_ok(Method::POST, "/api/accounts/import/sealed", Some(body.clone())).await;
    assert_eq!(answer["imported"].as_array().map(Vec::len), Some(5), "{answer}");
    assert_eq!(carried(&plain_export(&there).await), carried(&export));
    let again = there.admin_ok(Method::POST, "/api/accounts/import/sealed", Some(body)).await;
    assert_eq!(again["duplicates"].as_array().map(Vec::len), Some(5), "{again}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_is_sealed_unless_a_person_insists_and_opens_with_its_passphrase_only() {
    let world = World::start().await;
    let refused = [
        json!({}),
        json!({"passphrase": "short"}),
        json!({"plain": true}),
        json!({"plain": true, "confirm": "yes"}),
        json!({"plain": true, "confirm": "plain", "passphrase": PASSPHRASE}),
    ];
    for body in refused {
        let (status, problem) = world.admin(Method::POST, "/api/accounts/export", Some(body.clone())).await;
        assert_eq!((status.as_u16(), &problem["code"]), (422, &json!("invalid_fields")), "{body}: {problem}");
        assert!(!problem.to_string().contains("efresh"), "{problem}");
    }
    let (status, problem) = world
        .admin(Method::POST, "/api/accounts/export", Some(json!({"ids": ["none"], "passphrase": PASSPHRASE})))
        .await;
    assert_eq!((status.as_u16(), &problem["code"]), (404, &json!("not_found")), "{problem}");

    let sealed = world.admin_ok(Method::POST, "/api/accounts/export", Some(json!({"passphrase": PASSPHRASE}))).await;
    let content = sealed["content"].as_str().unwrap().to_owned();
    let body = json!({"content": content, "passphrase": "another passphrase"});
    let (status, problem) = world.admin(Method::POST, "/api/accounts/import/sealed", Some(body)).await;
    assert_eq!((status.as_u16(), &problem["code"]), (422, &json!("passphrase_wrong")), "{problem}");
    let (status, problem) = world.admin(Method::POST, "/api/accounts/import", Some(json!({"content": content}))).await;
    assert_eq!((status.as_u16(), &problem["code"]), (422, &json!("passphrase_needed")), "{problem}");
    let preview =
        world.admin_ok(Method::POST, "/api/accounts/import", Some(json!({"content": content, "preview": true}))).await;
    assert_eq!(preview["sealed"], true, "{preview}");
    let bomb = content.replacen("m=65536", "m=4194304", 1);
    let body = json!({"content": bomb, "passphrase": PASSPHRASE});
    let (status, problem) = world.admin(Method::POST, "/api/accounts/import/sealed", Some(body)).await;
    assert_eq!((status.as_u16(), &problem["code"]), (422, &json!("nothing_to_import")), "{problem}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_export_is_believed_no_more_than_any_other_file() {
    let here = World::start().await;
    let export = plain_export(&here).await;
    let there = Plan::default().accounts(vec![]).start().await;
    let hostile = [
        ("/accounts/0/account/method", json!("magic"), "export_damaged"),
        (
            "/accounts/0/account/profileArn",
            json!("arn:aws:codewhisperer:evil.example/:1:profile/X"),
            "profile_arn_malformed",
        ),
        ("/accounts/0/account/apiRegion", json!("us-east-1.evil.example"), "region_not_allowed"),
        ("/accounts/0/secrets/refreshToken", json!("a\r\nHost: evil"), "secret_malformed"),
        ("/accounts/0/secrets/refreshToken", json!(""), "refresh_token_missing"),
        ("/accounts/0/secrets", json!(5), "export_damaged"),
        ("/accounts/0/account/origin", json!("demo"), "demo_account"),
        ("/version", json!(2), "format_newer"),
        ("/accounts", json!([]), "no_account"),
    ];
    for (place, value, code) in hostile {
        let mut changed = export.clone();
        let at = changed.pointer_mut(place);
        match at {
            Some(at) => *at = value.clone(),
            None => changed["accounts"][0]["account"][place.rsplit('/').next().unwrap()] = value.clone(),
        }
        let body = json!({"content": changed.to_string()});
        let answer = there.admin_ok(Method::POST, "/api/accounts/import", Some(body)).await;
        assert_eq!(answer["rejected"][0]["code"], code, "{place} = {value}: {answer}");
    }
    let mut wishes = export.clone();
    wishes["accounts"][0]["account"]["wishes"] = json!({"host": "evil.example", "tags": ["", "a\u{1b}"],
        "proxy": {"kind": "through", "url": "http://user:password@evil.example"}});
    let answer =
        there.admin_ok(Method::POST, "/api/accounts/import", Some(json!({"content": wishes.to_string()}))).await;
    assert_eq!(answer["notes"][0]["warnings"], json!(["wishDropped"]), "{answer}");
    let kept = plain_export(&there).await["accounts"][0]["account"].clone();
    assert!(!kept.to_string().contains("evil"), "{kept}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_account_is_left_out_and_a_linked_one_is_exported_as_a_copy() {
    let others = OtherPrograms::new();
    let world = others.world(now()).await;
    let (status, problem) =
        world.admin(Method::POST, "/api/accounts/export", Some(json!({"passphrase": PASSPHRASE}))).await;
    assert_eq!((status.as_u16(), &problem["code"]), (422, &json!("nothing_to_export")), "{problem}");
    let scan = world.admin_ok(Method::GET, "/api/accounts/scan", None).await;
    let body = json!({"ids": [ids(&scan)[1]], "link": true});
    let added = world.admin_ok(Method::POST, "/api/accounts/scan/add", Some(body)).await;
    let export = world.admin_ok(Method::POST, "/api/accounts/export", Some(json!({"passphrase": PASSPHRASE}))).await;
    assert_eq!(export["shared"], json!([added["imported"][0]["id"]]), "{export}");
    let there = Plan::default().accounts(vec![]).start().await;
    let body = json!({"content": export["content"], "passphrase": PASSPHRASE});
    let answer = there.admin_ok(Method::POST, "/api/accounts/import/sealed", Some(body)).await;
    assert_eq!(answer["imported"][0]["origin"], "imported", "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_of_a_planted_login_reaches_the_service_with_its_own_token() {
    let seed = AccountSeed::new("social", Family::Social);
    let world = Plan::default().accounts(vec![login(&seed, "2026-01-01T00:00:00.000Z")]).start().await;
    assert_eq!(world.send(&ask("SAY: hi")).await.0, StatusCode::OK);
    assert_eq!(refreshes(&world), 1);
}
