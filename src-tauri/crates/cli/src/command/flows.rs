//! `kiro-proxy flows list|show|stats|mark|export|clear`: what became of requests. Metadata only: contents are not recorded.

mod shown;
mod wish;

use super::list;
use super::transfer::write_new;
use crate::admin_client::AdminClient;
use crate::args::OnOff;
use crate::args::flows::{Flows, MarkChange};
use crate::exit::{Exit, Trouble};
use crate::print::{self, Output, member};
use crate::words::say;
use http::Method;
use serde_json::{Value, json};
use wish::Wish;

pub(crate) fn output(command: &Flows) -> Output {
    let (Flows::List { json, .. }
    | Flows::Show { json, .. }
    | Flows::Stats { json, .. }
    | Flows::Mark { json, .. }
    | Flows::Export { json, .. }
    | Flows::Clear { json, .. }) = command;
    Output::json_when(json.json)
}

pub(crate) async fn run(client: &AdminClient, command: &Flows) -> Result<Exit, Trouble> {
    let output = output(command);
    match command {
        Flows::List { filter, limit, before, .. } => {
            let mut wish = Wish::of(client, filter).await?;
            wish.add("limit", limit);
            if let Some(before) = before {
                wish.add("before", before);
            }
            let answer = client.call(Method::GET, &wish.path("/api/flows"), None).await?;
            match output {
                Output::Json => print::json(&answer),
                Output::Text => shown::list(&answer),
            }
        }
        Flows::Show { id, .. } => {
            let answer = client.call(Method::GET, &path(id)?, None).await?;
            match output {
                Output::Json => print::json(&answer),
                Output::Text => shown::flow(&answer),
            }
        }
        Flows::Stats { filter, .. } => {
            let wish = Wish::of(client, filter).await?;
            let answer = client.call(Method::GET, &wish.path("/api/flows/stats"), None).await?;
            match output {
                Output::Json => print::json(&answer),
                Output::Text => shown::stats(&answer),
            }
        }
        Flows::Mark { id, change, .. } => {
            let answer = client.call(Method::PATCH, &path(id)?, Some(patch(change))).await?;
            match output {
                Output::Json => print::json(&answer),
                Output::Text => {
                    let words = shown::marks(&answer);
                    let words = if words.is_empty() { say!("no mark") } else { words };
                    print::line(&format!("{}: {}.", print::safe(&member(&answer, "id")), print::safe(&words)));
                }
            }
        }
        Flows::Export { ids, output: file, format, filter, .. } => {
            let mut body = json!({"format": format.word()});
            if ids.is_empty() {
                body["filter"] = Wish::of(client, filter).await?.body();
            } else {
                body["ids"] = json!(ids);
            }
            let answer = client.call(Method::POST, "/api/flows/export", Some(body)).await?;
            let content = answer.get("content").and_then(Value::as_str).unwrap_or_default();
            match (file, output) {
                (None, Output::Json) => print::json(&answer),
                (None, Output::Text) => print::text(content),
                (Some(file), output) => {
                    write_new(file, content)?;
                    let (name, count) = (file.display().to_string(), member(&answer, "flows"));
                    match output {
                        Output::Json => print::json(&json!({"file": name, "flows": answer.get("flows")})),
                        Output::Text => {
                            print::line(&say!(
                                "Requests written to {}: {}. Contents are never recorded.",
                                print::safe(&name),
                                count
                            ));
                        }
                    }
                }
            }
        }
        Flows::Clear { marked, .. } => {
            let answer = client.call(Method::DELETE, &format!("/api/flows?marked={marked}"), None).await?;
            match output {
                Output::Json => print::json(&answer),
                Output::Text => print::line(&say!("Deleted: {}.", member(&answer, "deleted"))),
            }
        }
    }
    Ok(Exit::Ok)
}

/// The address of a request; an id that is none finds nothing.
fn path(id: &str) -> Result<String, Trouble> {
    if !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')) {
        return Ok(format!("/api/flows/{id}"));
    }
    Err(Trouble::new(
        Exit::NotFound,
        "not_found",
        say!("{} is no id of a request", format_args!("{id:?}")),
        "nothing was changed",
        "`kiro-proxy flows list` shows the ids",
    ))
}

fn patch(change: &MarkChange) -> Value {
    let mut body = json!({});
    if let Some(bookmark) = change.bookmark {
        body["bookmarked"] = (bookmark == OnOff::On).into();
    }
    if let Some(note) = &change.note {
        body["note"] = note.as_str().into();
    }
    if change.no_tags || !change.tags.is_empty() {
        body["tags"] = change.tags.clone().into();
    }
    body
}
