//! Tool declarations and the tool choice, in the form of this API, its legacy form, and the flat forms of its neighbours.

use super::wire::{AllowedTools, CustomFormat, WebSearchOptions, WireChoice, WireFunction, WireTool};
use crate::codec::{ToolForm, ToolKind};
use crate::conversation::{Conversation, JsonObject, ServerTool, ToolChoice, ToolSpec};
use crate::openai::freeform::{self, Grammar};
use crate::reading::content::shown;
use crate::reading::loose::Either;
use crate::reading::notes::{Fault, Notes};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The tools that the client knows in another form than the model, by the name the model knows.
pub(super) type Forms = BTreeMap<String, ToolForm>;

/// Reads `tools` into the conversation.
pub(super) fn declare(
    tools: Vec<WireTool>,
    into: &mut Conversation,
    forms: &mut Forms,
    notes: &mut Notes,
) -> Result<(), Fault> {
    for (index, tool) in tools.into_iter().enumerate() {
        let at = format!("tools[{index}]");
        declare_one(tool, &at, into, forms, notes).map_err(|fault| fault.under(&at))?;
    }
    Ok(())
}

fn declare_one(
    tool: WireTool,
    at: &str,
    into: &mut Conversation,
    forms: &mut Forms,
    notes: &mut Notes,
) -> Result<(), Fault> {
    let cache = tool.cache_control.is_some();
    let kind = tool.kind.as_deref().unwrap_or("function");
    if kind != "custom"
        && let Some(function) = tool.function
    {
        notes.unknown(at, &tool.unknown);
        into.tools.push(declared(function, ".function", at, cache, notes)?);
        return Ok(());
    }
    match kind {
        "custom" => {
            let (name, description, format) = match tool.custom {
                Some(custom) => {
                    notes.unknown(format_args!("{at}.custom"), &custom.unknown);
                    (custom.name, custom.description, custom.format)
                }
                // A flat one with a schema is no text tool, whatever its type says.
                None if tool.input_schema.is_some() => (None, None, None),
                None => (tool.name.clone(), tool.description.clone(), tool.format),
            };
            let Some(name) = name else {
                let function = flat(tool.name, tool.description, tool.input_schema.or(tool.parameters));
                into.tools.push(declared(function, "", at, cache, notes)?);
                return Ok(());
            };
            checked_name(&name, ".custom.name")?;
            let format = format.unwrap_or_default();
            let spec = freeform::tool(name.clone(), &description.unwrap_or_default(), grammar(&format), cache);
            into.tools.push(spec);
            forms.insert(name.clone(), ToolForm { kind: ToolKind::Freeform, name, namespace: None });
        }
        "function" => {
            notes.unknown(at, &tool.unknown);
            if tool.name.is_none() {
                return Err(Fault::missing(".function"));
            }
            let function = flat(tool.name, tool.description, tool.parameters.or(tool.input_schema));
            into.tools.push(declared(function, "", at, cache, notes)?);
        }
        kind if kind.starts_with("web_search") => search(None, at, into, notes),
        kind => {
            let kind = shown(kind);
            let detail = format!("a tool of type `{kind}` is not available here and is not offered to the model");
            notes.add("server_tool_dropped", at, detail);
        }
    }
    Ok(())
}

fn flat(name: Option<String>, description: Option<String>, parameters: Option<Value>) -> WireFunction {
    WireFunction { name, description, parameters, ..WireFunction::default() }
}

fn grammar(format: &CustomFormat) -> Option<Grammar<'_>> {
    let (syntax, definition) = match &format.grammar {
        Some(grammar) => (&grammar.syntax, &grammar.definition),
        None => (&format.syntax, &format.definition),
    };
    Some(Grammar { syntax: syntax.as_deref().unwrap_or("lark"), definition: definition.as_deref()? })
}

/// The legacy `functions`.
pub(super) fn functions(list: Vec<WireFunction>, into: &mut Conversation, notes: &mut Notes) -> Result<(), Fault> {
    for (index, function) in list.into_iter().enumerate() {
        let at = format!("functions[{index}]");
        let spec = declared(function, "", &at, false, notes).map_err(|fault| fault.under(&at))?;
        into.tools.push(spec);
    }
    Ok(())
}

/// A function that the client runs. `key` is where it stands below `at`.
fn declared(function: WireFunction, key: &str, at: &str, cache: bool, notes: &mut Notes) -> Result<ToolSpec, Fault> {
    notes.unknown(format_args!("{at}{key}"), &function.unknown);
    let name = function.name.ok_or_else(|| Fault::missing(format!("{key}.name")))?;
    checked_name(&name, &format!("{key}.name"))?;
    let schema = match function.parameters {
        Some(Value::Object(schema)) => schema,
        // Tools without arguments are often declared so.
        None => no_arguments(),
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => {
            return Err(Fault::new("wrong_type", format!("{key}.parameters"), "Input should be an object"));
        }
    };
    let cache = cache || function.cache_control.is_some();
    Ok(ToolSpec { name, description: function.description.unwrap_or_default(), schema, cache })
}

