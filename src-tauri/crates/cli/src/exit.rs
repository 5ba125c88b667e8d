//! Exit codes of `kiro-proxy` and the three-line errors that go with them. The table in `docs/cli.md` is held to [`Exit`] by a test.

use serde_json::{Value, json};

use crate::print::{self, Output};
use crate::words::{self, say};

/// How the program ended, for scripts. Usage errors are raised by clap with the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Everything asked for was done.
    Ok = 0,
    /// Something failed that has no number of its own.
    Failure = 1,
    /// The command line was not understood.
    Usage = 2,
    /// No gateway is running, or it does not answer.
    Unreachable = 3,
    /// Another process owns the data directory.
    Locked = 4,
    /// Secrets cannot be read or written: no keychain, access denied, no answer, a key that must not be used.
    Store = 5,
    /// The port or address cannot be taken.
    Port = 6,
    /// The data directory cannot be used.
    DataDir = 7,
    /// A setting or the settings file is not valid.
    Settings = 8,
    /// The named account or key does not exist.
    NotFound = 9,
    /// An import took nothing, or refused a part of what it was given.
    Rejected = 10,
    /// Secrets are there and locked.
    StoreLocked = 20,
    /// The vault's key was not given.
    KeyMissing = 21,
    /// The key given does not open the vault.
    KeyWrong = 22,
    /// The vault or a record is damaged.
    StoreCorrupt = 23,
    /// A second signal ended the program before streams had drained.
    Interrupted = 130,
}

/// Shown under `--help`; one line for each code.
pub(crate) const HELP: &str = "\
Exit codes:
  0    everything asked for was done
  1    something failed that has no number of its own
  2    the command line was not understood
  3    no gateway is running, or it does not answer
  4    another process owns the data directory
  5    secrets cannot be read or written: no keychain, access denied, no answer, a key that must not be used
  6    the port or address cannot be taken
  7    the data directory cannot be used
  8    a setting or the settings file is not valid
  9    the named account or key does not exist
  10   an import took nothing, or refused a part of what it was given
  20   secrets are there and locked
  21   the vault's key was not given
  22   the key given does not open the vault
  23   the vault or a record is damaged
  130  a second signal ended the program before streams had drained";

impl Exit {
    /// The exit code for a stable error code of the gateway.
    pub(crate) fn of_code(code: &str) -> Self {
        match code {
            "data_dir_locked" => Self::Locked,
            "port_in_use" | "port_unavailable" | "callback_port_taken" => Self::Port,
            "invalid_fields" | "revision_conflict" | "endpoints_not_loopback" => Self::Settings,
            "not_found" => Self::NotFound,
            "store_locked" | "vault_locked" => Self::StoreLocked,
            "store_corrupt" => Self::StoreCorrupt,
            "vault_key_missing" => Self::KeyMissing,
            "vault_key_wrong" => Self::KeyWrong,
            "no_credential_store" => Self::Store,
            _ if code.ends_with("_not_found") => Self::NotFound,
            _ if code.starts_with("store_") || code.starts_with("vault_") || code.starts_with("keychain_") => {
                Self::Store
            }
            _ if code.starts_with("data_dir_") => Self::DataDir,
            _ if code.starts_with("settings_") || code.starts_with("override_") => Self::Settings,
            _ => Self::Failure,
        }
    }
}

/// A failure as a person reads it: what happened, what was done about it, what can be done now.
#[derive(Debug)]
pub(crate) struct Trouble {
    pub(crate) exit: Exit,
    /// Stable, snake_case.
    pub(crate) code: String,
    pub(crate) what: String,
    pub(crate) done: String,
    pub(crate) help: String,
}

impl Trouble {
    pub(crate) fn new(
        exit: Exit,
        code: &str,
        what: impl Into<String>,
        done: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        let said = |text: String| words::of(&text).to_owned();
        Self { exit, code: code.to_owned(), what: said(what.into()), done: said(done.into()), help: said(help.into()) }
    }

    /// From a `Problem` of the admin API.
    pub(crate) fn from_problem(problem: &Value) -> Self {
        let text = |name: &str| problem.get(name).and_then(Value::as_str).map(str::to_owned);
        let code = text("code").unwrap_or_else(|| "unknown".to_owned());
        let message = text("message").unwrap_or_else(|| say!("the gateway answered {}", problem));
        let mut what = words::of_problem(problem, &message);
        if let Some(fields) = problem.get("fields").and_then(Value::as_object) {
            for (path, field) in fields {
                what.push_str(&format!("; {path}: {}", words::of_field(field)));
            }
        }
        // A store that cannot be used says in a parameter which of the reasons it is.
        let reason = problem.pointer("/params/reason").and_then(Value::as_str);
        let exit = match (code.as_str(), reason) {
            ("store_unavailable", Some(reason)) => Exit::of_code(reason),
            _ => Exit::of_code(&code),
        };
        let next = format!("problem.{code}.next");
        let help = text("action").map(|action| words::of_window(&next, problem.get("params")).unwrap_or(action));
        let help = help.unwrap_or_else(|| words::of(advice(&code)).to_owned());
        Self { exit, code, what, done: say!("nothing was changed"), help }
    }

