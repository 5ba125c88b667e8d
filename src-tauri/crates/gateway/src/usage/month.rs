//! The books of one month and their file, `usage/<year>-<month>.json`.

use super::Sums;
use crate::data_dir::{DataDir, versioned};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;

const FOLDER: &str = "usage";
const SCHEMA: u32 = 1;
/// Different cells of a month; what comes beyond is counted by account and day only.
const CELLS: usize = 40_000;
/// Stands for all models or keys in a cell that counts the rest.
const REST: &str = "*";
/// Longer names are cut.
const NAME: usize = 128;

/// What the sums of a cell are of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(super) struct Cell {
    pub(super) day: Date,
    pub(super) account: String,
    pub(super) model: String,
    pub(super) key: String,
}

impl Cell {
    pub(super) fn new(day: Date, account: &str, model: &str, key: &str) -> Self {
        let cut = |text: &str| text.chars().take(NAME).collect();
        Self { day, account: cut(account), model: cut(model), key: cut(key) }
    }

    fn of_the_rest(self) -> Self {
        Self { model: REST.to_owned(), key: REST.to_owned(), ..self }
    }
}

#[derive(Serialize, Deserialize)]
struct Stored {
    schema: u32,
    cells: Vec<StoredCell>,
}

#[derive(Serialize, Deserialize)]
struct StoredCell {
    #[serde(flatten)]
    cell: Cell,
    #[serde(flatten)]
    sums: Sums,
}

#[derive(Debug, Default)]
pub(super) struct Month {
    cells: BTreeMap<Cell, Sums>,
    dirty: bool,
}

impl Month {
    pub(super) fn add(&mut self, cell: Cell, sums: &Sums) {
        let full = self.cells.len() >= CELLS && !self.cells.contains_key(&cell);
        let cell = if full { cell.of_the_rest() } else { cell };
        self.cells.entry(cell).or_default().add(sums);
        self.dirty = true;
    }

    /// The cells of the days from `first` to `last`.
    pub(super) fn of(&self, first: Date, last: Date) -> impl Iterator<Item = (&Cell, &Sums)> {
        self.cells.iter().filter(move |(cell, _)| (first..=last).contains(&cell.day))
    }

    /// The file's content, when it changed since the last time.
    pub(super) fn changes(&mut self) -> Option<Vec<u8>> {
        if !std::mem::take(&mut self.dirty) {
            return None;
        }
        let cell = |(cell, sums): (&Cell, &Sums)| StoredCell { cell: cell.clone(), sums: *sums };
        serde_json::to_vec(&Stored { schema: SCHEMA, cells: self.cells.iter().map(cell).collect() }).ok()
    }

    /// It has to be saved again.
    pub(super) fn changed(&mut self) {
        self.dirty = true;
    }
}

/// The month of a day, such as `2026-11`.
pub(super) fn name(day: Date) -> String {
    format!("{:04}-{:02}", day.year(), day.month())
}

fn file(name: &str) -> String {
    format!("{FOLDER}/{name}.json")
}

pub(super) fn save(dir: &DataDir, name: &str, bytes: &[u8]) -> io::Result<()> {
    dir.folder(FOLDER)?;
    dir.replace(&file(name), bytes)
}

pub(super) fn remove(dir: &DataDir, name: &str) -> io::Result<()> {
    dir.remove(&file(name))?;
    dir.remove(&format!("{}.prev", file(name)))
}

pub(super) fn load_all(dir: &DataDir) -> io::Result<BTreeMap<String, Month>> {
    let folder = dir.folder(FOLDER)?;
    let mut months = BTreeMap::new();
    for entry in std::fs::read_dir(folder)? {
        let found = entry?.file_name().to_string_lossy().into_owned();
        let Some(name) = found.strip_suffix(".json").filter(|name| is_month(name)) else { continue };
        match load(dir, name) {
            Ok(month) => {
                months.insert(name.to_owned(), month);
            }
            Err(error) => {
                let aside = dir.set_aside(&file(name));
                tracing::warn!(month = name, %error, ?aside, "the usage of a month cannot be read; it was put aside");
            }
        }
    }
    Ok(months)
}

/// The file, or else its previous generation.
fn load(dir: &DataDir, name: &str) -> io::Result<Month> {
    let path = file(name);
    let current = dir.read(&path)?.map(|bytes| parse(&bytes));
    match current {
        Some(Ok(month)) => Ok(month),
        Some(Err(error)) => match dir.read_previous(&path)?.map(|bytes| parse(&bytes)) {
            Some(Ok(month)) => Ok(month),
            Some(Err(_)) | None => Err(error),
        },
        None => Ok(Month::default()),
    }
}

fn parse(bytes: &[u8]) -> io::Result<Month> {
    let stored: Stored = versioned::parse(bytes, SCHEMA)?;
    let mut month = Month::default();
    for StoredCell { cell, sums } in stored.cells {
        month.cells.entry(cell).or_default().add(&sums);
    }
    Ok(month)
}

fn is_month(name: &str) -> bool {
    name.len() == 7 && name.bytes().enumerate().all(|(at, b)| if at == 4 { b == b'-' } else { b.is_ascii_digit() })
}
