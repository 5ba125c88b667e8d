//! Arguments of tool calls of earlier turns.
//!
//! Clients send their whole history with every request, so arguments that are not a JSON object (a call that was cut, a
//! model that wrote a list) must never refuse it: the session would be lost. They are kept as text in an object.

use crate::conversation::JsonObject;
use crate::event::parse_tool_input;
use crate::reading::MAX_VALUES;
use crate::reading::notes::Notes;
use serde_json::Value;

/// The argument under which a text that is no JSON object is kept.
const RAW: &str = "raw_arguments";

/// How many values the arguments of one request may hold together. The values in texts are not counted when the body is
/// read, and each costs many times its size once it is read.
#[derive(Debug)]
pub(crate) struct Budget(usize);

impl Default for Budget {
    fn default() -> Self {
        Self(MAX_VALUES)
    }
}

impl Budget {
    /// True when the text may be read; a text that holds too many values costs nothing.
    fn spend(&mut self, text: &str) -> bool {
        let values = 1 + memchr::memchr_iter(b',', text.as_bytes()).count();
        let left = self.0.checked_sub(values);
        self.0 = left.unwrap_or(self.0);
        left.is_some()
    }
}

/// `arguments` as written: a text that should hold a JSON object, or already one.
pub(crate) fn object(arguments: Option<Value>, path: &str, budget: &mut Budget, notes: &mut Notes) -> JsonObject {
    match arguments {
        None | Some(Value::Null) => JsonObject::new(),
        Some(Value::Object(object)) => object,
        Some(Value::String(text)) => budget
            .spend(&text)
            .then(|| parse_tool_input(&text).or_else(|| twice_encoded(&text)))
            .flatten()
            .unwrap_or_else(|| kept(Value::String(text), path, notes)),
        Some(other @ (Value::Bool(_) | Value::Number(_) | Value::Array(_))) => kept(other, path, notes),
    }
}

/// Some clients encode the text once more.
fn twice_encoded(text: &str) -> Option<JsonObject> {
    parse_tool_input(&serde_json::from_str::<String>(text).ok()?)
}

fn kept(arguments: Value, path: &str, notes: &mut Notes) -> JsonObject {
    notes.add("tool_arguments_kept_as_text", path, "arguments that are no JSON object were kept as text");
    JsonObject::from_iter([(RAW.to_owned(), arguments)])
}
