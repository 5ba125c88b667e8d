//! `kiro-proxy flows`.

use super::{Json, OnOff};
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum Flows {
    /// List requests, the newest first
    List {
        #[command(flatten)]
        filter: Filter,
        /// At most this many, up to 500
        #[arg(long, value_name = "N", default_value_t = 50)]
        limit: u16,
        /// Continue a list: the number that its last line names
        #[arg(long, value_name = "NUMBER")]
        before: Option<u64>,
        #[command(flatten)]
        json: Json,
    },
    /// Show everything that is known of a request: attempts, figures, notices, marks
    Show {
        /// Id, as listed and as in the answer's `request-id` header
        id: String,
        #[command(flatten)]
        json: Json,
    },
    /// Sum requests up: outcomes, latency, tokens, metered credits
    Stats {
        #[command(flatten)]
        filter: Filter,
        #[command(flatten)]
        json: Json,
    },
    /// Bookmark a request, or give it a note or tags. A marked request is kept until its marks are taken away
    Mark {
        /// Id
        id: String,
        #[command(flatten)]
        change: MarkChange,
        #[command(flatten)]
        json: Json,
    },
    /// Write requests into a new file, or to standard output. What was asked and answered is not in it: it is not recorded
    Export {
        /// These requests in place of a filter
        #[arg(value_name = "ID")]
        ids: Vec<String>,
        /// The file; it must not be there yet
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
        /// Form of the file
        #[arg(long, value_enum, default_value_t = Format::Jsonl)]
        format: Format,
        #[command(flatten)]
        filter: Filter,
        #[command(flatten)]
        json: Json,
    },
    /// Delete the records of all requests
    Clear {
        /// The marked ones too
        #[arg(long)]
        marked: bool,
        #[command(flatten)]
        json: Json,
    },
}

/// Which requests; everything that is named must fit.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Filter {
    /// Client protocol: anthropic, openai-chat, openai-completions, openai-responses, gemini, or try
    #[arg(long)]
    pub(crate) protocol: Option<String>,
    /// The model's name, as the client said it or as Kiro was asked
    #[arg(long)]
    pub(crate) model: Option<String>,
    /// Id or unique label of an account that was asked
    #[arg(long)]
    pub(crate) account: Option<String>,
    /// How it ended
    #[arg(long, value_enum)]
    pub(crate) outcome: Option<Outcome>,
    /// Code of the failure, or of an attempt that went wrong
    #[arg(long)]
    pub(crate) code: Option<String>,
    /// Only those with a bookmark
    #[arg(long)]
    pub(crate) bookmarked: bool,
    /// One of its tags
    #[arg(long)]
    pub(crate) tag: Option<String>,
    /// Words that all occur in what is known of it
    #[arg(long, value_name = "WORDS")]
    pub(crate) search: Option<String>,
    /// Arrived since: 30m, 12h or 7d ago, or a moment such as 2026-11-27T08:00:00Z
    #[arg(long, value_name = "WHEN")]
    pub(crate) since: Option<String>,
    /// Arrived before, in the same words
    #[arg(long, value_name = "WHEN")]
    pub(crate) until: Option<String>,
}

/// What to change of the marks; the rest stays.
#[derive(Args, Debug)]
#[group(required = true, multiple = true)]
pub(crate) struct MarkChange {
    /// Set or take away the bookmark
    #[arg(long, value_name = "ON|OFF")]
    pub(crate) bookmark: Option<OnOff>,
    /// Another note; an empty one takes it away
    #[arg(long, value_name = "TEXT")]
    pub(crate) note: Option<String>,
    /// A tag. Replaces all tags; may be repeated
    #[arg(long = "tag", value_name = "TAG")]
    pub(crate) tags: Vec<String>,
    /// Take all tags away
    #[arg(long, conflicts_with = "tags")]
    pub(crate) no_tags: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Outcome {
    Complete,
    Failed,
    ClientLeft,
    Running,
}

impl Outcome {
    /// As the admin API writes it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Failed => "failed",
            Self::ClientLeft => "clientLeft",
            Self::Running => "running",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Json,
    Jsonl,
    Markdown,
}

impl Format {
    /// As the admin API writes it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Jsonl => "jsonl",
            Self::Markdown => "markdown",
        }
    }
}
