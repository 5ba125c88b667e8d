//! The few pages that a sign-in shows itself: plain HTML in the person's language, without scripts, and without anything of the request.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use url::Url;

static ENGLISH: LazyLock<Map<String, Value>> =
    LazyLock::new(|| catalogue(include_str!("../../../../../ui/locales/en.json")));
static CHINESE: LazyLock<Map<String, Value>> =
    LazyLock::new(|| catalogue(include_str!("../../../../../ui/locales/zh.json")));

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:34rem;margin:12vh auto;padding:0 1rem;color:#1c1c1e;background:#fff}\
h1{font-size:1.4rem}code{font-size:1.5rem;letter-spacing:.1em}a{overflow-wrap:anywhere}label{display:block;margin:.6rem 0}\
input,button,textarea{font:inherit;padding:.4rem .7rem}textarea{width:100%;box-sizing:border-box}.quiet{color:#6b6b70}\
@media(prefers-color-scheme:dark){body{color:#f2f2f4;background:#1c1c1e}a{color:#8ab4ff}.quiet{color:#a0a0a6}}";

/// A page without content of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Page {
    /// The sign-in arrived.
    Received,
    /// The provider said no.
    Refused,
    /// Nobody waits for this here.
    Foreign,
}

/// Languages of the catalogues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    English,
    Chinese,
}

impl Language {
    /// The one the browser likes best (RFC 9110 §12.5.4).
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let wishes = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let mut best = (0.0_f32, Self::English);
        for wish in wishes.split(',') {
            let mut parts = wish.split(';');
            let tag = parts.next().unwrap_or_default().trim().to_ascii_lowercase();
            let weight = parts.find_map(|part| part.trim().strip_prefix("q=")?.parse().ok()).unwrap_or(1.0_f32);
            let language = match tag.split('-').next().unwrap_or_default() {
                "zh" => Self::Chinese,
                "en" => Self::English,
                _ => continue,
            };
            if weight > best.0 {
                best = (weight, language);
            }
        }
        best.1
    }

    fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Chinese => "zh",
        }
    }

    /// A catalogue's words, made safe for HTML.
    pub(super) fn words(self, key: &str) -> String {
        let catalogue = match self {
            Self::English => &ENGLISH,
            Self::Chinese => &CHINESE,
        };
        escape(catalogue.get(key).and_then(Value::as_str).unwrap_or(key))
    }
}

/// A page of fixed words.
pub(super) fn plain(status: StatusCode, language: Language, page: Page) -> Response<Full<Bytes>> {
    let name = match page {
        Page::Received => "received",
        Page::Refused => "refused",
        Page::Foreign => "foreign",
    };
    let title = language.words(&format!("signIn.page.{name}.title"));
    let text = language.words(&format!("signIn.page.{name}.text"));
    whole(status, language, &title, &format!("<p>{text}</p>"), "")
}

/// Sends the browser on.
pub(super) fn redirect(to: &Url, language: Language) -> Response<Full<Bytes>> {
    let mut response = whole(StatusCode::FOUND, language, "", "", "");
    if let Ok(value) = HeaderValue::from_str(to.as_str()) {
        response.headers_mut().insert(header::LOCATION, value);
    }
    response
}

/// A page with this content, which is HTML already. `head` is added to the head.
pub(super) fn whole(
    status: StatusCode,
    language: Language,
    title: &str,
    content: &str,
    head: &str,
) -> Response<Full<Bytes>> {
    let tag = language.tag();
    let html = format!(
        "<!doctype html><html lang=\"{tag}\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <meta name=\"robots\" content=\"noindex\"><title>{title}</title>{head}<style>{STYLE}</style></head><body><h1>{title}</h1>{content}</body></html>"
    );
    let mut response = Response::new(Full::new(Bytes::from(html)));
    *response.status_mut() = status;
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        STANDARD.encode(Sha256::digest(STYLE))
    );
    let headers = response.headers_mut();
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::CONNECTION, "close"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Text for HTML, in content and in quoted attributes.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(c),
        }
    }
    out
}

fn catalogue(text: &str) -> Map<String, Value> {
    serde_json::from_str(text).expect("a committed catalogue is an object of texts")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_is_the_one_the_browser_likes_best() {
        for (wish, language) in [
            ("zh-CN,zh;q=0.9,en;q=0.8", Language::Chinese),
            ("en-GB,en;q=0.9,zh;q=0.8", Language::English),
            ("de-DE,de;q=0.9,zh;q=0.3,en;q=0.7", Language::English),
            ("fr", Language::English),
            ("zh;q=oops", Language::Chinese),
            ("", Language::English),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_LANGUAGE, HeaderValue::from_static(wish));
            assert_eq!(Language::of(&headers), language, "{wish}");
        }
    }

    #[test]
    fn every_fixed_page_has_words_in_both_languages_and_lets_nothing_run() {
        for language in [Language::English, Language::Chinese] {
            for (page, name) in [(Page::Received, "received"), (Page::Refused, "refused"), (Page::Foreign, "foreign")] {
                for part in ["title", "text"] {
                    let key = format!("signIn.page.{name}.{part}");
                    assert_ne!(language.words(&key), key);
                }
                let policy = plain(StatusCode::OK, language, page).headers()[header::CONTENT_SECURITY_POLICY].clone();
                let policy = policy.to_str().expect("text");
                assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
            }
        }
        assert_eq!(escape("<a href=\"'&'\">"), "&lt;a href=&quot;&#39;&amp;&#39;&quot;&gt;");
    }
}
