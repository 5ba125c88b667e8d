//! `kiro-proxy accounts enable|disable|restore|use|proxy|set`.

use super::transfer_files::read;
use super::{find, list, tell_way};
use crate::admin_client::AdminClient;
use crate::args::OnOff;
use crate::args::account_changes::{AccountChange, AccountChanges, ProxyChange};
use crate::exit::{Exit, Trouble};
use crate::print::{self, Output, member};
use crate::words::{self, say};
use http::Method;
use serde_json::{Map, Value, json};

/// The word for "as the settings say".
const DEFAULT: &str = "default";

pub(crate) fn output(command: &AccountChanges) -> Output {
    let (AccountChanges::Enable { json, .. }
    | AccountChanges::Disable { json, .. }
    | AccountChanges::Restore { json, .. }
    | AccountChanges::Use { json, .. }
    | AccountChanges::Proxy { json, .. }
    | AccountChanges::Set { json, .. }) = command;
    Output::json_when(json.json)
}

pub(crate) async fn run(client: &AdminClient, command: &AccountChanges) -> Result<Exit, Trouble> {
    let output = output(command);
    match command {
        AccountChanges::Enable { account, .. } => {
            let answer = patch(client, account, json!({"enabled": true})).await?;
            tell(&answer, output, &say!("serves again"));
        }
        AccountChanges::Disable { account, .. } => {
            let answer = patch(client, account, json!({"enabled": false})).await?;
            tell(&answer, output, &say!("serves no more; it is kept"));
        }
        AccountChanges::Restore { account, .. } => {
            let id = id_of(client, account).await?;
            let answer = client.call(Method::POST, &format!("/api/accounts/{id}/restore"), None).await?;
            tell(&answer, output, &say!("is {}", words::of_state("account", member(&answer, "state.kind"))));
        }
        AccountChanges::Use { account, .. } => {
            let only = if account == "auto" { Value::Null } else { id_of(client, account).await?.into() };
            client.call(Method::PUT, "/api/accounts/only", Some(json!({"account": only}))).await?;
            match output {
                Output::Json => print::json(&json!({"only": only})),
                Output::Text if only.is_null() => print::line(&say!("All accounts serve; the strategy chooses.")),
                Output::Text => print::line(&say!("Only {} serves.", print::safe(account))),
            }
        }
        AccountChanges::Proxy { account, change, .. } => return proxy(client, account, change, output).await,
        AccountChanges::Set { account, change, .. } => {
            let answer = patch(client, account, body(change)?).await?;
            tell(&answer, output, &say!("was changed"));
        }
    }
    Ok(Exit::Ok)
}

async fn proxy(client: &AdminClient, account: &str, change: &ProxyChange, output: Output) -> Result<Exit, Trouble> {
    let mut shown = None;
    if let Some(proxy) = &change.proxy {
        let mut body = json!({"proxy": match proxy.as_str() {
            DEFAULT => Value::Null,
            "direct" => json!({"kind": "direct"}),
            url => json!({"kind": "through", "url": url}),
        }});
        if let Some(file) = &change.login {
            let login = read(file)?;
            let login = login.trim_end_matches(['\r', '\n']);
            let (user, password) = login.split_once(':').unwrap_or((login, ""));
            body["proxyUser"] = user.into();
            body["proxyPassword"] = password.into();
        }
        shown = Some(patch(client, account, body).await?);
    }
    let id = id_of(client, account).await?;
    if change.test {
        let answer = client.call(Method::POST, &format!("/api/accounts/{id}/proxy/test"), None).await?;
        return Ok(tell_way(&answer, output));
    }
    let answer = match shown {
        Some(answer) => answer,
        None => client.call(Method::GET, &format!("/api/accounts/{id}"), None).await?,
    };
    let way = match member(&answer, "proxy.kind").as_str() {
        "direct" => say!("goes past every proxy"),
        "through" => say!("goes through {}", print::safe(&member(&answer, "proxy.url"))),
        _ => say!("goes as the settings say"),
    };
    tell(&answer, output, &way);
    Ok(Exit::Ok)
}

