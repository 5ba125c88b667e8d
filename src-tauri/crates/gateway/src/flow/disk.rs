//! Flows on disk: lines of JSON in numbered files `flows/<number>.jsonl`, written to at the end only. All of this blocks.
//!
//! Promises: bounded in number, bytes and age, whole files at a time, the oldest first; a kill costs at most what was not
//! written yet, because a line without its end is cut off at the next start and anything else that is no line is passed over.
//! A power cut may cost the newest lines: they are not worth a sync each.

use super::shelf::{Entry, Line};
use crate::clock::Timestamp;
use crate::data_dir::DataDir;
use crate::settings::{FlowSettings, FlowStore};
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write as _};
use std::sync::Arc;

pub(super) const FOLDER: &str = "flows";
const EXTENSION: &str = ".jsonl";
/// So many files make up what is kept.
const PARTS: usize = 8;

struct Segment {
    number: u64,
    lines: usize,
    bytes: u64,
    newest: Timestamp,
}

impl Segment {
    fn new(number: u64) -> Self {
        Self { number, lines: 0, bytes: 0, newest: Timestamp(i64::MIN) }
    }

    fn name(&self) -> String {
        format!("{FOLDER}/{:010}{EXTENSION}", self.number)
    }

    fn note(&mut self, at: Timestamp, bytes: usize) {
        self.lines += 1;
        self.bytes += bytes as u64;
        self.newest = self.newest.max(at);
    }
}

/// The files, the oldest first.
pub(super) struct Segments {
    dir: Arc<DataDir>,
    limits: FlowSettings,
    segments: VecDeque<Segment>,
    /// The newest one, open for writing.
    file: Option<File>,
    next: u64,
}

impl Segments {
    /// Reads what earlier runs wrote. What cannot be read is told and passed over.
    pub(super) fn open(dir: Arc<DataDir>, limits: FlowSettings, now: Timestamp) -> (Self, Vec<Entry>) {
        let mut found = Vec::new();
        let mut this = Self { dir, limits, segments: VecDeque::new(), file: None, next: 1 };
        match this.numbers() {
            Ok(numbers) => {
                for number in numbers {
                    this.next = number.saturating_add(1);
                    match this.read(number, &mut found) {
                        Ok(segment) => this.segments.push_back(segment),
                        Err(error) => tracing::warn!(number, %error, "a file of requests cannot be read"),
                    }
                }
            }
            Err(error) => tracing::warn!(%error, "requests of earlier runs cannot be read"),
        }
        if this.limits.store != FlowStore::Disk {
            found.clear();
            this.clear().unwrap_or_else(|error| tracing::warn!(%error, "requests could not be deleted"));
            return (this, found);
        }
        if let Err(error) = this.go_on() {
            tracing::warn!(%error, "the newest file of requests cannot be continued; another one begins");
        }
        this.bound(0, now);
        (this, found)
    }

    /// Writes lines. After an error the next line begins another file.
    pub(super) fn append(&mut self, lines: &[Line], now: Timestamp) -> io::Result<()> {
        if self.limits.store != FlowStore::Disk {
            return Ok(());
        }
        let mut rest = lines;
        while !rest.is_empty() {
            let run = self.run(rest);
            let (part, after) = rest.split_at(run);
            let text: Vec<u8> = part.iter().flat_map(|line| line.bytes.iter().copied()).collect();
            self.bound(text.len() as u64, now);
            let file = match &mut self.file {
                Some(file) => file,
                None => self.begin()?,
            };
            if let Err(error) = file.write_all(&text) {
                self.file = None;
                return Err(error);
            }
            if let Some(newest) = self.segments.back_mut() {
                part.iter().for_each(|line| newest.note(line.at, line.bytes.len()));
            }
            rest = after;
        }
        Ok(())
    }

    /// Takes over other limits.
    pub(super) fn follow(&mut self, limits: FlowSettings, now: Timestamp) -> io::Result<()> {
        self.limits = limits;
        if self.limits.store != FlowStore::Disk {
            return self.clear();
        }
        self.bound(0, now);
        Ok(())
    }

    /// Deletes every file.
    pub(super) fn clear(&mut self) -> io::Result<()> {
        self.file = None;
        while let Some(segment) = self.segments.front() {
            self.dir.remove(&segment.name())?;
            self.segments.pop_front();
        }
        Ok(())
    }

