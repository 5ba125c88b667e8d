//! `kiro-proxy settings list|get|set|reset|export|import`.

use super::transfer::write_new;
use super::{list, transfer_files};
use crate::admin_client::AdminClient;
use crate::args::settings::Settings;
use crate::exit::{Exit, Trouble};
use crate::print::{self, Output, member};
use crate::words::{self, say};
use http::Method;
use serde_json::{Map, Value, json};

/// How often a change is repeated that met another one.
const TRIES: usize = 3;

pub(crate) fn output(command: &Settings) -> Output {
    match command {
        Settings::List { json, .. }
        | Settings::Get { json, .. }
        | Settings::Set { json, .. }
        | Settings::Reset { json, .. }
        | Settings::Import { json, .. } => Output::json_when(json.json),
        Settings::Export { .. } => Output::Text,
    }
}

pub(crate) async fn run(client: &AdminClient, command: &Settings) -> Result<Exit, Trouble> {
    let output = output(command);
    let view = client.call(Method::GET, "/api/settings", None).await?;
    match command {
        Settings::List { changed, .. } => match output {
            Output::Json => print::json(&view),
            Output::Text => print_list(&view, *changed),
        },
        Settings::Get { path, .. } => {
            let path = known(&view, path)?;
            let value = at(&view, "settings", &path);
            match output {
                Output::Json => print::json(&json!({"path": path, "value": value})),
                Output::Text => print::line(&print::safe(&words(value))),
            }
        }
        Settings::Set { changes, .. } => {
            let mut patch = Map::new();
            for change in changes {
                let (path, value) = change.split_once('=').ok_or_else(|| malformed(change))?;
                let path = known(&view, path.trim())?;
                put(&mut patch, &path, value_of(&view, &path, value.trim()));
            }
            print_saved(&save(client, view, patch).await?, output, "Saved.");
        }
        Settings::Reset { paths, .. } => {
            let mut patch = Map::new();
            for path in paths {
                put(&mut patch, &known(&view, path)?, Value::Null);
            }
            print_saved(&save(client, view, patch).await?, output, "Back to the defaults.");
        }
        Settings::Export { output } => {
            let file = client.call(Method::GET, "/api/settings/export", None).await?;
            let content = member(&file, "content");
            match output {
                Some(path) => {
                    write_new(path, &content)?;
                    print::line(&say!("Wrote the settings to {}. Accounts and keys are not in it.", path.display()));
                }
                None => print::line(content.trim_end()),
            }
        }
        Settings::Import { file, preview, .. } => {
            let content = transfer_files::read(file)?;
            let body = json!({"content": *content, "preview": preview});
            let answer = client.call(Method::POST, "/api/settings/import", Some(body)).await?;
            match output {
                Output::Json => print::json(&answer),
                Output::Text => print_import(&answer, *preview),
            }
        }
    }
    Ok(Exit::Ok)
}

/// Saves a change; one that met another change is made again from the newer state.
async fn save(client: &AdminClient, mut view: Value, patch: Map<String, Value>) -> Result<Value, Trouble> {
    for attempt in 1.. {
        let body = json!({"revision": view["revision"], "patch": patch});
        match client.call(Method::PATCH, "/api/settings", Some(body)).await {
            Err(trouble) if trouble.code == "revision_conflict" && attempt < TRIES => {
                view = client.call(Method::GET, "/api/settings", None).await?;
            }
            decided => return decided,
        }
    }
    unreachable!("the last try is answered either way")
}

fn at<'a>(view: &'a Value, layer: &str, path: &str) -> &'a Value {
    let (section, field) = path.split_once('.').unwrap_or((path, ""));
    &view[layer][section][field]
}

fn put(patch: &mut Map<String, Value>, path: &str, value: Value) {
    let (section, field) = path.split_once('.').unwrap_or((path, ""));
    let group = patch.entry(section).or_insert_with(|| json!({}));
    group[field] = value;
}

