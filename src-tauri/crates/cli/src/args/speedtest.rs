//! `kiro-proxy speedtest`.

use super::Json;
use clap::Args;

#[derive(Args, Debug)]
pub(crate) struct Speedtest {
    /// Id or unique label of an account whose way is measured, its own proxy included
    #[arg(long)]
    pub(crate) account: Option<String>,
    #[command(flatten)]
    pub(crate) json: Json,
}
