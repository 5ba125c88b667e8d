//! `kiro-proxy accounts import|scan|add|export`: what can be typed. Tokens and passphrases are asked for, never arguments.

use std::path::PathBuf;

use clap::Args;

use super::Json;

#[derive(Args, Debug)]
#[command(
    after_help = "Files that FILE points to are read too: client registrations, token files, kiro-cli's database.\nFor a sealed export the passphrase is asked for (piped input: one line). No file is ever changed."
)]
pub(crate) struct Import {
    /// The file: text, JSON, CSV, kiro-cli's database or our own export; `-` reads standard input
    pub(crate) file: PathBuf,
    /// Further files that belong to it, such as the client registration beside a Kiro IDE token
    #[arg(long = "with", value_name = "FILE")]
    pub(crate) with: Vec<PathBuf>,
    /// Machine id to use for these accounts (64 hexadecimal digits)
    #[arg(long)]
    pub(crate) machine_id: Option<String>,
    /// Only tell what would be imported
    #[arg(long)]
    pub(crate) preview: bool,
    #[command(flatten)]
    pub(crate) json: Json,
}

#[derive(Args, Debug)]
pub(crate) struct Scan {
    /// Add the logins with these numbers of the list
    #[arg(long, value_name = "NUMBER", value_delimiter = ',')]
    pub(crate) add: Vec<usize>,
    /// Add all that are new
    #[arg(long, conflicts_with = "add")]
    pub(crate) add_all: bool,
    /// Share the login with its program in place of taking a copy
    #[arg(long)]
    pub(crate) link: bool,
    /// With --link: write rotated tokens into the program's file too. Without it whoever renews the login first can sign the other out
    #[arg(long, requires = "link")]
    pub(crate) write_back: bool,
    #[command(flatten)]
    pub(crate) json: Json,
}

#[derive(Args, Debug)]
#[command(
    after_help = "The refresh token (or a ksk_ key) is asked for without showing it, then the client's second half if --client-id is given.\nPiped input: one line each. Before anything is saved the token is exchanged once, or the key asked about."
)]
pub(crate) struct Add {
    /// Its name
    #[arg(long)]
    pub(crate) label: Option<String>,
    /// social, idc, external-idp or api-key; guessed from the rest when absent
    #[arg(long)]
    pub(crate) method: Option<String>,
    /// Region of the identity instance, or of the key
    #[arg(long)]
    pub(crate) region: Option<String>,
    /// Save it also when the service cannot be asked about it; what it refuses is never saved
    #[arg(long)]
    pub(crate) unchecked: bool,
    /// The registered client of an AWS sign-in
    #[arg(long, value_name = "ID")]
    pub(crate) client_id: Option<String>,
    /// Token endpoint of a company directory (external-idp), on one of Microsoft's sign-in hosts
    #[arg(long, value_name = "URL", requires = "client_id")]
    pub(crate) token_endpoint: Option<String>,
    /// Scopes of a company directory, in one text
    #[arg(long, value_name = "SCOPES", requires = "token_endpoint")]
    pub(crate) scopes: Option<String>,
    #[command(flatten)]
    pub(crate) json: Json,
}

#[derive(Args, Debug)]
#[command(
    after_help = "The file is sealed with a passphrase that is asked for (piped input: one line); `accounts import` opens it.\nIt is made new, for you only; an existing file is never replaced."
)]
pub(crate) struct Export {
    /// Ids or unique labels; all accounts when none is named
    pub(crate) accounts: Vec<String>,
    /// Write here; `-` is standard output. A name with the date in this folder when absent
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Without a passphrase: everybody who reads the file can use the accounts. Asks once more
    #[arg(long)]
    pub(crate) plain: bool,
    /// The word `plain`, in place of being asked
    #[arg(long, value_name = "WORD", requires = "plain")]
    pub(crate) confirm: Option<String>,
    #[command(flatten)]
    pub(crate) json: Json,
}