    /// Makes sure that what was written outlives a power cut.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.as_ref().map_or(Ok(()), File::sync_data)
    }

    /// Deletes what is too old, and the oldest so that `more` bytes have room.
    pub(super) fn bound(&mut self, more: u64, now: Timestamp) {
        let oldest = now.minus(self.limits.max_age());
        while let Some(first) = self.segments.front() {
            let lines: usize = self.segments.iter().map(|segment| segment.lines).sum();
            let bytes: u64 = self.segments.iter().map(|segment| segment.bytes).sum();
            let too_much =
                bytes + more > self.limits.max_bytes() || lines - first.lines >= self.limits.max_entries().max(1);
            if !too_much && first.newest >= oldest {
                return;
            }
            if self.segments.len() == 1 {
                self.file = None;
            }
            if let Err(error) = self.dir.remove(&first.name()) {
                tracing::warn!(%error, "a file of old requests could not be deleted");
                return;
            }
            self.segments.pop_front();
        }
    }

    /// How many of the lines go into one file: what has room in the newest one, or else a new file's share.
    fn run(&mut self, lines: &[Line]) -> usize {
        let most_lines = (self.limits.max_entries() / PARTS).max(1);
        let most_bytes = self.limits.max_bytes() / PARTS as u64;
        let fit = |used: usize, filled: u64| {
            let mut bytes = filled;
            let fits = |line: &&Line| {
                bytes += line.bytes.len() as u64;
                bytes <= most_bytes
            };
            lines.iter().take(most_lines.saturating_sub(used)).take_while(fits).count()
        };
        let newest = self.segments.back().filter(|_| self.file.is_some());
        let here = newest.map_or(0, |newest| fit(newest.lines, newest.bytes));
        if here > 0 {
            return here;
        }
        if let Some(file) = self.file.take()
            && let Err(error) = file.sync_data()
        {
            tracing::warn!(%error, "a full file of requests could not be synced");
        }
        fit(0, 0).max(1)
    }

    /// Begins another file.
    fn begin(&mut self) -> io::Result<&mut File> {
        self.dir.folder(FOLDER)?;
        let segment = Segment::new(self.next);
        let file = self.dir.append(&segment.name())?;
        self.next += 1;
        self.segments.push_back(segment);
        Ok(self.file.insert(file))
    }

    /// Goes on with the newest file of an earlier run, without the line that a kill cut.
    fn go_on(&mut self) -> io::Result<()> {
        let Some(newest) = self.segments.back_mut() else { return Ok(()) };
        let text = self.dir.read(&newest.name())?.unwrap_or_default();
        let (whole, tail) = text.split_at(text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1));
        let mut file = self.dir.append(&newest.name())?;
        if serde_json::from_slice::<Entry>(tail).is_ok() {
            file.write_all(b"\n")?;
        } else if !tail.is_empty() {
            file.set_len(whole.len() as u64)?;
        }
        newest.bytes = file.metadata()?.len();
        self.file = Some(file);
        Ok(())
    }

    fn read(&self, number: u64, found: &mut Vec<Entry>) -> io::Result<Segment> {
        let mut segment = Segment::new(number);
        let text = self.dir.read(&segment.name())?.unwrap_or_default();
        let mut damaged = 0_usize;
        for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            match serde_json::from_slice::<Entry>(line) {
                Ok(entry) => {
                    segment.note(entry.flow.at, line.len() + 1);
                    found.push(entry);
                }
                Err(_) => damaged += 1,
            }
        }
        // The file's own size: damaged lines take room too.
        segment.bytes = text.len() as u64;
        if damaged > 0 {
            tracing::warn!(number, damaged, "some lines of a file of requests cannot be read");
        }
        Ok(segment)
    }

    /// Numbers of the files that are there.
    fn numbers(&self) -> io::Result<Vec<u64>> {
        let mut numbers = Vec::new();
        for entry in std::fs::read_dir(self.dir.folder(FOLDER)?)? {
            let name = entry?.file_name();
            let number = name.to_str().and_then(|name| name.strip_suffix(EXTENSION)).filter(|name| name.len() == 10);
            numbers.extend(number.and_then(|number| number.parse::<u64>().ok()));
        }
        numbers.sort_unstable();
        Ok(numbers)
    }
}
