//! `kiro-proxy accounts show|refresh|check|usage|test`.

use super::{find, list};
use crate::admin_client::AdminClient;
use crate::args::account_checks::AccountChecks;
use crate::exit::{Exit, Trouble};
use crate::print::{self, Output, member, moment};
use crate::words::{self, say};
use http::Method;
use serde_json::{Value, json};

/// Members of an account that are lines of `show`, in order.
const SHOWN: [&str; 16] = [
    "id",
    "label",
    "method",
    "provider",
    "origin",
    "email",
    "userId",
    "region",
    "profileArn",
    "enabled",
    "state.kind",
    "state.reason",
    "plan",
    "host",
    "learnedHost",
    "machineId",
];

pub(crate) fn output(command: &AccountChecks) -> Output {
    let (AccountChecks::Show { json, .. }
    | AccountChecks::Refresh { json, .. }
    | AccountChecks::Check(json)
    | AccountChecks::Usage { json, .. }
    | AccountChecks::Test { json, .. }) = command;
    Output::json_when(json.json)
}

pub(crate) async fn run(client: &AdminClient, command: &AccountChecks) -> Result<Exit, Trouble> {
    let output = output(command);
    match command {
        AccountChecks::Show { account, .. } => {
            let accounts = client.call(Method::GET, "/api/accounts", None).await?;
            let accounts = list(&accounts, "accounts");
            let id = find(accounts, account, "label", "account")?;
            let is = |known: &&Value| known.get("id").and_then(Value::as_str) == Some(id.as_str());
            if let Some(known) = accounts.iter().find(is) {
                show(known, output);
            }
        }
        AccountChecks::Refresh { account: Some(account), .. } => {
            let id = id_of(client, account).await?;
            let answer = client.call(Method::POST, &format!("/api/accounts/{id}/refresh"), None).await?;
            show(&answer, output);
        }
        AccountChecks::Refresh { account: None, .. } => {
            let answer = client.call(Method::POST, "/api/accounts/refresh", None).await?;
            return Ok(print_refreshed(&answer, output));
        }
        AccountChecks::Check(_) => {
            let answer = client.call(Method::POST, "/api/accounts/check", None).await?;
            return Ok(print_checked(&answer, output));
        }
        AccountChecks::Usage { account, fresh, .. } => {
            let id = id_of(client, account).await?;
            let path = format!("/api/accounts/{id}/usage?fresh={fresh}");
            print_quota(&client.call(Method::GET, &path, None).await?, output);
        }
        AccountChecks::Test { account, model, .. } => {
            let id = id_of(client, account).await?;
            let path = format!("/api/accounts/{id}/test");
            let answer = client.call(Method::POST, &path, Some(json!({"model": model}))).await?;
            match output {
                Output::Json => print::json(&answer),
                Output::Text => {
                    let simulated = answer.get("simulated").and_then(Value::as_bool).unwrap_or_default();
                    print::line(&print::safe(member(&answer, "text").trim()));
                    print::line(&say!(
                        "{} answered in {} ms for {} credits{}.",
                        print::safe(&member(&answer, "model")),
                        member(&answer, "ms"),
                        number(answer.get("credits")),
                        words::of(if simulated { "; the answer is simulated" } else { "" })
                    ));
                }
            }
        }
    }
    Ok(Exit::Ok)
}

async fn id_of(client: &AdminClient, account: &str) -> Result<String, Trouble> {
    let accounts = client.call(Method::GET, "/api/accounts", None).await?;
    find(list(&accounts, "accounts"), account, "label", "account")
}

fn show(account: &Value, output: Output) {
    if output == Output::Json {
        return print::json(account);
    }
    for path in SHOWN {
        let value = member(account, path);
        if value != "-" {
            print::line(&format!("{path:<14} {}", print::safe(&value)));
        }
    }
    if let Some(quota) = account.get("quota").filter(|quota| !quota.is_null()) {
        print_quota(quota, output);
    }
}

