//! What is kept in memory: the newest flows, bounded, and the marked ones, which stay until their marks are taken away.

use super::marks::FlowMarks;
use super::view::FlowView;
use crate::clock::Timestamp;
use crate::settings::{FlowSettings, FlowStore};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// A flow with its place in the order of endings.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) seq: u64,
    #[serde(flatten)]
    pub(super) flow: Arc<FlowView>,
}

impl Entry {
    /// As a line of the file, with its end.
    pub(super) fn line(&self) -> Line {
        let mut bytes = serde_json::to_vec(self).expect("a flow is plain data");
        bytes.push(b'\n');
        Line { at: self.flow.at, bytes: bytes.into() }
    }
}

/// An encoded entry.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) at: Timestamp,
    pub(super) bytes: Bytes,
}

/// A flow as it is shown.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) seq: u64,
    pub(crate) flow: Arc<FlowView>,
    pub(crate) marks: Arc<FlowMarks>,
}

struct Kept {
    entry: Entry,
    /// Bytes of its line: what it weighs against the limit.
    size: u64,
}

/// A flow that a person marked.
#[derive(Debug, Clone)]
pub(super) struct Marked {
    pub(super) entry: Entry,
    pub(super) marks: Arc<FlowMarks>,
}

pub(super) struct Shelf {
    limits: FlowSettings,
    /// In the order of endings.
    ring: VecDeque<Kept>,
    bytes: u64,
    marked: BTreeMap<u64, Marked>,
    next: u64,
    unmarked: Arc<FlowMarks>,
}

impl Shelf {
    pub(super) fn new(limits: FlowSettings, found: Vec<Entry>, marked: BTreeMap<u64, Marked>, now: Timestamp) -> Self {
        let mut shelf = Self {
            limits,
            ring: VecDeque::new(),
            bytes: 0,
            next: 1,
            marked: BTreeMap::new(),
            unmarked: Arc::default(),
        };
        let sorted: BTreeMap<u64, Entry> = found.into_iter().map(|entry| (entry.seq, entry)).collect();
        let last = sorted.keys().chain(marked.keys()).max().copied().unwrap_or(0);
        for entry in sorted.into_values().filter(|entry| !marked.contains_key(&entry.seq)) {
            shelf.put(entry);
        }
        shelf.next = last.saturating_add(1);
        shelf.marked = marked;
        shelf.sweep(now);
        shelf
    }

    /// Where flows are kept.
    pub(super) fn store(&self) -> FlowStore {
        self.limits.store
    }

    /// Keeps a flow that has just ended, as the newest. What is to be written, if anything is.
    pub(super) fn insert(&mut self, flow: FlowView, now: Timestamp) -> Option<Line> {
        if self.limits.store == FlowStore::Off {
            return None;
        }
        let entry = Entry { seq: self.next, flow: Arc::new(flow) };
        self.next += 1;
        let line = self.put(entry);
        self.sweep(now);
        (self.limits.store == FlowStore::Disk).then_some(line)
    }

