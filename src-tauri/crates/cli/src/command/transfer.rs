//! `kiro-proxy accounts import|scan|add|export`: files are read and written here, accounts are understood by the gateway.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use http::Method;
use serde_json::{Value, json};

use super::transfer_files::{Source, read_source};
use super::{find, list};
use crate::admin_client::AdminClient;
use crate::args::transfer::{Add, Export, Import, Scan};
use crate::exit::{Exit, Trouble};
use crate::hidden;
use crate::print::{self, Output, member};
use crate::words::{self, say};

pub(crate) async fn import(client: &AdminClient, import: &Import) -> Result<Exit, Trouble> {
    let output = Output::json_when(import.json.json);
    let Source { content, companions } = read_source(&import.file, &import.with)?;
    let (path, mut body) = if kiro_gateway::transfer::is_sealed(&content) {
        let question = "Passphrase of the export";
        let passphrase =
            if import.file == Path::new("-") { hidden::on_terminal(question)? } else { hidden::ask(question)? };
        ("/api/accounts/import/sealed", json!({"content": *content, "passphrase": *passphrase}))
    } else {
        let files: Vec<Value> =
            companions.iter().map(|(name, content)| json!({"name": name, "content": **content})).collect();
        ("/api/accounts/import", json!({"content": *content, "companions": files}))
    };
    if let Some(machine_id) = &import.machine_id {
        body["machineId"] = machine_id.as_str().into();
    }
    body["preview"] = import.preview.into();
    let answer = client.call(Method::POST, path, Some(body)).await?;
    Ok(if import.preview { print_preview(&answer, output) } else { print_result(&answer, output) })
}

pub(crate) async fn scan(client: &AdminClient, scan: &Scan) -> Result<Exit, Trouble> {
    let output = Output::json_when(scan.json.json);
    let answer = client.call(Method::GET, "/api/accounts/scan", None).await?;
    let found = list(&answer, "found");
    if scan.add.is_empty() && !scan.add_all {
        print_scan(&answer, output);
        return Ok(Exit::Ok);
    }
    let id = |login: &Value| login.get("id").and_then(Value::as_str).map(str::to_owned);
    let ids: Vec<String> = if scan.add_all {
        found.iter().filter(|login| login.get("known").is_none_or(Value::is_null)).filter_map(id).collect()
    } else {
        let chosen = scan.add.iter().map(|number| {
            number.checked_sub(1).and_then(|at| found.get(at)).and_then(id).ok_or_else(|| {
                Trouble::new(
                    Exit::NotFound,
                    "login_not_found",
                    say!("there is no login number {}", number),
                    "nothing was added",
                    "`kiro-proxy accounts scan` shows the numbers",
                )
            })
        });
        chosen.collect::<Result<_, _>>()?
    };
    if ids.is_empty() {
        match output {
            Output::Json => print::json(&json!({"imported": [], "rejected": [], "duplicates": []})),
            Output::Text => print::line(&say!("No login that is not here already.")),
        }
        return Ok(Exit::Ok);
    }
    let body = json!({"ids": ids, "link": scan.link, "writeBack": scan.write_back});
    let answer = client.call(Method::POST, "/api/accounts/scan/add", Some(body)).await?;
    Ok(print_result(&answer, output))
}

pub(crate) async fn add(client: &AdminClient, add: &Add) -> Result<Exit, Trouble> {
    let refresh = hidden::ask("Refresh token, or a ksk_ key")?;
    let mut body = json!({"refreshToken": *refresh, "unchecked": add.unchecked});
    let members = [
        ("label", &add.label),
        ("method", &add.method),
        ("region", &add.region),
        ("clientId", &add.client_id),
        ("tokenEndpoint", &add.token_endpoint),
        ("scopes", &add.scopes),
    ];
    for (name, value) in members {
        if let Some(value) = value {
            body[name] = value.as_str().into();
        }
    }
    // Clients of directories are public: they have no secret.
    if add.client_id.is_some() && add.token_endpoint.is_none() {
        body["clientSecret"] = hidden::ask("Secret of the client")?.as_str().into();
    }
    let answer = client.call(Method::POST, "/api/accounts/manual", Some(body)).await?;
    Ok(print_result(&answer, Output::json_when(add.json.json)))
}

