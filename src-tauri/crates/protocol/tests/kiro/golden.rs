//! Golden requests: `tests/fixtures/kiro/request/*.json` hold a conversation, the body that is built from it, and the
//! notices. `UPDATE_GOLDEN=1` rewrites body and notices; people read the diff.

use super::mirror::{Context, Input};
use super::rules::violations;
use super::support::{fixtures, sample};
use kiro_protocol::kiro::request::build;
use serde_json::{Value, json};

#[test]
fn golden_requests_are_built_as_recorded() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut count = 0;
    for entry in std::fs::read_dir(fixtures().join("kiro/request")).expect("golden folder") {
        let path = entry.expect("entry").path();
        let name = path.display().to_string();
        let text = std::fs::read_to_string(&path).expect("readable");
        let mut golden: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let context: Context = serde_json::from_value(golden["context"].clone()).expect("context");
        let input: Input =
            serde_json::from_value(golden["conversation"].clone()).unwrap_or_else(|e| panic!("{name}: {e}"));
        let built = build(&input.build(), &context.build());
        let body: Value = serde_json::from_slice(&built.to_bytes(None)).expect("JSON");
        assert_eq!(violations(&body), Vec::<String>::new(), "{name}");
        assert_eq!(serde_json::to_value(built.request()).expect("JSON"), body, "{name}: bytes and value agree");
        let notices =
            json!(built.notices.iter().map(|notice| format!("{} {}", notice.code, notice.path)).collect::<Vec<_>>());
        if update {
            golden["body"] = body;
            golden["notices"] = notices;
            let text = serde_json::to_string_pretty(&golden).expect("JSON") + "\n";
            std::fs::write(&path, text).expect("writable");
        } else {
            // Compared as text, so that the order of the fields counts.
            assert_eq!(format!("{:#}", golden["body"]), format!("{body:#}"), "{name}");
            assert_eq!(golden["notices"], notices, "{name}");
        }
        count += 1;
    }
    assert!(count >= 12, "{count} golden requests");
}

/// The recorded good requests keep every rule, else the checker itself would be wrong.
#[test]
fn recorded_good_requests_pass_the_checker() {
    for file in ["minimal", "tools", "thinking", "media"] {
        let sample = sample(&format!("generate-request-{file}.json"));
        for case in sample["cases"].as_array().expect("cases") {
            let name = case["name"].as_str().unwrap_or_default();
            if !name.starts_with("negative") {
                assert_eq!(violations(&case["body"]), Vec::<String>::new(), "{name}");
            }
        }
    }
}
