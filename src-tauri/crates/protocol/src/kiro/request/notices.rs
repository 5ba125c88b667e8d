//! Collects notices without letting a long conversation drown them: a few of each kind, then only a count.

use crate::codec::Notice;

/// How many notices of one code are kept.
const PER_CODE: usize = 8;

#[derive(Debug, Default)]
pub(super) struct Notices {
    kept: Vec<Notice>,
    more: Vec<(&'static str, usize)>,
}

impl Notices {
    pub(super) fn add(&mut self, code: &'static str, path: impl Into<String>, detail: impl Into<String>) {
        if self.kept.iter().filter(|notice| notice.code == code).count() < PER_CODE {
            self.kept.push(Notice::new(code, path, detail));
            return;
        }
        match self.more.iter_mut().find(|(other, _)| *other == code) {
            Some((_, count)) => *count += 1,
            None => self.more.push((code, 1)),
        }
    }

    /// A notice about a turn, by the index of its (first) message.
    pub(super) fn turn(&mut self, code: &'static str, at: usize, detail: impl Into<String>) {
        self.add(code, format!("messages[{at}]"), detail);
    }

    pub(super) fn into_vec(mut self) -> Vec<Notice> {
        let more = self.more.into_iter().map(|(code, count)| Notice::new(code, "", format!("and {count} more")));
        self.kept.extend(more);
        self.kept
    }
}
