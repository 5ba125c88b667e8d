//! How long a service asks to be left alone (RFC 9110 §10.2.3): seconds, or a date, which is measured by the service's own clock.

use http::HeaderMap;
use http::header::{DATE, RETRY_AFTER};
use std::time::Duration;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

/// What `Retry-After` says. A date in the past asks for nothing; one without a `Date` beside it cannot be measured.
pub(crate) fn read(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name)?.to_str().ok().map(str::trim);
    let asked = text(RETRY_AFTER)?;
    if let Ok(seconds) = asked.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = |text: &str| OffsetDateTime::parse(text, &Rfc2822).ok();
    let wait = date(asked)? - date(text(DATE)?)?;
    Some(Duration::try_from(wait).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn asked(retry_after: &str, date: Option<&str>) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_str(retry_after).expect("a header"));
        if let Some(date) = date {
            headers.insert(DATE, HeaderValue::from_str(date).expect("a header"));
        }
        read(&headers)
    }

    #[test]
    fn seconds_and_dates_are_understood_and_rubbish_asks_for_nothing() {
        let now = Some("Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(asked("300", None), Some(Duration::from_secs(300)));
        assert_eq!(asked(" 17 ", now), Some(Duration::from_secs(17)));
        assert_eq!(asked("Sun, 06 Nov 1994 08:54:37 GMT", now), Some(Duration::from_secs(300)));
        assert_eq!(asked("Sun, 06 Nov 1994 08:00:00 GMT", now), Some(Duration::ZERO), "long ago");
        assert_eq!(asked("Sun, 06 Nov 1994 08:54:37 GMT", None), None);
        for rubbish in ["soon", "-5", "1.5", "", "Sun, 99 Nov 1994 08:54:37 GMT"] {
            assert_eq!(asked(rubbish, now), None, "{rubbish}");
        }
        assert_eq!(read(&HeaderMap::new()), None);
    }
}
