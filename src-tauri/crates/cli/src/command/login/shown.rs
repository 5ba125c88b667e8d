//! A sign-in as a person reads it: what is awaited, with its address as a picture, and what came of it.

use std::io::IsTerminal as _;

use serde_json::Value;

use crate::command::list;
use crate::print::{self, Output, member};
use crate::words::{self, say};

/// Says what is new: once for each thing that is awaited.
pub(super) fn tell(login: &Value, told: &mut Option<(Value, Value, Value)>, output: Output) {
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

/// What the account is and can do.
pub(super) fn proof(login: &Value) -> Vec<String> {
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
    use serde_json::json;

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
