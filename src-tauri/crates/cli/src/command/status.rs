//! `kiro-proxy status`: what the running gateway says about itself.

use http::Method;
use kiro_gateway::Options;
use serde_json::Value;

use super::vault;
use crate::admin_client::AdminClient;
use crate::exit::{Exit, Trouble};
use crate::print::{self, Output, member};
use crate::words::{self, say};

pub(crate) async fn run(options: &Options, output: Output) -> Result<Exit, Trouble> {
    let Some(client) = AdminClient::running(options).await else {
        return Err(Trouble::new(
            Exit::Unreachable,
            "gateway_not_running",
            "no gateway is running on this data directory",
            "nothing was changed",
            "start one with `kiro-proxy serve`; a gateway with another data directory needs --data-dir here too",
        ));
    };
    let status = client.call(Method::GET, "/api/status", None).await?;
    match output {
        Output::Json => print::json(&status),
        Output::Text => print_text(&status),
    }
    Ok(Exit::Ok)
}

fn print_text(status: &Value) {
    let addresses: Vec<&str> = super::list(status, "addresses").iter().filter_map(Value::as_str).collect();
    let simulated = status.get("simulated").and_then(Value::as_bool).unwrap_or_default();
    let accounts = status.pointer("/accounts/total").and_then(Value::as_u64).unwrap_or_default();
    let answers = match (simulated, accounts) {
        (true, _) => "simulated (demo account)",
        (false, 0) => "none yet, there is no account",
        (false, _) => "from your accounts",
    };
    let mut rows = vec![
        ("State", words::of_state("state", member(status, "state"))),
        ("Address", if addresses.is_empty() { "-".to_owned() } else { addresses.join("  ") }),
        ("Answers", words::of(answers).to_owned()),
        (
            "Accounts",
            say!("{} in all, {} usable now", member(status, "accounts.total"), member(status, "accounts.usable")),
        ),
        ("Running requests", member(status, "inFlight")),
        ("Secrets", {
            let (kind, state) = (member(status, "store.kind"), member(status, "store.state"));
            format!("{}: {}", words::of(vault::store_words(&kind)), words::of(vault::state_words(&state)))
        }),
        ("Data directory", member(status, "dataDir")),
        ("Version", member(status, "version")),
    ];
    if status.get("problem").is_some_and(Value::is_object) {
        rows.insert(
            1,
            ("Problem", format!("{} [{}]", member(status, "problem.message"), member(status, "problem.code"))),
        );
    }
    for (name, value) in rows {
        print::line(&print::row(name, &value));
    }
}
