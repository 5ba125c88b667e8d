//! What a person pastes when the page could not come back to us: the whole address on which they ended, its query, or the code alone.

use url::Url;

use super::callback::{Came, Query};
use crate::error::{Problem, ProblemCode};

const LONGEST: usize = 16 * 1024;
const LONGEST_CODE: usize = 4 * 1024;
/// Codes alone are long and random; with `code=` in front there is no doubt.
const SHORTEST_CODE: usize = 20;
const SHORTEST_NAMED_CODE: usize = 8;

/// Reads what was pasted. The text is never repeated in an error.
pub(super) fn read(text: &str) -> Result<Came, Problem> {
    let text = text.trim();
    if text.is_empty() || text.len() > LONGEST || text.chars().any(char::is_control) {
        return Err(refused("notTheAddress"));
    }
    if text.contains("://") {
        return address(text);
    }
    let query = Query::parse(text.trim_start_matches(['?', '/']));
    if query.get("state").is_some() {
        return Ok(Came::Address { path: "/oauth/callback".to_owned(), query });
    }
    let (code, shortest) = match text.strip_prefix("code=") {
        Some(code) => (code, SHORTEST_NAMED_CODE),
        None => (text, SHORTEST_CODE),
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~+/=!$*".contains(c);
    // A word that was typed by mistake must not end the sign-in: a code is tried once.
    let random = shortest == SHORTEST_NAMED_CODE || code.chars().any(|c| c.is_ascii_digit());
    if (shortest..=LONGEST_CODE).contains(&code.len()) && random && code.chars().all(plain) {
        return Ok(Came::Code(code.to_owned()));
    }
    Err(refused("notTheAddress"))
}

fn address(text: &str) -> Result<Came, Problem> {
    let url = Url::parse(text).map_err(|_| refused("notTheAddress"))?;
    let ours = url.scheme() == "http" && matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    if !ours {
        // Usually the provider's page itself, copied before the sign-in was finished.
        return Err(refused("notFinished"));
    }
    Ok(Came::Address { path: url.path().to_owned(), query: Query::parse(url.query().unwrap_or_default()) })
}

/// The address is of another sign-in, or was used already.
pub(super) fn other_login() -> Problem {
    refused("otherLogin")
}

fn refused(reason: &str) -> Problem {
    let words = match reason {
        "otherLogin" => "this address belongs to another sign-in",
        "notFinished" => "this is a page of the provider, not the address on which the sign-in ended",
        _ => "this is not the address on which the sign-in ended",
    };
    Problem::new(ProblemCode::PasteRefused, words)
        .action("Sign in on the page, then copy the whole address that begins with http://localhost or http://127.0.0.1, even if that page shows an error.")
        .param("reason", reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(text: &str) -> String {
        read(text).expect_err("refused").params["reason"].clone()
    }

    #[test]
    fn an_address_its_query_and_a_code_alone_are_understood() {
        for text in [
            "http://localhost:3128/oauth/callback?login_option=google&code=abc&state=s",
            "  http://127.0.0.1:51234/oauth/callback?code=abc&state=s \n",
            "?code=abc&state=s",
            "code=abc&state=s",
        ] {
            match read(text.trim()).expect(text) {
                Came::Address { path, query } => {
                    assert_eq!((query.get("code"), query.get("state")), (Some("abc"), Some("s")), "{text}");
                    assert_eq!(path, "/oauth/callback");
                }
                Came::Code(_) => panic!("{text} is an address"),
            }
        }
        for text in ["f4b1c2d3-0000-4000-8000-000000000000", "code=abcdefgh.ijk"] {
            assert!(matches!(read(text), Ok(Came::Code(_))), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused_with_a_reason() {
        assert_eq!(reason("https://app.kiro.dev/signin?state=x"), "notFinished");
        assert_eq!(reason("http://localhost.attacker.example/?code=a&state=s"), "notFinished");
        assert_eq!(reason("http://user@evil.example/?code=a&state=s"), "notFinished");
        for junk in [
            "",
            "   ",
            "hello world",
            "short",
            "nonsense",
            "a-long-word-without-any-number",
            "<script>alert(1)</script>",
            "a\u{0}b",
            "javascript:alert(1)",
        ] {
            assert_eq!(reason(junk), "notTheAddress", "{junk:?}");
        }
        assert_eq!(reason(&"x".repeat(20_000)), "notTheAddress");
    }
}
