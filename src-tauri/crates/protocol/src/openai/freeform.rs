//! Custom tools: the client wants one text, the model can only write JSON. So the model sees a function with the single
//! argument `input`, and the text is taken out of it again.

use crate::conversation::{JsonObject, ToolSpec};
use serde_json::{Value, json};

/// The only argument.
const INPUT: &str = "input";

/// The function that stands for a custom tool. A grammar becomes a part of the description: nothing here can enforce it.
pub(crate) fn tool(name: String, description: &str, grammar: Option<Grammar<'_>>, cache: bool) -> ToolSpec {
    let mut text = description.to_owned();
    if let Some(Grammar { syntax, definition }) = grammar {
        if !text.is_empty() {
            text.push_str("\n\n");
        }
        text.push_str("The whole text of `input` must match this ");
        text.push_str(syntax);
        text.push_str(" grammar:\n");
        text.push_str(definition);
    }
    let properties = json!({ INPUT: { "type": "string", "description": "The text for the tool, and nothing else: no JSON inside, no code fence around it." } });
    let schema = JsonObject::from_iter([
        ("type".to_owned(), json!("object")),
        ("properties".to_owned(), properties),
        ("required".to_owned(), json!([INPUT])),
        ("additionalProperties".to_owned(), json!(false)),
    ]);
    ToolSpec { name, description: text, schema, cache }
}

/// A grammar that the text of a custom tool must match.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Grammar<'a> {
    /// `lark` or `regex`.
    pub(crate) syntax: &'a str,
    /// The rules.
    pub(crate) definition: &'a str,
}

/// The arguments that stand for a text, for calls of earlier turns.
pub(crate) fn arguments(text: String) -> JsonObject {
    JsonObject::from_iter([(INPUT.to_owned(), Value::String(text))])
}

/// The text in the model's arguments. Models that name the argument differently are understood when there is only one;
/// whatever else they write is passed on as it is, so that the client's tool can say what is wrong with it.
pub(crate) fn text(mut arguments: JsonObject) -> String {
    if let Some(Value::String(text)) = arguments.get_mut(INPUT) {
        return std::mem::take(text);
    }
    let mut values = arguments.values_mut();
    match (values.next(), values.next()) {
        (Some(Value::String(text)), None) => std::mem::take(text),
        (None, _) => String::new(),
        (Some(_), _) => Value::Object(arguments).to_string(),
    }
}
