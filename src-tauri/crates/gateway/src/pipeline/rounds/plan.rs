//! What the gateway has to look after in one answer, read off the conversation once.

use super::form::Form;
use super::search_tool::{self, SearchTool};
use crate::settings::ToolSettings;
use kiro_protocol::codec::Notice;
use kiro_protocol::conversation::{Conversation, JsonObject, Thinking, ToolChoice, ToolSpec};
use serde_json::Value;
use std::collections::HashSet;

/// Names of tools that write files, in lower case and without separators.
const WRITERS: [&str; 10] = [
    "write",
    "writefile",
    "createfile",
    "fswrite",
    "writetofile",
    "edit",
    "editfile",
    "multiedit",
    "replaceinfile",
    "applypatch",
];
const SIZE_HINT: &str = "\n\nWrite at most about 150 lines in one call: a longer call may be cut off. Write a longer file in several calls.";

/// What the gateway has to look after.
#[derive(Debug, Default)]
pub(in crate::pipeline) struct Plan {
    /// The search it runs itself.
    pub(super) search: Option<SearchTool>,
    /// Most rounds with searches.
    pub(super) search_rounds: u32,
    /// Calls go out as they are written.
    pub(super) live: bool,
    /// The tool that must be called: `Some(None)` is any of them.
    pub(super) forced: Option<Option<String>>,
    /// The form the answer must have.
    pub(super) form: Option<Form>,
    /// The client switched thinking off.
    pub(super) hide_thinking: bool,
    /// At most one call in an answer.
    pub(super) one_call: bool,
    /// Tools that cannot be called without arguments.
    pub(super) argued: HashSet<String>,
}

/// Gives the conversation what its answer needs and says what has to be looked after.
pub(in crate::pipeline) fn prepare(
    conversation: &mut Conversation,
    settings: &ToolSettings,
    notices: &mut Vec<Notice>,
) -> Plan {
    let search = search_tool::offer(conversation, settings, notices);
    if settings.size_hint {
        for tool in conversation.tools.iter_mut().filter(|tool| writes(&tool.name)) {
            tool.description.push_str(SIZE_HINT);
        }
    }
    let forced = match &conversation.tool_choice {
        ToolChoice::Any if !conversation.tools.is_empty() => Some(None),
        ToolChoice::Tool(name) if conversation.tools.iter().any(|tool| tool.name == *name) => Some(Some(name.clone())),
        ToolChoice::Any | ToolChoice::Tool(_) | ToolChoice::Auto | ToolChoice::None => None,
    };
    let form = conversation.output_format.as_ref().map(|format| Form::new(format, notices));
    Plan {
        search,
        search_rounds: settings.search_rounds,
        live: conversation.live_tool_input,
        forced,
        form,
        hide_thinking: conversation.thinking == Thinking::Off,
        one_call: conversation.parallel_tools == Some(false),
        argued: conversation.tools.iter().filter(|tool| wants_arguments(tool)).map(|tool| tool.name.clone()).collect(),
    }
}

fn wants_arguments(tool: &ToolSpec) -> bool {
    required(&tool.schema).is_some_and(|names| !names.is_empty())
}

fn required(schema: &JsonObject) -> Option<&Vec<Value>> {
    schema.get("required")?.as_array()
}

fn writes(name: &str) -> bool {
    let short = name.rsplit("__").next().unwrap_or(name).to_ascii_lowercase().replace(['_', '-'], "");
    WRITERS.contains(&short.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_hint_reaches_tools_that_write_and_no_others() {
        let tool = |name: &str| ToolSpec {
            name: name.into(),
            description: "d".into(),
            schema: JsonObject::new(),
            cache: false,
        };
        let names = ["Write", "mcp__fs__write_file", "str-replace", "Read", "rewrite"];
        for (on, hinted) in [(true, [true, true, false, false, false]), (false, [false; 5])] {
            let mut conversation = Conversation { tools: names.map(tool).to_vec(), ..Conversation::default() };
            prepare(&mut conversation, &ToolSettings { size_hint: on, ..ToolSettings::default() }, &mut Vec::new());
            let has: Vec<_> = conversation.tools.iter().map(|tool| tool.description.contains("150 lines")).collect();
            assert_eq!(has, hinted);
        }
    }
}
