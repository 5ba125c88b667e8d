//! Answers in a form that the request demands: JSON by instruction, or the call of a certain tool.
//!
//! The service has no field for either, so callers ask in words. A sample of the schema is enough of an answer.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Map, Value, json};

use super::reading::{Tool, instructions};

/// An instruction to write JSON and nothing else.
static ONLY_JSON: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)\b(?:only|must|valid|single|exactly one|nothing but)\b[^.\n]{0,80}\bJSON\b|\bJSON\b[^.\n]{0,60}\b(?:only|and nothing else|schema)\b").expect("a constant pattern")
});
/// An instruction to call a tool.
static MUST_CALL: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?i)\b(?:must|have to)\b[^.\n]{0,40}\b(?:call|use)\b").expect("a constant pattern"));
/// How far behind the instruction its schema may stand, and how far from the end of a message an instruction without one.
const NEAR: usize = 600;
/// Deeper schemas are taken for endless ones.
const DEPTH: usize = 16;

/// A value of the form that the request demands, if it demands JSON.
pub(super) fn wanted_json(body: &Value) -> Option<Value> {
    instructions(body).find_map(|text| {
        let mut plain = None;
        for found in ONLY_JSON.find_iter(text) {
            if let Some(schema) = schema_after(text, found.start()) {
                return Some(sample(&schema));
            }
            if text.len() - found.end() < NEAR {
                plain = Some(json!({"answer": "simulated"}));
            }
        }
        plain
    })
}

/// The first JSON object that starts soon behind `at` and looks like a schema.
fn schema_after(text: &str, at: usize) -> Option<Value> {
    let rest = text.get(at..)?;
    rest.match_indices('{').take_while(|(open, _)| *open < NEAR).find_map(|(open, _)| {
        let first = serde_json::Deserializer::from_str(rest.get(open..)?).into_iter::<Value>().next()?.ok()?;
        let schema =
            ["type", "properties", "anyOf", "oneOf", "$ref", "enum"].iter().any(|key| first.get(key).is_some());
        schema.then_some(first)
    })
}

/// The tool that the last instruction of the request tells to call: the one it names, or the first when it names none.
pub(super) fn forced_tool<'a>(body: &Value, offered: &'a [Tool]) -> Option<&'a Tool> {
    instructions(body).find_map(|text| {
        let found = MUST_CALL.find_iter(text).last().filter(|found| text.len() - found.end() < NEAR)?;
        let rest = text.get(found.start()..)?;
        offered.iter().find(|tool| rest.contains(&tool.name)).or_else(|| offered.first())
    })
}

/// A value that a JSON Schema accepts, as small as it allows. Types may be written in capitals, as Google does.
pub(super) fn sample(schema: &Value) -> Value {
    value(schema, schema, 0)
}

fn value(schema: &Value, root: &Value, depth: usize) -> Value {
    if depth > DEPTH {
        return Value::Null;
    }
    if let Some(fixed) = schema.get("const").or_else(|| schema["enum"].get(0)) {
        return fixed.clone();
    }
    if let Some(target) = schema["$ref"].as_str().and_then(|r| root.pointer(r.trim_start_matches('#'))) {
        return value(target, root, depth + 1);
    }
    if let Some(first) = ["anyOf", "oneOf", "allOf"].iter().find_map(|key| schema[*key].get(0)) {
        return value(first, root, depth + 1);
    }
    let named = schema["type"].as_str().or_else(|| schema["type"][0].as_str()).map(str::to_ascii_lowercase);
    let kind = named.as_deref().or_else(|| schema.get("properties").map(|_| "object")).unwrap_or("string");
    match kind {
        "object" => object(schema, root, depth),
        "array" => {
            let least = schema["minItems"].as_u64().unwrap_or(1).min(8);
            (0..least).map(|_| value(&schema["items"], root, depth + 1)).collect()
        }
        "integer" | "number" => number(schema, kind),
        "boolean" => true.into(),
        "null" => Value::Null,
        _ => text(schema),
    }
}

