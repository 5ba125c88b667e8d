//! `accounts link`: logins shared with another program.

use clap::Args;

use super::{Json, OnOff};

/// What to change of a shared login; without any of it, what is known is shown.
#[derive(Args, Debug)]
pub(crate) struct Link {
    /// Id or unique label
    pub(crate) account: String,
    /// Write rotated tokens into the other program's file, so that it stays signed in
    #[arg(long, value_name = "ON|OFF")]
    pub(crate) write_back: Option<OnOff>,
    /// Take the login that the other program has now, whoever it belongs to
    #[arg(long, conflicts_with = "keep")]
    pub(crate) adopt: bool,
    /// Keep the account's own tokens and end the sharing
    #[arg(long)]
    pub(crate) keep: bool,
    #[command(flatten)]
    pub(crate) json: Json,
}
