//! What real clients really sent, in shape: each recorded request is answered, and what it becomes breaks no rule upstream.
//! `scripts/transcripts.sh` records them anew.

use std::path::{Path, PathBuf};

use http::StatusCode;
use serde_json::Value;

use crate::harness::World;

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder of transcripts") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Everything that a right end of an answer has, by the path that was asked.
fn complete(path: &str, content_type: &str, text: &str) -> bool {
    let stream = content_type.starts_with("text/event-stream");
    match (path, stream) {
        (p, true) if p.ends_with("/messages") => text.contains("event: message_stop"),
        (p, true) if p.ends_with("/responses") => text.contains("\"type\":\"response.completed\""),
        (p, true) if p.ends_with("/chat/completions") => text.trim_end().ends_with("data: [DONE]"),
        (p, true) if p.ends_with(":streamGenerateContent") => text.contains("\"finishReason\":\"STOP\""),
        (_, true) => false,
        (_, false) => serde_json::from_str::<Value>(text).is_ok_and(|body| body.get("error").is_none()),
    }
}

#[tokio::test]
async fn every_recorded_request_is_answered_and_breaks_no_rule_upstream() {
    let world = World::start().await;
    let files = files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/fixtures/transcripts"));
    assert!(files.len() >= 10, "only {} transcripts", files.len());
    let mut wrong = Vec::new();
    for file in files {
        let name = file.iter().rev().take(2).map(|part| part.to_string_lossy()).collect::<Vec<_>>().join(" of ");
        let transcript: Value =
            serde_json::from_slice(&std::fs::read(&file).expect("a transcript")).expect("a transcript is JSON");
        let path = transcript["path"].as_str().expect("a path");
        let mut request =
            world.http.post(format!("{}{path}?{}", world.url, transcript["query"].as_str().unwrap_or_default()));
        for (header, value) in transcript["headers"].as_object().expect("headers") {
            // The client's own way of reading and its session stay; compression is no business of the recording.
            if header != "accept-encoding" {
                request = request.header(header, value.as_str().expect("text"));
            }
        }
        let before = world.control.violations().len();
        let answer =
            request.bearer_auth(&world.key).body(transcript["body"].to_string()).send().await.expect("an answer");
        let status = answer.status();
        let kind = answer.headers().get("content-type").and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
        let text = answer.text().await.expect("a whole answer");
        if status != StatusCode::OK || !complete(path, &kind, &text) {
            wrong.push(format!("{name}: {status} {kind}: {}", text.chars().take(600).collect::<String>()));
        }
        for violation in &world.control.violations()[before..] {
            wrong.push(format!("{name}: {violation:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
