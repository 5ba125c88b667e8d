#![allow(clippy::disallowed_methods, reason = "these tests play the other programs, which write their files plainly")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::{Connection, ErrorCode};
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

#[test]
fn token_files_of_the_ide_are_read_with_their_registration_and_nothing_changes() {
    let mut read_cases = 0;
    for case in cases("files").iter().chain(cases("json").iter().filter(|case| case["format"] == "kiro-ide-token")) {
        let name = case["source_path"].to_string();
        let folder = tempfile::tempdir().expect("a folder");
        let files = if case["kind"] == "files" {
            case["content"].clone()
        } else {
            json!({"kiro-auth-token.json": case["content"]})
        };
        for (file, content) in files.as_object().expect("files") {
            std::fs::write(folder.path().join(file), content.to_string()).expect("writes");
        }
        let before = picture(folder.path());
        let login = read(&link(LinkOwner::KiroIde, &folder.path().join("kiro-auth-token.json")));
        compare(&name, &login.expect("reads").expect("signed in"), &case["expected"][0]);
        assert_same_picture(&before, &picture(folder.path()));
        read_cases += 1;
    }
    assert!(read_cases >= 5, "{read_cases}");
}

#[test]
fn databases_are_read_in_every_journal_mode_and_nothing_changes() {
    let cases = cases("sqlite-rows");
    assert!(cases.len() >= 4);
    for case in &cases {
        let owner = if case["format"] == "amazon-q-sqlite" { LinkOwner::AmazonQ } else { LinkOwner::KiroCli };
        for (journal, running) in [("DELETE", false), ("DELETE", true), ("WAL", false), ("TRUNCATE", true)] {
            let name = format!("{} {journal} running: {running}", case["source_path"]);
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join("data.sqlite3");
            let connection = database(&path, case, journal);
            let connection = running.then_some(connection);
            let before = picture(folder.path());
            let login = read(&link(owner, &path)).unwrap_or_else(|error| panic!("{name}: {error}"));
            compare(&name, &login.expect("signed in"), &case["expected"][0]);
            assert_same_picture(&before, &picture(folder.path()));
            drop(connection);
        }
    }
}

/// Not a test of its own: the next one runs it in another process, where it plays an owner that holds its database open.
#[test]
fn plays_the_owner() {
    let Ok(path) = std::env::var("KIRO_PROXY_TEST_OWNER") else { return };
    let owner = database(Path::new(&path), &cases("sqlite-rows")[0], "WAL");
    std::fs::write(format!("{path}.ready"), "").expect("says that it is ready");
    // Ends when the other side goes.
    let _ = std::io::Read::read(&mut std::io::stdin(), &mut [0]);
    drop(owner);
}

#[test]
fn the_log_of_a_running_owner_counts_and_its_shared_index_is_not_touched() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("data.sqlite3");
    let mut owner = std::process::Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "owner::tests::plays_the_owner"])
        .env("KIRO_PROXY_TEST_OWNER", &path)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("starts");
    while !folder.path().join("data.sqlite3.ready").exists() {
        assert!(owner.try_wait().expect("a child").is_none(), "the owner ended early");
        std::thread::yield_now();
    }
    let before = picture(folder.path());
    assert!(before.contains_key(&folder.path().join("data.sqlite3-wal")), "it is running");
    assert!(before.contains_key(&folder.path().join("data.sqlite3-shm")), "it is running");
    let login = read(&link(LinkOwner::KiroCli, &path)).expect("reads").expect("signed in");
    compare("running", &login, &cases("sqlite-rows")[0]["expected"][0]);
    assert_same_picture(&before, &picture(folder.path()));
    drop(owner.stdin.take());
    assert!(owner.wait().expect("ends").success());
}

#[test]
fn what_a_crashed_owner_left_is_read_from_a_private_copy() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("data.sqlite3");
    let old = database(&path, &social("old", "a"), "WAL");
    drop(old);
    let running = Connection::open(&path).expect("opens");
    let new = social("new", "b")["content"]["auth_kv"][0]["value"].clone();
    running.execute("UPDATE auth_kv SET value = ?1", [new.as_str()]).expect("updates");
    let crashed = tempfile::tempdir().expect("a folder");
    for ending in ["", "-wal"] {
        let name = format!("data.sqlite3{ending}");
        std::fs::copy(folder.path().join(&name), crashed.path().join(&name)).expect("copies");
    }
    let before = picture(crashed.path());
    let login = read(&link(LinkOwner::KiroCli, &crashed.path().join("data.sqlite3"))).expect("reads").expect("a login");
    assert_eq!(exposed(&login.refresh_token), Some("new"), "the log counts");
    assert_same_picture(&before, &picture(crashed.path()));
}

