//! Content blocks into [`Block`]s.
//!
//! What the upstream has no place for is kept as text where text can carry it (tool references, search results, plain
//! text inside documents); block kinds that nothing here knows are left out with a notice, because refusing them would
//! end a session for good: the client sends its history again with every request.

use super::found;
use super::media::{document, image};
use super::wire::{Source, WireBlock};
use crate::conversation::{Block, JsonObject};
use crate::reading::content::{At, BlockList, Content, Part, loose, optional, required, shown};
use crate::reading::notes::{Fault, Notes};
use serde_json::Value;

impl Part for WireBlock {
    fn convert(self, at: At, list: &mut BlockList) -> Result<(), Fault> {
        convert(self, at, list)
    }
}

/// Appends what `block` stands for. `at` is the block's own path; faults are relative to the block.
fn convert(mut block: WireBlock, at: At, list: &mut BlockList) -> Result<(), Fault> {
    let kind = required(block.kind.take(), "type")?;
    let cache = block.cache_control.is_some();
    let unknown = std::mem::take(&mut block.unknown);
    match kind.as_str() {
        "text" => {
            let text = required(block.text, "text.text")?;
            if block.citations.is_some() {
                list.notes.add("citations_dropped", format!("{at}.citations"), "citations are not passed on");
            }
            if text.is_empty() {
                list.notes.add("empty_text", at, "empty text was left out");
            } else {
                list.text(text, cache);
            }
        }
        "thinking" => {
            let text = required(block.thinking, "thinking.thinking")?;
            let signature = optional(block.signature, "thinking.signature")?.filter(|signature| !signature.is_empty());
            if text.is_empty() && signature.is_none() {
                list.notes.add("empty_thinking", at, "thinking without text and signature was left out");
            } else {
                list.blocks.push(Block::Thinking { text, signature });
            }
        }
        "redacted_thinking" => {
            let data = required(block.data, "redacted_thinking.data")?;
            list.blocks.push(Block::RedactedThinking { data });
        }
        "image" => list.blocks.push(image(block.source)?),
        "document" => document(block, at, list)?,
        "tool_use" => {
            let id = required(block.id, "tool_use.id")?;
            let name = required(block.name, "tool_use.name")?;
            let input = tool_input(block.input, at, &mut list.notes)?;
            list.blocks.push(Block::ToolUse { id, name, input, cache });
        }
        "tool_result" => {
            let tool_use_id = required(block.tool_use_id, "tool_result.tool_use_id")?;
            let content = match block.content {
                Some(content) => {
                    let mut notes = Notes::default();
                    let content = content.into_blocks(".content", &mut notes);
                    list.notes.absorb(at, notes);
                    content?
                }
                None => Vec::new(),
            };
            let is_error = optional(block.is_error, "tool_result.is_error")?.unwrap_or(false);
            list.blocks.push(Block::ToolResult { tool_use_id, content, is_error, cache });
        }
        "tool_reference" => {
            let name = required(block.tool_name, "tool_reference.tool_name")?;
            list.text(format!("Tool loaded: {name}"), cache);
        }
        "search_result" => {
            let source = match block.source {
                Some(Source::Text(source)) => source,
                Some(Source::Object(_) | Source::Other) | None => String::new(),
            };
            list.text(format!("[{}]({source})", loose(block.title)), false);
            if let Some(content) = block.content {
                list.append(content.content, ".content", at)?;
            }
        }
        "web_search_result" => {
            list.notes.add("search_as_text", at, "a web search result of an earlier turn was written as text");
            let title = loose(block.title);
            let snippet =
                found::open(&loose(block.encrypted_content)).map_or_else(String::new, |text| format!("\n{text}"));
            list.text(format!("[{title}]({}){snippet}", loose(block.url)), false);
        }
        // Never as text: a model that reads calls written out in its own turns begins to write them out itself.
        "server_tool_use" | "mcp_tool_use" => {
            list.notes.add("server_call_dropped", at, "a server tool call of an earlier turn was left out");
        }
        "web_search_tool_result" => match block.content.map(|content| content.content) {
            Some(content @ Content::Blocks(_)) => list.append(content, ".content", at)?,
            Some(Content::Text(_) | Content::Other) | None => {
                list.notes.add("server_call_dropped", at, "a failed web search of an earlier turn was left out");
            }
        },
        // Another server's summary of what was before it.
        "compaction" => {
            if let Some(content) = block.content {
                list.append(content.content, ".content", at)?;
            }
        }
        other if other.ends_with("_tool_result") => {
            list.notes.add("server_call_dropped", at, "the result of a server tool of an earlier turn was left out");
        }
        other => {
            let kind = shown(other);
            list.notes.add("unknown_block", at, format!("a block of type `{kind}` is not supported and was left out"));
            return Ok(());
        }
    }
    list.notes.unknown(at, &unknown);
    Ok(())
}

/// Arguments of an earlier call. A text that holds an object is taken as that object.
fn tool_input(input: Option<Value>, at: At, notes: &mut Notes) -> Result<JsonObject, Fault> {
    match input {
        Some(Value::Object(input)) => Ok(input),
        None => Ok(JsonObject::new()),
        Some(Value::String(text)) => {
            notes.add("tool_input_text", format!("{at}.input"), "tool input was a text and was read as JSON");
            crate::event::parse_tool_input(&text).ok_or_else(bad_input)
        }
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_)) => Err(bad_input()),
    }
}

fn bad_input() -> Fault {
    Fault::new("wrong_type", ".tool_use.input", "Input should be an object")
}
