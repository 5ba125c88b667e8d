//! `kiro-proxy login`: begins a sign-in, shows what to do, follows it to its end. Ctrl-C ends it. With `--json` every change is one line.

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
        tell(&login, &mut told, output);
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

/// Says what is new: once for each thing that is awaited.
fn tell(login: &Value, told: &mut Option<(Value, Value, Value)>, output: Output) {
    let now = (login["state"].clone(), login["awaits"].clone(), login["url"].clone());
    if told.as_ref() == Some(&now) {
        return;
    }
    *told = Some(now);
    match output {
        Output::Json => print::line(&login.to_string()),
        Output::Text => words(login).iter().for_each(|line| print::line(line)),
    }
}

fn words(login: &Value) -> Vec<String> {
    let url = print::safe(&member(login, "url"));
    let until = print::moment(login.get("expiresAt"));
    let mut lines = Vec::new();
    match login["awaits"].as_str().unwrap_or_default() {
        "deviceCode" => {
            lines.push(say!("Open     {}", url));
            lines.push(say!("Confirm  {}", print::safe(&member(login, "userCode"))));
            lines.extend(picture(login));
            lines.push(say!("Waiting for you there until {}. Ctrl-C cancels.", until));
        }
        "browserSignIn" | "paste" | "directorySignIn" => {
            let second = login["awaits"] == "directorySignIn";
            lines.push(format!(
                "{}  {url}",
                words::of(if second { "Now sign in at your company:" } else { "Sign in on this page:" })
            ));
            lines.extend(picture(login));
            lines
                .push(say!("If the page cannot come back here, paste the address on which you ended and press Enter."));
            lines.push(say!("Waiting for you there until {}. Ctrl-C cancels.", until));
        }
        "remoteOpen" => {
            lines.push(say!("Give this link to whoever signs in:  {}", url));
            lines.extend(picture(login));
            lines.push(say!("It works once, for the browser that opens it first, until {}. Ctrl-C cancels.", until));
            if login["plainHttp"] == true {
                lines.push(say!(
                    "It is plain HTTP: whoever is on the way can read along. Use it in a network that you trust."
                ));
            } else {
                let port = url.rsplit(':').next().and_then(|rest| rest.split('/').next()).unwrap_or_default();
                lines.push(say!(
                    "From another machine, reach it through a tunnel: ssh -L {}:localhost:{} THIS-MACHINE",
                    port,
                    port
                ));
            }
        }
        "remoteSignIn" => lines.push(say!("The link was opened. Waiting for the sign-in there.")),
        "exchange" => lines.push(say!("Agreed. Fetching tokens.")),
        "inspection" => lines.push(say!("Signed in. Looking at what the account can do.")),
        "profile" => {
            lines.push(say!("The account has several profiles. Which one? (number and Enter)"));
            for (number, profile) in list(login, "profiles").iter().enumerate() {
                let (name, region) = (print::safe(&member(profile, "name")), print::safe(&member(profile, "region")));
                lines.push(format!("  {}  {name} ({region})  {}", number + 1, print::safe(&member(profile, "arn"))));
            }
        }
        _ => {}
    }
    lines
}

