//! Golden cases of Gemini generateContent.

mod support;

use kiro_protocol::gemini::Gemini;
use serde_json::Value;
use support::golden::{Suite, check};

#[test]
fn every_case_decodes_and_encodes_as_recorded() {
    check::<Gemini>(&Suite {
        folder: "gemini",
        path: "/v1beta/models/claude-sonnet-4.5:generateContent",
        least: 40,
        fold: support::gemini::fold,
        ids: |list| {
            list["models"].as_array().into_iter().flatten().map(|model| model["name"].clone()).collect::<Value>()
        },
    });
}
