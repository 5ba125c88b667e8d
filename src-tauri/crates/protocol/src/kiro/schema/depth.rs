//! How deep a tool's schema may be.

use crate::conversation::JsonObject;
use serde_json::Value;

/// Most levels of JSON in a schema. The service's parser gives up at about 128 in the whole body, of which some are around the
/// schema; sixty levels of properties are that many.
const MAX_DEPTH: usize = 96;

/// Cuts off what lies deeper than the service reads. What is left is still a schema: one without properties takes any value. True
/// when something was cut off.
pub(super) fn flatten(schema: &mut JsonObject) -> bool {
    flatten_object(schema, MAX_DEPTH)
}

/// Leaves at most so many levels, this object being one of them.
fn flatten_object(object: &mut JsonObject, levels: usize) -> bool {
    if levels == 1 {
        let before = object.len();
        object.retain(|_, value| !is_filled(value));
        return object.len() < before;
    }
    object.values_mut().fold(false, |cut, value| flatten_in(value, levels - 1) | cut)
}

fn flatten_in(value: &mut Value, levels: usize) -> bool {
    match value {
        Value::Object(object) => flatten_object(object, levels),
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

#[cfg(test)]
mod tests {
    use super::super::sanitize;
    use serde_json::{Value, json};

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
}
