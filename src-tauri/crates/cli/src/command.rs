//! The commands. Each parses, calls the admin API and prints; none decides.

pub(crate) mod account_changes;
pub(crate) mod account_checks;
pub(crate) mod accounts;
pub(crate) mod flows;
pub(crate) mod keys;
pub(crate) mod link;
pub(crate) mod login;
pub(crate) mod models;
pub(crate) mod proxy;
pub(crate) mod serve;
pub(crate) mod settings;
pub(crate) mod simulate;
pub(crate) mod speedtest;
pub(crate) mod status;
pub(crate) mod transfer;
mod transfer_files;
pub(crate) mod usage;
pub(crate) mod vault;

use serde_json::Value;

use crate::exit::{Exit, Trouble};
use crate::print::{self, Output, member};
use crate::words::{self, say};

/// Prints what a test of a way to the service showed.
fn tell_way(answer: &Value, output: Output) -> Exit {
    let ok = answer.get("ok").and_then(Value::as_bool).unwrap_or_default();
    match output {
        Output::Json => print::json(answer),
        Output::Text if ok => print::line(&say!("The service answers, after {} ms.", member(answer, "ms"))),
        Output::Text => print::error_line(&say!("No way through: {}", print::safe(&member(answer, "problem.message")))),
    }
    if ok { Exit::Ok } else { Exit::Failure }
}

/// The id of the one entry whose id is `wanted`, or whose `name` member is.
fn find(list: &[Value], wanted: &str, name: &str, noun: &str) -> Result<String, Trouble> {
    let id = |entry: &Value| entry.get("id").and_then(Value::as_str).map(str::to_owned);
    if list.iter().any(|entry| id(entry).as_deref() == Some(wanted)) {
        return Ok(wanted.to_owned());
    }
    let named: Vec<String> =
        list.iter().filter(|entry| entry.get(name).and_then(Value::as_str) == Some(wanted)).filter_map(id).collect();
    match named.as_slice() {
        [one] => Ok(one.clone()),
        [] => Err(Trouble::new(
            Exit::NotFound,
            &format!("{noun}_not_found"),
            say!("there is no {} {}", words::of(noun), format_args!("{wanted:?}")),
            "nothing was changed",
            say!("`kiro-proxy {}s list` shows the ids and names", noun),
        )),
        several => Err(Trouble::new(
            Exit::NotFound,
            &format!("{noun}_ambiguous"),
            say!("{} {}s are called {}", several.len(), words::of(noun), format_args!("{wanted:?}")),
            "nothing was changed",
            say!("use the id: {}", several.join(", ")),
        )),
    }
}

/// The array under `member` of an answer.
fn list<'a>(answer: &'a Value, member: &str) -> &'a [Value] {
    answer.get(member).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_id_wins_over_a_name_and_a_name_must_be_unique() {
        let entries =
            [json!({"id": "1", "name": "2"}), json!({"id": "2", "name": "x"}), json!({"id": "3", "name": "x"})];
        assert_eq!(find(&entries, "2", "name", "key").expect("found"), "2");
        assert_eq!(find(&entries, "x", "name", "key").expect_err("two").code, "key_ambiguous");
        assert_eq!(find(&entries, "y", "name", "key").expect_err("none").exit, Exit::NotFound);
    }
}