fn paths(view: &Value) -> Vec<String> {
    let sections = view["settings"].as_object().into_iter().flatten();
    sections
        .flat_map(|(section, fields)| {
            fields.as_object().into_iter().flatten().map(move |(field, _)| format!("{section}.{field}"))
        })
        .collect()
}

/// The setting that is meant: case, `_` and `-` do not matter.
fn known(view: &Value, wanted: &str) -> Result<String, Trouble> {
    let plain = |text: &str| text.replace(['_', '-'], "").to_ascii_lowercase();
    paths(view).into_iter().find(|path| plain(path) == plain(wanted)).ok_or_else(|| {
        Trouble::new(
            Exit::Settings,
            "unknown_setting",
            say!("there is no setting {}", format_args!("{wanted:?}")),
            "nothing was changed",
            "`kiro-proxy settings list` shows all of them",
        )
    })
}

/// Text for settings that are text, else JSON; what is neither goes as it is and is refused with a reason.
fn value_of(view: &Value, path: &str, text: &str) -> Value {
    match at(view, "defaults", path) {
        Value::String(_) => text.into(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            serde_json::from_str(text).unwrap_or_else(|_| text.into())
        }
    }
}

fn malformed(change: &str) -> Trouble {
    Trouble::new(
        Exit::Usage,
        "setting_malformed",
        say!("{} is no change of a setting", format_args!("{change:?}")),
        "nothing was changed",
        "write SECTION.FIELD=VALUE, such as accounts.strategy=roundRobin",
    )
}

fn words(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

fn print_saved(answer: &Value, output: Output, done: &str) {
    match output {
        Output::Json => print::json(answer),
        Output::Text => print::line(words::of(done)),
    }
}

fn print_list(view: &Value, changed: bool) {
    let overrides = list(view, "overrides");
    let rows: Vec<Vec<String>> = paths(view)
        .into_iter()
        .filter_map(|path| {
            let (value, default) = (at(view, "settings", &path), at(view, "defaults", &path));
            let run = overrides.iter().find(|over| member(over, "path") == path);
            let note = match run {
                Some(over) if over["variable"].is_string() => say!("this run: {}", member(over, "variable")),
                Some(_) => say!("this run: a flag"),
                None if value != default => say!("default: {}", words(default)),
                None => String::new(),
            };
            (!changed || !note.is_empty()).then(|| vec![path.clone(), words(value), note])
        })
        .collect();
    if rows.is_empty() {
        return print::line(&say!("Everything is as by default."));
    }
    print::table(&["Setting", "Value", ""], &rows);
}

fn print_import(answer: &Value, preview: bool) {
    let changes = list(answer, "changes");
    for change in changes {
        let (from, to) = (words(&change["from"]), words(&change["to"]));
        print::line(&print::safe(&format!("{}: {from} → {to}", member(change, "path"))));
    }
    for name in list(answer, "unknown") {
        print::line(&print::safe(&say!("Not known here, left out: {}", words(name))));
    }
    print::line(words::of(match (changes.is_empty(), preview) {
        (true, _) => "Nothing differs.",
        (false, true) => "Nothing was changed yet.",
        (false, false) => "Saved.",
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_the_setting_has_them_and_names_in_any_spelling() {
        let defaults = json!({"accounts": {"strategy": "mostQuota", "stickySeconds": 3600}, "models": {"rules": []}});
        let view = json!({"settings": defaults, "defaults": defaults});
        assert_eq!(known(&view, "accounts.sticky_seconds").expect("known"), "accounts.stickySeconds");
        assert_eq!(known(&view, "accounts.nonsense").expect_err("unknown").code, "unknown_setting");
        assert_eq!(value_of(&view, "accounts.strategy", "1"), json!("1"));
        assert_eq!(value_of(&view, "accounts.stickySeconds", "60"), json!(60));
        assert_eq!(value_of(&view, "models.rules", r#"[{"match": "x"}]"#), json!([{"match": "x"}]));
        assert_eq!(value_of(&view, "accounts.stickySeconds", "soon"), json!("soon"));
    }
}
