//! A login shared with the Kiro IDE: adopted within two seconds, shown as shared, and stopped when it becomes somebody else's.

use std::path::Path;
use std::time::Duration;

use http::{Method, StatusCode};
use kiro_simulator::{AccountSeed, Family};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{PATIENCE, Plan, World, ask, fresh_login};
use crate::refresh::vault_key;

fn owner_signs_in(file: &Path, seed: &AccountSeed, provider: &str) {
    let login = json!({
        "accessToken": seed.access_token, "refreshToken": seed.refresh_token, "profileArn": seed.profile_arn,
        "expiresAt": "2099-01-01T00:00:00.000Z", "authMethod": "social", "provider": provider,
    });
    let new = file.with_extension("new");
    std::fs::write(&new, login.to_string()).unwrap();
    std::fs::rename(new, file).unwrap();
}

/// A world whose account shares the login `social` with a file.
async fn world(folder: &TempDir) -> World {
    let file = folder.path().join("kiro-auth-token.json");
    owner_signs_in(&file, &AccountSeed::new("social", Family::Social), "Google");
    let key = vault_key();
    let mut world = Plan::default()
        .accounts(vec![fresh_login("social", Family::Social)])
        .options(move |options| options.store = key)
        .start()
        .await;
    let list = world.data_dir().join("accounts.json");
    let shared = json!({"owner": "kiroIde", "path": file});
    let reopened = world.restart(move |_| {
        let mut accounts: Value = serde_json::from_slice(&std::fs::read(&list).unwrap()).unwrap();
        accounts["accounts"][0]["origin"] = "linked".into();
        accounts["accounts"][0]["userId"] = "d-xxxxxxxxxx.social".into();
        accounts["accounts"][0]["link"] = shared;
        std::fs::write(&list, accounts.to_string()).unwrap();
    });
    reopened.await.expect("opens again");
    world.listen().await;
    world
}

async fn account(world: &World) -> Value {
    world.admin_ok(Method::GET, "/api/accounts", None).await["accounts"][0].clone()
}

async fn until(world: &World, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
    let waiting = async {
        loop {
            let account = account(world).await;
            if holds(&account) {
                return account;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("never happened: {what}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shared_login_is_shown_and_answers_with_the_owners_token() {
    let folder = TempDir::with_prefix("kp-owner-").unwrap();
    let world = world(&folder).await;
    let (status, reply) = world.send(&ask("SAY: shared")).await;
    assert_eq!(status, StatusCode::OK, "{reply}");
    assert_eq!(world.control.counters().refreshes, 0, "the owner's access token is good");
    let account = account(&world).await;
    assert_eq!(account["link"]["owner"], "kiroIde", "{account}");
    assert_eq!((&account["link"]["writeBack"], &account["link"]["divergedAt"]), (&json!(false), &Value::Null));
    let path = format!("/api/accounts/{}/link", account["id"].as_str().unwrap());
    let changed = world.admin_ok(Method::PATCH, &path, Some(json!({"writeBack": true}))).await;
    assert_eq!(changed["link"]["writeBack"], true, "{changed}");
    let kept = world.admin_ok(Method::PATCH, &path, Some(json!({"decision": "keep"}))).await;
    assert_eq!((&kept["link"], &kept["origin"]), (&Value::Null, &json!("imported")));
    let (status, problem) = world.admin(Method::PATCH, &path, Some(json!({"writeBack": true}))).await;
    assert_eq!((status, &problem["code"]), (StatusCode::CONFLICT, &json!("not_linked")));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_person_in_the_owners_file_stops_the_account_and_is_taken_over_by_a_word() {
    for (id, provider, family) in [("builderid", "Github", Family::BuilderId), ("second", "Google", Family::Social)] {
        let folder = TempDir::with_prefix("kp-owner-").unwrap();
        let world = world(&folder).await;
        let (status, reply) = world.send(&ask("SAY: first")).await;
        assert_eq!(status, StatusCode::OK, "{reply}");
        // Another provider is seen in the file; another person of the same provider only by asking the service.
        let second = AccountSeed::new(id, Family::Social);
        if family == Family::Social {
            world.control.add_account(second.clone());
        }
        owner_signs_in(&folder.path().join("kiro-auth-token.json"), &second, provider);
        let stopped = until(&world, "the account stops", |account| account["state"]["kind"] == "ownerSwitched").await;
        assert!(stopped["link"]["switchedAt"].is_i64(), "{stopped}");
        let (status, _) = world.send(&ask("SAY: nothing is sent")).await;
        assert!(!status.is_success());
        if family == Family::Social {
            let path = format!("/api/accounts/{}/link", stopped["id"].as_str().unwrap());
            let taken = world.admin_ok(Method::PATCH, &path, Some(json!({"decision": "adopt"}))).await;
            assert_eq!((&taken["state"]["kind"], &taken["link"]["switchedAt"]), (&json!("ready"), &Value::Null));
            let (status, reply) = world.send(&ask("SAY: second")).await;
            assert_eq!(status, StatusCode::OK, "{reply}");
        }
    }
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_shows_and_changes_how_a_login_is_shared() {
    use crate::home::{Home, text};
    let home = Home::new();
    let added = home.json(&["accounts", "import", &home.login("social", Family::Social), "--json"]).await;
    let id = added["imported"][0]["id"].as_str().expect("an id").to_owned();
    let alone = home.run(&["accounts", "link", &id]).await;
    assert!(text(&alone.stdout).contains("with no other program"), "{}", text(&alone.stdout));
    let refused = home.run(&["accounts", "link", &id, "--write-back", "on"]).await;
    assert!(!refused.status.success() && text(&refused.stderr).contains("not_linked"), "{}", text(&refused.stderr));
    let folder = TempDir::with_prefix("kp-owner-").unwrap();
    let file = folder.path().join("kiro-auth-token.json");
    owner_signs_in(&file, &AccountSeed::new("social", Family::Social), "Google");
    let list = home.data().join("accounts.json");
    let mut accounts: Value = serde_json::from_slice(&std::fs::read(&list).unwrap()).unwrap();
    accounts["accounts"][0]["link"] = json!({"owner": "kiroIde", "path": file});
    std::fs::write(&list, accounts.to_string()).unwrap();
    let changed = home.json(&["accounts", "link", &id, "--write-back", "on", "--json"]).await;
    assert_eq!(changed["link"]["writeBack"], true, "{changed}");
    let shown = text(&home.run(&["accounts", "link", &id]).await.stdout);
    assert!(shown.contains("kiroIde") && shown.contains("are written into that file"), "{shown}");
    let kept = home.json(&["accounts", "link", &id, "--keep", "--json"]).await;
    assert_eq!(kept["link"], Value::Null, "{kept}");
}
