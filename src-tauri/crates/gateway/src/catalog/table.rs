//! What is known of models before the upstream has said what it offers. The upstream's own list replaces it.

use crate::upstream::{Caching, UpstreamModel};
use std::sync::Arc;

const K: u64 = 1000;

/// Id, display name, window, output limit, images, credits multiplier.
type Row = (&'static str, &'static str, u64, u64, bool, Option<f64>);

const ROWS: [Row; 17] = [
    ("auto", "Auto", 200 * K, 64 * K, true, Some(1.0)),
    ("claude-opus-5", "Claude Opus 5", 1000 * K, 128 * K, true, None),
    ("claude-opus-4.8", "Claude Opus 4.8", 1000 * K, 128 * K, true, None),
    ("claude-opus-4.7", "Claude Opus 4.7", 1000 * K, 128 * K, true, Some(2.2)),
    ("claude-opus-4.6", "Claude Opus 4.6", 1000 * K, 64 * K, true, Some(2.2)),
    ("claude-opus-4.5", "Claude Opus 4.5", 200 * K, 64 * K, true, Some(2.2)),
    ("claude-sonnet-5", "Claude Sonnet 5", 1000 * K, 64 * K, true, Some(1.3)),
    ("claude-sonnet-4.6", "Claude Sonnet 4.6", 1000 * K, 64 * K, true, Some(1.3)),
    ("claude-sonnet-4.5", "Claude Sonnet 4.5", 200 * K, 64 * K, true, Some(1.3)),
    ("claude-sonnet-4", "Claude Sonnet 4", 200 * K, 64 * K, true, Some(1.3)),
    ("claude-haiku-4.5", "Claude Haiku 4.5", 200 * K, 64 * K, true, Some(0.4)),
    ("gpt-5.6-sol", "GPT-5.6 Sol", 272 * K, 128 * K, true, Some(2.4)),
    ("gpt-5.6-terra", "GPT-5.6 Terra", 272 * K, 128 * K, true, Some(1.2)),
    ("deepseek-3.2", "DeepSeek 3.2", 128 * K, 64 * K, false, Some(0.25)),
    ("minimax-m2.5", "MiniMax M2.5", 200 * K, 64 * K, false, Some(0.25)),
    ("glm-5", "GLM-5", 200 * K, 64 * K, false, Some(0.5)),
    ("qwen3-coder-next", "Qwen3 Coder Next", 256 * K, 64 * K, false, Some(0.05)),
];

/// The table as a list.
pub(super) struct Table(pub(super) Arc<Vec<UpstreamModel>>);

impl Default for Table {
    fn default() -> Self {
        Self(Arc::new(ROWS.iter().map(model).collect()))
    }
}

fn model((id, name, window, max_output, images, multiplier): &Row) -> UpstreamModel {
    UpstreamModel {
        id: (*id).to_owned(),
        name: (*name).to_owned(),
        window: Some(*window),
        max_output: Some(*max_output),
        images: *images,
        caching: Caching::default(),
        multiplier: *multiplier,
        fields_schema: None,
        documents: false,
        description: None,
    }
}
