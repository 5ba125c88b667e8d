//! Words on the terminal: lines, tables and JSON. Text that came from elsewhere passes [`safe`], so that a name cannot move the cursor,
//! recolour the screen or turn the reading direction. A closed pipe is not an error.

use std::io::{self, Write as _};

use serde_json::Value;

use crate::words;

/// For people or for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    Text,
    Json,
}

impl Output {
    pub(crate) fn json_when(json: bool) -> Self {
        if json { Self::Json } else { Self::Text }
    }
}

pub(crate) fn line(text: &str) {
    let mut out = io::stdout().lock();
    // A reader that went away (`| head`) wants no more; nobody is left to be told.
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// As it is: a file's content on the way to a pipe.
pub(crate) fn text(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

pub(crate) fn error_line(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

pub(crate) fn json(value: &Value) {
    line(&format!("{value:#}"));
}

/// Columns as wide as their widest cell; the head in upper case, in the language of this run.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) {
    for text in layout(head, rows) {
        line(&text);
    }
}

fn layout(head: &[&str], rows: &[Vec<String>]) -> Vec<String> {
    let head: Vec<String> = head.iter().map(|name| words::of(name).to_uppercase()).collect();
    let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(|cell| safe(cell)).collect()).collect();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).chain(head.get(column));
        cells.map(|cell| columns(cell)).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    std::iter::once(&head)
        .chain(&rows)
        .map(|row| {
            let mut text = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                text.push_str(cell);
                text.extend(std::iter::repeat_n(' ', width + 2 - columns(cell)));
            }
            text.trim_end().to_owned()
        })
        .collect()
}

/// One line of a list of what is known: a name of ours, then its value.
pub(crate) fn row(name: &str, value: &str) -> String {
    /// Wide enough for the longest name.
    const NAME: usize = 18;
    let name = words::of(name);
    let gap = " ".repeat(NAME.saturating_sub(columns(name)));
    format!("{name}{gap}{}", safe(value))
}

/// Terminal columns of a text: East Asian wide characters take two.
fn columns(text: &str) -> usize {
    text.chars().map(|c| if matches!(c, '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{a4cf}' | '\u{ac00}'..='\u{d7a3}' | '\u{f900}'..='\u{faff}' | '\u{fe30}'..='\u{fe6f}' | '\u{ff00}'..='\u{ff60}' | '\u{ffe0}'..='\u{ffe6}' | '\u{1f300}'..='\u{1faff}' | '\u{20000}'..='\u{3fffd}') { 2 } else { 1 }).sum()
}

/// Control and direction characters written as `\u{..}`, everything else as it is.
pub(crate) fn safe(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
        {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}

/// As [`safe`], but lines stay lines, indented below the first: for messages of our own that name commands to copy.
pub(crate) fn safe_lines(text: &str) -> String {
    text.lines().map(safe).collect::<Vec<_>>().join("\n        ")
}

/// A member of an answer as text; `-` when it is absent.
pub(crate) fn member(value: &Value, path: &str) -> String {
    let found = path.split('.').try_fold(value, |value, name| value.get(name));
    match found {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) if text.is_empty() => "-".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// A moment of the admin API (milliseconds since 1970) in UTC, to the second.
pub(crate) fn moment(value: Option<&Value>) -> String {
    let Some(milliseconds) = value.and_then(Value::as_i64) else { return "-".to_owned() };
    let Ok(time) = time::OffsetDateTime::from_unix_timestamp(milliseconds.div_euclid(1000)) else {
        return "-".to_owned();
    };
    time.format(&time::format_description::well_known::Rfc3339).unwrap_or_else(|_| "-".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_and_direction_characters_are_escaped() {
        assert_eq!(safe("a\u{1b}[31mred\r\n\u{202e}x"), "a\\u{1b}[31mred\\u{d}\\u{a}\\u{202e}x");
        assert_eq!(safe("\u{1b}]8;;http://evil\u{7}"), "\\u{1b}]8;;http://evil\\u{7}");
        assert_eq!(safe("名字 ok"), "名字 ok");
    }

    #[test]
    fn a_message_of_several_lines_stays_one_and_is_still_harmless() {
        assert_eq!(safe_lines("what\n  cmd --x\u{1b}[2J"), "what\n          cmd --x\\u{1b}[2J");
    }

    #[test]
    fn moments_are_utc_and_absent_ones_are_a_dash() {
        assert_eq!(moment(Some(&serde_json::json!(1_767_225_600_123_i64))), "2026-01-01T00:00:00Z");
        assert_eq!(moment(Some(&Value::Null)), "-");
    }

    #[test]
    fn columns_line_up_also_with_wide_characters() {
        let lines = layout(&["id", "name"], &[vec!["1".into(), "a".into()], vec!["名字".into(), "b".into()]]);
        assert_eq!(lines, ["ID    NAME", "1     a", "名字  b"]);
    }
}
