//! The form an answer must have. The model is asked for it in words, so it has to be checked.

use kiro_protocol::codec::Notice;
use kiro_protocol::conversation::OutputFormat;
use serde_json::Value;

/// What an answer has to be.
#[derive(Debug)]
enum Shape {
    /// Any JSON object.
    Object,
    /// Valid JSON; against the schema, when it could be used.
    Json(Option<Box<jsonschema::Validator>>),
    /// One of these texts.
    OneOf(Vec<String>),
}

/// A form, ready to check answers.
#[derive(Debug)]
pub(super) struct Form {
    shape: Shape,
    /// An answer of another form is worse than none.
    pub(super) strict: bool,
}

impl Form {
    /// A schema that cannot be used, such as one that points elsewhere, is not checked against: nothing is ever fetched.
    pub(super) fn new(format: &OutputFormat, notices: &mut Vec<Notice>) -> Self {
        match format {
            OutputFormat::JsonObject => Self { shape: Shape::Object, strict: false },
            OutputFormat::JsonSchema { schema, strict, .. } => {
                let validator = jsonschema::options().with_retriever(Nowhere).build(schema);
                if validator.is_err() {
                    let detail = "the schema cannot be used here; the answer is only checked to be JSON";
                    notices.push(Notice::new("format_schema_unusable", "", detail));
                }
                Self { shape: Shape::Json(validator.ok().map(Box::new)), strict: *strict }
            }
            // Clients of this API repeat a failed request up to ten times, each of them paid.
            OutputFormat::OneOf { values } => Self { shape: Shape::OneOf(values.clone()), strict: false },
        }
    }

    /// The answer without what does not belong to it, or what is wrong with it in one line for the model.
    pub(super) fn check<'a>(&self, answer: &'a str) -> Result<&'a str, String> {
        let answer = bare(answer);
        let parsed = || serde_json::from_str(answer).map_err(|error| format!("it is not valid JSON: {error}"));
        match &self.shape {
            Shape::OneOf(values) => one_of(values, answer),
            Shape::Object => {
                let value: Value = parsed()?;
                if value.is_object() { Ok(answer) } else { Err("it is not a JSON object".to_owned()) }
            }
            Shape::Json(schema) => {
                let value: Value = parsed()?;
                match schema.as_ref().and_then(|schema| schema.iter_errors(&value).next()) {
                    None => Ok(answer),
                    Some(error) => {
                        let words: String = error.to_string().chars().take(300).collect();
                        let place = error.instance_path().to_string();
                        Err(if place.is_empty() { words } else { format!("at {place}: {words}") })
                    }
                }
            }
        }
    }
}

/// One of the values, without the quotes and stars that models like to put around a word. A value with quotes at its own ends
/// is taken as it is.
fn one_of<'a>(values: &[String], answer: &'a str) -> Result<&'a str, String> {
    let unquoted = answer.trim_matches(['"', '\'', '`', '*']).trim();
    let listed = |text: &&str| values.iter().any(|value| value == text);
    [answer, unquoted].into_iter().find(listed).ok_or_else(|| "it is none of the listed values".to_owned())
}

/// Schemas do not make the gateway call anybody.
struct Nowhere;

impl jsonschema::Retrieve for Nowhere {
    fn retrieve(&self, uri: &jsonschema::Uri<String>) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
        Err(format!("{uri} is not followed").into())
    }
}

/// Without white space, byte order mark and a code fence around everything.
fn bare(answer: &str) -> &str {
    let answer = answer.trim_start_matches('\u{feff}').trim();
    let Some(inner) = answer.strip_prefix("```").and_then(|rest| rest.strip_suffix("```")) else { return answer };
    // The rest of the opening line names a language.
    match inner.split_once('\n') {
        Some((language, inner)) if language.trim().chars().all(|c| c.is_ascii_alphanumeric()) => inner.trim(),
        Some(_) | None => inner.trim(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn form(schema: Value) -> (Form, Vec<Notice>) {
        let mut notices = Vec::new();
        let form = Form::new(&OutputFormat::JsonSchema { name: None, schema, strict: true }, &mut notices);
        (form, notices)
    }

    #[test]
    fn a_fence_around_the_answer_is_not_part_of_it() {
        let form = Form::new(&OutputFormat::JsonObject, &mut Vec::new());
        for answer in
            ["{\"a\":1}", "```json\n{\"a\":1}\n```", " \n```\n{\"a\":1}\n```\n", "\u{feff}{\"a\":1}", "```{\"a\":1}```"]
        {
            assert_eq!(form.check(answer), Ok("{\"a\":1}"), "{answer}");
        }
        // A fence inside a value stays.
        let inside = "{\"a\":\"```js\\nx\\n```\"}";
        assert_eq!(form.check(inside), Ok(inside));
    }

    #[test]
    fn what_is_wrong_is_said_in_words_for_the_model() {
        let (form, _) =
            form(json!({ "type": "object", "properties": { "a": { "type": "integer" } }, "required": ["a"] }));
        assert_eq!(form.check("{\"a\": 1}"), Ok("{\"a\": 1}"));
        let wrong = form.check("{\"a\": \"x\"}").expect_err("wrong type");
        assert!(wrong.contains("/a") && wrong.contains("integer"), "{wrong}");
        assert!(form.check("{}").expect_err("missing").contains("required"));
        assert!(form.check("Sure! {}").expect_err("no JSON").contains("not valid JSON"));
        assert!(Form::new(&OutputFormat::JsonObject, &mut Vec::new()).check("[1]").is_err());
    }

    #[test]
    fn one_of_the_listed_values_stands_alone() {
        let values = ["Percussion", "String", "Say \"no\""].map(str::to_owned).to_vec();
        let form = Form::new(&OutputFormat::OneOf { values }, &mut Vec::new());
        for (answer, value) in [
            ("String", "String"),
            (" String\n", "String"),
            ("\"String\"", "String"),
            ("**Percussion**", "Percussion"),
            ("Say \"no\"", "Say \"no\""),
        ] {
            assert_eq!(form.check(answer), Ok(value), "{answer}");
        }
        for other in ["", "string", "String.", "It is a String", "Percussion, String"] {
            assert!(form.check(other).is_err(), "{other}");
        }
    }

    #[test]
    fn a_schema_that_points_elsewhere_is_never_followed() {
        for schema in [
            json!({ "$ref": "http://127.0.0.1:9/schema.json" }),
            json!({ "$ref": "file:///etc/passwd" }),
            json!({ "type": 7 }),
        ] {
            let (form, notices) = form(schema);
            assert_eq!(notices.len(), 1);
            assert_eq!((form.check("[]"), form.check("no").is_err()), (Ok("[]"), true));
        }
    }

    #[test]
    fn references_inside_the_schema_are_followed() {
        let (form, notices) = form(json!({ "$ref": "#/$defs/x", "$defs": { "x": { "type": "array" } } }));
        assert!(notices.is_empty());
        assert_eq!((form.check("[]"), form.check("{}").is_err()), (Ok("[]"), true));
    }
}
