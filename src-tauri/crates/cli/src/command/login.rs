//! `kiro-proxy login`: begins a sign-in, shows what to do, follows it to its end. Ctrl-C ends it. With `--json` every change is one line.

mod shown;

use std::io::{BufRead as _, IsTerminal as _, Read as _};
use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::{find, list};
use crate::admin_client::AdminClient;
use crate::args::login::{Login, LoginKind};
use crate::exit::{Exit, Trouble};
use crate::print::{self, Output, member};
use crate::signal::Signals;
use crate::words::{self, say};

/// How often the sign-in is looked at.
const LOOK: Duration = Duration::from_millis(300);
/// A key is short; a disk image given by mistake must not fill the memory.
const LONGEST_KEY: u64 = 8 * 1024;

pub(crate) async fn run(client: &AdminClient, wish: &Login) -> Result<Exit, Trouble> {
    let output = Output::json_when(wish.json.json);
    let mut body = body(wish)?;
    if let Some(account) = &wish.account {
        let accounts = client.call(Method::GET, "/api/accounts", None).await?;
        body["account"] = find(list(&accounts, "accounts"), account, "label", "account")?.into();
    }
    let mut signals = Signals::listen()?;
    let mut login = client.call(Method::POST, "/api/logins", Some(body)).await?;
    let path = format!("/api/logins/{}", member(&login, "id"));
    // The key has used standard input up.
    let mut lines = if wish.kind == LoginKind::ApiKey { None } else { Some(read_lines()) };
    let mut told = None;
    let mut profile = wish.profile.clone();
    loop {
        shown::tell(&login, &mut told, output);
        if let Some(end) = ended(&login, output) {
            return end;
        }
        if login["awaits"] == "profile"
            && let Some(arn) = profile.take()
        {
            let body = json!({"arn": arn});
            login = client.call(Method::POST, &format!("{path}/profile"), Some(body)).await?;
            continue;
        }
        tokio::select! {
            () = signals.next() => {
                client.call(Method::DELETE, &path, None).await?;
                return Err(cancelled());
            }
            line = next_line(&mut lines) => match hand_in(client, &path, &login, &line).await {
                Ok(Some(now)) => login = now,
                Ok(None) => {}
                // The sign-in still waits; the person tries again.
                Err(trouble) => trouble.print(output),
            },
            () = tokio::time::sleep(LOOK) => login = client.call(Method::GET, &path, None).await?,
        }
    }
}

fn body(wish: &Login) -> Result<Value, Trouble> {
    let kind = match wish.kind {
        LoginKind::Google => "google",
        LoginKind::Github => "github",
        LoginKind::BuilderId => "builderId",
        LoginKind::Idc => "idc",
        LoginKind::Microsoft => "microsoft",
        LoginKind::ApiKey => "apiKey",
        LoginKind::Remote => "remote",
    };
    // A directory has no device code; without a browser its address is printed and the last one pasted.
    let device = wish.device || (wish.no_browser && wish.kind != LoginKind::Microsoft);
    let mut body = json!({
        "kind": kind,
        "form": if device && wish.kind != LoginKind::ApiKey && wish.kind != LoginKind::Remote { "device" } else { "auto" },
        "open": if wish.no_browser { "none" } else { "browser" },
        "private": wish.private,
    });
    for (name, value) in [
        ("startUrl", &wish.start_url),
        ("region", &wish.region),
        ("label", &wish.label),
        ("browser", &wish.browser),
        ("remoteAddress", &wish.address),
    ] {
        if let Some(value) = value {
            body[name] = value.as_str().into();
        }
    }
    if wish.kind == LoginKind::ApiKey {
        body["apiKey"] = key()?.into();
        body["unchecked"] = wish.unchecked.into();
    }
    Ok(body)
}

/// The key: asked for without showing it, or read from standard input.
fn key() -> Result<String, Trouble> {
    let unreadable = |error: std::io::Error| {
        Trouble::new(
            Exit::Failure,
            "key_unreadable",
            say!("the API key cannot be read: {}", error),
            "nothing was sent",
            "type it when asked, or give it on standard input: `kiro-proxy login api-key --region us-east-1 < key.txt`",
        )
    };
    let text = if std::io::stdin().is_terminal() {
        rpassword::prompt_password(words::of("API key (it is not shown): ")).map_err(unreadable)?
    } else {
        let mut text = String::new();
        std::io::stdin().lock().take(LONGEST_KEY).read_to_string(&mut text).map_err(unreadable)?;
        text
    };
    let text = text.trim().to_owned();
    if text.is_empty() { Err(unreadable(std::io::ErrorKind::UnexpectedEof.into())) } else { Ok(text) }
}

/// Lines of standard input. The thread ends with it, or with the program.
fn read_lines() -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::channel(1);
    tokio::task::spawn_blocking(move || {
        for line in std::io::stdin().lock().lines() {
            let Ok(line) = line else { return };
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    lines
}

async fn next_line(lines: &mut Option<mpsc::Receiver<String>>) -> String {
    if let Some(open) = lines {
        if let Some(line) = open.recv().await {
            return line;
        }
        *lines = None;
    }
    std::future::pending().await
}

/// Hands a typed line to the sign-in: a pasted address, or the number of a profile.
async fn hand_in(client: &AdminClient, path: &str, login: &Value, line: &str) -> Result<Option<Value>, Trouble> {
    let line = line.trim();
    if line.is_empty() {
        return Ok(None);
    }
    match login["awaits"].as_str() {
        Some("browserSignIn" | "directorySignIn" | "paste") => {
            let body = json!({"text": line});
            client.call(Method::POST, &format!("{path}/paste"), Some(body)).await.map(Some)
        }
        Some("profile") => {
            let number = line.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
            let chosen = number.and_then(|number| list(login, "profiles").get(number));
            let arn = chosen.map_or_else(|| line.to_owned(), |profile| member(profile, "arn"));
            let body = json!({"arn": arn});
            client.call(Method::POST, &format!("{path}/profile"), Some(body)).await.map(Some)
        }
        Some(_) | None => Ok(None),
    }
}

/// The end, if this is it.
fn ended(login: &Value, output: Output) -> Option<Result<Exit, Trouble>> {
    match login["state"].as_str().unwrap_or_default() {
        "done" => {
            if output == Output::Text {
                shown::proof(login).iter().for_each(|line| print::line(line));
            }
            Some(Ok(Exit::Ok))
        }
        "failed" => Some(Err(Trouble::from_problem(&login["problem"]))),
        "cancelled" => Some(Err(cancelled())),
        "expired" => Some(Err(Trouble::new(
            Exit::Failure,
            "sign_in_expired",
            "nobody signed in in time",
            "no account was added",
            "start again: `kiro-proxy login` waits ten minutes",
        ))),
        _ => None,
    }
}

fn cancelled() -> Trouble {
    Trouble::new(
        Exit::Failure,
        "sign_in_cancelled",
        "the sign-in was cancelled",
        "nothing waits any more, and no account was added",
        "start again when you are ready",
    )
}
