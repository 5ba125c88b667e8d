//! Tool declarations and `toolConfig`.

use super::schema;
use super::wire::{Calling, ToolConfig, WireFunction, WireTool};
use crate::conversation::{Conversation, JsonObject, ServerTool, ToolChoice, ToolSpec};
use crate::reading::notes::{Fault, Notes};
use serde_json::{Value, json};

/// Reads `tools` into the conversation.
pub(super) fn declare(tools: Vec<WireTool>, into: &mut Conversation, notes: &mut Notes) -> Result<(), Fault> {
    for (index, tool) in tools.into_iter().enumerate() {
        declare_one(tool, &format!("tools[{index}]"), into, notes)?;
    }
    Ok(())
}

fn declare_one(tool: WireTool, at: &str, into: &mut Conversation, notes: &mut Notes) -> Result<(), Fault> {
    notes.unknown(at, &tool.unknown);
    // Without these the answer would be made up, and nothing in it would say so.
    for (present, key, words) in [
        (tool.url_context, "urlContext", "Pages behind links are not read by this gateway"),
        (tool.file_search, "fileSearch", "File stores are not available here"),
        (tool.retrieval, "retrieval", "Retrieval stores are not available here"),
        (tool.computer_use, "computerUse", "Computer use is not available here"),
        (tool.mcp_servers, "mcpServers", "MCP servers are not called from here"),
    ] {
        if present.is_some_and(|present| present.0) {
            return Err(Fault::unsupported(format!("{at}.{key}"), words));
        }
    }
    for (present, key) in [(tool.code_execution, "codeExecution"), (tool.maps, "googleMaps")] {
        if present.is_some_and(|present| present.0) {
            let detail = format!("the server tool `{key}` is not available here and is not offered to the model");
            notes.add("server_tool_dropped", format!("{at}.{key}"), detail);
        }
    }
    let mut blocked = None;
    if let Some(search) = tool.search {
        notes.unknown(format_args!("{at}.googleSearch"), &search.unknown);
        for (present, key) in [
            (search.time_range, "timeRangeFilter"),
            (search.search_types, "searchTypes"),
            (search.blocking_confidence, "blockingConfidence"),
        ] {
            if present.is_some_and(|present| present.0) {
                notes.add("field_ignored", format!("{at}.googleSearch.{key}"), "the search has no such filter");
            }
        }
        blocked = Some(search.exclude_domains.unwrap_or_default());
    }
    let other_search = [tool.search_retrieval, tool.enterprise_search];
    if other_search.into_iter().flatten().any(|present| present.0) {
        blocked.get_or_insert_default();
    }
    if let Some(blocked) = blocked {
        offer_search(blocked, into);
    }
    if let Some(functions) = tool.functions {
        let path = format!("{at}.functionDeclarations");
        for (index, declared) in functions.within(&path)?.into_iter().enumerate() {
            let at = format!("{path}[{index}]");
            let function = function(declared, &at, notes).map_err(|fault| fault.under(&at))?;
            if into.tools.len() == super::MAX_TOOLS {
                let message = format!("At most {} functions can be declared", super::MAX_TOOLS);
                return Err(Fault::new("too_many", "tools", message));
            }
            into.tools.push(function);
        }
    }
    Ok(())
}

/// There is one search, however often it is declared.
fn offer_search(blocked: Vec<String>, into: &mut Conversation) {
    if let Some(ServerTool::WebSearch { blocked_domains, .. }) = into.server_tools.first_mut() {
        blocked_domains.extend(blocked);
        return;
    }
    into.server_tools.push(ServerTool::WebSearch {
        name: "google_search".to_owned(),
        max_uses: None,
        allowed_domains: Vec::new(),
        blocked_domains: blocked,
    });
}

