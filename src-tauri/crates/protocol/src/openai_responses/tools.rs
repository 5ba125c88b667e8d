//! Tool declarations: every kind becomes a function for the model, and the echo remembers how the client knows it.
//!
//! | the client's tool | for the model | calls go back as |
//! |---|---|---|
//! | `function` | the same | `function_call` |
//! | `function` in a `namespace` | `namespace__name` | `function_call` with `namespace` beside `name` |
//! | `custom` | a function with one text | `custom_tool_call` |
//! | `local_shell`, `shell` (run by the client) | a function | `local_shell_call`, `shell_call` |
//! | `tool_search` (run by the client) | a function | `tool_search_call` |
//! | `web_search` | run by the gateway | `web_search_call` |
//!
//! Tools that only OpenAI can run are refused when the client offers nothing else (or forces one): leaving them out would be
//! no answer to what was asked. Beside other tools they are left out with a notice.

use super::MAX_TOOLS;
use super::wire::WireTool;
use crate::codec::{ToolForm, ToolKind};
use crate::conversation::{JsonObject, ServerTool, ToolSpec};
use crate::openai::freeform;
use crate::reading::content::shown;
use crate::reading::notes::{Fault, Notes};
use crate::reading::schema::object_schema;
use serde::de::Deserialize as _;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap, HashSet};

/// The namespace that stands for none: clients wrap their plain tools in it, and their calls are written without it.
const PLAIN_NAMESPACE: &str = "functions";
/// The client's names of tools that have none.
pub(super) const LOCAL_SHELL: &str = "local_shell";
pub(super) const SHELL: &str = "shell";
pub(super) const TOOL_SEARCH: &str = "tool_search";
pub(super) const WEB_SEARCH: &str = "web_search";

/// All tools of a request.
#[derive(Debug, Default)]
pub(super) struct Toolbox {
    pub(super) specs: Vec<ToolSpec>,
    pub(super) server: Vec<ServerTool>,
    /// By the name the model knows.
    pub(super) forms: BTreeMap<String, ToolForm>,
    /// The model's name by namespace (empty: none) and the client's name.
    names: HashMap<(String, String), String>,
    taken: HashSet<String>,
    /// The first tool that only OpenAI can run.
    hosted: Option<(String, String)>,
    max_searches: Option<u32>,
}

/// Where a tool is declared.
#[derive(Clone, Copy)]
struct Scope<'a> {
    namespace: &'a str,
    /// What the namespace is for, until its first tool has told it.
    about: &'a str,
}

impl Toolbox {
    /// No tools yet. The only calls that can be limited are those that the gateway makes itself.
    pub(super) fn new(max_searches: Option<u32>) -> Self {
        Self { max_searches, ..Self::default() }
    }

    /// Declares every tool of a list.
    pub(super) fn declare(&mut self, tools: &[Value], path: &str, notes: &mut Notes) -> Result<(), Fault> {
        for (index, tool) in tools.iter().enumerate() {
            self.tool(tool, &format!("{path}[{index}]"), Scope { namespace: "", about: "" }, notes)?;
        }
        self.within(path)
    }

    /// Declares the tools that an item carries. They come again with every request, so that one which cannot be read or run
    /// must never refuse it.
    pub(super) fn learn(&mut self, tools: &[Value], path: &str, notes: &mut Notes) -> Result<(), Fault> {
        let hosted = self.hosted.clone();
        for (index, tool) in tools.iter().enumerate() {
            let told = self.tool(tool, &format!("{path}[{index}]"), Scope { namespace: "", about: "" }, notes);
            if let Err(fault) = told {
                notes.add("tool_unreadable", fault.path, "a tool that an item carries cannot be read and was left out");
            }
        }
        self.hosted = hosted;
        self.within(path)
    }

    fn within(&self, path: &str) -> Result<(), Fault> {
        if self.specs.len() > MAX_TOOLS {
            let message = format!("List should have at most {MAX_TOOLS} items, not {}", self.specs.len());
            return Err(Fault::new("too_many", path, message));
        }
        Ok(())
    }

    /// Refuses a request whose only tools cannot be run here.
    pub(super) fn check(&self) -> Result<(), Fault> {
        match &self.hosted {
            Some((path, kind)) if self.specs.is_empty() && self.server.is_empty() => Err(unavailable(path, kind)),
            Some(_) | None => Ok(()),
        }
    }

    /// The name that the model knows. Tools that are not declared (any more) keep a name of the same making, for calls of
    /// earlier turns.
    pub(super) fn model_name(&self, namespace: Option<&str>, name: &str) -> String {
        let namespace = namespace.filter(|namespace| *namespace != PLAIN_NAMESPACE).unwrap_or_default();
        match self.names.get(&(namespace.to_owned(), name.to_owned())) {
            Some(known) => known.clone(),
            None => joined(namespace, name),
        }
    }

