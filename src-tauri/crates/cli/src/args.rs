//! What can be typed. Secrets are never arguments: they come from files or standard input.

pub(crate) mod account_changes;
pub(crate) mod account_checks;
pub(crate) mod flows;
pub(crate) mod link;
pub(crate) mod login;
pub(crate) mod proxy;
pub(crate) mod settings;
pub(crate) mod speedtest;
pub(crate) mod spoken;
pub(crate) mod transfer;
pub(crate) mod vault;

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::exit;

#[derive(Debug, Parser)]
#[command(
    name = "kiro-proxy",
    version,
    about = "One local address for every LLM client, served by your own Kiro account",
    after_help = exit::HELP,
    arg_required_else_help = true,
    disable_help_subcommand = true
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) place: Place,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Where state and secrets live; the same for every command.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Place {
    /// Keep all state here, in place of the platform's own directory (also KIRO_PROXY_DATA_DIR)
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Keep secrets in the sealed vault, with the key from this file: 32 bytes in base64, readable by you only (also KIRO_PROXY_VAULT_KEY with the key itself)
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) vault_key_file: Option<PathBuf>,
    /// Keep secrets in the sealed vault, with a key out of words that are asked for on the terminal or by systemd-ask-password
    #[arg(long, global = true)]
    pub(crate) vault_ask: bool,
    /// Keep secrets in the sealed vault, with a key that is made beside it: protected by file permissions only
    #[arg(long, global = true)]
    pub(crate) vault_auto_key: bool,
    /// Open the vault with its recovery words, when its key is lost
    #[arg(long, global = true)]
    pub(crate) vault_recover: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve clients until a signal stops the program
    #[command(
        after_help = "A bare number is a shortcut: `kiro-proxy 9000` is `kiro-proxy serve --port 9000`.\nSIGTERM or Ctrl-C finishes running answers first; a second one ends at once."
    )]
    Serve(Serve),
    /// Sign in, and keep the account
    Login(login::Login),
    /// Accounts that answer
    Accounts {
        #[command(subcommand)]
        command: Accounts,
    },
    /// Keys for clients
    Keys {
        #[command(subcommand)]
        command: Keys,
    },
    /// Models and their names
    Models {
        #[command(subcommand)]
        command: Models,
    },
    /// Settings: see, change, keep as a file
    Settings {
        #[command(subcommand)]
        command: settings::Settings,
    },
    /// Where secrets are kept: state, lock and unlock, another key, another store
    Vault {
        #[command(subcommand)]
        command: vault::Vault,
    },
    /// The login at the proxy of the settings
    Proxy {
        #[command(subcommand)]
        command: proxy::Proxy,
    },
    /// Requests and what became of them; contents are not recorded
    Flows {
        #[command(subcommand)]
        command: flows::Flows,
    },
    /// How fast each host of the service is reached; nothing is spent
    Speedtest(speedtest::Speedtest),
    /// What was used, by account, model, key or day
    Usage(account_checks::Usage),
    /// What the running gateway is doing; exit code 3 when none runs
    Status(Json),
    /// Run the stand-in for Kiro alone, for tests and debugging
    Simulate(Simulate),
}

#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Json {
    /// Print the admin API's answer as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug, Default)]