/// The change as the admin API takes it.
fn body(change: &AccountChange) -> Result<Value, Trouble> {
    let mut body = Map::new();
    let mut put = |name: &str, value: Value| body.insert(name.to_owned(), value);
    if let Some(label) = &change.label {
        put("label", label.as_str().into());
    }
    if change.no_tags {
        put("tags", Value::Null);
    } else if !change.tags.is_empty() {
        put("tags", change.tags.clone().into());
    }
    if let Some(note) = &change.note {
        put("note", if note.is_empty() { Value::Null } else { note.as_str().into() });
    }
    if let Some(priority) = change.priority {
        put("priority", priority.into());
    }
    if let Some(weight) = change.weight {
        put("weight", weight.into());
    }
    if let Some(at_once) = &change.concurrency {
        let number = match at_once.as_str() {
            DEFAULT => Value::Null,
            text => text.parse::<u16>().map(Value::from).map_err(|_| no_number(text))?,
        };
        put("concurrency", number);
    }
    if let Some(floor) = &change.quota_floor {
        let percent = match floor.as_str() {
            DEFAULT => Value::Null,
            text => text.trim_end_matches('%').parse::<u8>().map(Value::from).map_err(|_| no_percent(text))?,
        };
        put("quotaFloorPercent", percent);
    }
    if let Some(never) = change.never_overage {
        put("neverOverage", (never == OnOff::On).into());
    }
    for (name, value) in [("host", &change.host), ("profileArn", &change.profile_arn)] {
        if let Some(value) = value {
            put(name, if value == DEFAULT { Value::Null } else { value.as_str().into() });
        }
    }
    Ok(Value::Object(body))
}

fn no_number(text: &str) -> Trouble {
    Trouble::new(
        Exit::Usage,
        "number_malformed",
        say!("{} is no number of requests", format_args!("{text:?}")),
        "nothing was changed",
        "give a whole number from 1 to 4096, or `default`",
    )
}

fn no_percent(text: &str) -> Trouble {
    Trouble::new(
        Exit::Usage,
        "percent_malformed",
        say!("{} is no percentage", format_args!("{text:?}")),
        "nothing was changed",
        "give a whole number from 0 to 90, or `default`",
    )
}

async fn patch(client: &AdminClient, account: &str, body: Value) -> Result<Value, Trouble> {
    let id = id_of(client, account).await?;
    client.call(Method::PATCH, &format!("/api/accounts/{id}"), Some(body)).await
}

async fn id_of(client: &AdminClient, wanted: &str) -> Result<String, Trouble> {
    let accounts = client.call(Method::GET, "/api/accounts", None).await?;
    find(list(&accounts, "accounts"), wanted, "label", "account")
}

fn tell(account: &Value, output: Output, words: &str) {
    match output {
        Output::Json => print::json(account),
        Output::Text => print::line(&say!("{} {}.", print::safe(&member(account, "label")), words)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Accounts, Cli, Command};
    use clap::Parser as _;

    fn parsed(words: &[&str]) -> AccountChanges {
        let cli = Cli::parse_from(["kiro-proxy", "accounts"].iter().chain(words));
        match cli.command {
            Command::Accounts { command: Accounts::Changes(changes) } => changes,
            other => panic!("not a change: {other:?}"),
        }
    }

    #[test]
    fn only_what_is_named_is_sent_and_default_takes_it_back() {
        let words = [
            "set",
            "a",
            "--priority",
            "-3",
            "--quota-floor",
            "default",
            "--concurrency",
            "4",
            "--tag",
            "x",
            "--tag",
            "y",
            "--note",
            "",
        ];
        let AccountChanges::Set { change, .. } = parsed(&words) else { panic!("not set") };
        assert_eq!(
            body(&change).expect("a change"),
            json!({"priority": -3, "quotaFloorPercent": null, "concurrency": 4, "tags": ["x", "y"], "note": null})
        );
        let AccountChanges::Set { change, .. } = parsed(&["set", "a", "--concurrency", "default"]) else {
            panic!("not set")
        };
        assert_eq!(body(&change).expect("a change"), json!({"concurrency": null}));
        let AccountChanges::Set { change, .. } = parsed(&["set", "a", "--concurrency", "many"]) else {
            panic!("not set")
        };
        assert!(body(&change).is_err());
        let AccountChanges::Set { change, .. } = parsed(&["set", "a", "--quota-floor", "ten"]) else {
            panic!("not set")
        };
        assert_eq!(body(&change).expect_err("no number").code, "percent_malformed");
    }

    #[test]
    fn a_password_is_never_an_argument() {
        let refused = Cli::try_parse_from(["kiro-proxy", "accounts", "proxy", "a", "--login", "file"]);
        assert!(refused.is_err(), "a login without a proxy");
        assert!(
            Cli::try_parse_from(["kiro-proxy", "accounts", "proxy", "a", "http://p:1", "--password", "x"]).is_err()
        );
    }
}
