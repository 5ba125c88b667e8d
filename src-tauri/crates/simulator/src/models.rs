//! The model catalogue: what ListAvailableModels lists, what a model accepts, what it costs.

use serde_json::{Value, json};

const CATALOGUE: &str = include_str!("../data/list-available-models.json");

/// One model; `listing` is what the catalogue call returns.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    pub(crate) id: String,
    pub(crate) window: u64,
    pub(crate) multiplier: f64,
    pub(crate) images: bool,
    pub(crate) documents: bool,
    pub(crate) fields_schema: Option<Value>,
    pub(crate) listing: Value,
}

/// All models.
#[derive(Debug)]
pub(crate) struct Models {
    pub(crate) all: Vec<Model>,
    pub(crate) default: Value,
}

impl Models {
    pub(crate) fn load() -> Self {
        let data: Value = serde_json::from_str(CATALOGUE).expect("the embedded catalogue is checked by a test");
        let pages = data["pages"].as_array().cloned().unwrap_or_default();
        let mut listings: Vec<Value> =
            pages.iter().flat_map(|p| p["response"]["models"].as_array().cloned().unwrap_or_default()).collect();
        // Ids of kiro-upstream §9.2 that the sample pages leave out.
        listings.extend(more_models());
        let all = listings.into_iter().map(Model::from_listing).collect();
        Self { all, default: pages.first().map_or(Value::Null, |p| p["response"]["defaultModel"].clone()) }
    }

    /// Ids are compared without case (kiro-upstream §9.1).
    pub(crate) fn find(&self, id: &str) -> Option<&Model> {
        self.all.iter().find(|m| m.id.eq_ignore_ascii_case(id))
    }
}

impl Model {
    fn from_listing(listing: Value) -> Self {
        let takes =
            |kind: &str| listing["supportedInputTypes"].as_array().is_some_and(|types| types.iter().any(|t| t == kind));
        Self {
            id: listing["modelId"].as_str().unwrap_or_default().to_owned(),
            window: listing["tokenLimits"]["maxInputTokens"].as_u64().unwrap_or(200_000),
            multiplier: listing["rateMultiplier"].as_f64().unwrap_or(1.0),
            images: takes("IMAGE"),
            documents: takes("DOCUMENT"),
            fields_schema: listing.get("additionalModelRequestFieldsSchema").cloned(),
            listing,
        }
    }
}

fn more_models() -> Vec<Value> {
    let effort = |levels: &[&str], thinking: bool| {
        let mut properties = json!({"output_config": {"type": "object", "properties": {"effort": {"type": "string", "enum": levels}}, "additionalProperties": false}});
        if thinking {
            properties["thinking"] = json!({"type": "object", "properties": {
                "type": {"type": "string", "enum": ["adaptive", "disabled"]},
                "display": {"type": "string", "enum": ["summarized", "omitted"]}}, "additionalProperties": false});
        }
        json!({"type": "object", "properties": properties, "additionalProperties": false})
    };
    let five = ["low", "medium", "high", "xhigh", "max"];
    let claude = |id: &str, name: &str, window: u64, output: u64, rate: f64, inputs: &[&str], schema: Option<Value>| {
        let mut model = json!({
            "modelId": id, "modelName": name, "description": name, "rateMultiplier": rate, "rateUnit": "Credit",
            "supportedInputTypes": inputs, "tokenLimits": {"maxInputTokens": window, "maxOutputTokens": output},
            "promptCaching": {"supportsPromptCaching": true, "minimumTokensPerCacheCheckpoint": 1024, "maximumCacheCheckpointsPerRequest": 4},
        });
        if let Some(schema) = schema {
            model["additionalModelRequestFieldsSchema"] = schema;
        }
        model
    };
    let seen = ["TEXT", "IMAGE"];
    let read = ["TEXT", "IMAGE", "DOCUMENT"];
    vec![
        claude("claude-sonnet-4", "Claude Sonnet 4", 200_000, 64_000, 1.3, &seen, None),
        claude("claude-opus-4.5", "Claude Opus 4.5", 200_000, 64_000, 2.2, &seen, None),
        claude("claude-opus-4.8", "Claude Opus 4.8", 1_000_000, 128_000, 2.2, &seen, Some(effort(&five, true))),
        claude("claude-opus-5", "Claude Opus 5", 1_000_000, 128_000, 2.2, &read, Some(effort(&five, true))),
    ]
}
