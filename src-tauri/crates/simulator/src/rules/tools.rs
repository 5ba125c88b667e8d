//! Tool declarations: V9–V14. V15 knows no limit on their number.
//!
//! Chosen where sources differ: names have at most 63 characters (64 was measured as refused), names are compared
//! exactly (V9 ignores case only "to be safe"), descriptions may have 10,240 characters (the largest limit seen), and
//! a well-typed `additionalProperties` is accepted (one peer keeps it).

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::Findings;
use super::request::{Request, ToolSpecification};
use crate::refusal::Refusal;

const MAX_NAME: usize = 63;
const MAX_DESCRIPTION: usize = 10_240;

pub(super) fn check(request: &Request, found: &mut Findings) {
    let Some(user) = &request.conversation_state.current_message.user_input_message else { return };
    let mut names = HashSet::new();
    for entry in user.tools() {
        let Some(tool) = &entry.tool_specification else {
            if entry.cache_point.is_none() {
                found.refuse(
                    Refusal::malformed("V25", "a tool entry is neither specification nor cache point")
                        .reason("REQUEST_BODY_INVALID"),
                );
            }
            continue;
        };
        if !names.insert(tool.name.as_str()) {
            found.refuse(Refusal::malformed("V9", format!("{} is declared twice", tool.name)).reason("TOOL_DUPLICATE"));
        }
        one_tool(tool, found);
    }
}

fn one_tool(tool: &ToolSpecification, found: &mut Findings) {
    let name = &tool.name;
    let letters = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if name.chars().count() > MAX_NAME
        || !name.starts_with(|c: char| c.is_ascii_alphabetic())
        || !name.chars().all(letters)
    {
        found.refuse(Refusal::malformed("V10", format!("tool name {name:?}")));
    }
    let description = tool.description.as_deref().unwrap_or_default();
    if description.trim().is_empty() {
        found.refuse(Refusal::malformed("V11", format!("{name} has no description")));
    } else if description.chars().count() > MAX_DESCRIPTION {
        found.refuse(Refusal::malformed("V11", format!("description of {name} is longer than {MAX_DESCRIPTION}")));
    }
    let Some(schema) = tool.input_schema.json.as_object() else {
        found.refuse(Refusal::malformed("V12", format!("schema of {name} is no object")).reason("TOOL_SCHEMA_INVALID"));
        return;
    };
    top_level(name, schema, found);
    dialect(&mut vec![name.clone()], schema, found);
}

fn top_level(name: &str, schema: &Map<String, Value>, found: &mut Findings) {
    if ["oneOf", "anyOf", "allOf"].iter().any(|key| schema.contains_key(*key)) {
        found.refuse(
            Refusal::malformed("V12", format!("schema of {name} has a union at the top"))
                .reason("TOOL_SCHEMA_INVALID")
                .message("input_schema does not support oneOf, allOf, or anyOf at the top level"),
        );
    } else if schema.get("type").and_then(Value::as_str) != Some("object") {
        found.refuse(
            Refusal::malformed("V12", format!("schema of {name} has no type object")).reason("TOOL_SCHEMA_INVALID"),
        );
    }
}

/// V13 and V14, for a schema and everything below it.
fn dialect(path: &mut Vec<String>, schema: &Map<String, Value>, found: &mut Findings) {
    let place = path.join(".");
    let mut refuse = |what: String| found.refuse(Refusal::malformed("V13", format!("{place}: {what}")));
    for key in ["$schema", "$id", "prefixItems"] {
        if schema.contains_key(key) {
            refuse(format!("{key} is not supported"));
        }
    }
    for key in ["required", "properties", "description"] {
        if schema.get(key).is_some_and(Value::is_null) {
            refuse(format!("{key} is null"));
        }
    }
    if schema.get("required").and_then(Value::as_array).is_some_and(Vec::is_empty) {
        refuse("required is empty".to_owned());
    }
    for key in ["exclusiveMinimum", "exclusiveMaximum"] {
        if schema.get(key).is_some_and(Value::is_number) {
            refuse(format!("{key} is a number"));
        }
    }
    for key in ["minimum", "maximum"] {
        if let Some(number) = schema.get(key).and_then(Value::as_f64)
            && (number > f64::from(i32::MAX) || number < f64::from(i32::MIN))
        {
            refuse(format!("{key} does not fit 32 bits"));
        }
    }
    if schema.get("additionalProperties").is_some_and(|v| !v.is_boolean() && !v.is_object()) {
        refuse("additionalProperties is neither boolean nor schema".to_owned());
    }
    for (key, value) in schema {
        path.push(key.clone());
        match key.as_str() {
            "properties" => {
                for (name, below) in value.as_object().into_iter().flatten() {
                    property_name(name, path, found);
                    path.push(name.clone());
                    if let Some(below) = below.as_object() {
                        dialect(path, below, found);
                    }
                    path.pop();
                }
            }
            "$defs" | "definitions" | "patternProperties" => {
                for (name, below) in value.as_object().into_iter().flatten() {
                    path.push(name.clone());
                    if let Some(below) = below.as_object() {
                        dialect(path, below, found);
                    }
                    path.pop();
                }
            }
            "items" | "additionalProperties" | "not" | "if" | "then" | "else" | "contains" => {
                if let Some(below) = value.as_object() {
                    dialect(path, below, found);
                }
            }
            "anyOf" | "oneOf" | "allOf" => {
                for below in value.as_array().into_iter().flatten().filter_map(Value::as_object) {
                    dialect(path, below, found);
                }
            }
            _ => {}
        }
        path.pop();
    }
}

fn property_name(name: &str, path: &[String], found: &mut Findings) {
    let fits = (1..=64).contains(&name.len())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'));
    if !fits {
        found.refuse(Refusal::malformed("V14", format!("{}: property {name:?}", path.join("."))));
    }
}