    /// The model's names of the tool or tools with this name, in whatever namespace.
    pub(super) fn find(&self, namespace: Option<&str>, name: &str) -> Option<&str> {
        match namespace.filter(|namespace| *namespace != PLAIN_NAMESPACE) {
            Some(namespace) => self.names.get(&(namespace.to_owned(), name.to_owned())),
            None => self.names.get(&(String::new(), name.to_owned())),
        }
        .map(String::as_str)
    }

    fn tool(&mut self, value: &Value, at: &str, scope: Scope<'_>, notes: &mut Notes) -> Result<(), Fault> {
        let mut tool = WireTool::deserialize(value)
            .map_err(|_| Fault::new("wrong_type", at, "Expected a tool object with fields of the right types"))?;
        let unknown = std::mem::take(&mut tool.unknown);
        let kind = tool.kind.take().ok_or_else(|| Fault::missing(format!("{at}.type")))?;
        match kind.as_str() {
            "function" => {
                // Chat Completions wraps the declaration once more.
                if let (None, Some(inner @ Value::Object(_))) = (&tool.name, &tool.function) {
                    tool = WireTool::deserialize(inner).map_err(|_| Fault::missing(format!("{at}.name")))?;
                }
                self.function(tool, at, scope, notes)?;
            }
            "custom" => self.custom(tool, at, scope)?,
            "namespace" => self.namespace(tool, at, scope, notes)?,
            "local_shell" => self.add(LOCAL_SHELL, ToolKind::LocalShell, scope, |name| spec(name, local_shell())),
            "shell" if runs_here(tool.environment.as_ref()) => {
                self.add(SHELL, ToolKind::LocalShell, scope, |name| spec(name, shell()));
            }
            "tool_search" if tool.execution.as_deref() == Some("server") || tool.parameters.is_none() => {
                notes.add("tool_search_not_needed", at, "every tool is offered to the model at once");
            }
            "tool_search" => {
                let schema = parameters(tool.parameters, at, notes)?;
                let description = tool.description.unwrap_or_default();
                self.add(TOOL_SEARCH, ToolKind::ToolSearch, scope, |name| spec(name, (description, schema)));
            }
            search if search.starts_with("web_search") => self.web_search(&tool, at, notes),
            other => {
                let kind = shown(other);
                let detail = format!("the tool `{kind}` cannot be run here and is not offered to the model");
                notes.add("hosted_tool_dropped", at, detail);
                self.hosted.get_or_insert_with(|| (at.to_owned(), kind));
                return Ok(());
            }
        }
        notes.unknown(at, &unknown);
        Ok(())
    }

    fn function(&mut self, tool: WireTool, at: &str, scope: Scope<'_>, notes: &mut Notes) -> Result<(), Fault> {
        let name = named(tool.name, at)?;
        let schema = parameters(tool.parameters, at, notes)?;
        let description = told(scope.about, tool.description.unwrap_or_default());
        let cache = tool.cache_control.is_some();
        self.add(&name, ToolKind::Function, scope, |name| ToolSpec { name, description, schema, cache });
        Ok(())
    }

    fn custom(&mut self, tool: WireTool, at: &str, scope: Scope<'_>) -> Result<(), Fault> {
        let name = named(tool.name, at)?;
        let description = told(scope.about, tool.description.unwrap_or_default());
        let part = |key: &str| tool.format.as_ref().and_then(|format| format.get(key)).and_then(Value::as_str);
        let grammar = part("definition")
            .map(|definition| freeform::Grammar { syntax: part("syntax").unwrap_or("given"), definition });
        let cache = tool.cache_control.is_some();
        self.add(&name, ToolKind::Freeform, scope, |name| freeform::tool(name, &description, grammar, cache));
        Ok(())
    }

    fn namespace(&mut self, tool: WireTool, at: &str, scope: Scope<'_>, notes: &mut Notes) -> Result<(), Fault> {
        if !scope.namespace.is_empty() {
            return Err(Fault::invalid(at, "A namespace cannot be inside another"));
        }
        let name = named(tool.name, at)?;
        let about = tool.description.unwrap_or_default();
        let namespace = if name == PLAIN_NAMESPACE { "" } else { name.as_str() };
        for (index, inner) in tool.tools.unwrap_or_default().iter().enumerate() {
            let about = if index == 0 { about.as_str() } else { "" };
            self.tool(inner, &format!("{at}.tools[{index}]"), Scope { namespace, about }, notes)?;
        }
        Ok(())
    }

