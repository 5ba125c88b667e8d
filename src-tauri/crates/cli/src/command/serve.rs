//! `kiro-proxy serve`: open, listen, say where, and stop when told to.

use std::io::{BufRead as _, IsTerminal as _};
use std::sync::Arc;

use http::Method;
use kiro_gateway::{Gateway, InheritedEffect, OpenError, Options, Problem, Status};
use serde_json::{Value, json};

use super::list;
use crate::admin_client::AdminClient;
use crate::args::Serve;
use crate::demo::Demo;
use crate::exit::{Exit, Trouble};
use crate::place::{self, open_trouble};
use crate::print::{self, member};
use crate::signal::Signals;
use crate::words::{self, say};

pub(crate) async fn run(mut options: Options, serve: &Serve) -> Result<Exit, Trouble> {
    let mut signals = Signals::listen()?;
    options.overrides.extend(place::overrides(serve)?);
    options.demo = Some(Arc::new(Demo::default()));
    // Opening may ask for a passphrase; a person who thinks better of it is heard.
    let opened = tokio::select! {
        opened = Gateway::open(options.clone()) => opened,
        () = signals.next() => return Ok(Exit::Interrupted),
    };
    let gateway = match opened {
        Ok(gateway) => gateway,
        Err(error) => return Err(already_running(&options, error).await),
    };
    let client = AdminClient::Here(gateway.clone());
    let result = until_signal(&gateway, &client, serve, &mut signals).await;
    if result.is_ok() {
        print::line(&say!("Stopping: no new requests; running answers may finish. A second signal ends at once."));
    }
    tokio::select! {
        () = gateway.stop() => result.map(|()| Exit::Ok),
        () = signals.next() => Ok(Exit::Interrupted),
    }
}

async fn until_signal(
    gateway: &Gateway,
    client: &AdminClient,
    serve: &Serve,
    signals: &mut Signals,
) -> Result<(), Trouble> {
    if serve.demo {
        client.call(Method::POST, "/api/accounts/demo", None).await?;
    }
    let status = gateway.set_listening(true).await.map_err(|problem| listen_trouble(&problem))?;
    print_address(&status);
    print_key(client).await?;
    print_secrets(client).await?;
    print_inherited(client).await?;
    print_answers(&status);
    if status.accounts.total == 0 {
        tokio::select! {
            offered = offer_demo(gateway, client) => offered?,
            () = signals.next() => return Ok(()),
        }
    }
    print::line(&say!("Ready."));
    signals.next().await;
    Ok(())
}

fn print_address(status: &Status) {
    print::line(&say!("Kiro Proxy {} is running", status.version));
    for address in &status.addresses {
        print::line(&say!("Address: {}", address));
    }
}

/// Says which key to use without writing it into a terminal's or a service's log.
async fn print_key(client: &AdminClient) -> Result<(), Trouble> {
    let keys = client.call(Method::GET, "/api/keys", None).await?;
    match list(&keys, "keys").first() {
        Some(key) => print::line(&say!(
            "Key:     {}… ({}); `kiro-proxy keys reveal` prints it",
            print::safe(&member(key, "prefix")),
            print::safe(&member(key, "name"))
        )),
        None => {
            print::line(&say!("Key:     none, so every client is refused; `kiro-proxy keys create NAME` makes one"))
        }
    }
    Ok(())
}

/// Only what a person should act on.
async fn print_secrets(client: &AdminClient) -> Result<(), Trouble> {
    let vault = client.call(Method::GET, "/api/vault", None).await?;
    let only_permissions = vault.get("protectedByPermissionsOnly").and_then(Value::as_bool).unwrap_or_default();
    let state = member(&vault, "state");
    if state != "ready" {
        print::line(&say!("Secrets: {}", words::of(super::vault::state_words(&state))));
    } else if only_permissions {
        print::line(&say!("Secrets: sealed, but the key lies beside the vault: protected by file permissions only"));
    } else if member(&vault, "keySource") == "environment" {
        print::line(&say!(
            "Secrets: the vault's key came through the environment, which whoever started this program can still read; a key file is safer"
        ));
    }
    Ok(())
}

/// Names of the predecessor's environment that do not do what somebody who set them probably expects.
async fn print_inherited(client: &AdminClient) -> Result<(), Trouble> {
    let settings = client.call(Method::GET, "/api/settings", None).await?;
    for told in list(&settings, "inherited") {
        let effect: Option<InheritedEffect> =
            told.get("effect").cloned().and_then(|effect| serde_json::from_value(effect).ok());
        let Some(effect) = effect.filter(|effect| effect.is_surprising()) else { continue };
        let path = member(told, "setting");
        let setting = words::of_window(&format!("settings.{path}.label"), None).unwrap_or(path);
        let said =
            words::of_window(&format!("inherited.{}", member(told, "effect")), Some(&json!({"setting": setting})));
        let said = said.unwrap_or_else(|| effect.words().to_owned());
        print::line(&say!("Note:    {} {}", member(told, "name"), said));
    }
    Ok(())
}

fn print_answers(status: &Status) {
    if status.simulated {
        print::line(&say!("Answers: SIMULATED by the demo account; nothing reaches Kiro"));
    } else if status.accounts.total > 0 {
        print::line(&say!(
            "Answers: from your accounts ({} of {} usable now)",
            status.accounts.usable,
            status.accounts.total
        ));
    } else {
        print::line(&say!("Answers: none yet, there is no account"));
    }
}

/// Without an account nothing can be answered; a newcomer may try the demo account.
async fn offer_demo(gateway: &Gateway, client: &AdminClient) -> Result<(), Trouble> {
    if !std::io::stdin().is_terminal() {
        print::line(&say!(
            "         add one: `kiro-proxy accounts scan`, `kiro-proxy login google` or `kiro-proxy accounts import FILE`; simulated answers: `kiro-proxy serve --demo`"
        ));
        return Ok(());
    }
    print::line(&say!(
        "Add the demo account? Its answers are simulated on this machine; no sign-in, no network. [y/N]"
    ));
    let answer = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line).map(|_| line)
    });
    let yes = matches!(answer.await, Ok(Ok(line)) if matches!(line.trim().to_lowercase().as_str(), "y" | "yes"));
    if yes {
        client.call(Method::POST, "/api/accounts/demo", None).await?;
        print_answers(&gateway.status());
    } else {
        print::line(&say!("As you like. `kiro-proxy accounts scan` or `kiro-proxy login google` adds a real account."));
    }
    Ok(())
}

fn listen_trouble(problem: &Problem) -> Trouble {
    let problem = serde_json::to_value(problem).unwrap_or(Value::Null);
    let mut trouble = Trouble::from_problem(&problem);
    trouble.done = say!("the gateway did not start; nothing was changed");
    trouble
}

/// A held data directory is good news when its holder answers: then there is an address to use.
async fn already_running(options: &Options, error: OpenError) -> Trouble {
    let mut trouble = open_trouble(&error);
    if matches!(error, OpenError::Locked { .. })
        && let Some(client) = AdminClient::running(options).await
        && let Ok(status) = client.call(Method::GET, "/api/status", None).await
    {
        let addresses: Vec<&str> = list(&status, "addresses").iter().filter_map(Value::as_str).collect();
        if let Some(address) = addresses.first() {
            trouble.what = say!("{}; it already serves {}", trouble.what, address);
        }
    }
    trouble
}
