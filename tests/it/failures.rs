//! Every known error of the upstream in every protocol: status, the headers that clients act on, and the body, held by one
//! fixture each. `UPDATE_GOLDEN=1` writes them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use futures_util::StreamExt as _;
use kiro_gateway::clock::{ManualClock, Timestamp};
use kiro_simulator::{Answer, Script, Target};
use serde_json::{Map, Value, json};

use crate::harness::Plan;
use crate::speakers::Api;

/// So many in a row that no second try gets anything else.
const TRIES: usize = 12;

async fn failure(api: Api, id: &str) -> Value {
    // How long an account pauses differs with the moment: always the same one here.
    let clock = Arc::new(ManualClock::new(Timestamp::from_unix_seconds(1_795_800_000)));
    let world = Plan::default().set("limits.retries", 0).options(|options| options.clock = clock).start().await;
    for _ in 0..TRIES {
        world.control.enqueue(Target::Any, Script { answer: Answer::Error(id.into()), ..Script::default() });
    }
    let answer = world.post(&api.path(false)).json(&api.ask("hello", false)).send().await.unwrap();
    let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let mut headers = Map::new();
    for name in ["content-type", "retry-after", "x-should-retry", "x-kiro-proxy-code"] {
        if let Some(value) = header(name) {
            headers.insert(name.to_owned(), value.into());
        }
    }
    let (status, request) = (answer.status(), header("request-id").expect("an id"));
    let text = answer.text().await.unwrap().replace(&request, "REQUEST");
    let body: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{api:?} {id}: {text}"));
    assert!(!status.is_success(), "{api:?} {id}: {status} {body}");
    api.assert_failure_form(id, &body);
    json!({"status": status.as_u16(), "headers": headers, "body": body})
}

async fn check(api: Api) {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../../tests/fixtures/failures/{}.json", api.name()));
    let ids = {
        let world = Plan { listen: false, ..Plan::default() }.start().await;
        world.control.error_ids()
    };
    let found: BTreeMap<String, Value> = futures_util::stream::iter(ids)
        .map(|id| async move {
            let failure = failure(api, &id).await;
            (id, failure)
        })
        .buffer_unordered(8)
        .collect()
        .await;
    assert!(found.len() >= 49);
    if std::env::var("UPDATE_GOLDEN").is_ok() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, serde_json::to_string_pretty(&found).unwrap() + "\n").unwrap();
    }
    let kept: BTreeMap<String, Value> =
        serde_json::from_slice(&std::fs::read(&path).unwrap_or_default()).unwrap_or_default();
    for (id, failure) in &found {
        assert_eq!(Some(failure), kept.get(id), "{} of {}", id, path.display());
    }
    assert!(kept.keys().eq(found.keys()), "an entry that nothing produces: {:?}", kept.keys().collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn anthropic_clients_read_every_error_of_the_upstream_as_the_fixtures_say() {
    check(Api::Anthropic).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn chat_clients_read_every_error_of_the_upstream_as_the_fixtures_say() {
    check(Api::Chat).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn responses_clients_read_every_error_of_the_upstream_as_the_fixtures_say() {
    check(Api::Responses).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gemini_clients_read_every_error_of_the_upstream_as_the_fixtures_say() {
    check(Api::Gemini).await;
}

#[test]
fn every_fixture_of_failures_is_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/fixtures/failures");
    let known = crate::speakers::ALL.map(|api| format!("{}.json", api.name()));
    for entry in std::fs::read_dir(folder).expect("fixtures") {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(known.contains(&name), "no test reads {name}");
    }
}