#[test]
fn a_half_written_transaction_of_a_crashed_owner_does_not_count() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("data.sqlite3");
    let owner = database(&path, &social("old", "a"), "DELETE");
    // A small cache makes SQLite write pages before the transaction ends.
    owner.execute_batch("PRAGMA cache_size=1; PRAGMA cache_spill=1; BEGIN").expect("begins");
    let new = social("half", "b")["content"]["auth_kv"][0]["value"].clone();
    owner.execute("UPDATE auth_kv SET value = ?1", [new.as_str()]).expect("updates");
    for row in 0..200 {
        owner
            .execute("INSERT INTO conversations VALUES (?1, ?2)", (row.to_string(), "x".repeat(4000)))
            .expect("inserts");
    }
    let crashed = tempfile::tempdir().expect("a folder");
    for ending in ["", "-journal"] {
        let name = format!("data.sqlite3{ending}");
        std::fs::copy(folder.path().join(&name), crashed.path().join(&name)).expect("copies");
    }
    let before = picture(crashed.path());
    let login = read(&link(LinkOwner::KiroCli, &crashed.path().join("data.sqlite3"))).expect("reads").expect("a login");
    assert_eq!(exposed(&login.refresh_token), Some("old"));
    assert_same_picture(&before, &picture(crashed.path()));
}

/// A new connection each time: the log is folded into the database and removed in between.
fn update(path: &Path, value: &str) -> rusqlite::Result<()> {
    let owner = Connection::open(path)?;
    owner.busy_timeout(std::time::Duration::from_secs(30))?;
    owner.execute("UPDATE auth_kv SET value = ?1", [value]).map(drop)
}

struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn every_read_beside_a_rotating_owner_is_one_whole_state() {
    for journal in ["WAL", "DELETE"] {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("data.sqlite3");
        drop(database(&path, &social("token-0", "access-0"), journal));
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                // Also when it fails: the reads below would never end.
                let _ends = Ends(&done);
                for round in 1..=200 {
                    let value = social(&format!("token-{round}"), &format!("access-{round}"));
                    let value = value["content"]["auth_kv"][0]["value"].as_str().expect("text").to_owned();
                    // Inside one process SQLite shares a database's index among all connections, also the one that the
                    // reader opened read-only just before. A real owner is another process, with an index of its own.
                    let mut refused = 0;
                    while let Err(error) = update(&path, &value) {
                        assert_eq!(error.sqlite_error_code(), Some(ErrorCode::ReadOnly), "{journal}: {error}");
                        refused += 1;
                        assert!(refused < 10_000, "{journal}: never writable again");
                    }
                }
            });
            let mut last = 0;
            let mut reads = 0;
            while !done.load(Ordering::SeqCst) {
                let login = match read(&link(LinkOwner::KiroCli, &path)) {
                    Ok(login) => login.expect("a login"),
                    Err(OwnerError::Busy(_)) => continue,
                    Err(error) => panic!("{journal}: {error}"),
                };
                let number = |secret: &Option<SecretString>, prefix: &str| -> u32 {
                    let text = exposed(secret).expect("there");
                    text.strip_prefix(prefix).expect("the prefix").parse().expect("a number")
                };
                let (refresh, access) =
                    (number(&login.refresh_token, "token-"), number(&login.access_token, "access-"));
                assert_eq!(refresh, access, "{journal}: half of one state and half of another");
                assert!(refresh >= last, "{journal}: an older state came back");
                last = refresh;
                reads += 1;
            }
            assert!(reads > 0, "{journal}");
        });
        let login = read(&link(LinkOwner::KiroCli, &path)).expect("reads").expect("a login");
        assert_eq!(exposed(&login.refresh_token), Some("token-200"), "{journal}");
    }
}

fn rotated(login: &OwnerLogin, refresh: &str) -> OwnerLogin {
    OwnerLogin {
        refresh_token: Some(SecretString::from(refresh.to_owned())),
        access_token: Some(SecretString::from("new-access".to_owned())),
        expires_at: Some(Timestamp(1_795_430_000_123)),
        ..login.clone()
    }
}