fn function(declared: WireFunction, at: &str, notes: &mut Notes) -> Result<ToolSpec, Fault> {
    notes.unknown(at, &declared.unknown);
    for (present, key) in [
        (declared.response.is_some(), "response"),
        (declared.response_schema.is_some(), "responseJsonSchema"),
        (declared.behavior.is_some(), "behavior"),
    ] {
        if present {
            notes.add("field_ignored", format!("{at}.{key}"), format!("`{key}` has no counterpart upstream"));
        }
    }
    let name = match declared.name {
        Some(name) if !name.is_empty() => name,
        Some(_) => return Err(Fault::invalid(".name", "Name cannot be empty.")),
        None => return Err(Fault::missing(".name")),
    };
    let schema = match (declared.json_schema, declared.parameters) {
        (Some(schema), _) => parameters(schema, ".parametersJsonSchema")?,
        (None, Some(schema)) => parameters(schema, ".parameters")?,
        (None, None) => no_parameters(),
    };
    Ok(ToolSpec { name, description: declared.description.unwrap_or_default(), schema, cache: false })
}

fn parameters(schema: Value, path: &str) -> Result<JsonObject, Fault> {
    match schema {
        Value::Object(schema) if schema.is_empty() => Ok(no_parameters()),
        Value::Object(schema) => Ok(schema::object(schema)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Err(Fault::new("wrong_type", path, "Input should be an object"))
        }
    }
}

fn no_parameters() -> JsonObject {
    let mut schema = JsonObject::new();
    schema.insert("type".to_owned(), json!("object"));
    schema.insert("properties".to_owned(), json!({}));
    schema
}

/// Reads `toolConfig`; needs the tools to be declared already.
pub(super) fn configure(config: ToolConfig, into: &mut Conversation, notes: &mut Notes) -> Result<(), Fault> {
    notes.unknown("toolConfig", &config.unknown);
    for (present, key) in
        [(config.retrieval, "retrievalConfig"), (config.invocations, "includeServerSideToolInvocations")]
    {
        if present.is_some_and(|present| present.0) {
            notes.add("field_ignored", format!("toolConfig.{key}"), format!("`{key}` has no counterpart upstream"));
        }
    }
    match config.calling {
        Some(calling) => choose(calling, into, notes),
        None => Ok(()),
    }
}

fn choose(calling: Calling, into: &mut Conversation, notes: &mut Notes) -> Result<(), Fault> {
    let at = "toolConfig.functionCallingConfig";
    notes.unknown(at, &calling.unknown);
    if calling.stream_arguments.is_some_and(|present| present.0) {
        let path = format!("{at}.streamFunctionCallArguments");
        notes.add("field_ignored", path, "a call is sent when it is complete");
    }
    let allowed = calling.allowed.unwrap_or_default();
    let mode = calling.mode.unwrap_or_default().to_ascii_uppercase();
    match mode.as_str() {
        "" | "AUTO" | "MODE_UNSPECIFIED" => {
            if !allowed.is_empty() {
                let path = format!("{at}.allowedFunctionNames");
                notes.add("field_ignored", path, "names are only allowed with the modes ANY and VALIDATED");
            }
        }
        "NONE" => into.tool_choice = ToolChoice::None,
        // Arguments are checked against the schema in every mode.
        "VALIDATED" => restrict(&allowed, at, into)?,
        "ANY" => {
            restrict(&allowed, at, into)?;
            into.tool_choice = match allowed.as_slice() {
                [only] => ToolChoice::Tool(only.clone()),
                _ if into.tools.is_empty() => {
                    return Err(Fault::invalid(at, "Function calling config is set without function_declarations."));
                }
                _ => ToolChoice::Any,
            };
        }
        _ => return Err(Fault::invalid(format!("{at}.mode"), "Mode should be AUTO, ANY, NONE or VALIDATED")),
    }
    Ok(())
}

/// Only these functions are offered.
fn restrict(allowed: &[String], at: &str, into: &mut Conversation) -> Result<(), Fault> {
    if let Some(index) = allowed.iter().position(|name| !into.tools.iter().any(|tool| tool.name == *name)) {
        let path = format!("{at}.allowedFunctionNames[{index}]");
        return Err(Fault::invalid(path, "The name is not among the function declarations"));
    }
    if !allowed.is_empty() {
        into.tools.retain(|tool| allowed.contains(&tool.name));
    }
    Ok(())
}