    /// Everything that is kept, the newest first.
    pub(super) fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::with_capacity(self.ring.len() + self.marked.len());
        let mut marked = self.marked.values().rev().peekable();
        let row_of = |marked: &Marked| Row {
            seq: marked.entry.seq,
            flow: Arc::clone(&marked.entry.flow),
            marks: Arc::clone(&marked.marks),
        };
        for kept in self.ring.iter().rev() {
            while let Some(newer) = marked.next_if(|marked| marked.entry.seq > kept.entry.seq) {
                rows.push(row_of(newer));
            }
            let flow = Arc::clone(&kept.entry.flow);
            rows.push(Row { seq: kept.entry.seq, flow, marks: Arc::clone(&self.unmarked) });
        }
        rows.extend(marked.map(row_of));
        rows
    }

    /// The newest of those that are kept.
    pub(super) fn newest(&self, most: usize) -> Vec<Arc<FlowView>> {
        self.rows().into_iter().take(most).map(|row| row.flow).collect()
    }

    /// The flow with this id.
    pub(super) fn find(&self, id: &str) -> Option<Row> {
        if let Some(marked) = self.marked.values().find(|marked| marked.entry.flow.id == id) {
            let marks = Arc::clone(&marked.marks);
            return Some(Row { seq: marked.entry.seq, flow: Arc::clone(&marked.entry.flow), marks });
        }
        let kept = self.ring.iter().rev().find(|kept| kept.entry.flow.id == id)?;
        Some(Row { seq: kept.entry.seq, flow: Arc::clone(&kept.entry.flow), marks: Arc::clone(&self.unmarked) })
    }

    /// Gives a flow other marks. What is to be written to the disk again, because it is an ordinary flow from now on.
    pub(super) fn mark(&mut self, seq: u64, marks: FlowMarks, now: Timestamp) -> Option<Line> {
        let entry = match self.marked.remove(&seq) {
            Some(marked) => marked.entry,
            None => self.take(seq)?,
        };
        if !marks.is_empty() {
            self.marked.insert(seq, Marked { entry, marks: Arc::new(marks) });
            return None;
        }
        let line = self.put(entry);
        self.sweep(now);
        let stays = self.ring.binary_search_by_key(&seq, |kept| kept.entry.seq).is_ok();
        (stays && self.limits.store == FlowStore::Disk).then_some(line)
    }

    /// Those that are marked, the oldest first.
    pub(super) fn marked(&self) -> Vec<Marked> {
        self.marked.values().cloned().collect()
    }

    /// Puts the marked ones back as they were.
    pub(super) fn restore(&mut self, marked: Vec<Marked>) {
        let now: Vec<u64> = self.marked.keys().copied().collect();
        for seq in now {
            if !marked.iter().any(|marked| marked.entry.seq == seq)
                && let Some(unmarked) = self.marked.remove(&seq)
            {
                self.put(unmarked.entry);
            }
        }
        for marked in marked {
            let _ = self.take(marked.entry.seq);
            self.marked.insert(marked.entry.seq, marked);
        }
    }

    /// Forgets everything that is not marked; tells how many that were.
    pub(super) fn clear(&mut self) -> usize {
        self.bytes = 0;
        std::mem::take(&mut self.ring).len()
    }

    /// Forgets the marked ones too; tells how many that were.
    pub(super) fn clear_marked(&mut self) -> usize {
        std::mem::take(&mut self.marked).len()
    }

    /// Takes over other limits. What is to be written, because flows are kept on disk from now on.
    pub(super) fn follow(&mut self, limits: &FlowSettings, now: Timestamp) -> Vec<Line> {
        let before = std::mem::replace(&mut self.limits, limits.clone());
        if limits.store == FlowStore::Off {
            self.clear();
        }
        self.sweep(now);
        let begins = limits.store == FlowStore::Disk && before.store != FlowStore::Disk;
        if begins { self.ring.iter().map(|kept| kept.entry.line()).collect() } else { Vec::new() }
    }

    /// Lets go of what is too much or too old.
    pub(super) fn sweep(&mut self, now: Timestamp) {
        let oldest = now.minus(self.limits.max_age());
        while let Some(front) = self.ring.front() {
            let too_much = self.ring.len() > self.limits.max_entries() || self.bytes > self.limits.max_bytes();
            if !too_much && front.entry.flow.at >= oldest {
                return;
            }
            self.bytes -= front.size;
            self.ring.pop_front();
        }
    }

    /// Puts an entry where its number belongs.
    fn put(&mut self, entry: Entry) -> Line {
        let line = entry.line();
        let size = line.bytes.len() as u64;
        let at = self.ring.partition_point(|kept| kept.entry.seq < entry.seq);
        self.ring.insert(at, Kept { entry, size });
        self.bytes += size;
        line
    }

    fn take(&mut self, seq: u64) -> Option<Entry> {
        let at = self.ring.binary_search_by_key(&seq, |kept| kept.entry.seq).ok()?;
        let kept = self.ring.remove(at)?;
        self.bytes -= kept.size;
        Some(kept.entry)
    }
}
