//! The rules that people wrote: which one a name meets.

use super::spelling::{Marks, Spelling};
use crate::settings::{MatchKind, ModelRule};

/// A rule that a name met.
pub(super) struct Met<'a> {
    pub(super) rule: &'a ModelRule,
    /// Its place in its list.
    pub(super) at: usize,
    /// What the name asks for besides the model.
    pub(super) marks: Marks,
}

/// The first rule that one of the name's readings meets; of one rule, the most literal reading.
pub(super) fn first<'a>(rules: &'a [ModelRule], spellings: &[Spelling]) -> Option<Met<'a>> {
    let all = spellings.last().map(|barest| barest.marks).unwrap_or_default();
    rules.iter().enumerate().filter(|(_, rule)| rule.enabled).find_map(|(at, rule)| {
        let met = spellings
            .iter()
            .find(|spelling| matches(rule, &spelling.name) || spelling.ids().iter().any(|id| matches(rule, id)))?;
        // A whole name that was written down with its suffix is that name; a pattern leaves the suffix its meaning.
        let marks = match rule.kind {
            MatchKind::Exact => met.marks,
            MatchKind::Prefix | MatchKind::Wildcard => all,
        };
        Some(Met { rule, at, marks })
    })
}

fn matches(rule: &ModelRule, name: &str) -> bool {
    let (pattern, name) = (rule.pattern.to_ascii_lowercase(), name.to_ascii_lowercase());
    match rule.kind {
        MatchKind::Exact => pattern == name,
        MatchKind::Prefix => name.starts_with(&pattern),
        MatchKind::Wildcard => wildcard(&pattern, &name),
    }
}

/// `*` stands for any text. Time grows with the product of both lengths at worst, and both are short.
fn wildcard(pattern: &str, name: &str) -> bool {
    let mut pieces = pattern.split('*');
    let Some(mut rest) = pieces.next().and_then(|first| name.strip_prefix(first)) else { return false };
    let mut pieces: Vec<&str> = pieces.collect();
    let Some(last) = pieces.pop() else { return rest.is_empty() };
    for piece in pieces {
        match rest.find(piece) {
            Some(at) => rest = &rest[at + piece.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text_and_for_none() {
        for (pattern, name, is) in [
            ("gpt-*", "gpt-4o", true),
            ("gpt-*", "gpt-", true),
            ("gpt-*", "my-gpt-4o", false),
            ("*", "", true),
            ("*", "anything", true),
            ("*mini*", "gpt-4o-mini", true),
            ("*mini*", "gpt-4o", false),
            ("a*b*c", "aXbYc", true),
            ("a*b*c", "abc", true),
            ("a*b*c", "acb", false),
            ("a*a", "a", false),
            ("a*aa", "aaa", true),
            ("a**b", "ab", true),
        ] {
            assert_eq!(wildcard(pattern, name), is, "{pattern} {name}");
        }
    }
}
