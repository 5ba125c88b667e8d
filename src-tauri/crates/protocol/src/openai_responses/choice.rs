//! `tool_choice`: a word, one tool, or a list of allowed tools. Needs the tools to be declared already.

use super::tools::{LOCAL_SHELL, SHELL, TOOL_SEARCH, Toolbox, unavailable};
use crate::conversation::{ServerTool, ToolChoice};
use crate::reading::content::shown;
use crate::reading::notes::{Fault, Notes};
use serde_json::Value;

const PATH: &str = "tool_choice";

/// Reads the choice; a list of allowed tools takes the others away.
pub(super) fn choose(choice: &Value, tools: &mut Toolbox, notes: &mut Notes) -> Result<ToolChoice, Fault> {
    match choice {
        Value::Null => Ok(ToolChoice::Auto),
        Value::String(word) => mode(word, tools, PATH),
        Value::Object(_) => object(choice, tools, notes),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) => {
            Err(Fault::new("wrong_type", PATH, "Expected a string or an object"))
        }
    }
}

fn mode(word: &str, tools: &Toolbox, path: &str) -> Result<ToolChoice, Fault> {
    match word {
        "auto" => Ok(ToolChoice::Auto),
        "none" => Ok(ToolChoice::None),
        "required" if tools.specs.is_empty() && tools.server.is_empty() => {
            Err(Fault::invalid(path, "'required' is only allowed when tools are specified"))
        }
        "required" => Ok(ToolChoice::Any),
        _ => Err(Fault::invalid(path, "Supported values are: 'none', 'auto', and 'required'")),
    }
}

fn object(choice: &Value, tools: &mut Toolbox, notes: &mut Notes) -> Result<ToolChoice, Fault> {
    let kind = choice.get("type").and_then(Value::as_str).ok_or_else(|| Fault::missing("tool_choice.type"))?;
    if kind == "allowed_tools" {
        return allowed(choice, tools, notes);
    }
    match target(kind, choice, tools)? {
        Some(name) => Ok(ToolChoice::Tool(name)),
        None => Err(Fault::invalid(PATH, "The named tool was not found in 'tools'")),
    }
}

/// The model's name of a tool that is meant.
fn target(kind: &str, choice: &Value, tools: &Toolbox) -> Result<Option<String>, Fault> {
    let text = |key: &str| choice.get(key).and_then(Value::as_str);
    let namespace = text("namespace");
    let name = match kind {
        "function" | "custom" => {
            // Chat Completions wraps the name once more.
            let inner = choice.get(kind).and_then(|inner| inner.get("name")).and_then(Value::as_str);
            text("name").or(inner).ok_or_else(|| Fault::missing("tool_choice.name"))?
        }
        "local_shell" => LOCAL_SHELL,
        "shell" => SHELL,
        "tool_search" => TOOL_SEARCH,
        search if search.starts_with("web_search") => {
            let name = |ServerTool::WebSearch { name, .. }: &ServerTool| name.clone();
            return Ok(tools.server.first().map(name));
        }
        other => return Err(unavailable("tool_choice.type", &shown(other))),
    };
    Ok(tools.find(namespace, name).map(str::to_owned))
}

fn allowed(choice: &Value, tools: &mut Toolbox, notes: &mut Notes) -> Result<ToolChoice, Fault> {
    // Chat Completions wraps the list once more.
    let inner = choice.get("allowed_tools").filter(|inner| inner.is_object()).unwrap_or(choice);
    let list = inner.get("tools").and_then(Value::as_array).ok_or_else(|| Fault::missing("tool_choice.tools"))?;
    let mut names = Vec::with_capacity(list.len());
    for (index, item) in list.iter().enumerate() {
        let kind = item.get("type").and_then(Value::as_str).unwrap_or("function");
        match target(kind, item, tools) {
            Ok(Some(name)) => names.push(name),
            Ok(None) | Err(_) => {
                let path = format!("tool_choice.tools[{index}]");
                notes.add("allowed_tool_unknown", path, "an allowed tool is not among the tools of the request");
            }
        }
    }
    tools.specs.retain(|tool| names.contains(&tool.name));
    tools.server.retain(|ServerTool::WebSearch { name, .. }| names.contains(name));
    mode(inner.get("mode").and_then(Value::as_str).unwrap_or("auto"), tools, "tool_choice.mode")
}
