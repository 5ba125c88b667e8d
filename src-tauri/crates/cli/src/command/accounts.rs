//! `kiro-proxy accounts`: list and remove; import, scan, add and export are in `transfer`.

use http::Method;
use serde_json::{Value, json};

use super::{find, list, transfer};
use crate::admin_client::AdminClient;
use crate::args::Accounts;
use crate::args::link::Link;
use crate::args::transfer::{Add, Export, Import, Scan};
use crate::exit::{Exit, Trouble};
use crate::print::{self, Output, member};
use crate::words::{self, say};

pub(crate) fn output(command: &Accounts) -> Output {
    match command {
        Accounts::Import(Import { json, .. })
        | Accounts::Scan(Scan { json, .. })
        | Accounts::Add(Add { json, .. })
        | Accounts::Export(Export { json, .. })
        | Accounts::Link(Link { json, .. })
        | Accounts::List(json)
        | Accounts::Remove { json, .. } => Output::json_when(json.json),
        Accounts::Changes(changes) => super::account_changes::output(changes),
        Accounts::Checks(checks) => super::account_checks::output(checks),
    }
}

pub(crate) async fn run(client: &AdminClient, command: &Accounts) -> Result<Exit, Trouble> {
    let output = output(command);
    match command {
        Accounts::Import(import) => transfer::import(client, import).await,
        Accounts::Scan(scan) => transfer::scan(client, scan).await,
        Accounts::Add(add) => transfer::add(client, add).await,
        Accounts::Export(export) => transfer::export(client, export).await,
        Accounts::List(_) => {
            let answer = client.call(Method::GET, "/api/accounts", None).await?;
            print_list(&answer, output);
            Ok(Exit::Ok)
        }
        Accounts::Changes(changes) => super::account_changes::run(client, changes).await,
        Accounts::Link(link) => super::link::run(client, link).await,
        Accounts::Checks(checks) => super::account_checks::run(client, checks).await,
        Accounts::Remove { account, .. } => {
            let accounts = client.call(Method::GET, "/api/accounts", None).await?;
            let id = find(list(&accounts, "accounts"), account, "label", "account")?;
            client.call(Method::DELETE, &format!("/api/accounts/{id}"), None).await?;
            match output {
                Output::Json => print::json(&json!({"removed": id})),
                Output::Text => print::line(&say!("Removed {} and its secrets.", print::safe(&id))),
            }
            Ok(Exit::Ok)
        }
    }
}

fn print_list(answer: &Value, output: Output) {
    if output == Output::Json {
        return print::json(answer);
    }
    let accounts = list(answer, "accounts");
    if accounts.is_empty() {
        return print::line(&say!(
            "No account yet. `kiro-proxy accounts scan` finds logins on this machine, `kiro-proxy login google` signs in; `kiro-proxy serve --demo` answers without one."
        ));
    }
    let rows: Vec<Vec<String>> = accounts
        .iter()
        .map(|account| {
            let demo = account.get("demo").and_then(Value::as_bool).unwrap_or_default();
            let enabled = account.get("enabled").and_then(Value::as_bool).unwrap_or(true);
            let state = if enabled { member(account, "state.kind") } else { "disabled".to_owned() };
            let state = words::of_state("account", state);
            let until = account.pointer("/state/until");
            let note = match until {
                _ if demo => say!("answers are simulated"),
                Some(until) => say!("until {}", print::moment(Some(until))),
                None => member(account, "state.reason"),
            };
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
