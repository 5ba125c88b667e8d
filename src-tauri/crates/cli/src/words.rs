//! The language of the terminal, as the system has it: English, or Chinese where the locale begins with `zh`.
//!
//! English stands in the code. `words/zh.json` has the Chinese text for each of them, with the same `{}` in the same number; `{0}`,
//! `{1}` where their order differs. Problems, warnings and states that the gateway names by a code are told in the words of the
//! window (`ui/locales/zh.json`). With `--json` everything is English, whatever the locale: programs read that.

use std::collections::HashMap;
use std::fmt::Display;
use std::sync::LazyLock;

use serde_json::Value;

type Catalogue = HashMap<String, String>;

static CHINESE: LazyLock<Catalogue> = LazyLock::new(|| catalogue(include_str!("../words/zh.json")));
static WINDOW: LazyLock<Catalogue> = LazyLock::new(|| catalogue(include_str!("../../../../ui/locales/zh.json")));
static SPEAKS: LazyLock<Language> = LazyLock::new(|| {
    let json = std::env::args_os().any(|word| word == "--json");
    if json { Language::English } else { Language::of(sys_locale::get_locale().as_deref()) }
});

/// What is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    English,
    Chinese,
}

impl Language {
    /// For a locale such as `zh-CN`.
    fn of(locale: Option<&str>) -> Self {
        let chinese = locale.is_some_and(|locale| locale.to_ascii_lowercase().starts_with("zh"));
        if chinese { Self::Chinese } else { Self::English }
    }

    /// The one of this run.
    pub(crate) fn spoken() -> Self {
        *SPEAKS
    }
}

/// A text of ours in the language of this run, with its `{}` filled in. Where a place wants more than `{}`, its value is a
/// `format_args!`.
macro_rules! say {
    ($english:literal $(,)?) => {
        $crate::words::of($english).to_owned()
    };
    ($english:literal, $($value:expr),+ $(,)?) => {
        match $crate::words::translated($english) {
            None => format!($english, $($value),+),
            Some(text) => $crate::words::fill(text, &[$(&$value as &dyn std::fmt::Display),+]),
        }
    };
}
pub(crate) use say;

/// A text of ours in the language of this run.
pub(crate) fn of(english: &str) -> &str {
    translated(english).unwrap_or(english)
}

/// The translation, where one is wanted.
pub(crate) fn translated(english: &str) -> Option<&'static str> {
    match Language::spoken() {
        Language::English => None,
        Language::Chinese => chinese(english),
    }
}

/// The Chinese text.
pub(crate) fn chinese(english: &str) -> Option<&'static str> {
    CHINESE.get(english).map(String::as_str)
}

/// A text of the window in the language of this run; `None` in English, where the gateway's own words are used.
pub(crate) fn of_window(key: &str, params: Option<&Value>) -> Option<String> {
    match Language::spoken() {
        Language::English => None,
        Language::Chinese => window(key, params),
    }
}

/// What happened, for a `Problem` of the gateway whose own words are `message`. These stay as the cause where the window's text has
/// no place for particulars.
pub(crate) fn of_problem(problem: &Value, message: &str) -> String {
    let code = problem.get("code").and_then(Value::as_str).unwrap_or_default();
    let params = problem.get("params");
    let reason = params.and_then(|params| params.get("reason")).and_then(Value::as_str);
    let store = reason.filter(|_| code == "store_unavailable").and_then(store_state);
    let key = store.map_or_else(|| format!("problem.{code}.what"), |state| format!("store.{state}.what"));
    match of_window(&key, params) {
        None => message.to_owned(),
        Some(text) if WINDOW.get(&key).is_some_and(|template| template.contains('{')) => text,
        Some(text) => format!("{text}（{message}）"),
    }
}

/// A state that the gateway names by a code, such as `ready` of an `account`: the window's word for it, else the code.
pub(crate) fn of_state(of: &str, code: String) -> String {
    of_window(&format!("{of}.{code}"), None).unwrap_or(code)
}

/// Why a field is not accepted.
pub(crate) fn of_field(field: &Value) -> String {
    let code = field.get("code").and_then(Value::as_str).unwrap_or_default();
    let message = field.get("message").and_then(Value::as_str);
    of_window(&format!("field.{code}"), field.get("params"))
        .unwrap_or_else(|| message.map_or_else(|| of("not valid").to_owned(), str::to_owned))
}

/// The window's name for a reason for which secrets cannot be used.
fn store_state(reason: &str) -> Option<&'static str> {
    Some(match reason {
        "store_locked" => "locked",
        "vault_locked" => "vaultLocked",
        "store_absent" | "no_credential_store" => "absent",
        "store_denied" => "denied",
        "store_timed_out" => "timedOut",
        "vault_key_missing" => "keyMissing",
        "vault_key_wrong" => "keyWrong",
        "store_corrupt" => "corrupt",
        _ => return None,
    })
}

/// As the window says it; `None` when there is no such text or one of its places stays empty.
fn window(key: &str, params: Option<&Value>) -> Option<String> {
    let mut text = WINDOW.get(key)?.clone();
    let known = params.and_then(Value::as_object).into_iter().flatten().filter(|(_, value)| !value.is_null());
    for (name, value) in known {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        text = text.replace(&format!("{{{name}}}"), &value);
    }
    let open = text.split('{').skip(1).any(|rest| rest.split('}').next().is_some_and(is_name) && rest.contains('}'));
    if open { None } else { Some(text) }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Fills `{}` in order and `{0}`, `{1}` by number. What is filled in is never looked at.
pub(crate) fn fill(text: &str, values: &[&dyn Display]) -> String {
    let mut out = String::with_capacity(text.len() + 16 * values.len());
    let (mut rest, mut next) = (text, 0);
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let Some((place, tail)) = after.split_once('}') else {
            out.push('{');
            rest = after;
            continue;
        };
        let at = if place.is_empty() { Some(next) } else { place.parse().ok() };
        if place.is_empty() {
            next += 1;
        }
        if let Some(value) = at.and_then(|at: usize| values.get(at)) {
            out.push_str(&value.to_string());
        }
        rest = tail;
    }
    out.push_str(rest);
    out
}

/// A broken catalogue leaves English; the tests refuse it before that.
fn catalogue(text: &str) -> Catalogue {
    serde_json::from_str(text).unwrap_or_default()
}

#[cfg(test)]
mod tests;
