//! The spellings that clients use for a model.

/// Names that `wish` may mean, most literal first.
pub(super) fn candidates(wish: &str) -> Vec<String> {
    let mut names = vec![wish.to_owned()];
    let mut add = |name: String| {
        if !name.is_empty() && !names.contains(&name) {
            names.push(name);
        }
    };
    let mut name = wish.to_ascii_lowercase();
    if let Some((_, rest)) = name.rsplit_once('/') {
        name = rest.to_owned();
        add(name.clone());
    }
    name = strip(&name);
    add(name.clone());
    add(dotted(&name));
    names
}

/// Removes marks that do not choose another model.
fn strip(name: &str) -> String {
    let mut name = name;
    loop {
        let shorter = name
            .strip_suffix("[1m]")
            .or_else(|| name.strip_suffix("-latest"))
            .or_else(|| name.strip_suffix("-thinking"))
            .or_else(|| without_date(name));
        match shorter {
            Some(shorter) => name = shorter,
            None => return name.to_owned(),
        }
    }
}

/// `claude-sonnet-4-5-20250929` without its date.
fn without_date(name: &str) -> Option<&str> {
    let (rest, date) = name.rsplit_once(['-', '@'])?;
    (date.len() == 8 && date.bytes().all(|b| b.is_ascii_digit()) && date.starts_with("20")).then_some(rest)
}

/// `claude-opus-4-6` as `claude-opus-4.6`: a digit, a dash, one or two digits, then no further digit.
fn dotted(name: &str) -> String {
    if !name.starts_with("claude-") {
        return name.to_owned();
    }
    let bytes = name.as_bytes();
    let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    for at in 1..bytes.len() {
        if bytes[at] != b'-' || !digit(at - 1) || !digit(at + 1) || (at >= 2 && digit(at - 2)) {
            continue;
        }
        let end = if digit(at + 2) { at + 3 } else { at + 2 };
        if !digit(end) {
            return format!("{}.{}", &name[..at], &name[at + 1..]);
        }
    }
    name.to_owned()
}

/// The known name that looks most like `wish`, if any looks like it at all.
pub(super) fn nearest<'a>(wish: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let wish = dotted(&strip(&wish.to_ascii_lowercase()));
    let wish: String = wish.chars().take(64).collect();
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
