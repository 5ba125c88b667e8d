//! Asking for a passphrase: on the terminal without showing it, through systemd-ask-password when a service starts without
//! one, or as a line of piped input where a command says so. Never from an argument.

use std::io::{BufRead as _, IsTerminal as _};
use std::process::{Command, Stdio};

use kiro_gateway::{PassphraseFor, PassphrasePrompt};
use secrecy::SecretString;
use zeroize::Zeroizing;

use crate::exit::{Exit, Trouble};

/// Asks a person, wherever one can be reached.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask {
    /// Whether systemd started us, so that its own agents may be asked.
    pub(crate) under_systemd: bool,
}

impl Ask {
    /// Whether there is anybody to ask.
    pub(crate) fn can_ask(self) -> bool {
        self.under_systemd || std::io::stdin().is_terminal()
    }
}

impl PassphrasePrompt for Ask {
    fn ask(&self, purpose: PassphraseFor) -> Result<SecretString, String> {
        let question = match purpose {
            PassphraseFor::Opening => "Passphrase of the vault",
            PassphraseFor::New => "New passphrase of the vault (at least 12 characters)",
            PassphraseFor::Recovery => "Recovery passphrase of the vault",
            PassphraseFor::NewRecovery => "New recovery passphrase of the vault (at least 12 characters)",
        };
        let new = match purpose {
            PassphraseFor::New | PassphraseFor::NewRecovery => true,
            PassphraseFor::Opening | PassphraseFor::Recovery => false,
        };
        if std::io::stdin().is_terminal() {
            let first = on_terminal(question)?;
            if new && *on_terminal("The same once more")? != *first {
                return Err("the two passphrases differ".to_owned());
            }
            return Ok(SecretString::from(first.as_str()));
        }
        if self.under_systemd {
            return through_systemd(question);
        }
        Err("there is no terminal to ask for the passphrase on; unlock the running gateway with `kiro-proxy vault unlock`"
            .to_owned())
    }
}

/// For a command that is about a passphrase: the terminal, or else the next line of standard input.
pub(crate) fn for_command(purpose: PassphraseFor) -> Result<SecretString, Trouble> {
    if std::io::stdin().is_terminal() {
        return Ask { under_systemd: false }.ask(purpose).map_err(|why| trouble(&why));
    }
    let mut line = Zeroizing::new(String::new());
    std::io::stdin().lock().read_line(&mut line).map_err(|error| trouble(&error.to_string()))?;
    let text = line.trim_end_matches(['\r', '\n']);
    if text.is_empty() {
        return Err(trouble("standard input ended before a passphrase came"));
    }
    Ok(SecretString::from(text))
}

fn on_terminal(question: &str) -> Result<Zeroizing<String>, String> {
    rpassword::prompt_password(format!("{question}: ")).map(Zeroizing::new).map_err(|error| error.to_string())
}

/// Its agents ask on the console, at boot, or wherever an administrator answers.
fn through_systemd(question: &str) -> Result<SecretString, String> {
    let asked = Command::new("systemd-ask-password")
        .args(["--timeout=90", &format!("{question}:")])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("systemd-ask-password cannot be started: {error}"))?;
    let answer = Zeroizing::new(asked.stdout);
    if !asked.status.success() {
        return Err(format!("systemd-ask-password brought no answer ({})", asked.status));
    }
    let text = std::str::from_utf8(&answer).map_err(|_| "the passphrase is not UTF-8".to_owned())?;
    Ok(SecretString::from(text.trim_end_matches(['\r', '\n'])))
}

fn trouble(why: &str) -> Trouble {
    Trouble::new(
        Exit::Usage,
        "passphrase_missing",
        format!("there is no passphrase: {why}"),
        "nothing was changed",
        "type it on a terminal, or pipe it in as one line",
    )
}