fn print_quota(quota: &Value, output: Output) {
    if output == Output::Json {
        return print::json(quota);
    }
    print::line(&say!(
        "{}: {} of {} {} used, {} left; {}",
        print::safe(&member(quota, "plan")),
        number(quota.get("used")),
        number(quota.get("limit")),
        print::safe(&member(quota, "unit")),
        number(quota.get("left")),
        age(quota)
    ));
    let rows: Vec<Vec<String>> = list(quota, "parts")
        .iter()
        .map(|part| {
            let active = part.get("active").and_then(Value::as_bool).unwrap_or_default();
            vec![
                member(part, "kind"),
                member(part, "name"),
                number(part.get("used")),
                number(part.get("limit")),
                moment(part.get("expiresAt")),
                words::of(if active { "counts" } else { "over" }).to_owned(),
            ]
        })
        .collect();
    print::table(&["part", "name", "used", "limit", "ends", ""], &rows);
    print::line(&say!("starts again {}", moment(quota.get("resetsAt"))));
    if quota.get("overageRefused").and_then(Value::as_bool).unwrap_or_default() {
        print::line(&say!(
            "the plan is used up; use beyond it costs money and is not wanted here (setting quota.neverOverage)"
        ));
    }
    let problem = member(quota, "problem.message");
    if problem != "-" {
        print::line(&say!("the last question was not answered: {}", print::safe(&problem)));
    }
}

fn age(quota: &Value) -> String {
    match quota.get("ageSeconds").and_then(Value::as_u64) {
        None => say!("not known yet"),
        Some(seconds @ 0..120) => say!("{} s ago", seconds),
        Some(seconds @ 120..7200) => say!("{} min ago", seconds / 60),
        Some(seconds) => say!("{} h ago", seconds / 3600),
    }
}

fn print_refreshed(answer: &Value, output: Output) -> Exit {
    let (refreshed, failed) = (list(answer, "refreshed"), list(answer, "failed"));
    match output {
        Output::Json => print::json(answer),
        Output::Text => {
            for entry in failed {
                print::error_line(&format!(
                    "{}: {}",
                    print::safe(&member(entry, "id")),
                    print::safe(&member(entry, "problem.message"))
                ));
            }
            print::line(&say!("{} refreshed, {} failed", refreshed.len(), failed.len()));
        }
    }
    if failed.is_empty() { Exit::Ok } else { Exit::Failure }
}

fn print_checked(answer: &Value, output: Output) -> Exit {
    let accounts = list(answer, "accounts");
    let flag = |account: &Value, name: &str| account.get(name).and_then(Value::as_bool).unwrap_or_default();
    match output {
        Output::Json => print::json(answer),
        Output::Text => {
            let rows: Vec<Vec<String>> = accounts
                .iter()
                .map(|account| {
                    let found = match (flag(account, "ok"), flag(account, "skipped")) {
                        (true, _) => "works",
                        (false, true) => "waits for you",
                        (false, false) => "trouble",
                    };
                    vec![
                        member(account, "id"),
                        words::of(found).to_owned(),
                        member(account, "ms"),
                        member(account, "problem.message"),
                    ]
                })
                .collect();
            print::table(&["id", "found", "ms", "problem"], &rows);
        }
    }
    let trouble = accounts.iter().any(|account| !flag(account, "ok") && !flag(account, "skipped"));
    if trouble { Exit::Failure } else { Exit::Ok }
}

/// At most two decimals.
pub(super) fn number(value: Option<&Value>) -> String {
    match value.and_then(Value::as_f64) {
        Some(number) => {
            let text = format!("{number:.2}");
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
        None => "?".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_unknown_ones_are_not_zero() {
        let text = |value: Value| number(Some(&value));
        assert_eq!(
            (text(json!(650.0)), text(json!(12.345)), text(json!(0.5))),
            ("650".into(), "12.35".into(), "0.5".into())
        );
        assert_eq!((text(Value::Null), number(None), text(json!(0.0))), ("?".into(), "?".into(), "0".into()));
    }

    #[test]
    fn ages_are_told_in_the_unit_that_fits() {
        let told = |seconds: u64| age(&json!({"ageSeconds": seconds}));
        assert_eq!((told(5), told(300), told(90_000)), ("5 s ago".into(), "5 min ago".into(), "25 h ago".into()));
        assert_eq!(age(&json!({"ageSeconds": null})), "not known yet");
    }
}