    pub(crate) fn print(&self, output: Output) {
        match output {
            Output::Json => print::error_line(
                &json!({"error": {"code": self.code, "message": self.what, "done": self.done, "help": self.help, "exit": self.exit as u8}}).to_string(),
            ),
            Output::Text => {
                print::error_line(&say!("error[{}]: {}", print::safe(&self.code), print::safe_lines(&self.what)));
                print::error_line(&say!("  done: {}", print::safe(&self.done)));
                print::error_line(&say!("  now:  {}", print::safe_lines(&self.help)));
            }
        }
    }
}

/// What a person can do about a code for which the gateway names no action itself.
fn advice(code: &str) -> &'static str {
    match Exit::of_code(code) {
        Exit::Locked => "use the gateway that is running, stop it, or give another --data-dir",
        Exit::Port => "choose another port with --port, or stop the program that holds this one",
        Exit::Store | Exit::StoreLocked | Exit::KeyMissing | Exit::KeyWrong | Exit::StoreCorrupt => {
            "unlock the keychain, or give the vault key: --vault-key-file FILE or KIRO_PROXY_VAULT_KEY"
        }
        Exit::DataDir => "give a directory of your own that you can write to: --data-dir DIR",
        Exit::Settings => "correct the setting named above and try again",
        Exit::NotFound => "see the list for the ids that exist",
        Exit::Ok | Exit::Failure | Exit::Usage | Exit::Unreachable | Exit::Rejected | Exit::Interrupted => {
            "see the log in the data directory for more: --log-level debug tells most"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Exit; 16] = [
        Exit::Ok,
        Exit::Failure,
        Exit::Usage,
        Exit::Unreachable,
        Exit::Locked,
        Exit::Store,
        Exit::Port,
        Exit::DataDir,
        Exit::Settings,
        Exit::NotFound,
        Exit::Rejected,
        Exit::StoreLocked,
        Exit::KeyMissing,
        Exit::KeyWrong,
        Exit::StoreCorrupt,
        Exit::Interrupted,
    ];

    #[test]
    fn every_exit_code_is_in_the_help_and_in_the_manual() {
        let manual = include_str!("../../../../docs/cli.md");
        let helped: Vec<(u8, String)> = HELP
            .lines()
            .skip(1)
            .map(|line| {
                let (number, text) = line.trim().split_once(' ').expect("number and text");
                (number.parse().expect("a number"), text.trim().to_owned())
            })
            .collect();
        assert_eq!(helped.iter().map(|(number, _)| *number).collect::<Vec<_>>(), ALL.map(|exit| exit as u8));
        for (number, text) in helped {
            assert!(
                manual.contains(&format!("| {number} | {text} |")),
                "docs/cli.md lacks the row of {number}: {text}"
            );
        }
    }

    #[test]
    fn every_problem_of_the_door_and_the_settings_has_its_own_exit_code() {
        use kiro_gateway::{Problem, ProblemCode};
        for (code, exit) in [
            (ProblemCode::PortInUse, Exit::Port),
            (ProblemCode::PortUnavailable, Exit::Port),
            (ProblemCode::InvalidFields, Exit::Settings),
            (ProblemCode::RevisionConflict, Exit::Settings),
            (ProblemCode::NotFound, Exit::NotFound),
            (ProblemCode::StoreUnavailable, Exit::Store),
        ] {
            let problem = serde_json::to_value(Problem::new(code, "words")).expect("JSON");
            assert_eq!(Trouble::from_problem(&problem).exit, exit, "{problem}");
        }
    }

    #[test]
    fn a_problem_keeps_its_code_and_its_field_messages() {
        let problem = json!({"code": "settings_invalid", "message": "1 setting is not valid", "fields": {"listener.port": {"code": "range", "message": "must be 1 to 65535"}}});
        let trouble = Trouble::from_problem(&problem);
        assert_eq!(trouble.code, "settings_invalid");
        assert_eq!(trouble.exit, Exit::Settings);
        assert!(trouble.what.contains("listener.port: must be 1 to 65535"), "{}", trouble.what);
    }

    #[test]
    fn each_state_of_the_vault_has_its_own_exit_code() {
        let of = |reason: &str| {
            Trouble::from_problem(&json!({"code": "store_unavailable", "message": "x", "params": {"reason": reason}}))
                .exit
        };
        assert_eq!(of("store_locked"), Exit::StoreLocked);
        assert_eq!(of("vault_locked"), Exit::StoreLocked);
        assert_eq!(of("vault_key_missing"), Exit::KeyMissing);
        assert_eq!(of("vault_key_wrong"), Exit::KeyWrong);
        assert_eq!(of("store_corrupt"), Exit::StoreCorrupt);
        assert_eq!(of("store_denied"), Exit::Store);
    }
}
