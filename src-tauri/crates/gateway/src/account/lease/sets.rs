//! Sets of accounts as positions in the list, remembered by what they were made from.

use super::row::Row;
use crate::account::AccountId;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Sets that are remembered, of each kind.
const SETS: usize = 256;

/// What requests narrow the choice by. Belongs to one list: another one makes all positions wrong.
#[derive(Debug, Default)]
pub(super) struct Sets {
    tagged: HashMap<Arc<[String]>, Box<[u64]>>,
    /// By address of the set, which is kept alive beside it.
    among: HashMap<usize, KnownSet>,
}

/// A set of accounts and where they stand in the list.
#[derive(Debug)]
struct KnownSet {
    bits: Box<[u64]>,
    /// Kept alive, so that its address stays its own.
    _set: Arc<HashSet<AccountId>>,
}

impl Sets {
    /// The list changed.
    pub(super) fn clear(&mut self) {
        self.tagged.clear();
        self.among.clear();
    }

    /// The positions with one of these tags, once they were learned.
    pub(super) fn tagged(&self, tags: &Arc<[String]>) -> Option<&[u64]> {
        self.tagged.get(tags).map(|bits| &**bits)
    }

    /// The positions of these accounts, once they were learned.
    pub(super) fn among(&self, among: &Arc<HashSet<AccountId>>) -> Option<&[u64]> {
        self.among.get(&address(among)).map(|known| &*known.bits)
    }

    /// Finds out which rows have one of these tags, unless that is known.
    pub(super) fn learn_tags(&mut self, tags: &Arc<[String]>, rows: &[Row]) {
        if self.tagged.contains_key(tags) {
            return;
        }
        if self.tagged.len() >= SETS {
            self.tagged.clear();
        }
        let bits = bits(rows, |row| row.account.wishes.tags.iter().any(|tag| tags.contains(tag)));
        self.tagged.insert(Arc::clone(tags), bits);
    }

    /// Finds out which rows these accounts are, unless that is known.
    pub(super) fn learn_among(&mut self, among: &Arc<HashSet<AccountId>>, rows: &[Row]) {
        if self.among.contains_key(&address(among)) {
            return;
        }
        if self.among.len() >= SETS {
            self.among.clear();
        }
        let bits = bits(rows, |row| among.contains(&row.account.id));
        self.among.insert(address(among), KnownSet { bits, _set: Arc::clone(among) });
    }
}

fn address(among: &Arc<HashSet<AccountId>>) -> usize {
    Arc::as_ptr(among).addr()
}

fn bits(rows: &[Row], belongs: impl Fn(&Row) -> bool) -> Box<[u64]> {
    let mut bits = vec![0_u64; rows.len().div_ceil(64)];
    for (at, row) in rows.iter().enumerate() {
        if belongs(row) {
            bits[at / 64] |= 1 << (at % 64);
        }
    }
    bits.into_boxed_slice()
}
