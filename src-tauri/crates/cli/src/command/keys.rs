//! `kiro-proxy keys list|create|revoke|reveal|set`. A key's text is printed by `create` and `reveal` only, alone on standard output, so
//! that it can go straight into a variable or a file.

use http::Method;
use serde_json::{Value, json};

use super::{find, list};
use crate::admin_client::AdminClient;
use crate::args::{KeyChange, Keys, OnOff};
use crate::exit::{Exit, Trouble};
use crate::print::{self, Output, member};
use crate::words::say;

pub(crate) fn output(command: &Keys) -> Output {
    let (Keys::List(json)
    | Keys::Create { json, .. }
    | Keys::Revoke { json, .. }
    | Keys::Reveal { json, .. }
    | Keys::Set { json, .. }) = command;
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
                print::error_line(&say!(
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
                    print::line(&say!("Revoked {}; clients that use it are refused from now on.", print::safe(&id)))
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
        Keys::Set { key, change, .. } => {
            let keys = client.call(Method::GET, "/api/keys", None).await?;
            let keys = list(&keys, "keys");
            let id = find(keys, key, "name", "key")?;
            let known = keys.iter().find(|entry| member(entry, "id") == id).and_then(|entry| entry.get("options"));
            let body = patch(change, known.cloned().unwrap_or_else(|| json!({})))?;
            let answer = client.call(Method::PATCH, &format!("/api/keys/{id}"), Some(body)).await?;
            match output {
                Output::Json => print::json(&answer),
                Output::Text => {
                    print::line(&say!("Changed {}: {}.", print::safe(&member(&answer, "name")), options_words(&answer)))
                }
            }
        }
    }
    Ok(Exit::Ok)
}

/// The change as the admin API takes it: its options replace all options, so those that stay are named too.
fn patch(change: &KeyChange, mut options: Value) -> Result<Value, Trouble> {
    if let Some(buffered) = change.buffered_start {
        options["bufferedStart"] = (buffered == OnOff::On).into();
    }
    if change.no_rules {
        options["modelRules"] = json!([]);
    } else if !change.rules.is_empty() {
        options["modelRules"] = change.rules.iter().map(|rule| rule_of(rule)).collect::<Result<Vec<_>, _>>()?.into();
    }
    if change.no_account_tags {
        options["accountTags"] = json!([]);
    } else if !change.account_tags.is_empty() {
        options["accountTags"] = change.account_tags.clone().into();
    }
    let mut body = json!({ "options": options });
    if let Some(name) = &change.name {
        body["name"] = name.as_str().into();
    }
    Ok(body)
}

/// `gpt-*=claude-sonnet-5,auto` as a rule.
fn rule_of(text: &str) -> Result<Value, Trouble> {
    let Some((pattern, targets)) = text.split_once('=') else {
        return Err(Trouble::new(
            Exit::Usage,
            "rule_malformed",
            say!("{} is no rule", format_args!("{text:?}")),
            "nothing was changed",
            "write it as MATCH=MODEL, for example `--rule 'gpt-*=claude-sonnet-5,auto'`",
        ));
    };
    let targets: Vec<&str> = targets.split(',').map(str::trim).collect();
    let kind = if pattern.contains('*') { "wildcard" } else { "exact" };
    Ok(json!({ "match": pattern.trim(), "kind": kind, "targets": targets }))
}

/// What a key changes for its requests, in a few words.
fn options_words(key: &Value) -> String {
    let start = key.pointer("/options/bufferedStart").and_then(Value::as_bool).unwrap_or_default();
    let rules = key.pointer("/options/modelRules").and_then(Value::as_array).map_or(0, Vec::len);
    let rules = match rules {
        0 => None,
        1 => Some(say!("1 rule")),
        several => Some(say!("{} rules", several)),
    };
    let tags = key.pointer("/options/accountTags").and_then(Value::as_array).filter(|tags| !tags.is_empty());
    let tags = tags.map(|tags| {
        let tags: Vec<&str> = tags.iter().filter_map(Value::as_str).collect();
        say!("accounts of {}", tags.join(", "))
    });
    let words: Vec<String> = start.then(|| say!("buffered start")).into_iter().chain(rules).chain(tags).collect();
    if words.is_empty() { "-".to_owned() } else { words.join(", ") }
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
        return print::line(&say!("No key: every client is refused. `kiro-proxy keys create NAME` makes one."));
    }
    let row = |key: &Value| {
        vec![
            member(key, "id"),
            member(key, "name"),
            format!("{}…", member(key, "prefix")),
            print::moment(key.get("createdAt")),
            print::moment(key.get("lastUsedAt")),
            options_words(key),
        ]
    };
    print::table(&["id", "name", "key", "created", "last used", "options"], &keys.iter().map(row).collect::<Vec<_>>());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change() -> KeyChange {
        KeyChange {
            name: None,
            buffered_start: None,
            rules: Vec::new(),
            no_rules: false,
            account_tags: Vec::new(),
            no_account_tags: false,
        }
    }

    #[test]
    fn what_is_not_named_stays_as_it_is() {
        let known = json!({"bufferedStart": true, "modelRules": [{"match": "a", "targets": ["auto"]}], "later": 1});
        let renamed = patch(&KeyChange { name: Some("x".into()), ..change() }, known.clone()).expect("a change");
        assert_eq!(renamed, json!({"name": "x", "options": known}));
        let plain = patch(&KeyChange { no_rules: true, ..change() }, known).expect("a change");
        assert_eq!(plain["options"], json!({"bufferedStart": true, "modelRules": [], "later": 1}));
    }

    #[test]
    fn a_star_makes_a_rule_a_pattern() {
        let rules = vec!["gpt-*=claude-sonnet-5, auto".to_owned(), "fast=auto".to_owned()];
        let body = patch(&KeyChange { rules, ..change() }, json!({})).expect("a change");
        assert_eq!(
            body["options"]["modelRules"],
            json!([
                {"match": "gpt-*", "kind": "wildcard", "targets": ["claude-sonnet-5", "auto"]},
                {"match": "fast", "kind": "exact", "targets": ["auto"]}
            ])
        );
        let wrong = patch(&KeyChange { rules: vec!["fast".into()], ..change() }, json!({})).expect_err("no rule");
        assert_eq!(wrong.code, "rule_malformed");
    }
}
