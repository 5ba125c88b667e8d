//! Tool schemas in the dialect the service takes (kiro-upstream §2.3 V12–V14).
//!
//! Schema positions are walked, data positions (`enum`, `const`, `default`, `examples`) are left alone: a property that is
//! called `$id` is not the keyword `$id`.

use super::tools::{PropertyNames, is_property_name, property_name};
use crate::conversation::JsonObject;
use serde_json::{Value, json};

/// Keywords that are refused or that only confuse the service.
const REMOVED: [&str; 8] = [
    "$schema",
    "$id",
    "$comment",
    "prefixItems",
    "additionalProperties",
    "unevaluatedProperties",
    "unevaluatedItems",
    "$vocabulary",
];
/// Keywords whose value is a map of names to schemas.
const MAPS: [&str; 5] = ["properties", "patternProperties", "definitions", "$defs", "dependentSchemas"];
/// Keywords whose value is a schema or a list of schemas.
const SCHEMAS: [&str; 11] =
    ["items", "additionalItems", "contains", "not", "if", "then", "else", "anyOf", "oneOf", "allOf", "propertyNames"];
/// Keywords whose value is a number that must fit 32 bits.
const NUMBERS: [&str; 9] = [
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "multipleOf",
];
/// Most levels of JSON in a schema. The service's parser gives up at about 128 in the whole body, of which some are around the
/// schema; sixty levels of properties are that many.
const MAX_DEPTH: usize = 96;
const COMBINATIONS: [&str; 3] = ["allOf", "anyOf", "oneOf"];

/// A schema the service takes, and what it took to get there.
#[derive(Debug, Default)]
pub(super) struct Sanitized {
    pub(super) schema: JsonObject,
    /// Keywords were removed or repaired.
    pub(super) changed: bool,
    /// The top level had to be made an object.
    pub(super) reshaped: bool,
    /// The deepest levels were cut off.
    pub(super) flattened: bool,
    /// Property renames, upstream name to the client's name.
    pub(super) renames: PropertyNames,
}

/// Brings a schema into the service's dialect.
pub(super) fn sanitize(schema: &JsonObject) -> Sanitized {
    let mut this = Sanitized { schema: schema.clone(), ..Sanitized::default() };
    let mut schema = std::mem::take(&mut this.schema);
    this.reshaped = force_object(&mut schema);
    this.walk(&mut schema);
    if !schema.get("properties").is_some_and(Value::is_object) {
        schema.insert("properties".to_owned(), json!({}));
    }
    this.flattened = flatten(&mut schema, MAX_DEPTH);
    this.schema = schema;
    this
}

/// Cuts off what would make more than `levels` levels, this object being one of them. What is left is still a schema: one without
/// properties takes any value. True when something was cut off.
fn flatten(object: &mut JsonObject, levels: usize) -> bool {
    if levels == 1 {
        let before = object.len();
        object.retain(|_, value| !is_filled(value));
        return object.len() < before;
    }
    object.values_mut().fold(false, |cut, value| flatten_in(value, levels - 1) | cut)
}

