//! Notices while decoding: equal ones are counted instead of repeated, so a long history cannot flood the record.

use crate::codec::{DecodeError, Notice};
use std::fmt;

/// Different notices that are kept; the rest is only counted.
const KEPT: usize = 64;

/// Collected notices. Paths are relative to whatever the collector belongs to until it is absorbed by its parent.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    kept: Vec<(Notice, u32)>,
    dropped: u32,
}

impl Notes {
    pub(crate) fn add(&mut self, code: &'static str, path: impl Into<String>, detail: impl Into<String>) {
        self.push(Notice::new(code, path, detail), 1);
    }

    /// One notice per key that nothing here knows.
    pub(crate) fn unknown(&mut self, path: impl fmt::Display, keys: &[Box<str>]) {
        for key in keys {
            self.add("unknown_field", join(&path.to_string(), key), format!("`{key}` is not known and was ignored"));
        }
    }

    pub(crate) fn absorb(&mut self, prefix: impl fmt::Display, other: Notes) {
        for (mut notice, count) in other.kept {
            notice.path.insert_str(0, &prefix.to_string());
            self.push(notice, count);
        }
        self.dropped = self.dropped.saturating_add(other.dropped);
    }

    pub(crate) fn finish(self) -> Vec<Notice> {
        let mut list: Vec<Notice> = Vec::with_capacity(self.kept.len() + 1);
        for (mut notice, count) in self.kept {
            if count > 1 {
                notice.detail = format!("{} ({count} times, here first)", notice.detail);
            }
            list.push(notice);
        }
        if self.dropped > 0 {
            list.push(Notice::new("more_notices", "", format!("{} more notices are not shown", self.dropped)));
        }
        list
    }

    fn push(&mut self, notice: Notice, count: u32) {
        let same = self.kept.iter_mut().find(|(kept, _)| kept.code == notice.code && kept.detail == notice.detail);
        if let Some((_, seen)) = same {
            *seen = seen.saturating_add(count);
        } else if self.kept.len() < KEPT {
            self.kept.push((notice, count));
        } else {
            self.dropped = self.dropped.saturating_add(count);
        }
    }
}

/// A rule that the request breaks, with a path relative to the part that found it.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) code: &'static str,
    pub(crate) path: String,
    pub(crate) message: String,
}

impl Fault {
    pub(crate) fn new(code: &'static str, path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code, path: path.into(), message: message.into() }
    }

    pub(crate) fn missing(path: impl Into<String>) -> Self {
        Self::new("missing_field", path, "Field required")
    }

    pub(crate) fn invalid(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new("invalid_value", path, message)
    }

    pub(crate) fn unsupported(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new("unsupported", path, message)
    }

    /// The same fault seen from a parent.
    pub(crate) fn under(mut self, prefix: &str) -> Self {
        self.path.insert_str(0, prefix);
        self
    }
}

impl From<Fault> for DecodeError {
    /// Error paths are written the way this API writes them: `messages.0.content`.
    fn from(fault: Fault) -> Self {
        DecodeError { code: fault.code, path: dotted(&fault.path), message: fault.message }
    }
}

/// `messages[0].content` → `messages.0.content`.
pub(crate) fn dotted(path: &str) -> String {
    path.replace('[', ".").replace(']', "").trim_start_matches('.').to_owned()
}

/// Appends a key to a path that may be empty.
pub(crate) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}
