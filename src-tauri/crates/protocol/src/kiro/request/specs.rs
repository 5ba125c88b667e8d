//! The tools of a request (kiro-upstream §2.3 V8–V14, V30).

use super::BuildContext;
use super::ledger::{Turn, join};
use super::notices::Notices;
use super::size;
use crate::conversation::{Conversation, JsonObject, ToolChoice};
use crate::kiro::schema;
use crate::kiro::tools::{ToolNames, rename_keys};
use crate::kiro::wire;
use serde_json::json;
use std::collections::{HashMap, HashSet};

/// Longest description, in characters. The service refuses somewhat more than this.
const MAX_DESCRIPTION: usize = 10_000;

/// More tools than this are worth a notice, and so are more bytes: they are read and paid for with every request. No limit of
/// the service is known (V15).
pub(super) const MANY_TOOLS: usize = 50;
pub(super) const MANY_BYTES: usize = 200_000;

/// The tools as they are sent, and what their descriptions left over.
#[derive(Debug, Default)]
pub(super) struct Specs {
    pub(super) tools: Vec<wire::Tool>,
    pub(super) names: ToolNames,
    /// The rest of descriptions that were too long; goes into the system text.
    pub(super) overflow: String,
    /// The upstream name of the tool that must be called.
    pub(super) forced: Option<String>,
    pub(super) cache_marks: usize,
    /// How many tools are sent, and how large they are. Known after [`Self::measure`].
    pub(super) count: usize,
    pub(super) bytes: usize,
}

/// Builds the tool list and gives the calls in the history the names in it.
pub(super) fn build(
    conversation: &Conversation,
    turns: &mut [Turn],
    context: &BuildContext,
    notices: &mut Notices,
) -> Specs {
    let used: Vec<String> = used_names(turns);
    let declared = conversation.tools.iter().map(|tool| tool.name.as_str());
    let mut specs =
        Specs { names: ToolNames::assign(declared.clone().chain(used.iter().map(String::as_str))), ..Specs::default() };
    let forced = match &conversation.tool_choice {
        ToolChoice::Tool(name) if declared.clone().any(|other| other == name) => Some(name.as_str()),
        ToolChoice::Tool(_) => {
            notices.add("tool_choice_unknown", "tool_choice", "the tool that must be called is not declared");
            None
        }
        ToolChoice::Auto | ToolChoice::Any | ToolChoice::None => None,
    };
    specs.forced = forced.map(|name| specs.names.upstream(name).to_owned());
    let offered =
        |name: &str| conversation.tool_choice != ToolChoice::None && forced.is_none_or(|forced| forced == name);
    let mut sent = HashSet::new();
    for (index, tool) in conversation.tools.iter().enumerate().filter(|(_, tool)| offered(&tool.name)) {
        if !sent.insert(tool.name.as_str()) {
            notices.add(
                "duplicate_tool",
                format!("tools[{index}]"),
                "a tool of this name is declared before; left out",
            );
            continue;
        }
        let spec = specs.specification(index, &tool.name, &tool.description, &tool.schema, notices);
        specs.tools.push(wire::Tool::ToolSpecification(spec));
        if tool.cache {
            specs.cache_marks += 1;
            if specs.cache_marks <= context.cache_points {
                specs.tools.push(wire::Tool::CachePoint(wire::CachePoint::default()));
            }
        }
    }
    for name in used.iter().filter(|name| !sent.contains(name.as_str())) {
        let known = conversation.tools.iter().find(|tool| tool.name == **name);
        if known.is_none() {
            notices.add(
                "tool_placeholder",
                "tools",
                "the history calls a tool that is not declared; a placeholder was",
            );
        }
        let schema =
            JsonObject::from_iter([("type".to_owned(), json!("object")), ("properties".to_owned(), json!({}))]);
        let spec = wire::ToolSpecification {
            name: specs.names.upstream(name).to_owned(),
            description: "No longer available. Do not call it.".to_owned(),
            input_schema: wire::InputSchema { json: schema },
        };
        specs.tools.push(wire::Tool::ToolSpecification(spec));
    }
    rename_calls(turns, &specs.names);
    specs
}

impl Specs {
    /// Measures the list as it is sent.
    pub(super) fn measure(&mut self) {
        for tool in &self.tools {
            if let wire::Tool::ToolSpecification(spec) = tool {
                self.count += 1;
                self.bytes += spec.name.len() + spec.description.len() + size::object_bytes(&spec.input_schema.json);
            }
        }
    }

    fn specification(
        &mut self,
        index: usize,
        client_name: &str,
        description: &str,
        schema: &JsonObject,
        notices: &mut Notices,
    ) -> wire::ToolSpecification {
        let name = self.names.upstream(client_name).to_owned();
        let path = || format!("tools[{index}]");
        if name != client_name {
            notices.add("tool_renamed", path(), format!("known to the service as {name}; restored in the answer"));
        }
        let sanitized = schema::sanitize(schema);
        if sanitized.reshaped {
            notices.add("tool_schema_reshaped", path(), "the top level of the schema was made a plain object");
        }
        if sanitized.changed {
            notices.add("tool_schema_sanitized", path(), "keywords that the service refuses were removed");
        }
        if sanitized.flattened {
            notices.add("tool_schema_flattened", path(), "the deepest levels of the schema take any value now");
        }
        if !sanitized.renames.is_empty() {
            notices.add("tool_properties_renamed", path(), "property names were replaced; restored in the answer");
            self.names.set_properties(&name, sanitized.renames);
        }
        let description = self.description(&name, description, path(), notices);
        wire::ToolSpecification { name, description, input_schema: wire::InputSchema { json: sanitized.schema } }
    }

    fn description(&mut self, name: &str, description: &str, path: String, notices: &mut Notices) -> String {
        if description.trim().is_empty() {
            notices.add("tool_description_filled", path, "an empty description was replaced by the tool's name");
            return name.to_owned();
        }
        if description.chars().nth(MAX_DESCRIPTION).is_none() {
            return description.to_owned();
        }
        let pointer = format!("\n[continued in the instructions under \"Tool {name}\"]");
        let at = description
            .char_indices()
            .nth(MAX_DESCRIPTION - pointer.chars().count())
            .map_or(description.len(), |(at, _)| at);
        notices.add("tool_description_moved", path, "the end of a long description was moved into the system text");
        join(&mut self.overflow, &format!("# Tool {name} (description, continued)\n{}", &description[at..]));
        format!("{}{pointer}", &description[..at])
    }
}

/// Names of tools called in the history, each once, in order.
fn used_names(turns: &[Turn]) -> Vec<String> {
    let mut seen = HashSet::new();
    let calls = turns.iter().flat_map(|turn| match turn {
        Turn::Assistant(turn) => turn.calls.as_slice(),
        Turn::User(_) => &[],
    });
    calls.filter(|call| seen.insert(call.name.as_str())).map(|call| call.name.clone()).collect()
}

fn rename_calls(turns: &mut [Turn], names: &ToolNames) {
    let mut inverse: HashMap<String, HashMap<String, String>> = HashMap::new();
    for turn in turns {
        let Turn::Assistant(turn) = turn else { continue };
        for call in &mut turn.calls {
            let upstream = names.upstream(&call.name).to_owned();
            if let Some(renames) = names.properties(&upstream) {
                let inverse = inverse.entry(upstream.clone()).or_insert_with(|| {
                    renames.iter().map(|(upstream, client)| (client.clone(), upstream.clone())).collect()
                });
                rename_keys(&mut call.input, inverse);
            }
            call.name = upstream;
        }
    }
}