fn flatten_in(value: &mut Value, levels: usize) -> bool {
    match value {
        Value::Object(object) => flatten(object, levels),
        Value::Array(items) if levels == 1 => {
            let before = items.len();
            items.retain(|item| !is_filled(item));
            items.len() < before
        }
        Value::Array(items) => items.iter_mut().fold(false, |cut, item| flatten_in(item, levels - 1) | cut),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

fn is_filled(value: &Value) -> bool {
    match value {
        Value::Object(object) => !object.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

impl Sanitized {
    fn walk(&mut self, schema: &mut JsonObject) {
        let before = schema.len();
        let integer = schema.get("type").and_then(Value::as_str) == Some("integer");
        bounds(schema, integer);
        schema.retain(|key, value| match key.as_str() {
            "required" => {
                if let Value::Array(names) = value {
                    names.retain(Value::is_string);
                }
                value.as_array().is_some_and(|names| !names.is_empty())
            }
            "description" | "title" | "format" | "pattern" | "$ref" => value.is_string(),
            "type" => value.is_string() || value.as_array().is_some_and(|types| !types.is_empty()),
            key if REMOVED.contains(&key) => false,
            key if NUMBERS.contains(&key) => fits(value),
            key if SCHEMAS.contains(&key) => !value.is_null(),
            _ => true,
        });
        self.changed |= schema.len() != before;
        for (key, value) in schema.iter_mut() {
            if MAPS.contains(&key.as_str()) {
                self.map(key, value);
            } else if SCHEMAS.contains(&key.as_str()) {
                match value {
                    Value::Array(items) => items.iter_mut().for_each(|item| self.schema_at(item)),
                    other => self.schema_at(other),
                }
            }
        }
        if let Some(Value::Array(required)) = schema.get_mut("required") {
            for name in required {
                if let Some(bad) = name.as_str().filter(|name| !is_property_name(name)) {
                    *name = Value::String(property_name(bad));
                }
            }
        }
    }

    fn map(&mut self, key: &str, value: &mut Value) {
        let Value::Object(entries) = value else {
            *value = json!({});
            self.changed = true;
            return;
        };
        for schema in entries.values_mut() {
            self.schema_at(schema);
        }
        if key == "properties" && entries.keys().any(|name| !is_property_name(name)) {
            let old = std::mem::take(entries);
            for (name, schema) in old {
                if is_property_name(&name) {
                    entries.insert(name, schema);
                } else {
                    let upstream = property_name(&name);
                    self.renames.insert(upstream.clone(), name);
                    entries.insert(upstream, schema);
                }
            }
        }
    }

    /// Booleans are schemas too, but not for the service.
    fn schema_at(&mut self, value: &mut Value) {
        match value {
            Value::Object(schema) => self.walk(schema),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                *value = json!({});
                self.changed = true;
            }
        }
    }
}

/// Exclusive bounds become inclusive ones where that says the same, that is for integers.
fn bounds(schema: &mut JsonObject, integer: bool) {
    for (exclusive, inclusive, step) in [("exclusiveMinimum", "minimum", 1), ("exclusiveMaximum", "maximum", -1)] {
        let Some(bound) = schema.remove(exclusive) else { continue };
        if let Some(bound) = bound.as_i64().filter(|_| integer)
            && !schema.contains_key(inclusive)
        {
            schema.insert(inclusive.to_owned(), json!(bound.saturating_add(step)));
        }
    }
}

fn fits(value: &Value) -> bool {
    value.as_f64().is_some_and(|number| number.abs() <= f64::from(i32::MAX))
}

/// Makes the top level an object: follows a local reference, merges alternatives, forces the type. True when it changed.
fn force_object(schema: &mut JsonObject) -> bool {
    let mut changed = false;
    if let Some(target) = schema.get("$ref").and_then(Value::as_str).and_then(|path| local(schema, path)) {
        schema.remove("$ref");
        for (key, value) in target {
            schema.entry(key).or_insert(value);
        }
        changed = true;
    }
    for combination in COMBINATIONS {
        if let Some(variants) = schema.remove(combination) {
            merge(schema, variants, combination == "allOf");
            changed = true;
        }
    }
    if schema.get("type").and_then(Value::as_str) != Some("object") {
        // A missing type next to nothing else is the usual way to say "no arguments".
        changed |= schema.contains_key("type");
        let mut typed = JsonObject::new();
        typed.insert("type".to_owned(), json!("object"));
        typed.extend(std::mem::take(schema).into_iter().filter(|(key, _)| key != "type"));
        *schema = typed;
    }
    changed
}

fn local(schema: &JsonObject, path: &str) -> Option<JsonObject> {
    let mut steps = path.strip_prefix("#/")?.split('/');
    let mut at = schema.get(steps.next()?)?;
    for step in steps {
        at = at.get(step)?;
    }
    at.as_object().cloned()
}

/// Takes the properties of every object variant. What is required in one variant only is not required.
fn merge(schema: &mut JsonObject, variants: Value, all: bool) {
    let Value::Array(variants) = variants else { return };
    for variant in variants {
        let Value::Object(mut variant) = variant else { continue };
        if let Some(target) = variant.get("$ref").and_then(Value::as_str).and_then(|path| local(schema, path)) {
            variant = target;
        }
        if let Some(Value::Object(properties)) = variant.remove("properties")
            && let Value::Object(target) = schema.entry("properties").or_insert_with(|| json!({}))
        {
            for (name, property) in properties {
                target.entry(name).or_insert(property);
            }
        }
        if let Some(Value::Array(names)) = variant.remove("required").filter(|_| all)
            && let Value::Array(target) = schema.entry("required").or_insert_with(|| json!([]))
        {
            target.extend(names);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clean(schema: Value) -> Value {
        let Value::Object(schema) = schema else { unreachable!("a schema is an object") };
        Value::Object(sanitize(&schema).schema)
    }

    #[test]
    fn alternatives_at_the_top_become_one_object() {
        let schema = json!({ "anyOf": [
            { "type": "object", "properties": { "a": { "type": "string" } }, "required": ["a"] },
            { "type": "object", "properties": { "b": { "type": "string" } }, "required": ["b"] },
        ]});
        assert_eq!(
            clean(schema),
            json!({ "type": "object", "properties": { "a": { "type": "string" }, "b": { "type": "string" } } })
        );
    }

    #[test]
    fn a_reference_at_the_top_is_followed() {
        let schema = json!({ "$ref": "#/definitions/In", "definitions": {
            "In": { "type": "object", "properties": { "a": { "type": "integer" } }, "required": ["a"] } } });
        let clean = clean(schema);
        assert_eq!(clean["type"], "object");
        assert_eq!(clean["properties"]["a"]["type"], "integer");
        assert_eq!(clean["required"], json!(["a"]));
    }

    #[test]
    fn keywords_are_removed_but_properties_of_the_same_name_stay() {
        let schema = json!({
            "$schema": "x", "$id": "y", "type": "object", "required": [], "additionalProperties": false,
            "properties": {
                "$id": { "type": "string", "description": null },
                "additionalProperties": { "type": "integer", "exclusiveMinimum": 0, "maximum": 9007199254740991_i64 },
                "any": true,
                "data": { "enum": [{ "$schema": "kept" }, null], "default": null },
            }
        });
        let result = clean(schema);
        let renamed = property_name("$id");
        assert_eq!(
            result,
            json!({ "type": "object", "properties": {
                renamed: { "type": "string" },
                "additionalProperties": { "type": "integer", "minimum": 1 },
                "any": {},
                "data": { "enum": [{ "$schema": "kept" }, null], "default": null },
            }})
        );
    }

    #[test]
    fn the_deepest_levels_take_any_value_and_the_others_stay() {
        let nest = |levels: usize| {
            (0..levels).fold(
                json!({ "type": "string" }),
                |inner, _| json!({ "type": "object", "properties": { "a": inner }, "required": ["a"] }),
            )
        };
        let depth = |mut value: &Value| {
            let mut depth = 0;
            while let Some(inner) = value.get("properties").and_then(|properties| properties.get("a")) {
                (value, depth) = (inner, depth + 1);
            }
            depth
        };
        for (levels, left) in [(1, 1), (46, 46), (47, 47), (48, 47), (60, 47), (200, 47)] {
            let Value::Object(schema) = nest(levels) else { unreachable!("a schema is an object") };
            let clean = sanitize(&schema);
            assert_eq!((depth(&Value::Object(clean.schema)), clean.flattened), (left, levels > 47), "{levels}");
        }
    }

    #[test]
    fn a_schema_that_says_nothing_is_an_object_without_properties() {
        for schema in
            [json!({}), json!({ "type": "string" }), json!({ "type": null, "properties": null, "required": null })]
        {
            assert_eq!(clean(schema), json!({ "type": "object", "properties": {} }));
        }
    }
}
