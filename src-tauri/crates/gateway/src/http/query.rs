//! Queries of addresses: pages, and keys that must not go further than the check.

use kiro_protocol::codec::PageQuery;
use std::borrow::Cow;

/// Names under which people and SDKs put a key into an address.
const SECRETS: [&str; 7] = ["key", "api_key", "apikey", "x-api-key", "access_token", "auth_token", "token"];

/// Every text that may be Gemini's `key`.
pub(crate) fn key(query: &str) -> impl Iterator<Item = Cow<'_, str>> {
    url::form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == "key").map(|(_, value)| value)
}

/// The query without anything that may be a key, on whatever path: what is left may be kept and shown.
pub(crate) fn without_secrets(query: &str) -> String {
    let harmless = |pair: &&str| {
        let name = url::form_urlencoded::parse(pair.as_bytes()).next().map(|(name, _)| name.to_ascii_lowercase());
        !name.is_some_and(|name| SECRETS.contains(&name.as_str()))
    };
    query.split('&').filter(harmless).collect::<Vec<_>>().join("&")
}

/// The page of a list, in the words of any family.
pub(crate) fn page(query: &str) -> PageQuery {
    let mut page = PageQuery::default();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        match &*name {
            "limit" | "pageSize" => page.limit = value.parse().ok(),
            "after_id" | "after" | "pageToken" => page.after = Some(value.into_owned()),
            "before_id" | "before" => page.before = Some(value.into_owned()),
            _ => {}
        }
    }
    page
}

/// Whether a list is wanted with the oldest first.
pub(crate) fn is_ascending(query: &str) -> bool {
    url::form_urlencoded::parse(query.as_bytes()).any(|(name, value)| name == "order" && value == "asc")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_and_taken_out() {
        let query = "alt=sse&key=one%2Btwo&k%65y=three&keys=four&KEY=five&api_key=six&%24fields=a,b";
        let keys: Vec<_> = key(query).collect();
        assert_eq!(keys, ["one+two", "three"]);
        assert_eq!(without_secrets(query), "alt=sse&keys=four&%24fields=a,b");
        assert_eq!(without_secrets("key=x"), "");
        assert_eq!(without_secrets("beta=true"), "beta=true");
    }

    #[test]
    fn pages_are_read_in_every_familys_words() {
        let expected = PageQuery { limit: Some(5), after: Some("a b".into()), before: None };
        for query in ["limit=5&after_id=a%20b", "limit=5&after=a+b", "pageSize=5&pageToken=a%20b&key=x"] {
            assert_eq!(page(query), expected, "{query}");
        }
        assert_eq!(page("limit=many"), PageQuery::default());
    }
}
