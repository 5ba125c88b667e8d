//! `kiro-proxy accounts show|refresh|check|usage|test` and `kiro-proxy usage`.

use super::Json;
use clap::{Args, Subcommand, ValueEnum};

#[derive(Debug, Subcommand)]
pub(crate) enum AccountChecks {
    /// Show everything that is known of an account; secrets are not
    Show {
        /// Id or unique label
        account: String,
        #[command(flatten)]
        json: Json,
    },
    /// Buy a fresh token now and ask for profile, quota and models again
    Refresh {
        /// Id or unique label; without it, all accounts
        account: Option<String>,
        #[command(flatten)]
        json: Json,
    },
    /// Ask every account a question that costs nothing; accounts that wait for you are left alone
    Check(Json),
    /// Show what an account may use and has used
    Usage {
        /// Id or unique label
        account: String,
        /// Ask the service now instead of showing what is known
        #[arg(long)]
        fresh: bool,
        #[command(flatten)]
        json: Json,
    },
    /// Ask an account a short, real question; the service charges for it
    Test {
        /// Id or unique label
        account: String,
        /// Which model; the default one without it
        #[arg(long)]
        model: Option<String>,
        #[command(flatten)]
        json: Json,
    },
}

#[derive(Args, Debug)]
pub(crate) struct Usage {
    /// What the sums are of
    #[arg(long, value_enum, default_value_t = By::Account)]
    pub(crate) by: By,
    /// Of the last so many days, today included
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=800))]
    pub(crate) days: u32,
    #[command(flatten)]
    pub(crate) json: Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum By {
    Account,
    Model,
    Key,
    Day,
}

impl By {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Model => "model",
            Self::Key => "key",
            Self::Day => "day",
        }
    }
}
