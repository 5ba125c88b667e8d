//! The model list.

use crate::codec::{ModelCard, PageQuery};
use serde_json::{Map, Value, json};

/// Models on a page when the client names no number, and the most it may ask for.
const PAGE: usize = 50;
const LARGEST_PAGE: usize = 1_000;

/// One model. What is not known is left out; what Google's shape has no field for stands behind it.
pub(super) fn card(model: &ModelCard) -> Value {
    let mut card = Map::new();
    let mut put = |key: &str, value: Value| card.insert(key.to_owned(), value);
    put("name", json!(format!("models/{}", model.id)));
    put("baseModelId", json!(model.alias_of.as_ref().unwrap_or(&model.id)));
    put("version", json!("1"));
    put("displayName", json!(model.name));
    if let Some(description) = &model.description {
        put("description", json!(description));
    }
    if let Some(window) = model.context_window {
        put("inputTokenLimit", json!(window));
    }
    if let Some(output) = model.max_output {
        put("outputTokenLimit", json!(output));
    }
    put("supportedGenerationMethods", json!(["generateContent", "streamGenerateContent", "countTokens"]));
    let inputs = [(true, "text"), (model.images, "image"), (model.documents, "document")];
    let inputs: Vec<&str> = inputs.into_iter().filter_map(|(accepted, name)| accepted.then_some(name)).collect();
    put("inputs", json!(inputs));
    if !model.efforts.is_empty() {
        put("thinking", json!(true));
        put("effortLevels", json!(model.efforts));
    }
    if let Some(multiplier) = model.credit_multiplier {
        put("creditMultiplier", json!(multiplier));
    }
    if let Some(alias_of) = &model.alias_of {
        put("aliasOf", json!(alias_of));
    }
    Value::Object(card)
}

/// A page of models. The token of the next page is the id of the last model of this one; a token that names none begins
/// nothing. This API only pages forward.
pub(super) fn list(models: &[ModelCard], page: &PageQuery) -> Value {
    let limit = page.limit.filter(|limit| *limit > 0).unwrap_or(PAGE).min(LARGEST_PAGE);
    let start = match &page.after {
        Some(after) => models.iter().position(|model| model.id == *after).map_or(models.len(), |index| index + 1),
        None => 0,
    };
    let end = models.len().min(start.saturating_add(limit));
    let shown = &models[start..end];
    let mut list = json!({ "models": shown.iter().map(card).collect::<Vec<_>>() });
    if let Some(last) = shown.last().filter(|_| end < models.len()) {
        list["nextPageToken"] = json!(last.id);
    }
    list
}