fn checked_name(name: &str, path: &str) -> Result<(), Fault> {
    if name.is_empty() {
        return Err(Fault::invalid(path, "String should have at least 1 character"));
    }
    Ok(())
}

fn no_arguments() -> JsonObject {
    JsonObject::from_iter([("type".to_owned(), json!("object")), ("properties".to_owned(), json!({}))])
}

/// `web_search_options`, or a tool of that kind: the gateway searches. Once is enough.
pub(super) fn search(options: Option<WebSearchOptions>, at: &str, into: &mut Conversation, notes: &mut Notes) {
    let options = options.unwrap_or_default();
    notes.unknown(at, &options.unknown);
    if options.user_location.is_some() {
        notes.add("field_ignored", format!("{at}.user_location"), "the search has no location");
    }
    if !into.server_tools.is_empty() {
        return;
    }
    let filters = options.filters.unwrap_or_default();
    into.server_tools.push(ServerTool::WebSearch {
        name: "web_search".to_owned(),
        max_uses: None,
        allowed_domains: filters.allowed_domains.unwrap_or_default(),
        blocked_domains: filters.blocked_domains.unwrap_or_default(),
    });
}

/// Reads `tool_choice` or the legacy `function_call`; needs the tools to be declared already.
pub(super) fn choose(
    choice: Either<WireChoice>,
    key: &str,
    into: &mut Conversation,
    notes: &mut Notes,
) -> Result<(), Fault> {
    let choice = match choice {
        Either::Text(word) => {
            into.tool_choice = mode(&word, key, into)?;
            return Ok(());
        }
        Either::Object(choice) => *choice,
        Either::Other => return Err(Fault::new("wrong_type", key, "Input should be a text or an object")),
    };
    notes.unknown(key, &choice.unknown);
    if choice.kind.as_deref() == Some("allowed_tools") {
        let allowed = choice.allowed_tools.unwrap_or_else(|| AllowedTools {
            mode: choice.mode,
            tools: choice.tools,
            unknown: Vec::new(),
        });
        return allow(allowed, &format!("{key}.allowed_tools"), into, notes);
    }
    into.tool_choice = match (name_of(&choice), choice.kind.as_deref()) {
        (Some(name), _) => {
            if !is_declared(name, into) {
                return Err(Fault::invalid(key, "The named tool was not found in 'tools'"));
            }
            ToolChoice::Tool(name.to_owned())
        }
        (None, Some(word @ ("auto" | "none" | "any" | "required"))) => mode(word, key, into)?,
        (None, Some(_)) => return Err(Fault::missing(format!("{key}.function.name"))),
        (None, None) => return Err(Fault::missing(format!("{key}.type"))),
    };
    Ok(())
}

fn mode(word: &str, key: &str, into: &Conversation) -> Result<ToolChoice, Fault> {
    match word {
        "auto" => Ok(ToolChoice::Auto),
        "none" => Ok(ToolChoice::None),
        "required" | "any" if into.tools.is_empty() && into.server_tools.is_empty() => {
            Err(Fault::invalid(key, "A tool can only be required when 'tools' are given"))
        }
        "required" | "any" => Ok(ToolChoice::Any),
        _ => {
            Err(Fault::invalid(key, "Supported values are: 'auto', 'none', 'required', or an object that names a tool"))
        }
    }
}

fn name_of(choice: &WireChoice) -> Option<&str> {
    let named = choice.function.as_ref().or(choice.custom.as_ref());
    named.and_then(|named| named.name.as_deref()).or(choice.name.as_deref())
}

fn is_declared(name: &str, into: &Conversation) -> bool {
    let server = into.server_tools.iter().any(|ServerTool::WebSearch { name: declared, .. }| declared == name);
    server || into.tools.iter().any(|tool| tool.name == name)
}

/// Only some of the tools may be called: the others are not shown to the model at all.
fn allow(allowed: AllowedTools, path: &str, into: &mut Conversation, notes: &mut Notes) -> Result<(), Fault> {
    notes.unknown(path, &allowed.unknown);
    let tools_path = format!("{path}.tools");
    let list = allowed.tools.ok_or_else(|| Fault::missing(tools_path.clone()))?.within(&tools_path)?;
    let names: Vec<&str> = list.iter().filter_map(name_of).collect();
    if let Some(position) = names.iter().position(|name| !is_declared(name, into)) {
        return Err(Fault::invalid(format!("{tools_path}[{position}]"), "The named tool was not found in 'tools'"));
    }
    let search_allowed =
        list.iter().any(|tool| tool.kind.as_deref().is_some_and(|kind| kind.starts_with("web_search")));
    into.tools.retain(|tool| names.contains(&tool.name.as_str()));
    if !search_allowed {
        into.server_tools.retain(|ServerTool::WebSearch { name, .. }| names.contains(&name.as_str()));
    }
    notes.add("tools_restricted", path, "only the allowed tools are shown to the model");
    into.tool_choice = mode(allowed.mode.as_deref().unwrap_or("auto"), &format!("{path}.mode"), into)?;
    Ok(())
}
