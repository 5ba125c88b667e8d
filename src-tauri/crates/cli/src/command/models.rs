//! `kiro-proxy models list|test`.

use http::Method;
use serde_json::{Value, json};

use super::{find, list};
use crate::admin_client::AdminClient;
use crate::args::Models;
use crate::exit::{Exit, Trouble};
use crate::print::{self, Output, member};
use crate::words::say;

pub(crate) fn output(command: &Models) -> Output {
    let (Models::List(json) | Models::Test { json, .. }) = command;
    Output::json_when(json.json)
}

pub(crate) async fn run(client: &AdminClient, command: &Models) -> Result<Exit, Trouble> {
    let output = output(command);
    let answer = match command {
        Models::List(_) => client.call(Method::GET, "/api/models", None).await?,
        Models::Test { model, key, .. } => {
            let mut body = json!({ "name": model });
            if let Some(key) = key {
                let keys = client.call(Method::GET, "/api/keys", None).await?;
                body["keyId"] = find(list(&keys, "keys"), key, "name", "key")?.into();
            }
            client.call(Method::POST, "/api/models/test", Some(body)).await?
        }
    };
    match (output, command) {
        (Output::Json, _) => print::json(&answer),
        (Output::Text, Models::List(_)) => print_list(&answer),
        (Output::Text, Models::Test { .. }) => {
            test_lines(&answer).iter().for_each(|text| print::line(&print::safe(text)))
        }
    }
    Ok(Exit::Ok)
}

fn print_list(answer: &Value) {
    let row = |model: &Value| {
        let mut inputs = vec!["text"];
        inputs.extend(is(model, "/images").then_some("images"));
        inputs.extend(is(model, "/documents").then_some("documents"));
        vec![
            member(model, "id"),
            tokens(model.get("contextWindow")),
            inputs.join(", "),
            words(list(model, "efforts")),
            model.get("creditMultiplier").and_then(Value::as_f64).map_or_else(|| "-".to_owned(), |x| format!("{x}x")),
            list(model, "accounts").len().to_string(),
        ]
    };
    let rows: Vec<_> = list(answer, "models").iter().map(row).collect();
    print::table(&["model", "window", "takes", "effort", "credits", "accounts"], &rows);
    if !is(answer, "/listKnown") {
        print::error_line(&say!("No account's list is known yet: these are the models that are usually offered."));
    }
}

/// What would happen to a name, in a few lines.
fn test_lines(answer: &Value) -> Vec<String> {
    let trace = &answer["trace"];
    let text = |path: &str| member(trace, path);
    let why = match trace["by"].as_str().unwrap_or_default() {
        "name" => say!("it is offered under this id"),
        "alias" => say!("a name that Kiro Proxy knows"),
        "keyRule" => say!("by rule {} of the key: {}", number(trace), text("rule.match")),
        "rule" => say!("by rule {} for all keys: {}", number(trace), text("rule.match")),
        _ => say!("nobody knows it; it goes on as it is"),
    };
    let mut lines = vec![format!("{} -> {} ({why})", text("asked"), text("model"))];
    if !is(trace, "/offered") {
        lines.push(say!("No account is offered it; Kiro will most likely refuse it."));
    }
    if let Some(near) = answer["nearest"].as_str() {
        lines.push(say!("Nearest offered: {}", near));
    }
    let looked: Vec<String> = list(trace, "candidates").iter().map(|one| member(one, "id")).collect();
    lines.push(say!("Looked for: {}", looked.join(", ")));
    if is(trace, "/thinking") {
        lines.push(say!("Asks for thinking."));
    }
    if let Some(effort) = trace["effort"].as_str() {
        lines.push(say!("Asks for effort {}, where the model knows efforts.", effort));
    }
    match list(answer, "accounts").len() {
        0 => {}
        1 => lines.push(say!("1 account may be asked.")),
        several => lines.push(say!("{} accounts may be asked.", several)),
    }
    lines
}

/// The place of a rule as people count.
fn number(trace: &Value) -> u64 {
    trace.pointer("/rule/at").and_then(Value::as_u64).unwrap_or_default() + 1
}

fn is(value: &Value, path: &str) -> bool {
    value.pointer(path).and_then(Value::as_bool).unwrap_or_default()
}

fn words(levels: &[Value]) -> String {
    let levels: Vec<&str> = levels.iter().filter_map(Value::as_str).collect();
    if levels.is_empty() { "-".to_owned() } else { levels.join(" ") }
}

/// `200000` as `200k`, `1000000` as `1M`.
fn tokens(value: Option<&Value>) -> String {
    match value.and_then(Value::as_u64) {
        None => "-".to_owned(),
        Some(count) if count >= 1_000_000 && count % 100_000 == 0 => {
            let tenths = count / 100_000;
            if tenths % 10 == 0 { format!("{}M", tenths / 10) } else { format!("{}.{}M", tenths / 10, tenths % 10) }
        }
        Some(count) if count >= 1_000 => format!("{}k", count / 1_000),
        Some(count) => count.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_short_to_read() {
        for (count, text) in
            [(200_000, "200k"), (1_000_000, "1M"), (1_500_000, "1.5M"), (512, "512"), (666_667, "666k")]
        {
            assert_eq!(tokens(Some(&json!(count))), text);
        }
        assert_eq!(tokens(None), "-");
    }

    #[test]
    fn a_name_that_goes_on_as_it_is_says_so_and_names_the_nearest() {
        let lines = test_lines(&json!({
            "trace": {"asked": "claude-opus-9", "by": "passedOn", "candidates": [{"id": "claude-opus-9", "offered": false}],
                "model": "claude-opus-9", "offered": false, "thinking": false, "effort": "high"},
            "accounts": [], "nearest": "claude-opus-5"
        }));
        assert_eq!(
            lines,
            [
                "claude-opus-9 -> claude-opus-9 (nobody knows it; it goes on as it is)",
                "No account is offered it; Kiro will most likely refuse it.",
                "Nearest offered: claude-opus-5",
                "Looked for: claude-opus-9",
                "Asks for effort high, where the model knows efforts.",
            ]
        );
    }
}
