//! Asking for the vault's passphrase: as everything hidden is asked for, or through systemd-ask-password when a service starts
//! without a terminal.

use std::io::IsTerminal as _;
use std::process::{Command, Stdio};

use kiro_gateway::{PassphraseFor, PassphrasePrompt};
use secrecy::SecretString;
use zeroize::Zeroizing;

use crate::exit::Trouble;
use crate::hidden;
use crate::words::{self, say};

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
        let question = question_of(purpose);
        if std::io::stdin().is_terminal() {
            return hidden_answer(question, purpose).map_err(|trouble| trouble.what);
        }
        if self.under_systemd {
            return through_systemd(question);
        }
        Err(say!(
            "there is no terminal to ask for the passphrase on; unlock the running gateway with `kiro-proxy vault unlock`"
        ))
    }
}

/// For a command that is about a passphrase: the terminal, or else the next line of standard input.
pub(crate) fn for_command(purpose: PassphraseFor) -> Result<SecretString, Trouble> {
    hidden_answer(question_of(purpose), purpose)
}

fn hidden_answer(question: &str, purpose: PassphraseFor) -> Result<SecretString, Trouble> {
    let text = match purpose {
        PassphraseFor::New | PassphraseFor::NewRecovery => hidden::ask_new(question)?,
        PassphraseFor::Opening | PassphraseFor::Recovery => hidden::ask(question)?,
    };
    Ok(SecretString::from(text.as_str()))
}

fn question_of(purpose: PassphraseFor) -> &'static str {
    match purpose {
        PassphraseFor::Opening => "Passphrase of the vault",
        PassphraseFor::New => "New passphrase of the vault (at least 12 characters)",
        PassphraseFor::Recovery => "Recovery passphrase of the vault",
        PassphraseFor::NewRecovery => "New recovery passphrase of the vault (at least 12 characters)",
    }
}

/// Its agents ask on the console, at boot, or wherever an administrator answers.
fn through_systemd(question: &str) -> Result<SecretString, String> {
    let asked = Command::new("systemd-ask-password")
        .args(["--timeout=90", &format!("{}:", words::of(question))])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| say!("systemd-ask-password cannot be started: {}", error))?;
    let answer = Zeroizing::new(asked.stdout);
    if !asked.status.success() {
        return Err(say!("systemd-ask-password brought no answer ({})", asked.status));
    }
    let text = std::str::from_utf8(&answer).map_err(|_| say!("the passphrase is not UTF-8"))?;
    Ok(SecretString::from(text.trim_end_matches(['\r', '\n'])))
}
