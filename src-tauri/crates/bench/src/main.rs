//! Measures what the gateway adds, in one interleaved run: direct to the stand-in upstream, through a plain hyper
//! pass-through, and through each API of the gateway. Prints a table and writes JSON.
//!
//! Every target is a process of its own, so that CPU and memory are told apart; rounds of them alternate, so that
//! a slow minute of the machine hits all of them.

mod client;
mod pass_through;
mod process;
mod report;
mod shots;
mod workload;

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};
use std::path::PathBuf;

#[derive(Parser)]
#[command(about = "Load program: direct, pass-through and gateway in one interleaved run")]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// The `kiro-proxy` binary (release build).
    #[arg(long, default_value = "target/release/kiro-proxy")]
    gateway: PathBuf,
    /// Where the figures go as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Rounds per cell; the targets alternate within each.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Requests per round and target at the least; more at high concurrency.
    #[arg(long, default_value_t = 200)]
    requests: usize,
    /// Only a smoke run: few requests, small cells.
    #[arg(long)]
    quick: bool,
}

#[derive(Subcommand)]
enum Command {
    /// The comparison: forwards every request to one upstream and streams the answer back untouched.
    PassThrough {
        /// `host:port` of the upstream.
        upstream: String,
    },
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        match &arguments.command {
            Some(Command::PassThrough { upstream }) => pass_through::serve(upstream.clone()).await,
            None => {
                let plan = workload::Plan::new(arguments.rounds, arguments.requests, arguments.quick);
                let figures = workload::run(&arguments.gateway, &plan).await.context("bench")?;
                report::print(&figures);
                if let Some(path) = &arguments.json {
                    report::write(&figures, path)?;
                }
                Ok(())
            }
        }
    })
}
