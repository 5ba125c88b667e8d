//! Items of `input` into turns. Kinds that only OpenAI can run, and kinds that nothing here knows, are left out with a
//! notice: refusing them would end a session for good, because clients send their history again with every request.

use super::content::{Content, plain};
use super::opaque::Opaque;
use super::tools::{LOCAL_SHELL, SHELL, TOOL_SEARCH, Toolbox};
use super::wire::{WireItem, text};
use crate::conversation::{Block, Conversation, JsonObject, Message, Role};
use crate::openai::{arguments, freeform};
use crate::reading::content::{reminder, shown};
use crate::reading::loose::Loose;
use crate::reading::notes::{Fault, Notes};
use serde_json::{Value, json};

/// Where the items go.
pub(super) struct Story<'a> {
    pub(super) conversation: &'a mut Conversation,
    pub(super) tools: &'a Toolbox,
    pub(super) notes: &'a mut Notes,
    pub(super) budget: &'a mut arguments::Budget,
    /// The client asked for a compaction of everything before.
    pub(super) compaction: bool,
}

impl Story<'_> {
    /// Tells one item. References must be resolved before.
    pub(super) fn item(&mut self, mut item: WireItem, at: &str) -> Result<(), Fault> {
        let unknown = std::mem::take(&mut item.unknown);
        let kind = kind(&item).ok_or_else(|| Fault::missing(format!("{at}.type")))?;
        match kind.as_str() {
            "message" => self.message(item, at)?,
            "agent_message" => {
                let blocks = content(item.content, at, self.notes)?;
                self.turn(Role::User, blocks);
            }
            "function_call" => {
                let name = required(item.name, at, "name")?;
                let name = self.tools.model_name(text(item.namespace).as_deref(), &name);
                let input = arguments::object(item.arguments, &format!("{at}.arguments"), self.budget, self.notes);
                self.call(item.call_id.or(item.id), name, input, at)?;
            }
            "custom_tool_call" => {
                let name = required(item.name, at, "name")?;
                let name = self.tools.model_name(text(item.namespace).as_deref(), &name);
                let input = match item.input {
                    Some(Value::String(text)) => text,
                    None => String::new(),
                    Some(other) => other.to_string(),
                };
                self.call(item.call_id.or(item.id), name, freeform::arguments(input), at)?;
            }
            "local_shell_call" => {
                let name = self.tools.model_name(None, LOCAL_SHELL);
                self.call(item.call_id.or(item.id), name, action(item.action), at)?;
            }
            "shell_call" => {
                let name = self.tools.model_name(None, SHELL);
                self.call(item.call_id.or(item.id), name, action(item.action), at)?;
            }
            "apply_patch_call" => {
                let name = self.tools.model_name(None, "apply_patch");
                let input = JsonObject::from_iter([("operation".to_owned(), item.operation.unwrap_or_default())]);
                self.call(item.call_id.or(item.id), name, input, at)?;
            }
            "tool_search_call" if ran_there(&item) => {}
            "tool_search_call" => {
                let name = self.tools.model_name(None, TOOL_SEARCH);
                let input = arguments::object(item.arguments, &format!("{at}.arguments"), self.budget, self.notes);
                self.call(item.call_id.or(item.id), name, input, at)?;
            }
            "function_call_output" | "custom_tool_call_output" | "shell_call_output" | "apply_patch_call_output" => {
                self.output(item, at)?;
            }
            // Its id is that of the call.
            "local_shell_call_output" => {
                item.call_id = item.call_id.or(item.id.take());
                self.output(item, at)?;
            }
            // Its tools are declared already.
            "tool_search_output" if ran_there(&item) => {}
            "tool_search_output" => {
                let found = item.tools.as_ref().map(found).unwrap_or_default();
                let id = required(item.call_id.or(item.id), at, "call_id")?;
                self.result(id, vec![plain(found)], false);
            }
            "additional_tools" => {}
            "reasoning" => self.reasoning(item, at),
            "compaction" | "compaction_summary" | "context_compaction" => {
                match text(item.encrypted_content).as_deref().and_then(Opaque::open) {
                    Some(Opaque::Summary { summary }) => {
                        let words = format!("Summary of the conversation so far:\n\n{summary}");
                        self.turn(Role::User, vec![plain(words)]);
                    }
                    Some(Opaque::Reasoning { .. } | Opaque::Redacted { .. }) | None => self.notes.add(
                        "compaction_unreadable",
                        at,
                        "a compaction that another service made cannot be read and was left out",
                    ),
                }
            }
            "compaction_trigger" => self.compaction = true,
            "item_reference" => return Err(Fault::invalid(at, "The referenced item was not found")),
            "web_search_call"
            | "file_search_call"
            | "code_interpreter_call"
            | "image_generation_call"
            | "computer_call"
            | "computer_call_output"
            | "mcp_call"
            | "mcp_list_tools"
            | "mcp_approval_request"
            | "mcp_approval_response" => {
                let detail = format!("a `{kind}` of an earlier turn was left out");
                self.notes.add("server_call_dropped", at, detail);
                return Ok(());
            }
            other => {
                let detail = format!("an item of type `{}` is not known and was left out", shown(other));
                self.notes.add("unknown_item", at, detail);
                return Ok(());
            }
        }
        self.notes.unknown(at, &unknown);
        Ok(())
    }

    /// Instructions at the head join the system text; later ones stay in their place as marked user text. That keeps the
    /// long common beginning of two requests equal, which is what upstream caching lives on.
    fn message(&mut self, item: WireItem, at: &str) -> Result<(), Fault> {
        let role = required(item.role, at, "role")?;
        let blocks = content(item.content, at, self.notes)?;
        match role.as_str() {
            "user" => self.turn(Role::User, blocks),
            "assistant" => self.turn(Role::Assistant, blocks),
            "system" | "developer" if self.conversation.messages.is_empty() => {
                let before = blocks.len();
                let texts = blocks.into_iter().filter(|block| matches!(block, Block::Text { .. }));
                let system = &mut self.conversation.system;
                let length = system.len();
                system.extend(texts);
                if system.len() - length < before {
                    self.notes.add("system_part_dropped", at, "only text can be part of the system text");
                }
            }
            "system" | "developer" => {
                self.notes.add(
                    "system_message_marked",
                    at,
                    "later instructions became marked user text in their place",
                );
                self.turn(Role::User, blocks.into_iter().map(reminder).collect());
            }
            _ => {
                let message = "Supported values are: 'assistant', 'system', 'developer', and 'user'";
                return Err(Fault::invalid(format!("{at}.role"), message));
            }
        }
        Ok(())
    }

    /// Adds what one side said.
    pub(super) fn turn(&mut self, role: Role, content: Vec<Block>) {
        if content.is_empty() {
            return;
        }
        // Pieces of one assistant turn come as items of their own.
        match self.conversation.messages.last_mut() {
            Some(last) if last.role == Role::Assistant && role == Role::Assistant => last.content.extend(content),
            Some(_) | None => self.conversation.messages.push(Message { role, content }),
        }
    }

    fn call(&mut self, id: Option<Loose<String>>, name: String, input: JsonObject, at: &str) -> Result<(), Fault> {
        let id = required(id, at, "call_id")?;
        self.turn(Role::Assistant, vec![Block::ToolUse { id, name, input, cache: false }]);
        Ok(())
    }

    fn output(&mut self, item: WireItem, at: &str) -> Result<(), Fault> {
        let id = required(item.call_id, at, "call_id")?;
        let is_error = matches!(text(item.status).as_deref(), Some("failed" | "incomplete"));
        let content = match item.output {
            Some(output) => output.into_blocks(&format!("{at}.output"), self.notes)?,
            None => Vec::new(),
        };
        self.result(id, content, is_error);
        Ok(())
    }

    /// Results of parallel calls go into one message.
    fn result(&mut self, tool_use_id: String, content: Vec<Block>, is_error: bool) {
        let block = Block::ToolResult { tool_use_id, content, is_error, cache: false };
        match self.conversation.messages.last_mut() {
            Some(Message { role: Role::User, content })
                if content.iter().all(|block| matches!(block, Block::ToolResult { .. })) =>
            {
                content.push(block);
            }
            Some(_) | None => self.conversation.messages.push(Message { role: Role::User, content: vec![block] }),
        }
    }

    fn reasoning(&mut self, item: WireItem, at: &str) {
        let block = match text(item.encrypted_content).as_deref().map(Opaque::open) {
            Some(Some(Opaque::Reasoning { text, signature })) => Block::Thinking { text, signature },
            Some(Some(Opaque::Redacted { data })) => Block::RedactedThinking { data },
            Some(Some(Opaque::Summary { .. }) | None) => {
                self.notes.add("reasoning_foreign", at, "reasoning that another service encrypted was left out");
                return;
            }
            None => {
                self.notes.add("reasoning_dropped", at, "reasoning without its encrypted content cannot be replayed");
                return;
            }
        };
        self.turn(Role::Assistant, vec![block]);
    }
}