#[test]
fn rotated_tokens_go_back_into_the_token_file_and_the_rest_of_it_stays() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("kiro-auth-token.json");
    let content = json!({"accessToken": "a", "refreshToken": "r", "expiresAt": "2026-11-23T10:00:00.000Z",
        "authMethod": "social", "provider": "Google", "profileArn": "arn", "unknown": {"b": 1, "a": 2}});
    std::fs::write(&path, content.to_string()).expect("writes");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).expect("sets the mode");
    }
    let link = link(LinkOwner::KiroIde, &path);
    let login = read(&link).expect("reads").expect("signed in");
    let used = login.refresh_token.clone().expect("a token");
    write_back(&link, &used, &rotated(&login, "r2")).expect("writes");
    let written: Value = serde_json::from_str(&std::fs::read_to_string(&path).expect("reads")).expect("JSON");
    let mut expected = content;
    expected["accessToken"] = "new-access".into();
    expected["refreshToken"] = "r2".into();
    expected["expiresAt"] = "2026-11-23T10:33:20.123Z".into();
    assert_eq!(written, expected);
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 1, "nothing is left beside it");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(&path).expect("there").permissions().mode() & 0o777;
        assert_eq!(mode, 0o640, "the owner's mode");
    }
    let before = picture(folder.path());
    assert_eq!(write_back(&link, &used, &login), Err(OwnerError::Changed(path.clone())), "it is not the token used");
    assert_same_picture(&before, &picture(folder.path()));
}

#[test]
fn rotated_tokens_go_back_into_the_database_and_the_rest_of_it_stays() {
    for journal in ["DELETE", "WAL"] {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("data.sqlite3");
        let case = cases("sqlite-rows").remove(0);
        let owner = database(&path, &case, journal);
        let link = link(LinkOwner::KiroCli, &path);
        let login = read(&link).expect("reads").expect("signed in");
        let used = login.refresh_token.clone().expect("a token");
        write_back(&link, &used, &rotated(&login, "r2")).expect("writes");
        let row = |key: &str| -> String {
            owner.query_row("SELECT value FROM auth_kv WHERE key = ?1", [key], |row| row.get(0)).expect("there")
        };
        let mut expected: Value =
            serde_json::from_str(case["content"]["auth_kv"][0]["value"].as_str().expect("text")).expect("JSON");
        expected["access_token"] = "new-access".into();
        expected["refresh_token"] = "r2".into();
        expected["expires_at"] = "2026-11-23T10:33:20.123Z".into();
        let found: Value = serde_json::from_str(&row("kirocli:odic:token")).expect("JSON");
        assert_eq!(found, expected, "{journal}");
        assert_eq!(
            row("kirocli:odic:device-registration"),
            case["content"]["auth_kv"][1]["value"].as_str().expect("text")
        );
        assert_eq!(write_back(&link, &used, &login), Err(OwnerError::Changed(path.clone())), "{journal}");
        assert_eq!(row("kirocli:odic:token"), found.to_string());
    }
}

#[test]
fn a_login_cut_anywhere_is_an_error_or_nothing_and_never_a_panic() {
    let folder = tempfile::tempdir().expect("a folder");
    let whole = folder.path().join("whole.sqlite3");
    drop(database(&whole, &cases("sqlite-rows")[0], "DELETE"));
    let token = cases("files").remove(0)["content"]["kiro-auth-token.json"].to_string();
    let cut = folder.path().join("cut");
    for length in 0..token.len() {
        std::fs::write(&cut, token.as_bytes().get(..length).expect("shorter")).expect("writes");
        // Without the pause for an owner in the middle of writing this runs through quickly enough: ends are sampled.
        if length % 97 == 0 || length + 3 > token.len() {
            let found = read(&link(LinkOwner::KiroIde, &cut));
            assert!(matches!(found, Err(OwnerError::Malformed { .. })), "cut at {length}: {found:?}");
        }
    }
    let bytes = std::fs::read(&whole).expect("reads");
    for length in (0..bytes.len()).step_by(61) {
        std::fs::write(&cut, bytes.get(..length).expect("shorter")).expect("writes");
        let before = std::fs::read(&cut).expect("reads");
        match read(&link(LinkOwner::KiroCli, &cut)) {
            Ok(None) | Err(OwnerError::Malformed { .. }) => {}
            Ok(Some(login)) => assert!(login.refresh_token.is_some(), "cut at {length}"),
            Err(error) => panic!("cut at {length}: {error:?}"),
        }
        assert_eq!(std::fs::read(&cut).expect("reads"), before);
    }
    for at in (0..bytes.len()).step_by(41) {
        let mut flipped = bytes.clone();
        *flipped.get_mut(at).expect("inside") ^= 0xff;
        std::fs::write(&cut, &flipped).expect("writes");
        // Any answer is fine as long as there is one.
        let _ = read(&link(LinkOwner::KiroCli, &cut));
    }
}

