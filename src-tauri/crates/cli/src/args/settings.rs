//! What can be typed after `settings`.

use super::Json;
use clap::Subcommand;
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum Settings {
    /// List all settings: what holds, and where it differs from the default
    List {
        /// Only those that differ from their defaults or hold for this run only
        #[arg(long)]
        changed: bool,
        #[command(flatten)]
        json: Json,
    },
    /// Print one setting's value
    Get {
        /// Such as `accounts.strategy`
        path: String,
        #[command(flatten)]
        json: Json,
    },
    /// Change settings, lastingly and at once; all of them or none
    Set {
        /// May be repeated; lists and rules are written as JSON
        #[arg(required = true, value_name = "SECTION.FIELD=VALUE")]
        changes: Vec<String>,
        #[command(flatten)]
        json: Json,
    },
    /// Go back to the defaults
    Reset {
        /// May be repeated
        #[arg(required = true)]
        paths: Vec<String>,
        #[command(flatten)]
        json: Json,
    },
    /// Write the saved settings into a file, or to standard output. Without secrets, accounts and keys
    Export {
        /// The file; an existing one is never replaced
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Take over the settings of such a file
    Import {
        /// The file; `-` is standard input
        file: PathBuf,
        /// Only tell what it would change
        #[arg(long)]
        preview: bool,
        #[command(flatten)]
        json: Json,
    },
}