/// The kind of an item. Messages may come without, references too.
pub(super) fn kind(item: &WireItem) -> Option<String> {
    match &item.kind {
        Some(Loose::Is(kind)) => Some(kind.clone()),
        Some(Loose::Other) => None,
        None if item.role.is_some() => Some("message".to_owned()),
        None if item.id.is_some() && item.content.is_none() => Some("item_reference".to_owned()),
        None => None,
    }
}

/// True for a compaction whose summary can be read.
pub(super) fn is_own_compaction(item: &WireItem) -> bool {
    let sealed = match &item.encrypted_content {
        Some(Loose::Is(sealed)) => Opaque::open(sealed),
        Some(Loose::Other) | None => None,
    };
    matches!(sealed, Some(Opaque::Summary { .. })) && kind(item).is_some_and(|kind| kind.contains("compaction"))
}

fn required(value: Option<Loose<String>>, at: &str, key: &str) -> Result<String, Fault> {
    match value {
        Some(Loose::Is(text)) if !text.is_empty() => Ok(text),
        Some(Loose::Other) => Err(Fault::new("wrong_type", format!("{at}.{key}"), "Expected a string")),
        Some(Loose::Is(_)) | None => Err(Fault::missing(format!("{at}.{key}"))),
    }
}

fn content(content: Option<Content>, at: &str, notes: &mut Notes) -> Result<Vec<Block>, Fault> {
    let path = format!("{at}.content");
    let blocks = content.ok_or_else(|| Fault::missing(path.clone()))?.into_blocks(&path, notes)?;
    if blocks.is_empty() {
        notes.add("empty_message", at, "a message without content was left out");
    }
    Ok(blocks)
}

