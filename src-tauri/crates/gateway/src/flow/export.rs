//! Flows as a file: for a script, a spreadsheet, a bug report. What was asked and answered is not in it, because it is not
//! kept at all; accounts are named by their ids only.

use super::marks::FlowMarks;
use super::shelf::Row;
use super::view::{FlowAttempt, FlowOutcome, FlowView};
use crate::clock::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
use utoipa::ToSchema;

/// Says in the file what it is and is not.
const ABOUT: &str =
    "Records of requests through Kiro Proxy: metadata only. What was asked and answered is not recorded.";
const SCHEMA: u32 = 1;

/// The form of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum ExportFormat {
    /// One document with all of them.
    Json,
    /// A line of JSON for each.
    Jsonl,
    /// A page to read.
    Markdown,
}

impl ExportFormat {
    /// How the file's name ends.
    pub(crate) fn extension(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Jsonl => "jsonl",
            Self::Markdown => "md",
        }
    }

    /// What the file is (RFC 6838).
    pub(crate) fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Jsonl => "application/jsonl",
            Self::Markdown => "text/markdown",
        }
    }
}

#[derive(Serialize)]
struct Exported<'a> {
    #[serde(flatten)]
    flow: &'a FlowView,
    #[serde(flatten)]
    marks: &'a FlowMarks,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    schema: u32,
    about: &'a str,
    exported_at: String,
    flows: Vec<Exported<'a>>,
}

/// The file's text.
pub(crate) fn export(rows: &[Row], format: ExportFormat, now: Timestamp) -> String {
    let exported = |row: &'_ Row| -> Option<String> {
        serde_json::to_string(&Exported { flow: &row.flow, marks: &row.marks }).ok()
    };
    match format {
        ExportFormat::Json => {
            let flows = rows.iter().map(|row| Exported { flow: &row.flow, marks: &row.marks }).collect();
            let document = Document { schema: SCHEMA, about: ABOUT, exported_at: now.to_rfc3339(), flows };
            let mut text = serde_json::to_string_pretty(&document).expect("flows are plain data");
            text.push('\n');
            text
        }
        ExportFormat::Jsonl => rows.iter().filter_map(exported).fold(String::new(), |text, line| text + &line + "\n"),
        ExportFormat::Markdown => markdown(rows, now),
    }
}

fn markdown(rows: &[Row], now: Timestamp) -> String {
    let mut page = String::from("# Requests\n\n");
    let _ = writeln!(page, "{ABOUT}\n\nExported {}: {}.", now.to_rfc3339(), counted(rows.len(), "request"));
    for row in rows {
        section(&mut page, &row.flow, &row.marks);
    }
    page
}

fn section(page: &mut String, flow: &FlowView, marks: &FlowMarks) {
    let model = flow.model.as_deref().unwrap_or("no model named");
    let star = if marks.bookmarked { " ★" } else { "" };
    let _ = writeln!(page, "\n## {} {}{star}\n\n| | |\n|---|---|", flow.at.to_rfc3339(), plain(model));
    let mut fact = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            let _ = writeln!(page, "| {name} | {} |", plain(&value));
        }
    };
    fact("Id", Some(flow.id.clone()));
    fact("Outcome", Some(outcome(flow)));
    fact("Status", Some(flow.status.to_string()));
    fact("Protocol", Some(flow.protocol.clone()));
    fact("Client", flow.client.clone());
    fact("Upstream model", flow.upstream_model.clone());
    fact("Account", flow.account.clone());
    fact("Simulated", flow.simulated.then(|| "yes".to_owned()));
    fact("Duration", Some(format!("{} ms", flow.duration_ms)));
    fact("First event", flow.first_event_ms.map(|ms| format!("{ms} ms")));
    fact("Input tokens", flow.usage.input_tokens.map(|tokens| tokens.to_string()));
    fact("Output tokens", flow.usage.output_tokens.map(|tokens| tokens.to_string()));
    fact("Credits", flow.usage.credits.map(|credits| credits.to_string()));
    fact("Tags", (!marks.tags.is_empty()).then(|| marks.tags.join(", ")));
    attempts(page, &flow.attempts);
    if !flow.notices.is_empty() {
        page.push_str("\nNotices:\n\n");
        for notice in &flow.notices {
            let _ = writeln!(page, "- {} {}: {}", plain(&notice.code), plain(&notice.path), plain(&notice.detail));
        }
    }
    if let Some(note) = &marks.note {
        page.push_str("\nNote:\n\n");
        for line in note.lines() {
            let _ = writeln!(page, "> {}", plain(line));
        }
    }
}

fn attempts(page: &mut String, attempts: &[FlowAttempt]) {
    if attempts.is_empty() {
        return;
    }
    page.push_str("\n| attempt | for | why | account | host | status | code | ms | credits |\n");
    page.push_str("|---|---|---|---|---|---|---|---|---|\n");
    for (at, attempt) in attempts.iter().enumerate() {
        let cells = [
            (at + 1).to_string(),
            word(&attempt.operation),
            word(&attempt.reason),
            attempt.account.clone(),
            attempt.host.clone(),
            attempt.status.map_or_else(|| "-".to_owned(), |status| status.to_string()),
            attempt.code.clone().unwrap_or_else(|| "-".to_owned()),
            attempt.ms.to_string(),
            attempt.credits.map_or_else(|| "-".to_owned(), |credits| credits.to_string()),
        ];
        let cells: Vec<String> = cells.iter().map(|cell| plain(cell)).collect();
        let _ = writeln!(page, "| {} |", cells.join(" | "));
    }
}

fn outcome(flow: &FlowView) -> String {
    match flow.outcome {
        FlowOutcome::Complete => "complete".to_owned(),
        FlowOutcome::Failed => format!("failed: {}", flow.failure_code.as_deref().unwrap_or("no code")),
        FlowOutcome::ClientLeft => "the client left".to_owned(),
        FlowOutcome::Running => "still under way".to_owned(),
    }
}

/// A value of one of our enums as the API writes it.
fn word(value: &impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

fn counted(number: usize, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}

/// Text that stays text: it makes no markup, no link and no other cell.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '<' | '>' | '~' | '#' | '&') {
            plain.push('\\');
        }
        plain.push(if c.is_control() { ' ' } else { c });
    }
    plain
}
