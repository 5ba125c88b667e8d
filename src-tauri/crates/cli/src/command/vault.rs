//! `kiro-proxy vault`: where secrets are kept, lock and unlock, a new key, moving to the other store.

use std::io::IsTerminal as _;
use std::path::Path;

use http::Method;
use kiro_gateway::{Options, PassphraseFor};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use crate::admin_client::AdminClient;
use crate::args::vault::{GivenAs, NewKey, Target, Vault};
use crate::exit::{Exit, Trouble};
use crate::passphrase;
use crate::print::{self, Output, member};
use crate::words::{self, say};

pub(crate) fn output(command: &Vault) -> Output {
    let json = match command {
        Vault::Status(json) | Vault::Lock(json) => json,
        Vault::Unlock { json, .. } | Vault::Rekey { json, .. } => json,
        Vault::Migrate { to: Target::Keychain(json) | Target::Vault { json, .. } } => json,
    };
    Output::json_when(json.json)
}

pub(crate) async fn run(options: Options, command: &Vault) -> Result<Exit, Trouble> {
    let output = output(command);
    match command {
        Vault::Status(_) => {
            let client = AdminClient::open(options).await?;
            let status = client.call(Method::GET, "/api/vault", None).await;
            client.close().await;
            let status = status?;
            show(output, &status, &status);
            Ok(exit_of(&member(&status, "state")))
        }
        Vault::Lock(_) => {
            let answer = running(&options).await?.call(Method::POST, "/api/vault/lock", None).await?;
            show(output, &answer, &answer);
            Ok(Exit::Ok)
        }
        Vault::Unlock { key_file, recovery, .. } => {
            let client = running(&options).await?;
            let body = match key_file {
                Some(file) => json!({"keyFile": absolute(file)?}),
                None => unlock_body(&client, *recovery).await?,
            };
            let answer = client.call(Method::POST, "/api/vault/unlock", Some(body)).await?;
            show(output, &answer, &answer);
            Ok(Exit::Ok)
        }
        Vault::Rekey { key, recovery, .. } => {
            let mut body = new_key(key)?;
            if *recovery {
                body["recoveryPassphrase"] = plain(&passphrase::for_command(PassphraseFor::NewRecovery)?);
            }
            change(options, "/api/vault/rekey", body, output, "sealed anew").await
        }
        Vault::Migrate { to: Target::Keychain(_) } => {
            change(options, "/api/vault/migrate", json!({"to": "keychain"}), output, "moved and compared").await
        }
        Vault::Migrate { to: Target::Vault { key, .. } } => {
            let body = json!({"to": "vault", "key": new_key(key)?});
            change(options, "/api/vault/migrate", body, output, "moved and compared").await
        }
    }
}

async fn running(options: &Options) -> Result<AdminClient, Trouble> {
    AdminClient::running(options).await.ok_or_else(|| {
        Trouble::new(
            Exit::Unreachable,
            "gateway_not_running",
            "no gateway is running on this data directory, so no key is in memory",
            "nothing was changed",
            "start one with `kiro-proxy serve`; a gateway with another data directory needs --data-dir here too",
        )
    })
}

/// A passphrase only where one is wanted: the key beside the vault is found by the gateway, a keychain asks by itself.
async fn unlock_body(client: &AdminClient, recovery: bool) -> Result<Value, Trouble> {
    if recovery {
        return Ok(json!({"recoveryPassphrase": plain(&passphrase::for_command(PassphraseFor::Recovery)?)}));
    }
    let status = client.call(Method::GET, "/api/vault", None).await?;
    match member(&status, "keySource").as_str() {
        "passphrase" => Ok(json!({"passphrase": plain(&passphrase::for_command(PassphraseFor::Opening)?)})),
        "autoKeyFile" | "-" => Ok(json!({})),
        // A key in base64, as a service's operator has it at hand.
        _ if !std::io::stdin().is_terminal() => {
            Ok(json!({"key": plain(&passphrase::for_command(PassphraseFor::Opening)?)}))
        }
        source => Err(Trouble::new(
            Exit::Usage,
            "vault_key_missing",
            say!("this vault's key comes from: {}", source),
            "nothing was changed",
            "give it with --key-file FILE, or pipe its base64 in as one line",
        )),
    }
}

fn new_key(key: &NewKey) -> Result<Value, Trouble> {
    if key.way.ask {
        return Ok(json!({"source": "passphrase", "passphrase": plain(&passphrase::for_command(PassphraseFor::New)?)}));
    }
    let Some(file) = &key.way.key_file else { return Ok(json!({"source": "autoKeyFile"})) };
    Ok(match key.given_as {
        GivenAs::File => json!({"source": "keyFile", "keyFile": absolute(file)?}),
        GivenAs::Systemd => json!({"source": "systemdCredential", "keyFile": absolute(file)?}),
        GivenAs::Environment => {
            let text = std::fs::read_to_string(file).map_err(|error| unreadable(file, &error))?;
            json!({"source": "environment", "key": text.trim()})
        }
    })
}

