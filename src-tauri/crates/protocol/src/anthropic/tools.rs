//! Tool declarations and the tool choice.

use super::well_known::{bash, computer, memory, text_editor};
use super::wire::{WireTool, WireToolChoice};
use crate::conversation::{Conversation, JsonObject, ServerTool, ToolChoice, ToolSpec};
use crate::reading::loose::Loose;
use crate::reading::notes::{Fault, Notes};
use crate::reading::schema::object_schema;
use serde_json::json;

/// A stand-in that Claude Code lists while its other tools are deferred; it must never reach the model.
const DEFERRED_PLACEHOLDER: &str = "DeferredToolPlaceholder";

/// Reads `tools` into the conversation.
pub(super) fn declare(tools: Vec<WireTool>, into: &mut Conversation, notes: &mut Notes) -> Result<(), Fault> {
    for (index, tool) in tools.into_iter().enumerate() {
        let at = format!("tools[{index}]");
        declare_one(tool, &at, into, notes).map_err(|fault| fault.under(&at))?;
    }
    Ok(())
}

fn declare_one(tool: WireTool, at: &str, into: &mut Conversation, notes: &mut Notes) -> Result<(), Fault> {
    notes.unknown(at, &tool.unknown);
    into.live_tool_input |= matches!(tool.eager_input_streaming, Some(Loose::Is(true)));
    match tool.kind.as_deref() {
        None | Some("custom") => {
            if let Some(tool) = client_tool(tool, at, notes)? {
                into.tools.push(tool);
            }
        }
        Some(kind) if kind.starts_with("web_search_") => {
            if tool.user_location.is_some() {
                notes.add("field_ignored", format!("{at}.user_location"), "the search has no location");
            }
            into.server_tools.push(ServerTool::WebSearch {
                name: tool.name.unwrap_or_else(|| "web_search".to_owned()),
                max_uses: tool.max_uses,
                allowed_domains: tool.allowed_domains.unwrap_or_default(),
                blocked_domains: tool.blocked_domains.unwrap_or_default(),
            });
        }
        Some(kind) if kind.starts_with("bash_") => into.tools.push(well_known(tool, "bash", bash())),
        Some(kind) if kind.starts_with("text_editor_") => {
            into.tools.push(well_known(tool, "str_replace_based_edit_tool", text_editor()));
        }
        Some(kind) if kind.starts_with("memory_") => into.tools.push(well_known(tool, "memory", memory())),
        Some(kind) if kind.starts_with("computer_") => {
            let screen = (tool.display_width, tool.display_height);
            into.tools.push(well_known(tool, "computer", computer(screen)));
        }
        Some(kind) => {
            let kind: String = kind.chars().take(48).filter(|c| !c.is_control()).collect();
            notes.add(
                "server_tool_dropped",
                at,
                format!("the server tool `{kind}` is not available here and is not offered to the model"),
            );
        }
    }
    Ok(())
}

fn client_tool(tool: WireTool, at: &str, notes: &mut Notes) -> Result<Option<ToolSpec>, Fault> {
    let name = tool.name.ok_or_else(|| Fault::missing(".name"))?;
    if name.is_empty() {
        return Err(Fault::invalid(".name", "String should have at least 1 character"));
    }
    if name == DEFERRED_PLACEHOLDER {
        notes.add("deferred_placeholder_dropped", at, "the placeholder for deferred tools is not shown to the model");
        return Ok(None);
    }
    if tool.defer_loading == Some(true) {
        notes.add("deferred_tool_loaded", at, "deferred loading does not exist here; the tool is offered at once");
    }
    for (present, key) in [(tool.strict.is_some(), "strict"), (tool.allowed_callers.is_some(), "allowed_callers")] {
        if present {
            notes.add("field_ignored", format!("{at}.{key}"), format!("`{key}` has no counterpart upstream"));
        }
    }
    let schema = tool.input_schema.unwrap_or_else(|| {
        notes.add("schema_missing", format!("{at}.input_schema"), "a tool without schema takes any object");
        object_schema(json!({}), &[])
    });
    let mut description = tool.description.unwrap_or_default();
    for example in tool.input_examples.unwrap_or_default() {
        description.push_str("\n\nExample of an input: ");
        description.push_str(&example.to_string());
    }
    Ok(Some(ToolSpec { name, description, schema, cache: tool.cache_control.is_some() }))
}

fn well_known(tool: WireTool, name: &str, (description, schema): (String, JsonObject)) -> ToolSpec {
    ToolSpec {
        name: tool.name.unwrap_or_else(|| name.to_owned()),
        description,
        schema,
        cache: tool.cache_control.is_some(),
    }
}

/// Reads `tool_choice`; needs the tools to be declared already.
pub(super) fn choose(choice: WireToolChoice, into: &mut Conversation, notes: &mut Notes) -> Result<(), Fault> {
    notes.unknown("tool_choice", &choice.unknown);
    let any_tool = !into.tools.is_empty() || !into.server_tools.is_empty();
    into.parallel_tools = choice.disable_parallel.map(|disable| !disable);
    into.tool_choice = match choice.kind.as_deref() {
        Some("auto") => ToolChoice::Auto,
        Some("none") => ToolChoice::None,
        Some("any") if any_tool => ToolChoice::Any,
        Some("any") => {
            return Err(Fault::invalid("tool_choice", "tool_choice may only be specified while providing tools"));
        }
        Some("tool") => {
            let name = choice.name.ok_or_else(|| Fault::missing("tool_choice.tool.name"))?;
            let server = into.server_tools.iter().any(|ServerTool::WebSearch { name: declared, .. }| *declared == name);
            if !server && !into.tools.iter().any(|tool| tool.name == name) {
                return Err(Fault::invalid("tool_choice", "The named tool was not found in the provided tools"));
            }
            ToolChoice::Tool(name)
        }
        Some(_) => {
            let message = "Input tag does not match any of the expected tags: 'auto', 'any', 'tool', 'none'";
            return Err(Fault::invalid("tool_choice.type", message));
        }
        None => return Err(Fault::missing("tool_choice.type")),
    };
    Ok(())
}
