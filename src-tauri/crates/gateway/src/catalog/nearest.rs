//! The known name that an unknown one looks like.

use super::spelling::{spellings, upstream_form};

/// The known name that looks most like `wish`, if any looks like it at all.
pub(super) fn nearest<'a>(wish: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let bare = spellings(wish.trim()).pop().map(|spelling| spelling.name).unwrap_or_default();
    let wish: String = upstream_form(&bare).to_ascii_lowercase().chars().take(64).collect();
    known
        .map(|name| (distance(&wish, &name.to_ascii_lowercase()), name))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, name)| *distance * 2 <= wish.len().max(name.len()))
        .map(|(_, name)| name)
}

/// Edits between two short names.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let cost = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = cost.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}