/// What a shell was asked to do, as the arguments of the function that stands for it.
fn action(action: Option<Value>) -> JsonObject {
    match action {
        Some(Value::Object(mut action)) => {
            action.shift_remove("type");
            action.retain(|_, value| !value.is_null() && *value != json!({}));
            action
        }
        Some(_) | None => JsonObject::new(),
    }
}

/// A search for tools that the client did not run.
fn ran_there(item: &WireItem) -> bool {
    matches!(&item.execution, Some(Loose::Is(execution)) if execution == "server")
}

/// What a search for tools found, in words: the tools themselves are offered to the model with the others.
fn found(tools: &Value) -> String {
    let mut names = Vec::new();
    for tool in tools.as_array().into_iter().flatten() {
        let name = tool.get("name").and_then(Value::as_str).unwrap_or_default();
        match tool.get("tools").and_then(Value::as_array) {
            Some(inner) => names.extend(
                inner
                    .iter()
                    .filter_map(|tool| tool.get("name"))
                    .filter_map(Value::as_str)
                    .map(|tool| format!("{name}__{tool}")),
            ),
            None => names.push(name.to_owned()),
        }
    }
    names.retain(|name| !name.is_empty());
    if names.is_empty() { "No tools were found.".to_owned() } else { format!("Tools loaded: {}", names.join(", ")) }
}