pub(crate) async fn export(client: &AdminClient, export: &Export) -> Result<Exit, Trouble> {
    let mut body = json!({});
    if !export.accounts.is_empty() {
        let accounts = client.call(Method::GET, "/api/accounts", None).await?;
        let named = export.accounts.iter().map(|name| find(list(&accounts, "accounts"), name, "label", "account"));
        body["ids"] = named.collect::<Result<Vec<String>, Trouble>>()?.into();
    }
    // Before anybody types a passphrase for nothing.
    if let Some(path) = export.output.as_deref().filter(|path| *path != Path::new("-"))
        && path.symlink_metadata().is_ok()
    {
        return Err(exists(path));
    }
    if export.plain {
        let word = match &export.confirm {
            Some(word) => word.clone(),
            None => {
                print::error_line(&say!("Everybody who reads the file can use these accounts."));
                hidden::ask("Type `plain` to go on")?.as_str().to_owned()
            }
        };
        body["plain"] = true.into();
        body["confirm"] = word.into();
    } else {
        body["passphrase"] = hidden::ask_new("New passphrase of the export (at least 12 characters)")?.as_str().into();
    }
    let answer = client.call(Method::POST, "/api/accounts/export", Some(body)).await?;
    let content = answer.get("content").and_then(Value::as_str).unwrap_or_default();
    let output = Output::json_when(export.json.json);
    if export.output.as_deref() == Some(Path::new("-")) {
        print::line(content);
        return Ok(Exit::Ok);
    }
    let path = export.output.clone().unwrap_or_else(|| PathBuf::from(member(&answer, "fileName")));
    write_new(&path, content)?;
    match output {
        Output::Json => print::json(&json!({
            "file": path.display().to_string(),
            "accounts": answer.get("accounts"),
            "shared": answer.get("shared"),
            "skipped": answer.get("skipped"),
        })),
        Output::Text => {
            print::line(&say!(
                "{} accounts exported to {}{}.",
                member(&answer, "accounts"),
                print::safe(&path.display().to_string()),
                words::of(if export.plain { " in plain text" } else { ", sealed" })
            ));
            for id in list(&answer, "shared") {
                let id = print::safe(id.as_str().unwrap_or("-"));
                print::line(&say!("Shared with another program, exported as a copy: {}", id));
            }
            for entry in list(&answer, "skipped") {
                let why = match member(entry, "reason").as_str() {
                    "demo" => "its answers are simulated",
                    "noSecrets" => "its secrets are not in the store",
                    _ => "see --json",
                };
                print::line(&say!("Left out: {} ({})", print::safe(&member(entry, "id")), words::of(why)));
            }
        }
    }
    Ok(Exit::Ok)
}

/// Writes a file that was not there, for its owner only. A link is not followed: the name must be free.
pub(super) fn write_new(path: &Path, content: &str) -> Result<(), Trouble> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let mut file = match options.open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => return Err(exists(path)),
        Err(error) => return Err(unwritable(path, &error)),
    };
    let written = file.write_all(content.as_bytes()).and_then(|()| file.sync_all());
    written.map_err(|error| {
        // Half an export is of no use and may hold secrets.
        let _ = std::fs::remove_file(path);
        unwritable(path, &error)
    })
}

fn exists(path: &Path) -> Trouble {
    Trouble::new(
        Exit::Failure,
        "export_exists",
        say!("{} is there already", path.display()),
        "nothing was written",
        "give another name with --output, or remove that file yourself",
    )
}

fn unwritable(path: &Path, error: &std::io::Error) -> Trouble {
    Trouble::new(
        Exit::Failure,
        "export_unwritable",
        say!("{} cannot be written: {}", path.display(), error),
        "nothing was left behind",
        "give a place you can write to with --output",
    )
}

