//! `kiro-proxy login`. An API key is read from the terminal or from standard input, never from the command line.

use clap::{Args, ValueEnum};

use super::Json;

/// What to sign in with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LoginKind {
    /// A Google account
    Google,
    /// A GitHub account
    Github,
    /// AWS Builder ID
    BuilderId,
    /// IAM Identity Center of a company: needs --start-url and --region
    Idc,
    /// A company's Microsoft directory
    Microsoft,
    /// A `ksk_` key, asked for on the terminal or read from standard input; without --region the service is asked which it is
    ApiKey,
    /// A link that somebody opens on another machine and signs in there
    Remote,
}

/// Sign in, and keep the account.
#[derive(Args, Debug)]
pub(crate) struct Login {
    /// What to sign in with
    #[arg(value_enum)]
    pub(crate) kind: LoginKind,
    /// A new sign-in for this account (id or unique label), over its own proxy where it has one; start URL and region are the account's unless given
    #[arg(long, value_name = "ACCOUNT", conflicts_with = "label")]
    pub(crate) account: Option<String>,
    /// With a code that is confirmed in any browser, also on a telephone
    #[arg(long)]
    pub(crate) device: bool,
    /// Open no browser: print the address only (with a code where the provider has them)
    #[arg(long)]
    pub(crate) no_browser: bool,
    /// Browser to open, by its id
    #[arg(long, value_name = "ID", conflicts_with = "no_browser")]
    pub(crate) browser: Option<String>,
    /// Open a private window
    #[arg(long, conflicts_with = "no_browser")]
    pub(crate) private: bool,
    /// Start URL of the company's Identity Center, such as https://example.awsapps.com/start
    #[arg(long, value_name = "URL")]
    pub(crate) start_url: Option<String>,
    /// Region of the Identity Center or of the key, such as us-east-1
    #[arg(long)]
    pub(crate) region: Option<String>,
    /// For `api-key`: keep the key also when the service cannot be asked about it; one that it refuses is never kept
    #[arg(long)]
    pub(crate) unchecked: bool,
    /// Name for the account
    #[arg(long)]
    pub(crate) label: Option<String>,
    /// Profile to use when the account has several
    #[arg(long, value_name = "ARN")]
    pub(crate) profile: Option<String>,
    /// For `remote`: serve the link on this address of this machine in place of loopback. It is plain HTTP: whoever is on the way can read along
    #[arg(long, value_name = "IP[:PORT]")]
    pub(crate) address: Option<String>,
    #[command(flatten)]
    pub(crate) json: Json,
}
