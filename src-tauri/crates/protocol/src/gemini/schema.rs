//! Google's schema dialect into JSON Schema.
//!
//! The dialect is a part of OpenAPI 3.0: types in upper case, `nullable`, numbers of 64 bits as texts, members in camel or
//! snake case, and `propertyOrdering`. Clients mix both dialects, so JSON Schema passes through unharmed.

use crate::conversation::JsonObject;
use serde_json::{Map, Value, json};

/// The schema as JSON Schema. What is no object says nothing about its value.
pub(super) fn json_schema(schema: Value) -> Value {
    match schema {
        Value::Object(schema) => Value::Object(object(schema)),
        other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => other,
    }
}

/// The same for a schema that is an object.
pub(super) fn object(schema: JsonObject) -> JsonObject {
    let mut out = Map::with_capacity(schema.len());
    let (mut nullable, mut order) = (false, None);
    for (key, value) in schema {
        let key = json_name(key);
        match key.as_str() {
            "type" => {
                if let Some(value) = type_name(value) {
                    out.insert(key, value);
                }
            }
            "nullable" => nullable = value == Value::Bool(true),
            "propertyOrdering" => order = value.as_array().cloned(),
            "example" => {
                out.entry("examples").or_insert_with(|| json!([value]));
            }
            // `enum` is how the dialect marks a text with listed values.
            "format" if value == "enum" => {}
            "minItems" | "maxItems" | "minLength" | "maxLength" | "minProperties" | "maxProperties" => {
                out.insert(key, number(value));
            }
            "items" | "additionalProperties" | "not" | "if" | "then" | "else" | "contains" | "propertyNames" => {
                out.insert(key, one_or_many(value));
            }
            "anyOf" | "oneOf" | "allOf" | "prefixItems" => {
                out.insert(key, one_or_many(value));
            }
            "properties" | "patternProperties" | "$defs" | "definitions" | "dependentSchemas" => {
                out.insert(key, members(value));
            }
            _ => {
                out.insert(key, value);
            }
        }
    }
    if let (Some(order), Some(Value::Object(properties))) = (order, out.get_mut("properties")) {
        reorder(properties, &order);
    }
    if nullable {
        allow_null(&mut out);
    }
    out
}

/// Names that the dialect also writes in snake case, and its own names for references.
fn json_name(key: String) -> String {
    let name = match key.as_str() {
        "any_of" => "anyOf",
        "one_of" => "oneOf",
        "all_of" => "allOf",
        "prefix_items" => "prefixItems",
        "min_items" => "minItems",
        "max_items" => "maxItems",
        "min_length" => "minLength",
        "max_length" => "maxLength",
        "min_properties" => "minProperties",
        "max_properties" => "maxProperties",
        "property_ordering" => "propertyOrdering",
        "additional_properties" => "additionalProperties",
        "defs" => "$defs",
        "ref" => "$ref",
        _ => return key,
    };
    name.to_owned()
}

/// `STRING` → `string`. A type that says nothing is left out.
fn type_name(value: Value) -> Option<Value> {
    match value {
        Value::String(name) if name.eq_ignore_ascii_case("TYPE_UNSPECIFIED") => None,
        Value::String(name) => Some(Value::String(name.to_ascii_lowercase())),
        Value::Array(names) => Some(Value::Array(names.into_iter().filter_map(type_name).collect())),
        other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) => Some(other),
    }
}

fn number(value: Value) -> Value {
    match value.as_str().and_then(|text| text.parse::<i64>().ok()) {
        Some(number) => json!(number),
        None => value,
    }
}

fn one_or_many(value: Value) -> Value {
    match value {
        Value::Array(list) => Value::Array(list.into_iter().map(json_schema).collect()),
        other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_)) => {
            json_schema(other)
        }
    }
}

fn members(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            Value::Object(map.into_iter().map(|(name, schema)| (name, json_schema(schema))).collect())
        }
        other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => other,
    }
}

/// Models write members in the order in which the schema lists them.
fn reorder(properties: &mut JsonObject, order: &[Value]) {
    let mut rest = std::mem::take(properties);
    for name in order.iter().filter_map(Value::as_str) {
        if let Some(schema) = rest.shift_remove(name) {
            properties.insert(name.to_owned(), schema);
        }
    }
    properties.extend(rest);
}

/// `null` joins the types, and the listed values if there are any.
fn allow_null(schema: &mut JsonObject) {
    match schema.get_mut("type") {
        Some(Value::Array(names)) => {
            if !names.contains(&json!("null")) {
                names.push(json!("null"));
            }
        }
        Some(Value::String(name)) if name != "null" => schema["type"] = json!([name, "null"]),
        Some(_) => {}
        None => {
            if let Some(Value::Array(choices)) = schema.get_mut("anyOf") {
                choices.push(json!({ "type": "null" }));
            }
        }
    }
    if let Some(Value::Array(values)) = schema.get_mut("enum")
        && !values.contains(&Value::Null)
    {
        values.push(Value::Null);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dialect_becomes_json_schema() {
        let google = json!({
            "type": "OBJECT",
            "property_ordering": ["b", "a"],
            "required": ["a"],
            "properties": {
                "a": { "type": "STRING", "nullable": true, "enum": ["x", "y"], "format": "enum" },
                "b": { "type": "ARRAY", "items": { "type": "INTEGER", "format": "int64" }, "minItems": "1", "max_items": "9" },
                "c": { "any_of": [{ "type": "NUMBER" }, { "type": "BOOLEAN" }], "nullable": true },
                "type": { "type": "TYPE_UNSPECIFIED", "example": 5 },
            },
        });
        let expected = json!({
            "type": "object",
            "required": ["a"],
            "properties": {
                "b": { "type": "array", "items": { "type": "integer", "format": "int64" }, "minItems": 1, "maxItems": 9 },
                "a": { "type": ["string", "null"], "enum": ["x", "y", null] },
                "c": { "anyOf": [{ "type": "number" }, { "type": "boolean" }, { "type": "null" }] },
                "type": { "examples": [5] },
            },
        });
        let converted = json_schema(google);
        assert_eq!(converted, expected);
        let order: Vec<&String> = converted["properties"].as_object().expect("an object").keys().collect();
        assert_eq!(order, ["b", "a", "c", "type"]);
    }

    #[test]
    fn json_schema_passes_through() {
        let schema = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema", "type": ["object", "null"],
            "properties": { "nullable": { "const": "TYPE" }, "any_of": { "default": "STRING" } },
            "additionalProperties": false, "items": [{ "type": "string" }, true], "$defs": { "A": { "not": {} } },
        });
        assert_eq!(json_schema(schema.clone()), schema);
    }
}
