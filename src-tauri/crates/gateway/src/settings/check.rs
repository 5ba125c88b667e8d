//! Refusals of values, collected so that a person learns of all of them at once.

use crate::error::FieldProblem;
use std::collections::BTreeMap;

/// Collects refused fields.
#[derive(Debug, Default)]
pub(crate) struct FieldErrors {
    pub(crate) fields: BTreeMap<String, FieldProblem>,
}

impl FieldErrors {
    pub(crate) fn refuse(&mut self, path: &str, code: &str, message: String) {
        self.fields.insert(path.to_owned(), FieldProblem { code: code.to_owned(), message });
    }

    pub(crate) fn range(&mut self, path: &str, value: u64, least: u64, most: u64) {
        if !(least..=most).contains(&value) {
            self.refuse(path, "out_of_range", format!("must be between {least} and {most}"));
        }
    }
}
