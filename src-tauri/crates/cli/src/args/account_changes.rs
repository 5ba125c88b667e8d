//! `kiro-proxy accounts enable|disable|restore|use|proxy|set`.

use super::{Json, OnOff};
use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum AccountChanges {
    /// Let an account serve again
    Enable {
        /// Id or unique label
        account: String,
        #[command(flatten)]
        json: Json,
    },
    /// Keep an account, but let it serve no more
    Disable {
        /// Id or unique label
        account: String,
        #[command(flatten)]
        json: Json,
    },
    /// End a pause, or a suspension that the provider has lifted
    Restore {
        /// Id or unique label
        account: String,
        #[command(flatten)]
        json: Json,
    },
    /// Let one account serve alone, or `auto` to choose among all again
    Use {
        /// Id, unique label, or `auto`
        account: String,
        #[command(flatten)]
        json: Json,
    },
    /// Show, change or test the proxy of an account; every call of the account goes through it or not at all
    Proxy {
        /// Id or unique label
        account: String,
        #[command(flatten)]
        change: ProxyChange,
        #[command(flatten)]
        json: Json,
    },
    /// Change an account's name, groups and wishes; what is not named stays
    Set {
        /// Id or unique label
        account: String,
        #[command(flatten)]
        change: AccountChange,
        #[command(flatten)]
        json: Json,
    },
}

/// What to do with an account's proxy.
#[derive(Args, Debug)]
pub(crate) struct ProxyChange {
    /// `http://`, `https://`, `socks5://`, `socks5h://`, `socks4://` or `socks4a://`, host and port; `direct` for none; `default` for the one of the settings
    #[arg(value_name = "PROXY")]
    pub(crate) proxy: Option<String>,
    /// Read `user:password` for the proxy from this file; `-` reads standard input
    #[arg(long, value_name = "FILE", requires = "proxy")]
    pub(crate) login: Option<std::path::PathBuf>,
    /// Try the way to the service, without any credential
    #[arg(long)]
    pub(crate) test: bool,
}

/// What to change of an account.
#[derive(Args, Debug)]
#[group(required = true, multiple = true)]
pub(crate) struct AccountChange {
    /// Another name
    #[arg(long)]
    pub(crate) label: Option<String>,
    /// A group it belongs to; may be repeated, and replaces all groups
    #[arg(long = "tag", value_name = "TAG")]
    pub(crate) tags: Vec<String>,
    /// Take it out of all groups
    #[arg(long, conflicts_with = "tags")]
    pub(crate) no_tags: bool,
    /// Your own words; an empty text removes them
    #[arg(long)]
    pub(crate) note: Option<String>,
    /// Lower numbers are used first by the strategy `priority`
    #[arg(long, allow_hyphen_values = true)]
    pub(crate) priority: Option<i32>,
    /// Its share of the requests by the strategy `weighted`
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=100))]
    pub(crate) weight: Option<u8>,
    /// How many requests may use it at the same time; `default` is as the settings say
    #[arg(long, value_name = "N|default")]
    pub(crate) concurrency: Option<String>,
    /// Rest when less than this much of the quota is left, in percent; `default` is as the settings say
    #[arg(long, value_name = "PERCENT|default")]
    pub(crate) quota_floor: Option<String>,
    /// Rest rather than pay extra
    #[arg(long, value_name = "ON|OFF")]
    pub(crate) never_overage: Option<OnOff>,
    /// Ask this host of the service only; `default` finds the right one
    #[arg(long, value_name = "HOST|default")]
    pub(crate) host: Option<String>,
    /// The profile that requests name; `default` forgets it
    #[arg(long, value_name = "ARN|default")]
    pub(crate) profile_arn: Option<String>,
}
