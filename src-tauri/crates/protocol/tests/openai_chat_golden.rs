//! Golden cases of OpenAI Chat Completions and of the legacy completions.

mod support;

use kiro_protocol::openai_chat::{OpenAiChat, OpenAiCompletions};
use serde_json::Value;
use support::golden::{Suite, check};

fn ids(list: &Value) -> Value {
    list["data"].as_array().into_iter().flatten().map(|model| model["id"].clone()).collect()
}

#[test]
fn every_case_of_chat_completions_decodes_and_encodes_as_recorded() {
    check::<OpenAiChat>(&Suite {
        folder: "openai-chat",
        path: "/v1/chat/completions",
        least: 40,
        fold: support::openai_chat::fold,
        ids,
    });
}

#[test]
fn every_case_of_legacy_completions_decodes_and_encodes_as_recorded() {
    check::<OpenAiCompletions>(&Suite {
        folder: "openai-completions",
        path: "/v1/completions",
        least: 15,
        fold: support::openai_chat::fold_legacy,
        ids,
    });
}
