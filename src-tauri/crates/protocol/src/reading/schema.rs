//! Schemas of tools that a client knows by name only.

use crate::conversation::JsonObject;
use serde_json::{Value, json};

/// The schema of an object with these properties.
pub(crate) fn object_schema(properties: Value, required: &[&str]) -> JsonObject {
    let mut schema = JsonObject::new();
    schema.insert("type".to_owned(), json!("object"));
    schema.insert("properties".to_owned(), properties);
    if !required.is_empty() {
        schema.insert("required".to_owned(), json!(required));
    }
    schema
}
