//! One account in words: its mark, its name, its state and what is left of its quota.

use crate::words::Words;
use kiro_gateway::clock::Timestamp;
use serde::Deserialize;

/// Longer names are cut.
const MAX_LABEL: usize = 40;

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Account {
    pub(super) id: String,
    pub(super) label: String,
    pub(super) state: State,
    #[serde(default)]
    pub(super) quota: Option<Quota>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct State {
    pub(super) kind: String,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Quota {
    fetched_at: Timestamp,
    age_seconds: u64,
    #[serde(default)]
    pub(super) plan: Option<String>,
    limit: f64,
    left: f64,
    #[serde(default)]
    resets_at: Option<Timestamp>,
}

impl Account {
    pub(super) fn line(&self, words: &Words) -> String {
        let name = format!("{} {}", self.mark(), cut(&self.label));
        let state = match self.state.kind.as_str() {
            "ready" => None,
            kind => Some(words.state_of_account(kind)),
        };
        let quota = self
            .quota
            .as_ref()
            .map(|quota| words.tray_with("accounts.aged", &[("left", &quota.left(words)), ("age", &quota.age(words))]));
        let rest: Vec<String> = state.into_iter().chain(quota).collect();
        if rest.is_empty() { name } else { format!("{name}: {}", rest.join(" · ")) }
    }

    /// Shapes, so that nobody has to tell colours apart.
    fn mark(&self) -> char {
        match self.state.kind.as_str() {
            "ready" => '●',
            "probing" | "coolingDown" => '◐',
            "exhausted" | "disabled" => '○',
            _ => '▲',
        }
    }

    /// Every state that does not end by itself and that nobody chose.
    pub(super) fn needs_attention(&self) -> bool {
        self.mark() == '▲'
    }
}

impl Quota {
    pub(super) fn left(&self, words: &Words) -> String {
        words.tray_with("accounts.left", &[("left", &number(self.left)), ("limit", &number(self.limit))])
    }

    fn age(&self, words: &Words) -> String {
        match self.age_seconds {
            0..60 => words.tray("age.now"),
            60..7_200 => words.tray_with("age.minutes", &[("count", &(self.age_seconds / 60).to_string())]),
            _ => words.tray_with("age.hours", &[("count", &(self.age_seconds / 3_600).to_string())]),
        }
    }

    pub(super) fn resets(&self, words: &Words) -> Option<String> {
        let now = self.fetched_at.unix_seconds().saturating_add_unsigned(self.age_seconds);
        let days = (self.resets_at?.unix_seconds() - now).div_euclid(86_400);
        (days >= 0).then(|| words.tray_with("accounts.resets", &[("days", &days.to_string())]))
    }
}

/// At most one decimal, thousands apart.
fn number(value: f64) -> String {
    let rounded = (value * 10.0).round() / 10.0;
    let text = if rounded.fract() == 0.0 { format!("{rounded:.0}") } else { format!("{rounded:.1}") };
    let (whole, decimals) = text.split_once('.').map_or((text.as_str(), ""), |(whole, rest)| (whole, rest));
    let (sign, digits) = whole.strip_prefix('-').map_or(("", whole), |digits| ("-", digits));
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    if decimals.is_empty() { format!("{sign}{grouped}") } else { format!("{sign}{grouped}.{decimals}") }
}

/// One line of bounded length.
pub(super) fn cut(label: &str) -> String {
    let clean: String = label.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if clean.chars().count() <= MAX_LABEL {
        return clean;
    }
    clean.chars().take(MAX_LABEL - 1).chain(std::iter::once('…')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_one_line_of_bounded_length() {
        assert_eq!(cut("a\nb\t\u{7}"), "a b  ");
        assert_eq!(cut(&"x".repeat(200)).chars().count(), MAX_LABEL);
        assert_eq!(number(1_234_567.0), "1,234,567");
        assert_eq!(number(-1_200.25), "-1,200.3");
        assert_eq!(number(0.04), "0");
    }
}
