//! The other program: where it keeps the login that is shared, in its own format, and how it refreshes it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use kiro_simulator::AccountSeed;
use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior};
use serde_json::{Value, json};

const ROW: &str = "kirocli:social:token";

/// Which program it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Its token is a JSON file that is replaced whole.
    KiroIde,
    /// Its token is a row of an SQLite database with a write-ahead log.
    KiroCli,
}

impl Kind {
    /// As an account's link names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::KiroIde => "kiroIde",
            Self::KiroCli => "kiroCli",
        }
    }
}

/// Its place for the login.
#[derive(Debug, Clone)]
pub struct Owner {
    pub kind: Kind,
    pub path: PathBuf,
}

impl Owner {
    /// Signed in with the account's first tokens.
    pub fn signed_in(kind: Kind, folder: &Path, seed: &AccountSeed) -> Self {
        let owner = Self {
            kind,
            path: folder.join(match kind {
                Kind::KiroIde => "kiro-auth-token.json",
                Kind::KiroCli => "data.sqlite3",
            }),
        };
        match kind {
            Kind::KiroIde => replace(
                &owner.path,
                &json!({
                    "accessToken": seed.access_token, "refreshToken": seed.refresh_token,
                    "profileArn": seed.profile_arn, "expiresAt": "2099-01-01T00:00:00.000Z",
                    "authMethod": "social", "provider": "Google",
                }),
            ),
            Kind::KiroCli => {
                let token = json!({
                    "access_token": seed.access_token, "refresh_token": seed.refresh_token,
                    "profile_arn": seed.profile_arn, "expires_at": "2099-01-01T00:00:00Z", "provider": "google",
                });
                let database = owner.database();
                database
                    .execute_batch(
                        "PRAGMA journal_mode=WAL; CREATE TABLE auth_kv (key TEXT PRIMARY KEY, value TEXT);
                         CREATE TABLE state (key TEXT PRIMARY KEY, value BLOB);",
                    )
                    .unwrap();
                database.execute("INSERT INTO auth_kv VALUES (?1, ?2)", (ROW, token.to_string())).unwrap();
            }
        }
        private(&owner.path);
        owner
    }

    fn database(&self) -> Connection {
        let database = Connection::open(&self.path).unwrap();
        database.busy_timeout(Duration::from_secs(30)).unwrap();
        database
    }

    /// What it has, whole.
    pub fn login(&self) -> Value {
        match self.kind {
            Kind::KiroIde => read(&self.path),
            Kind::KiroCli => {
                let found: Option<String> = self
                    .database()
                    .query_row("SELECT value FROM auth_kv WHERE key = ?1", [ROW], |row| row.get(0))
                    .optional()
                    .unwrap();
                serde_json::from_str(&found.expect("the row is there")).expect("one JSON object")
            }
        }
    }

    /// The refresh token in it.
    pub fn token(&self) -> String {
        let login = self.login();
        let field = match self.kind {
            Kind::KiroIde => "refreshToken",
            Kind::KiroCli => "refresh_token",
        };
        login[field].as_str().expect("a token").to_owned()
    }

    /// Writes down what it got, as it does: without a look at what is there now.
    pub fn write(&self, access: &Value, refresh: &Value) {
        match self.kind {
            Kind::KiroIde => {
                let mut login = read(&self.path);
                login["accessToken"] = access.clone();
                login["refreshToken"] = refresh.clone();
                replace(&self.path, &login);
            }
            Kind::KiroCli => {
                let mut database = self.database();
                let transaction = database.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
                let text: String =
                    transaction.query_row("SELECT value FROM auth_kv WHERE key = ?1", [ROW], |row| row.get(0)).unwrap();
                let mut login: Value = serde_json::from_str(&text).unwrap();
                login["access_token"] = access.clone();
                login["refresh_token"] = refresh.clone();
                transaction.execute("UPDATE auth_kv SET value = ?2 WHERE key = ?1", (ROW, login.to_string())).unwrap();
                transaction.commit().unwrap();
            }
        }
    }
}

/// A JSON file that somebody else may be replacing.
pub fn read(path: &Path) -> Value {
    loop {
        // A reader of a file that is replaced in place can meet half of it.
        if let Some(value) = std::fs::read(path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()) {
            return value;
        }
        std::thread::yield_now();
    }
}

/// Replaces a JSON file as one step.
pub fn replace(path: &Path, value: &Value) {
    let new = path.with_extension("new");
    std::fs::write(&new, value.to_string()).unwrap();
    private(&new);
    std::fs::rename(new, path).unwrap();
}

fn private(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}
