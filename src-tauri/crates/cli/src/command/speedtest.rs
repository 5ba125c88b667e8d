//! `kiro-proxy speedtest`: how fast each host of the service is reached. No credential is sent.

use super::{find, list};
use crate::admin_client::AdminClient;
use crate::args::speedtest::Speedtest;
use crate::exit::{Exit, Trouble};
use crate::print::{self, Output, member};
use crate::words::say;
use http::Method;
use serde_json::{Value, json};

pub(crate) async fn run(client: &AdminClient, wish: &Speedtest) -> Result<Exit, Trouble> {
    let mut body = json!({});
    if let Some(account) = &wish.account {
        let accounts = client.call(Method::GET, "/api/accounts", None).await?;
        body["account"] = find(list(&accounts, "accounts"), account, "label", "account")?.into();
    }
    let answer = client.call(Method::POST, "/api/speed-test", Some(body)).await?;
    let hosts = list(&answer, "hosts");
    match Output::json_when(wish.json.json) {
        Output::Json => print::json(&answer),
        Output::Text => {
            let rounds = member(&answer, "rounds");
            let row = |host: &Value| {
                vec![
                    member(host, "host"),
                    member(host, "region"),
                    member(host, "connectMs"),
                    member(host, "firstByteMs"),
                    member(host, "totalMs"),
                    say!("{} of {}", member(host, "answered"), rounds),
                    member(host, "problem"),
                ]
            };
            let head = ["host", "region", "connect ms", "first byte ms", "both ms", "answered", "problem"];
            print::table(&head, &hosts.iter().map(row).collect::<Vec<_>>());
        }
    }
    let reached = hosts.iter().any(|host| host.get("answered").and_then(Value::as_u64) > Some(0));
    Ok(if reached { Exit::Ok } else { Exit::Failure })
}
