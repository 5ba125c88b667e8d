//! The model list.

use crate::codec::{ModelCard, PageQuery};
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Most models on one page, and the number when the client names none.
const PAGE: usize = 1_000;

/// One model. Fields after `created_at` are left out when they are not known.
pub(super) fn card(model: &ModelCard) -> Value {
    let mut card = Map::new();
    card.insert("type".to_owned(), json!("model"));
    card.insert("id".to_owned(), json!(model.id));
    card.insert("display_name".to_owned(), json!(model.name));
    card.insert("created_at".to_owned(), json!(rfc3339(model.created)));
    if let Some(window) = model.context_window {
        card.insert("max_input_tokens".to_owned(), json!(window));
        card.insert("context_window".to_owned(), json!(window));
    }
    if let Some(output) = model.max_output {
        card.insert("max_tokens".to_owned(), json!(output));
    }
    card.insert("capabilities".to_owned(), capabilities(model));
    if let Some(multiplier) = model.credit_multiplier {
        card.insert("credit_multiplier".to_owned(), json!(multiplier));
    }
    for (name, text) in [("description", &model.description), ("alias_of", &model.alias_of)] {
        if let Some(text) = text {
            card.insert(name.to_owned(), json!(text));
        }
    }
    Value::Object(card)
}

fn capabilities(model: &ModelCard) -> Value {
    let mut effort = Map::new();
    effort.insert("supported".to_owned(), json!(!model.efforts.is_empty()));
    for level in &model.efforts {
        effort.insert(level.clone(), json!({ "supported": true }));
    }
    json!({
        "image_input": { "supported": model.images },
        "pdf_input": { "supported": model.documents },
        "effort": effort,
    })
}

/// A page of models. An id that does not exist begins nothing: the page is empty.
pub(super) fn list(models: &[ModelCard], page: &PageQuery) -> Value {
    let position = |id: &String| models.iter().position(|model| model.id == *id);
    let limit = page.limit.unwrap_or(PAGE).clamp(1, PAGE);
    let (range, has_more) = match (&page.after, &page.before) {
        (Some(after), _) => {
            let start = position(after).map_or(models.len(), |index| index + 1);
            let end = models.len().min(start.saturating_add(limit));
            (start..end, end < models.len())
        }
        (None, Some(before)) => {
            let end = position(before).unwrap_or(0);
            let start = end.saturating_sub(limit);
            (start..end, start > 0)
        }
        (None, None) => {
            let end = models.len().min(limit);
            (0..end, end < models.len())
        }
    };
    let shown = &models[range];
    json!({
        "data": shown.iter().map(card).collect::<Vec<_>>(),
        "has_more": has_more,
        "first_id": shown.first().map(|model| &model.id),
        "last_id": shown.last().map(|model| &model.id),
    })
}

fn rfc3339(seconds: u64) -> String {
    i64::try_from(seconds)
        .ok()
        .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
        .and_then(|time| time.format(&Rfc3339).ok())
        .unwrap_or_else(|| "1970-01-01T00:00:00Z".to_owned())
}
