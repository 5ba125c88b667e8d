//! Names: every row of the table of known names, rules, who may be asked, and what can never happen.

use super::*;
use crate::account::test_account as account;
use crate::settings::{AliasListing, MatchKind, ModelRule};
use kiro_protocol::conversation::{Conversation, Effort, Thinking};

mod any_name;
mod lists;
mod names;
mod rules;
mod suffixes;

/// Ids of a paid account's list.
const PAID: [&str; 14] = [
    "auto",
    "claude-opus-5",
    "claude-opus-4.8",
    "claude-opus-4.5",
    "claude-sonnet-5",
    "claude-sonnet-4.6",
    "claude-sonnet-4.5",
    "claude-sonnet-4",
    "claude-haiku-4.5",
    "gpt-5.6-terra",
    "gpt-5.6-sol",
    "gpt-5.6-luna",
    "deepseek-3.2",
    "qwen3-coder-next",
];
/// Ids of a free account's list.
const FREE: [&str; 4] = ["auto", "claude-sonnet-4.5", "claude-sonnet-4", "claude-haiku-4.5"];

fn model(id: &str) -> UpstreamModel {
    let multiplier = match id {
        "gpt-5.6-sol" => Some(2.4),
        "gpt-5.6-terra" => Some(1.2),
        "gpt-5.6-luna" => Some(0.6),
        _ => None,
    };
    UpstreamModel {
        id: id.into(),
        name: id.into(),
        window: Some(200_000),
        max_output: None,
        images: true,
        caching: Default::default(),
        multiplier,
        fields_schema: Some(serde_json::json!({"type": "object"})),
        documents: false,
        description: None,
    }
}

const NO_RULES: Names<'static> = Names { default: "auto", key_rules: &[], rules: &[] };

/// A catalogue with one account per list.
fn house(lists: &[&[&str]]) -> (Catalog, Vec<Arc<Account>>) {
    let catalog = Catalog::default();
    let pool: Vec<_> = (0..lists.len()).map(|at| Arc::new(account(&at.to_string()))).collect();
    for (account, list) in pool.iter().zip(lists) {
        catalog.learned(&account.id, list.iter().map(|id| model(id)).collect());
    }
    (catalog, pool)
}

fn meant(house: &(Catalog, Vec<Arc<Account>>), wish: &str) -> (String, Decider) {
    let resolved = house.0.resolve(wish, &NO_RULES, &house.1).expect("a name");
    (resolved.id, resolved.trace.by)
}