pub(crate) struct Serve {
    /// Port for this run (0: any free one)
    #[arg(short, long)]
    pub(crate) port: Option<u16>,
    /// Address for this run
    #[arg(long)]
    pub(crate) host: Option<String>,
    /// Add the demo account, whose answers are simulated in this process. It is never used while a real account can answer
    #[arg(long)]
    pub(crate) demo: bool,
    /// error, warn, info, debug or trace, for this run
    #[arg(long, value_name = "LEVEL")]
    pub(crate) log_level: Option<String>,
    /// Any setting, for this run only; may be repeated
    #[arg(long = "set", value_name = "SECTION.FIELD=VALUE")]
    pub(crate) set: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Accounts {
    /// Import accounts from files of Kiro, kiro-cli and other programs, from pasted text, or from our own export
    Import(transfer::Import),
    /// Look for logins of Kiro IDE, kiro-cli, Amazon Q and the original KiroProxy on this machine, and add them if asked to
    Scan(transfer::Scan),
    /// Add one account by its token or key, tried before it is saved
    Add(transfer::Add),
    /// Write accounts with their secrets into a file, sealed with a passphrase
    Export(transfer::Export),
    /// List accounts and their condition
    List(Json),
    #[command(flatten)]
    Changes(account_changes::AccountChanges),
    /// Show or change how an account shares its login with Kiro IDE, kiro-cli or Amazon Q
    Link(link::Link),
    #[command(flatten)]
    Checks(account_checks::AccountChecks),
    /// Forget an account and its secrets
    Remove {
        /// Id or unique label
        account: String,
        #[command(flatten)]
        json: Json,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Keys {
    /// List keys; their text is not shown
    List(Json),
    /// Make a key; its text goes to standard output
    Create {
        /// What the key is for, for example the client's name
        name: String,
        #[command(flatten)]
        json: Json,
    },
    /// Make a key useless at once
    Revoke {
        /// Id or unique name
        key: String,
        #[command(flatten)]
        json: Json,
    },
    /// Print a key's text (the first key's, when none is named)
    Reveal {
        /// Id or unique name
        key: Option<String>,
        #[command(flatten)]
        json: Json,
    },
    /// Change a key's name or what it changes for its requests
    Set {
        /// Id or unique name
        key: String,
        #[command(flatten)]
        change: KeyChange,
        #[command(flatten)]
        json: Json,
    },
}

/// What to change of a key; the rest stays.
#[derive(Args, Debug)]
#[group(required = true, multiple = true)]
pub(crate) struct KeyChange {
    /// Another name
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Hold the beginning of a streamed answer back until its true input tokens are known
    #[arg(long, value_name = "ON|OFF")]
    pub(crate) buffered_start: Option<OnOff>,
    /// A rule for model names of this key; a `*` in MATCH stands for any text. Replaces all rules of the key; may be repeated
    #[arg(long = "rule", value_name = "MATCH=MODEL[,MODEL]...")]
    pub(crate) rules: Vec<String>,
    /// Take all rules of this key away
    #[arg(long, conflicts_with = "rules")]
    pub(crate) no_rules: bool,
    /// Only accounts with this tag answer this key. Replaces all tags of the key; may be repeated
    #[arg(long = "account-tag", value_name = "TAG")]
    pub(crate) account_tags: Vec<String>,
    /// Every account may answer this key
    #[arg(long, conflicts_with = "account_tags")]
    pub(crate) no_account_tags: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum OnOff {
    On,
    Off,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Models {
    /// List the models that the accounts are offered
    List(Json),
    /// Tell what would happen to a name that a client sends; nothing is sent
    Test {
        /// The name
        model: String,
        /// Also apply the rules of this key (id or unique name)
        #[arg(long)]
        key: Option<String>,
        #[command(flatten)]
        json: Json,
    },
}

#[derive(Args, Debug)]
#[command(after_help = "\
Over HTTP:
  GET  /__sim/journal     every request and what was answered
  GET  /__sim/violations  rules that a request broke
  POST /__sim/scripts     queue a scenario or a fault
  POST /__sim/reset       forget journal and scripts
Point a gateway at it with KIRO_PROXY_ENDPOINTS=http://127.0.0.1:PORT.")]
pub(crate) struct Simulate {
    /// Port to listen on (0: any free one)
    #[arg(short, long, default_value_t = 0)]
    pub(crate) port: u16,
    /// Address to listen on; only loopback is accepted
    #[arg(long, default_value = "127.0.0.1")]
    pub(crate) host: IpAddr,
    /// Cut every TCP write to at most this many bytes
    #[arg(long, value_name = "BYTES")]
    pub(crate) chunk: Option<std::num::NonZeroUsize>,
    /// Pause between two words of an answer, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 0)]
    pub(crate) word_delay: u64,
    /// Seed of everything random
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Answer requests that break a rule instead of refusing them (they are recorded all the same)
    #[arg(long)]
    pub(crate) lenient: bool,
    /// Print a Kiro IDE token file that this stand-in accepts, and end
    #[arg(long)]
    pub(crate) credentials: bool,
}

/// `kiro-proxy 9000` means `kiro-proxy serve --port 9000`.
pub(crate) fn expand_bare_port(mut words: Vec<std::ffi::OsString>) -> Vec<std::ffi::OsString> {
    let port =
        words.get(1).and_then(|word| word.to_str()).filter(|word| word.parse::<u16>().is_ok()).map(str::to_owned);
    if let Some(port) = port {
        words.splice(1..2, ["serve".into(), "--port".into(), port.into()]);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_argument_definitions_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_bare_number_serves_on_that_port() {
        let cli = Cli::parse_from(expand_bare_port(["kiro-proxy", "9000", "--demo"].map(Into::into).to_vec()));
        let Command::Serve(serve) = cli.command else { panic!("not serve") };
        assert_eq!(serve.port, Some(9000));
        assert!(serve.demo);
    }

    #[test]
    fn a_number_that_is_no_port_is_left_for_the_parser_to_refuse() {
        let words = expand_bare_port(["kiro-proxy", "70000"].map(Into::into).to_vec());
        assert!(Cli::try_parse_from(words).is_err());
    }

    #[test]
    fn no_argument_takes_a_secret() {
        fn walk(command: &clap::Command) {
            for argument in command.get_arguments() {
                let id = argument.get_id().as_str();
                // The address where tokens are bought, which is in every directory's public description.
                if id == "token_endpoint" {
                    continue;
                }
                for word in ["token", "secret", "password", "passphrase"] {
                    assert!(!id.contains(word), "{id} would put a secret on the command line");
                }
            }
            command.get_subcommands().for_each(walk);
        }
        walk(&Cli::command());
    }
}
