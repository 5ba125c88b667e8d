//! Golden cases of Anthropic Messages.

mod support;

use kiro_protocol::anthropic::AnthropicMessages;
use serde_json::Value;
use support::golden::{Suite, check};

#[test]
fn every_case_decodes_and_encodes_as_recorded() {
    check::<AnthropicMessages>(&Suite {
        folder: "anthropic",
        path: "/v1/messages",
        least: 40,
        fold: support::anthropic::fold,
        ids: |list| list["data"].as_array().into_iter().flatten().map(|model| model["id"].clone()).collect::<Value>(),
    });
}
