//! What came in, what was answered, and which rules were broken.

use std::collections::VecDeque;

use serde::Serialize;
use serde_json::Value;

use crate::delivery::Ended;

/// One request. Bearer tokens are left out; the account they belong to is named instead.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JournalEntry {
    /// Number of the request, counted from 1.
    pub seq: u64,
    /// Unix time in ms.
    pub at_ms: i64,
    /// Number of the TCP connection, counted from 1.
    pub connection: u64,
    /// HTTP method.
    pub method: String,
    /// Value of the `Host` header.
    pub host: String,
    /// Path with query.
    pub path: String,
    /// Operation, such as `GenerateAssistantResponse`.
    pub operation: String,
    /// Account whose credential was used.
    pub account: Option<String>,
    /// `conversationId` of a chat request.
    pub conversation: Option<String>,
    /// Request headers without credentials.
    pub headers: Vec<(String, String)>,
    /// JSON request body; `null` when it was too large to keep or no JSON.
    pub body: Value,
    /// Size of the request body.
    pub body_bytes: usize,
    /// HTTP status of the answer.
    pub status: u16,
    /// Error type and reason, when it was an error.
    pub error: Option<String>,
    /// Ids of broken rules.
    pub rules: Vec<String>,
    /// Whether a script or the random mode shaped the answer.
    pub scripted: bool,
    /// Bytes of a streamed body that were handed to the connection.
    pub stream_bytes: u64,
    /// How the answer's body ended.
    pub ended: Ended,
}

/// A broken rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Violation {
    /// `V1`–`V30` of kiro-upstream §2.3, or a word for rules without a number (`arn`, `token.rotated`, `header.tokentype`…).
    pub rule: String,
    /// What exactly was wrong.
    pub detail: String,
    /// Request it belongs to.
    pub seq: u64,
}

/// A long run with a mistake in every request must not fill the memory.
const MOST_VIOLATIONS: usize = 10_000;

#[derive(Debug)]
pub(crate) struct Journal {
    entries: VecDeque<JournalEntry>,
    violations: Vec<Violation>,
    next: u64,
    keep: usize,
}

impl Journal {
    pub(crate) fn new(keep: usize) -> Self {
        Self { entries: VecDeque::new(), violations: Vec::new(), next: 1, keep: keep.max(1) }
    }

    /// Adds an entry and returns its number.
    pub(crate) fn begin(&mut self, mut entry: JournalEntry) -> u64 {
        let seq = self.next;
        self.next += 1;
        entry.seq = seq;
        if self.entries.len() >= self.keep {
            self.entries.pop_front();
        }
        self.entries.push_back(entry);
        seq
    }

    pub(crate) fn update(&mut self, seq: u64, change: impl FnOnce(&mut JournalEntry)) {
        let first = self.entries.front().map_or(0, |e| e.seq);
        let at = seq.checked_sub(first).and_then(|at| usize::try_from(at).ok());
        if let Some(entry) = at.and_then(|at| self.entries.get_mut(at)) {
            change(entry);
        }
    }

    pub(crate) fn violation(&mut self, seq: u64, rule: &str, detail: String) {
        self.update(seq, |entry| entry.rules.push(rule.to_owned()));
        if self.violations.len() >= MOST_VIOLATIONS {
            return;
        }
        self.violations.push(Violation { rule: rule.to_owned(), detail, seq });
    }

    pub(crate) fn entries(&self) -> Vec<JournalEntry> {
        self.entries.iter().cloned().collect()
    }

    pub(crate) fn violations(&self) -> Vec<Violation> {
        self.violations.clone()
    }
}
