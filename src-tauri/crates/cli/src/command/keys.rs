//! `kiro-proxy keys list|create|revoke|reveal`. A key's text is printed by `create` and `reveal` only, alone on standard output, so
//! that it can go straight into a variable or a file.

use http::Method;
use serde_json::{Value, json};

use super::{find, list};
use crate::admin_client::AdminClient;
use crate::args::Keys;
use crate::exit::{Exit, Trouble};
use crate::print::{self, Output, member};

pub(crate) fn output(command: &Keys) -> Output {
    let (Keys::List(json) | Keys::Create { json, .. } | Keys::Revoke { json, .. } | Keys::Reveal { json, .. }) =
        command;
    Output::json_when(json.json)
}

pub(crate) async fn run(client: &AdminClient, command: &Keys) -> Result<Exit, Trouble> {
    let output = output(command);
    match command {
        Keys::List(_) => {
            let answer = client.call(Method::GET, "/api/keys", None).await?;
            match output {
                Output::Json => print::json(&answer),
                Output::Text => print_list(list(&answer, "keys")),
            }
        }
        Keys::Create { name, .. } => {
            let answer = client.call(Method::POST, "/api/keys", Some(json!({"name": name}))).await?;
            print_secret(&answer, output);
            if output == Output::Text {
                print::error_line(&format!(
                    "Created key {} ({}).",
                    print::safe(name),
                    print::safe(&member(&answer, "key.id"))
                ));
            }
        }
        Keys::Revoke { key, .. } => {
            let id = id_of(client, key).await?;
            client.call(Method::DELETE, &format!("/api/keys/{id}"), None).await?;
            match output {
                Output::Json => print::json(&json!({"revoked": id})),
                Output::Text => {
                    print::line(&format!("Revoked {}; clients that use it are refused from now on.", print::safe(&id)))
                }
            }
        }
        Keys::Reveal { key, .. } => {
            let id = match key {
                Some(key) => id_of(client, key).await?,
                None => first(client).await?,
            };
            let answer = client.call(Method::POST, &format!("/api/keys/{id}/reveal"), None).await?;
            print_secret(&answer, output);
        }
    }
    Ok(Exit::Ok)
}

async fn id_of(client: &AdminClient, wanted: &str) -> Result<String, Trouble> {
    let keys = client.call(Method::GET, "/api/keys", None).await?;
    find(list(&keys, "keys"), wanted, "name", "key")
}

async fn first(client: &AdminClient) -> Result<String, Trouble> {
    let keys = client.call(Method::GET, "/api/keys", None).await?;
    let id = list(&keys, "keys").first().and_then(|key| key.get("id")).and_then(Value::as_str).map(str::to_owned);
    id.ok_or_else(|| {
        Trouble::new(
            Exit::NotFound,
            "key_not_found",
            "there is no key",
            "nothing was changed",
            "make one: `kiro-proxy keys create NAME`",
        )
    })
}

fn print_secret(answer: &Value, output: Output) {
    match output {
        Output::Json => print::json(answer),
        Output::Text => print::line(&member(answer, "secret")),
    }
}

fn print_list(keys: &[Value]) {
    if keys.is_empty() {
        return print::line("No key: every client is refused. `kiro-proxy keys create NAME` makes one.");
    }
    let row = |key: &Value| {
        vec![
            member(key, "id"),
            member(key, "name"),
            format!("{}…", member(key, "prefix")),
            print::moment(key.get("createdAt")),
            print::moment(key.get("lastUsedAt")),
        ]
    };
    print::table(&["id", "name", "key", "created", "last used"], &keys.iter().map(row).collect::<Vec<_>>());
}
