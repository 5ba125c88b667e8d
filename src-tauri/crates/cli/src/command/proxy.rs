//! `kiro-proxy proxy`: the login at the proxy of the settings.

use http::Method;
use serde_json::{Value, json};

use super::tell_way;
use crate::admin_client::AdminClient;
use crate::args::proxy::Proxy;
use crate::exit::{Exit, Trouble};
use crate::hidden;
use crate::print::{self, Output, member};
use crate::words::{self, say};

pub(crate) fn output(command: &Proxy) -> Output {
    let (Proxy::Show(json) | Proxy::Login(json) | Proxy::Logout(json) | Proxy::Test(json)) = command;
    Output::json_when(json.json)
}

pub(crate) async fn run(client: &AdminClient, command: &Proxy) -> Result<Exit, Trouble> {
    let output = output(command);
    let answer = match command {
        Proxy::Show(_) => client.call(Method::GET, "/api/network/proxy", None).await?,
        Proxy::Login(_) => {
            let typed = hidden::ask("Login at the proxy (user:password)")?;
            let (user, password) = typed.split_once(':').unwrap_or((typed.as_str(), ""));
            let body = json!({"user": user, "password": password});
            client.call(Method::PUT, "/api/network/proxy/login", Some(body)).await?
        }
        Proxy::Logout(_) => client.call(Method::DELETE, "/api/network/proxy/login", None).await?,
        Proxy::Test(_) => return test(client, output).await,
    };
    match output {
        Output::Json => print::json(&answer),
        Output::Text => words(&answer).iter().for_each(|line| print::line(line)),
    }
    Ok(Exit::Ok)
}

async fn test(client: &AdminClient, output: Output) -> Result<Exit, Trouble> {
    let answer = client.call(Method::POST, "/api/network/proxy/test", None).await?;
    Ok(tell_way(&answer, output))
}

fn words(answer: &Value) -> Vec<String> {
    if !answer["address"].is_string() {
        return vec![say!("The settings name no proxy (network.proxy).")];
    }
    let login = match answer["login"].as_str() {
        Some("stored") => "its login is kept where secrets are",
        Some("environment") => "its login is the environment's, for this run",
        Some("unreadable") => "its login cannot be read now, so nothing is sent",
        Some(_) | None => "no login is kept for it",
    };
    vec![say!("Everything goes through {}; {}.", print::safe(&member(answer, "address")), words::of(login))]
}
