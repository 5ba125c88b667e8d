//! `kiro-proxy vault`: what can be typed.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::Json;

#[derive(Debug, Subcommand)]
pub(crate) enum Vault {
    /// Where secrets are kept and whether they can be used; the exit code tells the state
    Status(Json),
    /// Give a locked vault its key; without an option its passphrase is asked for (piped input: one line)
    Unlock {
        /// The key is in this file, readable by you only
        #[arg(long, value_name = "FILE", conflicts_with = "recovery")]
        key_file: Option<PathBuf>,
        /// Ask for the recovery word instead, for a vault whose key is lost
        #[arg(long)]
        recovery: bool,
        #[command(flatten)]
        json: Json,
    },
    /// Make the running gateway forget the vault's key; it goes on with the access tokens it has
    Lock(Json),
    /// Seal everything with another key
    Rekey {
        #[command(flatten)]
        key: NewKey,
        /// Also ask for a recovery word that opens the vault should the key be lost. Without this there is none afterwards
        #[arg(long)]
        recovery: bool,
        #[command(flatten)]
        json: Json,
    },
    /// Move all secrets to the other store; the old copies go once every record was compared
    Migrate {
        #[command(subcommand)]
        to: Target,
    },
}

/// The store to move to.
#[derive(Debug, Subcommand)]
pub(crate) enum Target {
    /// To the system's keychain
    Keychain(Json),
    /// To a new sealed vault
    Vault {
        #[command(flatten)]
        key: NewKey,
        #[command(flatten)]
        json: Json,
    },
}

/// Where the new key comes from.
#[derive(Args, Clone, Debug)]
#[group(required = true, multiple = false)]
pub(crate) struct NewKeyWay {
    /// From this file: 32 bytes or base64 of them, readable by you only
    #[arg(long, value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
    /// From words that are asked for now and at every start
    #[arg(long)]
    pub(crate) ask: bool,
    /// From a file that is made beside the vault: protected by file permissions only
    #[arg(long)]
    pub(crate) auto_key: bool,
}

/// A key to seal with from now on.
#[derive(Args, Clone, Debug)]
pub(crate) struct NewKey {
    #[command(flatten)]
    pub(crate) way: NewKeyWay,
    /// How the key of --key-file will be given at the next start
    #[arg(long = "as", value_name = "WAY", default_value = "file", requires = "key_file")]
    pub(crate) given_as: GivenAs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum GivenAs {
    /// With --vault-key-file
    File,
    /// As the systemd credential kiro-proxy-vault-key
    Systemd,
    /// In KIRO_PROXY_VAULT_KEY
    Environment,
}