    fn web_search(&mut self, tool: &WireTool, at: &str, notes: &mut Notes) {
        if tool.external_web_access == Some(false) {
            notes.add("search_without_web", at, "a search that may not reach the web is not offered to the model");
            return;
        }
        if tool.user_location.is_some() {
            notes.add("field_ignored", format!("{at}.user_location"), "the search has no location");
        }
        if !self.server.is_empty() {
            return;
        }
        let domains = |key: &str| -> Vec<String> {
            let list = tool.filters.as_ref().and_then(|filters| filters.get(key)).and_then(Value::as_array);
            list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let (allowed_domains, blocked_domains) = (domains("allowed_domains"), domains("blocked_domains"));
        let name = self.unique(WEB_SEARCH);
        self.server.push(ServerTool::WebSearch { name, max_uses: self.max_searches, allowed_domains, blocked_domains });
    }

    /// Adds a tool unless it is there already: clients list a tool again with each search result that found it.
    fn add(&mut self, name: &str, kind: ToolKind, scope: Scope<'_>, make: impl FnOnce(String) -> ToolSpec) {
        let key = (scope.namespace.to_owned(), name.to_owned());
        if self.names.contains_key(&key) {
            return;
        }
        let unique = self.unique(&joined(scope.namespace, name));
        if kind != ToolKind::Function || unique != name {
            let namespace = Some(scope.namespace).filter(|namespace| !namespace.is_empty()).map(str::to_owned);
            self.forms.insert(unique.clone(), ToolForm { kind, name: name.to_owned(), namespace });
        }
        self.names.insert(key, unique.clone());
        self.specs.push(make(unique));
    }

    /// A name that no other tool of the request has for the model.
    fn unique(&mut self, base: &str) -> String {
        let mut unique = base.to_owned();
        let mut count = 1;
        while !self.taken.insert(unique.clone()) {
            count += 1;
            unique = format!("{base}_{count}");
        }
        unique
    }
}

/// Why a tool is refused.
pub(super) fn unavailable(path: &str, kind: &str) -> Fault {
    let message = format!("The tool `{kind}` is run by OpenAI and is not available here; offer a function instead");
    Fault::unsupported(path, message)
}

fn joined(namespace: &str, name: &str) -> String {
    if namespace.is_empty() { name.to_owned() } else { format!("{namespace}__{name}") }
}

fn named(name: Option<String>, at: &str) -> Result<String, Fault> {
    name.filter(|name| !name.is_empty()).ok_or_else(|| Fault::missing(format!("{at}.name")))
}

/// What a namespace is for stands before the description of its first tool.
fn told(about: &str, description: String) -> String {
    if about.is_empty() { description } else { format!("{about}\n\n{description}") }
}

/// A shell in a container of OpenAI's is theirs; every other one is the client's.
fn runs_here(environment: Option<&Value>) -> bool {
    let kind = environment.and_then(|environment| environment.get("type")).and_then(Value::as_str);
    kind.is_none_or(|kind| kind == "local")
}

fn parameters(parameters: Option<Value>, at: &str, notes: &mut Notes) -> Result<JsonObject, Fault> {
    match parameters {
        Some(Value::Object(schema)) => Ok(schema),
        None => {
            notes.add("schema_missing", format!("{at}.parameters"), "a tool without schema takes any object");
            Ok(object_schema(json!({}), &[]))
        }
        Some(_) => Err(Fault::new("wrong_type", format!("{at}.parameters"), "Expected an object")),
    }
}

fn spec(name: String, (description, schema): (String, JsonObject)) -> ToolSpec {
    ToolSpec { name, description, schema, cache: false }
}

fn local_shell() -> (String, JsonObject) {
    let properties = json!({
        "command": { "type": "array", "items": { "type": "string" }, "description": "The program and its arguments, for example [\"bash\", \"-lc\", \"ls\"]." },
        "working_directory": { "type": "string", "description": "Folder to run in." },
        "timeout_ms": { "type": "integer", "description": "Milliseconds after which the command is stopped." },
        "env": { "type": "object", "additionalProperties": { "type": "string" }, "description": "Environment variables to set." },
    });
    (
        "Runs a command on the user's computer and gives back its output.".to_owned(),
        object_schema(properties, &["command"]),
    )
}

fn shell() -> (String, JsonObject) {
    let properties = json!({
        "commands": { "type": "array", "items": { "type": "string" }, "description": "Shell commands to run." },
        "timeout_ms": { "type": "integer", "description": "Milliseconds after which each command is stopped." },
        "max_output_length": { "type": "integer", "description": "Most characters of output to give back." },
    });
    (
        "Runs shell commands on the user's computer and gives back their output.".to_owned(),
        object_schema(properties, &["commands"]),
    )
}
