//! Which answers there are, in the order in which they came, within the bounds.

use super::Slot;
use crate::clock::Timestamp;
use crate::settings::{AnswerStore, ResponseSettings};
use bytes::Bytes;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

/// Where an answer is.
#[derive(Debug, Clone)]
pub(super) enum Place {
    Memory(Bytes),
    Disk,
}

#[derive(Debug)]
struct Entry {
    at: Timestamp,
    /// Its place in the order.
    number: u64,
    size: usize,
    place: Place,
}

/// An answer that is no longer on the shelf.
#[derive(Debug)]
pub(super) struct Gone {
    pub(super) slot: Slot,
    pub(super) at: Timestamp,
    pub(super) place: Place,
}

#[derive(Debug)]
pub(super) struct Shelf {
    store: AnswerStore,
    max_entries: usize,
    max_bytes: usize,
    max_age: Duration,
    entries: HashMap<Slot, Entry>,
    order: BTreeMap<(Timestamp, u64), Slot>,
    bytes: usize,
    next: u64,
    /// Answers that were replaced by one of the same name.
    replaced: Vec<Gone>,
}

impl Shelf {
    pub(super) fn new(settings: &ResponseSettings) -> Self {
        let mut shelf = Self {
            store: settings.store,
            max_entries: 0,
            max_bytes: 0,
            max_age: Duration::ZERO,
            entries: HashMap::new(),
            order: BTreeMap::new(),
            bytes: 0,
            next: 0,
            replaced: Vec::new(),
        };
        shelf.bound(settings);
        shelf
    }

    pub(super) fn bound(&mut self, settings: &ResponseSettings) {
        self.max_entries = settings.max_entries as usize;
        self.max_bytes = settings.max_bytes();
        self.max_age = settings.max_age();
    }

    pub(super) fn store(&self) -> AnswerStore {
        self.store
    }

    pub(super) fn max_bytes(&self) -> usize {
        self.max_bytes
    }

    pub(super) fn insert(&mut self, slot: Slot, at: Timestamp, size: usize, place: Place) {
        // A file of the same name and time was written over; it is the new one's.
        if let Some(old) = self.remove(&slot)
            && old.at != at
        {
            self.replaced.push(old);
        }
        let number = self.next;
        self.next += 1;
        self.bytes += size;
        self.order.insert((at, number), slot.clone());
        self.entries.insert(slot, Entry { at, number, size, place });
    }

    pub(super) fn get(&self, slot: &Slot) -> Option<(Timestamp, Place)> {
        self.entries.get(slot).map(|entry| (entry.at, entry.place.clone()))
    }

    pub(super) fn remove(&mut self, slot: &Slot) -> Option<Gone> {
        let entry = self.entries.remove(slot)?;
        self.order.remove(&(entry.at, entry.number));
        self.bytes -= entry.size;
        Some(Gone { slot: slot.clone(), at: entry.at, place: entry.place })
    }

    /// Takes out what is too old or too much, the oldest first.
    pub(super) fn sweep(&mut self, now: Timestamp) -> Vec<Gone> {
        let mut gone = std::mem::take(&mut self.replaced);
        while let Some((&(at, _), slot)) = self.order.first_key_value() {
            let too_much = self.entries.len() > self.max_entries || self.bytes > self.max_bytes;
            if !too_much && now.since(at) < self.max_age {
                break;
            }
            let slot = slot.clone();
            gone.extend(self.remove(&slot));
        }
        gone
    }
}
