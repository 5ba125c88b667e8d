//! Upstream connections are used again, and opened side by side only when needed.

use std::collections::HashSet;

use http::StatusCode;

use crate::harness::{World, ask};

#[tokio::test(flavor = "multi_thread")]
async fn requests_one_after_another_use_one_upstream_connection() {
    let world = World::start().await;
    for n in 0..20 {
        if n % 2 == 0 {
            assert_eq!(world.send(&ask("SAY: hello")).await.0, StatusCode::OK);
        } else {
            assert!(world.stream(&ask("SAY: hello")).await.complete());
        }
    }
    let journal = world.control.journal();
    let chats: Vec<u64> =
        journal.iter().filter(|e| e.operation == "GenerateAssistantResponse").map(|e| e.connection).collect();
    assert_eq!(chats.len(), 20);
    let connections: HashSet<u64> = chats.into_iter().collect();
    // One is the aim; a second one may be opened when a request follows before the first is back in the pool.
    assert!(connections.len() <= 2, "{} connections for 20 requests", connections.len());
}