fn object(schema: &Value, root: &Value, depth: usize) -> Value {
    let required = schema["required"].as_array();
    let properties = schema["properties"].as_object().into_iter().flatten();
    let wanted = properties.filter(|(name, _)| required.is_none_or(|r| r.iter().any(|one| one == *name)));
    Value::Object(wanted.map(|(name, below)| (name.clone(), value(below, root, depth + 1))).collect::<Map<_, _>>())
}

fn number(schema: &Value, kind: &str) -> Value {
    if let Some(least) = schema.get("minimum") {
        return least.clone();
    }
    if let Some(bound) = schema["exclusiveMinimum"].as_i64() {
        return (bound + 1).into();
    }
    let most = schema["maximum"].as_i64().unwrap_or(1).min(1);
    if kind == "integer" { most.into() } else { json!(0.5_f64.min(schema["maximum"].as_f64().unwrap_or(0.5))) }
}

fn text(schema: &Value) -> Value {
    let text = match schema["format"].as_str() {
        Some("date") => "2026-11-25",
        Some("date-time") => "2026-11-25T12:00:00Z",
        Some("uri") => "https://example.com/",
        Some("email") => "someone@example.com",
        Some(_) | None => "simulated",
    };
    let least = schema["minLength"].as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or(0).min(10_000);
    let most = schema["maxLength"].as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or(usize::MAX);
    text.chars().cycle().take(text.len().max(least).min(most)).collect::<String>().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(system: &str, current: &str) -> Value {
        json!({"conversationState": {
            "history": [{"userInputMessage": {"content": system}}],
            "currentMessage": {"userInputMessage": {"content": current}},
        }})
    }

    #[test]
    fn an_instruction_with_a_schema_is_answered_with_a_value_of_it() {
        let schema = json!({
            "type": "OBJECT",
            "properties": {
                "why": {"type": "STRING"},
                "score": {"type": "integer", "minimum": 3},
                "tags": {"type": "array", "items": {"enum": ["a", "b"]}},
                "x": {"$ref": "#/$defs/x"},
            },
            "$defs": {"x": {"type": ["boolean", "null"]}},
        });
        let expected = json!({"why": "simulated", "score": 3, "tags": ["a"], "x": true});
        let words = format!("Answer only with JSON that follows this schema:\n```json\n{schema}\n```");
        assert_eq!(wanted_json(&asked("You are kind.", &words)), Some(expected.clone()));
        assert_eq!(wanted_json(&asked(&words, "Which one?")), Some(expected));
    }

    #[test]
    fn without_a_schema_any_object_will_do_and_talk_about_json_asks_for_nothing() {
        assert!(
            wanted_json(&asked("Respond with a single valid JSON object.", "Which one?"))
                .is_some_and(|v| v.is_object())
        );
        assert_eq!(wanted_json(&asked("", "What is JSON?")), None);
        let far = format!("You must write JSON sometimes. {}", "Other things follow here. ".repeat(60));
        assert_eq!(wanted_json(&asked(&far, "hello")), None);
    }

    #[test]
    fn a_tool_that_must_be_called_is_called() {
        let tool = |name: &str| Tool { name: name.to_owned(), properties: Vec::new(), schema: Value::Null };
        let offered = [tool("first"), tool("second")];
        let forced = |words: &str| forced_tool(&asked("", words), &offered).map(|tool| tool.name.clone());
        assert_eq!(forced("Hi.\nYou must call the tool `second` now.").as_deref(), Some("second"));
        assert_eq!(forced("You must call one of the tools.").as_deref(), Some("first"));
        assert_eq!(forced("What can you do?"), None);
    }

    #[test]
    fn bounds_of_a_schema_are_kept() {
        let cases = [
            (json!({"type": "integer", "maximum": -4}), json!(-4)),
            (json!({"type": "number", "exclusiveMinimum": 2}), json!(3)),
            (json!({"type": "string", "maxLength": 3}), json!("sim")),
            (json!({"type": "string", "minLength": 12}), json!("simulatedsim")),
            (json!({"anyOf": [{"type": "null"}, {"type": "string"}]}), Value::Null),
            (json!({"properties": {"a": {}, "b": {}}, "required": ["b"]}), json!({"b": "simulated"})),
        ];
        for (schema, expected) in cases {
            assert_eq!(sample(&schema), expected, "{schema}");
        }
    }
}
