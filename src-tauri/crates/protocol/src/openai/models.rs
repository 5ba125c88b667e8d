//! The model list: OpenAI's own shape, our further facts beside it, and the catalogue that Codex reads.
//!
//! OpenAI's list has no pages, so a page that was asked for is not looked at: clients that know no pages would take a
//! part for everything.

use crate::codec::ModelCard;
use serde_json::{Map, Value, json};

/// What Codex tells the model about its work when the catalogue, and not Codex itself, names the base prompt.
const BASE_INSTRUCTIONS: &str = "You are a coding agent that runs in Codex CLI, a terminal program on the user's computer. \
You and the user share one workspace.\n\n\
- Keep going until the task is solved; use the tools you are given to look, change and check, instead of guessing.\n\
- Read the files that matter before you change them, and follow AGENTS.md files whose folder holds what you change.\n\
- Make the smallest change that solves the problem at its root, in the style of the code around it. Do not undo changes \
that are not yours, and do not commit unless you are asked to.\n\
- Prefer `rg` for searching. Check your work with the project's own tests and linters where there are some.\n\
- Commands may be sandboxed or need approval; when one is refused, say so and go another way or ask for permission.\n\
- Before longer work, say in a sentence what you are about to do. At the end, tell briefly what was done, where, and what \
could not be checked. Name files as paths with a line, for example `src/main.rs:42`.";

/// Effort levels that Codex knows; an unknown one would make it throw the whole catalogue away.
const CODEX_EFFORTS: [(&str, &str); 5] = [
    ("minimal", "Hardly any reasoning"),
    ("low", "Fast answers with little reasoning"),
    ("medium", "Balances speed and depth of reasoning"),
    ("high", "More reasoning for hard problems"),
    ("xhigh", "Most reasoning for the hardest problems"),
];

/// The list.
pub(crate) fn list(models: &[ModelCard]) -> Value {
    json!({
        "object": "list",
        "data": models.iter().map(card).collect::<Vec<_>>(),
        "models": models.iter().zip(1_u32..).map(|(model, priority)| codex(model, priority)).collect::<Vec<_>>(),
    })
}

/// One model. Facts that are not known are left out.
pub(crate) fn card(model: &ModelCard) -> Value {
    let mut card = Map::new();
    let mut put = |key: &str, value: Value| card.insert(key.to_owned(), value);
    put("id", json!(model.id));
    put("object", json!("model"));
    put("created", json!(model.created));
    put("owned_by", json!("kiro"));
    put("name", json!(model.name));
    if let Some(description) = &model.description {
        put("description", json!(description));
    }
    if let Some(window) = model.context_window {
        put("context_window", json!(window));
    }
    if let Some(output) = model.max_output {
        put("max_output_tokens", json!(output));
    }
    put("input_modalities", inputs(model, "document"));
    put("effort_levels", json!(model.efforts));
    if let Some(multiplier) = model.credit_multiplier {
        put("credit_multiplier", json!(multiplier));
    }
    if let Some(model) = &model.alias_of {
        put("alias_of", json!(model));
    }
    Value::Object(card)
}

/// What a model takes in. Documents are named by whoever has a word for them.
fn inputs(model: &ModelCard, document: &str) -> Value {
    let kinds = [(true, "text"), (model.images, "image"), (model.documents && !document.is_empty(), document)];
    kinds.into_iter().filter(|(known, _)| *known).map(|(_, kind)| kind).collect()
}

/// One entry of the catalogue. Its fields are those without which Codex refuses the entry, and those that help it.
fn codex(model: &ModelCard, priority: u32) -> Value {
    let levels: Vec<_> =
        CODEX_EFFORTS.iter().filter(|(effort, _)| model.efforts.iter().any(|has| has == effort)).collect();
    let mut entry = json!({
        "slug": model.id,
        "display_name": model.name,
        "supported_reasoning_levels": levels
            .iter()
            .map(|(effort, description)| json!({ "effort": effort, "description": description }))
            .collect::<Vec<_>>(),
        "shell_type": "shell_command",
        // Aliases are understood, and only crowd the picker.
        "visibility": if model.alias_of.is_some() { "hide" } else { "list" },
        "supported_in_api": true,
        "priority": priority,
        "support_verbosity": false,
        "truncation_policy": { "mode": "tokens", "limit": 10_000 },
        "experimental_supported_tools": [],
        "base_instructions": BASE_INSTRUCTIONS,
        "input_modalities": inputs(model, ""),
        "supports_reasoning_summaries": !levels.is_empty(),
        "supports_parallel_tool_calls": true,
    });
    if let Some(description) = &model.description {
        entry["description"] = json!(description);
    }
    if let Some(window) = model.context_window {
        entry["context_window"] = json!(window);
    }
    if let Some(default) = levels.iter().find(|(effort, _)| *effort == "medium").or_else(|| levels.first()) {
        entry["default_reasoning_level"] = json!(default.0);
    }
    entry
}
