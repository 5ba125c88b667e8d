//! Tool schemas in the dialect the service takes (kiro-upstream §2.3 V12–V14).
//!
//! Schema positions are walked, data positions (`enum`, `const`, `default`, `examples`) are left alone: a property that is
//! called `$id` is not the keyword `$id`.

mod depth;
mod top;

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
    this.reshaped = top::force_object(&mut schema);
    this.walk(&mut schema);
    if !schema.get("properties").is_some_and(Value::is_object) {
        schema.insert("properties".to_owned(), json!({}));
    }
    this.flattened = depth::flatten(&mut schema);
    this.schema = schema;
    this
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

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn clean(schema: Value) -> Value {
        let Value::Object(schema) = schema else { unreachable!("a schema is an object") };
        Value::Object(sanitize(&schema).schema)
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
    fn a_schema_that_says_nothing_is_an_object_without_properties() {
        for schema in
            [json!({}), json!({ "type": "string" }), json!({ "type": null, "properties": null, "required": null })]
        {
            assert_eq!(clean(schema), json!({ "type": "object", "properties": {} }));
        }
    }
}
