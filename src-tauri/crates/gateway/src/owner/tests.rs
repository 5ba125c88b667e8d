//! What the tests of reading and writing other programs' logins share: samples, databases as their owners make them, and pictures of
//! folders.

#![allow(clippy::disallowed_methods, reason = "these tests play the other programs, which write their files plainly")]

mod broken;
mod database;
mod places;
mod token_file;
mod write_back;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::*;

fn samples() -> Value {
    serde_json::from_str(include_str!("../../../../../tests/fixtures/upstream/credential-imports.json"))
        .expect("valid JSON")
}

fn cases(kind: &str) -> Vec<Value> {
    let samples = samples();
    let cases = samples["cases"].as_array().expect("a list");
    cases.iter().filter(|case| case["kind"] == kind).cloned().collect()
}

fn link(owner: LinkOwner, path: &Path) -> Link {
    Link::new(owner, path.to_str().expect("text"))
}

fn exposed(secret: &Option<SecretString>) -> Option<&str> {
    secret.as_ref().map(ExposeSecret::expose_secret)
}

/// A database as kiro-cli makes it, with the rows of a case.
fn database(path: &Path, case: &Value, journal: &str) -> Connection {
    let connection = Connection::open(path).expect("opens");
    let _: String =
        connection.query_row(&format!("PRAGMA journal_mode={journal}"), [], |row| row.get(0)).expect("journal mode");
    connection
        .execute_batch(
            "CREATE TABLE auth_kv (key TEXT PRIMARY KEY, value TEXT);
             CREATE TABLE state (key TEXT PRIMARY KEY, value BLOB);
             CREATE TABLE conversations (key TEXT PRIMARY KEY, value TEXT);",
        )
        .expect("tables");
    for table in ["auth_kv", "state"] {
        for row in case["content"][table].as_array().expect("rows") {
            let (key, value) = (row["key"].as_str().expect("a key"), row["value"].as_str().expect("a value"));
            let sql = format!(
                "INSERT INTO {table} VALUES (?1, {})",
                if table == "state" { "CAST(?2 AS BLOB)" } else { "?2" }
            );
            connection.execute(&sql, (key, value)).expect("inserts");
        }
    }
    connection
}

fn social(refresh: &str, access: &str) -> Value {
    let token = json!({"access_token": access, "refresh_token": refresh, "expires_at": "2026-11-23T10:00:00Z",
        "provider": "google", "something_else": [1, 2]});
    json!({"content": {"auth_kv": [{"key": "kirocli:social:token", "value": token.to_string()}], "state": []}})
}

/// Names, sizes, bytes and times of everything in a folder.
type Picture = BTreeMap<PathBuf, (Vec<u8>, std::time::SystemTime)>;

fn picture(folder: &Path) -> Picture {
    std::fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| {
            let path = entry.expect("an entry").path();
            let changed = std::fs::metadata(&path).expect("there").modified().expect("a time");
            (path.clone(), (std::fs::read(&path).expect("readable"), changed))
        })
        .collect()
}

fn assert_same_picture(before: &Picture, after: &Picture) {
    let names = |picture: &Picture| picture.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(before), names(after), "files came or went");
    for (path, found) in after {
        // Bytes are too long to print.
        assert!(before.get(path) == Some(found), "{} was changed", path.display());
    }
}

fn compare(name: &str, login: &OwnerLogin, expected: &Value) {
    let text = |field: &str| expected.get(field).and_then(Value::as_str);
    assert_eq!(exposed(&login.refresh_token), text("refresh_token"), "{name}");
    assert_eq!(exposed(&login.access_token), text("access_token"), "{name}");
    assert_eq!(login.expires_at.map(Timestamp::to_rfc3339).as_deref(), text("expires_at"), "{name}");
    assert_eq!(login.client_id.as_deref(), text("client_id"), "{name}");
    assert_eq!(exposed(&login.client_secret), text("client_secret"), "{name}");
    assert_eq!(login.region.as_deref(), text("oidc_region"), "{name}");
    assert_eq!(login.token_endpoint.as_deref(), text("token_endpoint"), "{name}");
    assert_eq!(login.scopes.as_deref(), text("scopes"), "{name}");
    if let Some(arn) = text("profile_arn") {
        assert_eq!(login.profile_arn.as_deref(), Some(arn), "{name}");
    }
    let method = match login.method {
        AuthMethod::Social => "social",
        AuthMethod::Idc => "idc",
        AuthMethod::ExternalIdp => "external_idp",
        AuthMethod::ApiKey => "api_key",
    };
    assert_eq!(Some(method), text("auth_method"), "{name}");
    let note = login.notes.first().map(|note| match note {
        OwnerNote::RegistrationByScope => "registration found by scope scan",
        OwnerNote::RegistrationOfOtherFlow => "registration belongs to another flow; refresh will probably fail",
    });
    assert_eq!(note, text("warning"), "{name}");
}

fn rotated(login: &OwnerLogin, refresh: &str) -> OwnerLogin {
    OwnerLogin {
        refresh_token: Some(SecretString::from(refresh.to_owned())),
        access_token: Some(SecretString::from("new-access".to_owned())),
        expires_at: Some(Timestamp(1_795_430_000_123)),
        ..login.clone()
    }
}