fn print_result(answer: &Value, output: Output) -> Exit {
    let (imported, rejected, duplicates) =
        (list(answer, "imported"), list(answer, "rejected"), list(answer, "duplicates"));
    match output {
        Output::Json => print::json(answer),
        Output::Text => {
            for account in imported {
                print::line(&say!(
                    "Imported {} ({}, {})",
                    print::safe(&member(account, "label")),
                    print::safe(&member(account, "method")),
                    print::safe(&member(account, "id"))
                ));
            }
            for note in list(answer, "notes") {
                print::line(&say!("Note on {}: {}", print::safe(&member(note, "account")), warnings(note)));
            }
            for id in duplicates {
                print::line(&say!("Already here: {}", print::safe(id.as_str().unwrap_or("-"))));
            }
            print_rejected(rejected);
            print::line(&say!(
                "{} imported, {} already here, {} refused",
                imported.len(),
                duplicates.len(),
                rejected.len()
            ));
        }
    }
    if rejected.is_empty() { Exit::Ok } else { Exit::Rejected }
}

fn print_rejected(rejected: &[Value]) {
    for entry in rejected {
        print::error_line(&say!(
            "Refused entry {}: {} [{}]",
            print::safe(&member(entry, "index")),
            print::safe(&member(entry, "message")),
            print::safe(&member(entry, "code"))
        ));
    }
}

fn print_preview(answer: &Value, output: Output) -> Exit {
    let (found, rejected) = (list(answer, "found"), list(answer, "rejected"));
    match output {
        Output::Json => print::json(answer),
        Output::Text => {
            let rows: Vec<Vec<String>> = found.iter().map(|login| row(login, member(login, "index"))).collect();
            print::table(&["entry", "label", "email", "method", "provider", "region", "already here", "notes"], &rows);
            print_rejected(rejected);
            print::line(&say!("{} would be imported, {} refused. Nothing was changed.", found.len(), rejected.len()));
        }
    }
    if rejected.is_empty() { Exit::Ok } else { Exit::Rejected }
}

fn print_scan(answer: &Value, output: Output) {
    if output == Output::Json {
        return print::json(answer);
    }
    let (found, problems) = (list(answer, "found"), list(answer, "problems"));
    if found.is_empty() {
        print::line(&say!("No login of Kiro IDE, kiro-cli, Amazon Q or the original KiroProxy on this machine."));
    } else {
        let rows: Vec<Vec<String>> =
            found.iter().enumerate().map(|(at, login)| row(login, (at + 1).to_string())).collect();
        print::table(&["number", "label", "email", "method", "provider", "region", "already here", "notes"], &rows);
        for (at, login) in found.iter().enumerate() {
            print::line(&format!("{}: {}", at + 1, print::safe(&member(login, "path"))));
        }
        print::line(&say!("`kiro-proxy accounts scan --add NUMBER` takes a copy, with --link it is shared."));
    }
    for problem in problems {
        print::error_line(&say!(
            "Not usable: {} [{}]",
            print::safe(&member(problem, "message")),
            print::safe(&member(problem, "code"))
        ));
    }
}

fn row(login: &Value, first: String) -> Vec<String> {
    let mut cells = vec![first];
    cells.extend(["label", "email", "method", "provider", "region", "known"].map(|name| member(login, name)));
    cells.push(warnings(login));
    cells
}

/// The warnings of an entry in plain words.
fn warnings(entry: &Value) -> String {
    let said = |code: &Value| {
        let of_window = code.as_str().and_then(|code| words::of_window(&format!("warning.{code}"), None));
        let known = || serde_json::from_value::<kiro_gateway::account::AccountWarning>(code.clone()).ok();
        of_window.or_else(|| known().map(|warning| warning.words().to_owned()))
    };
    let texts: Vec<String> = list(entry, "warnings").iter().filter_map(said).collect();
    if texts.is_empty() { "-".to_owned() } else { texts.join("; ") }
}
