//! What a person adds to a flow: a bookmark, a note, tags. Kept together with a copy of the flow in `flows/marked.json`,
//! which is replaced as a whole and synced before a change is confirmed.
//!
//! Promises: marks are the person's own, and only the person removes them; they are bounded.

use super::shelf::{Entry, Marked};
use crate::data_dir::{DataDir, versioned};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use utoipa::ToSchema;

pub(super) const FILE: &str = "flows/marked.json";
const SCHEMA: u32 = 1;
/// Flows that can be marked at a time.
pub(crate) const MOST_MARKED: usize = 1000;
/// Characters of a note.
pub(crate) const MOST_NOTE: usize = 4000;
/// Tags of one flow.
pub(crate) const MOST_TAGS: usize = 20;
/// Characters of a tag.
pub(crate) const MOST_TAG: usize = 40;

/// What a person added.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct FlowMarks {
    /// Worth finding again.
    pub bookmarked: bool,
    /// In the person's own words.
    pub note: Option<String>,
    /// Names to find it by.
    pub tags: Vec<String>,
}

impl FlowMarks {
    /// True when nothing was added.
    pub(super) fn is_empty(&self) -> bool {
        !self.bookmarked && self.note.is_none() && self.tags.is_empty()
    }
}

/// What to change of the marks; the rest stays.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct MarkChange {
    /// Bookmarked or not.
    #[serde(default)]
    pub(crate) bookmarked: Option<bool>,
    /// Another note, at most 4000 characters; an empty one takes it away.
    #[serde(default)]
    #[schema(max_length = 4000)]
    pub(crate) note: Option<String>,
    /// Other tags in place of all: at most 20, each at most 40 characters.
    #[serde(default)]
    #[schema(max_items = 20)]
    pub(crate) tags: Option<Vec<String>>,
}

/// Why marks cannot be changed. Nothing was.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MarkError {
    #[error("there is no such request, or it is no longer kept")]
    Unknown,
    #[error("the request is still under way; it can be marked when it has ended")]
    Running,
    #[error("{message}")]
    Invalid { field: &'static str, message: String },
    #[error("{MOST_MARKED} requests are marked already; take the marks of others away first")]
    Full,
    #[error("the marks could not be saved: {0}")]
    Storage(String),
}

impl MarkChange {
    /// The marks after the change.
    pub(super) fn apply(&self, marks: &FlowMarks) -> Result<FlowMarks, MarkError> {
        let mut marks = marks.clone();
        if let Some(bookmarked) = self.bookmarked {
            marks.bookmarked = bookmarked;
        }
        if let Some(note) = &self.note {
            let note = note.trim();
            if note.chars().count() > MOST_NOTE {
                return Err(invalid("note", format!("a note has at most {MOST_NOTE} characters")));
            }
            marks.note = (!note.is_empty()).then(|| note.to_owned());
        }
        if let Some(tags) = &self.tags {
            marks.tags = tidy(tags)?;
        }
        Ok(marks)
    }
}

/// Trimmed, without empty ones and repetitions.
fn tidy(tags: &[String]) -> Result<Vec<String>, MarkError> {
    let mut kept: Vec<String> = Vec::new();
    for tag in tags.iter().map(|tag| tag.trim()).filter(|tag| !tag.is_empty()) {
        if tag.chars().count() > MOST_TAG {
            return Err(invalid("tags", format!("a tag has at most {MOST_TAG} characters")));
        }
        if tag.chars().any(char::is_control) {
            return Err(invalid("tags", "a tag is one line of text".to_owned()));
        }
        if !kept.iter().any(|known| known.to_lowercase() == tag.to_lowercase()) {
            kept.push(tag.to_owned());
        }
    }
    if kept.len() > MOST_TAGS {
        return Err(invalid("tags", format!("a request has at most {MOST_TAGS} tags")));
    }
    Ok(kept)
}

fn invalid(field: &'static str, message: String) -> MarkError {
    MarkError::Invalid { field, message }
}

#[derive(Serialize, Deserialize)]
struct Stored {
    schema: u32,
    flows: Vec<StoredMark>,
}

#[derive(Serialize, Deserialize)]
struct StoredMark {
    flow: Entry,
    marks: FlowMarks,
}

/// Saves all marked flows. Blocks for a disk sync.
pub(super) fn save(dir: &DataDir, marked: Vec<Marked>) -> io::Result<()> {
    dir.folder(super::disk::FOLDER)?;
    let mark = |marked: Marked| StoredMark { flow: marked.entry, marks: FlowMarks::clone(&marked.marks) };
    let stored = Stored { schema: SCHEMA, flows: marked.into_iter().map(mark).collect() };
    dir.replace(FILE, &serde_json::to_vec(&stored)?)
}

/// What earlier runs saved. A damaged file is put aside, and its previous generation counts.
pub(super) fn load(dir: &DataDir) -> BTreeMap<u64, Marked> {
    let current = match dir.read(FILE) {
        Ok(None) => return BTreeMap::new(),
        Ok(Some(bytes)) => parse(&bytes),
        Err(error) => Err(error),
    };
    current.unwrap_or_else(|error| {
        let previous = dir.read_previous(FILE).ok().flatten().and_then(|bytes| parse(&bytes).ok());
        let aside = dir.set_aside(FILE);
        let found = previous.as_ref().map_or(0, BTreeMap::len);
        tracing::warn!(%error, ?aside, found, "marked requests cannot be read; the state before the last change counts");
        previous.unwrap_or_default()
    })
}

fn parse(bytes: &[u8]) -> io::Result<BTreeMap<u64, Marked>> {
    let stored: Stored = versioned::parse(bytes, SCHEMA)?;
    let marked = stored.flows.into_iter().map(|StoredMark { flow, marks }| {
        let marked = Marked { entry: flow, marks: Arc::new(marks) };
        (marked.entry.seq, marked)
    });
    Ok(marked.collect())
}
