//! The predecessor's ways to write values, in the words of our settings.

use super::InheritedEffect as Effect;

/// What a value means for a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reading {
    /// This.
    As(String),
    /// This, which is the nearest that can be used.
    Nearest(String),
    /// Nothing.
    Not(Effect),
}

pub(super) fn as_it_is(text: &str) -> Reading {
    Reading::As(text.to_owned())
}

/// Addresses of this machine; the predecessor listened to everybody by default.
pub(super) fn loopback(text: &str) -> Reading {
    match text {
        "127.0.0.1" | "::1" | "localhost" => as_it_is(text),
        _ => Reading::Not(Effect::NotLoopback),
    }
}

/// A whole number, brought into the range.
pub(super) fn between(text: &str, least: i64, most: i64) -> Reading {
    number(text).map_or(Reading::Not(Effect::Unreadable), |number| near(number, least, most))
}

/// Seconds, maybe with a fraction, as milliseconds.
pub(super) fn millis(text: &str, least: i64, most: i64) -> Reading {
    number(text).map_or(Reading::Not(Effect::Unreadable), |seconds| near(seconds * 1000.0, least, most))
}

fn number(text: &str) -> Option<f64> {
    text.parse::<f64>().ok().filter(|number| number.is_finite() && *number >= 0.0)
}

fn near(number: f64, least: i64, most: i64) -> Reading {
    #[expect(clippy::cast_possible_truncation, reason = "a float to integer cast stays within the integer's range")]
    let whole = number.round() as i64;
    let kept = whole.clamp(least, most);
    if kept == whole { Reading::As(kept.to_string()) } else { Reading::Nearest(kept.to_string()) }
}

/// Sizes such as `10 MB`.
pub(super) fn mebibytes(text: &str) -> Reading {
    let digits = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (size, unit) = text.split_at(digits);
    let per_unit = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" | "bytes" => 1.0 / (1024.0 * 1024.0),
        "kb" | "k" | "kib" => 1.0 / 1024.0,
        "mb" | "m" | "mib" => 1.0,
        "gb" | "g" | "gib" => 1024.0,
        _ => return Reading::Not(Effect::Unreadable),
    };
    number(size).map_or(Reading::Not(Effect::Unreadable), |size| near((size * per_unit).ceil(), 1, 64))
}

/// The levels of Python's logging.
pub(super) fn log_level(text: &str) -> Reading {
    let level = match text.to_ascii_lowercase().as_str() {
        "critical" | "error" => "error",
        "warning" | "warn" => "warn",
        "info" | "success" => "info",
        "debug" => "debug",
        "trace" => "trace",
        _ => return Reading::Not(Effect::Unreadable),
    };
    as_it_is(level)
}

/// How thinking is shown in chat completions.
pub(super) fn reasoning(text: &str) -> Reading {
    let place = match text.to_ascii_lowercase().as_str() {
        "as_reasoning_content" => "content",
        "remove" => "removed",
        "pass" => "tagged",
        "strip_tags" => "plain",
        _ => return Reading::Not(Effect::Unreadable),
    };
    as_it_is(place)
}

pub(super) fn language(text: &str) -> Reading {
    let language = text.to_ascii_lowercase();
    if language.starts_with("zh") {
        as_it_is("zh-CN")
    } else if language.starts_with("en") {
        as_it_is("en")
    } else {
        Reading::Not(Effect::Unreadable)
    }
}

pub(super) fn switch(text: &str) -> Reading {
    match (is_on(text), is_off(text)) {
        (true, _) => as_it_is("true"),
        (_, true) => as_it_is("false"),
        (false, false) => Reading::Not(Effect::Unreadable),
    }
}

fn is_on(text: &str) -> bool {
    ["1", "true", "yes", "on"].iter().any(|word| word.eq_ignore_ascii_case(text))
}

/// Whether a switch is off.
pub(super) fn is_off(text: &str) -> bool {
    ["0", "false", "no", "off"].iter().any(|word| word.eq_ignore_ascii_case(text))
}
