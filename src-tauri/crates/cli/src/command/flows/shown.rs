//! Requests as a person reads them.

use crate::command::account_checks::number;
use crate::command::list as members;
use crate::print::{self, member, moment};
use crate::words::{self, say};
use serde_json::Value;

/// A page of the list.
pub(super) fn list(answer: &Value) {
    let row = |flow: &Value| {
        vec![
            member(flow, "id"),
            moment(flow.get("at")),
            outcome(flow),
            member(flow, "protocol"),
            member(flow, "model"),
            member(flow, "account"),
            member(flow, "status"),
            member(flow, "durationMs"),
            number(flow.pointer("/usage/credits")),
            marks(flow),
        ]
    };
    let rows: Vec<Vec<String>> = members(answer, "running").iter().chain(members(answer, "flows")).map(row).collect();
    if rows.is_empty() {
        return print::line(&say!("No request fits."));
    }
    print::table(
        &["id", "arrived", "outcome", "protocol", "model", "account", "status", "ms", "credits", "marks"],
        &rows,
    );
    if let Some(next) = answer.get("next").and_then(Value::as_u64) {
        print::line(&say!("{} fit; more with --before {}.", member(answer, "matched"), next));
    }
}

/// Members of a request that are lines of `show`, in order.
const SHOWN: [(&str, &str); 16] = [
    ("id", "id"),
    ("protocol", "protocol"),
    ("client", "client"),
    ("model", "model"),
    ("upstream model", "upstreamModel"),
    ("account", "account"),
    ("simulated", "simulated"),
    ("status", "status"),
    ("delivery", "delivery"),
    ("ms", "durationMs"),
    ("ms to the first event", "firstEventMs"),
    ("input tokens", "usage.inputTokens"),
    ("output tokens", "usage.outputTokens"),
    ("credits", "usage.credits"),
    ("web searches", "usage.webSearches"),
    ("note", "note"),
];

/// Everything that is known of one.
pub(super) fn flow(flow: &Value) {
    let mut rows = vec![vec![say!("arrived"), moment(flow.get("at"))], vec![say!("outcome"), outcome(flow)]];
    rows.extend(SHOWN.iter().map(|(name, path)| vec![words::of(name).to_owned(), member(flow, path)]));
    rows.push(vec![say!("marks"), marks(flow)]);
    print::table(&["what", "is"], &rows);
    let attempts: Vec<Vec<String>> = members(flow, "attempts")
        .iter()
        .enumerate()
        .map(|(at, attempt)| {
            let mut cells = vec![(at + 1).to_string()];
            let names = ["operation", "reason", "account", "host", "status", "code", "ms", "credits"];
            cells.extend(names.map(|name| member(attempt, name)));
            cells
        })
        .collect();
    if !attempts.is_empty() {
        print::line("");
        print::table(&["attempt", "for", "why", "account", "host", "status", "code", "ms", "credits"], &attempts);
    }
    for notice in members(flow, "notices") {
        let [code, path, detail] = ["code", "path", "detail"].map(|name| print::safe(&member(notice, name)));
        print::line(&say!("notice: {} {}: {}", code, path, detail));
    }
}

/// Sums.
pub(super) fn stats(stats: &Value) {
    let row = |name: &str, value: String| vec![words::of(name).to_owned(), value];
    let rows = vec![
        row("requests", member(stats, "requests")),
        row("under way", member(stats, "running")),
        row("complete", member(stats, "outcomes.complete")),
        row("failed", member(stats, "outcomes.failed")),
        row("client left", member(stats, "outcomes.clientLeft")),
        row("oldest", moment(stats.get("oldest"))),
        row("ms, half within", member(stats, "duration.p50Ms")),
        row("ms, 99 % within", member(stats, "duration.p99Ms")),
        row("ms to the first event, half within", member(stats, "firstEvent.p50Ms")),
        row("input tokens", member(stats, "inputTokens")),
        row("output tokens", member(stats, "outputTokens")),
        row("credits", number(stats.get("credits"))),
    ];
    print::table(&["what", "is"], &rows);
    for (name, groups) in [("protocol", "protocols"), ("model", "models"), ("account", "accounts"), ("code", "codes")] {
        let groups = members(stats, groups);
        if groups.is_empty() {
            continue;
        }
        let row = |group: &Value| {
            vec![member(group, "key"), member(group, "requests"), member(group, "failed"), number(group.get("credits"))]
        };
        print::line("");
        print::table(&[name, "requests", "failed", "credits"], &groups.iter().map(row).collect::<Vec<_>>());
    }
}

/// Bookmark, tags and whether there is a note, in a few words.
pub(super) fn marks(flow: &Value) -> String {
    let bookmarked = flow.get("bookmarked").and_then(Value::as_bool).unwrap_or_default().then(|| say!("bookmark"));
    let note = flow.get("note").is_some_and(Value::is_string).then(|| say!("note"));
    let tags = members(flow, "tags").iter().filter_map(Value::as_str).map(|tag| format!("#{tag}"));
    bookmarked.into_iter().chain(note).chain(tags).collect::<Vec<_>>().join(" ")
}

fn outcome(flow: &Value) -> String {
    match member(flow, "outcome").as_str() {
        "failed" => say!("failed: {}", member(flow, "failureCode")),
        "clientLeft" => say!("client left"),
        other => other.to_owned(),
    }
}
