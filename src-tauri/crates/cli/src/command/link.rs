//! `kiro-proxy accounts link`.

use http::Method;
use serde_json::{Map, Value};

use super::{find, list};
use crate::admin_client::AdminClient;
use crate::args::OnOff;
use crate::args::link::Link;
use crate::exit::{Exit, Trouble};
use crate::print::{self, Output, member};
use crate::words::{self, say};

pub(crate) async fn run(client: &AdminClient, link: &Link) -> Result<Exit, Trouble> {
    let accounts = client.call(Method::GET, "/api/accounts", None).await?;
    let accounts = list(&accounts, "accounts");
    let id = find(accounts, &link.account, "label", "account")?;
    let mut wish = Map::new();
    if let Some(on) = link.write_back {
        wish.insert("writeBack".into(), (on == OnOff::On).into());
    }
    if link.adopt {
        wish.insert("decision".into(), "adopt".into());
    }
    if link.keep {
        wish.insert("decision".into(), "keep".into());
    }
    let account = if wish.is_empty() {
        accounts.iter().find(|account| member(account, "id") == id).cloned().unwrap_or(Value::Null)
    } else {
        client.call(Method::PATCH, &format!("/api/accounts/{id}/link"), Some(wish.into())).await?
    };
    match Output::json_when(link.json.json) {
        Output::Json => print::json(&account),
        Output::Text => show(&account),
    }
    Ok(Exit::Ok)
}

fn show(account: &Value) {
    let label = print::safe(&member(account, "label"));
    let Some(shared) = account.get("link").filter(|link| !link.is_null()) else {
        return print::line(&say!("{} shares its login with no other program.", label));
    };
    print::line(&say!(
        "{} shares its login with {}: {}",
        label,
        print::safe(&member(shared, "owner")),
        print::safe(&member(shared, "path"))
    ));
    let on = shared.get("writeBack").and_then(Value::as_bool).unwrap_or_default();
    print::line(words::of(if on {
        "Rotated tokens are written into that file."
    } else {
        "That file is read only; `--write-back on` keeps the other program signed in."
    }));
    let since = |name: &str| shared.get(name).is_some_and(|at| !at.is_null());
    if since("switchedAt") {
        print::line(&say!(
            "The other program signed in as somebody else: `--adopt` takes that login, `--keep` keeps this one."
        ));
    }
    if since("divergedAt") {
        print::line(&say!("The token in that file was used up here; the other program will have to sign in again."));
    }
}
