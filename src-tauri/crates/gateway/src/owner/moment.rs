//! Times as programs write them: RFC 3339 with or without a zone, seconds or milliseconds since the epoch, as number or text.

use serde_json::Value;
use time::PrimitiveDateTime;
use time::format_description::well_known::Iso8601;

use crate::clock::Timestamp;

/// Above this a number means milliseconds; as seconds it would be the year 5138.
pub(super) const SECONDS_END: i64 = 100_000_000_000;

/// The moment, with fractions of a second dropped; `None` when it is no time.
pub(crate) fn parse(value: &Value) -> Option<Timestamp> {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| whole(number.as_f64()?)).and_then(from_number),
        Value::String(text) => parse_text(text.trim()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn parse_text(text: &str) -> Option<Timestamp> {
    if let Ok(number) = text.parse::<i64>() {
        return from_number(number);
    }
    let moment = Timestamp::parse_rfc3339(text).or_else(|| {
        // No zone: the programs that leave it out mean UTC.
        let moment = PrimitiveDateTime::parse(text, &Iso8601::DEFAULT).ok()?;
        Some(Timestamp::from_unix_seconds(moment.assume_utc().unix_timestamp()))
    })?;
    Some(Timestamp::from_unix_seconds(moment.unix_seconds()))
}

fn from_number(number: i64) -> Option<Timestamp> {
    if number <= 0 {
        return None;
    }
    let seconds = if number >= SECONDS_END { number / 1000 } else { number };
    Some(Timestamp::from_unix_seconds(seconds))
}

#[expect(clippy::cast_possible_truncation, reason = "the range is checked first")]
fn whole(number: f64) -> Option<i64> {
    (number.is_finite() && (0.0..9.0e15).contains(&number)).then_some(number as i64)
}