/// The end, if this is it.
fn ended(login: &Value, output: Output) -> Option<Result<Exit, Trouble>> {
    match login["state"].as_str().unwrap_or_default() {
        "done" => {
            if output == Output::Text {
                proof(login).iter().for_each(|line| print::line(line));
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

fn proof(login: &Value) -> Vec<String> {
    let account = &login["account"];
    let name = |path: &str| print::safe(&member(account, path));
    let mut lines = vec![say!("Signed in: {} ({}, {})", name("label"), name("method"), name("id"))];
    lines.extend(outcome(&login["renewal"]));
    let proof = &login["proof"];
    if proof.is_object() {
        let said = |path: &str| print::safe(&member(proof, path));
        lines.push(say!("Plan:      {}", said("plan")));
        if proof["creditsLimit"].is_number() {
            let resets = print::moment(proof.get("resetsAt"));
            lines.push(say!("Credits:   {} of {} left, anew on {}", said("creditsLeft"), said("creditsLimit"), resets));
        }
        lines.push(say!("Models:    {}", list(proof, "models").len()));
        lines.push(say!("Region:    {} ({})", said("region"), said("host")));
    }
    if login["problem"].is_object() {
        lines.push(say!("Not found out: {}", print::safe(&member(&login["problem"], "message"))));
    }
    lines
}

/// Whose sign-in it was, when it was meant for an account.
fn outcome(renewal: &Value) -> Option<String> {
    let label = print::safe(&member(renewal, "label"));
    let (whose, new) = match renewal["outcome"].as_str()? {
        "newAccount" => ("Another person signed in; an account was added for them.", true),
        "knownAccount" => ("Another person signed in; their account was here already and has the new sign-in.", false),
        "untold" => ("It could not be found out whose sign-in this is; it is kept as an account of its own.", true),
        _ => return None,
    };
    let proxy = words::of(if new && renewal["ownProxy"] == true { " It uses the same proxy." } else { "" });
    Some(say!("Note:      {}{} {} is as it was: to renew it, sign in as its owner.", words::of(whose), proxy, label))
}

/// The QR code, two rows of modules in one line; black on white whatever the terminal's colours are.
fn picture(login: &Value) -> Vec<String> {
    if !std::io::stdout().is_terminal() {
        return Vec::new();
    }
    let rows: Vec<Vec<bool>> = list(&login["qr"], "rows")
        .iter()
        .filter_map(|row| Some(row.as_str()?.bytes().map(|module| module == b'1').collect()))
        .collect();
    draw(&rows)
}

fn draw(rows: &[Vec<bool>]) -> Vec<String> {
    /// Light modules around the code; readers need them.
    const QUIET: usize = 2;
    let Some(width) = rows.first().map(|row| row.len() + 2 * QUIET) else { return Vec::new() };
    let dark = |y: usize, x: usize| {
        let (y, x) = (y.checked_sub(QUIET), x.checked_sub(QUIET));
        y.zip(x).and_then(|(y, x)| rows.get(y)?.get(x)).copied().unwrap_or(false)
    };
    (0..rows.len() + 2 * QUIET)
        .step_by(2)
        .map(|y| {
            let line: String = (0..width)
                .map(|x| match (dark(y, x), dark(y + 1, x)) {
                    (true, true) => '█',
                    (true, false) => '▀',
                    (false, true) => '▄',
                    (false, false) => ' ',
                })
                .collect();
            format!("\u{1b}[30;107m{line}\u{1b}[0m")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_rows_of_modules_become_one_line_with_light_around_them() {
        let rows = [vec![true, false, true], vec![true, true, false], vec![false, true, true]];
        let lines = draw(&rows);
        let plain: Vec<&str> =
            lines.iter().map(|line| line.trim_start_matches("\u{1b}[30;107m").trim_end_matches("\u{1b}[0m")).collect();
        assert_eq!(plain, ["       ", "  █▄▀  ", "   ▀▀  ", "       "]);
        assert!(draw(&[]).is_empty());
    }

    #[test]
    fn another_person_than_the_one_that_was_meant_is_said_with_the_proxy_that_came_along() {
        let of = |whose: &str, own_proxy| {
            outcome(&json!({"label": "work", "ownProxy": own_proxy, "outcome": whose})).unwrap_or_default()
        };
        assert_eq!(of("renewed", true), "");
        assert!(of("newAccount", true).contains("uses the same proxy. work is as it was"));
        assert!(!of("newAccount", false).contains("proxy"));
        assert!(!of("knownAccount", true).contains("proxy"), "that one has its own way");
        assert!(of("untold", true).contains("could not be found out"));
        assert_eq!(outcome(&Value::Null), None);
    }

    #[test]
    fn what_is_awaited_is_said_with_its_address_and_code() {
        let login = json!({"awaits": "deviceCode", "url": "https://view.awsapps.com/start", "userCode": "AB\u{1b}[2J", "expiresAt": 1_767_225_600_000_i64});
        let lines = words(&login);
        assert_eq!(lines[0], "Open     https://view.awsapps.com/start");
        assert_eq!(lines[1], "Confirm  AB\\u{1b}[2J", "the provider's text moves no cursor");
        let remote =
            json!({"awaits": "remoteOpen", "url": "http://192.168.1.5:9000/x", "plainHttp": true, "expiresAt": 0});
        assert!(words(&remote).iter().any(|line| line.contains("plain HTTP")));
        let tunnel =
            json!({"awaits": "remoteOpen", "url": "http://localhost:4321/x", "plainHttp": false, "expiresAt": 0});
        assert!(words(&tunnel).iter().any(|line| line.contains("ssh -L 4321:localhost:4321")));
    }
}
