//! The top level of a tool's schema, which the service takes only as an object.

use crate::conversation::JsonObject;
use serde_json::{Value, json};

const COMBINATIONS: [&str; 3] = ["allOf", "anyOf", "oneOf"];

/// Makes the top level an object: follows a local reference, merges alternatives, forces the type. True when it changed.
pub(super) fn force_object(schema: &mut JsonObject) -> bool {
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
    use super::super::tests::clean;
    use super::*;

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
}
