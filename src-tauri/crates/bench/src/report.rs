//! The table for people and the JSON for machines.

#![expect(clippy::print_stdout, reason = "a load program prints its table")]

use crate::workload::{Api, Figures, TARGETS, Target};
use anyhow::Result;
use std::path::Path;

/// Prints one row per cell and target, then the ratios that matter.
pub(crate) fn print(figures: &[Figures]) {
    println!(
        "conc  body KB  events  target        first p50  first p99  gap p50    req/s  CPU s/1000  peak MiB  conn/req"
    );
    for row in figures {
        let connections = row.upstream_connections_per_request.map_or("-".to_owned(), |value| format!("{value:.3}"));
        println!(
            "{:>4}  {:>7}  {:>6}  {:<12}  {:>7.2} ms  {:>6.2} ms  {:>4.2} ms  {:>7.0}  {:>10.3}  {:>8.1}  {connections:>8}",
            row.cell.concurrency,
            row.cell.body_kilobytes,
            row.cell.events,
            name(row.target),
            row.first_event_ms_p50,
            row.first_event_ms_p99,
            row.largest_gap_ms_p50,
            row.requests_per_second,
            row.cpu_seconds_per_thousand,
            row.peak_mebibytes,
        );
    }
    println!("\nAdded by the gateway, beside what the pass-through adds (p50 of the first event), and CPU against it:");
    for cell in figures.chunks(TARGETS.len()) {
        let [direct, pass, gateways @ ..] = cell else { continue };
        for gateway in gateways {
            println!(
                "{:>4} × {:>3} KB × {:>3} events, {:<9}: +{:.2} ms (pass-through +{:.2} ms), CPU {:.2}×",
                gateway.cell.concurrency,
                gateway.cell.body_kilobytes,
                gateway.cell.events,
                name(gateway.target),
                gateway.first_event_ms_p50 - direct.first_event_ms_p50,
                pass.first_event_ms_p50 - direct.first_event_ms_p50,
                gateway.cpu_seconds_per_thousand / pass.cpu_seconds_per_thousand,
            );
        }
    }
}

/// A gateway's row has the name of its API.
fn name(target: Target) -> &'static str {
    match target {
        Target::Direct => "direct",
        Target::PassThrough => "pass-through",
        Target::Gateway(Api::Anthropic) => "anthropic",
        Target::Gateway(Api::Chat) => "chat",
        Target::Gateway(Api::Responses) => "responses",
        Target::Gateway(Api::Gemini) => "gemini",
    }
}

/// Writes all figures as one JSON array.
pub(crate) fn write(figures: &[Figures], path: &Path) -> Result<()> {
    let file = std::fs::File::create(path)?;
    serde_json::to_writer_pretty(file, figures)?;
    Ok(())
}
