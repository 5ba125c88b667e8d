//! Where a request stands on an account's ladder of hosts.

use crate::upstream::endpoint::Rung;

/// One account's ladder, and which of its rungs were left.
pub(super) struct Climb {
    rungs: Vec<Rung>,
    left: Vec<bool>,
    at: usize,
}

impl Climb {
    /// Starts at the first rung. There is at least one.
    pub(super) fn new(rungs: Vec<Rung>) -> Self {
        Self { left: vec![false; rungs.len()], rungs, at: 0 }
    }

    pub(super) fn rung(&self) -> &Rung {
        &self.rungs[self.at]
    }

    /// Leaves this rung for the next one that was not left yet. False when there is none; then this one stays.
    pub(super) fn next(&mut self) -> bool {
        self.left[self.at] = true;
        match self.left.iter().position(|left| !left) {
            Some(next) => {
                self.at = next;
                true
            }
            None => false,
        }
    }

    /// Starts again from the first rung: with another token, what was refused before says little.
    pub(super) fn again(&mut self) {
        self.left.fill(false);
        self.at = 0;
    }
}