#[test]
fn hostile_databases_are_refused_in_bounded_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("data.sqlite3");
    let endless = "CREATE VIEW auth_kv AS WITH RECURSIVE n(key) AS (SELECT 1 UNION ALL SELECT key + 1 FROM n)
         SELECT key, key AS value FROM n";
    Connection::open(&path).expect("opens").execute_batch(endless).expect("a view");
    let found = read(&link(LinkOwner::KiroCli, &path));
    assert!(matches!(found, Err(OwnerError::Malformed { .. })), "{found:?}");

    std::fs::remove_file(&path).expect("removes");
    let huge = social(&"x".repeat(3 * 1024 * 1024), "a");
    drop(database(&path, &huge, "DELETE"));
    let found = read(&link(LinkOwner::KiroCli, &path));
    assert_eq!(found.err().map(|error| error.code()), Some("owner_too_large"));

    for value in ["", "{", "[]", "null", "{\"refresh_token\": \"a\\nb\"}", "{\"refresh_token\": 5}"] {
        std::fs::remove_file(&path).expect("removes");
        let case = json!({"content": {"auth_kv": [{"key": "kirocli:social:token", "value": value}], "state": []}});
        drop(database(&path, &case, "DELETE"));
        let found = read(&link(LinkOwner::KiroCli, &path));
        assert!(matches!(found, Err(OwnerError::Malformed { .. }) | Ok(None)), "{value}: {found:?}");
    }
}

#[test]
fn only_regular_files_of_bounded_size_are_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let read_at = |name: &str| read(&link(LinkOwner::KiroIde, &at(name)));
    assert!(matches!(read_at("missing"), Ok(None)));
    assert_eq!(read(&link(LinkOwner::KiroIde, folder.path())).err(), Some(OwnerError::NotAFile(folder.path().into())));
    std::fs::write(at("large"), vec![b' '; 2 * 1024 * 1024]).expect("writes");
    assert_eq!(read_at("large").err(), Some(OwnerError::TooLarge(at("large"))));
    std::fs::write(at("latin"), b"{\"refreshToken\": \"\xe9\"}").expect("writes");
    assert_eq!(read_at("latin").err().map(|error| error.code()), Some("owner_malformed"));
    #[cfg(unix)]
    {
        rustix::fs::mknodat(rustix::fs::CWD, at("pipe"), rustix::fs::FileType::Fifo, 0o600.into(), 0).expect("a pipe");
        assert_eq!(read_at("pipe").err(), Some(OwnerError::NotAFile(at("pipe"))), "and it does not wait for a writer");
        let content = json!({"refreshToken": "r", "authMethod": "social"}).to_string();
        std::fs::write(at("real"), &content).expect("writes");
        std::os::unix::fs::symlink(at("real"), at("link")).expect("links");
        let login = read_at("link").expect("reads").expect("a login of this user behind a link");
        let used = login.refresh_token.clone().expect("there");
        let written = write_back(&link(LinkOwner::KiroIde, &at("link")), &used, &rotated(&login, "r2"));
        assert_eq!(written, Err(OwnerError::IsLink(at("link"))));
        assert_eq!(std::fs::read_to_string(at("real")).expect("reads"), content);
    }
}

#[test]
fn a_client_id_hash_cannot_lead_to_another_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let inner = folder.path().join("cache");
    std::fs::create_dir(&inner).expect("a folder");
    std::fs::write(folder.path().join("secrets.json"), json!({"clientId": "c", "clientSecret": "s"}).to_string())
        .expect("writes");
    let token = json!({"refreshToken": "r", "authMethod": "IdC", "clientIdHash": "../secrets"});
    std::fs::write(inner.join("kiro-auth-token.json"), token.to_string()).expect("writes");
    let found = read(&link(LinkOwner::KiroIde, &inner.join("kiro-auth-token.json")));
    assert_eq!(found.err().map(|error| error.code()), Some("owner_malformed"));
}

#[test]
fn places_are_those_of_each_system() {
    let paths = |system| -> Vec<String> {
        let links = places_of(&Bases::below(Path::new("/h"), system));
        links.into_iter().map(|link| link.path.replace('\\', "/")).collect()
    };
    assert_eq!(
        paths(System::Linux),
        [
            "/h/.aws/sso/cache/kiro-auth-token.json",
            "/h/.local/share/kiro-cli/data.sqlite3",
            "/h/.local/share/amazon-q/data.sqlite3"
        ]
    );
    assert_eq!(
        paths(System::Mac),
        [
            "/h/.aws/sso/cache/kiro-auth-token.json",
            "/h/Library/Application Support/kiro-cli/data.sqlite3",
            "/h/Library/Application Support/amazon-q/data.sqlite3"
        ]
    );
    assert_eq!(
        paths(System::Windows),
        [
            "/h/.aws/sso/cache/kiro-auth-token.json",
            "/h/AppData/Local/kiro-cli/data.sqlite3",
            "/h/AppData/Roaming/kiro-cli/data.sqlite3",
            "/h/AppData/Local/amazon-q/data.sqlite3",
            "/h/AppData/Roaming/amazon-q/data.sqlite3"
        ]
    );
}
