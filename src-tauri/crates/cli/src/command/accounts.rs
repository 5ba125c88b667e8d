//! `kiro-proxy accounts import|list|remove`.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use http::Method;
use serde_json::{Value, json};

use super::{find, list};
use crate::admin_client::AdminClient;
use crate::args::Accounts;
use crate::exit::{Exit, Trouble};
use crate::print::{self, Output, member};

pub(crate) fn output(command: &Accounts) -> Output {
    let (Accounts::Import { json, .. } | Accounts::List(json) | Accounts::Remove { json, .. }) = command;
    Output::json_when(json.json)
}

pub(crate) async fn run(client: &AdminClient, command: &Accounts) -> Result<Exit, Trouble> {
    let output = output(command);
    match command {
        Accounts::Import { file, with, machine_id, .. } => {
            let content = read(file)?;
            let beside = registration_beside(file, &content).filter(|path| !with.contains(path));
            let mut body = json!({"content": content});
            let companions: Vec<Value> = with
                .iter()
                .chain(&beside)
                .map(|path| Ok(json!({"name": file_name(path), "content": read(path)?})))
                .collect::<Result<_, Trouble>>()?;
            if !companions.is_empty() {
                body["companions"] = companions.into();
            }
            if let Some(machine_id) = machine_id {
                body["machineId"] = machine_id.as_str().into();
            }
            let answer = client.call(Method::POST, "/api/accounts/import", Some(body)).await?;
            Ok(print_import(&answer, output))
        }
        Accounts::List(_) => {
            let answer = client.call(Method::GET, "/api/accounts", None).await?;
            print_list(&answer, output);
            Ok(Exit::Ok)
        }
        Accounts::Remove { account, .. } => {
            let accounts = client.call(Method::GET, "/api/accounts", None).await?;
            let id = find(list(&accounts, "accounts"), account, "label", "account")?;
            client.call(Method::DELETE, &format!("/api/accounts/{id}"), None).await?;
            match output {
                Output::Json => print::json(&json!({"removed": id})),
                Output::Text => print::line(&format!("Removed {} and its secrets.", print::safe(&id))),
            }
            Ok(Exit::Ok)
        }
    }
}

fn print_import(answer: &Value, output: Output) -> Exit {
    let (imported, rejected, duplicates) =
        (list(answer, "imported"), list(answer, "rejected"), list(answer, "duplicates"));
    match output {
        Output::Json => print::json(answer),
        Output::Text => {
            for account in imported {
                print::line(&format!(
                    "Imported {} ({}, {})",
                    print::safe(&member(account, "label")),
                    print::safe(&member(account, "method")),
                    print::safe(&member(account, "id"))
                ));
            }
            for id in duplicates {
                print::line(&format!("Already here: {}", print::safe(id.as_str().unwrap_or("-"))));
            }
            for entry in rejected {
                print::error_line(&format!(
                    "Refused entry {}: {} [{}]",
                    print::safe(&member(entry, "index")),
                    print::safe(&member(entry, "message")),
                    print::safe(&member(entry, "code"))
                ));
            }
            print::line(&format!(
                "{} imported, {} already here, {} refused",
                imported.len(),
                duplicates.len(),
                rejected.len()
            ));
        }
    }
    if rejected.is_empty() { Exit::Ok } else { Exit::Rejected }
}

fn print_list(answer: &Value, output: Output) {
    if output == Output::Json {
        return print::json(answer);
    }
    let accounts = list(answer, "accounts");
    if accounts.is_empty() {
        return print::line(
            "No account yet. `kiro-proxy accounts import FILE` adds one; `kiro-proxy serve --demo` answers without one.",
        );
    }
    let rows: Vec<Vec<String>> = accounts
        .iter()
        .map(|account| {
            let demo = account.get("demo").and_then(Value::as_bool).unwrap_or_default();
            let enabled = account.get("enabled").and_then(Value::as_bool).unwrap_or(true);
            let state = if enabled { member(account, "state.kind") } else { "disabled".to_owned() };
            let note = if demo { "answers are simulated".to_owned() } else { member(account, "state.reason") };
            vec![
                member(account, "id"),
                member(account, "label"),
                member(account, "method"),
                member(account, "email"),
                member(account, "region"),
                state,
                note,
            ]
        })
        .collect();
    print::table(&["id", "label", "method", "email", "region", "state", "note"], &rows);
}

/// The client registration that the Kiro IDE keeps beside a token file and names in it by a hash.
fn registration_beside(file: &Path, content: &str) -> Option<PathBuf> {
    let token: Value = serde_json::from_str(content).ok()?;
    let hash = token.get("clientIdHash")?.as_str()?;
    // The name comes out of a file: nothing but a plain hash may lead to another file.
    let plain = (8..=128).contains(&hash.len()) && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    let path = plain.then(|| file.with_file_name(format!("{hash}.json")))?;
    (file != Path::new("-") && path.is_file()).then_some(path)
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// A file's text; `-` is standard input.
fn read(path: &Path) -> Result<String, Trouble> {
    /// Larger than any export seen; a disk image given by mistake must not fill the memory.
    const MOST: u64 = 16 * 1024 * 1024;
    let mut bytes = Vec::new();
    let read = if path == Path::new("-") {
        std::io::stdin().lock().take(MOST + 1).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(MOST + 1).read_to_end(&mut bytes))
    };
    let refuse = |reason: String| {
        Trouble::new(
            Exit::Failure,
            "import_unreadable",
            format!("{} cannot be read: {reason}", path.display()),
            "nothing was imported",
            "give a text file with credentials that you can read, or `-` for standard input",
        )
    };
    read.map_err(|error| refuse(error.to_string()))?;
    if bytes.len() as u64 > MOST {
        return Err(refuse("it is larger than 16 MiB".to_owned()));
    }
    String::from_utf8(bytes).map_err(|_| refuse("it is not UTF-8 text".to_owned()))
}