/// The gateway may run elsewhere in the file system.
fn absolute(file: &Path) -> Result<Value, Trouble> {
    let path = std::path::absolute(file).map_err(|error| unreadable(file, &error))?;
    match path.to_str() {
        Some(path) => Ok(path.into()),
        None => Err(unreadable(file, &std::io::Error::other("its name is not UTF-8"))),
    }
}

fn unreadable(file: &Path, error: &std::io::Error) -> Trouble {
    Trouble::new(
        Exit::Usage,
        "key_file_unreadable",
        say!("{} cannot be used: {}", file.display(), error),
        "nothing was changed",
        "name the file with the key",
    )
}

async fn change(options: Options, path: &str, body: Value, output: Output, done: &str) -> Result<Exit, Trouble> {
    let client = AdminClient::open(options).await?;
    let answer = client.call(Method::POST, path, Some(body)).await;
    client.close().await;
    let answer = answer?;
    if output == Output::Text {
        print::line(&say!("{} records were {}.", member(&answer, "changed"), words::of(done)));
    }
    let vault = answer.get("vault").unwrap_or(&Value::Null);
    show(output, &answer, vault);
    if output == Output::Text {
        print::line(words::of(next_start(&member(vault, "kind"), &member(vault, "keySource"))));
    }
    Ok(Exit::Ok)
}

/// What the next start needs after a change.
fn next_start(kind: &str, source: &str) -> &'static str {
    match (kind, source) {
        ("keychain", _) => {
            "From the next start on no vault key is needed: take it out of the flags, the environment or the unit."
        }
        (_, "systemdCredential") => {
            "Before the next start: systemd-creds encrypt --name=kiro-proxy-vault-key FILE /etc/kiro-proxy/vault-key.cred, then remove FILE."
        }
        (_, "keyFile") => "From the next start on the key is given with --vault-key-file.",
        (_, "passphrase") => {
            "From the next start on the passphrase is asked for, or the vault waits for `kiro-proxy vault unlock`."
        }
        (_, "environment") => "From the next start on the key is given in KIRO_PROXY_VAULT_KEY.",
        _ => "From the next start on the key beside the vault is used; a copy of the data directory carries it along.",
    }
}

fn show(output: Output, answer: &Value, vault: &Value) {
    if output == Output::Json {
        print::json(answer);
        return;
    }
    for line in lines(vault) {
        print::line(&line);
    }
}

/// The store in a few lines.
fn lines(vault: &Value) -> Vec<String> {
    let row = print::row;
    let is = |name: &str| vault.get(name).and_then(Value::as_bool).unwrap_or_default();
    let kind = member(vault, "kind");
    let mut lines = vec![
        row("Secrets", words::of(store_words(&kind))),
        row("State", words::of(state_words(&member(vault, "state")))),
    ];
    if kind == "vault" {
        let mut source = words::of(source_words(&member(vault, "keySource"))).to_owned();
        if is("protectedByPermissionsOnly") {
            source.push_str(words::of(": protected by file permissions only"));
        }
        lines.push(row("Key from", &source));
        lines.push(row("Key id", &member(vault, "keyId")));
        lines.push(row("Records", &member(vault, "records")));
        lines.push(row(
            "Recovery",
            words::of(if is("recovery") { "a recovery passphrase opens it too" } else { "none" }),
        ));
    }
    lines
}

pub(crate) fn store_words(kind: &str) -> &str {
    match kind {
        "keychain" => "in the system's keychain",
        "vault" => "in the sealed vault of the data directory",
        "memory" => "in memory, gone when the gateway stops",
        other => other,
    }
}

/// One line for each state.
pub(crate) fn state_words(state: &str) -> &str {
    match state {
        "ready" => "ready",
        "locked" => "LOCKED: `kiro-proxy vault unlock`, or unlock the keychain",
        "absent" => "ABSENT: no keychain answers",
        "denied" => "DENIED: the keychain refuses this program",
        "timedOut" => "TIMED OUT: the keychain does not answer; look for its question on a screen",
        "keyMissing" => "KEY MISSING: the vault's key was not given",
        "keyWrong" => "KEY WRONG: another key was given",
        "corrupt" => "CORRUPT: the header or a record cannot be read",
        other => other,
    }
}

fn source_words(source: &str) -> &str {
    match source {
        "systemdCredential" => "a systemd credential",
        "keyFile" => "a key file",
        "passphrase" => "a passphrase (Argon2id)",
        "environment" => "KIRO_PROXY_VAULT_KEY in the environment",
        "autoKeyFile" => "a file beside the vault",
        other => other,
    }
}

/// The exit code of a state.
fn exit_of(state: &str) -> Exit {
    match state {
        "ready" => Exit::Ok,
        "locked" => Exit::StoreLocked,
        "keyMissing" => Exit::KeyMissing,
        "keyWrong" => Exit::KeyWrong,
        "corrupt" => Exit::StoreCorrupt,
        _ => Exit::Store,
    }
}

fn plain(secret: &SecretString) -> Value {
    secret.expose_secret().into()
}
