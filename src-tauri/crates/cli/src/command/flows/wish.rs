//! A filter as it was typed, in the admin API's words.

use super::list;
use crate::admin_client::AdminClient;
use crate::args::flows::Filter;
use crate::command::find;
use crate::exit::{Exit, Trouble};
use crate::words::say;
use http::Method;
use kiro_gateway::clock::{Clock as _, SystemClock, Timestamp};
use serde_json::{Map, Value};
use std::time::Duration;

/// Names and values.
#[derive(Default)]
pub(super) struct Wish(Map<String, Value>);

impl Wish {
    /// Asks for the accounts when one is named.
    pub(super) async fn of(client: &AdminClient, filter: &Filter) -> Result<Self, Trouble> {
        let mut wish = Self::default();
        let texts = [
            ("protocol", &filter.protocol),
            ("model", &filter.model),
            ("code", &filter.code),
            ("tag", &filter.tag),
            ("search", &filter.search),
        ];
        for (name, value) in texts {
            if let Some(value) = value {
                wish.0.insert(name.to_owned(), value.as_str().into());
            }
        }
        if let Some(account) = &filter.account {
            let accounts = client.call(Method::GET, "/api/accounts", None).await?;
            let id = match find(list(&accounts, "accounts"), account, "label", "account") {
                Ok(id) => id,
                // Requests outlive the account that answered them.
                Err(unknown) if unknown.code == "account_not_found" => account.clone(),
                Err(trouble) => return Err(trouble),
            };
            wish.0.insert("account".to_owned(), id.into());
        }
        if let Some(outcome) = filter.outcome {
            wish.0.insert("outcome".to_owned(), outcome.word().into());
        }
        if filter.bookmarked {
            wish.0.insert("bookmarked".to_owned(), true.into());
        }
        for (name, when) in [("since", &filter.since), ("until", &filter.until)] {
            if let Some(when) = when {
                let moment = moment(when, SystemClock.now()).ok_or_else(|| malformed(name, when))?;
                wish.0.insert(name.to_owned(), moment.unix_ms().into());
            }
        }
        Ok(wish)
    }

    pub(super) fn add(&mut self, name: &str, value: impl ToString) {
        self.0.insert(name.to_owned(), value.to_string().into());
    }

    /// As the query of an address.
    pub(super) fn path(&self, path: &str) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in &self.0 {
            match value.as_str() {
                Some(text) => query.append_pair(name, text),
                None => query.append_pair(name, &value.to_string()),
            };
        }
        format!("{path}?{}", query.finish())
    }

    /// As a body's member.
    pub(super) fn body(self) -> Value {
        Value::Object(self.0)
    }
}

/// `30m`, `12h`, `7d`: so long ago; or a moment of RFC 3339.
fn moment(text: &str, now: Timestamp) -> Option<Timestamp> {
    if let Some(moment) = Timestamp::parse_rfc3339(text) {
        return Some(moment);
    }
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds: u64 = match unit {
        "m" => 60,
        "h" => 3600,
        "d" => 24 * 3600,
        _ => return None,
    };
    let number: u64 = number.parse().ok()?;
    Some(now.minus(Duration::from_secs(number.checked_mul(seconds)?)))
}

fn malformed(name: &str, when: &str) -> Trouble {
    Trouble::new(
        Exit::Usage,
        "moment_malformed",
        say!("--{} {} is no moment", name, format_args!("{when:?}")),
        "nothing was done",
        "write 30m, 12h or 7d, or a moment such as 2026-11-27T08:00:00Z",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_so_long_ago_or_as_in_rfc_3339() {
        let now = Timestamp::from_unix_seconds(1_000_000);
        let ago = |seconds: i64| Some(Timestamp::from_unix_seconds(1_000_000 - seconds));
        assert_eq!(moment("30m", now), ago(1800));
        assert_eq!(moment("12h", now), ago(43_200));
        assert_eq!(moment("7d", now), ago(604_800));
        assert_eq!(moment("1970-01-02T00:00:00Z", now), Some(Timestamp::from_unix_seconds(86_400)));
        for wrong in ["", "m", "7", "7x", "-1d", "1.5h", "yesterday", "7日", "99999999999999999999d"] {
            assert_eq!(moment(wrong, now), None, "{wrong}");
        }
    }

    #[test]
    fn a_filter_becomes_a_query_that_survives_odd_text() {
        let mut wish = Wish::default();
        wish.0.insert("search".into(), "a&b=c 日".into());
        wish.0.insert("since".into(), 5.into());
        wish.add("limit", 3);
        assert_eq!(wish.path("/api/flows"), "/api/flows?search=a%26b%3Dc+%E6%97%A5&since=5&limit=3");
    }
}
