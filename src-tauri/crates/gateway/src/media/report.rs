//! What became of the pictures and documents of one conversation.

use super::place::Place;
use kiro_protocol::codec::Notice;
use kiro_protocol::failure::{Failure, FailureClass};

/// Gathers notices, and the one failure that ends the request if the turn to be answered has nothing else to say.
#[derive(Debug)]
pub(super) struct Report {
    newest: usize,
    speaks: bool,
    sent: bool,
    refused: Option<Failure>,
    pub(super) notices: Vec<Notice>,
}

impl Report {
    pub(super) fn new(newest: usize, speaks: bool) -> Self {
        Self { newest, speaks, sent: false, refused: None, notices: Vec::new() }
    }

    pub(super) fn add(&mut self, code: &'static str, path: impl Into<String>, detail: impl Into<String>) {
        self.notices.push(Notice::new(code, path, detail));
    }

    /// True for what the person has just sent.
    pub(super) fn is_newest(&self, place: Place) -> bool {
        place.message >= self.newest
    }

    /// Something of the turn to be answered can be sent.
    pub(super) fn sent(&mut self, place: Place) {
        self.sent |= self.is_newest(place);
    }

    /// Something could not be sent; `code` is the failure's if nothing else is left to answer.
    pub(super) fn failed(&mut self, place: Place, notice: &'static str, code: &'static str, words: String) {
        if self.is_newest(place) && self.refused.is_none() {
            self.refused =
                Some(Failure::new(FailureClass::InvalidRequest, code, format!("{}: {words}.", place.path())));
        }
        self.add(notice, place.path(), words);
    }

    /// Ends the request whatever else it says.
    pub(super) fn refuse(&mut self, failure: Failure) {
        self.refused = Some(failure);
        self.speaks = false;
        self.sent = false;
    }

    /// Notices, and the failure when the turn to be answered is empty without what failed.
    pub(super) fn finish(self) -> (Vec<Notice>, Option<Failure>) {
        let empty = !self.speaks && !self.sent;
        (self.notices, self.refused.filter(|_| empty))
    }
}
